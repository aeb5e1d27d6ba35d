//! A repository that has a file of every kind: key files of an owner and of a passphrase, packs of each class with their index
//! files, entries of each sort that the program writes, checkpoints, and what a probe leaves where nothing can be deleted.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use archive_format::{
    Depth, EntryHash, Error, Grace, MachineKey, OpenOptions, Pair, Repository, SnapshotRecord,
    check, repair,
};
use serde_json::json;

use super::harm::Harm;
use crate::keys::{by_passphrase, open_as, passphrase};
use crate::world::{
    Tested, Thing, World, backup, complete, decrypt, floats, model, noise, now, put,
};

const PASSPHRASE: &str = "correct horse";

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Record,
    /// A key file: of which sort, and whether it is a passphrase's.
    Keys(&'static str, bool),
    /// A pack, by its class.
    Pack(u8),
    /// The index of a pack of this class.
    Index(u8),
    /// An entry of the log, by its sort.
    Entry(&'static str),
    Checkpoint,
    Probe,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |class: &u8| match class {
            1 => "documents",
            2 => "files",
            16 => "manifests and lists",
            _ => "outputs",
        };
        match self {
            Self::Record => write!(f, "repository.json"),
            Self::Keys(sort, false) => write!(f, "keys: {sort}"),
            Self::Keys(sort, true) => write!(f, "keys: {sort}, passphrase"),
            Self::Pack(class) => write!(f, "pack of {}", of(class)),
            Self::Index(class) => write!(f, "index of {}", of(class)),
            Self::Entry(sort) => write!(f, "log entry: {sort}"),
            Self::Checkpoint => write!(f, "checkpoint"),
            Self::Probe => write!(f, "left by a probe"),
        }
    }
}

pub(super) fn old() -> Vec<Thing> {
    vec![
        model("old", noise(12_000, 1)),
        model("shared", noise(9_000, 2)),
    ]
}

pub(super) fn new() -> Vec<Thing> {
    vec![
        model("new", floats(20_000, 3)),
        model("shared", noise(9_000, 2)),
    ]
}

/// Two snapshots that share something, in a repository of its own.
pub(super) struct Scene {
    pub(super) world: World,
    pub(super) first: SnapshotRecord,
    pub(super) second: SnapshotRecord,
    /// The files that came with the second: nothing that happens to them touches the first.
    pub(super) later: Vec<PathBuf>,
    pub(super) head: (u64, EntryHash),
    /// Every file with its kind, and what stands in its place after a swap.
    pub(super) files: Vec<(PathBuf, Kind, PathBuf)>,
    /// Another repository, whose record may stand in the place of ours.
    other: World,
}

impl Scene {
    pub(super) async fn new(encrypted: bool) -> Tested<Self> {
        let owner = encrypted.then(Pair::generate);
        let mut world = match &owner {
            Some(owner) => {
                let owners = vec![owner.to_recipient(), passphrase(PASSPHRASE)?];
                World::with_owners(owners).await?
            }
            None => World::new(false).await?,
        };
        world.owner = owner;
        let mut log = Log::default();
        // Two checkpoints, neither of which holds the newest entry.
        let (repository, first) = grow(&world, &mut log).await?;
        repository.write_checkpoint().await?;
        leave_probes(&world)?;
        let before = world.files("");
        let second = backup(&repository, &new()).await?;
        log.reaches("snapshot", repository.head().await?.0);
        let mut later = world.files("");
        later.retain(|file| !before.contains(file));
        assert!(
            later.len() >= 8,
            "packs, their index files, an entry: {later:?}"
        );
        let head = repository.head().await?;
        let other = World::new(encrypted).await?;
        let mut scene = Self {
            world,
            first,
            second,
            later,
            head,
            files: Vec::new(),
            other,
        };
        scene.files = scene.kinds(&log)?;
        Ok(scene)
    }

    /// The kind of every file.
    fn kinds(&self, log: &Log) -> Tested<Vec<(PathBuf, Kind, PathBuf)>> {
        let mut kinds = Vec::new();
        for path in self.world.files("") {
            let kind = self.kind(&path, log)?;
            kinds.push((path, kind));
        }
        let record = self.other.root().join("repository.json");
        let swap = |path: &PathBuf, kind: Kind| {
            let mut like = kinds.iter().filter(|(other, _)| other != path);
            let same = like.find(|(_, other)| *other == kind);
            let near = || {
                let mut others = kinds.iter().filter(|(other, _)| other != path);
                others.find(|(other, _)| other.parent() == path.parent())
            };
            match (kind, same.or_else(near)) {
                (Kind::Record, _) | (_, None) => record.clone(),
                (_, Some((other, _))) => other.clone(),
            }
        };
        let files = kinds.iter();
        Ok(files
            .map(|(path, kind)| (path.clone(), *kind, swap(path, *kind)))
            .collect())
    }

    fn kind(&self, path: &Path, log: &Log) -> Tested<Kind> {
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.ok_or("no name")?;
        let relative = path.strip_prefix(self.world.root())?;
        let folder = relative.iter().next().and_then(|part| part.to_str());
        Ok(match folder {
            Some("repository.json") => Kind::Record,
            Some("keys") => {
                let sort = ["data", "meta", "sign"]
                    .into_iter()
                    .find(|sort| name.contains(sort))
                    .ok_or("an unknown key file")?;
                Kind::Keys(sort, name.contains("-p"))
            }
            Some("packs") => Kind::Pack(self.class(name)?),
            Some("index") => Kind::Index(self.class(name)?),
            Some("log") => Kind::Entry(log.sort(name.parse()?)?),
            Some("checkpoints") => Kind::Checkpoint,
            Some("probe") => Kind::Probe,
            other => return Err(format!("an unknown folder: {other:?}").into()),
        })
    }

    /// The class of a pack, as FORMAT.md says where it stands in the index.
    fn class(&self, name: &str) -> Tested<u8> {
        let path = self.world.root().join("index").join(name);
        let plain = match self.world.owner {
            Some(_) => {
                decrypt(&path, &self.world.secrets("meta")?[0])?.ok_or("it does not open")?
            }
            None => std::fs::read(&path)?,
        };
        let header = u32::from_le_bytes(plain[56..60].try_into()?) as usize;
        Ok(plain[60 + header + 28])
    }

    /// Opens it as somebody: with the cache that saw it whole, or with none.
    pub(super) async fn open(&self, who: Who) -> Result<Repository, Error> {
        let cache = match who {
            Who::Saw => "cache",
            Who::Anew | Who::Told => "fresh",
        };
        if who != Who::Saw {
            let _ = std::fs::remove_dir_all(self.world.folder.path().join(cache));
        }
        let options = OpenOptions {
            tolerate_damage: true,
            expect_head: (who == Who::Told).then_some(self.head),
            ..self.world.options(cache)
        };
        Repository::open(self.world.storage(), self.world.keys(), options).await
    }

    /// Opens it with the passphrase alone, on a machine that never saw it.
    pub(super) async fn open_by_passphrase(&self) -> Result<Repository, Error> {
        let _ = std::fs::remove_dir_all(self.world.folder.path().join("passphrase"));
        open_as(&self.world, by_passphrase(PASSPHRASE), "passphrase").await
    }
}

/// Who looks at the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Who {
    /// A machine that saw the repository whole.
    Saw,
    /// One that never saw it.
    Anew,
    /// One that never saw it, and was told where the log ended.
    Told,
}

/// Which entries are of which sort.
#[derive(Default)]
struct Log(BTreeMap<u64, &'static str>);

impl Log {
    /// All entries up to this one that have no sort yet are of this sort.
    fn reaches(&mut self, sort: &'static str, head: u64) {
        let from = self.0.keys().next_back().map_or(1, |last| last + 1);
        assert!(head >= from, "no entry was added: {sort}");
        self.0.extend((from..=head).map(|number| (number, sort)));
    }

    fn sort(&self, number: u64) -> Tested<&'static str> {
        Ok(self.0.get(&number).copied().ok_or("an unknown entry")?)
    }
}

/// Writes entries of each sort, the first snapshot among them. What is left is sound, and nothing in it is odd.
async fn grow(world: &World, log: &mut Log) -> Tested<(Repository, SnapshotRecord)> {
    let (repository, sweeper) = (
        world.open().await?,
        world.open_at(world.storage(), "sweeper").await?,
    );
    log.reaches("keys", 1);
    let zero = backup(&repository, &[model("shared", noise(9_000, 2))]).await?;
    let between = backup(&repository, &[model("between", noise(9_000, 7))]).await?;
    log.reaches("snapshot", 3);
    let machine = MachineKey::generate(repository.id(), "other")?;
    repository
        .add_machine(machine.introduction(), now())
        .await?;
    log.reaches("keys", 4);
    // What the first snapshot shares with an older one is swept while it is written, so that it asks for a hold.
    let writer = repository.begin("prod", json!({}), now()).await?;
    for thing in old() {
        put(&writer, &thing).await?;
    }
    sweeper.forget(&[zero.id], "a test", now()).await?;
    log.reaches("forget", 5);
    let swept = sweeper.sweep(&Grace::default(), now(), &mut |_| {}).await?;
    assert!(swept.deleted > 0, "{swept:?}");
    log.reaches("sweep", 6);
    let hit = writer.commit(complete()).await;
    assert!(matches!(hit, Err(Error::Gone { .. })), "{hit:?}");
    log.reaches("hold", repository.head().await?.0);
    for thing in old() {
        put(&writer, &thing).await?;
    }
    let first = writer.commit(complete()).await?;
    drop(writer);
    log.reaches("snapshot", repository.head().await?.0);
    repository.write_checkpoint().await?;
    repository.forget(&[between.id], "a test", now()).await?;
    log.reaches("forget", repository.head().await?.0);
    repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    log.reaches("sweep", repository.head().await?.0);
    repository.protect(&[first.id], true, now()).await?;
    log.reaches("protect", repository.head().await?.0);
    repository.accept(&[first.id], now()).await?;
    log.reaches("accept", repository.head().await?.0);
    // A pack that is damaged and comes back: two repairs.
    let pack = world.files("packs").pop().ok_or("no packs")?;
    let kept = std::fs::read(&pack)?;
    Harm::Truncate.strike(&pack, &pack)?;
    for bytes in [None, Some(kept)] {
        if let Some(bytes) = bytes {
            std::fs::write(&pack, bytes)?;
        }
        repair(&world.open().await?, Depth::Digests, now(), &mut |_| {}).await?;
    }
    let repository = world.open().await?;
    log.reaches("repair", repository.head().await?.0);
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!((report.damages, report.warnings), (vec![], 0));
    Ok((repository, first))
}

/// What a probe leaves where deletes are refused.
fn leave_probes(world: &World) -> Tested {
    std::fs::create_dir_all(world.root().join("probe"))?;
    for digit in ["1", "2"] {
        std::fs::write(world.root().join("probe").join(digit.repeat(32)), digit)?;
    }
    Ok(())
}
