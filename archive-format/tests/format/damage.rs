//! Each sort of file × each sort of damage: `check` finds it and says what it touches, and nothing else is lost by it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use archive_format::check::remembered;
use archive_format::{
    CheckReport, Depth, EntryHash, OpenOptions, Repository, SnapshotReader, SnapshotRecord, check,
};
use bytes::Bytes;
use futures::TryStreamExt;

use crate::world::{Failure, Tested, Thing, World, backup, floats, model, noise};
use mlark_tests::length::{figures, grouped, short_or_long};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// A bit is turned at this share of the file, in percent.
    Flip(usize),
    Truncate,
    Empty,
    Delete,
    Swap,
    Append,
}

fn harms() -> Vec<Harm> {
    let places = short_or_long(8, 50);
    let flips = (0..places).map(|place| Harm::Flip(place * 100 / (places - 1)));
    let others = [
        Harm::Truncate,
        Harm::Empty,
        Harm::Delete,
        Harm::Swap,
        Harm::Append,
    ];
    flips.chain(others).collect()
}

fn harm(path: &Path, other: Option<&Path>, harm: Harm) -> Tested<bool> {
    let mut bytes = std::fs::read(path)?;
    match harm {
        Harm::Flip(percent) => {
            let place = (bytes.len() - 1) * percent / 100;
            bytes[place] ^= 0x10;
        }
        Harm::Truncate => bytes.truncate(bytes.len() * 2 / 3),
        Harm::Empty => bytes.clear(),
        Harm::Append => bytes.extend_from_slice(b"more"),
        Harm::Delete => {
            std::fs::remove_file(path)?;
            return Ok(true);
        }
        Harm::Swap => match other {
            Some(other) => bytes = std::fs::read(other)?,
            None => return Ok(false),
        },
    }
    std::fs::write(path, bytes)?;
    Ok(true)
}

fn old() -> Vec<Thing> {
    vec![
        model("old", noise(12_000, 1)),
        model("shared", noise(9_000, 2)),
    ]
}

fn new() -> Vec<Thing> {
    vec![
        model("new", floats(20_000, 3)),
        model("shared", noise(9_000, 2)),
    ]
}

/// Two snapshots that share something, in a repository of its own.
struct Scene {
    world: World,
    first: SnapshotRecord,
    second: SnapshotRecord,
    /// The files that came with the second: nothing that happens to them touches the first.
    later: Vec<PathBuf>,
    head: (u64, EntryHash),
}

impl Scene {
    async fn new(encrypted: bool) -> Tested<Self> {
        let world = World::new(encrypted).await?;
        let repository = world.open().await?;
        let first = backup(&repository, &old()).await?;
        repository.write_checkpoint().await?;
        let before = files(&world);
        let second = backup(&repository, &new()).await?;
        repository.write_checkpoint().await?;
        let mut later = files(&world);
        later.retain(|file| !before.contains(file));
        assert!(
            later.len() >= 8,
            "packs, their index files, an entry, a checkpoint: {later:?}"
        );
        let head = repository.head().await?;
        Ok(Self {
            world,
            first,
            second,
            later,
            head,
        })
    }

    fn sort_of(&self, path: &Path) -> Tested<String> {
        let relative = path.strip_prefix(self.world.root())?;
        let first = relative.iter().next().and_then(|part| part.to_str());
        Ok(first.ok_or("no name")?.to_owned())
    }

    async fn open(&self, cache: &str) -> Result<Repository, archive_format::Error> {
        self.open_expecting(cache, None).await
    }

    async fn open_expecting(
        &self,
        cache: &str,
        expect_head: Option<(u64, EntryHash)>,
    ) -> Result<Repository, archive_format::Error> {
        if cache != "cache" {
            let _ = std::fs::remove_dir_all(self.world.folder.path().join(cache));
        }
        let options = OpenOptions {
            tolerate_damage: true,
            expect_head,
            ..self.world.options(cache)
        };
        Repository::open(self.world.storage(), self.world.keys(), options).await
    }
}

/// All files of a repository, but for its record.
fn files(world: &World) -> Vec<PathBuf> {
    ["packs", "index", "log", "keys", "checkpoints"]
        .iter()
        .flat_map(|folder| world.files(folder))
        .collect()
}

/// What still comes back of a snapshot, taken item by item.
struct Left {
    /// Things that do not come back as they were.
    hurt: BTreeSet<String>,
    /// Whether a part of the manifest is lost.
    lines_lost: bool,
}

impl Left {
    async fn of(
        repository: &Repository,
        record: &SnapshotRecord,
        things: &[Thing],
    ) -> Tested<Self> {
        let reader = repository.snapshot(record).passing_over_damage();
        let mut whole = BTreeSet::new();
        let mut lines = reader.lines();
        while let Some(line) = lines.try_next().await? {
            let thing = things.iter().find(|thing| thing.name == line.name);
            let thing = thing.ok_or("an item that was never there")?;
            match comes_back(&reader, &line, thing).await {
                Ok(true) => {
                    whole.insert(thing.name.clone());
                }
                Ok(false) => return Err("something else comes back than was stored".into()),
                Err(error) if error.is_damage() => {}
                Err(error) => return Err(error.into()),
            }
        }
        let hurt = things.iter().map(|thing| thing.name.clone());
        Ok(Self {
            hurt: hurt.filter(|name| !whole.contains(name)).collect(),
            lines_lost: !reader.passed_over().is_empty(),
        })
    }
}

async fn comes_back(
    reader: &SnapshotReader,
    line: &archive_format::Line,
    thing: &Thing,
) -> Result<bool, archive_format::Error> {
    for document in &line.documents {
        if reader.document(document).await? != thing.document {
            return Ok(false);
        }
    }
    for file in &line.files {
        let Some(content) = &file.content else {
            return Ok(false);
        };
        let bytes: Vec<Bytes> = reader.file(content).try_collect().await?;
        if bytes.concat() != thing.files[0].1 {
            return Ok(false);
        }
    }
    Ok(true)
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_a_file_of_an_encrypted_repository_is_found_and_named() -> Tested {
    every_damage_is_found(true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_damage_to_a_file_of_an_unencrypted_repository_is_found_and_named() -> Tested {
    every_damage_is_found(false).await
}

async fn every_damage_is_found(encrypted: bool) -> Tested {
    let scene = Scene::new(encrypted).await?;
    let mut files = files(&scene.world);
    let mut cases = 0;
    files.push(scene.world.root().join("repository.json"));
    for harmed in &files {
        let sort = scene.sort_of(harmed)?;
        let mut others = files.iter().filter(|file| *file != harmed);
        let other = others.find(|file| scene.sort_of(file).is_ok_and(|other| other == sort));
        for (number, kind) in harms().into_iter().enumerate() {
            let bytes = std::fs::read(harmed)?;
            if !harm(harmed, other.map(PathBuf::as_path), kind)? {
                continue;
            }
            // With the cache that saw the repository whole, and with none; of the many flips each with one of them.
            let caches: &[&str] = match kind {
                Harm::Flip(_) if number % 2 == 0 => &["cache"],
                Harm::Flip(_) => &["fresh"],
                _ => &["cache", "fresh"],
            };
            for cache in caches {
                examine(&scene, harmed, &sort, cache)
                    .await
                    .map_err(|error| {
                        format!("{kind:?} of {}, {cache}: {error}", harmed.display())
                    })?;
                cases += 1;
            }
            std::fs::write(harmed, bytes)?;
        }
    }
    // Mended again, all is sound: the harm did not outlive the file.
    let report = check(&scene.open("cache").await?, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    assert_eq!(report.warnings, 0);
    let sort = ["unencrypted", "encrypted"][usize::from(encrypted)];
    let (files, cases) = (grouped(files.len() as u64), grouped(cases));
    figures(&format!(
        "damage: {sort}, {files} files, {cases} cases, 0 not found or wrongly named"
    ))?;
    Ok(())
}

async fn examine(scene: &Scene, harmed: &Path, sort: &str, cache: &str) -> Tested {
    let name = harmed.strip_prefix(scene.world.root())?;
    let name = name.to_str().ok_or("no text")?.to_owned();
    let repository = match scene.open(cache).await {
        Ok(repository) => repository,
        // Without its record or its keys nothing of a repository opens.
        Err(error) if ["keys", "repository.json"].contains(&sort) => {
            return unopened(scene, &error, cache).await;
        }
        Err(error) => return Err(error.into()),
    };
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    let newest_is_gone = sort == "log" && !harmed.exists() && cache == "fresh";
    let Some(damage) = report.damages.iter().find(|damage| damage.name == name) else {
        // A checkpoint is derived, and deleted when another is there.
        if sort == "checkpoints" && !harmed.exists() {
            return sound_without_it(scene, &repository, &report).await;
        }
        // The newest entry of a log is missed only by those who have seen it, or were told of it.
        if newest_is_gone && name == format!("log/{:010}", scene.head.0) {
            let expecting = scene.open_expecting(cache, Some(scene.head)).await;
            return match expecting {
                Err(archive_format::Error::Rollback { remembered, .. })
                    if remembered == scene.head.0 =>
                {
                    Ok(())
                }
                other => Err(format!("an expected head is missing: {other:?}").into()),
            };
        }
        return Err(format!("check found {:?}", report.damages).into());
    };
    if sort == "checkpoints" && (!damage.snapshots.is_empty() || report.damages.len() != 1) {
        return Err(format!("a checkpoint touches nothing: {:?}", report.damages).into());
    }
    let live = repository.history().await?;
    let mut must_name = false;
    for (record, things) in [(&scene.first, old()), (&scene.second, new())] {
        let left = Left::of(&repository, record, &things).await?;
        // Who never saw a manifest and has lost its beginning cannot say what stood in it.
        let is_unknown = left.lines_lost && cache == "fresh";
        must_name |= !left.hurt.is_empty() && !is_unknown;
        let needs_it_not =
            record.id == scene.first.id && scene.later.iter().any(|file| file == harmed);
        let is_named = damage.snapshots.contains(&record.id);
        if needs_it_not && (!left.hurt.is_empty() || left.lines_lost || is_named) {
            return Err(format!("the first snapshot does not need it: {damage:?}").into());
        }
        if sort == "log" && cache == "cache" && !left.hurt.is_empty() {
            return Err("a machine that saw the log whole reads what it named".into());
        }
        named(&report, record, &left, cache)?;
    }
    let touches_all = ["packs", "index", "keys"].contains(&sort) && !name.contains("-sign");
    if touches_all && !live.is_empty() && damage.snapshots.is_empty() {
        return Err(format!("no snapshot is named: {damage:?}").into());
    }
    if must_name && sort == "packs" && report.damages.iter().all(|damage| damage.items.is_empty()) {
        return Err(format!("no item is named: {:?}", report.damages).into());
    }
    Ok(())
}

/// Nothing rests on a checkpoint: all is there, and nothing is said.
async fn sound_without_it(scene: &Scene, repository: &Repository, report: &CheckReport) -> Tested {
    assert_eq!(report.damages, []);
    assert_eq!(repository.notices(), []);
    let live = repository.history().await?;
    assert_eq!(live, [scene.first.clone(), scene.second.clone()]);
    Ok(())
}

/// What does not come back is named, and what is not named comes back.
fn named(report: &CheckReport, record: &SnapshotRecord, left: &Left, cache: &str) -> Tested {
    for hurt in &left.hurt {
        let mut items = report.damages.iter().flat_map(|damage| &damage.items);
        let item_named = items.any(|(_, key)| key.name == *hurt);
        let mut damages = report.damages.iter();
        let snapshot_named = damages.any(|damage| damage.snapshots.contains(&record.id));
        // Who never saw the manifest knows only how many of its lines are lost.
        let unknown = left.lines_lost && cache == "fresh";
        if !snapshot_named || !(item_named || unknown) {
            return Err(format!("{hurt} is hurt and not named: {:?}", report.damages).into());
        }
    }
    Ok(())
}

/// Nothing opens: the error is damage, and what this machine remembers says what it touches.
async fn unopened(scene: &Scene, error: &archive_format::Error, cache: &str) -> Tested {
    use archive_format::Error::{NoKey, UnknownFlag, UnknownVersion};
    // Who never saw the repository cannot tell a damaged key file from a key that does not fit, nor a damaged record from
    // one of a later version.
    let may_be_something_else =
        cache == "fresh" && matches!(error, NoKey(_) | UnknownVersion { .. } | UnknownFlag { .. });
    if !error.is_damage() && !may_be_something_else {
        return Err(Failure::from(format!("it is no damage: {error:?}")));
    }
    let id = scene.world.machine.repository().to_string();
    let folder = scene.world.folder.path().join("cache").join(id);
    let (snapshots, items) = remembered(&folder).await?;
    assert_eq!(snapshots, [scene.second.id, scene.first.id]);
    assert_eq!(items.len(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_double_files_are_warnings() -> Tested {
    let scene = Scene::new(true).await?;
    let root = scene.world.root();
    let pack = scene.world.files("packs").remove(0);
    let name = pack.file_name().ok_or("no name")?.to_owned();
    std::fs::create_dir_all(root.join("packs/zz"))?;
    std::fs::copy(&pack, root.join("packs/zz").join(&name))?;
    std::fs::write(root.join("readme.txt"), "what is this")?;
    std::fs::write(root.join("log/notes"), "mine")?;
    let mut warned = Vec::new();
    let repository = scene.open("cache").await?;
    let report = check(&repository, Depth::ReadData, &mut |event| {
        if let archive_format::CheckEvent::Warning { name, .. } = event {
            warned.push(name);
        }
    })
    .await?;
    assert_eq!(report.damages, []);
    for file in ["readme.txt", "log/notes"] {
        assert!(warned.iter().any(|name| name == file), "{file}: {warned:?}");
    }
    let double = format!("packs/zz/{}", name.to_string_lossy());
    assert!(warned.contains(&double), "{warned:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn each_depth_sees_what_it_says_and_a_part_only_its_packs() -> Tested {
    let scene = Scene::new(true).await?;
    let packs = scene.world.files("packs");
    let agent = archive_format::KeyChain {
        machine: Some(scene.world.machine.clone()),
        owners: Vec::new(),
    };
    let opened =
        Repository::open(scene.world.storage(), agent, scene.world.options("agent")).await?;
    for depth in [Depth::Structure, Depth::Digests] {
        assert!(check(&opened, depth, &mut |_| {}).await?.is_sound());
    }
    for depth in [Depth::ReadData, Depth::ReadSubset("1/2".parse()?)] {
        let refused = check(&opened, depth, &mut |_| {}).await;
        assert!(
            matches!(refused, Err(archive_format::Error::NoKey(_))),
            "{refused:?}"
        );
    }
    // A bit of a data pack: the size is right, the digest is not.
    let largest = packs
        .iter()
        .max_by_key(|path| path.metadata().map(|about| about.len()).unwrap_or(0));
    let harmed = largest.ok_or("no packs")?;
    harm(harmed, None, Harm::Flip(50))?;
    assert!(
        check(&opened, Depth::Structure, &mut |_| {})
            .await?
            .is_sound()
    );
    assert_eq!(
        check(&opened, Depth::Digests, &mut |_| {})
            .await?
            .damages
            .len(),
        1
    );
    let owner = scene.open("cache").await?;
    let (mut found, mut read) = (0, 0);
    for part in ["1/3", "2/3", "3/3"] {
        let report = check(&owner, Depth::ReadSubset(part.parse()?), &mut |_| {}).await?;
        found += report.damages.len();
        read += report.packs;
    }
    assert_eq!(
        (found, read),
        (1, packs.len() as u64),
        "the parts are all packs, each once"
    );
    let all = check(&owner, Depth::ReadSubset("100%".parse()?), &mut |_| {}).await?;
    assert_eq!((all.damages.len(), all.packs), (1, packs.len() as u64));
    Ok(())
}
