"""Clients that others wrote, unmodified, against the simulator: what each did, by route, and that it was enough."""

import importlib.metadata
import unittest

import clients
from cloud import Cloud

# Package that is named, the others whose versions matter, what it does, and the calls that it makes at least.
CLIENTS = [
    ("azure-ai-ml", [], clients.ml, 150),
    ("azure-storage-blob", [], clients.blob, 50),
    ("azure-storage-file-share", [], clients.file_share, 45),
    ("azure-identity", ["msal"], clients.identity, 10),
    ("mlflow-skinny", ["azureml-mlflow"], clients.mlflow, 40),
]


class Clients(unittest.TestCase):
    """One cloud for all of them."""

    @classmethod
    def setUpClass(cls):
        cls.cloud = Cloud()
        cls.addClassCleanup(cls.cloud.close)
        cls.cloud.create_workspace(clients.WORKSPACE)

    def use(self, package, others, work, least):
        self.cloud.control("DELETE", "/requests")
        work(self.cloud)
        counts = self.cloud.control("GET", "/requests")["requests"]
        total = sum(row["count"] for row in counts)
        versions = " ".join(f"{name} {importlib.metadata.version(name)}" for name in [package, *others])
        routes = {}
        for row in counts:
            route = f"{row['service']} {row['method']} {row['route']}"
            routes[route] = routes.get(route, 0) + row["count"]
        shown = ", ".join(f"{route} {count}" for route, count in sorted(routes.items(), key=lambda pair: (-pair[1], pair[0])))
        print(f"\nclient {versions}: {total} calls: {shown}", flush=True)
        self.assertGreaterEqual(total, least, f"{package} made too few calls for what it was to do")


def add(package, others, work, least):
    """A test by the client's name."""
    def test(self):
        self.use(package, others, work, least)

    name = work.__name__
    test.__doc__ = None
    setattr(Clients, f"test_{name}_finds_what_it_expects", test)


for client in CLIENTS:
    add(*client)


if __name__ == "__main__":
    unittest.main()
