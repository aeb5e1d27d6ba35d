"""Clients that others wrote, unmodified, against the simulator: what each did, by route, that it was no less than in the recordings
of real use, and that none tried anything again.
"""

import importlib.metadata
import json
import pathlib
import re
import unittest

import client_blob
import client_datalake
import client_kept
import client_ml
import client_share
import clients
from cloud import Cloud

# Package that is named, the others whose versions matter, how its User-Agent begins, and what it does.
CLIENTS = [
    ("azure-identity", ["msal"], "azsdk-python-identity/", [clients.identity]),
    ("azure-ai-ml", [], "azure-ai-ml/", [client_ml.fill, client_ml.widen, client_ml.read_back]),
    ("azure-storage-blob", [], "azsdk-python-storage-blob/", [
        client_blob.blob, client_kept.archive, client_kept.conditions_and_leases, client_kept.versions_and_snapshots, client_kept.retention_and_holds]),
    ("azure-storage-file-datalake", [], "azsdk-python-storage-dfs/", [client_datalake.datalake]),
    ("azure-storage-file-share", [], "azsdk-python-storage-file-share/", [client_share.file_share, client_share.share_snapshots, client_share.notebooks]),
    ("mlflow-skinny", ["azureml-mlflow"], "mlflow-python-client/", [clients.mlflow]),
]

# Clients that no recording shows: what they do is judged by what they read back.
UNRECORDED = {"azure-storage-file-datalake"}

# What the recordings show of each client, by route; a test of the simulator holds it against them where they are at hand.
LEAST = [json.loads(line) for line in pathlib.Path(__file__).with_name("least.jsonl").read_text().splitlines()]


def one_way(route):
    """Azure ML serves MLflow at two addresses, v1.0 and v2.0; which one a client takes is the workspace's own to say."""
    return re.sub("^/mlflow/v[12].0", "/mlflow", route)


def calls(counted, agent):
    """Service, method and route -> how often the client of that User-Agent called it."""
    found = {}
    for row in counted["clients"]:
        if row["client"].startswith(agent):
            key = (row["service"], row["method"], one_way(row["route"]))
            found[key] = found.get(key, 0) + row["count"]
    return found


def too_few(made, agent):
    """A line for each route that the client called less often than the recordings show."""
    least = {(row["service"], row["method"], one_way(row["route"])): row["count"] for row in LEAST if row["client"] == agent}
    return [f"{' '.join(key)}: {made.get(key, 0)} calls, at least {count} in the recordings" for key, count in least.items() if made.get(key, 0) < count]


def tried_again(counted, agent=""):
    """A line for each call that a client sent again after an answer that it did not expect."""
    return [f"{row['client']}: {row['method']} {row['route']} again after {row['after']}" for row in counted["retried"] if row["client"].startswith(agent)]


class Clients(unittest.TestCase):
    """One cloud for all of them. Their tests come before those that count (`test_then_…`): unittest goes by the alphabet."""

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud(page=3)
        cls.addClassCleanup(cls.cloud.close)
        cls.cloud.create_workspace(clients.WORKSPACE)
        cls.cloud.control("DELETE", "/requests")

    def test_then_each_has_made_the_calls_that_the_recordings_show(self):
        counted = self.cloud.control("GET", "/requests")
        for package, others, agent, _ in CLIENTS:
            made = calls(counted, agent)
            versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in [package, *others])
            shown = sorted(made.items(), key=lambda pair: (-pair[1], pair[0]))
            print(f"\nclient {versions}: {sum(made.values())} calls: {', '.join(f'{chr(32).join(key)} {count}' for key, count in shown)}", flush=True)
            with self.subTest(package):
                recorded = any(row["client"] == agent for row in LEAST)
                self.assertNotEqual(recorded, package in UNRECORDED, "the recordings show the client, or are known not to")
                self.assertTrue(made)
                self.assertFalse(too_few(made, agent), "\n".join(too_few(made, agent)))

    def test_then_none_has_tried_again(self):
        counted = self.cloud.control("GET", "/requests")
        self.assertGreater(sum(row["count"] for row in counted["clients"]), 1000)
        self.assertEqual(tried_again(counted), [])


class Judges(unittest.TestCase):
    """That too few calls and a second try are seen."""

    def test_a_client_that_did_too_little_is_told(self):
        agent = "azsdk-python-storage-file-share/"
        rows = [row for row in LEAST if row["client"] == agent]
        counted = {"clients": [{**row, "client": agent + "12.27.1"} for row in rows]}
        self.assertEqual(too_few(calls(counted, agent), agent), [])
        counted["clients"][0]["count"] -= 1
        self.assertEqual(len(too_few(calls(counted, agent), agent)), 1)
        self.assertEqual(len(too_few({}, agent)), len(rows))

    def test_a_client_that_tried_again_is_told(self):
        cloud = Cloud()
        self.addCleanup(cloud.close)
        cloud.create_workspace(clients.WORKSPACE)
        account, name = cloud.store(clients.WORKSPACE, "workspaceblobstore")
        container = cloud.container(account, name)
        cloud.control("DELETE", "/requests")
        container.get_container_properties()
        self.assertEqual(tried_again(cloud.control("GET", "/requests")), [])
        cloud.control("PUT", "/faults", {"rules": [{"service": "blob", "times": 1, "fault": {"kind": "throttle", "retry_after": 1}}]})
        container.get_container_properties()
        told = tried_again(cloud.control("GET", "/requests"), "azsdk-python-storage-blob/")
        self.assertEqual(len(told), 1, told)
        self.assertIn("again after 503", told[0])


def add(number, package, work):
    """A test by what is done; the number keeps the order, for some read what others wrote."""
    def test(self):
        work(self.cloud, clients.WORKSPACE)

    setattr(Clients, f"test_{number:02}_{package.replace('-', '_')}_{work.__name__}", test)


for at, (name, one) in enumerate((package, work) for package, _, _, works in CLIENTS for work in works):
    add(at, name, one)


if __name__ == "__main__":
    unittest.main()
