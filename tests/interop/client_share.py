"""What the official client of file shares does against the simulated cloud: ranges, attributes, times, share snapshots."""

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from cloud import Cloud, Place
from refusal import refused

CONTENT = bytes(range(256)) * 40


def file_share(cloud: Cloud, place: Place):
    """Directories, ranges, attributes and times, by token with the intent of a backup."""
    share = cloud.share(*cloud.store(place, "workspaceworkingdirectory"))
    press = share.create_directory("press")
    refused(ResourceExistsError, lambda: share.create_directory("press"), 409)
    share.create_directory("press/juice")
    refused(HttpResponseError, lambda: share.create_directory("nowhere/below"), 404)
    file_ranges(share)
    for n in range(9):
        press.upload_file(f"note {n} 50% ä.txt", b"x" * n)
    names = [found["name"] for found in press.list_directories_and_files(results_per_page=4)]
    assert len(names) == 10 and "juice" in names, names
    deep = [found["name"] for found in press.get_subdirectory_client("juice").list_directories_and_files()]
    assert deep == ["must.bin"], deep
    press.set_directory_metadata({"owner": "ida"})
    assert press.get_directory_properties().metadata == {"owner": "ida"}
    refused(HttpResponseError, press.delete_directory, 409)
    press.delete_file("note 0 50% ä.txt")
    refused(ResourceNotFoundError, press.get_file_client("note 0 50% ä.txt").get_file_properties, 404)


def file_ranges(share):
    """Bytes in ranges, holes, attributes and times of one file."""
    must = share.get_file_client("press/juice/must.bin")
    must.create_file(len(CONTENT), file_attributes="ReadOnly|Archive", file_last_write_time="2024-02-03T04:05:06.0000000Z", metadata={"vat": "7"})
    must.upload_range(CONTENT[:4096], offset=0, length=4096)
    must.upload_range(CONTENT[8192:], offset=8192, length=len(CONTENT) - 8192)
    ranges, _ = must.get_ranges(), None
    assert ranges[0] == {"start": 0, "end": 4095}, ranges
    expected = CONTENT[:4096] + bytes(4096) + CONTENT[8192:]
    assert must.download_file().readall() == expected
    assert must.download_file(offset=4000, length=200).readall() == expected[4000:4200]
    properties = must.get_file_properties()
    assert "ReadOnly" in properties.file_attributes and properties.metadata == {"vat": "7"}, properties
    assert str(properties.size) == str(len(CONTENT))
    whole = share.get_file_client("press/whole.bin")
    whole.upload_file(CONTENT)
    assert whole.download_file(validate_content=True).readall() == CONTENT
    whole.clear_range(0, 512)
    assert whole.download_file().readall() == bytes(512) + CONTENT[512:]
    whole.resize_file(100)
    assert whole.get_file_properties().size == 100
    whole.delete_file()


def share_snapshots(cloud: Cloud, place: Place):
    """A share as it was: taken, listed, read, deleted, in the way of the share's own end."""
    account, _ = cloud.store(place, "workspaceworkingdirectory")
    share = cloud.share(account, "cider")
    share.create_share(metadata={"year": "2026"})
    share.create_directory("cask")
    cask = share.get_file_client("cask/1.txt")
    cask.upload_file(CONTENT)
    first = share.create_snapshot(metadata={"why": "backup"})["snapshot"]
    cask.upload_file(b"drunk")
    share.get_file_client("cask/2.txt").upload_file(b"new")
    second = share.create_snapshot()["snapshot"]
    assert first < second
    was = cloud.share(account, "cider", snapshot=first)
    assert was.get_share_properties().metadata == {"why": "backup"}
    assert [found["name"] for found in was.get_directory_client("cask").list_directories_and_files()] == ["1.txt"]
    assert was.get_file_client("cask/1.txt").download_file().readall() == CONTENT
    assert was.get_file_client("cask/1.txt").get_file_properties().size == len(CONTENT)
    refused(ResourceNotFoundError, was.get_file_client("cask/2.txt").get_file_properties, 404)
    assert cask.download_file().readall() == b"drunk"
    refused(HttpResponseError, lambda: was.create_directory("late"), 400, "ShareSnapshotOperationNotSupported")
    listed = [(found.name, found.snapshot) for found in cloud.shares(account).list_shares(name_starts_with="cider", include_snapshots=True)]
    assert listed == [("cider", first), ("cider", second), ("cider", None)], listed
    was.delete_share()
    refused(ResourceNotFoundError, was.get_share_properties, 404, "ShareSnapshotNotFound")
    refused(HttpResponseError, share.delete_share, 409, "ShareHasSnapshots")
    share.delete_share(delete_snapshots=True)
    refused(ResourceNotFoundError, share.get_share_properties, 404)


def notebooks(cloud: Cloud, place: Place):
    """The folders of three people, written as their tools write them and read whole: each file with all the folders above it."""
    share = cloud.share(*cloud.store(place, "workspaceworkingdirectory"))
    folders = ["Users/ida/sheets/2026", "Users/jon", "Users/zoe/empty"]
    files = {f"{folders[0]}/note {n} 100%.ipynb": b"{}" * (n + 1) for n in range(9)}
    files |= {f"Users/jon/a&b {n}.txt": b"x" * n for n in range(6)}
    for path, content in files.items():
        make(share, path.rsplit("/", 1)[0])
        share.get_file_client(path).upload_file(content)
    make(share, folders[2])
    assert "Users" in {entry["name"] for entry in share.list_directories_and_files(results_per_page=1)}
    found = read(share, "Users")
    assert {path: content for path, content in found.items() if path in files} == files, found.keys()


def make(share, folder):
    """A folder with those above it; one that is there is answered with a conflict."""
    made = ""
    for part in folder.split("/"):
        made = f"{made}/{part}".strip("/")
        try:
            share.create_directory(made)
        except ResourceExistsError:
            pass


def read(share, folder):
    """Path -> bytes of everything below a folder."""
    found = {}
    for entry in share.get_directory_client(folder).list_directories_and_files(results_per_page=4):
        path = f"{folder}/{entry['name']}"
        found |= read(share, path) if entry["is_directory"] else {path: share.get_file_client(path).download_file().readall()}
    return found
