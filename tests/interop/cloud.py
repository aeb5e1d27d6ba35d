"""A simulated cloud for one test: starts the simulator, gives SDK clients, and runs mlark against it."""

import copy
import json
import os
import pathlib
import subprocess
import tempfile

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARIES = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug"
ARM_VERSION = "2024-04-01"
WORKSPACES = "providers/Microsoft.MachineLearningServices/workspaces"


class Place:
    """Names of one workspace."""

    def __init__(self, subscription, group, name, location):
        self.subscription, self.group, self.name, self.location = subscription, group, name, location
        self.url = f"azureml://subscriptions/{subscription}/resourceGroups/{group}/workspaces/{name}"
        self.arm = f"/subscriptions/{subscription}/resourceGroups/{group}/{WORKSPACES}/{name}"


class Registry(Place):
    """Names of one registry."""

    def __init__(self, subscription, group, name, location):
        super().__init__(subscription, group, name, location)
        self.url, self.arm = (text.replace("/workspaces/", "/registries/") for text in (self.url, self.arm))


SOURCE = Place("a0000000-0000-4000-8000-00000000000a", "rg-prod", "ws-prod-east", "eastus")
TARGET = Place("b0000000-0000-4000-8000-00000000000b", "rg-recovery", "ws-recovered", "westeurope")


class Cloud:
    """The simulator as a process, and everything that a test does through real clients."""

    def __init__(self, world="none", page=None):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlark-interop-"))
        self.process = subprocess.Popen(
            [BINARIES / "simulator", "serve", "--world", world, "--dir", self.folder / "cloud", *(["--page", str(page)] if page else [])],
            stdout=subprocess.PIPE, text=True)
        ready = self.process.stdout.readline()
        if "ready" not in ready:
            raise RuntimeError(f"the simulator did not start: {ready!r}")
        self.about = json.loads((self.folder / "cloud/simulator.json").read_text())
        self.urls = self.about["urls"]
        os.environ.update({key: str(value) for key, value in self.about["environment"].items()})
        # Where the SDK asks where a registry is; other clouds than Microsoft's name it so.
        os.environ["REGISTRY_DISCOVERY_ENDPOINT_URL"] = f"https://eastus.api.{self.about['suffix']}:{self.about['port']}/"
        self.tokens = {}

    def close(self):
        """Stops the simulator."""
        self.process.terminate()
        self.process.wait(30)

    # --- plain requests, for what no client of Azure does or for a judge without a client

    def token(self, scope):
        """A token by client secret, kept until the clock is moved."""
        if scope not in self.tokens:
            answer = requests.post(
                f"{self.urls['login']}/{self.about['tenant_id']}/oauth2/v2.0/token",
                data={"grant_type": "client_credentials", "client_id": self.about["client_id"],
                      "client_secret": self.about["client_secret"], "scope": scope})
            answer.raise_for_status()
            self.tokens[scope] = answer.json()["access_token"]
        return self.tokens[scope]

    def use_token(self, token):
        """Asks resource manager something with a token that a client got; its answer says whether it is good."""
        answer = requests.get(f"{self.urls['management']}/subscriptions", params={"api-version": "2022-12-01"}, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 200, f"the token is not taken: {answer.status_code} {answer.text[:300]}"

    def arm(self, method, path, body=None, version=ARM_VERSION, headers=None, **query):
        """One ARM request; the JSON of its answer."""
        answer = requests.request(
            method, path if path.startswith("https://") else self.urls["management"] + path, json=body,
            params={} if path.startswith("https://") else {"api-version": version, **query},
            headers={"Authorization": f"Bearer {self.token(self.urls['management'] + '/.default')}", **(headers or {})})
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def pages(self, path, **query):
        """Every row of a list, page by page."""
        answer = self.arm("GET", path, **query)
        while True:
            yield from answer["value"]
            if not answer.get("nextLink"):
                return
            answer = self.arm("GET", answer["nextLink"])

    def control(self, method, path, body=None):
        """One request to the simulator's control API."""
        answer = requests.request(method, self.urls["control"] + path, json=body)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json() if answer.content else None

    def dump(self, place):
        """Everything that a workspace holds, for a judge without a client."""
        return self.control("GET", f"/workspaces/{place.subscription}/{place.group}/{place.name}")

    def advance(self, seconds):
        """Moves the cloud's clock; tokens are asked for anew."""
        self.control("POST", "/clock", {"advance_seconds": seconds})
        self.tokens.clear()

    def create_workspace(self, place):
        """A workspace with its storage account, through ARM; what ARM says of it."""
        self.arm("PUT", f"/subscriptions/{place.subscription}/resourcegroups/{place.group}", {"location": place.location}, version="2021-04-01")
        self.arm("PUT", place.arm, {"location": place.location, "properties": {"friendlyName": place.name}})
        self.advance(120)
        return self.wait_for(place.arm)

    def create_registry(self, registry):
        """A registry, through ARM; what ARM says of it."""
        self.arm("PUT", f"/subscriptions/{registry.subscription}/resourcegroups/{registry.group}", {"location": registry.location}, version="2021-04-01")
        details = [{"location": registry.location, "storageAccountDetails": [], "acrDetails": []}]
        return self.arm("PUT", registry.arm, {"location": registry.location, "properties": {"regionDetails": details}, "tags": {"team": "platform"}})

    def wait_for(self, path):
        """The resource, when it has been provisioned."""
        for _ in range(200):
            try:
                resource = self.arm("GET", path)
            except RuntimeError as missing:
                if " 404 " not in str(missing):
                    raise
                continue
            if resource["properties"].get("provisioningState") == "Succeeded":
                return resource
        raise RuntimeError(f"{path} is not provisioned")

    # --- official clients

    def credential(self):
        """The official credential, against this cloud's authority."""
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(self.about["tenant_id"], self.about["client_id"], self.about["client_secret"],
                                      authority=self.urls["login"], disable_instance_discovery=True)

    def client(self, place):
        """The official azure-ai-ml client of a workspace."""
        from azure.ai.ml import MLClient

        return MLClient(self.credential(), place.subscription, place.group, place.name, cloud=os.environ["AZUREML_CURRENT_CLOUD"])

    def registry_client(self, registry):
        """The official azure-ai-ml client of a registry."""
        from azure.ai.ml import MLClient

        return MLClient(self.credential(), registry_name=registry.name, cloud=os.environ["AZUREML_CURRENT_CLOUD"])

    def container(self, account, name):
        """The official blob client of a container."""
        from azure.storage.blob import ContainerClient

        return ContainerClient(f"https://{account}.blob.{self.urls['storage_suffix']}", name, credential=self.credential())

    def share(self, account, name, snapshot=None):
        """The official file-share client of a share, with the intent that a token needs."""
        from azure.storage.fileshare import ShareClient

        return ShareClient(f"https://{account}.file.{self.urls['storage_suffix']}", name, snapshot=snapshot, credential=self.credential(), token_intent="backup")

    def shares(self, account):
        """The official client of an account's file service."""
        from azure.storage.fileshare import ShareServiceClient

        return ShareServiceClient(f"https://{account}.file.{self.urls['storage_suffix']}", credential=self.credential(), token_intent="backup")

    def store(self, place, datastore):
        """Account and container or share of a datastore, as ARM says."""
        properties = self.arm("GET", f"{place.arm}/datastores/{datastore}")["properties"]
        return properties["accountName"], properties.get("containerName") or properties["fileShareName"]


class Mlark:
    """The program with its configuration, in a folder of its own."""

    def __init__(self, cloud, workspace, target, extra=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="mlark-program-", dir=cloud.folder))
        self.config = self.folder / "mlark.toml"
        self.cache = self.folder / "cache"
        (self.folder / "secret").write_text(cloud.about["client_secret"])
        self.owner = self.folder / "owner.key"
        self.config.write_text(f"""
[repository]
url = "{self.folder}/repository"
cache = "{self.cache}"
key_file = "{self.folder}/agent.key"
identity_file = "{self.owner}"

[azure]
cloud = "{cloud.urls['management']}"
ca_file = "{cloud.about['ca_file']}"
credential = "client-secret"
tenant_id = "{cloud.about['tenant_id']}"
client_id = "{cloud.about['client_id']}"
client_secret_file = "{self.folder}/secret"

[[workspace]]
name = "prod"
url = "{workspace.url}"
{extra}

[[target]]
name = "recovery"
url = "{target.url}"
""")
        (self.folder / "secret").chmod(0o600)

    def with_its_own_cache(self, name):
        """The same with another cache, so that several run side by side and each has a journal of its own."""
        other = copy.copy(self)
        other.cache = self.folder / name
        other.config = self.folder / f"{name}.toml"
        other.config.write_text(self.config.read_text().replace(f'cache = "{self.cache}"', f'cache = "{other.cache}"'))
        return other

    def words(self, *words):
        """The command line."""
        return [BINARIES / "mlark", "--config", self.config, *words]

    @staticmethod
    def environment():
        """This process's environment without what would configure the program besides its file."""
        return {key: value for key, value in os.environ.items() if not key.startswith(("AZURE", "ARM_", "MLARK"))}

    def start(self, *words):
        """The program as a process under way."""
        return subprocess.Popen(self.words(*words), env=self.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def run(self, *words, codes=(0,)):
        """Standard output of a run that ended with one of the codes."""
        process = self.start(*words)
        out, err = process.communicate(timeout=600)
        if process.returncode not in codes:
            raise AssertionError(f"mlark {' '.join(map(str, words))} ended with {process.returncode}\n{err[-3000:]}\n{out[-3000:]}")
        return out

    def json(self, *words, codes=(0,)):
        """The JSON document that a command prints."""
        return json.loads(self.run("--json", *words, codes=codes))

    def init(self):
        """Makes owner's key and repository."""
        made = self.run("key", "generate")
        self.owner.write_text(made)
        self.owner.chmod(0o600)
        public = next(word for word in made.split() if word.startswith("age1"))
        self.run("init", "--recipient", public)
