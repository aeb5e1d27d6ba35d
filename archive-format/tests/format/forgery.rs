//! Someone with write access and every public key, but without a signing key, forges packs, index files, manifests, log
//! entries, key files, and whole repositories. Nothing of it is ever restored, and `check` names it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use archive_format::{
    Depth, Error, KeyChain, MachineKey, OpenOptions, Repository, SnapshotRecord, check,
};
use ed25519_dalek::{Signer as _, SigningKey};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::world::{Tested, Thing, World, backup, model, noise, restore};

/// What the victim stored.
fn true_things() -> Vec<Thing> {
    vec![model("a", noise(5_000, 1))]
}

/// What the forger would like to be restored: of the same size.
fn false_things() -> Vec<Thing> {
    vec![model("a", noise(5_000, 99))]
}

/// A victim with a snapshot, and the forger's own repository, in which nothing is encrypted.
struct Scene {
    victim: World,
    record: SnapshotRecord,
    forger: World,
    forged: SnapshotRecord,
}

impl Scene {
    async fn new() -> Tested<Self> {
        let victim = World::new(true).await?;
        let record = backup(&victim.open().await?, &true_things()).await?;
        let forger = World::new(false).await?;
        let forged = backup(&forger.open().await?, &false_things()).await?;
        Ok(Self {
            victim,
            record,
            forger,
            forged,
        })
    }

    fn record_json(&self) -> Tested<Value> {
        let text = std::fs::read(self.victim.root().join("repository.json"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// What everybody can do: encrypt to one of the repository's public keys.
    fn seal(&self, sort: &str, plain: &[u8]) -> Tested<Vec<u8>> {
        let record = self.record_json()?;
        let recipient = record["encryption"][sort].as_str().ok_or("no recipient")?;
        let recipient = age::x25519::Recipient::from_str(recipient)?;
        let recipient: &dyn age::Recipient = &recipient;
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient))?;
        let mut stored = Vec::new();
        let mut writer = encryptor.wrap_output(&mut stored)?;
        writer.write_all(plain)?;
        writer.finish()?;
        Ok(stored)
    }

    /// Brings a pack of the forger's into the victim's repository, with an index, under the digest of its bytes. In its
    /// table `from` becomes `to`.
    fn plant(&self, pack: &Path, sort: &str, from: &[u8], to: &[u8]) -> Tested<PathBuf> {
        let name = pack.file_name().ok_or("no name")?;
        let plain = replaced(&std::fs::read(pack)?, from, to);
        let index = std::fs::read(self.forger.root().join("index").join(name))?;
        let table = replaced(&index[60..], from, to);
        let stored = self.seal(sort, &plain)?;
        let digest = Sha256::digest(&stored);
        let place = self.put_index(&digest, &stored, plain.len(), &table)?;
        let digits = hex::encode(digest);
        let path = self
            .victim
            .root()
            .join("packs")
            .join(&digits[..2])
            .join(&digits);
        std::fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        std::fs::write(&path, stored)?;
        assert!(place.exists());
        Ok(path)
    }

    /// Writes an index that says this table of a pack, over the one that may be there.
    fn put_index(
        &self,
        pack: &[u8],
        stored: &[u8],
        plain_bytes: usize,
        table: &[u8],
    ) -> Tested<PathBuf> {
        let mac = stored.windows(5).position(|window| window == b"\n--- ");
        let mac = mac.ok_or("no header")? + 1;
        let line = stored[mac..].iter().position(|byte| *byte == b'\n');
        let header = &stored[..mac + line.ok_or("no line")? + 1 + 16];
        let mut index = b"mlarkix1".to_vec();
        index.extend_from_slice(pack);
        index.extend_from_slice(&(stored.len() as u64).to_le_bytes());
        index.extend_from_slice(&(plain_bytes as u64).to_le_bytes());
        index.extend_from_slice(&(header.len() as u32).to_le_bytes());
        index.extend_from_slice(header);
        index.extend_from_slice(table);
        let path = self.victim.root().join("index").join(hex::encode(pack));
        std::fs::write(&path, self.seal("meta", &index)?)?;
        Ok(path)
    }

    /// With the cache that saw the true repository, and as one who comes anew: nothing but the truth is restored, and
    /// `check` names a file.
    async fn refused(&self, file: &Path, may_restore: bool) -> Tested {
        let name = file
            .strip_prefix(self.victim.root())?
            .to_string_lossy()
            .into_owned();
        for cache in ["cache", "fresh"] {
            let options = OpenOptions {
                tolerate_damage: true,
                ..self.victim.options(cache)
            };
            let opened = Repository::open(self.victim.storage(), self.victim.keys(), options).await;
            let repository = match opened {
                Ok(repository) => repository,
                Err(error) if error.is_damage() && !may_restore => continue,
                Err(error) => return Err(error.into()),
            };
            match restore(&repository, &self.record).await {
                Ok(restored) => assert_eq!(restored, true_things(), "{name}, {cache}"),
                Err(error) => {
                    let error = error.downcast::<Error>()?;
                    assert!(
                        error.is_damage() && !may_restore,
                        "{name}, {cache}: {error:?}"
                    );
                }
            }
            let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
            let found = report.damages.iter().any(|damage| damage.name == name);
            assert!(found, "{name}, {cache}: {:?}", report.damages);
        }
        Ok(())
    }
}

impl Scene {
    /// Takes each of the true packs away in turn: what was planted beside it is refused in its place, and it is missed.
    async fn in_the_place_of_each(&self, packs: Vec<PathBuf>, planted: &Path) -> Tested {
        for pack in packs {
            let name = pack.file_name().ok_or("no name")?;
            let index = self.victim.root().join("index").join(name);
            let kept = (std::fs::read(&pack)?, std::fs::read(&index)?);
            remove(&self.victim, &pack)?;
            self.refused(planted, false).await?;
            self.refused(&pack, false).await?;
            std::fs::write(&pack, kept.0)?;
            std::fs::write(&index, kept.1)?;
        }
        Ok(())
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    if from.is_empty() {
        return out;
    }
    for place in 0..=out.len().saturating_sub(from.len()) {
        if out[place..].starts_with(from) {
            out[place..place + to.len()].copy_from_slice(to);
        }
    }
    out
}

/// The packs of a world that hold an object, by what the plain tables at their ends say.
fn packs_with(world: &World, address: &[u8]) -> Tested<Vec<PathBuf>> {
    let mut found = Vec::new();
    for pack in world.files("packs") {
        let bytes = std::fs::read(&pack)?;
        if bytes.windows(32).any(|window| window == address) {
            found.push(pack);
        }
    }
    Ok(found)
}

/// The only chunk of the only file.
async fn chunk(world: &World, record: &SnapshotRecord) -> Tested<Vec<u8>> {
    let reader = world.open().await?.snapshot(record);
    let item = reader
        .item("models", "a", Some("1"))
        .await?
        .ok_or("no item")?;
    let content = item.files[0].content.as_ref().ok_or("no content")?;
    Ok(content.chunks[0].address.as_bytes().to_vec())
}

fn remove(world: &World, pack: &Path) -> Tested {
    std::fs::remove_file(
        world
            .root()
            .join("index")
            .join(pack.file_name().ok_or("no name")?),
    )?;
    Ok(std::fs::remove_file(pack)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_pack_gives_nothing_out_under_a_true_address() -> Tested {
    let scene = Scene::new().await?;
    let (truth, lie) = (
        chunk(&scene.victim, &scene.record).await?,
        chunk(&scene.forger, &scene.forged).await?,
    );
    let forged = packs_with(&scene.forger, &lie)?.remove(0);
    let before = scene.victim.files("packs");
    let planted = scene.plant(&forged, "data", &lie, &truth)?;
    // Beside the true one it changes nothing, and is named.
    scene.refused(&planted, true).await?;
    // In its place it is refused. Which of the packs is the true one is found by trying: the names say nothing.
    scene.in_the_place_of_each(before, &planted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_manifest_gives_nothing_out_under_a_true_address() -> Tested {
    let scene = Scene::new().await?;
    let (truth, lie) = (scene.record.manifest, scene.forged.manifest);
    let forged = packs_with(&scene.forger, lie.as_bytes())?.remove(0);
    let before = scene.victim.files("packs");
    let planted = scene.plant(&forged, "meta", lie.as_bytes(), truth.as_bytes())?;
    scene.refused(&planted, true).await?;
    scene.in_the_place_of_each(before, &planted).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_index_is_not_the_table_of_its_pack() -> Tested {
    let scene = Scene::new().await?;
    let truth = chunk(&scene.victim, &scene.record).await?;
    let lie = chunk(&scene.forger, &scene.forged).await?;
    let forged = packs_with(&scene.forger, &lie)?.remove(0);
    let name = forged.file_name().ok_or("no name")?;
    let table = std::fs::read(scene.forger.root().join("index").join(name))?[60..].to_vec();
    let table = replaced(&table, &lie, &truth);
    // It leads a true address to some place of each true pack.
    for pack in scene.victim.files("packs") {
        let stored = std::fs::read(&pack)?;
        let digest = hex::decode(
            pack.file_name()
                .and_then(|name| name.to_str())
                .ok_or("no name")?,
        )?;
        let frames: usize = std::fs::read(&forged)?.len().min(stored.len() - 400);
        let index = scene.victim.root().join("index").join(hex::encode(&digest));
        let kept = std::fs::read(&index)?;
        scene.put_index(&digest, &stored, frames, &table)?;
        scene.refused(&index, false).await?;
        std::fs::write(&index, kept)?;
        let _ = std::fs::remove_dir_all(scene.victim.folder.path().join("fresh"));
    }
    Ok(())
}

/// A log entry as the format says, signed with this key.
fn entry(
    scene: &Scene,
    number: u64,
    previous: &[u8],
    body: &Value,
    key: &SigningKey,
) -> Tested<Vec<u8>> {
    let body = scene.seal("meta", body.to_string().as_bytes())?;
    let mut line = json!({
        "format": 1,
        "repository": scene.record_json()?["id"],
        "entry": number,
        "previous": hex::encode(previous),
        "body": hex::encode(Sha256::digest(&body)),
        "signer": hex::encode(key.verifying_key().as_bytes()),
    });
    let signed = [
        b"mlark log entry v1\n".as_slice(),
        line.to_string().as_bytes(),
    ]
    .concat();
    line["signature"] = hex::encode(key.sign(&signed).to_bytes()).into();
    Ok([line.to_string().as_bytes(), b"\n", &body].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_log_entries_are_refused() -> Tested {
    let scene = Scene::new().await?;
    let log = scene.victim.root().join("log");
    let (second, third) = (log.join("0000000002"), log.join("0000000003"));
    let newest = std::fs::read(&second)?;
    let thief = SigningKey::from_bytes(&[7; 32]);
    let snapshot = serde_json::to_value(&scene.forged)?;
    let body = |sort: &str, says: Value| {
        json!({
            "time": "2026-11-23T00:00:00Z",
            "run": scene.forged.id.to_string(),
            "program": "mlark 1",
            "body": { sort: says },
        })
    };
    let own_key = body(
        "keys",
        json!({
            "edition": 2,
            "files": [],
            "holders": [{ "sort": "machine", "label": "thief", "signer": hex::encode(thief.verifying_key().as_bytes()) }],
        }),
    );
    let ids: Vec<String> = vec![scene.record.id.to_string()];
    let bodies = [
        body("snapshot", snapshot),
        body("forget", json!({ "snapshots": ids, "reason": "none" })),
        own_key,
    ];
    let previous = Sha256::digest(&newest);
    for says in bodies {
        std::fs::write(&third, entry(&scene, 3, &previous, &says, &thief)?)?;
        let opened = scene.victim.open().await;
        assert!(
            matches!(opened, Err(Error::UnknownSigner { entry: 3, .. })),
            "{opened:?}"
        );
        scene.refused(&third, true).await?;
        std::fs::remove_dir_all(scene.victim.folder.path().join("fresh"))?;
        std::fs::remove_file(&third)?;
    }
    // An old entry again under a new number; a true line with another body; a line whose signer is another.
    let text = String::from_utf8_lossy(&newest).into_owned();
    let end = newest
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or("no line")?;
    let mut other_body = newest[..=end].to_vec();
    other_body.extend(scene.seal("meta", b"{}")?);
    let line: Value = serde_json::from_str(text.lines().next().ok_or("no line")?)?;
    let mut other_signer = line.clone();
    other_signer["signer"] = hex::encode(thief.verifying_key().as_bytes()).into();
    let other_signer = [other_signer.to_string().as_bytes(), &newest[end..]].concat();
    for (place, bytes) in [
        (&third, newest.clone()),
        (&second, other_body),
        (&second, other_signer),
    ] {
        let kept = std::fs::read(place).ok();
        std::fs::write(place, bytes)?;
        let opened = Repository::open(
            scene.victim.storage(),
            scene.victim.keys(),
            scene.victim.options("other"),
        )
        .await;
        assert!(
            matches!(opened, Err(Error::Forged { .. } | Error::Rollback { .. })),
            "{opened:?}"
        );
        scene.refused(place, true).await?;
        std::fs::remove_dir_all(scene.victim.folder.path().join("fresh"))?;
        match kept {
            Some(kept) => std::fs::write(place, kept)?,
            None => std::fs::remove_file(place)?,
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_with_the_forgers_own_keys_is_refused() -> Tested {
    let scene = Scene::new().await?;
    let owner = scene.victim.owner.clone().ok_or("no owner")?;
    let recipient = age::x25519::Recipient::from_str(&owner.to_recipient().to_string())?;
    let own = age::x25519::Identity::generate();
    for sort in ["data", "meta"] {
        let recipient: &dyn age::Recipient = &recipient;
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient))?;
        let mut stored = Vec::new();
        let mut writer = encryptor.wrap_output(&mut stored)?;
        writer.write_all(own.to_string().expose_secret().as_bytes())?;
        writer.finish()?;
        let path = scene.victim.root().join(format!("keys/1-{sort}.age"));
        let kept = std::fs::read(&path)?;
        std::fs::write(&path, stored)?;
        let owner_alone = KeyChain {
            machine: None,
            owners: vec![owner.clone().into()],
        };
        let opened = Repository::open(
            scene.victim.storage(),
            owner_alone,
            scene.victim.options("other"),
        )
        .await;
        assert!(
            opened.as_ref().is_err_and(Error::is_damage),
            "{sort}: {opened:?}"
        );
        std::fs::write(&path, kept)?;
    }
    Ok(())
}

/// The forger's repository with the victim's id, its record signed anew by the forger as its owner.
fn claim_the_id(scene: &Scene) -> Tested {
    let text = scene.forger.machine.to_text();
    let key = text
        .expose_secret()
        .lines()
        .find_map(|line| line.strip_prefix("owners-signing-key: "));
    let seed: [u8; 32] = hex::decode(key.ok_or("no key")?)?
        .try_into()
        .map_err(|_| "no seed")?;
    let path = scene.forger.root().join("repository.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    record["id"] = scene.record_json()?["id"].clone();
    record
        .as_object_mut()
        .ok_or("no object")?
        .remove("signature");
    let signed = [
        b"mlark repository v1\n".as_slice(),
        record.to_string().as_bytes(),
    ]
    .concat();
    let signature = SigningKey::from_bytes(&seed).sign(&signed);
    record["signature"] = hex::encode(signature.to_bytes()).into();
    Ok(std::fs::write(&path, format!("{record}\n"))?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_repository_of_the_forgers_own_is_refused() -> Tested {
    let scene = Scene::new().await?;
    // Its record alone in place of the true one, and the whole, with the same id.
    claim_the_id(&scene)?;
    let record = scene.victim.root().join("repository.json");
    std::fs::copy(scene.forger.root().join("repository.json"), &record)?;
    let seen = scene.victim.open().await;
    assert!(matches!(seen, Err(Error::Forged { .. })), "{seen:?}");
    // Who comes anew finds a log that another owner signed.
    let fresh = Repository::open(
        scene.victim.storage(),
        scene.victim.keys(),
        scene.victim.options("fresh"),
    )
    .await;
    assert!(fresh.as_ref().is_err_and(Error::is_damage), "{fresh:?}");
    std::fs::remove_dir_all(scene.victim.root())?;
    std::fs::rename(scene.forger.root(), scene.victim.root())?;
    let seen = scene.victim.open().await;
    assert!(matches!(seen, Err(Error::Forged { .. })), "{seen:?}");
    let pinned = OpenOptions {
        trusted_signers: vec![scene.victim.machine.signer()],
        ..scene.victim.options("pinned")
    };
    let seen = Repository::open(scene.victim.storage(), scene.victim.keys(), pinned).await;
    assert!(seen.as_ref().is_err_and(Error::is_damage), "{seen:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_without_its_record_is_damaged_and_not_absent() -> Tested {
    let scene = Scene::new().await?;
    std::fs::remove_file(scene.victim.root().join("repository.json"))?;
    let opened = scene.victim.open().await;
    assert!(matches!(opened, Err(Error::Damaged { .. })), "{opened:?}");
    std::fs::remove_dir_all(scene.victim.root())?;
    let opened = scene.victim.open().await;
    assert!(
        matches!(opened, Err(Error::NotARepository { .. })),
        "{opened:?}"
    );
    let _: &MachineKey = &scene.victim.machine;
    Ok(())
}
