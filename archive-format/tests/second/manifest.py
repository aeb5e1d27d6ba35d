"""What a snapshot holds (FORMAT.md, section 7): packs, lines, chunk lists, contents, secrets."""

import hashlib
import hmac
import itertools
import struct

from second.canonical import digits, each, need, number, parse, record_of, text
from second.limits import LEVELS, LINE, OBJECT, PIECE


def key_of(line):
    """What lines are sorted by."""
    version = (text(line["version"], "version").encode(),) if "version" in line else ()
    part = number(line["part"], "part", (1 << 32) - 1) if "part" in line else 0
    return text(line.get("kind"), "kind").encode(), text(line.get("name"), "name").encode(), version, part


def pack_names(repository, record, lists, packs):
    """The names in a list of packs; `lists` and `packs` are the members that say what it is made of and where that lies."""
    repository.use(each(record, packs, str))
    names = []
    for address in each(record, lists, str):
        data = repository.object(address, meta=True)
        need(data[:8] == b"mlarkpl1" and len(data) % 32 == 8 and len(data) <= 8 + 32 * 65_536, f"{address} is no list of packs")
        names += [name.hex() for name, in struct.iter_unpack("32s", data[8:])]
    need(all(a < b for a, b in itertools.pairwise(names)), "a list of packs is not sorted")
    return names


def swept(repository):
    """All packs that are deleted."""
    names = set()
    for entry in repository.log.counting("sweep"):
        names.update(each(entry["what"], "packs", str), pack_names(repository, entry["what"], "list", "list_packs"))
    return names


class Manifest:
    """The manifest of one snapshot; objects are looked for in the packs that the snapshot names, before all others."""

    def __init__(self, repository, record):
        self.repository, self.record = repository, record
        named = pack_names(repository, record, "pack_list", "pack_list_packs")
        need(len(named) == number(record.get("packs"), "packs"), "a list of packs has another length than its snapshot says")
        self.packs = repository.log.carried(record.get("id"), set(named))
        repository.use(sorted(self.packs))

    def lines(self):
        """Every line, in order, none twice."""
        last, count = (), 0
        for line in self.below(self.record.get("manifest"), None):
            need(last < key_of(line), f"a line of the manifest is out of order, or there twice: {key_of(line)}")
            last, count = key_of(line), count + 1
            yield line
        need(count == number(self.record.get("lines"), "lines"), f"the manifest has {count} lines, not as many as its snapshot says")

    def below(self, address, level):
        """The lines below a node."""
        node = parse(self.repository.object(address, meta=True), f"node {address}")
        stands, children = number(node.get("level"), "level", LEVELS), each(node, "children")
        need(level in (None, stands) and len(children) <= 10_000, f"node {address} is of another level, or has too many children")
        for child in children:
            size = len(self.repository.object(child.get("address"), meta=True))
            need(size == number(child.get("size"), "size"), f"a child of {address} has another size")
            lines, count = self.below(child["address"], stands - 1) if stands else self.piece(child["address"]), 0
            for count, line in enumerate(lines, 1):
                need(count > 1 or key_of(line) == key_of(record_of(child.get("first"), "first")), f"a child of {address} begins with another line")
                yield line
            need(count == number(child.get("count"), "count"), f"a child of {address} has {count} lines")

    def piece(self, address):
        """The lines of a piece."""
        data = self.repository.object(address, PIECE, meta=True)
        need(data.endswith(b"\n"), f"piece {address} does not end with a line end")
        for line in data[:-1].split(b"\n"):
            need(len(line) < LINE, f"a line of piece {address} is over 64 KiB")
            yield parse(line, f"a line of piece {address}")

    def chunks(self, content):
        """Address and size of a file's chunks, in order."""
        if "chunk_list" not in content:
            yield from ((chunk.get("address"), number(chunk.get("size"), "size", OBJECT)) for chunk in each(content, "chunks"))
            return
        tree, count = record_of(content["chunk_list"], "chunk_list"), 0
        for count, chunk in enumerate(self.chunk_list(tree.get("address"), number(tree.get("depth"), "depth", LEVELS)), 1):
            yield chunk
        need(count == number(tree.get("chunks"), "chunks"), f"a chunk list has {count} chunks")

    def chunk_list(self, address, depth):
        """Address and size of the chunks below a list."""
        data = self.repository.object(address, 16 + 8192 * 40, meta=True)
        need(depth and data[:16] == struct.pack("<8sB7x", b"mlarkcl1", depth) and len(data) % 40 == 16, f"{address} is no chunk list of depth {depth}")
        for below, size in struct.iter_unpack("<32sQ", data[16:]):
            if depth == 1:
                yield below.hex(), size
                continue
            total = 0
            for chunk in self.chunk_list(below.hex(), depth - 1):
                total += chunk[1]
                yield chunk
            need(total == size, f"a chunk list covers {total} bytes, not {size}")

    def content(self, content):
        """A file's bytes, chunk by chunk; what they add up to is checked at the end."""
        total, digest = 0, hashlib.sha256()
        for address, size in self.chunks(record_of(content, "content")):
            data = self.repository.object(address)
            need(len(data) == size, f"chunk {address} has another size than its list says")
            total += size
            digest.update(data)
            yield data
        need(total == number(content.get("size"), "size"), f"a file has {total} bytes, not {content.get('size')}")
        need(digest.hexdigest() == digits(content.get("sha256"), "sha256"), f"a file has other bytes than its SHA-256 {content['sha256']} says")

    def document(self, record):
        """A document's bytes."""
        data = self.repository.object(record.get("address"))
        need(len(data) == number(record.get("size"), "size"), f"document {record['address']} has another size")
        return data

    def secret(self, record):
        """A secret, without the random bytes in front of it."""
        secret = self.document(record)[32:]
        need(self.repository.oldest, "a secret in the clear")
        derived = hmac.digest(self.repository.oldest, b"mlark secret hmac v1", "sha256")
        need(hmac.digest(derived, secret, "sha256").hex() == record.get("hmac"), f"the secret at {record.get('pointer')} has another HMAC")
        return secret
