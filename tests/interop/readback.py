"""Reads a workspace back with the official clients, so that what is not as it was can be told."""

import hashlib
import pathlib

from azure.ai.ml import MLClient
from clients import environment, mlflow_environment

# What only the service says of an item, by the SDK's names: when and by whom it was made, where it answers, and whether it
# is still coming. A schedule comes back disabled, which the plan says.
SERVICES_OWN = {
    "creation_context", "system_data", "provisioning_state", "provisioningState", "provisioning_status", "scoring_uri", "openapi_uri", "is_enabled",
    "created_on", "modified_on", "provisioning_errors", "principal_id", "isEnabled", "createdAt", "lastModifiedAt", "createdBy", "lastModifiedBy",
}


def plain(shown, places):
    """What the SDK shows, without what is the service's own and with one word for each name of the places."""
    if isinstance(shown, dict):
        return {plain(key, places): plain(value, places) for key, value in shown.items() if key not in SERVICES_OWN}
    if isinstance(shown, (list, tuple)):
        return [plain(value, places) for value in shown]
    if isinstance(shown, (bool, int, float)) or shown is None:
        return shown
    text = str(shown)
    for word, names in places.items():
        for name in names:
            text = text.replace(name, word)
    return text


def digests(folder: pathlib.Path) -> dict[str, str]:
    """Relative path -> SHA-256 of every file below a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


def download_model(client: MLClient, name: str, version: str, folder: pathlib.Path) -> dict[str, str]:
    """Downloads a model; relative path below its own folder -> SHA-256."""
    folder.mkdir(parents=True, exist_ok=True)
    client.models.download(name=name, version=version, download_path=folder)
    return digests(folder / name)


def describe(client: MLClient, seeded: dict) -> dict:
    """Everything that was seeded, member by member, as the SDK's users see it."""
    seen = {}
    for name, version in seeded["models"]:
        seen[f"models/{name}:{version}"] = client.models.get(name, version)
    for name in seeded["environments"]:
        seen[f"environments/{name}:1"] = client.environments.get(name, "1")
    for name, version in seeded["data"]:
        seen[f"data/{name}:{version}"] = client.data.get(name, version)
    for name in seeded["datastores"]:
        seen[f"datastores/{name}"] = client.datastores.get(name)
    for name in seeded["schedules"]:
        seen[f"schedules/{name}"] = client.schedules.get(name)
    seen["components/prepare:1"] = client.components.get("prepare", "1")
    return {name: entity._to_dict() for name, entity in seen.items()}


def workspace(client: MLClient, name: str) -> dict:
    """A workspace as the SDK shows it."""
    return client.workspaces.get(name)._to_dict()


def runs(cloud, place, ids: dict[str, str]) -> dict[str, dict]:
    """Runs by the official MLflow client with the plug-in of Azure ML: key -> what it shows of the run of an id, with every
    point of every metric."""
    from mlflow import MlflowClient

    tracking = cloud.arm("GET", place.arm)["properties"]["mlFlowTrackingUri"]
    token = cloud.token(cloud.urls["management"] + "/.default")
    seen = {}
    with environment(**mlflow_environment(tracking, token)):
        client = MlflowClient(tracking_uri=tracking)
        for key, run_id in ids.items():
            run = client.get_run(run_id)
            seen[key] = {
                "name": run.info.run_name, "status": run.info.status, "start": run.info.start_time, "end": run.info.end_time,
                "experiment": client.get_experiment(run.info.experiment_id).name,
                "params": run.data.params, "tags": run.data.tags,
                "metrics": {name: sorted((point.step, point.timestamp, point.value) for point in client.get_metric_history(run_id, name))
                            for name in run.data.metrics},
            }
    return seen


def listed(client: MLClient) -> dict[str, set]:
    """The names that the SDK's lists show."""
    return {
        "models": {model.name for model in client.models.list()},
        "environments": {environment.name for environment in client.environments.list()},
        "components": {component.name for component in client.components.list()},
        "data": {data.name for data in client.data.list()},
        "datastores": {store.name for store in client.datastores.list()},
    }
