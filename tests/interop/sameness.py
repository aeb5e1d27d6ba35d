"""Whether two workspaces hold the same, value by value, by what the cloud says of each."""

import json
import re
from collections import Counter
from urllib.parse import quote

import requests

UUID = re.compile(r"(?:[0-9a-f]{8}-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")  # the service puts eight signs before those of pending uploads
VOLATILE = {"systemData", "etag", "createdOn", "modifiedOn", "createdDate", "lastModifiedDate"}


class Normal:
    """A dump without what differs between two workspaces that hold the same."""

    def __init__(self, cloud, place):
        dump = cloud.dump(place)
        self.cloud = cloud
        self.runs = {run["run_id"]: run["tags"].get("mlark.source_run", "?") for run in dump["runs"].values() if not run["deleted"]}
        workspace = dump["workspace"]["properties"]
        self.words = {place.name: "WS", workspace["workspaceId"]: "WS-GUID", dump["account"]: "ACCOUNT", place.subscription: "SUBSCRIPTION",
                      place.group: "GROUP", place.location: "REGION"}
        self.dump = dump

    def text(self, text):
        for run, source in self.runs.items():
            text = text.replace(run, f"run({source})")
        for word, stands in self.words.items():
            text = text.replace(word, stands)
        return UUID.sub("UUID", text)

    def value(self, value):
        if isinstance(value, dict):
            return {self.text(key): self.value(below) for key, below in sorted(value.items()) if key not in VOLATILE}
        if isinstance(value, list):
            return [self.value(below) for below in value]
        return self.text(value) if isinstance(value, str) else value

    def content(self, name, blob):
        """A blob's digest; of a specification, which names the workspace, its text."""
        if not name.endswith("/mlark/job.json"):
            return blob["sha256"]
        answer = requests.get(f"{self.cloud.urls['control']}/blobs/{self.dump['account']}/{quote(name)}")
        answer.raise_for_status()
        return self.text(answer.text)

    def whole(self):
        """Everything as counted texts, so that something twice is seen."""
        dump = self.dump
        found = Counter()
        for name, document in dump["documents"].items():
            found[f"document {self.text(name)} {json.dumps(self.value(document), sort_keys=True)}"] += 1
        for name, blob in dump["blobs"].items():
            found[f"blob {self.text(name)} {self.content(name, blob)} {json.dumps(self.value(blob['metadata']), sort_keys=True)}"] += 1
        for name, file in dump["files"].items():
            found[f"file {self.text(name)} {file.get('sha256', 'directory')}"] += 1
        for run in dump["runs"].values():
            if run["deleted"]:
                continue
            kept = {key: run[key] for key in ("parent", "experiment", "status", "display_name", "tags", "parameters", "hidden", "started", "ended")}
            found[f"run {self.runs[run['run_id']]} {json.dumps(self.value(kept), sort_keys=True)}"] += 1
            for metric, points in dump["metrics"].get(run["run_id"], {}).items():
                for point in points:
                    found[f"point {self.runs[run['run_id']]} {metric} {point['step']} {point['created']} {json.dumps(point['data'])}"] += 1
        return found
