"""An exported folder, judged by the official SDK: it loads every YAML, sees in it what it sees in the service's own
documents, and makes the items anew from it in another workspace."""

import datetime
import enum
import filecmp
import hashlib
import json
import pathlib
import unittest
import urllib.parse

import forms
import kinds
import readback
import sameness
import seed
import yaml
from azure.ai.ml import (
    MLClient,
    load_batch_endpoint,
    load_component,
    load_compute,
    load_connection,
    load_data,
    load_datastore,
    load_environment,
    load_feature_set,
    load_feature_store_entity,
    load_job,
    load_marketplace_subscription,
    load_model,
    load_online_deployment,
    load_online_endpoint,
    load_serverless_endpoint,
    load_workspace,
)
from azure.ai.ml._restclient.arm_ml_service import models as rest
from azure.ai.ml.entities import (
    BatchEndpoint,
    Component,
    Compute,
    Data,
    Datastore,
    Environment,
    FeatureSet,
    FeatureStoreEntity,
    Job,
    Model,
    Schedule,
    WorkspaceConnection,
)
from azure.ai.ml.entities._load_functions import (
    load_code,
    load_model_batch_deployment,
    load_pipeline_component_batch_deployment,
    load_schedule,
)
from cloud import SOURCE, TARGET, Place
from journey import NOTEBOOKS, Journey, finish_jobs

ELSEWHERE = Place("c0000000-0000-4000-8000-00000000000c", "rg-elsewhere", "ws-elsewhere", "northeurope")
DIRECT = Place("d0000000-0000-4000-8000-00000000000d", "rg-direct", "ws-direct", "westeurope")

# Strings that a reader of YAML could take for something else.
TAGS = {
    "number": "1.0", "octal": "0o7", "truth": "yes", "nothing": "null", "tilde": "~", "date": "2026-01-01", "time": "1:30",
    "colon": "a: b", "comment": "a # b", "list": "- a", "blank": " a ", "empty": "", "quote": "it's \"so\"", "lines": "one\n two\n\nthree\n",
    "windows": "a\r\nb", "tab": "\ta", "odd": "\u2028 \u0085 \ufeff \u00e4 \U0001f347", "anchor": "&a *b !c", "equals": "=", "long": "x" * 5000,
    "yes": "a key that is a word", "1": "a key that is a number", "a: b": "a key with a colon",
}

KINDS = {
    "models": ("model.yml", load_model, Model, rest.ModelVersion),
    "environments": ("environment.yml", load_environment, Environment, rest.EnvironmentVersion),
    "data": ("data.yml", load_data, Data, rest.DataVersionBase),
    "components": ("component.yml", load_component, Component, rest.ComponentVersion),
    "datastores": ("datastore.yml", load_datastore, Datastore, rest.Datastore),
    "jobs": ("job.yml", load_job, Job, rest.JobBase),
    "schedules": ("schedule.yml", load_schedule, Schedule, rest.Schedule),
    "computes": ("compute.yml", load_compute, Compute, rest.ComputeResource),
    "connections": ("connection.yml", load_connection, WorkspaceConnection, rest.WorkspaceConnectionPropertiesV2BasicResource),
    "featuresets": ("featureset.yml", load_feature_set, FeatureSet, rest.FeaturesetVersion),
    "featurestoreEntities": ("entity.yml", load_feature_store_entity, FeatureStoreEntity, rest.FeaturestoreEntityVersion),
    "batchEndpoints": ("endpoint.yml", load_batch_endpoint, BatchEndpoint, rest.BatchEndpoint),
}


def load_batch(path):
    """A batch deployment, by the function of its type, as `az ml` chooses it."""
    of_pipeline = yaml.safe_load(pathlib.Path(path).read_text()).get("type") == "pipeline"
    return (load_pipeline_component_batch_deployment if of_pipeline else load_model_batch_deployment)(path)


# Kinds of which the YAML is loaded alone: of these the SDK sees less in the service's document, or other members.
LOADED = {
    "onlineEndpoints": ("endpoint.yml", load_online_endpoint),
    "onlineDeployments": ("deployment.yml", load_online_deployment),
    "batchDeployments": ("deployment.yml", load_batch),
    "serverlessEndpoints": ("endpoint.yml", load_serverless_endpoint),
    "marketplaceSubscriptions": ("subscription.yml", load_marketplace_subscription),
    "workspaces": ("workspace.yml", load_workspace),
    "codes": ("code.yml", load_code),
}

# What the SDK sees in a service's document and no YAML says: who made it and when, what a run did, ids.
SERVICES_OWN = {
    "$schema", "id", "creation_context", "provisioning_state", "status", "services", "created_on", "is_enabled", "latest_version", "job_name",
    "credentials", "arm_type", "resourceGroup", "parameters", "is_anonymous", "schema", "_source", "properties", "ssh_public_access_enabled",
    "public_key_data", "provisioning_errors", "log_files", "location", "subscription_id", "resource_group", "scoring_uri", "openapi_uri",
    # The SDK takes a client's id for an object's as well.
    "object_id",
}


def spark(place):
    """A Spark job as ARM takes it."""
    return {"properties": {
        "jobType": "Spark", "displayName": "grape crush", "codeId": None, "entry": {"sparkJobEntryType": "SparkJobPythonEntry", "file": "crush.py"},
        "args": "--year ${{inputs.year}}", "conf": {"spark.driver.cores": "1", "spark.driver.memory": "2g", "spark.executor.cores": "2",
                                                    "spark.executor.memory": "2g", "spark.executor.instances": "2"},
        "resources": {"instanceType": "standard_e4s_v3", "runtimeVersion": "3.4"}, "identity": {"identityType": "UserIdentity"},
        "inputs": {"year": {"jobInputType": "literal", "value": "2026"}, "rows": {
            "jobInputType": "uri_file", "uri": f"{place.arm}/data/rows/versions/1", "mode": "Direct"}}}}


def automl(place):
    """An AutoML job as ARM takes it."""
    table = {"jobInputType": "mltable", "uri": f"{place.arm}/data/table/versions/1"}
    return {"properties": {
        "jobType": "AutoML", "displayName": "which vat", "computeId": f"{place.arm}/computes/cpu-cluster", "taskDetails": {
            "taskType": "Classification", "logVerbosity": "Info", "primaryMetric": "AUCWeighted", "targetColumnName": "b", "trainingData": table,
            "nCrossValidations": {"mode": "Custom", "value": 3}, "limitSettings": {"timeout": "PT1H", "trialTimeout": "PT10M", "maxTrials": 5,
                                                                                  "maxConcurrentTrials": 2, "enableEarlyTermination": True},
            "trainingSettings": {"enableStackEnsemble": False, "allowedTrainingAlgorithms": ["LogisticRegression", "LightGBM"]},
            "featurizationSettings": {"mode": "Auto"}}}}


def digest(path):
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def plain(value):
    """A dictionary of the SDK without what only the service says, in values that compare."""
    if isinstance(value, dict):
        kept = {str(key): plain(item) for key, item in value.items() if key not in SERVICES_OWN}
        return {key: item for key, item in kept.items() if item not in (None, {}, [])}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (bool, int, float)):
        return str(value).lower()
    return value


class Folder(Journey):
    """One export, looked at from several sides."""

    @classmethod
    def setUpClass(cls):
        client = cls.begin()
        cloud, cls.sources = cls.cloud, cls.files
        cloud.arm("PUT", f"{SOURCE.arm}/jobs/crushed", spark(SOURCE))
        cloud.arm("PUT", f"{SOURCE.arm}/jobs/chosen", automl(SOURCE))
        cls.made = kinds.fill(cloud, SOURCE, client, cls.sources)
        forms.fill(cloud, SOURCE)
        cls.jobs = {**cls.seeded["jobs"], "crushed": "crushed", "which": "chosen", **cls.made["jobs"]}
        client.data.create_or_update(
            Data(name="tagged", version="1", path="azureml://datastores/workspaceblobstore/paths/x/", type="uri_folder", tags=TAGS))
        finish_jobs(cloud, SOURCE, cls.jobs)
        cls.back_up()
        cls.folder = cloud.folder / "exported"
        cls.said = cls.mlark.json("export", "folder", "latest:prod", "--to", cls.folder, "--into", "recovery", codes=(0, 3))

    def original(self, sheet):
        """The document that a YAML was made of."""
        below = sheet.parent.relative_to(self.folder)
        return json.loads((self.folder / ".mlark/documents" / f"{below}.arm.json").read_text())

    def sheets(self, kind):
        """Every YAML of a kind."""
        return sorted(self.folder.glob(f"{kind}/**/{(KINDS.get(kind) or LOADED[kind])[0]}"))

    def test_every_item_of_these_kinds_has_its_yaml(self):
        self.assertEqual((self.said["failures"], self.said["lost"], self.said["stopped"]), ([], [], False))
        for kind in (*KINDS, *LOADED):
            with self.subTest(kind):
                self.assertTrue(self.sheets(kind))
        named = {sheet.parent.name for sheet in self.sheets("jobs")}
        self.assertEqual(set(self.jobs.values()) - named, set())

    def test_what_has_no_yaml_stands_in_the_losses_with_its_reason(self):
        rows = {row["item"]: row["reason"] for row in self.said["losses"] if row["what"] == "YAML"}
        self.assertEqual([item for item, reason in rows.items() if not reason], [])
        self.assertEqual(forms.WITHOUT_YAML - set(rows), set())
        files = {**KINDS, **LOADED}
        for document in (self.folder / ".mlark/documents").rglob("*.arm.json"):
            below = document.relative_to(self.folder / ".mlark/documents")
            item = below.with_name(below.name.removesuffix(".arm.json"))
            kind = item.parts[0]
            folder = self.folder / item
            is_step = document.with_name(f"{folder.name}.runhistory.json").is_file() and not (folder / "job.yml").is_file()
            with self.subTest(str(item)):
                if kind in files and (folder / files[kind][0]).is_file():
                    continue
                # A container says something by its description and tags alone; its versions have YAML.
                said = json.loads(document.read_text()).get("properties") or {}
                if (folder.is_dir() and any(folder.rglob("*.yml"))) or not folder.is_dir():
                    if kind in files and not any(said.get(word) for word in ("description", "tags", "properties", "isArchived")):
                        continue
                names = {str(item), urllib.parse.unquote(str(item)), f"{kind}/{urllib.parse.unquote('/'.join(item.parts[1:]))}"}
                self.assertTrue(is_step or names & set(rows), names)

    def test_the_sdk_loads_every_yaml(self):
        loaded = 0
        for kind, (_, load, *_) in {**KINDS, **LOADED}.items():
            for sheet in self.sheets(kind):
                with self.subTest(str(sheet.relative_to(self.folder))):
                    entity = load(str(sheet))
                    if not sheet.parent.parent.name.startswith(("azureml_anonymous", "CliV2Anonymous")):
                        self.assertEqual(entity.name, yaml.safe_load(sheet.read_text())["name"])
                    loaded += 1
        self.assertGreaterEqual(loaded, 60)

    def test_the_sdk_sees_in_a_yaml_what_it_sees_in_the_services_document(self):
        # Components of pipelines and definitions of schedules name files, which the service's documents name by ids.
        alike = ("models", "environments", "data", "datastores", "jobs", "connections", "featuresets", "featurestoreEntities", "batchEndpoints")
        for kind in alike:
            _, load, entity, model = KINDS[kind]
            for sheet in self.sheets(kind):
                document = self.original(sheet)
                if document["properties"].get("jobType") == "Pipeline":
                    continue
                with self.subTest(str(sheet.relative_to(self.folder))):
                    ours = plain(load(str(sheet))._to_dict())
                    theirs = plain(entity._from_rest_object(model(document))._to_dict())
                    self.assertEqual(self.comparable(ours, kind), self.comparable(theirs, kind))

    @staticmethod
    def comparable(seen, kind):
        """Without places: of files that lie beside, of ids that became names. Each is looked at by another test."""
        places = {"path", "code", "environment", "conda_file", "build", "compute", "default", "account_name", "py_files"}

        def without(value):
            if isinstance(value, dict):
                kept = {key: without(item) for key, item in value.items() if key not in places}
                # The SDK knows a sampling algorithm without settings as a word too.
                return kept["type"] if kept.keys() == {"type"} else {key: item for key, item in kept.items() if item != {}}
            if isinstance(value, list):
                return [without(item) for item in value]
            return value

        seen = without(seen)
        if kind in ("models", "data", "environments"):
            seen.pop("name", None)
            seen.pop("version", None)
        return seen

    def test_strings_are_what_they_were(self):
        tagged = yaml.safe_load((self.folder / "data/tagged/1/data.yml").read_text(encoding="utf-8"))
        self.assertEqual(tagged["tags"], TAGS)

    def test_files_lie_beside_byte_by_byte(self):
        for name, there in (("churn/1", "model"), ("churn/2", "single.onnx")):
            files = self.folder / "models" / name / "files"
            source = self.sources / there
            expected = {path.relative_to(source): digest(path) for path in source.rglob("*") if path.is_file()} if source.is_dir() else {
                pathlib.Path(there): digest(source)}
            self.assertEqual({path.relative_to(files): digest(path) for path in files.rglob("*") if path.is_file()}, expected)
        for path, content in NOTEBOOKS.items():
            self.assertEqual((self.folder / "notebooks" / path).read_bytes(), content)
        self.assertTrue((self.folder / "notebooks/Users/ana/nothing").is_dir())
        conda = self.original(self.folder / "environments/sklearn/1/environment.yml")["properties"]["condaFile"]
        beside = self.folder / "environments/sklearn/1/conda.yaml"
        self.assertEqual(yaml.safe_load(beside.read_text()), yaml.safe_load(conda))
        self.assertEqual(load_environment(str(beside.parent / "environment.yml")).conda_file, yaml.safe_load(conda))
        job = yaml.safe_load((self.folder / "jobs" / self.jobs["command"] / "job.yml").read_text())
        code = self.folder / "jobs" / self.jobs["command"] / job["code"]
        self.assertTrue(filecmp.cmp(code / "train.py", self.sources / "src/train.py", shallow=False))
        metric = self.folder / "jobs" / self.jobs["command"] / "files/metrics/accuracy.jsonl"
        self.assertEqual(len(metric.read_text().splitlines()), 25)

    def test_what_yaml_cannot_say_is_listed_and_no_credential_is_written(self):
        said = {(row["item"], row["what"]) for row in self.said["losses"]}
        self.assertIn(("datastores/lake", "/properties/credentials"), said)
        for path in self.folder.rglob("*"):
            if path.is_file():
                held = path.read_bytes()
                self.assertEqual([secret for secret in (seed.ACCOUNT_KEY, *kinds.SECRETS, *forms.SECRETS) if secret.encode() in held], [], path)

    def test_config_json_leads_the_sdk_to_the_target(self):
        client = MLClient.from_config(self.cloud.credential(), path=str(self.folder / "config.json"))
        self.assertEqual((client.subscription_id, client.resource_group_name, client.workspace_name),
                         (TARGET.subscription, TARGET.group, TARGET.name))

    def test_two_exports_are_the_same_and_a_folder_in_use_is_refused(self):
        again = self.cloud.folder / "again"
        self.mlark.json("export", "folder", "latest:prod", "--to", again, "--into", "recovery", codes=(0, 3))
        both = [{str(path.relative_to(root)): digest(path) for path in root.rglob("*") if path.is_file()} for root in (self.folder, again)]
        self.assertEqual(both[0], both[1])
        self.mlark.run("export", "folder", "latest:prod", "--to", again, codes=(2,))

    def test_selected_items_only(self):
        some = self.cloud.folder / "some"
        said = self.mlark.json("export", "folder", "latest:prod", "models/churn:1", "--to", some, codes=(0, 3))
        self.assertEqual((said["items"], said["yaml"]), (1, 1))
        self.assertEqual([path.name for path in some.rglob("*.yml")], ["model.yml"])

    def test_the_sdk_makes_the_items_anew_from_the_folder(self):
        self.cloud.create_workspace(TARGET)
        client = self.cloud.client(TARGET)
        seed.computes(client)
        for name in ("environments/sklearn/1", "environments/built/1"):
            client.environments.create_or_update(load_environment(str(self.folder / name / "environment.yml")))
        for name in ("rows/1", "folder/1", "table/1"):
            client.data.create_or_update(load_data(str(self.folder / "data" / name / "data.yml")))
        for name in ("churn/1", "churn/2"):
            client.models.create_or_update(load_model(str(self.folder / "models" / name / "model.yml")))
        client.components.create_or_update(load_component(str(self.folder / "components/prepare/1/component.yml")))
        for sort in ("command", "sweep", "pipeline"):
            with self.subTest(sort):
                job = load_job(str(self.folder / "jobs" / self.jobs[sort] / "job.yml"))
                self.assertEqual(client.jobs.create_or_update(job).name, self.jobs[sort])
        down = self.cloud.folder / "down"
        down.mkdir()
        client.models.download(name="churn", version="1", download_path=down)
        before = {path.name: digest(path) for path in (self.sources / "model").rglob("*") if path.is_file()}
        self.assertEqual({path.name: digest(path) for path in down.rglob("*") if path.is_file()}, before)

    def restore(self, source, place, codes=(0, 3)):
        """Restores everything that can be restored without secrets, and verifies it; what the workspace holds then."""
        self.cloud.create_workspace(place)
        seed.computes(self.cloud.client(place))
        words = ("--include", "compute,deployments", "--mapping", kinds.mapping(self.cloud.folder, SOURCE, place))
        applied = self.mlark.json("restore", "apply", source, "--into", place.url, *words, "--yes", codes=codes)
        verified = self.mlark.json("restore", "verify", source, "--against", place.url, *words, codes=(0, 4))
        self.assertEqual((applied["outcome"], applied["failed"]), ("complete", 0), applied["failures"])
        self.assertIn(verified["outcome"], ("same", "as-planned"), verified["differences"][:10])
        return sameness.Normal(self.cloud, place)

    def test_a_folder_restores_without_the_repository_as_the_snapshot_does(self):
        direct = self.restore("latest:prod", DIRECT)
        repository = self.mlark.folder / "repository"
        repository.rename(self.mlark.folder / "away")
        try:
            of_folder = self.restore(self.folder, ELSEWHERE)
            self.mlark.run("restore", "plan", self.folder, "--into", ELSEWHERE.url, "--save", self.mlark.folder / "x.plan", codes=(2,))
        finally:
            (self.mlark.folder / "away").rename(repository)
        expected, found = direct.whole(), of_folder.whole()
        self.assertEqual((sorted((expected - found).elements()), sorted((found - expected).elements())), ([], []))
        kinds_there = {name.split("/")[0] for name in direct.dump["documents"]}
        self.assertEqual({
            "computes", "connections", "datastores", "environments", "models", "data", "codes", "components", "featurestoreEntities", "featuresets",
            "onlineEndpoints", "batchEndpoints", "serverlessEndpoints", "marketplaceSubscriptions", "outboundRules", "schedules"} - kinds_there, set())
        client = self.cloud.client(ELSEWHERE)
        for name, version in self.seeded["models"]:
            there = readback.download_model(client, name, version, self.cloud.folder / "elsewhere" / version)
            files = self.folder / "models" / name / version / "files"
            ours = {path.name: digest(path) for path in files.rglob("*") if path.is_file()}
            self.assertEqual({pathlib.Path(path).name: sum_ for path, sum_ in there.items()}, ours)


if __name__ == "__main__":
    unittest.main()
