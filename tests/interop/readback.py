"""Reads a workspace back with the official SDK, and says what is not as it was."""

import hashlib
import pathlib

from azure.ai.ml import MLClient


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
    """What a user of the SDK sees of everything that was seeded, without what belongs to the workspace alone."""
    seen = {}
    for name, version in seeded["models"]:
        model = client.models.get(name, version)
        seen[f"models/{name}:{version}"] = (model.type, model.description, dict(model.tags or {}), model.path.rsplit("/", 1)[-1])
    for name in seeded["environments"]:
        environment = client.environments.get(name, "1")
        conda = environment.conda_file
        seen[f"environments/{name}:1"] = (environment.image, conda and dict(conda), environment.build and environment.build.dockerfile_path)
    for name, version in seeded["data"]:
        data = client.data.get(name, version)
        seen[f"data/{name}:{version}"] = (data.type, data.path.split("/paths/")[-1])
    for name in seeded["datastores"]:
        store = client.datastores.get(name)
        seen[f"datastores/{name}"] = (store.type, store.account_name, store.description)
    for name in seeded["schedules"]:
        schedule = client.schedules.get(name)
        trigger = schedule.trigger
        seen[f"schedules/{name}"] = (type(trigger).__name__, getattr(trigger, "expression", None), getattr(trigger, "frequency", None))
    component = client.components.get("prepare", "1")
    seen["components/prepare:1"] = (component.display_name, component.command, sorted(component.inputs), sorted(component.outputs))
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
