"""Whether two restored workspaces are the same, value by value, by what the cloud says of each."""

import json
import re

# When and by whom something was made, and what the service gives anew each time.
SERVICES_OWN = {"systemData", "etag", "created", "started", "ended", "written", "createdOn", "modifiedOn", "createdTime", "run_id"}


# A specification that a restore writes beside a run: it names the workspace, and so has other bytes in another one.
SPECIFICATION = "/mlark/job.json"


def comparable(cloud, place):
    """A workspace's documents, runs, metrics, blobs and files by name, without its own names, and without the names that the
    service gives: restored runs have that of their source, containers of code that of their code."""
    dump = cloud.control("GET", f"/workspaces/{place.subscription}/{place.group}/{place.name}")
    words = {place.subscription: "SUBSCRIPTION", place.group: "GROUP", place.name: "WORKSPACE", place.location: "REGION", dump["account"]: "ACCOUNT",
             dump["workspace"]["properties"]["workspaceId"]: "GUID"}
    words[dump["documents"]["datastores/workspaceworkingdirectory"]["properties"]["fileShareName"]] = "SHARE"
    for run_id, run in dump["runs"].items():
        words[run_id] = f"RUN-OF-{run['tags'].get('mlark.source_run', run_id)}"
    for name, document in dump["documents"].items():
        if name.startswith("codes/") and "/versions/" in name:
            container = re.search(r"windows\.net/([^/]+)|://[^/]+/([^/]+)", document["properties"]["codeUri"])
            words[next(part for part in container.groups() if part)] = f"CONTAINER-OF-{name}"
    pattern = re.compile("|".join(re.escape(word) for word in sorted(words, key=len, reverse=True)))

    def plain(value):
        if isinstance(value, dict):
            return {plain(key): plain(item) for key, item in value.items() if key not in SERVICES_OWN}
        if isinstance(value, list):
            return [plain(item) for item in value]
        if isinstance(value, str):
            return pattern.sub(lambda found: words[found.group()], value)
        return value

    for name, blob in dump["blobs"].items():
        if name.endswith(SPECIFICATION):
            container, path = name.split("/", 1)
            blob["specification"] = json.loads(cloud.container(dump["account"], container).download_blob(path).readall())
            del blob["sha256"], blob["bytes"]
    return {part: plain(dump[part]) for part in ("documents", "runs", "metrics", "blobs", "files")}
