"""What the official blob client does against the simulated cloud: bytes, conditions, leases, tiers, lists."""

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from cloud import Cloud, Place
from refusal import refused

CONTENT = bytes(range(256)) * 40


def blob(cloud: Cloud, place: Place):
    """Uploads whole and in blocks, reads ranges, lists, and takes the answers that conditions, leases and tiers give."""
    account, _ = cloud.store(place, "workspaceblobstore")
    container = cloud.container(account, "basket")
    container.create_container(metadata={"season": "autumn"})
    refused(ResourceExistsError, container.create_container, 409)
    assert container.get_container_properties().metadata == {"season": "autumn"}
    blob_content(container)
    blob_conditions(container)
    blob_leases(container)
    blob_tiers(container)
    blob_listing(container)
    container.delete_blob("apples/one.bin")
    refused(ResourceNotFoundError, container.get_blob_client("apples/one.bin").get_blob_properties, 404)


def blob_content(container):
    """Bytes, metadata and content settings."""
    from azure.storage.blob import BlobBlock, ContentSettings

    one = container.get_blob_client("apples/one.bin")
    one.upload_blob(CONTENT, metadata={"kind": "boskoop"}, content_settings=ContentSettings(content_type="text/x-apple"), validate_content=True)
    properties = one.get_blob_properties()
    assert (properties.size, properties.metadata, properties.content_settings.content_type) == (len(CONTENT), {"kind": "boskoop"}, "text/x-apple")
    assert one.download_blob(validate_content=True).readall() == CONTENT
    assert one.download_blob(offset=1000, length=300).readall() == CONTENT[1000:1300]
    refused(HttpResponseError, lambda: one.download_blob(offset=len(CONTENT) + 1, length=5), 416)
    empty = container.get_blob_client("apples/empty")
    empty.upload_blob(b"")
    assert empty.download_blob().readall() == b""
    blocks = container.get_blob_client("apples/blocks.bin")
    ids = [f"{n:04}" for n in range(3)]
    for n, block in enumerate(ids):
        blocks.stage_block(block, CONTENT[n * 100:(n + 1) * 100])
    committed, waiting = blocks.get_block_list("all")
    assert (len(committed), len(waiting)) == (0, 3)
    blocks.commit_block_list([BlobBlock(block_id=block) for block in ids])
    assert blocks.download_blob().readall() == CONTENT[:300]
    one.set_blob_metadata({"kind": "elstar", "count": "3"})
    assert one.get_blob_properties().metadata == {"kind": "elstar", "count": "3"}


def blob_conditions(container):
    """ETags decide who writes."""
    two = container.get_blob_client("pears/two.bin")
    two.upload_blob(b"first")
    refused(ResourceExistsError, lambda: two.upload_blob(b"second"), 409)
    etag = two.get_blob_properties().etag
    two.upload_blob(b"second", overwrite=True)
    refused(ResourceModifiedError, lambda: two.upload_blob(b"third", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified), 412)
    refused(ResourceModifiedError, lambda: two.download_blob(etag=etag, match_condition=MatchConditions.IfNotModified), 412)
    assert two.exists() and not container.get_blob_client("pears/none").exists()


def blob_leases(container):
    """Who holds a lease writes, nobody else."""
    leased = container.get_blob_client("pears/leased")
    leased.upload_blob(b"mine")
    lease = leased.acquire_lease(lease_duration=15)
    refused(HttpResponseError, lambda: leased.upload_blob(b"yours", overwrite=True), 412)
    leased.upload_blob(b"still mine", overwrite=True, lease=lease)
    refused(HttpResponseError, lambda: leased.acquire_lease(lease_duration=15), 409)
    lease.renew()
    lease.release()
    leased.upload_blob(b"anybody's", overwrite=True)


def blob_tiers(container):
    """Tiers are set, shown and obeyed."""
    from azure.storage.blob import StandardBlobTier

    cold = container.get_blob_client("cellar/cold.bin")
    cold.upload_blob(CONTENT, standard_blob_tier=StandardBlobTier.COOL)
    assert cold.get_blob_properties().blob_tier == "Cool"
    cold.set_standard_blob_tier("Archive")
    assert cold.get_blob_properties().blob_tier == "Archive"
    refused(HttpResponseError, lambda: cold.download_blob().readall(), 409)
    cold.set_standard_blob_tier("Hot", rehydrate_priority="High")
    assert cold.get_blob_properties().blob_tier in ("Archive", "Hot")


def blob_listing(container):
    """Flat and by folder, page by page."""
    names = [found.name for found in container.list_blobs(include=["metadata"], results_per_page=2)]
    assert names == sorted(names) and "apples/one.bin" in names, names
    folders = {found.name for found in container.walk_blobs(delimiter="/")}
    assert {"apples/", "pears/", "cellar/"} <= folders, folders
    assert [found.name for found in container.list_blobs(name_starts_with="cellar/")] == ["cellar/cold.bin"]
