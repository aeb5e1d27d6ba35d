"""Someone emptied a container: documents are there, bytes are not. mlark puts the bytes back; official clients judge."""

import hashlib
import unittest

import readback
import seed
from cloud import SOURCE, TARGET, Cloud, Mlark
from journey import finish_jobs


class Repair(unittest.TestCase):
    """One model's blobs and one job's outputs are deleted, and come back into their own workspace."""

    @classmethod
    def setUpClass(cls):
        cls.cloud = cloud = Cloud()
        cls.addClassCleanup(cloud.close)
        cloud.create_workspace(SOURCE)
        files = cloud.folder / "files"
        files.mkdir()
        cls.client = cloud.client(SOURCE)
        cls.seeded = seed.seed(cls.client, files, [SOURCE.subscription, SOURCE.group, SOURCE.name])
        finish_jobs(cloud, SOURCE, cls.seeded["jobs"])
        cls.model = readback.download_model(cls.client, "churn", "1", cloud.folder / "before")
        account, container = cloud.store(SOURCE, "workspaceblobstore")
        cls.blobs = cloud.container(account, container)
        cls.artifacts = cloud.container(*cloud.store(SOURCE, "workspaceartifactstore"))
        cls.job = cls.seeded["jobs"]["command"]
        cls.write_outputs()
        cls.mlark = Mlark(cloud, SOURCE, TARGET)
        cls.mlark.init()
        cls.mlark.run("backup", "prod")
        cls.lost = cls.delete()
        cls.plan = cls.mlark.json("restore", "plan", "latest:prod", "--into", "prod", codes=(0, 3))
        cls.applied = cls.mlark.json("restore", "apply", "latest:prod", "--into", "prod", "--yes", codes=(0, 3))

    @classmethod
    def write_outputs(cls):
        """Artifacts of the job, as a training script leaves them."""
        for index, size in enumerate((0, 17, 300_000)):
            cls.artifacts.upload_blob(f"ExperimentRun/dcid.{cls.job}/outputs/part-{index}.bin", bytes([index]) * size)

    @classmethod
    def delete(cls):
        """Deletes the blobs of one model and of one job; name -> SHA-256 of what is lost."""
        lost = {}
        path = cls.client.models.get("churn", "1").path.split("/paths/")[1]
        for store, prefix in ((cls.blobs, path), (cls.artifacts, f"ExperimentRun/dcid.{cls.job}/")):
            for blob in list(store.list_blobs(name_starts_with=prefix)):
                lost[(store, blob.name)] = hashlib.sha256(store.download_blob(blob.name).readall()).hexdigest()
                store.delete_blob(blob.name)
        return lost

    def test_the_plan_shows_exactly_these_as_repairs(self):
        repairs = {step["item"] for step in self.plan["steps"] if step["action"] == "repair"}
        self.assertEqual(repairs, {"models/churn:1", f"jobs/{self.job}"})
        self.assertEqual([step for step in self.plan["steps"] if step["action"] in ("create", "upload")], [])

    def test_the_sdk_downloads_the_same_bytes_of_the_model(self):
        self.assertEqual(self.applied["failed"], 0, self.applied)
        self.assertEqual(readback.download_model(self.client, "churn", "1", self.cloud.folder / "after"), self.model)

    def test_the_storage_client_reads_the_same_bytes_of_the_job(self):
        self.assertGreater(len(self.lost), 5)
        for (store, name), digest in self.lost.items():
            with self.subTest(name):
                self.assertEqual(hashlib.sha256(store.download_blob(name).readall()).hexdigest(), digest)


if __name__ == "__main__":
    unittest.main()
