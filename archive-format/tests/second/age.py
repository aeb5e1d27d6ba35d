"""Encrypted files (age-encryption.org/v1), opened by the stock program age alone."""

import os
import pathlib
import re
import subprocess
import tempfile

from second.canonical import Refused, need


class Age:
    """Identities, in a file of a folder that nobody else reads."""

    def __init__(self, folder, name, identities):
        self.path = pathlib.Path(folder) / name
        self.path.write_bytes(identities)

    def open(self, stored, what, limit):
        """What is in an open file, at most `limit` bytes; what age writes before it fails is never used."""
        with tempfile.TemporaryFile() as plain:
            self.copy(stored, plain, what)
            need(plain.seek(0, os.SEEK_END) <= limit, f"{what} is larger than {limit} bytes")
            plain.seek(0)
            return plain.read()

    def copy(self, stored, plain, what):
        """Decrypts what follows in one open file into another."""
        ran = subprocess.run(["age", "-d", "-i", self.path], stdin=stored, stdout=plain, stderr=subprocess.PIPE, check=False)
        if ran.returncode:
            raise Refused(f"age does not open {what}: {ran.stderr.decode(errors='replace').strip()[:300]}")


def header_of(begins):
    """How long header and nonce are that an age file begins with, and of what sorts its recipients are."""
    found = re.match(rb"age-encryption\.org/v1\n(?:.*\n)*?--- .*\n", begins)
    need(found and len(begins) >= found.end() + 16, "no header of age")
    return found.end() + 16, re.findall(rb"^-> (\S+)", found[0], re.M)
