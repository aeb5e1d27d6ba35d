"""The log (FORMAT.md, section 9): its chain, its signatures, and who is believed."""

import re
import tempfile

from second.canonical import Number, Refused, check_signature, digits, each, need, number, parse, record_of, sha256, text
from second.limits import ENTRY, SIGNED_LINE

SORTS = {"snapshot", "keys", "forget", "sweep", "repack", "hold", "accept", "protect", "repair", "note", "drill", "export", "erase"}
OF_OWNERS = {"keys", "repack"}  # believed of the owners alone


class Log:
    """All entries, checked from the first to the head. `keys` opens bodies; None where nothing is encrypted."""

    def __init__(self, folder, repository, owners, keys, pins):
        self.repository, self.owners, self.keys, self.pins = repository, owners, keys, set(pins)
        self.entries, self.introduced, self.revoked = [], {}, {}
        self.edition, self.files, self.head = 0, [], "0" * 64
        names = sorted(path.name for path in folder.iterdir() if re.fullmatch("[0-9]{10}", path.name))
        need(names and names == [f"{place:010}" for place in range(1, len(names) + 1)], "the log has holes")
        for place, name in enumerate(names, 1):
            need((folder / name).stat().st_size <= ENTRY, f"entry {place} is larger than {ENTRY} bytes")
            self.read(place, (folder / name).read_bytes())
        for entry in self.entries:
            entry["why not"] = self.judge(entry)

    def read(self, place, stored):
        """One entry: what holds of it whoever wrote it, which is its place in the chain and its signature; and its body, if it can be read."""
        line, newline, body = stored.partition(b"\n")
        need(newline and len(line) < SIGNED_LINE, f"entry {place} has no body")
        record = parse(line, f"entry {place}")
        stands = (record.get("format"), record.get("repository"), record.get("entry"))
        need(stands == ("1", self.repository, str(place)), f"entry {place} is of another format, repository or place")
        need(record.get("previous") == self.head, f"entry {place} does not follow the one before it")
        need(record.get("body") == sha256(body), f"the body of entry {place} is another")
        signer = digits(record.get("signer"), f"the signer of entry {place}")
        check_signature(record, "mlark log entry v1", signer, f"entry {place}")
        entry = {"entry": place, "signer": signer, "sort": "nothing", "what": {}, "time": "-", "refusal": None}
        try:
            entry |= self.told(self.opened(body, place), place)
        except Refused as refusal:
            entry["refusal"] = refusal
        if signer == self.owners and entry["sort"] == "keys":
            self.take(entry["what"], place)
        self.entries.append(entry)
        self.head = sha256(stored)

    @staticmethod
    def told(body, place):
        """What a body says."""
        told = parse(body, f"the body of entry {place}")
        need(len(record_of(told.get("body"), "body")) == 1, f"entry {place} is not of one sort")
        (sort, what), = told["body"].items()
        need(sort in SORTS, f"entry {place} is of unknown sort {sort}")
        return {"sort": sort, "what": record_of(what, sort), "time": text(told.get("time"), "time")}

    def opened(self, body, place):
        """A body without age around it."""
        if self.keys is None:
            return body
        with tempfile.TemporaryFile() as stored:
            stored.write(body)
            stored.seek(0)
            return self.keys.open(stored, f"the body of entry {place}", ENTRY)

    def take(self, what, place):
        """Takes over whom the owners introduce, and where they draw a line; it never moves up."""
        self.edition, self.files = number(what.get("edition"), "edition"), each(what, "files")
        for holder in each(what, "holders"):
            if holder.get("sort") == "machine":
                self.introduced.setdefault(digits(holder.get("signer"), "a holder's signer"), place)
        for revoked in each(what, "revoked"):
            signer, after = digits(revoked.get("signer"), "revoked"), number(revoked.get("after"), "after")
            self.revoked[signer] = min(after, self.revoked.get(signer, after))

    def judge(self, entry):
        """Refuses a forgery; why an entry counts for nothing, or None where it counts."""
        place, signer = entry["entry"], entry["signer"]
        need(place > 1 or (signer == self.owners and entry["sort"] == "keys"), "entry 1 is no keys entry of the owners")
        if signer != self.owners:
            need(self.introduced.get(signer, place) < place, f"entry {place} is a forgery: nobody introduced its signer {signer}")
            if place > self.revoked.get(signer, place):
                return "its signer was revoked"
            need(entry["sort"] not in OF_OWNERS, f"entry {place} is a forgery: the owners did not sign it, and it is of sort {entry['sort']}")
        if entry["refusal"]:
            raise entry["refusal"]
        pinned = not self.pins or entry["sort"] in OF_OWNERS or self.pins & {signer, self.owners}
        need(pinned, f"entry {place} is a forgery: its signer {signer} is not pinned")
        return None

    def key_files(self):
        """Name and SHA-256 of the key files that count."""
        for file in self.files:
            name = text(file.get("name"), "a key file's name")
            need(re.fullmatch(r"keys/[1-9][0-9]*-(data|meta|sign)(-p[1-8])?\.age", name), f"{name} is no key file's name")
            yield name, digits(file.get("sha256"), f"the SHA-256 of {name}")

    def counting(self, *sorts):
        """The entries of some sorts that count."""
        return [entry for entry in self.entries if entry["why not"] is None and entry["sort"] in sorts]

    def snapshots(self):
        """Id to record of every snapshot that is not forgotten, the oldest first. An id that comes again brings nothing."""
        found, seen = {}, set()
        for entry in self.counting("snapshot", "forget"):
            if entry["sort"] == "snapshot":
                name = text(entry["what"].get("id"), "a snapshot's id")
                found |= {} if name in seen else {name: entry["what"]}
                seen.add(name)
            else:
                for name in each(entry["what"], "snapshots", str):
                    found.pop(name, None)
        return found

    def carried(self, name, packs):
        """What a snapshot needs whose own list names these packs: what `repack` entries make of them that hold for it, one after the other."""
        place = next(entry["entry"] for entry in self.counting("snapshot") if entry["what"].get("id") == name)
        for entry in self.counting("repack"):
            if str(place) in each(entry["what"], "entries", Number):
                instead = {replaced["pack"]: each(replaced, "by", str) for replaced in each(entry["what"], "packs")}
                packs = packs - instead.keys() | {pack for gone in packs & instead.keys() for pack in instead[gone]}
        return packs

    def repaired(self, member):
        """What all repair entries name: packs that were hurt, packs whose index is, and so on."""
        return {name for entry in self.counting("repair") for name in each(entry["what"], member, str)}
