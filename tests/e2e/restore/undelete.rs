//! One thing out of many: what is read of a repository for it, and the command for what somebody deleted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ::restore::{OnConflict, Target, holds};
use archive_format::storage::{Created, FileName, FileUse, Storage, StorageError, StoredFile};
use archive_format::{
    Commit, Identity, InitOptions, KeyChain, Line, LineKey, LocalStorage, MachineKey, OpenOptions,
    Outcome, PackName, Repository, SnapshotReader,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use mlark::ExitStatus;
use mlark_tests::length::{figures, grouped, is_long};
use serde_json::json;

use simulator::arm::WorkspaceSpec;
use simulator::world::{self, TARGET_SUBSCRIPTION};
use workspace::reference::references;
use workspace::{ItemId, Kind};

use super::bench::{Bench, Watch};
use super::program::Program;

/// A store that notes which files are read.
#[derive(Debug)]
struct Counting {
    inner: LocalStorage,
    read: Reads,
}

impl Counting {
    fn note(&self, name: &FileName) {
        *self
            .read
            .lock()
            .unwrap()
            .entry(name.to_string())
            .or_default() += 1;
    }
}

#[async_trait]
impl Storage for Counting {
    fn describe(&self) -> String {
        self.inner.describe()
    }

    async fn create(&self, name: &FileName, bytes: Bytes) -> Result<Created, StorageError> {
        self.inner.create(name, bytes).await
    }

    async fn create_from_file(
        &self,
        name: &FileName,
        file: &Path,
        used: FileUse,
    ) -> Result<Created, StorageError> {
        self.inner.create_from_file(name, file, used).await
    }

    async fn read(&self, name: &FileName, limit: u64) -> Result<Bytes, StorageError> {
        self.note(name);
        self.inner.read(name, limit).await
    }

    async fn read_range(&self, name: &FileName, range: Range<u64>) -> Result<Bytes, StorageError> {
        self.note(name);
        self.inner.read_range(name, range).await
    }

    async fn size(&self, name: &FileName) -> Result<Option<u64>, StorageError> {
        self.inner.size(name).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<StoredFile, StorageError>> {
        self.inner.list(prefix)
    }

    async fn delete(&self, name: &FileName) -> Result<(), StorageError> {
        self.inner.delete(name).await
    }
}

/// Which files of a store were read, and how often.
type Reads = Arc<Mutex<BTreeMap<String, u64>>>;

/// How many items the larger generated snapshot has.
const ITEMS: usize = 100_000;
/// How many of them are spread over each kind.
const KINDS: [&str; 4] = ["models", "data", "jobs", "notebooks"];

/// A repository in small packs, and its keys.
struct Large {
    items: usize,
    folder: tempfile::TempDir,
    owner: Identity,
    machine: MachineKey,
}

impl Large {
    /// A repository with a snapshot in which so many items lie around the bench's own.
    async fn filled(bench: &Bench, items: usize) -> Self {
        let (large, repository) = Self::init(bench, items).await;
        enlarge(bench, &repository, items).await;
        drop(repository);
        // Once, so that this machine knows the repository as it does after any command.
        let repository = large.open(&Arc::default()).await;
        repository.rebuild_catalogue().await.unwrap();
        large
    }

    async fn init(bench: &Bench, items: usize) -> (Self, Repository) {
        let folder = tempfile::tempdir().unwrap();
        let owner = Identity::generate();
        let options = InitOptions {
            owners: vec![owner.to_recipient()],
            unencrypted: false,
            pack_bytes: 1 << 18,
            label: "large".to_owned(),
            program: "mlark test".to_owned(),
            now: bench.store.clock.now(),
        };
        let storage = Arc::new(LocalStorage::new(folder.path().join("repository")));
        let made = Repository::init(storage, options).await.unwrap();
        let large = Self {
            items,
            folder,
            owner,
            machine: made.machine_key,
        };
        let repository = large.open(&Arc::default()).await;
        (large, repository)
    }

    async fn open(&self, read: &Reads) -> Repository {
        let storage = Arc::new(Counting {
            inner: LocalStorage::new(self.folder.path().join("repository")),
            read: read.clone(),
        });
        let keys = KeyChain {
            machine: Some(self.machine.clone()),
            owners: vec![self.owner.clone()],
        };
        let options = OpenOptions {
            cache: self.folder.path().join("cache"),
            trusted_signers: Vec::new(),
            expect_head: None,
            tolerate_damage: false,
            program: "mlark test".to_owned(),
        };
        Repository::open(storage, keys, options).await.unwrap()
    }
}

/// Copies a snapshot, with a great many more items around its own.
async fn enlarge(bench: &Bench, repository: &Repository, items: usize) {
    let small = bench.store.newest().await;
    let record = small.record();
    let writer = repository
        .begin(&record.workspace, record.identity.clone(), record.started)
        .await
        .unwrap();
    let mut lines = small.lines();
    while let Some(mut line) = lines.try_next().await.unwrap() {
        for entry in &mut line.documents {
            let stored = writer
                .document(&small.document(entry).await.unwrap())
                .await
                .unwrap();
            (entry.address, entry.size) = (stored.address, stored.size);
        }
        for file in &mut line.files {
            if let Some(content) = &file.content {
                let bytes = small.file(content);
                let used = archive_format::Lifetime::Files;
                file.content = Some(writer.file(used, bytes).await.unwrap());
            }
        }
        line.secrets.clear();
        match line.part {
            0 => writer.line(line).await.unwrap(),
            _ => writer.append(line).await.unwrap(),
        }
    }
    let mut template = small.lines_of_kind("models");
    let template = template.try_next().await.unwrap().unwrap().documents[0].clone();
    for number in 0..items {
        let kind = KINDS[number % KINDS.len()];
        let mut line = Line::new(LineKey::new(
            kind,
            format!("many-{number:06}"),
            None::<String>,
        ));
        let noise = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let value =
            json!({"name": number, "noise": format!("{noise:032x}{:032x}", noise.rotate_left(17))});
        let stored = writer.document(&value).await.unwrap();
        let mut entry = template.clone();
        (entry.address, entry.size) = (stored.address, stored.size);
        line.documents.push(entry);
        writer.line(line).await.unwrap();
    }
    let commit = Commit {
        outcome: Outcome::Complete,
        finished: bench.store.clock.now(),
        ..Commit::default()
    };
    writer.commit(commit).await.unwrap();
}

/// One thing of each sort, as selectors: a notebook, a version of a model, the outputs of a job.
async fn wanted(snapshot: &SnapshotReader) -> [String; 3] {
    let mut found: [Option<String>; 3] = Default::default();
    let mut lines = snapshot.lines();
    while let Some(line) = lines.try_next().await.unwrap() {
        let bytes = line.files.iter().any(|file| file.content.is_some());
        let outputs = line
            .files
            .iter()
            .any(|file| file.path.as_str().starts_with("outputs/"));
        match (line.kind.as_str(), &line.version) {
            ("notebooks", _) if bytes => found[0] = Some(format!("notebooks/{}", line.name)),
            ("models", Some(version)) if bytes => {
                found[1] = Some(format!("models/{}:{version}", line.name));
            }
            ("jobs", _) if outputs => found[2] = Some(format!("jobs/{}//outputs/**", line.name)),
            _ => {}
        }
    }
    found.map(Option::unwrap)
}

/// The packs of a folder of a repository.
fn packs(folder: &Path, class: &str) -> usize {
    let mut count = 0;
    let mut folders = vec![folder.join(class)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            match entry.file_type().unwrap().is_dir() {
                true => folders.push(entry.path()),
                false => count += 1,
            }
        }
    }
    count
}

#[tokio::test(flavor = "multi_thread")]
async fn one_thing_of_a_hundred_thousand_takes_its_own_packs_and_hardly_more_reads_than_of_few() {
    let bench = Bench::small().await;
    let few = Large::filled(&bench, ITEMS / 20).await;
    let many = Large::filled(&bench, ITEMS).await;
    let all = packs(&many.folder.path().join("repository"), "packs");
    let wanted = wanted(&bench.store.newest().await).await;
    let one_each = wanted.iter().map(std::slice::from_ref);
    for (number, selectors) in one_each.chain([&wanted[..]]).enumerate() {
        let of_few = restored(&bench, &few, &format!("few-{number}"), selectors).await;
        let of_many = restored(&bench, &many, &format!("many-{number}"), selectors).await;
        let line = format!(
            "{} of {} items: {} reads of {} of {all} packs, {} reads where a twentieth lies around; {:.2} s",
            selectors.join(", "),
            grouped(many.items as u64),
            of_many.reads,
            of_many.packs(),
            of_few.reads,
            of_many.took.as_secs_f64()
        );
        figures(&line).unwrap();
        assert_eq!(of_many.data, of_many.needed_data, "{line}");
        // Of the kind that is gone through the piece that follows is read ahead.
        assert!(of_many.ways.is_subset(&of_many.meta), "{line}");
        let ahead = of_many.meta.difference(&of_many.ways).count();
        assert!(ahead <= 1, "{line}: {ahead}");
        assert!(of_many.packs() * 5 < all, "{line}");
        // Every way to an item is as long as a tree is deep.
        assert!(of_many.reads <= of_few.reads * 3 / 2, "{line}");
        if is_long() {
            assert!(of_many.took < Duration::from_secs(2), "{line}");
        }
    }
}

/// What it took to bring something back.
struct Taken {
    /// From the opening of the repository on.
    took: Duration,
    /// Data packs that were read.
    data: BTreeSet<String>,
    /// Data packs that hold, as the catalogue says, something of what is brought back, or the document of a datastore:
    /// every plan asks those where the target's bytes belong.
    needed_data: BTreeSet<String>,
    /// Packs of manifests that were read.
    meta: BTreeSet<String>,
    /// Packs of manifests on the ways to the lines of what is brought back, of what it refers to and of the datastores.
    ways: BTreeSet<String>,
    /// Reads of files of the repository.
    reads: u64,
}

impl Taken {
    fn packs(&self) -> usize {
        self.data.len() + self.meta.len()
    }
}

/// Finds and restores what is selected into a workspace of its own.
async fn restored(bench: &Bench, large: &Large, workspace: &str, selectors: &[String]) -> Taken {
    let spec = WorkspaceSpec::new(TARGET_SUBSCRIPTION, "rg-narrow", workspace, "northeurope");
    let key = world::target(&bench.simulator, &spec).unwrap();
    let read = Reads::default();
    let began = Instant::now();
    let repository = large.open(&read).await;
    let record = repository.history().await.unwrap().pop().unwrap();
    assert!(record.lines > large.items as u64);
    let snapshot = repository.snapshot(&record);
    let now = bench.store.clock.now();
    assert!(holds(&snapshot, selectors, now).await.unwrap());
    let texts: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let request = bench.request(&texts, OnConflict::Fail);
    let target = bench.target_of(&key).await;
    let plan = ::restore::plan(&snapshot, &target, &request, &::restore::Unobserved)
        .await
        .unwrap();
    assert!(plan.changes() > 0, "{selectors:?}");
    let outline = apply(bench, &plan, &snapshot, &target).await;
    let took = began.elapsed();
    assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    let reads = read.lock().unwrap().values().sum();
    let packs = packs_of(&read);
    // Which packs there are is told by objects of the snapshot, which are read now.
    let all_data = names(&snapshot.data_packs().await.unwrap());
    let (data, meta) = packs.into_iter().partition(|pack| all_data.contains(pack));
    let mut items: Vec<(ItemId, bool)> = datastores(bench).await;
    items.extend(plan.steps.iter().map(|step| {
        let outputs = format!("{}//outputs/**", step.item);
        (step.item.clone(), selectors.contains(&outputs))
    }));
    let (needed_data, ways) = needed(large, &items, &all_data).await;
    Taken {
        took,
        data,
        needed_data,
        meta,
        ways,
        reads,
    }
}

fn names(packs: &BTreeSet<PackName>) -> BTreeSet<String> {
    packs.iter().map(ToString::to_string).collect()
}

/// The packs among the files that were read.
fn packs_of(read: &Reads) -> BTreeSet<String> {
    let read = read.lock().unwrap();
    let packs = read.keys().filter(|name| name.starts_with("packs/"));
    packs
        .map(|name| name.rsplit('/').next().unwrap().to_owned())
        .collect()
}

/// The datastores of the bench's own snapshot, which the large one has as well.
async fn datastores(bench: &Bench) -> Vec<(ItemId, bool)> {
    let lines = bench.store.newest().await.lines_of_kind("datastores");
    let lines: Vec<Line> = lines.try_collect().await.unwrap();
    let ids = lines.iter();
    ids.map(|line| (ItemId::new("datastores", &line.name), false))
        .collect()
}

/// The data packs that items need, of some their outputs alone, and the other packs on the way to each of them and to what
/// it refers to: each is looked up alone.
async fn needed(
    large: &Large,
    items: &[(ItemId, bool)],
    all_data: &BTreeSet<String>,
) -> (BTreeSet<String>, BTreeSet<String>) {
    let read = Reads::default();
    let repository = large.open(&read).await;
    let record = repository.history().await.unwrap().pop().unwrap();
    let identity = serde_json::from_value(record.identity.clone()).unwrap();
    let snapshot = repository.snapshot(&record);
    let mut data = BTreeSet::new();
    for (id, outputs_alone) in items {
        // Where its lines end is known by what follows them.
        let lines = snapshot.lines_of_names(&id.kind, &id.name);
        let _: Vec<Line> = lines.try_collect().await.unwrap();
        let found = snapshot.item(&id.kind, &id.name, id.version.as_deref());
        let mut item = found.await.unwrap().unwrap();
        if *outputs_alone {
            item.files
                .retain(|file| file.path.as_str().starts_with("outputs/"));
        }
        data.extend(names(&snapshot.packs_of_item(&item).await.unwrap()));
        let kind = Kind::find(&id.kind).unwrap();
        for entry in item.documents.iter().filter(|entry| entry.form == "arm") {
            let document = snapshot.document(entry).await.unwrap();
            let referred = references(kind, &document).into_iter();
            for other in referred.filter_map(|(_, other)| other.item_in(&identity)) {
                let key = LineKey::new(other.kind, other.name, other.version);
                let _: Option<Line> = snapshot.lines_of_item(&key).try_next().await.unwrap();
            }
        }
    }
    let mut ways = packs_of(&read);
    ways.retain(|pack| !all_data.contains(pack));
    (data, ways)
}

async fn apply(
    bench: &Bench,
    plan: &::restore::Plan,
    snapshot: &SnapshotReader,
    target: &Target,
) -> ::restore::Outline {
    let journal = bench.store.journal("narrow").await;
    let watch = Watch::default();
    let session = ::restore::Session {
        journal: &journal,
        stop: &watch.stop,
        observer: &watch,
        clock: &bench.store.clock,
        fresh: true,
    };
    ::restore::apply(plan, snapshot, target, &session)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_deleted_comes_back_from_the_newest_snapshot_that_has_it() {
    let bench = Bench::small().await;
    let program = Program::new(&bench, "");
    for arguments in [&["init", "--unencrypted"][..], &["backup"]] {
        let status = program.run(arguments).await.0;
        assert_eq!(status, ExitStatus::Done, "{arguments:?}");
    }
    let [notebook, _, _] = wanted(&bench.store.newest().await).await;
    let path = notebook.strip_prefix("notebooks/").unwrap().to_owned();
    let before = bench.dump(&bench.source);
    let file = before["files"].as_object().unwrap();
    let (name, content) = file.iter().find(|(name, _)| name.ends_with(&path)).unwrap();
    remove(&bench, &path);
    assert!(bench.dump(&bench.source)["files"].get(name).is_none());
    // The snapshots since then do not have it.
    assert_eq!(program.run(&["backup"]).await.0, ExitStatus::Done);
    assert_eq!(
        program.run(&["undelete", &notebook]).await.0,
        ExitStatus::Usage,
        "nobody can be asked"
    );
    let status = program.run(&["undelete", &notebook, "--yes"]).await.0;
    // Its time of last access cannot come back, which is a loss.
    assert_eq!(status, ExitStatus::Gaps);
    let after = bench.dump(&bench.source);
    assert_eq!(after["files"][name]["sha256"], content["sha256"]);
    let status = program
        .run(&["undelete", "notebooks/never/was", "--yes"])
        .await
        .0;
    assert_eq!(status, ExitStatus::Usage);
}

/// Deletes a file of the workspace's share.
pub(super) fn remove(bench: &Bench, path: &str) {
    let (account, share) = {
        let state = bench.simulator.state();
        let workspace = state.workspace(&bench.source).unwrap();
        (workspace.account.clone(), workspace.notebook_share.clone())
    };
    let now = bench.simulator.now();
    let mut state = bench.simulator.state();
    let shares = &mut state.accounts.get_mut(&account).unwrap().shares;
    shares.delete_file(&share, path, now).unwrap();
}
