"""What the official client of Azure Data Lake Storage Gen2 does against the simulated cloud. It came with azure-ai-ml."""

import uuid

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.filedatalake import FileSystemClient

from cloud import Cloud, Place
from refusal import refused

CONTENT = bytes(range(256)) * 40


def datalake(cloud: Cloud, place: Place):
    """Directories that are there by themselves, files appended to and flushed, lists, other names, and the same by blobs."""
    group = f"/subscriptions/{place.subscription}/resourceGroups/{place.group}"
    cloud.arm("PUT", f"{group}/providers/Microsoft.Storage/storageAccounts/orchardlake", {
        "location": place.location, "kind": "StorageV2", "sku": {"name": "Standard_LRS"}, "properties": {"isHnsEnabled": True}}, version="2023-01-01")
    name = f"carp-{uuid.uuid4().hex[:8]}"
    lake = FileSystemClient(f"https://orchardlake.dfs.{cloud.urls['storage_suffix']}", name, credential=cloud.credential())
    lake.create_file_system(metadata={"depth": "3"})
    refused(ResourceExistsError, lake.create_file_system, 409)
    whole = lake.get_file_client("north/reeds/a 1.bin")
    whole.upload_data(CONTENT, overwrite=True)
    assert whole.get_file_properties().size == len(CONTENT)
    assert whole.download_file().readall() == CONTENT
    assert whole.download_file(offset=100, length=50).readall() == CONTENT[100:150]
    pieces = lake.get_file_client("north/pieces.bin")
    pieces.create_file(metadata={"kind": "parts"})
    pieces.append_data(CONTENT[:1000], offset=0)
    pieces.append_data(CONTENT[1000:2500], offset=1000)
    refused(HttpResponseError, lambda: pieces.flush_data(9000), 400, "InvalidFlushPosition")
    assert pieces.get_file_properties().size == 0
    pieces.flush_data(2500)
    pieces.append_data(CONTENT[2500:3000], offset=2500)
    pieces.flush_data(3000)
    assert pieces.download_file().readall() == CONTENT[:3000]
    assert pieces.get_file_properties().metadata == {"kind": "parts"}
    lake.create_directory("south/empty")
    for number in range(9):
        lake.get_file_client(f"south/{number}.txt").upload_data(str(number).encode(), overwrite=True)
    listed = {path.name: path.is_directory for path in lake.get_paths(recursive=True, max_results=4)}
    folders = {path for path, folder in listed.items() if folder}
    assert folders == {"north", "north/reeds", "south", "south/empty"}, listed
    assert len(listed) == 4 + 2 + 9, listed
    assert {path.name for path in lake.get_paths(path="north", recursive=False)} == {"north/reeds", "north/pieces.bin"}
    moved = lake.get_directory_client("south").rename_directory(f"{name}/west")
    assert moved.get_file_client("3.txt").download_file().readall() == b"3"
    refused(ResourceNotFoundError, lake.get_file_client("south/3.txt").get_file_properties, 404)
    renamed = moved.get_file_client("3.txt").rename_file(f"{name}/west/three.txt")
    assert renamed.download_file().readall() == b"3"
    blobs = cloud.container("orchardlake", name)
    shown = {blob.name: (blob.metadata or {}).get("hdi_isfolder") for blob in blobs.list_blobs(include=["metadata"])}
    assert shown["west/empty"] == "true" and shown["west/three.txt"] is None, shown
    blobs.upload_blob("east/by-blob.txt", b"x")
    assert lake.get_directory_client("east").exists()
    refused(HttpResponseError, lambda: blobs.delete_blob("west"), 409)
    lake.delete_directory("west")
    assert {path.name for path in lake.get_paths()} == {"north", "north/reeds", "north/reeds/a 1.bin", "north/pieces.bin", "east", "east/by-blob.txt"}
    lake.delete_file_system()
