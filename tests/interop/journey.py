"""The begin of a journey: a workspace that the official SDK filled, and what a judge must know of it before it is lost."""

import json
import unittest

import references
import seed
from cloud import SOURCE, TARGET, Cloud, Mlark

NOTEBOOKS = {
    "Users/ana/churn.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["print(1)\n"]}], "nbformat": 4}).encode(),
    "Users/ana/Versuch 50% #1 ä.ipynb": b'{"cells": [], "nbformat": 4}',
    "Users/ana/empty.txt": b"",
    "shared/notes/readme.md": b"# notes\n" * 2_000_00,
}


def write_notebooks(share):
    """Directories and files through the official file-share client."""
    made = set()
    for path, content in NOTEBOOKS.items():
        folder = ""
        for part in path.split("/")[:-1]:
            folder = f"{folder}/{part}".strip("/")
            if folder not in made:
                share.create_directory(folder)
                made.add(folder)
        share.get_file_client(path).upload_file(content)
    share.create_directory("Users/ana/nothing")


def lose(cloud, place):
    """The workspace with its storage account: nothing is left to read."""
    cloud.control("DELETE", f"/workspaces/{place.subscription}/{place.group}/{place.name}?purge=true&account=true")


def finish_jobs(cloud, place, jobs):
    """Lets the jobs end long ago, so that they are settled."""
    for name in jobs.values():
        cloud.control("POST", f"/workspaces/{place.subscription}/{place.group}/{place.name}/runs/{name}",
                      {"status": "Completed", "metrics": [{"name": "accuracy", "value": 0.5 + step / 100, "step": step} for step in range(25)]})


def restored_runs(dump):
    """Source run id -> restored run; a duplicate is an error."""
    found = {}
    for run in dump["runs"].values():
        source = run["tags"].get("mlark.source_run")
        if source and not run["deleted"]:
            assert source not in found, f"{source} was restored twice"
            found[source] = run
    return found


class Journey(unittest.TestCase):
    """One journey, looked at from several sides."""

    @classmethod
    def begin(cls):
        """A cloud with a workspace that the SDK filled; the SDK's client of it."""
        cls.cloud = cloud = Cloud()
        cls.addClassCleanup(cloud.close)
        cls.workspace = cloud.create_workspace(SOURCE)
        cls.files = cloud.folder / "files"
        cls.files.mkdir()
        client = cloud.client(SOURCE)
        cls.seeded = seed.seed(client, cls.files, [SOURCE.subscription, SOURCE.group, SOURCE.name])
        write_notebooks(cloud.share(*cloud.store(SOURCE, "workspaceworkingdirectory")))
        return client

    @classmethod
    def settle(cls, jobs):
        """Lets the jobs end, and notes what the workspace holds then."""
        finish_jobs(cls.cloud, SOURCE, jobs)
        cls.before = cls.cloud.dump(SOURCE)
        cls.source = references.Source(SOURCE.subscription, SOURCE.group, SOURCE.name, cls.workspace["properties"]["workspaceId"],
                                       cls.before["account"], frozenset(cls.before["runs"]))

    @classmethod
    def back_up(cls, extra=""):
        """A repository of its own, with a snapshot of the workspace."""
        cls.mlark = Mlark(cls.cloud, SOURCE, TARGET, extra=extra)
        cls.mlark.init()
        cls.backup = cls.mlark.json("backup", "prod")["snapshots"][0]

    def places(self):
        """The names of source and target, each pair with one word; runs with the job that they were made of."""
        runs = {f"RUN-OF-{source}": (source, run["run_id"]) for source, run in restored_runs(self.after).items()}
        return runs | {
            "SUBSCRIPTION": (SOURCE.subscription, TARGET.subscription), "GROUP": (SOURCE.group, TARGET.group),
            "WORKSPACE": (SOURCE.name, TARGET.name), "REGION": (SOURCE.location, TARGET.location),
            "ACCOUNT": (self.before["account"], self.after["account"]),
            "GUID": (self.source.guid, self.target_workspace["properties"]["workspaceId"]),
        }
