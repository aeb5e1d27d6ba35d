//! Someone with write access and every public key, but without a signing key, forges a pack, an index, a manifest, a log
//! entry: `check` names it and ends with 4, and no restore brings anything but what was stored.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use archive_format::SnapshotRecord;
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{done, files, noise, opened};
use crate::program::{Ran, library};

const BYTES: usize = 5_000;

/// A victim with a snapshot, the forger's own repository, in which nothing is encrypted, and a machine that saw neither.
struct Scene {
    victim: TempDir,
    forger: TempDir,
    stranger: TempDir,
}

async fn home(seed: u64, init: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path();
    let source = home.join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a.bin"), noise(BYTES, seed)).unwrap();
    let text = format!(
        "[repository]\nurl = {:?}\nidentity_file = {:?}\n[[workspace]]\nname = \"docs\"\nurl = {source:?}\n",
        home.join("repository"),
        home.join("owner.key"),
    );
    fs::write(home.join("mlark.toml"), text).unwrap();
    done(home, init).await;
    done(home, &["backup"]).await;
    folder
}

/// The address of the only chunk of the only file.
fn chunk(seed: u64) -> [u8; 32] {
    Sha256::digest(noise(BYTES, seed)).into()
}

async fn record(home: &Path) -> SnapshotRecord {
    opened(home).await.history().await.unwrap().remove(0)
}

impl Scene {
    async fn new() -> Self {
        Self {
            victim: home(1, &["init"]).await,
            forger: home(2, &["init", "--unencrypted"]).await,
            stranger: tempfile::tempdir().unwrap(),
        }
    }

    fn root(&self) -> PathBuf {
        self.victim.path().join("repository")
    }

    fn name(&self, file: &Path) -> String {
        let name = file.strip_prefix(self.root()).unwrap();
        name.to_str().unwrap().to_owned()
    }

    /// Runs a command on the machine that saw the repository whole, or on one that never saw it.
    async fn run(&self, knows: bool, arguments: &[&str]) -> Ran {
        let config = self.victim.path().join("mlark.toml");
        let arguments = [arguments, &["--config", config.to_str().unwrap()]].concat();
        if !knows {
            let cache = self.stranger.path().join(".cache");
            let _ = fs::remove_dir_all(cache);
        }
        let home = if knows { &self.victim } else { &self.stranger };
        library(home.path(), &arguments, |_| {}).await
    }

    /// `check` names the file, and a restore ends with one of these codes and brings the truth or nothing.
    async fn refused(&self, file: &Path, codes: &[i32]) -> Vec<i32> {
        let mut ended = Vec::new();
        for knows in [true, false] {
            let checked = self.run(knows, &["check", "--read-data", "--json"]).await;
            assert_eq!(checked.code, 4, "{checked:?}");
            let found = checked.json();
            let mut damages = found["damages"].as_array().unwrap().iter();
            let name = self.name(file);
            assert!(
                damages.any(|damage| damage["name"] == name.as_str()),
                "{name}: {found}"
            );
            let into = self.victim.path().join("into");
            let words = [
                "restore",
                "apply",
                "latest",
                "--into",
                into.to_str().unwrap(),
                "--yes",
            ];
            let restored = self.run(knows, &words).await;
            assert!(codes.contains(&restored.code), "{name}: {restored:?}");
            let came = fs::read(into.join("a.bin")).ok();
            let truth = (restored.code == 0).then(|| noise(BYTES, 1));
            assert!(came == truth, "{name}: something else came");
            let _ = fs::remove_dir_all(&into);
            ended.push(restored.code);
        }
        ended
    }

    fn record_json(&self) -> Value {
        serde_json::from_slice(&fs::read(self.root().join("repository.json")).unwrap()).unwrap()
    }

    /// What everybody can do: encrypt to one of the repository's public keys.
    fn seal(&self, sort: &str, plain: &[u8]) -> Vec<u8> {
        let record = self.record_json();
        let recipient = record["encryption"][sort].as_str().unwrap();
        let recipient = age::x25519::Recipient::from_str(recipient).unwrap();
        let recipients = std::iter::once(&recipient as &dyn age::Recipient);
        let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
        let mut stored = Vec::new();
        let mut writer = encryptor.wrap_output(&mut stored).unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap();
        stored
    }

    /// The forger's pack that holds an object, and its table.
    fn forged(&self, address: &[u8; 32]) -> (Vec<u8>, Vec<u8>) {
        let root = self.forger.path().join("repository");
        for pack in files(&root.join("packs")) {
            let bytes = fs::read(&pack).unwrap();
            if bytes.windows(32).any(|window| window == address) {
                let index = root.join("index").join(pack.file_name().unwrap());
                return (bytes, fs::read(index).unwrap().split_off(60));
            }
        }
        panic!("no pack holds it");
    }

    /// Brings that pack into the victim's repository, with an index, under the digest of its bytes. In its table the lie
    /// has the address of the truth.
    fn plant(&self, sort: &str, lie: &[u8; 32], truth: &[u8; 32]) -> PathBuf {
        let (pack, table) = self.forged(lie);
        let plain = replaced(pack, lie, truth);
        let stored = self.seal(sort, &plain);
        let digits = hex(&Sha256::digest(&stored));
        let path = self.root().join("packs").join(&digits[..2]).join(&digits);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &stored).unwrap();
        self.put_index(&path, plain.len(), &replaced(table, lie, truth));
        path
    }

    /// Writes an index that says this table of a pack, over the one that may be there.
    fn put_index(&self, pack: &Path, plain_bytes: usize, table: &[u8]) -> PathBuf {
        let name = pack.file_name().unwrap();
        let stored = fs::read(pack).unwrap();
        let mac = stored
            .windows(5)
            .position(|window| window == b"\n--- ")
            .unwrap()
            + 1;
        let line = stored[mac..]
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap();
        let header = &stored[..mac + line + 1 + 16];
        let mut index = b"mlarkix1".to_vec();
        index.extend(unhex(name.to_str().unwrap()));
        index.extend_from_slice(&(stored.len() as u64).to_le_bytes());
        index.extend_from_slice(&(plain_bytes as u64).to_le_bytes());
        index.extend_from_slice(&(header.len() as u32).to_le_bytes());
        index.extend_from_slice(header);
        index.extend_from_slice(table);
        let path = self.root().join("index").join(name);
        fs::write(&path, self.seal("meta", &index)).unwrap();
        path
    }

    /// Takes each of the true packs away in turn: what was planted is never taken for it.
    async fn in_the_place_of_each(&self, packs: &[PathBuf], planted: &Path) {
        let mut ended = Vec::new();
        for pack in packs {
            let index = self.root().join("index").join(pack.file_name().unwrap());
            let kept = (fs::read(pack).unwrap(), fs::read(&index).unwrap());
            fs::remove_file(pack).unwrap();
            fs::remove_file(&index).unwrap();
            // Who has lost a list of packs alone still restores everything.
            ended.extend(self.refused(planted, &[0, 4]).await);
            ended.extend(self.refused(pack, &[0, 4]).await);
            fs::write(pack, kept.0).unwrap();
            fs::write(index, kept.1).unwrap();
        }
        // With the pack of the truth, and on both machines.
        let refused = ended.iter().filter(|code| **code == 4).count();
        assert!(refused >= 4, "{ended:?}");
    }
}

fn replaced(mut bytes: Vec<u8>, from: &[u8; 32], to: &[u8; 32]) -> Vec<u8> {
    for place in 0..=bytes.len().saturating_sub(from.len()) {
        if bytes[place..].starts_with(from) {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
    }
    sort_table(&mut bytes);
    bytes
}

/// Puts the objects of a table in order again.
fn sort_table(bytes: &mut [u8]) {
    let mut magics = bytes.windows(8).enumerate();
    let (table, _) = magics.find(|(_, window)| window == b"mlarktb1").unwrap();
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
    let (frames, objects) = (number(table + 32), number(table + 36));
    let rows = &mut bytes[table + 48 + 8 * frames..][..48 * objects];
    let mut sorted: Vec<Vec<u8>> = rows.chunks(48).map(<[u8]>::to_vec).collect();
    sorted.sort();
    rows.copy_from_slice(&sorted.concat());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[tokio::test]
async fn a_forged_pack_and_a_forged_manifest_are_refused_by_check_and_restore() {
    let scene = Scene::new().await;
    let packs = files(&scene.root().join("packs"));
    let manifests = (
        record(scene.forger.path()).await,
        record(scene.victim.path()).await,
    );
    let (lie, truth) = (manifests.0.manifest, manifests.1.manifest);
    for (sort, lie, truth) in [
        ("data", chunk(2), chunk(1)),
        ("meta", *lie.as_bytes(), *truth.as_bytes()),
    ] {
        let planted = scene.plant(sort, &lie, &truth);
        // Beside the true one it changes nothing, and is named.
        scene.refused(&planted, &[0]).await;
        scene.in_the_place_of_each(&packs, &planted).await;
        let index = scene
            .root()
            .join("index")
            .join(planted.file_name().unwrap());
        fs::remove_file(&planted).unwrap();
        fs::remove_file(index).unwrap();
    }
}

#[tokio::test]
async fn a_forged_index_is_refused_by_check_and_gives_nothing_false_to_a_restore() {
    let scene = Scene::new().await;
    let (lie, truth) = (chunk(2), chunk(1));
    let (forged, table) = scene.forged(&lie);
    let table = replaced(table, &lie, &truth);
    for pack in files(&scene.root().join("packs")) {
        let index = scene.root().join("index").join(pack.file_name().unwrap());
        let kept = fs::read(&index).unwrap();
        let plain = forged.len().min(fs::read(&pack).unwrap().len() - 400);
        scene.put_index(&pack, plain, &table);
        scene.refused(&index, &[0, 4]).await;
        fs::write(&index, kept).unwrap();
    }
}

/// A log entry as the format says, signed with this key.
fn entry(scene: &Scene, number: u64, previous: &[u8], body: &Value, key: &SigningKey) -> Vec<u8> {
    let body = scene.seal("meta", body.to_string().as_bytes());
    let mut line = json!({
        "format": 1,
        "repository": scene.record_json()["id"],
        "entry": number,
        "previous": hex(previous),
        "body": hex(&Sha256::digest(&body)),
        "signer": hex(key.verifying_key().as_bytes()),
    });
    let signed = format!("mlark log entry v1\n{line}");
    line["signature"] = hex(&key.sign(signed.as_bytes()).to_bytes()).into();
    [line.to_string().as_bytes(), b"\n", &body].concat()
}

#[tokio::test]
async fn forged_log_entries_are_refused_by_check_and_restore() {
    let scene = Scene::new().await;
    let (first, newest) = (
        scene.root().join("log/0000000001"),
        scene.root().join("log/0000000002"),
    );
    let third = scene.root().join("log/0000000003");
    let thief = SigningKey::from_bytes(&[7; 32]);
    let (truth, lie) = (
        record(scene.victim.path()).await,
        record(scene.forger.path()).await,
    );
    let body = |sort: &str, says: Value| {
        json!({
            "time": "2026-11-23T00:00:00Z",
            "run": lie.id.to_string(),
            "program": "mlark 1",
            "body": { sort: says },
        })
    };
    let snapshot = body("snapshot", serde_json::to_value(&lie).unwrap());
    let forget = json!({ "snapshots": [truth.id.to_string()], "reason": "none" });
    let previous = Sha256::digest(fs::read(&newest).unwrap());
    let before = Sha256::digest(fs::read(&first).unwrap());
    let kept = fs::read(&newest).unwrap();
    for (place, number, previous, says) in [
        (&third, 3, &previous, &snapshot),
        (&third, 3, &previous, &body("forget", forget)),
        // In the place of a true one.
        (&newest, 2, &before, &snapshot),
    ] {
        fs::write(place, entry(&scene, number, previous, says, &thief)).unwrap();
        scene.refused(place, &[4]).await;
        let _ = fs::remove_file(&third);
        fs::write(&newest, &kept).unwrap();
    }
    let sound = scene.run(true, &["check", "--read-data"]).await;
    assert_eq!(sound.code, 0, "{sound:?}");
}
