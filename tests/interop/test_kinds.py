"""Every kind of thing in a workspace, judged by official clients: the SDK makes it, mlark backs it up, the workspace is
lost, mlark restores it into another subscription, group, region and name, and the SDK sees there what it saw before."""

import json
import unittest

import kinds
import references
import seed
from azure.ai.ml import load_component
from azure.ai.ml.entities import Model
from cloud import SOURCE, TARGET, Place
from journey import Journey, lose, restored_runs
from readback import plain

BY_HAND = Place("c0000000-0000-4000-8000-00000000000c", "rg-by-hand", "ws-by-hand", "northeurope")
ALL = ("--include", "compute,deployments,secrets")

def own_rules(cloud, place):
    """The rules that people made, as the service says: the SDK shows some of their members only to those who know them."""
    rows = cloud.pages(f"{place.arm}/outboundRules")
    return {row["name"]: row["properties"] for row in rows if row["properties"].get("category") == "UserDefined"}


def look(client, cloud, place, made):
    """Everything that was made, as the SDK's users see it; what it has no client for, as the service says."""
    seen = {}

    def note(kind, name, entity):
        seen[f"{kind}/{name}"] = entity._to_dict() if hasattr(entity, "_to_dict") else entity.as_dict()

    for name in made["computes"]:
        note("computes", name, client.compute.get(name))
    for name in made["datastores"]:
        note("datastores", name, client.datastores.get(name))
    for name in made["connections"]:
        note("connections", name, client.connections.get(name, populate_secrets=True))
    for name in made["features"]["entities"]:
        note("featurestoreEntities", name, client.feature_store_entities.get(name, "1"))
    for name, version in made["features"]["sets"]:
        note("featuresets", f"{name}:{version}", client.feature_sets.get(name, version))
    for name in made["online"]["endpoints"]:
        note("onlineEndpoints", name, client.online_endpoints.get(name))
    for endpoint, name in made["online"]["deployments"]:
        note("onlineDeployments", f"{endpoint}/{name}", client.online_deployments.get(name, endpoint))
    for name in made["batch"]["endpoints"]:
        note("batchEndpoints", name, client.batch_endpoints.get(name))
    for endpoint, name in made["batch"]["deployments"]:
        note("batchDeployments", f"{endpoint}/{name}", client.batch_deployments.get(name, endpoint))
    for name in made["serverless"]["endpoints"]:
        note("serverlessEndpoints", name, client.serverless_endpoints.get(name))
    for name in made["serverless"]["subscriptions"]:
        note("marketplaceSubscriptions", name, client.marketplace_subscriptions.get(name))
    for name in made["schedules"]:
        seen[f"schedules/{name}"] = cloud.arm("GET", f"{place.arm}/schedules/{name}")["properties"]
    keys = client.online_endpoints.get_keys("scoring")
    seen["keys of scoring"] = {"primary": keys.primary_key, "secondary": keys.secondary_key}
    for name, properties in own_rules(cloud, place).items():
        seen[f"outboundRules/{name}"] = properties
    return seen


class Kinds(Journey):
    """One journey, looked at from several sides."""

    @classmethod
    def setUpClass(cls):
        client = cls.begin()
        cloud = cls.cloud
        cls.made = kinds.fill(cloud, SOURCE, client, cls.files)
        cls.jobs = {**cls.seeded["jobs"], **cls.made["jobs"]}
        cls.settle(cls.jobs)
        cls.seen = look(client, cloud, SOURCE, cls.made)
        cls.back_up(extra="secrets = true")
        mlark = cls.mlark

        cloud.create_workspace(BY_HAND)
        cls.half = cls.make_half(cloud.client(BY_HAND))
        lose(cloud, SOURCE)
        cls.target_workspace = cloud.create_workspace(TARGET)
        cls.target_client = cloud.client(TARGET)
        cls.words = [*ALL, "--mapping", kinds.mapping(cloud.folder, SOURCE, TARGET)]
        cls.applied = mlark.json("restore", "apply", "latest:prod", "--into", "recovery", *cls.words, "--yes", codes=(0, 3))
        cls.verified = mlark.json("restore", "verify", "latest:prod", "--against", "recovery", *cls.words, codes=(0, 4))
        cls.after = cloud.dump(TARGET)

    @classmethod
    def make_half(cls, client):
        """What somebody brought back by hand before mlark was called: by the SDK, from the files at hand, every kind."""
        files = cls.cloud.folder / "by-hand"
        files.mkdir()
        seed.write_sources(files, [SOURCE.subscription, SOURCE.group, SOURCE.name])
        seed.computes(client)
        made = seed.seed_assets(client, files)
        client.components.create_or_update(load_component(seed.component_yaml(files)))
        made["everything"] = kinds.fill(cls.cloud, BY_HAND, client, files)
        return made

    def test_the_backup_is_complete_without_a_gap(self):
        self.assertEqual((self.backup["outcome"], self.backup["gaps"]), ("complete", []))
        for kind in self.made:
            if "/" not in kind and kind not in ("features", "serverless", "online", "batch"):
                self.assertGreaterEqual(self.backup["items"][kind]["saved"], len(self.made[kind]), kind)

    def test_apply_ends_complete_and_verify_as_planned(self):
        self.assertEqual((self.applied["outcome"], self.applied["failed"]), ("complete", 0), self.applied["failures"])
        self.assertIn(self.verified["outcome"], ("same", "as-planned"), self.verified["differences"][:10])

    def test_the_sdk_sees_what_it_saw_before(self):
        now = look(self.target_client, self.cloud, TARGET, self.made)
        places = self.places()
        for name, before in self.seen.items():
            with self.subTest(name):
                self.assertEqual(plain(now[name], places), plain(before, places))
        self.assertGreater(len(now), 35)

    def test_what_only_a_post_gives_is_what_it_was(self):
        for name, secret in self.before["secrets"].items():
            if not name.startswith(("datastores/workspace", "workspaces/")):
                with self.subTest(name):
                    self.assertEqual(self.after["secrets"].get(name), secret)
        said = json.dumps(self.applied)
        self.assertEqual([secret for secret in kinds.SECRETS if secret in said], [])

    def test_no_reference_leads_to_the_source(self):
        found = [line for name, document in self.after["documents"].items()
                 for line in references.findings(name, document, self.source)]
        self.assertEqual(found, [])
        for collection in ("schedules", "components/steps/versions", "data/rows/versions", "onlineEndpoints/scoring/deployments",
                           "batchEndpoints/nightly/deployments", "featuresets/transactions/versions", "outboundRules", "connections"):
            self.assertTrue([name for name in self.after["documents"] if name.startswith(f"{collection}/")], collection)

    def test_specifications_of_jobs_are_whole_and_lead_to_the_target(self):
        runs = restored_runs(self.after)
        container = self.cloud.container(*self.cloud.store(TARGET, "workspaceartifactstore"))
        places = self.places()
        for sort, name in self.jobs.items():
            with self.subTest(sort):
                text = container.download_blob(f"ExperimentRun/dcid.{runs[name]['run_id']}/mlark/job.json").readall()
                now = json.loads(text)
                self.assertEqual(list(references.findings(name, now, self.source)), [])
                before = self.before["documents"][f"jobs/{name}"]["properties"]
                kept = {key: value for key, value in before.items() if key in ("jobType", "taskDetails", "fineTuningDetails", "inputs", "jobs", "trial")}
                for key, value in plain(kept, places).items():
                    self.assertEqual(plain(now["body"]["properties"][key], places), value)

    def test_a_second_restore_finds_everything_there(self):
        plan = self.mlark.json("restore", "plan", "latest:prod", "--into", "recovery", *self.words, codes=(0, 3))
        open_ = [step for step in plan["steps"] if step["action"] in ("create", "upload", "repair")]
        self.assertEqual(open_, [])
        self.mlark.json("restore", "apply", "latest:prod", "--into", "recovery", *self.words, "--yes", codes=(0, 3))
        now = self.cloud.dump(TARGET)
        for part in ("documents", "runs", "metrics", "blobs", "files"):
            with self.subTest(part):
                self.assertEqual(set(now[part]), set(self.after[part]))

    def test_what_the_sdk_brought_back_by_hand_is_skipped(self):
        before = self.cloud.dump(BY_HAND)
        words = [*ALL, "--mapping", kinds.mapping(self.cloud.folder, SOURCE, BY_HAND)]
        plan = self.mlark.json("restore", "plan", "latest:prod", "--into", BY_HAND.url, *words, codes=(0, 3))
        steps = {step["item"]: step for step in plan["steps"]}
        by_hand = [f"{kind}/{name}:{version}" for kind in ("models", "data") for name, version in self.half[kind]]
        by_hand += [f"environments/{name}:1" for name in self.half["environments"]]
        by_hand += [f"datastores/{name}" for name in (*self.half["datastores"], *self.made["datastores"])]
        more = self.half["everything"]
        by_hand += [f"connections/{name}" for name in more["connections"]] + ["computes/cpu-cluster", "computes/gpu-cluster"]
        by_hand += [f"computes/{name}" for name in more["computes"]] + ["components/prepare:1", "components/steps:1"]
        by_hand += [f"featurestoreEntities/{name}:1" for name in more["features"]["entities"]]
        by_hand += [f"featuresets/{name}:{version}" for name, version in more["features"]["sets"]]
        by_hand += [f"outboundRules/{name}" for name in more["outboundRules"]]
        by_hand += [f"serverlessEndpoints/{name}" for name in more["serverless"]["endpoints"]]
        by_hand += [f"marketplaceSubscriptions/{name}" for name in more["serverless"]["subscriptions"]]
        for kind in ("online", "batch"):
            by_hand += [f"{kind}Endpoints/{name}" for name in more[kind]["endpoints"]]
            by_hand += [f"{kind}Endpoints/{endpoint}/deployments/{name}" for endpoint, name in more[kind]["deployments"]]
        by_hand += [f"schedules/{name}" for name in more["schedules"]]
        for item in by_hand:
            with self.subTest(item):
                self.assertEqual(steps[item]["action"], "skip", steps[item]["reason"])
        self.assertEqual(steps[f"computes/{kinds.INSTANCE}"]["action"], "map", steps[f"computes/{kinds.INSTANCE}"]["reason"])
        client = self.cloud.client(BY_HAND)
        seen = look(client, self.cloud, BY_HAND, more)
        instance = client.compute.get(kinds.INSTANCE)._to_dict()
        applied = self.mlark.json("restore", "apply", "latest:prod", "--into", BY_HAND.url, *words, "--yes", codes=(0, 3))
        self.assertEqual((applied["outcome"], applied["failed"]), ("complete", 0), applied["failures"])
        now = self.cloud.dump(BY_HAND)
        new = {name for name in now["documents"] if "/versions/" in name} - set(before["documents"])
        self.assertEqual(new - set(self.after["documents"]), set(), "a version that the source has not")
        # Code has whatever name the SDK gave it; what is the same is there once.
        codes = [document["properties"]["properties"]["hash_sha256"] for name, document in now["documents"].items()
                 if name.startswith("codes/") and "/versions/" in name]
        self.assertEqual(sorted(codes), sorted(set(codes)))
        for name, document in before["documents"].items():
            with self.subTest(name):
                self.assertEqual(now["documents"][name], document)
        self.assertEqual(look(client, self.cloud, BY_HAND, more), seen)
        self.assertEqual(client.compute.get(kinds.INSTANCE)._to_dict(), instance)
        # A run that somebody made by hand stays, beside the one run that is made of each job of the snapshot.
        self.assertEqual(set(before["runs"]) - set(now["runs"]), set())
        restored = restored_runs(now)
        self.assertEqual(set(self.jobs.values()) - set(restored) - set(before["runs"]), set())

    def test_the_sdk_uploads_nothing_again(self):
        def writes():
            rows = self.cloud.control("GET", "/requests")["clients"]
            of_sdk = [row for row in rows if row["client"].startswith("azsdk-python-storage")]
            count = {verb: sum(row["count"] for row in of_sdk if row["method"] == verb) for verb in ("PUT", "HEAD")}
            return count["PUT"], count["HEAD"]

        before = writes()
        client = self.target_client
        again = Model(name="churn", path=self.files / "model", type="mlflow_model", version="1", description="predicts who leaves", tags={"team": "growth"})
        client.models.create_or_update(again)
        seed_job = client.jobs.create_or_update(kinds.same_code(self.files))
        now = writes()
        self.assertEqual(now[0] - before[0], 0, "a blob was written")
        self.assertGreater(now[1], before[1])
        self.assertTrue(seed_job.name)


if __name__ == "__main__":
    unittest.main()
