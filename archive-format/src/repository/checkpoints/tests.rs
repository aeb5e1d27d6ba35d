//! A checkpoint and the log behind it give what the whole log gives, and one that does not is refused.
#![expect(clippy::unwrap_used, reason = "a failed test says where")]

mod forged;
mod histories;
mod several;

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::json;

use crate::keys::signing::SigningSecret;
use crate::log::checkpoint::Checkpoint;
use crate::log::{Body, EntryBody, entry};
use crate::{
    CheckReport, Commit, Depth, EntryHash, Error, FileName, Identity, InitOptions, KeyChain,
    LocalStorage, MachineKey, Notice, OpenOptions, Outcome, Pair, Repository, SnapshotId,
    SnapshotRecord, check,
};

fn now() -> Timestamp {
    Timestamp::from_second(1_790_000_000).unwrap()
}

/// A repository on the local disk with its owner and its first machine.
struct Scene {
    folder: tempfile::TempDir,
    owner: Option<Pair>,
    machine: MachineKey,
}

impl Scene {
    async fn new(encrypted: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let storage = Arc::new(LocalStorage::new(folder.path().join("r")));
        let owner = encrypted.then(Pair::generate);
        let options = InitOptions {
            owners: owner.iter().map(Pair::to_recipient).collect(),
            unencrypted: !encrypted,
            pack_bytes: 1 << 20,
            label: "first".to_owned(),
            program: "test".to_owned(),
            now: now(),
        };
        let made = Repository::init(storage, options).await.unwrap();
        Self {
            folder,
            owner,
            machine: made.machine_key,
        }
    }

    fn path(&self, name: &FileName) -> PathBuf {
        self.folder.path().join("r").join(name.as_str())
    }

    fn options(&self, cache: &str) -> OpenOptions {
        OpenOptions {
            cache: self.folder.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "test".to_owned(),
        }
    }

    fn tolerant(&self, cache: &str) -> OpenOptions {
        OpenOptions {
            tolerate_damage: true,
            ..self.options(cache)
        }
    }

    async fn open_with(
        &self,
        machine: &MachineKey,
        options: OpenOptions,
    ) -> Result<Repository, Error> {
        let storage = Arc::new(LocalStorage::new(self.folder.path().join("r")));
        let keys = KeyChain {
            machine: Some(machine.clone()),
            owners: self.owner.clone().map(Identity::from).into_iter().collect(),
        };
        Repository::open(storage, keys, options).await
    }

    async fn open(&self, cache: &str) -> Repository {
        let opened = self.open_with(&self.machine, self.options(cache)).await;
        opened.unwrap()
    }

    /// Opens it as one who knows nothing of it.
    async fn stranger(&self) -> Repository {
        let _ = std::fs::remove_dir_all(self.folder.path().join("stranger"));
        self.open("stranger").await
    }

    /// A machine that the owners introduce.
    async fn introduce(&self, by: &Repository, label: &str) -> MachineKey {
        let machine = MachineKey::generate(by.id(), label).unwrap();
        by.add_machine(machine.introduction(), now()).await.unwrap();
        machine
    }

    /// The stored entries up to a number.
    fn entries(&self, last: u64) -> Vec<Bytes> {
        (1..=last)
            .map(|number| {
                std::fs::read(self.path(&FileName::log(number)))
                    .unwrap()
                    .into()
            })
            .collect()
    }

    /// Puts a checkpoint of these entries, the first of them with this number, signed with this key.
    async fn plant(
        &self,
        by: &Repository,
        first: u64,
        entries: &[Bytes],
        key: &SigningSecret,
    ) -> FileName {
        let meta = by.inner.chain.lock().await.meta.clone();
        let sealed = Checkpoint::seal(by.id(), first, entries, key, meta.as_ref());
        let (name, _, bytes) = sealed.unwrap();
        let path = self.path(&name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
        name
    }

    /// Damages an entry in the storage: who still opens the repository has not read it.
    fn hide(&self, number: u64) -> Vec<u8> {
        let path = self.path(&FileName::log(number));
        let kept = std::fs::read(&path).unwrap();
        std::fs::write(path, b"hidden").unwrap();
        kept
    }

    fn put_back(&self, number: u64, kept: Vec<u8>) {
        std::fs::write(self.path(&FileName::log(number)), kept).unwrap();
    }
}

/// An entry with the number behind the log's end, as a machine signs it.
async fn sealed(by: &Repository, body: Body, key: &SigningSecret) -> (u64, Vec<u8>) {
    let (number, hash, meta) = {
        let chain = by.inner.chain.lock().await;
        (chain.number + 1, chain.hash, chain.meta.clone())
    };
    let body = EntryBody {
        time: now(),
        run: SnapshotId::new(now()).unwrap(),
        program: "test".to_owned(),
        body,
        more: serde_json::Map::new(),
    };
    let bytes = entry::seal(by.id(), number, hash, &body, key, meta.as_ref());
    (number, bytes.unwrap())
}

async fn backup(repository: &Repository, workspace: &str, outcome: Outcome) -> SnapshotRecord {
    let writer = repository
        .begin(workspace, json!({"Folder": "/x"}), now())
        .await
        .unwrap();
    writer.document(&json!({"name": workspace})).await.unwrap();
    let commit = Commit {
        outcome,
        finished: now(),
        ..Commit::default()
    };
    writer.commit(commit).await.unwrap()
}
