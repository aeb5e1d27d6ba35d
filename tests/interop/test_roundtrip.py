"""The whole job, judged by official clients: the SDK fills a workspace, mlark backs it up, the workspace is lost, mlark
restores it into another subscription, region and name, and the SDK reads everything back there."""

import json
import unittest

import readback
import references
import seed
from cloud import SOURCE, TARGET, Place
from journey import NOTEBOOKS, Journey, lose, restored_runs

# A workspace that is not there before a restore makes it.
NEW = Place("d0000000-0000-4000-8000-00000000000d", "rg-new", "ws-new", "northeurope")
# What a workspace names beside itself, and what the new one has in its place.
BESIDE = {"storageAccount": "Microsoft.Storage/storageAccounts/stnew", "keyVault": "Microsoft.KeyVault/vaults/kv-new",
          "applicationInsights": "Microsoft.Insights/components/appi-new"}
SETTINGS = {
    "location": SOURCE.location, "tags": {"team": "growth"}, "identity": {"type": "SystemAssigned"},
    "properties": {"description": "where the real ones are trained", "publicNetworkAccess": "Disabled", "hbiWorkspace": True,
                   "managedNetwork": {"isolationMode": "AllowInternetOutbound"}},
}


class Roundtrip(Journey):
    """One journey, looked at from several sides."""

    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        client = cls.begin()
        cloud = cls.cloud
        cloud.arm("PUT", SOURCE.arm, SETTINGS)
        cloud.advance(120)
        cls.workspace = cloud.wait_for(SOURCE.arm)
        cls.settle(cls.seeded["jobs"])
        cls.runs = readback.runs(cloud, SOURCE, {name: name for name in cls.seeded["jobs"].values()})
        cls.itself = readback.workspace(client, SOURCE.name)
        cls.described = readback.describe(client, cls.seeded)
        cls.listed = readback.listed(client)
        cls.models = {model: readback.download_model(client, *model, cloud.folder / "before" / model[1]) for model in cls.seeded["models"]}
        cls.back_up()
        mlark = cls.mlark
        lose(cloud, SOURCE)
        cls.target_workspace = cloud.create_workspace(TARGET)
        cls.target_client = cloud.client(TARGET)
        seed.computes(cls.target_client)
        cls.plan = mlark.json("restore", "plan", "latest:prod", "--into", "recovery", codes=(0, 3))
        cls.applied = mlark.json("restore", "apply", "latest:prod", "--into", "recovery", "--yes", codes=(0, 3))
        cls.verified = mlark.json("restore", "verify", "latest:prod", "--against", "recovery", codes=(0, 4))
        cls.after = cloud.dump(TARGET)

    def test_the_backup_is_complete_without_a_gap(self):
        self.assertEqual(self.backup["outcome"], "complete")
        self.assertEqual(self.backup["gaps"], [])
        for kind, count in self.backup["items"].items():
            with self.subTest(kind):
                self.assertEqual(count["listed"], sum(count[word] for word in ("saved", "unchanged", "excluded", "known", "failed")))

    def test_apply_ends_complete_and_verify_as_planned(self):
        self.assertEqual(self.applied["outcome"], "complete", self.applied)
        self.assertEqual(self.applied["failed"], 0)
        self.assertIn(self.verified["outcome"], ("same", "as-planned"), self.verified["differences"][:10])

    def test_the_sdk_sees_what_it_saw_before(self):
        places = self.places()
        before, now = (readback.plain(seen, places) for seen in (self.described, readback.describe(self.target_client, self.seeded)))
        jobs = {name: (before[name].pop("create_job"), now[name].pop("create_job")) for name in before if name.startswith("schedules/")}
        for name in before:
            with self.subTest(name):
                self.assertEqual(now[name], before[name])
        # A schedule has the whole definition of its job afterwards, and names none that is gone.
        whole, found = jobs["schedules/nightly"]
        for member in ("type", "description", "inputs", "outputs", "jobs", "settings"):
            with self.subTest(f"the job of nightly, {member}"):
                self.assertEqual(found.get(member), whole.get(member))
        self.assertEqual(set(jobs["schedules/weekly"][1]["jobs"]), set(whole["jobs"]))
        self.assertEqual([name for name, (_, found) in jobs.items() if "id" in found], [])

    def test_mlflow_reads_every_job_as_a_run_with_each_point_of_its_metrics(self):
        restored, places = restored_runs(self.after), self.places()
        now = readback.runs(self.cloud, TARGET, {name: restored[name]["run_id"] for name in self.runs})
        points = 0
        for name, before in self.runs.items():
            with self.subTest(name):
                found = dict(now[name])
                # It says besides what the job was.
                found["tags"] = {tag: found["tags"].get(tag) for tag in before["tags"]}
                self.assertEqual(readback.plain(found, places), readback.plain(before, places))
                self.assertEqual(now[name]["tags"]["mlark.source_run"], name)
                points += sum(map(len, before["metrics"].values()))
        self.assertGreaterEqual(points, 25 * len(self.runs))

    def test_the_sdk_sees_a_workspace_that_a_restore_made_as_it_saw_the_source(self):
        cloud = self.cloud
        group = f"/subscriptions/{NEW.subscription}/resourceGroups/{NEW.group}"
        cloud.arm("PUT", group, {"location": NEW.location}, version="2021-04-01")
        mapping = cloud.folder / "new.toml"
        rows = []
        for member, resource in BESIDE.items():
            cloud.arm("PUT", f"{group}/providers/{resource}", {"location": NEW.location})
            rows.append(f'"{self.workspace["properties"][member]}" = "{group}/providers/{resource}"\n')
        mapping.write_text("[resources]\n" + "".join(rows))
        applied = self.mlark.json("restore", "apply", "latest:prod", "workspaces", "models/single", "--into", NEW.url, "--create-workspace",
                                  "--mapping", mapping, "--yes", codes=(0, 3))
        self.assertEqual((applied["outcome"], applied["failed"]), ("complete", 0), applied["failures"])
        client = cloud.client(NEW)
        made = cloud.wait_for(NEW.arm)
        places = {member: (self.workspace["properties"][member].rsplit("/", 1)[1], resource.rsplit("/", 1)[1]) for member, resource in BESIDE.items()}
        places |= {
            "SUBSCRIPTION": (SOURCE.subscription, NEW.subscription), "GROUP": (SOURCE.group, NEW.group), "WORKSPACE": (SOURCE.name, NEW.name),
            "REGION": (SOURCE.location, NEW.location), "GUID": (self.source.guid, made["properties"]["workspaceId"]),
        }
        self.assertEqual(readback.plain(readback.workspace(client, NEW.name), places), readback.plain(self.itself, places))
        model = readback.download_model(client, "single", "1", cloud.folder / "new")
        self.assertEqual(model, self.models["single", "1"])

    def test_the_sdk_lists_what_it_listed_before(self):
        now = readback.listed(self.target_client)
        for kind, names in self.listed.items():
            with self.subTest(kind):
                self.assertEqual(names - now[kind], set())

    def test_the_sdk_downloads_the_same_bytes_of_every_model(self):
        for model, before in self.models.items():
            with self.subTest(model):
                self.assertTrue(before, "the model had files")
                now = readback.download_model(self.target_client, *model, self.cloud.folder / "after" / model[1])
                self.assertEqual(now, before)

    def test_every_notebook_is_there_by_the_official_client(self):
        share = self.cloud.share(*self.cloud.store(TARGET, "workspaceworkingdirectory"))
        for path, content in NOTEBOOKS.items():
            with self.subTest(path):
                self.assertEqual(share.get_file_client(path).download_file().readall(), content)
        self.assertTrue(share.get_directory_client("Users/ana/nothing").exists())

    def test_no_reference_leads_to_the_source(self):
        found = [line for name, document in self.after["documents"].items()
                 for line in references.findings(name, document, self.source)]
        self.assertEqual(found, [])

    def test_what_merely_mentions_the_source_is_byte_equal_and_in_the_report(self):
        said = {row["item"] for row in self.plan["losses"] if "mentions" in json.dumps(row)}
        compared = 0
        for name, document in self.before["documents"].items():
            restored = self.after["documents"].get(name)
            for path, text in references.mentions(document, self.source).items():
                if name.startswith("jobs/"):
                    continue
                compared += 1
                with self.subTest(f"{name} {path}"):
                    value = restored
                    for part in path:
                        value = value[part]
                    self.assertEqual(value, text)
        self.assertGreater(compared, 0)
        self.assertTrue(said, "the loss report has rows for what mentions the source")

    def test_jobs_are_runs_and_were_never_submitted(self):
        self.assertEqual([name for name in self.after["documents"] if name.startswith("jobs/") and name.split("/")[1] in self.before["runs"]], [])
        runs = restored_runs(self.after)
        for name in self.seeded["jobs"].values():
            with self.subTest(name):
                self.assertIn(name, runs)
                before = self.before["metrics"][name]["accuracy"]
                now = self.after["metrics"][runs[name]["run_id"]]["accuracy"]
                # MLflow keeps milliseconds.
                cut = [[{**point, "created": point["created"][:23]} for point in points] for points in (now, before)]
                self.assertEqual(*cut)

    def test_schedules_are_disabled(self):
        for name in self.seeded["schedules"]:
            self.assertFalse(self.after["documents"][f"schedules/{name}"]["properties"]["isEnabled"])

    def test_a_second_apply_changes_nothing(self):
        again = self.mlark.json("restore", "apply", "latest:prod", "--into", "recovery", "--yes", codes=(0, 3))
        self.assertEqual(again["failed"], 0)
        now = self.cloud.dump(TARGET)
        for part in ("runs", "metrics", "blobs", "files"):
            with self.subTest(part):
                self.assertEqual(set(now[part]), set(self.after[part]))
        restored_runs(now)


if __name__ == "__main__":
    unittest.main()
