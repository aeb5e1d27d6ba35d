#!/usr/bin/env python3
"""Reads mlark's archives from FORMAT.md alone, so that the page is known to be enough.

A format that only its own program reads is that program's private matter: whoever holds an archive and a key in
twenty years may have nothing but FORMAT.md. This reader was written from that page and shares no code with mlark. It
checks all that the page lets a reader check, refuses by name, and never writes to a repository. It needs Python 3.11,
the package zstandard and, where a repository is encrypted, the program age.

    second_reader.py list REPO [--identity FILE]
    second_reader.py log REPO [--identity FILE] [--pin SIGNER]...
    second_reader.py restore REPO SNAPSHOT DIR [--identity FILE] [--pin SIGNER]...
    second_reader.py verify REPO [--identity FILE]
"""

import argparse
import collections
import hashlib
import os
import pathlib
import sys
import tempfile
import urllib.parse

from second.age import header_of
from second.canonical import Refused, each, need, sha256, text
from second.checkpoint import checkpoints
from second.limits import PATH
from second.manifest import Manifest, swept
from second.pack import PLANES
from second.repository import Repository, names_in

# --- restoring


def safe(name):
    """A name as one part of a path: %XX for what may mean something to a file system, a digest behind what is too long."""
    name = urllib.parse.quote(name, safe=" ()+,=@[]^{}")
    name = "%2E" + name[1:] if name.startswith(".") else name
    return (name if len(name) <= 200 else f"{name[:120]}%{sha256(name.encode())}") or "%"


def parts_of(path):
    """The parts of a file's path, none of which leads out of its root."""
    need(len(text(path, "path").encode()) <= PATH and "\0" not in path, "a path is too long, or has a NUL")
    parts = path.split("/")
    need(not {"", ".", ".."} & set(parts), f"the path {path!r} could leave its root")
    return [part if len(part.encode()) <= 255 else safe(part) for part in parts]


class Restore:
    """Writes a snapshot below a new folder: DIR/<kind>/<name>[/<version>]/{documents,files,secrets}/…"""

    def __init__(self, manifest, folder):
        self.manifest, self.root, self.done = manifest, pathlib.Path(folder), collections.Counter()
        self.root.mkdir(parents=True)

    def line(self, line):
        """Everything of one line."""
        item = [safe(text(line[name], name)) for name in ("kind", "name", "version") if name in line]
        for does, name in ((self.document, "documents"), (self.secret, "secrets"), (self.file, "files")):
            for record in each(line, name):
                try:
                    does([*item, name], record)
                except Refused as refusal:
                    print(f"refused: {name} of {'/'.join(item)}: {refusal}", file=sys.stderr)
                    self.done["refused"] += 1
        self.done["gaps"] += len(each(line, "gaps"))

    def document(self, item, document):
        """A document, under the name of its form."""
        self.write([*item, safe(text(document.get("form"), "form")) + ".json"], [self.manifest.document(document)], "documents")

    def secret(self, item, secret):
        """The JSON of a secret, under its place, and under the form of its document where it is of one."""
        names = [safe(text(secret[name], name)) for name in ("form", "pointer") if name == "pointer" or name in secret]
        self.write([*item, *names], [self.manifest.secret(secret)], "secrets")

    def file(self, item, file):
        """A file, a folder or a link."""
        parts, entry = item + parts_of(file.get("path")), file.get("entry")
        if entry == "directory":
            self.folder(parts)
            self.done["directories"] += 1
        elif isinstance(entry, dict) and list(entry) == ["symlink"]:
            (self.folder(parts[:-1]) / parts[-1]).symlink_to(text(entry["symlink"], "symlink"))
            self.done["symlinks"] += 1
        elif entry is None and "content" in file:
            self.write(parts, self.manifest.content(file["content"]), "files")
        elif entry is None:
            self.done["files without content"] += 1
        else:
            raise Refused(f"an entry of unknown sort: {entry}")

    def folder(self, parts):
        """Makes folders one by one and follows no link. A file may be named like a folder: such a folder gets a mark."""
        at = self.root
        for part in parts:
            at = at / part
            if at.is_symlink() or at.is_file():
                at = at.with_name(part + "%folder")
                need(not at.is_symlink(), f"{at} is a link")
            at.mkdir(exist_ok=True)
        return at

    def write(self, parts, data, counted):
        """Writes a new file, never over another and through no link; one that is not whole is taken away."""
        path = self.folder(parts[:-1]) / parts[-1]
        path = path.with_name(parts[-1] + "%file") if path.is_dir() and not path.is_symlink() else path
        with path.open("xb") as file:
            try:
                for chunk in data:
                    file.write(chunk)
            except BaseException:
                path.unlink()
                raise
            self.done[f"bytes of {counted}"] += file.tell()
        self.done[counted] += 1


# --- verifying


def verify_pack(repository, name, has_index, done):
    """One pack. Its own table is read, not the one of the index, and the two are compared unless the log says that it is hurt."""
    path = repository.pack_path(name)
    with path.open("rb") as file:
        need(hashlib.file_digest(file, "sha256").hexdigest() == name, f"pack {name} has other bytes than its name says")
        pack = repository.reopen(name)
        pack.check_tar()
        if has_index and name in repository.log.repaired("tables"):
            done["indexes hurt, as the log says"] += 1
        elif has_index:
            verify_index(repository, pack, file, path.stat().st_size)
    done["packs"] += 1
    done["packs without an index"] += not has_index
    done["objects"] += len(pack.table.objects)
    done.update(f"objects in {found.encoding} planes" for found in pack.table.objects if found.encoding in PLANES)
    done["bytes of tar"] += pack.table.tar


def verify_index(repository, pack, file, length):
    """An index against its pack: lengths, the beginning of the pack's file, the table byte for byte."""
    stated, plain, head, table = repository.index(pack.name)
    need((stated, plain) == (length, pack.length), f"the index of pack {pack.name} has other lengths")
    need(table == pack.trailer(), f"the index of pack {pack.name} has another table")
    file.seek(0)
    begins = file.read(4096)
    size, recipients = header_of(begins) if repository.encrypted else (0, [])
    need(head == begins[:size], f"pack {pack.name} does not begin as its index says")
    need(not repository.encrypted or recipients.count(b"X25519") == 1, f"pack {pack.name} is not encrypted to one recipient")
    chunks = -(-plain // 65_536) if repository.encrypted else 0
    need(length == size + plain + 16 * chunks, f"pack {pack.name} is not cut into chunks of 65,536 bytes")


def verify_snapshot(repository, name, stored, gone, done):
    """Whether the packs of a snapshot are there and not swept; what is in them is checked pack by pack."""
    record = repository.log.snapshots()[name]
    needed = {*Manifest(repository, record).packs, *each(record, "pack_list_packs", str)}
    lost = needed - stored | needed & gone
    need(not lost, f"snapshot {name} lacks packs: {', '.join(sorted(lost))}")
    done["snapshots"] += 1


# --- commands


def do_list(repository, _):
    """Lists the snapshots that are not forgotten, the oldest first."""
    marks = {name: entry["sort"] for entry in repository.log.counting("accept") for name in each(entry["what"], "snapshots", str)}
    for name, record in repository.log.snapshots().items():
        print(name, record.get("started"), record.get("outcome"), *([marks[name]] if name in marks else []), record.get("lines"), "lines", record.get("workspace"))


def do_log(repository, _):
    """Checks the log: its chain, its signatures, who was introduced and revoked, the keys, its checkpoints."""
    log, refused = repository.log, 0
    for entry in log.entries:
        print(f"{entry['entry']:010}", entry["time"], entry["sort"], "by", entry["signer"], *(["counts for nothing:", entry["why not"]] if entry["why not"] else []))
    print("owners", log.owners)
    for signer, place in log.introduced.items():
        print("machine", signer, f"introduced by entry {place}" + (f", revoked after entry {log.revoked[signer]}" if signer in log.revoked else ""))
    print(f"edition {log.edition} of the keys, {len(log.files)} files")
    for name, checkpoint, why in checkpoints(repository.folder, log):
        if checkpoint:
            print(f"checkpoint {name} holds the entries from {checkpoint.first} on, by", checkpoint.signer, *(["counts for nothing:", why] if why else []))
        else:
            print(f"refused: {why}", file=sys.stderr)
            refused += 1
    print(f"the chain and every signature hold; the head is {len(log.entries)}:{log.head}")
    return 4 if refused else 0


def do_restore(repository, arguments):
    """Restores one snapshot into a new folder, every byte checked; what is damaged is named, and the rest restored."""
    found = repository.log.snapshots()
    name = list(found)[-1] if arguments.snapshot == "latest" and found else arguments.snapshot
    need(name in found, f"there is no snapshot {name}")
    manifest = Manifest(repository, found[name])
    restore = Restore(manifest, arguments.dir)
    for line in manifest.lines():
        restore.line(line)
    restore.done["objects from packs that the snapshot does not name"] = repository.elsewhere
    print("restored:", counted(restore.done))
    return 4 if restore.done["refused"] else 0


def do_verify(repository, _):
    """Verifies every pack from its name to the last byte of its tar, its index, that no snapshot lacks a pack, and the checkpoints."""
    done = collections.Counter()
    stored, gone = {name for name in names_in(repository.folder / "packs") if repository.pack_path(name).exists()}, swept(repository)
    indexed = names_in(repository.folder / "index")
    checks = [(verify_pack, name, name in indexed) for name in sorted(stored - gone)]
    checks += [(verify_snapshot, name, stored, gone) for name in repository.log.snapshots()]
    for check, *what in checks:
        try:
            check(repository, *what, done)
        except (Refused, OSError) as refusal:
            print(f"refused: {refusal}", file=sys.stderr)
            done["refused"] += 1
    for _, checkpoint, refusal in checkpoints(repository.folder, repository.log):
        if checkpoint:
            done["checkpoints"] += 1
        else:
            print(f"refused: {refusal}", file=sys.stderr)
            done["refused"] += 1
    done["indexes without a pack"], done["swept packs still there"] = len(indexed - stored), len(stored & gone)
    print("verified:", counted(done))
    return 4 if done["refused"] else 0


def counted(done):
    """A line of counts."""
    return ", ".join(f"{count} {name}" for name, count in sorted(done.items()))


def main():
    """Reads the command line; the exit code is 0, or 4 where something is refused."""
    parser = argparse.ArgumentParser(description="Reads mlark's archives from FORMAT.md alone.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (("list", do_list), ("log", do_log), ("restore", do_restore), ("verify", do_verify)):
        command = commands.add_parser(name, help=does.__doc__)
        command.set_defaults(does=does)
        command.add_argument("repo")
        if name == "restore":
            command.add_argument("snapshot", help="an id, or latest")
            command.add_argument("dir", help="a folder that is not there yet")
        command.add_argument("--identity", help="an owner's age identity or SSH key; a machine's key file reads names")
        command.add_argument("--pin", action="append", default=[], metavar="SIGNER", help="believe entries of this machine, or by the owners' key of all that they introduced, and no others (repeatable)")
    arguments = parser.parse_args()
    os.umask(0o077)
    try:
        with tempfile.TemporaryDirectory(prefix="second-reader-") as work, Repository(arguments.repo, arguments.identity, arguments.pin, work) as repository:
            return arguments.does(repository, arguments) or 0
    except (Refused, OSError) as refusal:
        print(f"refused: {refusal}", file=sys.stderr)
        return 4


if __name__ == "__main__":
    sys.exit(main())
