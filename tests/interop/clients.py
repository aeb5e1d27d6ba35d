"""What each official client does against the simulated cloud: real work, every answer looked at. No client is changed."""

import contextlib
import hashlib
import os
import pathlib
import time
import uuid

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

import seed
from cloud import Cloud, Place

WORKSPACE = Place("5d0c7a52-3b1e-4f7a-9c55-2f6f0e8b1c01", "team-orchard", "pomology", "westeurope")
CONTENT = bytes(range(256)) * 40


def refused(error, call, status):
    """The call is refused with that exception and status."""
    try:
        call()
    except error as found:
        assert found.status_code == status, f"{found.status_code}, not {status}: {found}"
        return
    raise AssertionError(f"nothing was refused where {status} was expected")


@contextlib.contextmanager
def environment(**values):
    """Variables of the environment for a while; `None` takes one away."""
    before = {key: os.environ.get(key) for key in values}
    try:
        for key, value in values.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, str(value))
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key, None) if value is None else os.environ.__setitem__(key, value)


# --- azure-ai-ml --------------------------------------------------------------------------------------------------


def ml(cloud: Cloud):
    """Fills a workspace with every kind that the SDK makes, lists it and downloads a model."""
    client = cloud.client(WORKSPACE)
    folder = cloud.folder / f"sources-{uuid.uuid4().hex}"
    folder.mkdir()
    seeded = seed.seed(client, folder, [WORKSPACE.subscription, WORKSPACE.group, WORKSPACE.name])
    names = {model.name for model in client.models.list()}
    assert {name for name, _ in seeded["models"]} <= names, names
    client.models.download(name="churn", version="1", download_path=folder / "down")
    found = hashlib.sha256((folder / "down/churn/model/model.bin").read_bytes()).hexdigest()
    assert found == hashlib.sha256((folder / "model/model.bin").read_bytes()).hexdigest()
    client.models.archive("single", "1")
    assert "single" not in {model.name for model in client.models.list()} or client.models.get("single", "1")
    assert len(list(client.jobs.list())) >= 3


# --- azure-storage-blob -------------------------------------------------------------------------------------------


def blob(cloud: Cloud):
    """Uploads whole and in blocks, reads ranges, lists, and takes the answers that conditions, leases and tiers give."""
    account, _ = cloud.store(WORKSPACE, "workspaceblobstore")
    container = cloud.container(account, "basket")
    container.create_container(metadata={"season": "autumn"})
    refused(ResourceExistsError, container.create_container, 409)
    assert container.get_container_properties().metadata == {"season": "autumn"}
    blob_content(container)
    blob_conditions(container)
    blob_leases(container)
    blob_tiers(container)
    blob_listing(container)
    container.delete_blob("apples/one.bin")
    refused(ResourceNotFoundError, container.get_blob_client("apples/one.bin").get_blob_properties, 404)


def blob_content(container):
    """Bytes, metadata and content settings."""
    from azure.storage.blob import BlobBlock, ContentSettings

    one = container.get_blob_client("apples/one.bin")
    one.upload_blob(CONTENT, metadata={"kind": "boskoop"}, content_settings=ContentSettings(content_type="text/x-apple"), validate_content=True)
    properties = one.get_blob_properties()
    assert (properties.size, properties.metadata, properties.content_settings.content_type) == (len(CONTENT), {"kind": "boskoop"}, "text/x-apple")
    assert one.download_blob(validate_content=True).readall() == CONTENT
    assert one.download_blob(offset=1000, length=300).readall() == CONTENT[1000:1300]
    refused(HttpResponseError, lambda: one.download_blob(offset=len(CONTENT) + 1, length=5), 416)
    empty = container.get_blob_client("apples/empty")
    empty.upload_blob(b"")
    assert empty.download_blob().readall() == b""
    blocks = container.get_blob_client("apples/blocks.bin")
    ids = [f"{n:04}" for n in range(3)]
    for n, block in enumerate(ids):
        blocks.stage_block(block, CONTENT[n * 100:(n + 1) * 100])
    committed, waiting = blocks.get_block_list("all")
    assert (len(committed), len(waiting)) == (0, 3)
    blocks.commit_block_list([BlobBlock(block_id=block) for block in ids])
    assert blocks.download_blob().readall() == CONTENT[:300]
    one.set_blob_metadata({"kind": "elstar", "count": "3"})
    assert one.get_blob_properties().metadata == {"kind": "elstar", "count": "3"}


def blob_conditions(container):
    """ETags decide who writes."""
    two = container.get_blob_client("pears/two.bin")
    two.upload_blob(b"first")
    refused(ResourceExistsError, lambda: two.upload_blob(b"second"), 409)
    etag = two.get_blob_properties().etag
    two.upload_blob(b"second", overwrite=True)
    refused(ResourceModifiedError, lambda: two.upload_blob(b"third", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified), 412)
    refused(ResourceModifiedError, lambda: two.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified), 412)
    assert two.exists() and not container.get_blob_client("pears/none").exists()


def blob_leases(container):
    """Who holds a lease writes, nobody else."""
    leased = container.get_blob_client("pears/leased")
    leased.upload_blob(b"mine")
    lease = leased.acquire_lease(lease_duration=15)
    refused(HttpResponseError, lambda: leased.upload_blob(b"yours", overwrite=True), 412)
    leased.upload_blob(b"still mine", overwrite=True, lease=lease)
    refused(HttpResponseError, lambda: leased.acquire_lease(lease_duration=15), 409)
    lease.renew()
    lease.release()
    leased.upload_blob(b"anybody's", overwrite=True)


def blob_tiers(container):
    """Tiers are set, shown and obeyed."""
    from azure.storage.blob import StandardBlobTier

    cold = container.get_blob_client("cellar/cold.bin")
    cold.upload_blob(CONTENT, standard_blob_tier=StandardBlobTier.COOL)
    assert cold.get_blob_properties().blob_tier == "Cool"
    cold.set_standard_blob_tier("Archive")
    assert cold.get_blob_properties().blob_tier == "Archive"
    refused(HttpResponseError, lambda: cold.download_blob().readall(), 409)
    cold.set_standard_blob_tier("Hot", rehydrate_priority="High")
    assert cold.get_blob_properties().blob_tier in ("Archive", "Hot")


def blob_listing(container):
    """Flat and by folder, page by page."""
    names = [found.name for found in container.list_blobs(include=["metadata"], results_per_page=2)]
    assert names == sorted(names) and "apples/one.bin" in names, names
    folders = {found.name for found in container.walk_blobs(delimiter="/")}
    assert {"apples/", "pears/", "cellar/"} <= folders, folders
    assert [found.name for found in container.list_blobs(name_starts_with="cellar/")] == ["cellar/cold.bin"]


# --- azure-storage-file-share -------------------------------------------------------------------------------------


def file_share(cloud: Cloud):
    """Directories, ranges, attributes and times, by token with the intent of a backup."""
    share = cloud.share(*cloud.store(WORKSPACE, "workspaceworkingdirectory"))
    press = share.create_directory("press")
    refused(ResourceExistsError, lambda: share.create_directory("press"), 409)
    share.create_directory("press/juice")
    refused(HttpResponseError, lambda: share.create_directory("nowhere/below"), 404)
    file_ranges(share)
    for n in range(9):
        press.upload_file(f"note {n} 50% ä.txt", b"x" * n)
    names = [found["name"] for found in press.list_directories_and_files(results_per_page=4)]
    assert len(names) == 10 and "juice" in names, names
    deep = [found["name"] for found in press.get_subdirectory_client("juice").list_directories_and_files()]
    assert deep == ["must.bin"], deep
    press.set_directory_metadata({"owner": "ida"})
    assert press.get_directory_properties().metadata == {"owner": "ida"}
    refused(HttpResponseError, press.delete_directory, 409)
    press.delete_file("note 0 50% ä.txt")
    refused(ResourceNotFoundError, press.get_file_client("note 0 50% ä.txt").get_file_properties, 404)


def file_ranges(share):
    """Bytes in ranges, holes, attributes and times of one file."""
    must = share.get_file_client("press/juice/must.bin")
    must.create_file(len(CONTENT), file_attributes="ReadOnly|Archive", file_last_write_time="2024-02-03T04:05:06.0000000Z", metadata={"vat": "7"})
    must.upload_range(CONTENT[:4096], offset=0, length=4096)
    must.upload_range(CONTENT[8192:], offset=8192, length=len(CONTENT) - 8192)
    ranges, _ = must.get_ranges(), None
    assert ranges[0] == {"start": 0, "end": 4095}, ranges
    expected = CONTENT[:4096] + bytes(4096) + CONTENT[8192:]
    assert must.download_file().readall() == expected
    assert must.download_file(offset=4000, length=200).readall() == expected[4000:4200]
    properties = must.get_file_properties()
    assert "ReadOnly" in properties.file_attributes and properties.metadata == {"vat": "7"}, properties
    assert str(properties.size) == str(len(CONTENT))
    whole = share.get_file_client("press/whole.bin")
    whole.upload_file(CONTENT)
    assert whole.download_file(validate_content=True).readall() == CONTENT
    whole.clear_range(0, 512)
    assert whole.download_file().readall() == bytes(512) + CONTENT[512:]
    whole.resize_file(100)
    assert whole.get_file_properties().size == 100
    whole.delete_file()


# --- azure-identity -----------------------------------------------------------------------------------------------


def identity(cloud: Cloud):
    """A token by each way that the official package knows and this cloud serves, each used once."""
    from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential

    about, login = cloud.about, cloud.urls["login"]
    scope = cloud.urls["management"] + "/.default"
    common = {"authority": login, "disable_instance_discovery": True}
    cloud.use_token(ClientSecretCredential(about["tenant_id"], about["client_id"], about["client_secret"], **common).get_token(scope).token)

    wrong = ClientSecretCredential(about["tenant_id"], about["client_id"], "not~the.secret", **common)
    try:
        wrong.get_token(scope)
    except Exception as refusal:  # the package has a class of its own for it
        assert "AADSTS7000215" in str(refusal), refusal
    else:
        raise AssertionError("a wrong secret was taken")

    assertion = cloud.folder / "assertion"
    assertion.write_text(unsigned_assertion(about, f"{login}/{about['tenant_id']}/v2.0"))
    federated = WorkloadIdentityCredential(tenant_id=about["tenant_id"], client_id=about["client_id"], token_file_path=str(assertion), **common)
    cloud.use_token(federated.get_token(scope).token)

    with environment(AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.urls["imds"], IDENTITY_ENDPOINT=None, MSI_ENDPOINT=None):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)
    with environment(IDENTITY_ENDPOINT=cloud.urls["imds"] + "/msi/token", IDENTITY_HEADER="simulated-identity-header"):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)
    with environment(MSI_ENDPOINT=cloud.urls["imds"] + "/msi/token", MSI_SECRET="simulated-identity-header", IDENTITY_ENDPOINT=None):
        cloud.use_token(ManagedIdentityCredential().get_token(scope).token)


def unsigned_assertion(about, audience):
    """An assertion as a cluster mounts one. The simulated directory looks at subject, audience and time."""
    import jwt

    now = int(time.time())
    claims = {"iss": "https://cluster.invalid", "sub": about["client_id"], "aud": "api://AzureADTokenExchange", "iat": now, "nbf": now, "exp": now + 3600}
    return jwt.encode(claims, "a key that nobody checks, of thirty-two bytes", algorithm="HS256")


# --- mlflow with azureml-mlflow -----------------------------------------------------------------------------------


def mlflow(cloud: Cloud):
    """A parent run with children: parameters, tags, metrics with steps, artifacts; searched, changed, deleted, restored."""
    import mlflow as flow
    from mlflow.entities import Metric, Param, RunTag, ViewType

    workspace = cloud.arm("GET", WORKSPACE.arm)
    tracking = workspace["properties"]["mlFlowTrackingUri"]
    token = cloud.token(cloud.urls["management"] + "/.default")
    with environment(**mlflow_environment(tracking, token)):
        client = flow.MlflowClient(tracking_uri=tracking)
        experiment = client.create_experiment("ripening")
        assert client.get_experiment_by_name("ripening").experiment_id == experiment
        parent = client.create_run(experiment, tags={"mlflow.runName": "week 40", "orchard": "north"})
        run_id = parent.info.run_id
        now = int(time.time() * 1000)
        client.log_param(run_id, "sugar", 12.5)
        for step in range(4):
            client.log_metric(run_id, "brix", 10 + step / 2, timestamp=now + step, step=step)
        client.log_batch(run_id, metrics=[Metric("acid", 0.9 - n / 100, now + n, n) for n in range(30)],
                         params=[Param("press", "hydraulic")], tags=[RunTag("reviewed", "yes")])
        children = [client.create_run(experiment, tags={"mlflow.parentRunId": run_id, "mlflow.runName": f"vat {n}"}) for n in range(3)]
        for child in children:
            client.log_metric(child.info.run_id, "brix", 11.0, timestamp=now, step=0)
            client.set_terminated(child.info.run_id)
        note = cloud.folder / "note.txt"
        note.write_text("pressed on a Tuesday\n")
        client.log_artifact(run_id, str(note), "notes")
        # By address: the client's own lists ask a server of MLflow 3 for logged models first, which Azure ML has not.
        uri = parent.info.artifact_uri
        assert [found.path.rsplit("/", 1)[-1] for found in flow.artifacts.list_artifacts(artifact_uri=f"{uri}/notes")] == ["note.txt"]
        down = pathlib.Path(flow.artifacts.download_artifacts(artifact_uri=f"{uri}/notes/note.txt", dst_path=str(cloud.folder / "down")))
        assert down.read_text() == note.read_text()
        client.set_terminated(run_id)
        seen = client.get_run(run_id)
        assert seen.data.params == {"sugar": "12.5", "press": "hydraulic"}, seen.data.params
        assert seen.data.tags["reviewed"] == "yes" and seen.info.status == "FINISHED"
        assert [point.step for point in client.get_metric_history(run_id, "acid")] == list(range(30))
        found = client.search_runs([experiment], f"tags.mlflow.parentRunId = '{run_id}'")
        assert {run.info.run_id for run in found} == {child.info.run_id for child in children}, found
        assert len(client.search_runs([experiment], "metrics.brix > 11.2", run_view_type=ViewType.ALL)) == 1
        client.delete_tag(run_id, "reviewed")
        client.delete_run(children[0].info.run_id)
        assert len(client.search_runs([experiment])) == 3
        client.restore_run(children[0].info.run_id)
        assert any(found.name == "ripening" for found in client.search_experiments())


def mlflow_environment(tracking, token):
    """What Azure ML sets on a machine that runs a job: the plug-in then takes its token from there."""
    return {"MLFLOW_TRACKING_URI": tracking, "MLFLOW_TRACKING_TOKEN": token, "MLFLOW_RUN_ID": "00000000-none", "MLFLOW_EXPERIMENT_NAME": "ripening"}
