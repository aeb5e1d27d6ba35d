"""What the official blob client does with blobs that are kept: in the archive, as versions and snapshots, under retention and hold.

What resource manager sets (versions, policies and holds of containers) is set by plain requests, as no client for it is here.
"""

import datetime

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import ImmutabilityPolicy, StandardBlobTier

from cloud import Cloud, Place
from refusal import refused

STORAGE_VERSION = "2023-01-01"
DAY = 24 * 3600
CONTENT = b"pressed in October" * 1000


class Vault:
    """A storage account of its own, by resource manager, and its containers by the official client."""

    def __init__(self, cloud: Cloud, place: Place, name: str):
        self.cloud, self.name = cloud, name
        group = f"/subscriptions/{place.subscription}/resourceGroups/{place.group}"
        self.arm_id = f"{group}/providers/Microsoft.Storage/storageAccounts/{self.name}"
        self.arm("PUT", "", {"location": place.location, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}})

    def arm(self, method, path, body=None, **headers):
        """One request to resource manager, below the account."""
        return self.cloud.arm(method, self.arm_id + path, body, version=STORAGE_VERSION, headers=headers)

    def policy(self, container, method, act="", days=None, **headers):
        """The policy of a container: put, locked, extended, taken away."""
        body = days and {"properties": {"immutabilityPeriodSinceCreationInDays": days}}
        path = f"/blobServices/default/containers/{container}/immutabilityPolicies/default{act}"
        return self.arm(method, path, body, **headers)

    def container(self, name):
        """A fresh client, with a fresh token: the clock moves on."""
        return self.cloud.container(self.name, name)


def archive(cloud: Cloud, place: Place):
    """Out of the archive in place and by copy, over simulated hours."""
    vault = Vault(cloud, place, "orchardcellar")
    container = vault.container("cellar")
    container.create_container()
    blob = container.get_blob_client("deep.bin")
    blob.upload_blob(CONTENT, standard_blob_tier=StandardBlobTier.ARCHIVE)
    refused(ResourceExistsError, lambda: blob.download_blob().readall(), 409, "BlobArchived")
    refused(ResourceExistsError, lambda: blob.set_blob_metadata({"a": "b"}), 409, "BlobArchived")
    copy = container.get_blob_client("up.bin")
    copied = copy.start_copy_from_url(blob.url, standard_blob_tier=StandardBlobTier.COOL, rehydrate_priority="High")
    assert copied["copy_status"] == "success", copied
    seen = copy.get_blob_properties()
    assert (seen.blob_tier, seen.archive_status, seen.rehydrate_priority) == ("Archive", "rehydrate-pending-to-cool", "High"), seen
    refused(ResourceExistsError, lambda: copy.start_copy_from_url(blob.url, standard_blob_tier=StandardBlobTier.ARCHIVE), 409)
    blob.set_standard_blob_tier("Hot", rehydrate_priority="Standard")
    refused(ResourceExistsError, lambda: blob.set_standard_blob_tier("Cool"), 409, "BlobBeingRehydrated")
    listed = {found.name: found.archive_status for found in container.list_blobs()}
    assert listed == {"deep.bin": "rehydrate-pending-to-hot", "up.bin": "rehydrate-pending-to-cool"}, listed
    cloud.advance(3600)
    container = vault.container("cellar")
    assert container.get_blob_client("up.bin").download_blob().readall() == CONTENT
    assert container.get_blob_client("up.bin").get_blob_properties().blob_tier == "Cool"
    refused(ResourceExistsError, lambda: container.get_blob_client("deep.bin").download_blob().readall(), 409)
    cloud.advance(15 * 3600)
    container = vault.container("cellar")
    assert container.get_blob_client("deep.bin").download_blob().readall() == CONTENT
    seen = container.get_blob_client("deep.bin").get_blob_properties()
    assert (seen.blob_tier, seen.archive_status) == ("Hot", None), seen
    bills = cloud.control("GET", f"/bills/{vault.name}")
    assert bills["rehydrated_bytes"] == {"High": len(CONTENT), "Standard": len(CONTENT)}, bills


def conditions_and_leases(cloud: Cloud, place: Place):
    """Times decide as ETags do; a container is leased as a blob is."""
    container = Vault(cloud, place, "orchardterms").container("terms")
    container.create_container()
    blob = container.get_blob_client("a")
    blob.upload_blob(b"one")
    seen = blob.get_blob_properties()
    later, before = seen.last_modified + datetime.timedelta(hours=1), seen.last_modified - datetime.timedelta(hours=1)
    assert blob.download_blob(if_modified_since=before).readall() == b"one"
    refused(HttpResponseError, lambda: blob.download_blob(if_modified_since=later), 304)
    refused(ResourceModifiedError, lambda: blob.download_blob(if_unmodified_since=before), 412)
    refused(ResourceModifiedError, lambda: blob.upload_blob(b"two", overwrite=True, if_unmodified_since=before), 412)
    refused(ResourceModifiedError, lambda: blob.delete_blob(if_unmodified_since=before), 412)
    refused(ResourceModifiedError, lambda: blob.set_blob_metadata({"a": "b"}, if_unmodified_since=before), 412)
    copy = container.get_blob_client("b")
    refused(HttpResponseError, lambda: copy.start_copy_from_url(blob.url, source_if_unmodified_since=before), 412, "SourceConditionNotMet")
    copy.start_copy_from_url(blob.url, source_if_modified_since=before)
    assert copy.get_blob_properties().copy.source == blob.url

    lease = blob.acquire_lease(lease_duration=-1)
    seen = blob.get_blob_properties().lease
    assert (seen.status, seen.state, seen.duration) == ("locked", "leased", "infinite"), seen
    lease.change("0f3e5e0a-0000-4000-8000-0000000000aa")
    assert lease.break_lease(lease_break_period=30) == 30
    assert blob.get_blob_properties().lease.state == "breaking"
    refused(ResourceExistsError, lease.renew, 409, "LeaseIsBrokenAndCannotBeRenewed")
    held = container.acquire_lease(lease_duration=15)
    assert container.get_container_properties().lease.state == "leased"
    refused(HttpResponseError, container.delete_container, 412, "LeaseIdMissing")
    held.release()
    container.delete_container()


def versions_and_snapshots(cloud: Cloud, place: Place):
    """What was: read, listed, brought back, deleted for good."""
    vault = Vault(cloud, place, "orchardyears")
    container = vault.container("years")
    container.create_container()
    still = container.get_blob_client("still")
    still.upload_blob(b"one")
    taken = still.create_snapshot()["snapshot"]
    still.upload_blob(b"two", overwrite=True)
    refused(ResourceExistsError, still.delete_blob, 409, "SnapshotsPresent")
    assert container.get_blob_client("still", snapshot=taken).download_blob().readall() == b"one"
    assert [found.snapshot for found in container.list_blobs(include=["snapshots"])] == [taken, None]
    still.delete_blob(delete_snapshots="include")
    vault.arm("PUT", "/blobServices/default", {"properties": {"isVersioningEnabled": True}})
    blob = container.get_blob_client("wine")
    first = blob.upload_blob(b"2024")["version_id"]
    second = blob.upload_blob(b"2025", overwrite=True)["version_id"]
    assert first < second
    assert container.get_blob_client("wine", version_id=first).download_blob().readall() == b"2024"
    assert blob.get_blob_properties().is_current_version and blob.get_blob_properties().version_id == second
    listed = [(found.version_id, bool(found.is_current_version)) for found in container.list_blobs("wine", include=["versions"])]
    assert listed == [(first, False), (second, True)], listed
    refused(HttpResponseError, lambda: blob.delete_blob(version_id=second), 403, "OperationNotAllowedOnRootBlob")
    blob.delete_blob()
    refused(ResourceNotFoundError, blob.get_blob_properties, 404)
    blob.start_copy_from_url(f"{blob.url}?versionid={first}")
    assert blob.download_blob().readall() == b"2024"
    blob.delete_blob(version_id=first)
    assert first not in {found.version_id for found in container.list_blobs(include=["versions"])}


def retention_and_holds(cloud: Cloud, place: Place):
    """Blobs that stay: by policies and holds of a container, and by those of single blobs."""
    vault = Vault(cloud, place, "orchardvault")
    kept_containers(vault)
    kept_blobs(vault, cloud)


def kept_containers(vault):
    """A container's policy and hold, set by resource manager, as the official client feels them."""
    container = vault.container("law")
    container.create_container()
    blob = container.get_blob_client("deed")
    blob.upload_blob(CONTENT)
    etag = vault.policy("law", "PUT", days=30)["etag"]
    assert container.get_container_properties().has_immutability_policy
    for change in (lambda: blob.upload_blob(b"x", overwrite=True), blob.delete_blob, lambda: blob.set_blob_metadata({"a": "b"}),
                   lambda: blob.set_http_headers(), blob.create_snapshot):
        refused(ResourceExistsError, change, 409, "BlobImmutableDueToPolicy")
    blob.set_standard_blob_tier("Cool")
    container.get_blob_client("another").upload_blob(b"new ones are taken")
    refused(HttpResponseError, container.delete_container, 409, "ContainerImmutabilityPolicyLocked")
    vault.policy("law", "DELETE", **{"If-Match": etag})
    assert not container.get_container_properties().has_immutability_policy
    vault.arm("POST", "/blobServices/default/containers/law/setLegalHold", {"tags": ["case17"]})
    assert container.get_container_properties().has_legal_hold
    refused(ResourceExistsError, blob.delete_blob, 409, "BlobImmutableDueToLegalHold")
    vault.arm("POST", "/blobServices/default/containers/law/clearLegalHold", {"tags": ["case17"]})
    blob.delete_blob()
    etag = vault.policy("law", "PUT", days=1)["etag"]
    etag = vault.policy("law", "POST", "/lock", **{"If-Match": etag})["etag"]
    longer = vault.policy("law", "POST", "/extend", days=2, **{"If-Match": etag})
    assert longer["properties"] == {"immutabilityPeriodSinceCreationInDays": 2, "state": "Locked"}, longer


def kept_blobs(vault, cloud):
    """Policies and holds of single blobs, set by the official client."""
    vault.arm("PUT", "/blobServices/default", {"properties": {"isVersioningEnabled": True}})
    vault.arm("PUT", "/blobServices/default/containers/wills", {"properties": {"immutableStorageWithVersioning": {"enabled": True}}})
    container = vault.container("wills")
    assert container.get_container_properties().immutable_storage_with_versioning_enabled
    now = datetime.datetime.fromisoformat(cloud.control("GET", "/clock")["now"].replace("Z", "+00:00")).replace(microsecond=0)
    until = now + datetime.timedelta(days=9)
    blob = container.get_blob_client("will")
    version = blob.upload_blob(CONTENT, immutability_policy=ImmutabilityPolicy(expiry_time=until, policy_mode="Unlocked"), legal_hold=True)["version_id"]
    seen = blob.get_blob_properties()
    assert (seen.immutability_policy.expiry_time, seen.immutability_policy.policy_mode, seen.has_legal_hold) == (until, "unlocked", True), seen
    listed = list(container.list_blobs(include=["immutabilitypolicy", "legalhold"]))
    assert (listed[0].immutability_policy.expiry_time, listed[0].has_legal_hold) == (until, True), listed
    refused(ResourceExistsError, lambda: blob.set_blob_metadata({"a": "b"}), 409, "BlobImmutableDueToLegalHold")
    assert blob.set_legal_hold(False)["legal_hold"] is False
    blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until - datetime.timedelta(days=1), policy_mode="Unlocked"))
    locked = blob.set_immutability_policy(ImmutabilityPolicy(expiry_time=until, policy_mode="Locked"))
    assert locked["immutability_policy_mode"].lower() == "locked", locked
    refused(ResourceExistsError, blob.delete_immutability_policy, 409, "ImmutabilityPolicyDeleteOnLockedPolicy")
    shorter = ImmutabilityPolicy(expiry_time=until - datetime.timedelta(days=1), policy_mode="Locked")
    refused(ResourceExistsError, lambda: blob.set_immutability_policy(shorter), 409)
    blob.delete_blob()
    refused(ResourceExistsError, lambda: blob.delete_blob(version_id=version), 409, "BlobImmutableDueToPolicy")
    assert container.get_blob_client("will", version_id=version).download_blob().readall() == CONTENT
    cloud.advance(9 * DAY)
    container = vault.container("wills")
    container.get_blob_client("will").delete_blob(version_id=version)
    plain = vault.container("terms-of-none")
    plain.create_container()
    plain.get_blob_client("x").upload_blob(b"x")
    refused(ResourceExistsError, lambda: plain.get_blob_client("x").set_legal_hold(True), 409)
