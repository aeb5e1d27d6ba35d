"""An independent judge of references: shares no code with mlark.

Every string of every document of a workspace is parsed, names of members included. A string that as a whole is a
reference (an ARM id, an azureml: form, a storage URL, runs:/) must not lead to the workspace that was lost. Free text
(commands, conda files, descriptions, tags) holds no references, whatever it looks like; there a mention must have stayed
byte for byte.
"""

import re
from dataclasses import dataclass

ARM = re.compile(r"^(?:azureml:)?/subscriptions/(?P<sub>[^/]+)(?:/resourcegroups/(?P<rg>[^/]+))?(?:/providers/(?P<rest>.+))?$", re.I)
WORKSPACE = re.compile(r"^Microsoft\.MachineLearningServices/workspaces/(?P<ws>[^/]+)", re.I)
ACCOUNT = re.compile(r"^Microsoft\.Storage/storageAccounts/(?P<account>[^/]+)", re.I)
LONG = re.compile(r"^azureml://subscriptions/(?P<sub>[^/]+)/resourcegroups/(?P<rg>[^/]+)/(?:providers/[^/]+/)?workspaces/(?P<ws>[^/]+)/", re.I)
GROUP = re.compile(r"^azureml://resourcegroups/(?P<rg>[^/]+)/workspaces/(?P<ws>[^/]+)/", re.I)
LOCATION = re.compile(r"^azureml://locations/(?P<region>[^/]+)/workspaces/(?P<guid>[^/]+)/", re.I)
STORAGE = re.compile(r"^(?:https?|abfss?|wasbs?|adl)://(?:(?P<left>[^@/]+)@)?(?P<account>[a-z0-9-]+)\.(?:blob|file|dfs|queue|table)\.(?P<rest>.*)$", re.I | re.S)
JOB = re.compile(r"^(?:azureml://jobs/(?P<job>[^/]+)/|runs:/(?P<run>[^/]+)/|azureml://artifacts/ExperimentRun/dcid\.(?P<dcid>[^/]+)/)")

# Where nothing is a reference. A name stands for itself at any depth; of tags every value is free text.
FREE_NAMES = {"command", "condaFile", "conda_file", "description", "displayName", "display_name", "tags", "environmentVariables", "environment_variables"}


@dataclass(frozen=True)
class Source:
    """What names the workspace that was lost."""

    subscription: str
    resource_group: str
    workspace: str
    guid: str
    account: str
    runs: frozenset = frozenset()

    def names(self):
        return {n.lower() for n in (self.subscription, self.workspace, self.guid, self.account)}


def leads_to(text, source):
    """Why `text` as a whole is a reference to `source`, or None."""
    if match := ARM.match(text):
        rest = match["rest"] or ""
        account = ACCOUNT.match(rest)
        if account and account["account"].lower() == source.account.lower():
            return "its storage account"
        if match["sub"].lower() == source.subscription.lower():
            return "its subscription"
        workspace = WORKSPACE.match(rest)
        if workspace and workspace["ws"].lower() == source.workspace.lower():
            return "its name"
        return None
    if match := LONG.match(text):
        if match["sub"].lower() == source.subscription.lower() or match["ws"].lower() == source.workspace.lower():
            return "a datastore or asset of it"
        return None
    if match := GROUP.match(text):
        return "an asset of it" if match["ws"].lower() == source.workspace.lower() else None
    if match := LOCATION.match(text):
        return "its guid" if match["guid"].lower() == source.guid.lower() else None
    if match := STORAGE.match(text):
        if match["account"].lower() == source.account.lower():
            return "its storage account"
        if source.guid.lower() in (match["left"] or "").lower():
            return "its container"
        return None
    if match := JOB.match(text):
        run = match["job"] or match["run"] or match["dcid"]
        return "one of its runs" if run in source.runs else None
    return None


def strings(value, path=(), free=False):
    """Every string of a document with its path, and whether it stands in free text."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield from strings(below, (*path, key), free or key in FREE_NAMES)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from strings(below, (*path, index), free)
    elif isinstance(value, str):
        yield path, value, free


def members(value, path=(), free=False):
    """Every name of a member of a document with the path of what it names, and whether it stands in free text."""
    if isinstance(value, dict):
        for key, below in value.items():
            yield (*path, key), key, free
            yield from members(below, (*path, key), free or key in FREE_NAMES)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from members(below, (*path, index), free)


def findings(name, document, source):
    """References to the lost workspace in a document: one line each."""
    for path, text, free in (*strings(document), *members(document)):
        if free:
            continue
        reason = leads_to(text, source)
        if reason:
            yield f"{name} {'/'.join(map(str, path))}: {text} leads to {reason}"


def mentions(document, source):
    """Strings of free text that mention the lost workspace: path -> text."""
    found = {}
    for path, text, free in strings(document):
        if free and any(word in text.lower() for word in source.names()):
            found[path] = text
    return found
