"""Fills a workspace with the official azure-ai-ml SDK, unmodified, as its users do."""

import json
import pathlib
import struct

from azure.ai.ml import Input, MLClient, Output, command, dsl, load_component
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import (
    AccountKeyConfiguration,
    AmlCompute,
    AzureBlobDatastore,
    AzureFileDatastore,
    BuildContext,
    CronTrigger,
    Data,
    Environment,
    JobSchedule,
    Model,
    RecurrenceTrigger,
)
from azure.ai.ml.sweep import Choice, Uniform

ACCOUNT_KEY = "c2VlZGVkLWJ5LXRoZS1zZGs="


def write_sources(folder: pathlib.Path, names: list[str]) -> None:
    """The local files that the SDK uploads. `names` are the workspace's own, mentioned where nothing is a reference."""
    decoy = "azureml://subscriptions/{0}/resourceGroups/{1}/workspaces/{2}/datastores/d/paths/p".format(*names)
    (folder / "src").mkdir(parents=True)
    (folder / "src/train.py").write_text(f"# trained in {names[2]}\nimport argparse\nprint('training')\n")
    (folder / "src/empty.py").write_text("")
    (folder / "step").mkdir()
    (folder / "step/prepare.py").write_text("print('prepare')\n")
    (folder / "model").mkdir()
    (folder / "model/MLmodel").write_text("flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n    data: model.bin\n")
    (folder / "model/model.bin").write_bytes(b"".join(struct.pack("<f", i / 7) for i in range(60_000)))
    (folder / "model/nested").mkdir()
    (folder / "model/nested/tokenizer.json").write_text(json.dumps({"vocab": list(range(500))}))
    (folder / "single.onnx").write_bytes(bytes(range(256)) * 400)
    (folder / "conda.yaml").write_text(f"name: env\n# see {decoy}\ndependencies:\n- python=3.11\n- pip:\n  - scikit-learn\n")
    (folder / "docker").mkdir()
    (folder / "docker/Dockerfile").write_text("FROM mcr.microsoft.com/azureml/base:latest\nCOPY requirements.txt .\n")
    (folder / "docker/requirements.txt").write_text("numpy\n")
    (folder / "table").mkdir()
    (folder / "table/MLTable").write_text("type: mltable\npaths:\n  - file: ./rows.csv\ntransformations:\n  - read_delimited:\n      delimiter: ','\n")
    (folder / "table/rows.csv").write_text("a,b\n" + "\n".join(f"{i},{i * i}" for i in range(300)))


def computes(client: MLClient) -> None:
    """The computes that jobs and schedules name; the target of a restore has the same."""
    for name in ("cpu-cluster", "gpu-cluster"):
        client.compute.begin_create_or_update(AmlCompute(name=name, size="Standard_DS3_v2", max_instances=4)).result()


def seed(client: MLClient, folder: pathlib.Path, names: list[str]) -> dict:
    """Creates everything; returns the names of what was made."""
    write_sources(folder, names)
    computes(client)
    assets = seed_assets(client, folder)
    jobs = seed_jobs(client, folder, names)
    schedules = seed_schedules(client, jobs)
    return {**assets, "jobs": {key: job.name for key, job in jobs.items()}, "schedules": schedules}


def seed_assets(client: MLClient, folder: pathlib.Path) -> dict:
    """Datastores, environments, models and data assets."""
    client.datastores.create_or_update(
        AzureBlobDatastore(name="lake", account_name="stexternal01", container_name="raw", description="shared with another team",
                           credentials=AccountKeyConfiguration(account_key=ACCOUNT_KEY)))
    client.datastores.create_or_update(
        AzureFileDatastore(name="shared_files", account_name="stexternal01", file_share_name="team",
                           credentials=AccountKeyConfiguration(account_key=ACCOUNT_KEY)))
    client.environments.create_or_update(
        Environment(name="sklearn", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest", conda_file=folder / "conda.yaml"))
    client.environments.create_or_update(Environment(name="built", build=BuildContext(path=folder / "docker")))
    client.models.create_or_update(
        Model(name="churn", path=folder / "model", type=AssetTypes.MLFLOW_MODEL, description="predicts who leaves", tags={"team": "growth"}))
    client.models.create_or_update(Model(name="churn", path=folder / "single.onnx", type=AssetTypes.CUSTOM_MODEL))
    client.models.create_or_update(Model(name="single", path=folder / "single.onnx", type=AssetTypes.CUSTOM_MODEL))
    client.data.create_or_update(Data(name="rows", version="1", path=folder / "table/rows.csv", type=AssetTypes.URI_FILE))
    client.data.create_or_update(Data(name="folder", version="1", path=folder / "table", type=AssetTypes.URI_FOLDER))
    client.data.create_or_update(Data(name="table", version="1", path=folder / "table", type=AssetTypes.MLTABLE))
    return {"models": [("churn", "1"), ("churn", "2"), ("single", "1")], "environments": ["sklearn", "built"],
            "data": [("rows", "1"), ("folder", "1"), ("table", "1")], "datastores": ["lake", "shared_files"]}


def seed_jobs(client: MLClient, folder: pathlib.Path, names: list[str]) -> dict:
    """A registered component, and command, sweep and pipeline jobs with inline components and an anonymous environment."""
    inline = Environment(image="mcr.microsoft.com/azureml/curated/minimal-py311:latest", conda_file=folder / "conda.yaml")
    decoy = "azureml://subscriptions/{0}/resourceGroups/{1}/workspaces/{2}/datastores/d/paths/p".format(*names)
    train = command(
        name="train_inline", display_name="train", code=folder / "src", command=f"python train.py --note {decoy} --lr ${{{{inputs.lr}}}}",
        environment=inline, inputs={"lr": 0.1, "rows": Input(type=AssetTypes.URI_FILE, path="azureml:rows:1")},
        outputs={"model": Output(type=AssetTypes.URI_FOLDER)}, compute="cpu-cluster")
    single = command(
        code=folder / "src", command="python train.py", environment="azureml:sklearn:1", compute="cpu-cluster",
        inputs={"model": Input(type=AssetTypes.MLFLOW_MODEL, path="azureml:churn:1")},
        experiment_name="churn-experiments", description=f"ran in {names[2]}", tags={"origin": decoy, "team": "growth"})
    jobs = {"command": client.jobs.create_or_update(single)}

    swept = train(lr=Uniform(min_value=0.01, max_value=0.9), rows=Input(type=AssetTypes.URI_FILE, path="azureml:rows:1"))
    sweep = swept.sweep(sampling_algorithm="random", primary_metric="accuracy", goal="Maximize", compute="cpu-cluster")
    sweep.set_limits(max_total_trials=4, max_concurrent_trials=2, timeout=7200)
    sweep.experiment_name = "churn-sweeps"
    jobs["sweep"] = client.jobs.create_or_update(sweep)

    prepare = load_component(component_yaml(folder))
    client.components.create_or_update(prepare)
    registered = client.components.get("prepare", "1")

    @dsl.pipeline(default_compute="cpu-cluster", description="prepares, then trains")
    def nightly(rows):
        first = registered(rows=rows)
        second = train(lr=0.2, rows=first.outputs.prepared)
        return {"model": second.outputs.model}

    pipeline = nightly(rows=Input(type=AssetTypes.URI_FILE, path="azureml:rows:1"))
    jobs["pipeline"] = client.jobs.create_or_update(pipeline, experiment_name="nightly")
    return jobs


def component_yaml(folder: pathlib.Path) -> pathlib.Path:
    """A component as YAML, with code beside it."""
    path = folder / "prepare.yml"
    path.write_text(
        "$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json\n"
        "name: prepare\nversion: '1'\ntype: command\ndisplay_name: prepare\n"
        "inputs:\n  rows: {type: uri_file}\noutputs:\n  prepared: {type: uri_file}\n"
        "code: ./step\nenvironment: azureml:sklearn:1\n"
        "command: python prepare.py ${{inputs.rows}} ${{outputs.prepared}}\n")
    return path


def seed_schedules(client: MLClient, jobs: dict) -> list[str]:
    """One schedule with a whole job definition, one that names an existing job."""
    whole = JobSchedule(name="nightly", trigger=CronTrigger(expression="15 2 * * *", time_zone="UTC"), create_job=jobs["pipeline"])
    by_id = JobSchedule(name="weekly", trigger=RecurrenceTrigger(frequency="week", interval=1), create_job=jobs["pipeline"].name)
    for schedule in (whole, by_id):
        client.schedules.begin_create_or_update(schedule).result()
    return ["nightly", "weekly"]
