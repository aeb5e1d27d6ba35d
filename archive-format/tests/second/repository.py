"""A repository in a folder (FORMAT.md, sections 2 to 4): its record, its keys, and objects by their addresses."""

import collections
import pathlib
import re
import sys
import tempfile

from second.age import Age
from second.canonical import Refused, check_signature, digits, need, parse, sha256
from second.limits import INDEX, OBJECT, SMALL
from second.log import Log
from second.pack import META, Pack, Table, index_of

OPEN = 8  # packs kept open, as files without a name
EDITIONS = 16  # of the keys, tried without the log


def small(path):
    """A small file."""
    need(path.stat().st_size <= SMALL, f"{path.name} is larger than {SMALL} bytes")
    return path.read_bytes()


def names_in(folder):
    """The names of packs below a folder; other files are passed over."""
    return {path.name for path in folder.rglob("*") if re.fullmatch("[0-9a-f]{64}", path.name)}


class Repository:
    """A repository whose log was read to its head."""

    def __init__(self, folder, identity, pins, work):
        self.folder, self.pins, self.work = pathlib.Path(folder), pins, work
        stored = small(self.folder / "repository.json")
        need(stored.endswith(b"\n"), "repository.json has no line end")
        record = parse(stored[:-1], "repository.json")
        need(record.get("format") == "1", f"format {record.get('format')} is not known")
        need(record.get("flags") == [], f"repository.json has unknown flags: {record.get('flags')}")
        self.id = digits(record.get("id"), "the repository's id", 32)
        self.owners = digits(record.get("owners_signer"), "owners_signer")
        check_signature(record, "mlark repository v1", self.owners, "repository.json")
        self.encrypted = "encryption" in record
        self.meta = self.data = self.oldest = None
        self.packs, self.tables, self.opened, self.elsewhere = [], {}, collections.OrderedDict(), 0
        self.log = self.unlock(identity) if self.encrypted else self.read_log()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pack in self.opened.values():
            pack.file.close()

    # --- keys

    def read_log(self):
        """The log, read with the keys at hand."""
        return Log(self.folder / "log", self.id, self.owners, self.meta, self.pins)

    def unlock(self, identity):
        """Opens the newest edition of keys that the identity opens and that opens the log, then takes the files that the log names."""
        need(identity, "the repository is encrypted: --identity is needed")
        told = small(pathlib.Path(identity))
        machine = re.search(rb"^identity: *(AGE-SECRET-KEY-1[0-9A-Z]+)$", told, re.M)
        holder = Age(self.work, "holder", machine[1] + b"\n" if machine else told)
        names = [re.fullmatch(r"([1-9][0-9]{0,8})-meta\.age", path.name) for path in (self.folder / "keys").iterdir()]
        refusals = ["no key file opens the log"]
        for edition in sorted((int(name[1]) for name in names if name), reverse=True)[:EDITIONS]:
            try:
                self.meta = self.open_key(holder, f"keys/{edition}-meta.age")
                log = self.read_log()
                break
            except Refused as refusal:
                refusals.append(f"edition {edition}: {refusal}")
        else:
            raise Refused("; ".join(refusals))
        files = dict(log.key_files())
        for name, digest in files.items():
            need(sha256(small(self.folder / name)) == digest, f"{name} is not the file that the log names")
        self.meta = self.open_key(holder, f"keys/{log.edition}-meta.age", files)
        try:
            self.data = self.open_key(holder, f"keys/{log.edition}-data.age", files)
        except Refused:
            self.data = None  # a machine's key reads names alone
        return log

    def open_key(self, holder, name, files=None):
        """The secrets in a key file, of those that count."""
        need(files is None or name in files, f"the log names no {name}")
        need((self.folder / name).stat().st_size <= SMALL, f"{name} is larger than {SMALL} bytes")
        with (self.folder / name).open("rb") as stored:
            secrets = holder.open(stored, name, SMALL)
        found = re.findall(rb"^AGE-SECRET-KEY-1[0-9A-Z]+", secrets, re.M)
        need(found, f"{name} holds no identity")
        if "-meta" in name:
            self.oldest = found[-1]
        return Age(self.work, name.replace("/", "-"), secrets)

    # --- packs

    def pack_path(self, name):
        """Where a pack lies."""
        return self.folder / "packs" / digits(name, "a pack's name")[:2] / name

    def index(self, name):
        """What the index file of a pack says."""
        path = self.folder / "index" / name
        need(path.stat().st_size <= INDEX, f"the index of pack {name} is larger than {INDEX} bytes")
        with path.open("rb") as stored:
            return index_of(name, self.meta.open(stored, f"the index of pack {name}", INDEX) if self.encrypted else stored.read())

    def use(self, names):
        """From now on objects are looked for in these packs, and in others only when these have lost them."""
        self.packs = [digits(name, "a pack's name") for name in names]

    def table(self, name):
        """The table of a pack: of its index, or where that is lost or damaged its own, or None where neither can be read."""
        if name not in self.tables:
            try:
                self.tables[name] = Table(self.index(name)[3])
            except (Refused, OSError):
                self.tables[name] = self.own_table(name)
        return self.tables[name]

    def own_table(self, name):
        """The table that stands in a pack."""
        try:
            return self.pack(name).table
        except (Refused, OSError) as refusal:
            print(f"passed over: pack {name}: {refusal}", file=sys.stderr)
            return None

    def reopen(self, name):
        """A pack with nothing known of it but what stands in it."""
        self.tables.pop(name, None)
        if name in self.opened:
            self.opened.pop(name).file.close()
        return self.pack(name)

    def pack(self, name):
        """A pack, open. An encrypted one is decrypted whole, into a file without a name."""
        if name not in self.opened:
            stored, table = self.pack_path(name).open("rb"), self.tables.get(name)
            self.opened[name] = Pack(name, self.decrypted(name, stored, table) if self.encrypted else stored, table)
            if len(self.opened) > OPEN:
                self.opened.popitem(last=False)[1].file.close()
        self.opened.move_to_end(name)
        return self.opened[name]

    def decrypted(self, name, stored, table):
        """What is in an encrypted pack: its class says whose key opens it, and where no table is at hand it is tried."""
        keys = [self.meta if table.kind == META else self.data] if table else [self.meta, self.data]
        refusals = []
        with stored:
            for key in keys:
                plain = tempfile.TemporaryFile()
                try:
                    need(key, f"pack {name} holds contents, which an owner's identity opens")
                    stored.seek(0)
                    key.copy(stored, plain, f"pack {name}")
                    return plain
                except Refused as refusal:
                    refusals.append(str(refusal))
                    plain.close()
        raise Refused("; ".join(refusals))

    def object(self, address, limit=OBJECT, meta=False):
        """An object by its address. What manifests are made of comes from meta packs, everything else from the others."""
        digits(address, "an address")
        refusal = f"object {address} is in no pack"
        for name in self.nearest():
            table = self.table(name)
            found = table.find(address) if table else None
            if not found or (table.kind == META) != meta:
                continue
            try:
                need(found.length <= limit, f"object {address} is larger than {limit} bytes")
                data = self.pack(name).object(found)
            except (Refused, OSError) as error:
                refusal = str(error)
                continue
            self.elsewhere += name not in self.packs
            return data
        raise Refused(refusal)

    def nearest(self):
        """The packs in use, then all others."""
        yield from self.packs
        yield from sorted(names_in(self.folder / "packs") - set(self.packs))
