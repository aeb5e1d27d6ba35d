"""Checkpoints (FORMAT.md, section 14): entries of the log in one file, compared with the log that was read."""

import re
import struct
import tempfile

from second.canonical import Refused, check_signature, digits, need, number, parse, sha256
from second.limits import CHECKPOINT, ENTRY, SIGNED_LINE


class Checkpoint:
    """One checkpoint; refused where it is not whole, or not what its signer signed."""

    def __init__(self, path, log):
        self.what, self.log = f"checkpoint {path.name}", log
        need(path.stat().st_size <= CHECKPOINT, f"{self.what} is larger than {CHECKPOINT} bytes")
        line, newline, body = path.read_bytes().partition(b"\n")
        need(newline and len(line) < SIGNED_LINE, f"{self.what} has no first line")
        record = parse(line, self.what)
        stands = (record.get("format"), record.get("repository"), record.get("entry"))
        need(stands == ("1", log.repository, str(int(path.name))), f"{self.what} is of another format, repository or place")
        self.signer = digits(record.get("signer"), f"the signer of {self.what}")
        check_signature(record, "mlark checkpoint v1", self.signer, self.what)
        need(record.get("body") == sha256(body), f"the body of {self.what} is another")
        self.first, self.last = number(record.get("first"), "first"), int(path.name)
        need(1 <= self.first <= self.last, f"{self.what} begins behind its end")
        self.entries = list(self.cut(self.opened(body)))
        need(len(self.entries) == self.last - self.first + 1, f"{self.what} does not hold the entries that it says")
        need(record.get("hash") == sha256(self.entries[-1]), f"{self.what} ends with another entry than it says")

    def opened(self, body):
        """A body without age around it."""
        if self.log.keys is None:
            return body
        with tempfile.TemporaryFile() as stored:
            stored.write(body)
            stored.seek(0)
            return self.log.keys.open(stored, f"the body of {self.what}", CHECKPOINT)

    def cut(self, body):
        """The entries of a body."""
        at = 0
        while at < len(body):
            need(at + 4 <= len(body), f"{self.what} is cut off")
            (length,) = struct.unpack_from("<I", body, at)
            need(length <= ENTRY and at + 4 + length <= len(body), f"{self.what} is cut off")
            yield body[at + 4:at + 4 + length]
            at += 4 + length

    def compare(self, folder):
        """Refuses one that does not hold the log's entries, all and as they are; why it counts for nothing, or None where it counts."""
        need(self.last <= len(self.log.entries), f"the log has no entry where {self.what} ends")
        for place, stored in enumerate(self.entries, self.first):
            need((folder / "log" / f"{place:010}").read_bytes() == stored, f"entry {place} in {self.what} is not the one of the log")
        if self.signer == self.log.owners:
            return None
        need(self.log.introduced.get(self.signer, self.last + 1) <= self.last, f"{self.what} is a forgery: nobody introduced its signer {self.signer}")
        if self.last > self.log.revoked.get(self.signer, self.last):
            return "its signer was revoked"
        return None if not self.log.pins or self.log.pins & {self.signer, self.log.owners} else "its signer is not pinned"


def checkpoints(folder, log):
    """Each checkpoint of a repository, with why it counts for nothing, or with its refusal."""
    for path in sorted(folder.glob("checkpoints/*")):
        if not re.fullmatch("[0-9]{10}", path.name):
            continue
        try:
            found = Checkpoint(path, log)
            yield path.name, found, found.compare(folder)
        except Refused as refusal:
            yield path.name, None, refusal
