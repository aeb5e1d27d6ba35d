"""A sealed export, judged by programs that others wrote: bagit and bagit-profile from PyPI, sha512sum, age and tar. They take it
as it is, and refuse it after one flipped byte, wherever that is."""

import csv
import hashlib
import json
import logging
import random
import subprocess
import unittest

import bagit
import bagit_profile

import seed
from cloud import ROOT, SOURCE, TARGET, Cloud, Mlark
from journey import finish_jobs

PROFILE = json.loads((ROOT / "restore/bagit-profile.json").read_text())
PLACES = 20
SOME = random.Random(7)


def shell(script, folder):
    """A script that has to succeed."""
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, check=True, capture_output=True, timeout=600)


def fits(script, folder):
    """Whether a script succeeds."""
    ran = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, check=False, capture_output=True, timeout=600)
    return ran.returncode == 0


def is_bag(folder):
    """Whether bagit takes a folder."""
    try:
        bagit.Bag(str(folder)).validate()
    except (bagit.BagError, OSError, UnicodeError):
        return False
    return True


def places(files):
    """Places all over some files, as many in small ones as in large ones: (file, offset)."""
    files = [file for file in files if file.stat().st_size > 0]
    chosen = SOME.sample(files, PLACES) if len(files) >= PLACES else SOME.choices(files, k=PLACES)
    return [(file, SOME.randrange(file.stat().st_size)) for file in chosen]


class flipped:
    """A file with one bit of one byte flipped, for as long as it lasts."""

    def __init__(self, file, offset, bit=None):
        self.file, self.offset = file, offset
        self.bit = offset % 7 if bit is None else bit

    def __enter__(self):
        self.flip()

    def __exit__(self, *_):
        self.flip()

    def flip(self):
        with self.file.open("r+b") as file:
            file.seek(self.offset)
            byte = file.read(1)[0]
            file.seek(self.offset)
            file.write(bytes([byte ^ 1 << self.bit]))


class Export(unittest.TestCase):
    """A workspace that the official SDK filled, in plain and encrypted."""

    @classmethod
    def setUpClass(cls):
        logging.disable(logging.CRITICAL)  # bagit says at length what it refuses
        cls.cloud = cloud = Cloud()
        cls.addClassCleanup(cloud.close)
        cloud.create_workspace(SOURCE)
        files = cloud.folder / "files"
        files.mkdir()
        client = cloud.client(SOURCE)
        seeded = seed.seed(client, files, [SOURCE.subscription, SOURCE.group, SOURCE.name])
        finish_jobs(cloud, SOURCE, seeded["jobs"])
        cls.mlark = Mlark(cloud, SOURCE, TARGET)
        cls.mlark.init()
        cls.mlark.run("backup", "prod")
        cls.mlark.run("drill", "latest:prod")
        cls.cold = cloud.folder / "cold"
        cls.plain = cls.export("--plain", "--name", "plain")
        cls.sealed = cls.export("--name", "sealed", "--split", "1 MiB")
        cls.keys()
        for name, opened in (("plain", "cat plain.tar"), ("sealed", "cat sealed.tar.age* | age -d -i ../export.key")):
            (cls.cold / f"open-{name}").mkdir()
            shell(f"{opened} | tar -x -C open-{name}", cls.cold)
        cls.bags = {name: cls.cold / f"open-{name}" / name for name in ("plain", "sealed")}

    @classmethod
    def export(cls, *words):
        return cls.mlark.json("export", "bag", "latest:prod", "--to", cls.cold, *words, codes=(0, 3))

    @classmethod
    def keys(cls):
        """The export's secret, by hand."""
        folder, repository = cls.cloud.folder, cls.mlark.folder / "repository"
        shell(f"age -d -i {cls.mlark.owner} keys/1-data.age > {folder}/data.key", repository)
        shell(f"age -d -i {folder}/data.key keys/export-{cls.sealed['export']}.age > {folder}/export.key", repository)

    def test_bagit_takes_it(self):
        for name, bag in self.bags.items():
            with self.subTest(name):
                opened = bagit.Bag(str(bag))
                opened.validate()
                self.assertEqual(sorted(opened.algorithms), ["sha256", "sha512"])
                self.assertEqual(len(list(opened.payload_files())), self.plain["files"])

    def test_the_bag_keeps_to_the_profile(self):
        profile = bagit_profile.Profile(PROFILE["BagIt-Profile-Info"]["BagIt-Profile-Identifier"], profile=PROFILE)
        for name, bag in self.bags.items():
            with self.subTest(name):
                self.assertTrue(profile.validate(bagit.Bag(str(bag))), profile.report)
                self.assertTrue((bag / "drills.jsonl").exists(), "the evidence of the drill is a tag file of it")
                (bag / "stray.txt").write_text("x")
                self.assertFalse(profile.validate(bagit.Bag(str(bag))))
                (bag / "stray.txt").unlink()

    def test_one_flipped_byte_of_what_the_profile_asks_for_is_refused(self):
        """It asks for labels, and for some values: what it does not look at, the digests do."""
        bag = self.bags["plain"]
        profile = bagit_profile.Profile(PROFILE["BagIt-Profile-Info"]["BagIt-Profile-Identifier"], profile=PROFILE)

        def keeps():
            try:
                return profile.validate(bagit.Bag(str(bag)))
            except (bagit.BagError, OSError, UnicodeError, ValueError):
                return False

        self.assertTrue(keeps())
        info = bag / "bag-info.txt"
        seen, offset = [], 0
        for line in info.read_bytes().splitlines(keepends=True):
            label, value = line.rstrip().split(b": ", 1)
            asked = PROFILE["Bag-Info"][label.decode()]
            length = len(label) + (2 + len(value) if "values" in asked else 0)
            seen += [(info, offset + at) for at in range(length) if line[at:at + 1] != b" "]
            offset += len(line)
        for file, at in SOME.sample(seen, PLACES):
            with self.subTest(file.name, offset=at), flipped(file, at, bit=0):
                self.assertFalse(keeps())
        self.assertTrue(keeps())

    def test_sha512sum_refuses_one_flipped_byte_of_any_tag_file(self):
        bag = self.bags["plain"]
        script = "sha512sum --quiet --strict -c tagmanifest-sha512.txt"
        self.assertTrue(fits(script, bag))
        tags = [file for file in bag.rglob("*") if file.is_file() and bag / "data" not in file.parents]
        tags = [file for file in tags if file.name != "tagmanifest-sha256.txt"]
        self.assertIn("drills.jsonl", [file.name for file in tags])
        # The lowest bit, so that no hexadecimal digit only changes its case.
        for file, offset in places(tags):
            with self.subTest(file.name, offset=offset), flipped(file, offset, bit=0):
                self.assertFalse(fits(script, bag))
        self.assertTrue(fits(script, bag))

    def test_sha512sum_takes_it(self):
        for name, bag in self.bags.items():
            with self.subTest(name):
                shell("sha512sum --quiet --strict -c manifest-sha512.txt tagmanifest-sha512.txt", bag)
                shell("sha256sum --quiet --strict -c manifest-sha256.txt tagmanifest-sha256.txt", bag)

    def test_one_flipped_byte_of_the_bag_is_refused(self):
        bag = self.bags["plain"]
        tags = [file for file in bag.iterdir() if file.is_file()]
        payload = [file for file in (bag / "data").rglob("*") if file.is_file()]
        for file, offset in places(tags) + places(payload):
            with self.subTest(file.name, offset=offset), flipped(file, offset):
                self.assertFalse(is_bag(bag))
                if bag / "data" in file.parents:
                    self.assertFalse(fits("sha512sum --quiet --strict -c manifest-sha512.txt", bag))
        self.assertTrue(is_bag(bag))

    def test_one_flipped_byte_of_the_encrypted_tar_is_refused(self):
        parts = sorted(self.cold.glob("sealed.tar.age*"))
        for file, offset in places(parts):
            with self.subTest(file.name, offset=offset), flipped(file, offset):
                self.assertFalse(fits("cat sealed.tar.age* | age -d -i ../export.key >/dev/null", self.cold))

    def test_the_table_names_every_file_with_the_item_that_it_belongs_to(self):
        bag = self.bags["plain"]
        with (bag / "data/index.csv").open(newline="", encoding="utf-8") as table:
            rows = {row["path"]: row for row in csv.DictReader(table) if row["path"]}
        payload = {str(file.relative_to(bag)) for file in (bag / "data").rglob("*") if file.is_file()}
        self.assertEqual(set(rows), payload - {"data/index.csv"})
        for path, row in rows.items():
            self.assertEqual(row["sha256"], hashlib.sha256((bag / path).read_bytes()).hexdigest(), path)
        models = [row for row in rows.values() if row["kind"] == "models" and row["what"] == "file"]
        self.assertTrue(any(row["name"] == "churn" and row["version"] == "1" for row in models), models)

    def test_metrics_are_tables_with_every_point(self):
        bag = self.bags["plain"]
        tables = list((bag / "data/metrics").rglob("*.csv"))
        self.assertTrue(tables)
        for path in tables:
            with path.open(newline="", encoding="utf-8") as table:
                rows = list(csv.DictReader(table))
            job = path.relative_to(bag / "data/metrics").parts[0]
            history = bag / "data/azml/jobs" / job / "files/metrics" / (path.stem + ".jsonl")
            self.assertEqual(len(rows), len(history.read_text().splitlines()), path)

    def test_the_custody_chain_holds_and_leads_to_the_log(self):
        previous = "0" * 64
        lines = (self.bags["plain"] / "custody.jsonl").read_text().splitlines()
        for number, line in enumerate(lines, 1):
            event = json.loads(line)
            self.assertEqual((event["event"], event["previous"]), (number, previous))
            previous = hashlib.sha256(line.encode()).hexdigest()
        seal = json.loads((self.cold / "plain.seal/seal.json").read_text())
        self.assertEqual(seal["custody"], {"events": len(lines), "head": previous})
        exported = next(json.loads(line)["says"] for line in lines if json.loads(line)["act"] == "export")
        entry = self.mlark.folder / f"repository/log/{exported['log']['entry']:010}"
        self.assertEqual(hashlib.sha256(entry.read_bytes()).hexdigest(), exported["log"]["hash"])


if __name__ == "__main__":
    unittest.main()
