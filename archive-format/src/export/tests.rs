//! An export's key opens for its owners and auditors, and for nobody once it is erased.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

use std::sync::Arc;

use super::*;
use crate::{
    CheckEvent, Depth, Digest, InitOptions, KeyChain, LocalStorage, MachineKey, OpenOptions,
    Repository, Storage, check,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

struct Scene {
    folder: tempfile::TempDir,
    owner: Pair,
    machine: MachineKey,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let owner = Pair::generate();
        let options = InitOptions {
            owners: vec![owner.to_recipient()],
            unencrypted: false,
            pack_bytes: 1 << 20,
            label: "first".to_owned(),
            program: "test".to_owned(),
            now: now(),
        };
        let made = Repository::init(Self::storage(&folder), options).await;
        let machine = made.unwrap().machine_key;
        Self {
            folder,
            owner,
            machine,
        }
    }

    fn storage(folder: &tempfile::TempDir) -> Arc<dyn Storage> {
        Arc::new(LocalStorage::new(folder.path().join("r")))
    }

    /// Opened with some keys, each time with a cache of its own.
    async fn open(&self, machine: bool, owners: Vec<Pair>) -> Repository {
        let keys = KeyChain {
            machine: machine.then(|| self.machine.clone()),
            owners: owners.into_iter().map(Identity::from).collect(),
        };
        let cache = tempfile::tempdir_in(self.folder.path()).unwrap().keep();
        let options = OpenOptions {
            cache,
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "test".to_owned(),
        };
        Repository::open(Self::storage(&self.folder), keys, options)
            .await
            .unwrap()
    }
}

fn said(export: ExportId) -> Export {
    Export {
        export,
        name: "one".to_owned(),
        url: "/mnt/cold".to_owned(),
        snapshot: SnapshotId::new(now()).unwrap(),
        seal: Digest::of(b"seal"),
        encrypted: true,
        tier: None,
        retain_until: None,
        hold: false,
        more: serde_json::Map::new(),
    }
}

#[tokio::test]
async fn an_erased_export_opens_for_nobody_and_leaves_its_tombstone() {
    let scene = Scene::new().await;
    let auditor = Pair::generate();
    let ours = scene.open(true, vec![scene.owner.clone()]).await;
    let (id, other) = (ExportId::new(now()).unwrap(), ExportId::new(now()).unwrap());
    for export in [id, other] {
        let auditors = [auditor.to_recipient()];
        ours.create_export_key(export, &auditors, now())
            .await
            .unwrap();
        ours.log_export(said(export), now()).await.unwrap();
    }
    let stored = ours.export_key(id).await.unwrap().unwrap();
    // The auditor, who is no owner, with the file alone.
    let file = scene
        .folder
        .path()
        .join("r")
        .join(FileName::export_key(&id).as_str());
    let bytes = std::fs::read(&file).unwrap();
    let plain = envelope::open_for(&bytes, &Identity::from(auditor)).unwrap();
    assert!(
        std::str::from_utf8(&plain)
            .unwrap()
            .contains(stored.to_secret_text().expose_secret())
    );
    // The machine's own key, which opens names, does not open it.
    let agent = scene.open(true, Vec::new()).await;
    assert!(matches!(agent.export_key(id).await, Err(Error::NoKey(_))));

    let (erased, remains) = ours.erase_export(id, now()).await.unwrap();
    assert!(!file.exists());
    assert_eq!(remains, Remains::Nothing);
    assert!(ours.export_key(id).await.unwrap().is_none());
    assert!(ours.export_key(other).await.unwrap().is_some());
    // What a store brings back after the entry opens nothing, and goes with the next try, without another entry.
    std::fs::write(&file, &bytes).unwrap();
    assert!(ours.export_key(id).await.unwrap().is_none());
    assert_eq!(ours.export_keys().await.unwrap(), [id, other].into());
    assert_eq!(ours.erase_export(id, now()).await.unwrap().0, erased);
    assert!(!file.exists());

    let known = agent
        .refresh()
        .await
        .map(|_| agent.exports())
        .unwrap()
        .await
        .unwrap();
    let tombstones: Vec<_> = known.iter().map(|known| known.erased).collect();
    assert_eq!(tombstones, [Some(erased), None]);
}

#[tokio::test]
async fn a_check_finds_the_lost_key_of_an_export_and_the_one_that_outlived_its_export() {
    let scene = Scene::new().await;
    let ours = scene.open(true, vec![scene.owner.clone()]).await;
    let (kept, erased) = (ExportId::new(now()).unwrap(), ExportId::new(now()).unwrap());
    for export in [kept, erased] {
        ours.create_export_key(export, &[], now()).await.unwrap();
        ours.log_export(said(export), now()).await.unwrap();
    }
    let at = |export| {
        let name = FileName::export_key(&export);
        scene.folder.path().join("r").join(name.as_str())
    };
    let stored = std::fs::read(at(erased)).unwrap();
    ours.erase_export(erased, now()).await.unwrap();
    let look = async || {
        let mut odd = Vec::new();
        let mut events = |event| {
            if let CheckEvent::Warning { name, reason } = event {
                odd.push((name, reason));
            }
        };
        let report = check(&ours, Depth::Structure, &mut events).await.unwrap();
        (report.damages, odd)
    };
    assert_eq!(look().await, (Vec::new(), Vec::new()));
    std::fs::write(at(erased), stored).unwrap();
    std::fs::remove_file(at(kept)).unwrap();
    let (damages, odd) = look().await;
    assert_eq!(odd.len(), 1, "{odd:?}");
    assert_eq!(odd[0].0, FileName::export_key(&erased).as_str());
    assert!(odd[0].1.contains("erased"), "{odd:?}");
    assert_eq!(damages.len(), 1, "{damages:?}");
    assert_eq!(damages[0].name, FileName::export_key(&kept).as_str());
    assert!(damages[0].reason.contains("missing"), "{damages:?}");
}

#[tokio::test]
async fn an_owner_without_a_machine_key_writes_exports_under_the_owners_name() {
    let scene = Scene::new().await;
    let owner = scene.open(false, vec![scene.owner.clone()]).await;
    let id = ExportId::new(now()).unwrap();
    owner.check_author().await.unwrap();
    owner.log_export(said(id), now()).await.unwrap();
    let agent = scene.open(true, Vec::new()).await;
    let known = agent.exports().await.unwrap();
    assert_eq!(known[0].signer, agent.record().owners_signer);
    assert_eq!((known.len(), known[0].export.export), (1, id));
}

#[tokio::test]
async fn a_key_file_that_holds_no_key_is_damaged_and_no_lack_of_a_key() {
    let export = ExportId::new(now()).unwrap();
    let holder = Pair::generate();
    for text in [&b"\xff"[..], b"no key\n", b"# a comment alone\n"] {
        let stored = envelope::seal_for(&[&holder.to_recipient()], text).unwrap();
        let holders = vec![Identity::from(holder.clone())];
        let opened = open_export_key(export, Bytes::from(stored), holders).await;
        assert!(matches!(opened, Err(Error::Damaged { .. })), "{text:?}");
    }
}
