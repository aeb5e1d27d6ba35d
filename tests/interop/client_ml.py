"""What the official azure-ai-ml client does against the simulated cloud: fills a workspace with every kind, and reads all back."""

import hashlib
import pathlib
import uuid

from azure.ai.ml import Input, MLClient, MpiDistribution, Output, command, dsl, load_component
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import (
    AccountKeyConfiguration,
    AzureBlobDatastore,
    AzureDataLakeGen2Datastore,
    AzureFileDatastore,
    BatchEndpoint,
    CodeConfiguration,
    CronTrigger,
    Data,
    Environment,
    JobSchedule,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    NoneCredentialConfiguration,
    PatTokenConfiguration,
    SasTokenConfiguration,
    ServicePrincipalConfiguration,
    WorkspaceConnection,
)

import seed
from cloud import Cloud, Place

JOBS = 13
ENVIRONMENT = "azureml:sklearn:1"


def sources(cloud: Cloud) -> pathlib.Path:
    """A new folder for what the client uploads."""
    folder = cloud.folder / f"sources-{uuid.uuid4().hex}"
    folder.mkdir()
    return folder


def fill(cloud: Cloud, place: Place):
    """Fills a workspace with what teams make every day, lists it and downloads a model."""
    client, folder = cloud.client(place), sources(cloud)
    seeded = seed.seed(client, folder, [place.subscription, place.group, place.name])
    names = {model.name for model in client.models.list()}
    assert {name for name, _ in seeded["models"]} <= names, names
    client.models.download(name="churn", version="1", download_path=folder / "down")
    found = hashlib.sha256((folder / "down/churn/model/model.bin").read_bytes()).hexdigest()
    assert found == hashlib.sha256((folder / "model/model.bin").read_bytes()).hexdigest()
    client.models.archive("single", "1")
    assert "single" not in {model.name for model in client.models.list()} or client.models.get("single", "1")
    assert len(list(client.jobs.list())) >= 3


def widen(cloud: Cloud, place: Place):
    """Everything else that the client can make: archived things, other datastores, endpoints, connections."""
    client, folder = cloud.client(place), sources(cloud)
    seed.write_sources(folder, [place.subscription, place.group, place.name])
    (folder / "serve").mkdir()
    (folder / "serve/score.py").write_text("def init(): pass\ndef run(data): return data\n")
    assets(client, folder)
    datastores(client)
    components(client, folder)
    jobs(client, folder)
    schedule(client)
    online(client, folder, place)
    batch(client, folder)
    client.connections.create_or_update(WorkspaceConnection(
        name="orchard-git", type="git", target="https://github.com/orchard/press", credentials=PatTokenConfiguration(pat="a~pat.of~nobody")))
    assert {found.name for found in client.connections.list()} == {"orchard-git"}


def assets(client: MLClient, folder: pathlib.Path):
    """Environments, models and data assets, some of them archived."""
    for version in ("1", "2", "2026.10"):
        client.environments.create_or_update(Environment(name="press", version=version, image=f"mcr.microsoft.com/azureml/base:{version}", tags={"v": version}))
    client.environments.create_or_update(Environment(name="old-press", version="1", image="mcr.microsoft.com/azureml/base:0"))
    client.environments.archive("old-press", "1")
    assert client.environments.get("press", label="latest").version == "2026.10"
    for name in ("must", "cider", "vinegar"):
        path = folder / f"{name}.bin"
        path.write_bytes(name.encode() * 5000)
        client.models.create_or_update(Model(name=name, path=path, type=AssetTypes.CUSTOM_MODEL))
    client.models.archive("vinegar", "1")
    client.data.create_or_update(Data(name="prices", version="1", path="https://example.com/data/prices.csv", type=AssetTypes.URI_FILE))
    for version, path in (("1", "harvest/2025/"), ("2", "harvest/2026/")):
        client.data.create_or_update(Data(name="harvest", version=version, path=f"azureml://datastores/workspaceblobstore/paths/{path}", type=AssetTypes.URI_FOLDER))
    for number in range(3):
        path = folder / f"weather-{number}.csv"
        path.write_text(f"day,rain\n{number},0.5\n")
        client.data.create_or_update(Data(name="weather", version=str(number + 1), path=path, type=AssetTypes.URI_FILE))
    for name in ("stones", "stalks"):
        client.data.create_or_update(Data(name=name, version="1", path=folder / "table", type=AssetTypes.MLTABLE))
    client.data.create_or_update(Data(name="rotten", version="1", path="https://example.com/data/rotten.csv", type=AssetTypes.URI_FILE))
    client.data.archive("rotten")
    assert "rotten" not in {found.name for found in client.data.list()}


def datastores(client: MLClient):
    """One of each sort of credential and store."""
    for store in (
        AzureBlobDatastore(name="barn_sas", account_name="stbarn0001", container_name="hay", credentials=SasTokenConfiguration(sas_token="?sv=2024&sig=of-nobody")),
        AzureBlobDatastore(name="barn_open", account_name="stbarn0001", container_name="hay", credentials=NoneCredentialConfiguration()),
        AzureFileDatastore(name="barn_files", account_name="stbarn0001", file_share_name="tools", credentials=AccountKeyConfiguration(account_key=seed.ACCOUNT_KEY)),
        AzureDataLakeGen2Datastore(name="pond", account_name="stpond0001", filesystem="carp", credentials=ServicePrincipalConfiguration(
            tenant_id="11111111-1111-4111-8111-111111111111", client_id="22222222-2222-4222-8222-222222222222", client_secret="of-nobody")),
    ):
        client.datastores.create_or_update(store)
    found = {store.name for store in client.datastores.list(include_secrets=True)}
    assert {"barn_sas", "barn_open", "barn_files", "pond", "workspaceblobstore"} <= found, found
    assert client.datastores.get("pond", include_secrets=True).credentials.client_secret == "of-nobody"


def components(client: MLClient, folder: pathlib.Path):
    """Steps with code, one of them archived, and a pipeline of them."""
    for name, version in (("wash", "1"), ("crush", "3"), ("crush", "4"), ("stomp", "1")):
        path = folder / f"{name}-{version}.yml"
        path.write_text(
            "$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json\n"
            f"name: {name}\nversion: '{version}'\ntype: command\ndisplay_name: {name} {version}\n"
            "inputs:\n  rows: {type: uri_file}\noutputs:\n  prepared: {type: uri_file}\n"
            f"code: ./step\nenvironment: {ENVIRONMENT}\ncommand: python prepare.py ${{{{inputs.rows}}}} ${{{{outputs.prepared}}}}\n")
        client.components.create_or_update(load_component(path))
    client.components.archive("stomp", "1")
    wash, crush = client.components.get("wash", "1"), client.components.get("crush", label="latest")
    assert crush.version == "4"

    @dsl.pipeline(name="washed_and_crushed", version="1", default_compute="cpu-cluster")
    def both(rows: Input(type=AssetTypes.URI_FILE)):
        first = wash(rows=rows)
        second = crush(rows=first.outputs.prepared)
        return {"prepared": second.outputs.prepared}

    client.components.create_or_update(both)
    assert {found.name for found in client.components.list()} >= {"wash", "crush", "washed_and_crushed"}


def jobs(client: MLClient, folder: pathlib.Path):
    """Command jobs with code, spread over nodes, with an environment of their own; a pipeline; changes after the fact."""
    rows = Input(type=AssetTypes.URI_FILE, path="azureml:weather:1")
    for number in range(JOBS):
        (folder / "src/number.py").write_text(f"print({number})\n")
        spread = MpiDistribution(process_count_per_instance=2) if number == JOBS - 1 else None
        client.jobs.create_or_update(command(
            name=f"press-run-{number}", code=folder / "src", command=f"python train.py --turn {number}", compute="cpu-cluster", distribution=spread,
            instance_count=2 if spread else 1, experiment_name=f"pressing-{'ab'[number % 2]}",
            environment="press@latest" if number % 2 else ENVIRONMENT, inputs={"rows": rows}, outputs={"must": Output(type=AssetTypes.URI_FOLDER)}))
    own = Environment(image="mcr.microsoft.com/azureml/base:own", conda_file=folder / "conda.yaml")
    client.jobs.create_or_update(command(name="own-environment", command="true", compute="cpu-cluster", environment=own))
    client.jobs.create_or_update(command(
        name="microsofts-environment", command="true", compute="cpu-cluster", environment="azureml://registries/azureml/environments/sklearn-1.5/versions/1"))
    wash = client.components.get("wash", "1")
    for name in ("wash-only", "wash-again"):
        @dsl.pipeline(default_compute="cpu-cluster")
        def washing(rows: Input(type=AssetTypes.URI_FILE)):
            wash(rows=rows)

        pipeline = washing(rows=rows)
        pipeline.name = name
        client.jobs.create_or_update(pipeline, experiment_name="washing")
    client.jobs.archive("press-run-1")
    changed = client.jobs.get("press-run-2")
    changed.tags["reviewed"] = "yes"
    client.jobs.create_or_update(changed)
    assert client.jobs.get("press-run-2").tags["reviewed"] == "yes"
    names = {job.name for job in client.jobs.list()}
    assert "press-run-1" not in names and "press-run-0" in names, names


def schedule(client: MLClient):
    """Schedules of a job that exists, one of them disabled afterwards."""
    for name in ("monthly", "yearly"):
        client.schedules.begin_create_or_update(JobSchedule(
            name=name, trigger=CronTrigger(expression="0 0 1 * *", time_zone="UTC"), create_job="wash-only")).result()
    assert client.schedules.begin_disable("monthly").result().is_enabled is False
    assert {found.name for found in client.schedules.list()} >= {"nightly", "weekly", "yearly"}


def online(client: MLClient, folder: pathlib.Path, place: Place):
    """An endpoint with two deployments that share its traffic."""
    name = f"tap-{place.name}"
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key", description="on tap")).result()
    for deployment in ("red", "gold"):
        client.online_deployments.begin_create_or_update(ManagedOnlineDeployment(
            name=deployment, endpoint_name=name, model="azureml:must:1", environment=ENVIRONMENT, instance_type="Standard_DS3_v2", instance_count=1,
            code_configuration=CodeConfiguration(code=str(folder / "serve"), scoring_script="score.py"))).result()
    endpoint = client.online_endpoints.get(name)
    endpoint.traffic = {"red": 90, "gold": 10}
    client.online_endpoints.begin_create_or_update(endpoint).result()
    assert {found.name for found in client.online_deployments.list(name)} == {"red", "gold"}
    assert client.online_endpoints.get(name).traffic == {"red": 90, "gold": 10}
    assert client.online_endpoints.get_keys(name).primary_key


def batch(client: MLClient, folder: pathlib.Path):
    """A batch endpoint with its default deployment."""
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name="cask", description="by night")).result()
    client.batch_deployments.begin_create_or_update(ModelBatchDeployment(
        name="oak", endpoint_name="cask", model="azureml:cider:1", environment=ENVIRONMENT, compute="cpu-cluster",
        code_configuration=CodeConfiguration(code=str(folder / "serve"), scoring_script="score.py"), settings=ModelBatchDeploymentSettings(mini_batch_size=10))).result()
    endpoint = client.batch_endpoints.get("cask")
    endpoint.defaults = {"deployment_name": "oak"}
    client.batch_endpoints.begin_create_or_update(endpoint).result()


def read_back(cloud: Cloud, place: Place):
    """Lists every kind, gets every item twice, as scripts do, and downloads all that has bytes."""
    client, folder = cloud.client(place), sources(cloud)
    assert place.name in {found.name for found in client.workspaces.list()}
    assert twice(lambda: client.workspaces.get(place.name)).location == place.location
    read_assets(client, folder)
    codes = {code_of(thing) for thing in read_running(client)} - {None}
    assert len(codes) >= JOBS, codes
    for name in sorted(codes):
        download_code(cloud, client._code.get(name, "1").path, folder / name)


def twice(get):
    """What a getter gives, which is the same the second time."""
    first, second = get(), get()
    assert first.id == second.id, (first.id, second.id)
    return second


def container(client: MLClient, kind: str, name: str):
    """The container of an asset's versions, which the client asks for by itself on some paths alone."""
    of = {"components": "_container_operation", "data": "_container_operation", "environments": "_containers_operations", "models": "_model_container_operation"}
    operations = getattr(getattr(client, kind), of[kind])
    found = operations.get(resource_group_name=client.resource_group_name, workspace_name=client.workspace_name, name=name)
    assert found.name == name


def read_assets(client: MLClient, folder: pathlib.Path):
    """Environments, models and data, each version, with a model's files."""
    for kind in ("environments", "models", "data"):
        for found in getattr(client, kind).list():
            container(client, kind, found.name)
            for version in getattr(client, kind).list(found.name):
                # An anonymous environment is shown by another version than the service's own, which stands in its id.
                number = version.id.rsplit("/", 1)[-1]
                twice(lambda: getattr(client, kind).get(found.name, number))
                if kind == "models":
                    client.models.download(found.name, number, folder / "models" / number)
    assert any(path.is_file() for path in (folder / "models/1/must").rglob("*"))


def read_running(client: MLClient):
    """All that may have code of its own, and what it runs on."""
    for found in client.components.list():
        container(client, "components", found.name)
        for version in client.components.list(found.name):
            yield twice(lambda: client.components.get(found.name, version.version))
    for store in client.datastores.list():
        client.datastores.get(store.name, include_secrets=True)
    assert {compute.name for compute in client.compute.list(compute_type="amlcompute")} == {"cpu-cluster", "gpu-cluster"}
    for compute in client.compute.list():
        client.compute.get(compute.name)
    for job in client.jobs.list():
        yield twice(lambda: client.jobs.get(job.name))
    for found in client.schedules.list():
        twice(lambda: client.schedules.get(found.name))
    for endpoint in client.online_endpoints.list():
        twice(lambda: client.online_endpoints.get(endpoint.name))
        for deployment in client.online_deployments.list(endpoint.name):
            yield twice(lambda: client.online_deployments.get(deployment.name, endpoint.name))
    for endpoint in client.batch_endpoints.list():
        twice(lambda: client.batch_endpoints.get(endpoint.name))
        for deployment in client.batch_deployments.list(endpoint.name):
            yield twice(lambda: client.batch_deployments.get(deployment.name, endpoint.name))
    for found in client.connections.list():
        client.connections.get(found.name)


def code_of(thing):
    """The name of the code asset of a job, component or deployment, where it has one."""
    code = getattr(thing, "code", None) or getattr(getattr(thing, "code_configuration", None), "code", None)
    return str(code).split("/codes/")[1].split("/")[0] if code and "/codes/" in str(code) else None


def download_code(cloud: Cloud, uri: str, folder: pathlib.Path):
    """The files below a code asset's address, by the client of blobs: the SDK's own way knows Azure's public host alone."""
    host, path = uri.removeprefix("https://").split("/", 1)
    name, below = path.split("/", 1)
    blobs = cloud.container(host.split(".")[0], name)
    found = list(blobs.list_blobs(name_starts_with=f"{below}/", results_per_page=2))
    assert found, uri
    for blob in found:
        content = blobs.download_blob(blob.name).readall()
        assert len(content) == blob.size, blob.name
        (folder / blob.name).parent.mkdir(parents=True, exist_ok=True)
        (folder / blob.name).write_bytes(content)
