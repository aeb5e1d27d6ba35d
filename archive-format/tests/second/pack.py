"""Packs and their tables (FORMAT.md, sections 5 and 6): what was stored is found, decompressed and checked."""

import bisect
import collections
import itertools
import os
import struct
import tarfile

import zstandard

from second.canonical import Refused, need, sha256
from second.limits import FRAME, INDEX, MIB, OBJECT, STORED

TABLE_MAGIC, SEEK_MAGIC, SEEK_END = 0x184D2A5C, 0x184D2A5E, 0x8F92EAB1
FOOTER = 9  # what a seek table ends with: the number of its records, a byte, its last magic
PLAIN, PLANES, META = 0, (2, 4, 8), 16
MEMBER = {"mode": 0o444, "uid": 0, "gid": 0, "mtime": 0, "type": b"0", "uname": "", "gname": "", "linkname": ""}

Object = collections.namedtuple("Object", "address frame offset length encoding")


class Table:
    """The table of a pack, from the pack itself or from its index."""

    def __init__(self, data):
        need(len(data) >= 48, "a table is cut off")
        magic, version, flags, _, self.kind, zeros, frames, objects, self.tar = struct.unpack_from("<8sHH16sB3sIIQ", data)
        need(magic == b"mlarktb1" and version == 1, "no table of version 1")
        need(flags == 0 and zeros == bytes(3), f"flags {flags} of a table are unknown")
        need(self.kind in (1, 2, 3, META), f"class {self.kind} of a pack is unknown")
        need(frames <= MIB and objects <= 65_536, "too many frames or objects in a table")
        need(len(data) == 48 + 8 * frames + 48 * objects + 4 and data[-4:] == bytes(4), "a table's length is wrong, or it has base objects")
        self.frames = list(struct.iter_unpack("<II", data[48:48 + 8 * frames]))
        rows = struct.iter_unpack("<32sIIIB3s", data[48 + 8 * frames:-4])
        self.objects = [self.row(*row) for row in rows]
        need(all(a.address < b.address for a, b in itertools.pairwise(self.objects)), "a table is not sorted")
        need(all(stored <= STORED and length <= FRAME for stored, length in self.frames), "a frame is larger than an object can make it")
        self.stored_at = list(itertools.accumulate((stored for stored, _ in self.frames), initial=0))
        self.tar_at = list(itertools.accumulate((length for _, length in self.frames), initial=0))
        need(self.tar_at[-1] == self.tar, "a table's frames do not add up to its tar")
        spans = sorted(self.span(found) for found in self.objects)
        for (first, last), (following, end) in itertools.pairwise(spans):
            need(following > last or first == last and following == end, "an object of several frames shares one of them")

    def span(self, found):
        """The first and the last frame of an object, which are together no larger than one frame may be."""
        end = self.tar_at[found.frame] + found.offset + found.length
        need(end <= self.tar, f"object {found.address} goes beyond its pack")
        last = bisect.bisect_left(self.tar_at, end, found.frame + 1) - 1
        for places, limit in ((self.tar_at, FRAME), (self.stored_at, STORED)):
            need(places[last + 1] - places[found.frame] <= limit, f"the frames of object {found.address} are larger than one frame may be")
        return found.frame, last

    def row(self, address, frame, offset, length, encoding, zeros):
        """One object of the table, checked against the frames."""
        need(encoding == PLAIN or encoding in PLANES, f"encoding {encoding} is unknown")
        need(zeros == bytes(3) and length <= OBJECT, "an object is over 16 MiB")
        need(frame < len(self.frames) and offset <= self.frames[frame][1], "an object lies outside of its pack")
        return Object(address.hex(), frame, offset, length, encoding)

    def find(self, address):
        """The object of an address, or None."""
        place = bisect.bisect_left(self.objects, address, key=lambda found: found.address)
        return self.objects[place] if place < len(self.objects) and self.objects[place].address == address else None


def join(width, data):
    """The bytes of planes."""
    count = len(data) // width
    joined = bytearray(count * width)
    for plane in range(width):
        joined[plane::width] = data[plane * count:(plane + 1) * count]
    return bytes(joined) + data[count * width:]


class Pack:
    """An open pack without age around it."""

    def __init__(self, name, file, table=None):
        self.name, self.file = name, file
        self.length = file.seek(0, os.SEEK_END)
        self.table = table or Table(self.trailer())
        behind = 8 + 52 + 8 * len(self.table.frames) + 48 * len(self.table.objects) + 8 + 8 * (len(self.table.frames) + 1) + FOOTER
        need(self.length - self.table.stored_at[-1] == behind, f"pack {name} is not as long as its table says")
        self.recent = collections.OrderedDict()

    def at(self, offset, count):
        """So many bytes from an offset on."""
        need(0 <= offset and 0 <= count and offset + count <= self.length, f"pack {self.name} is cut off")
        self.file.seek(offset)
        return self.file.read(count)

    def trailer(self):
        """The table's bytes, found from the pack's end; the seek table has to agree with it."""
        records, zero, magic = struct.unpack("<IBI", self.at(self.length - FOOTER, FOOTER))
        need(zero == 0 and magic == SEEK_END and 1 <= records <= MIB + 1, f"pack {self.name} does not end with a seek table")
        seek_at = self.length - FOOTER - 8 * records - 8
        seek = self.at(seek_at, 8 + 8 * records)
        need(struct.unpack_from("<II", seek) == (SEEK_MAGIC, 8 * records + FOOTER), f"the seek table of pack {self.name} is wrong")
        *frames, (stored, empty) = struct.iter_unpack("<II", seek[8:])
        need(empty == 0 and 8 <= stored <= INDEX, f"the seek table of pack {self.name} does not end with the table")
        data = self.at(seek_at - stored, stored)
        need(struct.unpack_from("<II", data) == (TABLE_MAGIC, stored - 8), f"the table of pack {self.name} is not where it should be")
        table = Table(data[8:])
        need(table.frames == frames, f"the seek table of pack {self.name} is not its table")
        need(table.stored_at[-1] == seek_at - stored, f"pack {self.name} holds bytes outside of its frames")
        return data[8:]

    def frame(self, place):
        """A frame's content; the last few are kept, since small objects share them."""
        if place not in self.recent:
            stored, length = self.table.frames[place]
            data = self.at(self.table.stored_at[place], stored)
            try:
                stated = zstandard.get_frame_parameters(data)
                need(stated.content_size == length and stated.has_checksum, f"frame {place} of pack {self.name} states another size, or has no checksum")
                self.recent[place] = zstandard.ZstdDecompressor().decompress(data, allow_extra_data=False)
            except zstandard.ZstdError as error:
                raise Refused(f"frame {place} of pack {self.name}: {error}") from error
            need(len(self.recent[place]) == length, f"frame {place} of pack {self.name} holds another size than its table says")
            if len(self.recent) > 2:
                self.recent.popitem(last=False)
        return self.recent[place]

    def object(self, found):
        """An object's bytes, checked against its address."""
        data = self.frame(found.frame)[found.offset:][:found.length]
        for place in itertools.count(found.frame + 1):
            if len(data) == found.length:
                break
            data += self.frame(place)[:found.length - len(data)]
        data = join(found.encoding, data) if found.encoding else data
        need(sha256(data) == found.address, f"object {found.address} has other bytes")
        return data

    def tar(self, offset, count):
        """A part of the tar."""
        place, found = bisect.bisect_right(self.table.tar_at, offset) - 1, b""
        while len(found) < count and place < len(self.table.frames):
            found += self.frame(place)[max(0, offset - self.table.tar_at[place]):][:count - len(found)]
            place += 1
        need(len(found) == count, f"the tar of pack {self.name} is cut off")
        return found

    def check_tar(self):
        """Every member of the tar is an object of the table with that very header, and nothing else is in it."""
        end = 0
        for found in sorted(self.table.objects, key=lambda row: (row.frame, row.offset)):
            name = found.address + (f".planes{found.encoding}" if found.encoding else "")
            need(self.table.tar_at[found.frame] + found.offset == end + 512, f"{name} is not where the table says")
            try:
                header = tarfile.TarInfo.frombuf(self.tar(end, 512), "utf-8", "strict")
            except tarfile.HeaderError as error:
                raise Refused(f"the tar header of {name}: {error}") from error
            seen = {field: getattr(header, field) for field in ("name", "size", *MEMBER)}
            need(seen == {"name": name, "size": found.length, **MEMBER}, f"the tar header of {name} says otherwise")
            self.object(found)
            padding = -found.length % 512
            need(self.tar(end + 512 + found.length, padding) == bytes(padding), f"the padding behind {name} is not zeros")
            end += 512 + found.length + padding
        need(self.table.frames[-1][1] == 1024 and end + 1024 == self.table.tar, f"the tar of pack {self.name} does not end where it should")
        need(self.tar(end, 1024) == bytes(1024), f"the tar of pack {self.name} does not end with zeros")


def index_of(name, data):
    """What the index file of a pack says: the pack's length, its length before encryption, what it begins with, the table's bytes."""
    need(len(data) >= 60, f"the index of pack {name} is cut off")
    magic, pack, length, plain, head = struct.unpack_from("<8s32sQQI", data)
    need(magic == b"mlarkix1" and pack.hex() == name and head <= 4096, f"the index of pack {name} is none, or another's")
    return length, plain, data[60:60 + head], data[60 + head:]
