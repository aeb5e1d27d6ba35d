"""A registry, judged by the official SDK: `MLClient(registry_name=…)` fills it, mlark backs it up, it is lost, mlark restores
it into a registry of another name, group, subscription and region, and the SDK reads back there what it had made."""

import hashlib
import pathlib
import unittest
import warnings

from azure.ai.ml import load_component, load_registry
from azure.ai.ml._utils._registry_utils import get_storage_details_for_registry_assets
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import BuildContext, Data, Environment, Model
from azure.storage.blob import ContainerClient
from cloud import SOURCE, Cloud, Mlark, Registry
from readback import plain

SHELF = Registry("a0000000-0000-4000-8000-00000000000a", "rg-shared", "reg-shared-east", "eastus")
RESCUE = Registry("b0000000-0000-4000-8000-00000000000b", "rg-rescue", "reg-rescued", "westeurope")
KINDS = ("models", "environments", "data", "components")
# Where each kind's document names its bytes.
PLACES = {"models": "path", "data": "path"}
STEP = """$schema: https://azuremlschemas.azureedge.net/latest/commandComponent.schema.json
name: wash
version: '1'
type: command
display_name: wash
inputs:
  rows: {type: uri_file}
outputs:
  prepared: {type: uri_file}
code: ./step
environment: azureml://registries/reg-shared-east/environments/base/versions/2
command: python prepare.py ${{inputs.rows}} ${{outputs.prepared}}
"""


def write(folder: pathlib.Path, files: dict[str, bytes]) -> pathlib.Path:
    """A folder with files."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def fill(client, folder: pathlib.Path):
    """What a team shares: models of a folder and of a file, environments with and without a context, data, a component."""
    for version in ("1", "2"):
        model = write(folder / f"model-{version}", {"weights.bin": version.encode() * 300_000, "data/labels.txt": b"a\nb\n", "empty": b""})
        client.models.create_or_update(Model(name="churn", version=version, path=model, type=AssetTypes.CUSTOM_MODEL, description="who leaves", tags={"v": version}))
        conda = folder / "conda.yml"
        conda.write_text("name: base\ndependencies:\n  - python=3.12\n")
        client.environments.create_or_update(Environment(name="base", version=version, image=f"mcr.microsoft.com/azureml/base:{version}", conda_file=conda))
    write(folder, {"single.pkl": b"pickled" * 100, "words.csv": b"a,b\n1,2\n"})
    client.models.create_or_update(Model(name="single", version="7", path=folder / "single.pkl", type=AssetTypes.CUSTOM_MODEL))
    context = write(folder / "context", {"Dockerfile": b"FROM base\nCOPY tool.sh /\n", "tool.sh": b"true\n"})
    client.environments.create_or_update(Environment(name="built", version="1", build=BuildContext(path=context)))
    client.data.create_or_update(Data(name="words", version="1", path=folder / "words.csv", type=AssetTypes.URI_FILE, tags={"lang": "bg"}))
    client.data.create_or_update(Data(name="pages", version="3", path=write(folder / "pages", {"a/1.txt": b"one", "b.txt": b"two"}), type=AssetTypes.URI_FOLDER))
    write(folder / "step", {"prepare.py": b"print('prepare')\n", "lib/one.py": b"ONE = 1\n"})
    (folder / "wash.yml").write_text(STEP)
    client.components.create_or_update(load_component(folder / "wash.yml"))
    client.models.archive("single", "7")


def look(client):
    """Every version as the SDK's users see it: entity by name."""
    seen = {}
    for kind in KINDS:
        operations = getattr(client, kind)
        # Its own default would go out as `ListViewType.ACTIVE_ONLY`, which is no value of the service's.
        view = {} if kind == "components" else {"list_view_type": "All"}
        for container in operations.list(**view):
            for listed in operations.list(name=container.name, **view):
                seen[f"{kind}/{listed.name}:{listed.version}"] = operations.get(listed.name, listed.version)
    # The SDK lists no archived version of a registry, whatever it is told.
    seen["models/single:7"] = client.models.get("single", "7")
    return seen


def uri_of(kind, entity):
    """Where an entity says that its bytes are; nothing where it has none."""
    if kind == "environments":
        return entity.build.path if entity.build else None
    return getattr(entity, PLACES[kind], None) if kind in PLACES else None


def container_of(client, registry, kind, name, version, uri):
    """The official blob client of the container of one version, by the signature that the SDK gets for it."""
    signed, sort = get_storage_details_for_registry_assets(
        client._service_client_registry_arm, kind, name, version, registry.group, registry.name, uri)
    assert sort == "SAS", sort
    return ContainerClient.from_container_url(signed)


def digests(client, registry, seen):
    """SHA-256 of every file of every version, by path below the container."""
    found = {}
    for item, entity in seen.items():
        kind, rest = item.split("/", 1)
        name, version = rest.rsplit(":", 1)
        uri = uri_of(kind, entity)
        if uri:
            container = container_of(client, registry, kind, name, version, uri)
            for blob in container.list_blobs():
                found[f"{item} {blob.name}"] = hashlib.sha256(container.download_blob(blob.name).readall()).hexdigest()
    return found


class Registries(unittest.TestCase):
    """One journey, looked at from several sides."""

    @classmethod
    def setUpClass(cls):
        warnings.simplefilter("ignore")
        cls.cloud = cloud = Cloud()
        cls.addClassCleanup(cloud.close)
        cloud.create_registry(SHELF)
        cloud.create_registry(RESCUE)
        files = cloud.folder / "files"
        files.mkdir()
        client = cloud.registry_client(SHELF)
        fill(client, files)
        cls.shown = cloud.arm("GET", SHELF.arm)
        cls.before = look(client)
        cls.bytes_before = digests(client, SHELF, cls.before)
        client.models.download("churn", "2", cloud.folder / "before")
        cls.dump_before = cloud.control("GET", f"/registries/{SHELF.subscription}/{SHELF.group}/{SHELF.name}")
        cls.mlark = Mlark(cloud, SHELF, RESCUE)
        cls.mlark.init()
        cls.report = cls.mlark.json("backup", "prod")["snapshots"][0]
        cls.doctor = cls.mlark.json("doctor")
        cls.grant = cls.mlark.json("doctor", "--grant")["grant"]
        cloud.arm("DELETE", SHELF.arm)
        words = ("latest:prod", "--into", "recovery")
        cls.plan = cls.mlark.json("restore", "plan", *words, codes=(0, 3))
        cls.applied = cls.mlark.json("restore", "apply", *words, "--yes", codes=(0, 3))
        cls.verified = cls.mlark.json("restore", "verify", "latest:prod", "--against", "recovery", codes=(0,))
        cls.client = cloud.registry_client(RESCUE)
        cls.after = look(cls.client)
        cls.dump_after = cloud.control("GET", f"/registries/{RESCUE.subscription}/{RESCUE.group}/{RESCUE.name}")

    def test_the_sdk_made_what_it_was_told_and_the_backup_has_no_gap(self):
        self.assertEqual(set(self.before), {
            "models/churn:1", "models/churn:2", "models/single:7", "environments/base:1", "environments/base:2", "environments/built:1",
            "data/words:1", "data/pages:3", "components/wash:1"})
        self.assertEqual((self.report["outcome"], self.report["gaps"]), ("complete", []))
        self.assertEqual(set(self.report["items"]), {"registries", *KINDS, "codes"})
        files = {name for name in self.bytes_before if "/" in name}
        # Those of the component's code besides.
        self.assertEqual(self.report["files"]["read"], len(files) + 2)

    def test_doctor_asks_for_the_actions_of_registries_and_says_how_to_grant_them(self):
        asked = {name: row["answer"] for row in self.doctor["permissions"] if "workspace" in row for name in row["actions"]}
        own = {name: answer for name, answer in asked.items() if "/registries/" in name}
        self.assertEqual({name.rsplit("/registries/")[1] for name in own}, {"read", "assets/read"})
        self.assertEqual(len(set(own.values())), 1, own)
        self.assertFalse([name for name in asked if "/workspaces/" in name or "Microsoft.Storage" in name], asked)
        needed = {name: row["answer"] for row in self.doctor["permissions"] if row.get("target") == "recovery" for name in row["actions"]}
        self.assertIn("Microsoft.MachineLearningServices/registries/assets/write", needed)
        self.assertEqual(set(needed.values()), {"allowed"}, needed)
        for role, registry in (("mlark registry backup", SHELF), ("mlark registry restore", RESCUE)):
            lines = [line for line in self.grant if role in line]
            self.assertEqual(len(lines), 2, self.grant)
            self.assertIn(registry.arm, lines[1])

    def test_everything_came_back_as_the_plan_said(self):
        self.assertEqual((self.applied["outcome"], self.applied["failed"]), ("complete", 0), self.applied.get("failures"))
        self.assertIn(self.verified["outcome"], ("same", "as-planned"))

    def test_the_sdk_sees_the_same_entities(self):
        names = {"NAME": (SHELF.name, RESCUE.name), "SUBSCRIPTION": (SHELF.subscription, RESCUE.subscription), "GROUP": (SHELF.group, RESCUE.group)}
        self.assertEqual(set(self.after), set(self.before))
        for item, entity in self.before.items():
            with self.subTest(item):
                kind = item.split("/")[0]
                one, other = (plain(shown._to_dict(), names) for shown in (entity, self.after[item]))
                for shown in (one, other):
                    # The service gives each version a container of its own.
                    shown.pop("path", None)
                    shown.get("build", {}).pop("path", None)
                    if kind == "components":
                        self.assertIn("azureml://registries/NAME/codes/", shown["code"])
                self.assertEqual(one, other)

    def test_the_sdk_reads_the_same_bytes(self):
        self.assertEqual(digests(self.client, RESCUE, self.after), self.bytes_before)
        self.assertGreaterEqual(len(self.bytes_before), 12)
        self.client.models.download("churn", "2", self.cloud.folder / "after")
        found = {}
        for side in ("before", "after"):
            root = self.cloud.folder / side
            found[side] = {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}
        self.assertEqual(found["before"], found["after"])
        self.assertEqual(len(found["after"]), 3)

    def test_code_and_archived_flags_came_back(self):
        documents = self.dump_after["documents"]
        codes = [name for name in documents if name.startswith("codes/") and "/versions/" in name]
        self.assertEqual(len(codes), 1)
        self.assertTrue(documents["models/single/versions/7"]["properties"]["isArchived"])
        by_digest = {blob["sha256"] for blob in self.dump_after["blobs"].values()}
        lost = {blob["sha256"] for blob in self.dump_before["blobs"].values()} - by_digest
        self.assertEqual(lost, set())

    def test_nothing_leads_to_the_registry_that_is_lost(self):
        for name, document in self.dump_after["documents"].items():
            with self.subTest(name):
                text = str(document)
                self.assertNotIn(SHELF.name, text)
                self.assertNotIn(self.dump_before["account"], text)

    def test_the_sdk_loads_the_exported_registry_as_the_service_shows_it(self):
        folder = self.cloud.folder / "exported"
        self.mlark.json("export", "folder", "latest:prod", "--to", folder, codes=(0, 3))
        [sheet] = folder.glob("registries/*/registry.yml")
        loaded = load_registry(sheet)._to_rest_object().as_dict()
        for member in ("name", "location", "tags"):
            self.assertEqual(loaded[member], self.shown[member])
        self.assertEqual(loaded["properties"]["publicNetworkAccess"], self.shown["properties"]["publicNetworkAccess"])
        said, shown = ([{
            "location": region["location"],
            "accounts": [(account["systemCreatedStorageAccount"]["storageAccountType"].lower(), account["systemCreatedStorageAccount"]["storageAccountHnsEnabled"])
                         for account in region["storageAccountDetails"]],
        } for region in of["properties"]["regionDetails"]] for of in (loaded, self.shown))
        self.assertEqual(said, shown)

    def test_a_second_restore_only_skips(self):
        plan = self.mlark.json("restore", "plan", "latest:prod", "--into", "recovery", codes=(0, 3))
        self.assertEqual({step["action"] for step in plan["steps"]} - {"skip", "map"}, set(), plan["steps"])
        of_assets = {step["action"] for step in plan["steps"] if step["kind"] != "registries"}
        self.assertEqual(of_assets, {"skip"})
        self.mlark.json("restore", "apply", "latest:prod", "--into", "recovery", "--yes", codes=(0, 3))
        now = self.cloud.control("GET", f"/registries/{RESCUE.subscription}/{RESCUE.group}/{RESCUE.name}")
        self.assertEqual(now["documents"], self.dump_after["documents"])
        self.assertEqual(set(now["blobs"]), set(self.dump_after["blobs"]))

    def test_a_registry_comes_back_in_a_workspace_that_the_sdk_reads(self):
        self.cloud.create_workspace(SOURCE)
        applied = self.mlark.json("restore", "apply", "latest:prod", "--into", SOURCE.url, "--yes", codes=(0, 3))
        self.assertEqual((applied["outcome"], applied["failed"]), ("complete", 0), applied.get("failures"))
        client = self.cloud.client(SOURCE)
        client.models.download(name="churn", version="2", download_path=self.cloud.folder / "in-workspace")
        root = self.cloud.folder / "in-workspace"
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in root.rglob("*") if path.is_file()}
        self.assertEqual(found["weights.bin"], hashlib.sha256(b"2" * 300_000).hexdigest())
        component = client.components.get("wash", "1")
        self.assertIn(SOURCE.name, str(component.environment))
        self.assertEqual(client.environments.get("base", "2").image, "mcr.microsoft.com/azureml/base:2")


if __name__ == "__main__":
    unittest.main()
