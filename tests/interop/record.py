"""Records what the official clients send to the simulator, for the replay test: `python record.py`.

Each recording holds one client's requests in ../simulator/recordings, without secrets. To be run again when the clients or
what they do change; the recordings are committed.
"""

import pathlib
import sys

import client_blob
import client_ml
import client_share
import clients
from cloud import ROOT, Cloud

WORK = {"seed": client_ml.fill, "storage-blob": client_blob.blob, "storage-file": client_share.file_share, "mlflow": clients.mlflow}


def record(folder: pathlib.Path):
    """One cloud, one recording a client."""
    for name, work in WORK.items():
        cloud = Cloud()
        try:
            cloud.create_workspace(clients.WORKSPACE)
            cloud.control("POST", "/recording", {"file": str(folder / f"{name}.jsonl")})
            work(cloud, clients.WORKSPACE)
        finally:
            cloud.close()


if __name__ == "__main__":
    record(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "tests/simulator/recordings")
