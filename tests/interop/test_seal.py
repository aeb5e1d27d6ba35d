"""The seal of an export, judged by programs that others wrote: model-signing from PyPI (by key and by certificate) and
`openssl ts`. They take what mlark wrote and refuse it after one flipped byte, wherever that is; so does `export verify`."""

import datetime
import http.server
import json
import pathlib
import random
import shutil
import subprocess
import tempfile
import threading
import unittest

import model_signing
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import seed
from cloud import SOURCE, TARGET, Cloud, Mlark
from journey import finish_jobs
from test_export import flipped, places

PLACES = 20
SOME = random.Random(11)

AUTHORITIES = """
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[signer]
basicConstraints = critical,CA:false
keyUsage = critical,digitalSignature
[stamper]
basicConstraints = critical,CA:false
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = one
[one]
serial = {folder}/serial
crypto_device = builtin
signer_cert = {folder}/stamper.pem
signer_key = {folder}/stamper.key
certs = {folder}/root.pem
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""


def openssl(*words):
    """A run of openssl that has to succeed; what it says."""
    ran = subprocess.run(["openssl", *map(str, words)], check=False, capture_output=True, timeout=60)
    if ran.returncode:
        raise AssertionError(f"openssl {' '.join(map(str, words))}: {ran.stderr.decode()[-1000:]}")
    return ran.stdout


class Authorities:
    """A root, a signer and a time-stamp authority below it, made by openssl; the last answers over HTTP."""

    def __init__(self, folder):
        self.folder = folder
        self.config = folder / "openssl.cnf"
        self.config.write_text(AUTHORITIES.format(folder=folder))
        (folder / "serial").write_text("01\n")
        self.key("root")
        openssl("req", "-x509", "-new", "-key", folder / "root.key", "-subj", "/CN=Root of a test", "-days", 30,
                "-config", self.config, "-extensions", "ca", "-out", folder / "root.pem")
        self.certificate("signer", 7)
        self.certificate("stamper", 8)
        (folder / "chain.pem").write_bytes((folder / "signer.pem").read_bytes() + (folder / "root.pem").read_bytes())
        openssl("pkey", "-in", folder / "signer.key", "-pubout", "-out", folder / "signer.pub")
        self.answers = True
        authorities = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                asked = self.rfile.read(int(self.headers["content-length"]))
                assert self.headers["content-type"] == "application/timestamp-query"
                answer = authorities.stamp(asked) if authorities.answers else b""
                self.send_response(200 if answer else 503)
                self.send_header("content-type", "application/timestamp-reply")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def key(self, name):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.folder / f"{name}.key")
        (self.folder / f"{name}.key").chmod(0o600)

    def certificate(self, name, serial):
        """A certificate of the root, with the extensions of that name."""
        self.key(name)
        asked = self.folder / f"{name}.csr"
        openssl("req", "-new", "-key", self.folder / f"{name}.key", "-subj", f"/CN=The {name} of a test", "-config", self.config, "-out", asked)
        openssl("x509", "-req", "-in", asked, "-CA", self.folder / "root.pem", "-CAkey", self.folder / "root.key", "-set_serial", serial,
                "-days", 30, "-extfile", self.config, "-extensions", name, "-out", self.folder / f"{name}.pem")

    def stamp(self, asked):
        with tempfile.TemporaryDirectory() as folder:
            question, answer = pathlib.Path(folder, "q"), pathlib.Path(folder, "a")
            question.write_bytes(asked)
            openssl("ts", "-reply", "-queryfile", question, "-config", self.config, "-out", answer)
            return answer.read_bytes()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def ended(folder, key):
    """A chain for a key whose certificate ended yesterday, below a root that is still good; PEM files of both."""
    today = datetime.datetime.now(datetime.timezone.utc)
    day = datetime.timedelta(days=1)
    above = ec.generate_private_key(ec.SECP256R1())

    def certificate(name, public, until):
        named = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in (name, "Root of the past")]
        usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only"), False)
        is_root = name == "Root of the past"
        builder = x509.CertificateBuilder(named[1], named[0], public, x509.random_serial_number(), today - 30 * day, until)
        builder = builder.add_extension(x509.BasicConstraints(ca=is_root, path_length=None), critical=True)
        builder = builder.add_extension(x509.KeyUsage(digital_signature=not is_root, key_cert_sign=is_root, **usage), critical=True)
        return builder.sign(above, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    root = certificate("Root of the past", above.public_key(), today + 30 * day)
    signer = serialization.load_pem_private_key(key.read_bytes(), None)
    (folder / "root.pem").write_bytes(root)
    (folder / "chain.pem").write_bytes(certificate("Signer of the past", signer.public_key(), today - day) + root)


class Seal(unittest.TestCase):
    """Exports signed by a key and by a certificate, of a workspace that the official SDK filled."""

    @classmethod
    def setUpClass(cls):
        cls.cloud = cloud = Cloud()
        cls.addClassCleanup(cloud.close)
        cloud.create_workspace(SOURCE)
        files = cloud.folder / "files"
        files.mkdir()
        seeded = seed.seed(cloud.client(SOURCE), files, [SOURCE.subscription, SOURCE.group, SOURCE.name])
        finish_jobs(cloud, SOURCE, seeded["jobs"])
        cls.made = cloud.folder / "authorities"
        cls.made.mkdir()
        cls.authorities = Authorities(cls.made)
        cls.addClassCleanup(cls.authorities.close)
        cls.cold = cloud.folder / "cold"
        cls.mlark = Mlark(cloud, SOURCE, TARGET)
        cls.mlark.init()
        cls.mlark.run("backup", "prod")
        cls.base = cls.mlark.config.read_text()
        cls.export("key")
        cls.export("certificate", f'certificate_file = "{cls.made}/chain.pem"')
        for name in ("key", "certificate"):
            folder = cls.cold / f"open-{name}"
            folder.mkdir()
            subprocess.run(["tar", "-xf", cls.cold / f"{name}.tar", "-C", folder], check=True)
        cls.bags = {name: cls.cold / f"open-{name}" / name for name in ("key", "certificate")}
        # A judge has no key of its own.
        cls.mlark.config.write_text(cls.base)

    @classmethod
    def export(cls, name, extra=""):
        cls.mlark.config.write_text(f"""{cls.base}
[export]
signing_key_file = "{cls.made}/signer.key"
timestamp_url = "{cls.authorities.url}"
{extra}
""")
        return cls.mlark.json("export", "bag", "latest:prod", "--to", cls.cold, "--plain", "--name", name, codes=(0, 3))

    def judge(self, how):
        """model-signing with what it is to trust."""
        config = model_signing.verifying.Config()
        if how == "key":
            return config.use_elliptic_key_verifier(public_key=self.made / "signer.pub")
        return config.use_certificate_verifier(certificate_chain=[self.made / "root.pem"])

    def accepts(self, how, folder, signature):
        """Whether model-signing takes a folder with its signature."""
        try:
            self.judge(how).verify(folder, signature)
        except Exception:  # whatever it stumbles over: it does not take it
            return False
        return True

    def stamped(self, seal):
        """Whether `openssl ts -verify` takes the time stamp of a seal."""
        ran = subprocess.run(["openssl", "ts", "-verify", "-data", seal / "bag.sig.json", "-in", seal / "timestamp.tsr", "-CAfile", self.made / "root.pem"],
                             check=False, capture_output=True, timeout=60)
        return ran.returncode == 0

    def verify(self, how, *words):
        """The outcome and the checks of `export verify`."""
        trust = ["--key", self.made / "signer.pub"] if how == "key" else ["--ca", self.made / "root.pem"]
        said = self.mlark.json("export", "verify", self.cold / how, *trust, "--timestamp-ca", self.made / "root.pem", "--no-record", *words, codes=(0, 1, 2, 3, 4))
        return said

    def is_good(self, how, *words):
        said = self.verify(how, *words)
        return "error" not in said and all(check["outcome"] in ("good", "note") for check in said["checks"])

    def signed_files(self, how):
        """The tag files that the signature covers, and the signature."""
        bag = self.bags[how]
        return [file for file in bag.iterdir() if file.is_file()], self.cold / f"{how}.seal/bag.sig.json"

    def test_model_signing_takes_the_tag_files_with_their_signature(self):
        for how, bag in self.bags.items():
            with self.subTest(how):
                self.judge(how).verify(bag, self.signed_files(how)[1])

    def test_model_signing_takes_each_model_with_its_signature(self):
        for how, bag in self.bags.items():
            signatures = sorted((bag / "signatures/models").rglob("model.sig"))
            self.assertTrue(signatures)
            for signature in signatures:
                name, version = signature.parts[-3:-1]
                model = bag / "data/azml/models" / name / version / "files"
                with self.subTest(how, model=f"{name}:{version}"):
                    self.judge(how).verify(model, signature)
                    files = [file for file in model.rglob("*") if file.is_file() and file.stat().st_size]
                    for file, offset in places(files):
                        with flipped(file, offset):
                            self.assertFalse(self.accepts(how, model, signature), (file, offset))

    def test_one_flipped_byte_of_a_tag_file_or_of_the_signature_is_refused(self):
        for how, bag in self.bags.items():
            files, signature = self.signed_files(how)
            for file, offset in places(files):
                with self.subTest(how, file=file.name, offset=offset), flipped(file, offset):
                    self.assertFalse(self.accepts(how, bag, signature))
            payload = json.loads(signature.read_text())["dsseEnvelope"]["payload"].encode()
            start = signature.read_bytes().index(payload)
            for offset in SOME.sample(range(start, start + len(payload)), PLACES):
                with self.subTest(how, payload=offset), flipped(signature, offset):
                    self.assertFalse(self.accepts(how, bag, signature))

    def test_openssl_takes_the_time_stamp_and_refuses_another(self):
        seal = self.cold / "key.seal"
        self.assertTrue(self.stamped(seal))
        answer = (seal / "timestamp.tsr").read_bytes()
        # What of an answer is not signed, openssl does not look at: what was stamped is, wherever it is changed.
        for offset in SOME.sample(range((seal / "bag.sig.json").stat().st_size), PLACES):
            with self.subTest(offset=offset), flipped(seal / "bag.sig.json", offset):
                self.assertFalse(self.stamped(seal))
        token = answer.index(b"\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x04")
        for offset in SOME.sample(range(token, token + 120), PLACES):
            with self.subTest(answer=offset), flipped(seal / "timestamp.tsr", offset):
                self.assertFalse(self.stamped(seal))

    def test_an_authority_that_did_not_answer_is_asked_again_by_status(self):
        self.addCleanup(self.mlark.config.write_text, self.base)
        self.addCleanup(setattr, self.authorities, "answers", True)
        self.authorities.answers = False
        self.assertFalse(self.export("later")["stamped"])
        seal = self.cold / "later.seal"
        self.assertFalse((seal / "timestamp.tsr").exists())

        def status():
            exports = self.mlark.json("export", "status", codes=(0, 3))["exports"]
            return next(one for one in exports if one["name"] == "later")

        self.assertIs(status()["stamped"], False)
        self.authorities.answers = True
        self.assertIs(status()["stamped"], True)
        self.assertTrue(self.stamped(seal))
        self.assertIn('"time stamp"', "".join(event.read_text() for event in sorted((seal / "custody").iterdir())))

    def test_a_certificate_that_ended_leaves_a_signature_open_and_not_bad(self):
        self.addCleanup(self.mlark.config.write_text, self.base)
        past = self.cloud.folder / "past"
        past.mkdir()
        ended(past, self.made / "signer.key")
        self.export("past", f'certificate_file = "{past}/chain.pem"')
        self.mlark.config.write_text(self.base)
        words = ["export", "verify", self.cold / "past", "--no-record", "--read-data", "--timestamp-ca", self.made / "root.pem"]
        said = self.mlark.json(*words, "--ca", past / "root.pem", codes=(3,))
        outcomes = {check["check"]: check["outcome"] for check in said["checks"]}
        self.assertEqual((outcomes["signature"], outcomes["models"], outcomes["tag files"]), ("open", "open", "good"), said)
        # What never counted is bad all the same.
        said = self.mlark.json(*words, "--ca", self.made / "root.pem", codes=(4,))
        self.assertEqual({check["outcome"] for check in said["checks"] if check["check"] == "signature"}, {"bad"}, said)

    def test_export_verify_takes_what_they_take(self):
        for how in self.bags:
            with self.subTest(how):
                said = self.verify(how, "--read-data")
                self.assertTrue(self.is_good(how, "--read-data"), said)
                kinds = {check["check"] for check in said["checks"]}
                self.assertLessEqual({"log", "parts", "seal", "signature", "tag files", "time stamp", "custody", "tar", "bag"}, kinds)

    def test_export_verify_refuses_one_flipped_byte_of_the_seal(self):
        seal = self.cold / "certificate.seal"
        files = [file for file in seal.rglob("*") if file.is_file() and "custody" not in file.parts[-2] and file.suffix != ".tsr"]
        for file, offset in places(files):
            with self.subTest(file.name, offset=offset), flipped(file, offset):
                self.assertFalse(self.is_good("certificate"))
        self.assertTrue(self.is_good("certificate"))

    def test_export_verify_refuses_one_flipped_byte_of_the_tar(self):
        tar = self.cold / "key.tar"
        for offset in SOME.sample(range(tar.stat().st_size), PLACES):
            with self.subTest(offset=offset), flipped(tar, offset):
                self.assertFalse(self.is_good("key", "--read-data"))

    def test_another_signer_and_another_authority_do_not_count(self):
        other = self.cloud.folder / "others"
        shutil.rmtree(other, ignore_errors=True)
        other.mkdir()
        others = Authorities(other)
        self.addCleanup(others.close)
        for words, check in (
            (["--key", other / "signer.pub"], "signature"),
            (["--key", self.made / "signer.pub", "--timestamp-ca", other / "root.pem"], "time stamp"),
        ):
            said = self.mlark.json("export", "verify", self.cold / "key", *words, "--no-record", codes=(4,))
            bad = {check["check"] for check in said["checks"] if check["outcome"] == "bad"}
            self.assertEqual(bad, {check}, said)
        said = self.mlark.json("export", "verify", self.cold / "key", "--no-record", codes=(3,))
        self.assertIn("open", {check["outcome"] for check in said["checks"] if check["check"] == "signature"})


if __name__ == "__main__":
    unittest.main()
