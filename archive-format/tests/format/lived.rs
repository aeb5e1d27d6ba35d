//! A repository that lived: every sort of entry that this version writes, every sort of content, keys of every sort of
//! holder, made anew and revoked, damage that was repaired.
//!
//! Archives of released versions are such repositories, put beside these tests once and never made anew; what this
//! version makes is looked at like them.

mod content;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::copy::Progress;
use archive_format::{
    CheckEvent, Commit, Copied, Depth, Error, Grace, Identity, InitOptions, KeyChain, LocalStorage,
    MachineKey, OpenOptions, Outcome, Pair, Recipient, Repository, SnapshotId, SnapshotRecord,
    SnapshotWriter, Storage, check, copy, magic, repair,
};
use jiff::{Timestamp, ToSpan};
use secrecy::ExposeSecret;
use serde_json::json;

use self::content::{daily, folder, workspace};
use crate::meanwhile::{Meanwhile, Request};
use crate::told::{self, Item, Told};
use crate::world::{Tested, World, complete, files_below, now};

/// An SSH key of nobody.
const SSH_KEY: &str = include_str!("lived/ssh_ed25519");

/// The passphrase of an owner of nothing else.
pub(crate) const PASSPHRASE: &str = "correct horse battery staple";

/// A repository under way.
struct Life {
    /// Where `repository`, `keys` and what is told of them lie.
    folder: PathBuf,
    /// For caches.
    aside: tempfile::TempDir,
    machine: MachineKey,
    owner: Option<Pair>,
    day: i64,
    /// What every snapshot holds that is to be told of.
    told: Vec<(SnapshotRecord, Vec<Item>)>,
}

/// Makes one in a folder, and beside it the file that tells what it holds. `work`: that of the passphrase; none is the
/// usual one.
pub(crate) async fn live(folder: &Path, encrypted: bool, work: Option<u8>) -> Tested {
    let mut life = Life::begin(folder, encrypted).await?;
    life.first_days(work).await?;
    life.open("machine").await?.write_checkpoint().await?;
    life.removals().await?;
    if encrypted {
        let passphrase = Recipient::passphrase(PASSPHRASE.to_owned().into(), work)?;
        let owner = life.open("owner").await?;
        owner.rotate_keys(vec![passphrase], life.now()).await?;
    }
    life.sweep_under_a_run().await?;
    life.theft().await?;
    life.damage().await?;
    life.last_days().await?;
    life.tell().await
}

impl Life {
    async fn begin(folder: &Path, encrypted: bool) -> Tested<Self> {
        std::fs::create_dir_all(folder.join("keys"))?;
        let owner = encrypted.then(Pair::generate);
        let options = InitOptions {
            owners: owner.iter().map(Pair::to_recipient).collect(),
            unencrypted: owner.is_none(),
            pack_bytes: 64 << 20,
            label: "nightly".to_owned(),
            program: program(),
            now: now(),
        };
        let made = Repository::init(storage(folder), options).await?;
        let life = Self {
            folder: folder.to_owned(),
            aside: tempfile::tempdir()?,
            machine: made.machine_key,
            owner,
            day: 0,
            told: Vec::new(),
        };
        life.keep_key("machine.key", life.machine.to_text().expose_secret())?;
        if let Some(owner) = &life.owner {
            life.keep_key("owner.key", owner.to_file_text(now()).expose_secret())?;
            life.keep_key("ssh_ed25519", SSH_KEY)?;
            life.keep_key("passphrase", PASSPHRASE)?;
        }
        Ok(life)
    }

    fn keep_key(&self, name: &str, text: &str) -> Tested {
        Ok(std::fs::write(self.folder.join("keys").join(name), text)?)
    }

    fn now(&self) -> Timestamp {
        now()
            .checked_add((self.day * 24).hours())
            .unwrap_or_else(|_| now())
    }

    fn options(&self, cache: &str) -> OpenOptions {
        OpenOptions {
            cache: self.aside.path().join(cache),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: program(),
        }
    }

    /// Opens it for the first machine and an owner, with a cache of this name.
    async fn open(&self, cache: &str) -> Tested<Repository> {
        let keys = self.keys(self.machine.clone());
        Ok(Repository::open(storage(&self.folder), keys, self.options(cache)).await?)
    }

    fn keys(&self, machine: MachineKey) -> KeyChain {
        KeyChain {
            machine: Some(machine),
            owners: self.owner.clone().map(Identity::from).into_iter().collect(),
        }
    }

    /// Introduces another machine, and opens the repository for it alone.
    async fn another_machine(&self, label: &str) -> Tested<(MachineKey, Repository)> {
        let owner = self.open("owner").await?;
        let machine = MachineKey::generate(owner.id(), label)?;
        owner
            .add_machine(machine.introduction(), self.now())
            .await?;
        let keys = KeyChain {
            machine: Some(machine.clone()),
            owners: Vec::new(),
        };
        let theirs = Repository::open(storage(&self.folder), keys, self.options(label)).await?;
        Ok((machine, theirs))
    }

    async fn begin_run(&mut self, repository: &Repository) -> Tested<SnapshotWriter> {
        self.day += 1;
        let identity = json!({"Azure": {"name": "prod", "subscription": "s"}});
        Ok(repository.begin("prod", identity, self.now()).await?)
    }

    fn commit(&self, outcome: Outcome, items: &[Item]) -> Commit {
        let mut commit = Commit {
            outcome,
            finished: self.now(),
            tags: vec![format!("day-{}", self.day)],
            requests: 7,
            ..complete()
        };
        for item in items {
            let counts = commit.items.entry(item.kind.clone()).or_default();
            counts.listed += 1;
            counts.saved += 1;
        }
        commit
    }

    /// Commits a run; what it holds is told of.
    async fn committed(
        &mut self,
        writer: &SnapshotWriter,
        outcome: Outcome,
        items: Vec<Item>,
    ) -> Tested<SnapshotId> {
        let record = writer.commit(self.commit(outcome, &items)).await?;
        let id = record.id;
        self.told.push((record, items));
        Ok(id)
    }

    /// Owners of every sort, two machines, and a run that commits twice.
    async fn first_days(&mut self, work: Option<u8>) -> Tested {
        let repository = self.open("machine").await?;
        let writer = self.begin_run(&repository).await?;
        let mut items = workspace(&writer, self.owner.is_some()).await?;
        self.committed(&writer, Outcome::Partial, items.clone())
            .await?;
        items.push(daily(&writer, 1).await?);
        self.committed(&writer, Outcome::Complete, items).await?;
        if self.owner.is_some() {
            let owner = self.open("owner").await?;
            let ssh = Identity::parse_file(SSH_KEY)?.remove(0).to_recipient();
            owner.add_owner(ssh, "grace@desk", self.now()).await?;
            let passphrase = Recipient::passphrase(PASSPHRASE.to_owned().into(), work)?;
            owner.add_owner(passphrase, "safe", self.now()).await?;
        }
        let (second, theirs) = self.another_machine("laptop").await?;
        self.keep_key("laptop.key", second.to_text().expose_secret())?;
        let identity = json!({"Folder": {"path": "/home/ada"}});
        let writer = theirs.begin("notes", identity, self.now()).await?;
        let items = folder(&writer).await?;
        self.committed(&writer, Outcome::Complete, items).await?;
        Ok(())
    }

    /// A suspect snapshot that is accepted, protected ones, forgotten ones, and a sweep.
    async fn removals(&mut self) -> Tested {
        let repository = self.open("machine").await?;
        let (partial, first) = (self.told[0].0.id, self.told[1].0.id);
        let writer = self.begin_run(&repository).await?;
        let items = vec![daily(&writer, 2).await?];
        let second = self.committed(&writer, Outcome::Complete, items).await?;
        let writer = self.begin_run(&repository).await?;
        let items = vec![daily(&writer, 3).await?];
        let suspect = self.committed(&writer, Outcome::Suspect, items).await?;
        repository.accept(&[suspect], self.now()).await?;
        repository
            .protect(&[first, second], true, self.now())
            .await?;
        repository.protect(&[second], false, self.now()).await?;
        let done = repository
            .forget(&[partial, second], "keep_daily = 3", self.now())
            .await?;
        assert_eq!(done.forgotten, [partial, second]);
        let swept = repository
            .sweep(&Grace::default(), self.now(), &mut |_| {})
            .await?;
        assert!(swept.deleted > 0);
        Ok(())
    }

    /// A machine whose key was stolen, and whose snapshot counts for nothing.
    async fn theft(&mut self) -> Tested {
        let (stolen, theirs) = self.another_machine("stolen").await?;
        let writer = self.begin_run(&theirs).await?;
        daily(&writer, 666).await?;
        writer.commit(self.commit(Outcome::Complete, &[])).await?;
        let owner = self.open("owner").await?;
        let (last, _) = owner.head().await?;
        let signer = stolen.signer().to_string();
        owner.revoke(&signer, (last - 1, None), self.now()).await?;
        Ok(())
    }

    /// A sweep takes the packs of a run away before its entry, so that it puts a hold and stores them again.
    async fn sweep_under_a_run(&mut self) -> Tested {
        let (sweeping, day) = (self.open("sweeping").await?, self.now());
        let act = move || async move {
            sweeping.sweep(&Grace::default(), day, &mut |_| {}).await?;
            Ok(())
        };
        let storage = Meanwhile::new(storage(&self.folder), Request::Create, "log/", act);
        let keys = self.keys(self.machine.clone());
        let repository = Repository::open(storage.clone(), keys, self.options("held")).await?;
        let writer = self.begin_run(&repository).await?;
        let items = vec![daily(&writer, 3).await?, daily(&writer, 4).await?];
        let gone = writer.commit(self.commit(Outcome::Complete, &items)).await;
        assert!(matches!(gone, Err(Error::Gone { .. })), "{gone:?}");
        assert!(storage.happened());
        let items = vec![daily(&writer, 3).await?, daily(&writer, 4).await?];
        self.committed(&writer, Outcome::Complete, items).await?;
        Ok(())
    }

    /// Damage that a repair enters into the log, and that is mended from a copy.
    async fn damage(&mut self) -> Tested {
        let repository = self.open("machine").await?;
        let packs = files_below(&self.folder.join("repository/packs")).into_iter();
        let largest = packs.max_by_key(|path| path.metadata().map_or(0, |about| about.len()));
        let largest = largest.ok_or("no pack")?;
        let (sound, mut harmed) = (std::fs::read(&largest)?, std::fs::read(&largest)?);
        for byte in harmed.iter_mut().skip(500) {
            *byte ^= 0x55;
        }
        std::fs::write(&largest, harmed)?;
        let index = largest.file_name().ok_or("no name")?;
        let found = repair(&repository, Depth::Digests, self.now(), &mut |_| {}).await?;
        assert!(found.lost > 0 && !found.remaining.is_empty(), "{found:?}");
        std::fs::write(&largest, sound)?;
        std::fs::remove_file(self.folder.join("repository/index").join(index))?;
        let found = repair(&repository, Depth::Digests, self.now(), &mut |_| {}).await?;
        assert_eq!((found.mended.len(), found.indexes.len()), (1, 1));
        Ok(())
    }

    /// A machine is removed, and a snapshot comes from another repository.
    async fn last_days(&mut self) -> Tested {
        let repository = self.open("machine").await?;
        repository.remove_holder("laptop", self.now()).await?;
        let other = World::new(false).await?;
        let source = other.open().await?;
        let writer = source.begin("other", json!({"Folder": {}}), now()).await?;
        let items = vec![daily(&writer, 9).await?];
        let original = writer
            .commit(self.commit(Outcome::Complete, &items))
            .await?;
        let progress = Progress::default();
        let copied = copy(&source, &original, &repository, self.now(), &progress).await?;
        let Copied::New(record) = copied else {
            return Err("it was there already".into());
        };
        self.told.push((record, items));
        Ok(())
    }

    /// Writes down what is there.
    async fn tell(self) -> Tested {
        let repository = self.open("telling").await?;
        let mut told = Told {
            format: magic::FORMAT_VERSION,
            program: program(),
            log: told::log(&self.folder.join("repository"), self.owner.as_ref())?,
            odd: Vec::new(),
            snapshots: Vec::new(),
            files: BTreeMap::new(),
        };
        for record in repository.history().await? {
            let held = self.told.iter().find(|(made, _)| made.id == record.id);
            let (_, items) = held.ok_or("a snapshot that nobody made")?;
            let mut items = items.clone();
            items.sort_by_key(Item::key);
            let found = told::snapshot(&repository, &record).await?;
            assert_eq!(found.items, items);
            told.snapshots.push(found);
        }
        let mut odd = Vec::new();
        let mut events = |event| {
            if let CheckEvent::Warning { name, .. } = event {
                odd.push(name);
            }
        };
        check(&repository, Depth::ReadData, &mut events).await?;
        odd.sort();
        told.odd = odd;
        told.files = told::files(&self.folder)?;
        let mut text = serde_json::to_string_pretty(&told)?;
        text.push('\n');
        Ok(std::fs::write(self.folder.join(Told::NAME), text)?)
    }
}

fn program() -> String {
    format!("archive-format {}", env!("CARGO_PKG_VERSION"))
}

/// The store below a folder.
pub(crate) fn storage(folder: &Path) -> Arc<dyn Storage> {
    Arc::new(LocalStorage::new(folder.join("repository")))
}
