"""The second reader, which knows FORMAT.md alone, reads what mlark wrote: every byte that was backed up comes out of it,
what was damaged or forged is refused, and the commands that the page gives for a file by hand do what it says."""

import base64
import hashlib
import json
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud import BINARIES, ROOT, TARGET, Cloud, Mlark, Place

TESTS = ROOT / "archive-format/tests"
PAGE = (ROOT / "archive-format/FORMAT.md").read_text()
sys.path.insert(0, str(TESTS))
from second.canonical import Number, Refused, canonical, parse  # noqa: E402
from second.ed25519 import signed  # noqa: E402
from second.manifest import Manifest, pack_names  # noqa: E402
from second.pack import join  # noqa: E402
from second.repository import Repository  # noqa: E402
from second_reader import safe  # noqa: E402

REFUSED = 4
SOME = random.Random(11)


def reader(*words, codes=(0,)):
    """Standard output and error of a run of the reader that ended with one of the codes."""
    ran = subprocess.run([sys.executable, TESTS / "second_reader.py", *words], capture_output=True, text=True, timeout=600, check=False)
    if ran.returncode not in codes:
        raise AssertionError(f"second_reader.py {' '.join(map(str, words))} ended with {ran.returncode}\n{ran.stderr[-3000:]}\n{ran.stdout[-1000:]}")
    return ran.stdout + ran.stderr


def digest(path):
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def tree(root):
    """Relative path of everything below a folder, with what is there: a digest and size, a link's target, or a directory."""
    found = {}
    for path in root.rglob("*"):
        name = os.fsencode(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory",)
        else:
            found[name] = (digest(path), path.stat().st_size)
    return found


def restored(root):
    """The same of a restored folder, whose items lie side by side."""
    found = {}
    for item in (root / "files").iterdir():
        below = tree(item / "files")
        last = max(below, key=len)  # an item is one thing; what is above it are its folders
        found[last] = below[last]
    return found


def weights(count, width, exponent):
    """Numbers as weights are: random mantissas, few exponents."""
    data = bytearray(SOME.randbytes(count * width))
    data[width - 1::width] = bytes(SOME.choices((exponent, exponent | 0x80), k=count))
    return bytes(data)


def make_source(root):
    """A folder with what the format treats in different ways."""
    files = {
        "weights/float32.bin": weights(1_500_000, 4, 0x3C) + b"abc", "weights/bfloat16.bin": weights(1_500_000, 2, 0x3C),
        "weights/float16.bin": weights(400_001, 2, 0x2C), "weights/float64.bin": weights(500_000, 8, 0x3F),
        "weights/half a chunk.bin": weights(100_000, 4, 0x3D), "large/random.bin": SOME.randbytes(28_000_000),
        "large/text.txt": b"the same line again\n" * 1_500_000, "empty": b"", ".hidden": b"h", "notes/é name.txt": b"b" * 70_000,
        "notes/new\nline": b"n", "notes/back\\slash": b"s", "notes/%41": b"p", "notes/A": b"a", f"notes/{'long ' * 50}": b"l",
        "notes/\U0001f4d3": b"e", "notes/\uffee": b"f",
    }
    files |= {f"many/{index % 20}/{index}.txt": f"{index} ".encode() * index for index in range(600)}
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / "empty folder").mkdir()
    for name, target in (("link", "notes/A"), ("nowhere", "/not/there"), ("folder link", "notes")):
        (root / name).symlink_to(target)


class Folder(unittest.TestCase):
    """A folder, backed up twice into an encrypted and into a plain repository."""

    @classmethod
    def setUpClass(cls):
        cls.work = pathlib.Path(tempfile.mkdtemp(prefix="mlark-reader-"))
        cls.addClassCleanup(shutil.rmtree, cls.work)
        cls.source, cls.owner, cls.snapshots = cls.work / "source", cls.work / "owner.key", {}
        make_source(cls.source)
        made = subprocess.run([BINARIES / "mlark", "key", "generate"], check=True, capture_output=True, text=True).stdout
        cls.owner.write_text(made)
        public = re.search("age1[a-z0-9]+", made)[0]
        for name, words in (("encrypted", ["--recipient", public]), ("plain", ["--unencrypted"])):
            (cls.work / f"{name}.toml").write_text(f'[repository]\nurl = "{cls.work / name}"\ncache = "{cls.work}/{name}.cache"\nkey_file = "{cls.work}/{name}.key"\n')
            cls.mlark(name, "init", *words)
        cls.states = [cls.backup()]
        (cls.source / "notes/A").write_bytes(b"another")
        (cls.source / "large/random.bin").write_bytes((cls.source / "large/random.bin").read_bytes()[:14_000_000] + b"!" + SOME.randbytes(3_000_000))
        (cls.source / "empty").unlink()
        cls.states.append(cls.backup())

    @classmethod
    def mlark(cls, name, *words):
        """Runs the program on one of the repositories."""
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MLARK")}
        return subprocess.run([BINARIES / "mlark", "--config", cls.work / f"{name}.toml", "--no-progress", *words], check=True, env=environment, capture_output=True, text=True).stdout

    @classmethod
    def backup(cls):
        """Backs the folder up into both; what was there."""
        for name in ("encrypted", "plain"):
            told = cls.mlark(name, "backup", cls.source)
            cls.snapshots.setdefault(name, []).append(re.search(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", told)[0])
        return tree(cls.source)

    def both(self):
        """Name, folder and further words of each repository."""
        for name, words in (("encrypted", ["--identity", self.owner]), ("plain", [])):
            with self.subTest(name):
                yield name, self.work / name, words

    def copy(self, name):
        """A copy to damage."""
        copy = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work))
        shutil.copytree(self.work / name, copy, dirs_exist_ok=True)
        return copy

    def test_every_file_of_both_snapshots_comes_back_with_its_bytes(self):
        for name, repository, words in self.both():
            for place, snapshot in enumerate(self.snapshots[name]):
                target = self.work / f"restored-{name}-{place}"
                told = reader("restore", repository, snapshot, target, *words)
                self.assertGreater(len(self.states[place]), 600)
                self.assertEqual(restored(target), self.states[place])
                self.assertIn(" 0 objects from packs that the snapshot does not name", told)
                files = [found for found in self.states[place].values() if len(found) == 2 and found[0] != "link"]
                self.assertIn(f" {len(files)} files,", told)
                self.assertIn(f" {sum(size for _, size in files)} bytes of files,", f" {told.removeprefix('restored: ')}")
                print(f"\n{name} {place}: {told.strip()}", end=" ")

    def test_list_and_log_name_what_was_done(self):
        for name, repository, words in self.both():
            told = reader("list", repository, *words).splitlines()
            self.assertEqual([line.split()[0] for line in told], self.snapshots[name])
            told = reader("log", repository, *words)
            self.assertEqual([line.split()[2] for line in told.splitlines()[:3]], ["keys", "snapshot", "snapshot"])
            self.assertIn("the chain and every signature hold; the head is 3:", told)

    def test_packs_and_indexes_hold_with_planes_of_every_width(self):
        for _, repository, words in self.both():
            told = reader("verify", repository, *words)
            for width in (2, 4, 8):
                self.assertRegex(told, f"[1-9][0-9]* objects in {width} planes")
            self.assertIn(" 2 snapshots", told)
            print(f"\n{told.strip()}", end=" ")

    def test_a_chunk_list_is_in_use(self):
        with tempfile.TemporaryDirectory() as work, Repository(self.work / "plain", None, [], work) as repository:
            lines = list(Manifest(repository, repository.log.snapshots()[self.snapshots["plain"][0]]).lines())
        lists = [file["content"]["chunk_list"] for line in lines for file in line["files"] if "chunk_list" in file.get("content", {})]
        self.assertTrue(any(int(tree["chunks"]) > 16 for tree in lists))

    def test_pins_decide_whom_a_reader_believes(self):
        for name, repository, words in self.both():
            for who in ("machine", "owners"):
                pinned = re.search(f"^{who} ([0-9a-f]{{64}})", reader("log", repository, *words), re.M)[1]
                self.assertEqual(len(reader("list", repository, *words, "--pin", pinned).splitlines()), 2)
            self.assertIn("is not pinned", reader("list", repository, *words, "--pin", "00" * 32, codes=(REFUSED,)))

    def test_a_machines_key_reads_names_and_no_contents(self):
        words = ["--identity", self.work / "encrypted.key"]
        self.assertEqual(len(reader("list", self.work / "encrypted", *words).splitlines()), 2)
        told = reader("restore", self.work / "encrypted", "latest", self.work / "names", *words, codes=(REFUSED,))
        self.assertIn("an owner's identity", told)
        self.assertEqual([path for path in (self.work / "names").rglob("*") if path.is_file() and path.stat().st_size], [])

    def test_a_flipped_byte_in_any_file_is_refused(self):
        for name, _, words in self.both():
            copy, flips = self.copy(name), 0
            for path in [path for path in sorted(copy.rglob("*")) if path.is_file() and path.parent.name != "probe"]:
                data, command = path.read_bytes(), "verify" if path.is_relative_to(copy / "packs") or path.is_relative_to(copy / "index") else "log"
                places = {len(data) // 3} if path.is_relative_to(copy / "packs") else {0, len(data) // 3, len(data) - 1}
                for place in sorted(places):
                    path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1:])
                    told = reader(command, copy, *words, codes=(REFUSED,))
                    self.assertIn("refused: ", told, f"{path} at {place}")
                    flips += 1
                path.write_bytes(data)
            reader("verify", copy, *words)
            self.assertGreater(flips, 30)
            print(f"\n{name}: {flips} flips", end=" ")

    def test_a_checkpoint_that_a_run_of_the_program_left_holds_the_logs_entries(self):
        words = ["--identity", self.owner]
        (self.work / "long.toml").write_text(f'[repository]\nurl = "{self.work}/long"\ncache = "{self.work}/long.cache"\nkey_file = "{self.work}/long.key"\n')
        self.mlark("long", "init", "--recipient", re.search("age1[a-z0-9]+", self.owner.read_text())[0])
        snapshot = re.search(r"\b[0-9A-HJKMNP-TV-Z]{26}\b", self.mlark("long", "backup", self.source / "notes"))[0]
        for entry in range(3, 104):
            self.mlark("long", "snapshots", "protect" if entry % 2 else "unprotect", snapshot)
        self.assertEqual([path.name for path in (self.work / "long/checkpoints").iterdir()], ["0000000100"])
        self.assertIn("checkpoint 0000000100 holds the entries from 1 on, by ", reader("log", self.work / "long", *words))
        self.assertIn(" 1 checkpoints,", reader("verify", self.work / "long", *words))
        # Who knows nothing of the log and cannot read an entry in the middle begins at the checkpoint.
        shutil.rmtree(self.work / "long.cache")
        entry = self.work / "long/log/0000000050"
        data = entry.read_bytes()
        entry.write_bytes(b"lost")
        self.assertIn(snapshot, self.mlark("long", "snapshots"))
        entry.write_bytes(data)
        copy = self.copy("long")
        path = copy / "checkpoints/0000000100"
        line, body = path.read_bytes().split(b"\n", 1)
        for harmed, refusal in ((line + b"\n" + body[:-1], "the body of checkpoint 0000000100 is another"), (line[:-2] + b"\n", "refused: "),
                                (line.replace(b'"first":1', b'"first":2') + b"\n" + body, "the signature of checkpoint 0000000100 is wrong")):
            path.write_bytes(harmed)
            self.assertIn(refusal, reader("log", copy, *words, codes=(REFUSED,)))
            self.assertIn(refusal, reader("verify", copy, *words, codes=(REFUSED,)))

    def test_a_log_that_lacks_an_entry_is_refused_unless_it_is_the_last(self):
        copy = self.copy("plain")
        (copy / "log/0000000003").unlink()
        self.assertEqual(len(reader("list", copy).splitlines()), 1)
        (copy / "log/0000000001").unlink()
        self.assertIn("holes", reader("log", copy, codes=(REFUSED,)))

    def test_an_entry_with_another_body_needs_another_signature(self):
        copy = self.copy("plain")
        path = copy / "log/0000000003"
        line, body = path.read_bytes().split(b"\n", 1)
        other = body.replace(b'"outcome":"complete"', b'"outcome":"partial"')
        self.assertNotEqual(other, body)
        path.write_bytes(line + b"\n" + other)
        self.assertIn("the body of entry 3 is another", reader("log", copy, codes=(REFUSED,)))
        path.write_bytes(line.replace(hashlib.sha256(body).hexdigest().encode(), hashlib.sha256(other).hexdigest().encode()) + b"\n" + other)
        self.assertIn("the signature of entry 3 is wrong", reader("log", copy, codes=(REFUSED,)))

    def append(self, copy, key, sort, what, recipient=None):
        """Puts an entry with a good place in the chain and a good signature, encrypted where there is a recipient."""
        last = max((copy / "log").glob("0?????????"))
        canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":")).encode()  # noqa: E731
        body = canonical({"body": {sort: what}, "program": "forger", "run": "0" * 26, "time": "2026-01-01T00:00:00Z"})
        body = subprocess.run(["age", "-r", recipient], input=body, check=True, capture_output=True).stdout if recipient else body
        line = {"body": hashlib.sha256(body).hexdigest(), "entry": int(last.name) + 1, "format": 1, "previous": digest(last),
                "repository": json.loads((copy / "repository.json").read_text())["id"], "signer": key.public_key().public_bytes_raw().hex()}
        line["signature"] = key.sign(b"mlark log entry v1\n" + canonical(line)).hex()
        (copy / f"log/{int(last.name) + 1:010}").write_bytes(canonical(line) + b"\n" + body)

    def keys(self):
        """The owners' and the machine's signing keys of the plain repository."""
        told = (self.work / "plain.key").read_text()
        return [Ed25519PrivateKey.from_private_bytes(bytes.fromhex(re.search(f"^{name}: (.*)$", told, re.M)[1])) for name in ("owners-signing-key", "signing-key")]

    def test_an_ssh_owner_of_a_new_edition_reads_and_editions_that_no_entry_names_do_not_count(self):
        copy = self.copy("encrypted")
        meta = json.loads((copy / "repository.json").read_text())["encryption"]["meta"]
        secrets = {sort: subprocess.run(["age", "-d", "-i", self.owner, copy / f"keys/1-{sort}.age"], check=True, capture_output=True).stdout for sort in ("data", "meta", "sign")}
        owners = Ed25519PrivateKey.from_private_bytes(base64.b64decode(b"".join(secrets["sign"].split(b"\n")[1:-2]))[16:48])
        ssh, other = Ed25519PrivateKey.generate(), copy / "ssh.key"
        other.write_bytes(ssh.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()))
        other.chmod(0o600)
        recipient = ssh.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        self.assertIn("no key file opens", reader("list", copy, "--identity", other, codes=(REFUSED,)))
        for edition in (2, 3):
            for sort, secret in secrets.items():
                path = copy / f"keys/{edition}-{sort}.age"
                subprocess.run(["age", "-r", recipient, "-o", path], input=secret, check=True)
            if edition == 2:
                files = [{"name": f"keys/2-{sort}.age", "sha256": digest(copy / f"keys/2-{sort}.age")} for sort in secrets]
                self.append(copy, owners, "keys", {"edition": 2, "files": files, "holders": []}, meta)
        target = self.work / "by-ssh"
        reader("restore", copy, "latest", target, "--identity", other)
        self.assertEqual(restored(target), self.states[1])
        self.assertIn("edition 2 of the keys", reader("log", copy, "--identity", other))
        self.assertIn("age does not open keys/2-meta.age", reader("list", copy, "--identity", self.owner, codes=(REFUSED,)))

    def test_forged_entries_with_good_signatures_are_refused(self):
        owners, machine = self.keys()
        nothing = {"edition": 2, "files": [], "holders": []}
        for key, sort, what, refusal in ((Ed25519PrivateKey.generate(), "forget", {"snapshots": self.snapshots["plain"]}, "entry 4 is a forgery"),
                                         (machine, "keys", nothing, "entry 4 is a forgery"), (owners, "wonder", {}, "unknown sort")):
            copy = self.copy("plain")
            self.append(copy, key, sort, what)
            self.assertIn(refusal, reader("list", copy, codes=(REFUSED,)))

    def test_what_a_machine_says_behind_the_line_counts_for_nothing(self):
        owners, machine = self.keys()
        signer = machine.public_key().public_bytes_raw().hex()
        for after, left in ((3, self.snapshots["plain"]), (2, self.snapshots["plain"][:1]), (1, [])):
            copy = self.copy("plain")
            self.append(copy, owners, "keys", {"edition": 2, "files": [], "holders": [], "revoked": [{"after": after, "signer": signer}]})
            self.append(copy, machine, "forget", {"snapshots": self.snapshots["plain"]})
            self.append(copy, machine, "keys", {"edition": 3, "files": [], "holders": []})
            (copy / "log/0000000001.tmp").write_bytes(b"no entry")
            self.append(copy, owners, "keys", {"edition": 4, "files": [], "holders": [], "revoked": [{"after": 9, "signer": signer}]})
            self.assertEqual([line.split()[0] for line in reader("list", copy).splitlines()], left)

    def test_a_snapshot_that_the_owners_forget_is_gone(self):
        copy = self.copy("plain")
        self.append(copy, self.keys()[0], "forget", {"snapshots": self.snapshots["plain"][:1]})
        self.assertEqual([line.split()[0] for line in reader("list", copy).splitlines()], self.snapshots["plain"][1:])

    def test_a_pack_whose_name_fits_its_altered_bytes_is_refused_all_the_same(self):
        copy = self.copy("plain")
        largest = max((path for path in (copy / "packs").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        data = largest.read_bytes()
        for place in (20, len(data) // 2, len(data) - 30, len(data) - 3):
            other = data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1:]
            name = hashlib.sha256(other).hexdigest()
            path = copy / "packs" / name[:2] / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(other)
            self.assertRegex(reader("verify", copy, codes=(REFUSED,)), "refused: .*(pack|frame|object|table)", f"at {place}")
            path.unlink()

    def test_an_index_that_somebody_else_encrypted_is_compared_with_its_pack(self):
        """Whoever has the storage can encrypt to the public recipient: that an index opens says nothing of what is in it."""
        copy = self.copy("encrypted")
        recipient = json.loads((copy / "repository.json").read_text())["encryption"]["meta"]
        secrets = subprocess.run(["age", "-d", "-i", self.owner, copy / "keys/1-meta.age"], check=True, capture_output=True).stdout
        (copy / "meta.key").write_bytes(secrets)
        path = max((copy / "index").iterdir(), key=lambda path: path.stat().st_size)
        data = subprocess.run(["age", "-d", "-i", copy / "meta.key", path], check=True, capture_output=True).stdout
        for place in (8, 40, 48, 100, len(data) - 20):  # the pack's name, its two lengths, what it begins with, an object
            path.unlink()
            other = data[:place] + bytes([data[place] ^ 1]) + data[place + 1:]
            subprocess.run(["age", "-r", recipient, "-o", path], input=other, check=True)
            told = reader("verify", copy, "--identity", self.owner, codes=(REFUSED,))
            self.assertRegex(told, f"refused: .*(index|pack|table).*{path.name[:4]}|refused: a table|refused: an object", f"at {place}")

    def test_what_is_damaged_is_named_and_the_rest_restored(self):
        copy = self.copy("plain")
        smallest = (self.source / "notes/A").read_bytes()
        lost = 0
        for path in [path for path in (copy / "packs").rglob("*") if path.is_file() and path.stat().st_size > 5_000_000]:
            data = bytearray(path.read_bytes())
            for part in (1, 2, 3):  # of four: the newest snapshot does not need every file that a pack holds
                data[len(data) * part // 4] ^= 1
            path.write_bytes(data)
            lost += 1
        self.assertGreater(lost, 0)
        told = reader("restore", copy, "latest", self.work / "rest", codes=(REFUSED,))
        self.assertIn("refused: files of files/", told)
        self.assertIn(smallest, [path.read_bytes() for path in (self.work / "rest").rglob("A")])
        rest = restored(self.work / "rest")
        self.assertTrue(all(self.states[1][name] == found for name, found in rest.items() if found != ("directory",)))
        self.assertGreater(len(rest), 500)

    def test_a_pack_whose_index_is_lost_is_read_by_its_own_table(self):
        for name, _, words in self.both():
            copy = self.copy(name)
            for path in (copy / "index").iterdir():
                path.unlink()
            target = self.work / f"without-index-{name}"
            reader("restore", copy, "latest", target, *words)
            self.assertEqual(restored(target), self.states[1])

    def test_a_lost_pack_is_made_up_for_by_what_another_snapshot_stored_again(self):
        copy = self.copy("plain")
        config = self.work / "again.toml"
        config.write_text((self.work / "plain.toml").read_text().replace(str(self.work / "plain") + '"', f'{copy}"').replace("plain.cache", "again.cache"))
        lost = max((path for path in (copy / "packs").rglob("*") if path.is_file()), key=lambda path: path.stat().st_size)
        lost.unlink()
        program = [BINARIES / "mlark", "--config", config, "--no-progress"]
        repaired = subprocess.run([*program, "check", "--read-data", "--repair"], capture_output=True, text=True, check=False)
        self.assertIn("Log entry 4 says so", repaired.stdout + repaired.stderr)
        subprocess.run([*program, "backup", "--full", self.source], capture_output=True, check=True)
        target = self.work / "made-up-for"
        told = reader("restore", copy, self.snapshots["plain"][1], target)
        self.assertEqual(restored(target), self.states[1])
        self.assertRegex(told, "[1-9][0-9]* objects from packs that the snapshot does not name")
        self.assertIn(f"lacks packs: {lost.name}", reader("verify", copy, codes=(REFUSED,)))

    def test_a_file_by_hand_with_the_commands_of_the_page(self):
        section = PAGE.split("\n## 11. ")[1].split("\n## ")[0]
        unpack, manifest, take = re.findall(r"^```sh\n(.*?)^```", section, re.M | re.S)
        hand = self.copy("encrypted")
        python = [re.search(r"^```python\n(.*?)^```", part, re.M | re.S)[1] for part in (PAGE.split("\n## 5. ")[1], section)]
        (hand / "join.py").write_text("".join(python))

        def shell(commands, **words):
            """Runs commands of the page as they stand there."""
            subprocess.run(["sh", "-euc", commands], cwd=hand, check=True, capture_output=True, env=os.environ | words)

        shell(unpack, owner=str(self.owner))
        shell(manifest)
        for path in ("large/random.bin", "weights/bfloat16.bin", "notes/é name.txt"):
            shell(take, name=path, path=path)
            self.assertEqual(digest(hand / "file"), self.states[1][os.fsencode(path)][0])


class OldArchives(unittest.TestCase):
    """The archives that released versions made, which are committed and never made anew."""

    def each(self):
        """Folder, what is told of it, and the words of each key that reads contents."""
        folders = sorted((TESTS / "fixtures").glob("format-*"))
        self.assertGreaterEqual(len(folders), 2)
        for folder in folders:
            told = json.loads((folder / "expected.json").read_text())
            keys = [folder / "keys" / name for name in ("owner.key", "ssh_ed25519")]
            for words in [["--identity", key] for key in keys if key.exists()] or [[]]:
                with self.subTest(folder.name, words=words):
                    yield folder / "repository", told, words

    def expected(self, snapshot):
        """Where a restore puts what is told of a snapshot, with size and digest, a link's target, or a directory."""
        found = {}
        for item in snapshot["items"]:
            at = "/".join(safe(item[name]) for name in ("kind", "name", "version") if name in item)
            for document in item.get("documents", []):
                found[f"{at}/documents/{document['form']}.json"] = document["bytes"]
            for secret in item.get("secrets", []):
                form = f"{secret['form']}/" if "form" in secret else ""
                found[f"{at}/secrets/{form}{safe(secret['pointer'])}"] = secret["bytes"]
            for file in item.get("files", []):
                found[f"{at}/files/{file['path']}"] = "directory" if file.get("directory") else file.get("symlink") or file["bytes"]
        return found

    def restored(self, target, expected):
        """The same of what lies there; of directories those that are told of, since others are but above files."""
        found = {}
        for path in target.rglob("*"):
            name = str(path.relative_to(target))
            if path.is_symlink():
                found[name] = os.readlink(path)
            elif path.is_file():
                found[name] = f"{path.stat().st_size} {digest(path)}"
            elif expected.get(name) == "directory":
                found[name] = "directory"
        return found

    def test_every_item_comes_out_as_it_is_told(self):
        for repository, told, words in self.each():
            listed = [line.split()[0] for line in reader("list", repository, *words).splitlines()]
            self.assertEqual(listed, [snapshot["id"] for snapshot in told["snapshots"]])
            for snapshot in told["snapshots"]:
                with tempfile.TemporaryDirectory() as work:
                    target = pathlib.Path(work) / "restored"
                    printed = reader("restore", repository, snapshot["id"], target, *words)
                    expected = self.expected(snapshot)
                    self.assertEqual(self.restored(target, expected), expected)
                    self.assertIn(f" {sum(len(item.get('gaps', [])) for item in snapshot['items'])} gaps,", printed)

    def test_the_lines_of_manifests_are_as_they_are_told(self):
        for repository, told, words in self.each():
            with tempfile.TemporaryDirectory() as work, Repository(repository, words[-1] if words else None, [], work) as opened:
                for snapshot in told["snapshots"]:
                    lines = Manifest(opened, opened.log.snapshots()[snapshot["id"]]).lines()
                    text = b"".join(canonical(line).encode() + b"\n" for line in lines)
                    self.assertEqual(f"{len(text)} {hashlib.sha256(text).hexdigest()}", snapshot["lines"])

    def test_every_pack_entry_and_checkpoint_holds(self):
        for repository, told, words in self.each():
            printed = reader("verify", repository, *words)
            self.assertNotIn("refused", printed)
            for held in (" 1 checkpoints,", " 1 objects in 2 planes", " 1 objects in 8 planes", f" {len(told['snapshots'])} snapshots,"):
                self.assertIn(held, printed)
            entries = [line.split() for line in reader("log", repository, *words).splitlines() if re.match("[0-9]{10} ", line)]
            self.assertEqual([entry[2] for entry in entries], told["log"])
            passed = [f"log/{entry[0]}" for entry in entries if "counts for nothing" in " ".join(entry)]
            self.assertEqual(passed, [name for name in told["odd"] if name.startswith("log/")])

    def test_a_machine_that_was_removed_opens_nothing(self):
        folder = TESTS / "fixtures/format-1-encrypted"
        self.assertEqual(len(reader("list", folder / "repository", "--identity", folder / "keys/machine.key").splitlines()), 5)
        self.assertIn("no key file opens", reader("list", folder / "repository", "--identity", folder / "keys/laptop.key", codes=(REFUSED,)))


class Workspace(unittest.TestCase):
    """A team's workspace with secrets and with an item of so many files that its line is cut into parts."""

    MANY = 700

    @classmethod
    def setUpClass(cls):
        cls.cloud = cloud = Cloud(world="demo")
        cls.addClassCleanup(cloud.close)
        first = cloud.about["workspaces"][0]
        source = Place(first["subscription"], first["group"], first["name"], first["location"])
        cls.dump = f"/workspaces/{source.subscription}/{source.group}/{source.name}"
        before = cloud.control("GET", cls.dump)
        job = next(name for name in sorted(before["blobs"]) if name.endswith("/user_logs/std_log.txt"))
        container, cls.prefix = job.removesuffix("user_logs/std_log.txt").split("/", 1)
        store = cloud.container(before["account"], container)
        for index in range(cls.MANY):
            store.upload_blob(f"{cls.prefix}outputs/shards/{index:05}.bin", SOME.randbytes(index))
        cls.mlark = Mlark(cloud, source, TARGET, "secrets = true")
        cls.mlark.init()
        cls.mlark.run("backup", "prod", codes=(0, 3))
        cls.target = cls.mlark.folder / "restored"
        cls.words = [cls.mlark.folder / "repository", "--identity", cls.mlark.owner]
        cls.told = reader("restore", cls.words[0], "latest", cls.target, *cls.words[1:])

    def test_files_of_models_notebooks_and_jobs_are_those_of_the_storage(self):
        dump = self.cloud.control("GET", self.dump)
        stored = {(name.rpartition("/")[2], found["sha256"]) for name, found in [*dump["blobs"].items(), *dump["files"].items()] if "sha256" in found}
        seen = 0
        for kind in ("models/*/*/files", "notebooks/*/files", "jobs/*/files/artifacts"):
            found = [path for path in self.target.glob(f"{kind}/**/*") if path.is_file()]
            self.assertGreater(len(found), 50, kind)
            for path in found:
                self.assertIn((path.name, digest(path)), stored, path)
            seen += len(found)
        self.assertGreater(seen, self.MANY + 1000)
        print(f"\n{self.told.strip()}; {seen} files compared", end=" ")

    def test_an_item_in_parts_has_all_its_files(self):
        with tempfile.TemporaryDirectory() as work, Repository(self.words[0], self.mlark.owner, [], work) as repository:
            snapshot, = repository.log.snapshots().values()
            parts = [line for line in Manifest(repository, snapshot).lines() if "part" in line]
        self.assertTrue(parts)
        dump = self.cloud.control("GET", self.dump)["blobs"]
        stored = {name.rpartition("/")[2]: found["sha256"] for name, found in dump.items() if f"/{self.prefix}outputs/shards/" in name}
        self.assertEqual(len(stored), self.MANY)
        shards = {path.name: digest(path) for path in self.target.glob("*/**/shards/*")}
        self.assertEqual(shards, stored)

    def test_documents_are_canonical_and_secrets_stand_apart(self):
        documents = [path for path in self.target.glob("*/**/documents/*.json") if path.is_file()]
        self.assertGreater(len(documents), 500)
        for path in documents:
            parse(path.read_bytes(), path.name)
        stored = json.dumps(self.cloud.control("GET", self.dump)["secrets"])
        secrets = [path for path in self.target.glob("datastores/*/secrets/arm/*") if path.is_file()]
        self.assertGreater(len(secrets), 3)
        for path in secrets:
            document = (path.parents[2] / "documents/arm.json").read_text()
            secret = json.loads(path.read_text())
            self.assertGreater(len(secret), 8)
            self.assertNotIn(secret, document)
            self.assertIn(secret, stored)

    def test_the_repository_verifies(self):
        self.assertNotIn("refused", reader("verify", *self.words))


class Store:
    """Objects in memory, for trees that no test can afford to fill."""

    def __init__(self):
        self.objects = {}

    def put(self, data):
        """Keeps an object; its address."""
        address = hashlib.sha256(data).hexdigest()
        self.objects[address] = data
        return address

    def use(self, _):
        """All packs are at hand."""

    @property
    def log(self):
        """One in which nothing was repacked."""
        return self

    def carried(self, _, packs):
        """What a snapshot needs that names these packs."""
        return packs

    def object(self, address, _limit=0, meta=False):
        """An object."""
        return self.objects[address]


class Parts(unittest.TestCase):
    """What the reader is made of, against what others published."""

    def test_signatures_of_rfc_8032_hold_and_altered_ones_do_not(self):
        vectors = [  # section 7.1: TEST 1, TEST 2, TEST 3
            ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
             "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
            ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
             "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
            ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
             "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
        ]
        for key, message, signature in [[bytes.fromhex(text) for text in vector] for vector in vectors]:
            self.assertTrue(signed(key, message, signature))
            self.assertFalse(signed(key, message + b"!", signature))
            for place in (0, 31, 32, 63):
                self.assertFalse(signed(key, message, signature[:place] + bytes([signature[place] ^ 1]) + signature[place + 1:]))

    def test_lists_of_lists_and_nodes_of_nodes_are_followed_and_their_sums_checked(self):
        def chunk_list(depth, rows):
            return struct.pack("<8sB7x", b"mlarkcl1", depth) + b"".join(struct.pack("<32sQ", bytes.fromhex(address), size) for address, size in rows)

        def node(level, children):
            return json.dumps({"children": children, "level": level}, sort_keys=True, separators=(",", ":")).encode()

        for wrong in (None, "covers", "count", "first", "size", "level"):
            store = Store()
            chunks = [(store.put(data), len(data)) for data in (b"one", b"two!", b"three")]
            lists = [(store.put(chunk_list(1, chunks[:2])), 7), (store.put(chunk_list(1, chunks[2:])), 6 if wrong == "covers" else 5)]
            content = {"chunk_list": {"address": store.put(chunk_list(2, lists)), "chunks": 3, "depth": 2}, "sha256": hashlib.sha256(b"onetwo!three").hexdigest(), "size": 12}
            children = []
            for name in "ab":
                piece = json.dumps({"files": [{"content": content, "path": "it"}], "kind": "files", "name": name}, sort_keys=True, separators=(",", ":")).encode() + b"\n"
                leaf = node(0, [{"address": store.put(piece), "count": 2 if wrong == "count" else 1, "first": {"kind": "files", "name": "a" if wrong == "first" else name}, "size": len(piece)}])
                children.append({"address": store.put(leaf), "count": 1, "first": {"kind": "files", "name": name}, "size": len(leaf) + (wrong == "size")})
            root = store.put(node(2 if wrong == "level" else 1, children))
            record = parse(json.dumps({"lines": 2, "manifest": root, "packs": 0}).replace(" ", "").encode(), "it")
            read = lambda: [b"".join(manifest.content(line["files"][0]["content"])) for line in manifest.lines()]  # noqa: E731
            manifest = Manifest(store, record)
            if wrong:
                with self.subTest(wrong), self.assertRaises(Refused):
                    read()
            else:
                self.assertEqual(read(), [b"onetwo!three"] * 2)

    def example(self, name):
        """A worked example of the page."""
        return re.search(rf"^```text {re.escape(name)}\n(.*?)^```", PAGE.split("\n## 15. ")[1], re.M | re.S)[1]

    def rows(self, name):
        """The bytes of an example's rows; whenever an offset begins anew, they are others."""
        found = []
        for offset, row in re.findall(r"^([0-9a-f]{4})  ((?:[0-9a-f]{2} ?)+)", self.example(name), re.M):
            found += [b""] if offset == "0000" else []
            self.assertEqual(int(offset, 16), len(found[-1]))
            found[-1] += bytes.fromhex(row)
        return found

    def text(self, name):
        """An example that is text."""
        return "".join(self.example(name).splitlines()).replace("↵", "\n").encode()

    def test_the_examples_of_the_page_are_read(self):
        with tempfile.TemporaryDirectory() as work:
            folder = pathlib.Path(work)
            (pack,), (index,) = self.rows("pack"), self.rows("index")
            name = hashlib.sha256(pack).hexdigest()
            self.assertIn(f"`{name}`", PAGE)
            entry, (length,) = self.text("entry"), self.rows("checkpoint")
            self.assertEqual(length, struct.pack("<I", len(entry)))
            table = pack[pack.index(b"mlarktb1"):][:116]
            checkpoint = self.text("checkpoint").split(b"\n")[0] + b"\n" + length + entry
            for path, data in (("repository.json", self.text("repository.json")), ("log/0000000001", entry), ("checkpoints/0000000001", checkpoint),
                               (f"packs/{name[:2]}/{name}", pack), (f"index/{name}", index + table)):
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            self.assertRegex(reader("verify", folder), "verified: 2048 bytes of tar, 1 checkpoints, .* 1 objects, 1 packs,")
            self.assertIn("checkpoint 0000000001 holds the entries from 1 on", reader("log", folder))

    def test_the_other_examples_of_the_page_are_what_they_say(self):
        whole, two, four = self.rows("planes")
        self.assertEqual([join(2, two), join(4, four)], [whole, whole])
        store = Store()
        (chunks,), line = self.rows("chunk list"), self.text("line")
        manifest = Manifest(store, parse(b'{"packs":0}', "it"))
        self.assertEqual([size for _, size in manifest.chunk_list(store.put(chunks), 1)], [1_048_576, 300_000])
        self.assertEqual(pack_names(store, {"list": [store.put(self.rows("list of packs")[0])]}, "list", "packs"), [hashlib.sha256(self.rows("pack")[0]).hexdigest()])
        store.put(line)
        manifest.record = parse(json.dumps({"lines": 1, "manifest": store.put(self.text("root"))}, separators=(",", ":")).encode(), "it")
        item, = manifest.lines()
        self.assertEqual(canonical(item).encode() + b"\n", line)
        key, hashed = self.rows("cut")
        self.assertEqual(key, b"\0".join(text.encode() for text in (item["kind"], item["name"], item["version"])) + bytes(5))
        self.assertEqual(hashed, hashlib.sha256(key).digest())
        self.assertIn("goes on" if int.from_bytes(hashed[:4]) * 65_536 >= len(line) << 32 else "ends", self.example("cut"))
        secret, _, mac = self.rows("secret")
        store.oldest = re.search("AGE-SECRET-KEY-1[0-9A-Z]{58}", PAGE)[0].encode()
        self.assertEqual(manifest.secret({"address": store.put(secret), "size": Number(len(secret)), "hmac": mac.hex()}), b'"hunter2"')

    def test_json_that_is_not_canonical_is_refused(self):
        for text in ('{"a":1,"a":1}', '{"b":1,"a":1}', '{"a": 1}', '{"a":"\\ud800"}', '{"a":NaN}', '{"a":1} ', '{"a":"\\u0041"}', "[1]",
                     "", '{"a":' * 200 + "1" + "}" * 200, '{"\uffee":1,"\U0001f4d3":1}'):
            with self.subTest(text[:30]), self.assertRaises(Refused):
                parse(text.encode(), "it")
        kept = '{"\U0001f4d3":1.50e+007,"\uffee":"\\u001f\\n/\x7f"}'
        self.assertEqual(canonical(parse(kept.encode(), "it")), kept)
        self.assertIsInstance(parse(kept.encode(), "it")["\U0001f4d3"], Number)


if __name__ == "__main__":
    unittest.main()
