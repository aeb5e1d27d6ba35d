//! Each kind of file × each sort of damage × who looks: `check` finds it and says what it touches, and nothing else is lost
//! by it. `cargo test -p archive-format --test format every_damage -- --nocapture` shows the table.

mod harm;
mod scene;
mod table;

use std::collections::BTreeSet;
use std::path::Path;

use archive_format::check::remembered;
use archive_format::{
    CheckReport, Damage, Depth, Repository, SnapshotReader, SnapshotRecord, check,
};
use bytes::Bytes;
use futures::TryStreamExt;

use self::harm::Harm;
use self::scene::{Kind, Scene, Who, new, old};
use self::table::{Said, Table};
use crate::world::{Failure, Tested, Thing, now};
use mlark_tests::length::{figures, grouped};

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

#[expect(
    clippy::print_stdout,
    reason = "the table is for whoever wants to see it"
)]
async fn every_damage_is_found(encrypted: bool) -> Tested {
    let scene = Scene::new(encrypted).await?;
    let mut table = Table::default();
    for (path, kind, other) in &scene.files {
        for (number, harm) in Harm::all().into_iter().enumerate() {
            let kept = std::fs::read(path)?;
            harm.strike(path, other)?;
            let newest = path.ends_with(format!("log/{:010}", scene.head.0));
            let mut lookers = match harm {
                // Of the many flips each is looked at by one of them.
                Harm::Flip(_) if number % 2 == 0 => vec![Who::Saw],
                Harm::Flip(_) => vec![Who::Anew],
                _ => vec![Who::Saw, Who::Anew],
            };
            lookers.extend(newest.then_some(Who::Told));
            for who in lookers {
                let said = examine(&scene, path, *kind, who).await;
                let said = said.map_err(|error| {
                    format!("{harm:?} of {kind}, {}, {who:?}: {error}", path.display())
                })?;
                table.note(*kind, harm, who, said);
            }
            std::fs::write(path, kept)?;
        }
    }
    // Mended again, all is sound: the harm did not outlive the file.
    let report = check(&scene.open(Who::Saw).await?, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!((report.damages, report.warnings), (vec![], 0));
    let keys = if encrypted { 6 } else { 0 };
    assert_eq!(table.kinds().len(), 17 + keys, "{:?}", table.kinds());
    println!("{table}");
    let sort = ["unencrypted", "encrypted"][usize::from(encrypted)];
    let (files, cases) = (scene.files.len() as u64, grouped(table.cases()));
    figures(&format!(
        "damage: {sort}, {files} files, {cases} cases, 0 not found or wrongly named"
    ))?;
    Ok(())
}

/// Looks at a repository in which this file is harmed. An error says what was not found, or wrongly named.
async fn examine(scene: &Scene, harmed: &Path, kind: Kind, who: Who) -> Tested<Said> {
    let name = harmed.strip_prefix(scene.world.root())?;
    let name = name.to_str().ok_or("no text")?.to_owned();
    let is_newest = name == format!("log/{:010}", scene.head.0);
    let repository = match scene.open(who).await {
        Ok(repository) => repository,
        // Without its record or its keys nothing of a repository opens.
        Err(error) if matches!(kind, Kind::Keys("data" | "meta", false) | Kind::Record) => {
            return unopened(scene, &error, kind, who).await;
        }
        // The newest entry of a log is missed only by those who have seen it, or were told of it.
        Err(error @ archive_format::Error::Rollback { .. }) if is_newest && who == Who::Told => {
            let reason = error.to_string();
            return Ok(Said::Unopened { reason });
        }
        Err(error) => return Err(error.into()),
    };
    if who == Who::Told {
        return Err("an expected head is missing, and nobody said so".into());
    }
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    if kind == Kind::Probe {
        assert_eq!(report.warnings, 0);
        return sound_without_it(scene, &repository, &report).await;
    }
    let Some(damage) = report.damages.iter().find(|damage| damage.name == name) else {
        // A checkpoint is derived, and deleted when another is there.
        if kind == Kind::Checkpoint && !harmed.exists() {
            return sound_without_it(scene, &repository, &report).await;
        }
        if is_newest && !harmed.exists() && who == Who::Anew {
            assert_eq!(report.damages, []);
            return Ok(Said::Unknown);
        }
        return Err(format!("check found {:?}", report.damages).into());
    };
    let lost = lost(scene, &repository, &report, harmed, who, kind).await?;
    touches(scene, &repository, &report, damage, kind).await?;
    if kind == Kind::Keys("sign", false) {
        assert_eq!(lost, [0, 0], "nothing is read with the owners' signing key");
        let refused = repository.rotate_keys(Vec::new(), now()).await;
        assert!(
            refused
                .as_ref()
                .is_err_and(|error| error.to_string().contains(&name)),
            "{refused:?}"
        );
    }
    if kind == Kind::Keys("data", true) || kind == Kind::Keys("meta", true) {
        assert_eq!(lost, [0, 0], "the other owner reads everything");
        let opened = scene.open_by_passphrase().await;
        assert!(opened.is_err(), "{opened:?}");
    }
    Ok(Said::Named {
        reason: damage.reason.clone(),
        snapshots: damage.snapshots.len(),
        items: damage.items.len(),
        lost,
    })
}

/// The damage says what it touches, where it touches something.
async fn touches(
    scene: &Scene,
    repository: &Repository,
    report: &CheckReport,
    damage: &Damage,
    kind: Kind,
) -> Tested {
    if kind == Kind::Checkpoint && (!damage.snapshots.is_empty() || report.damages.len() != 1) {
        return Err(format!("a checkpoint touches nothing: {:?}", report.damages).into());
    }
    let live = repository.history().await?;
    let touches_some = match kind {
        Kind::Pack(_) | Kind::Index(_) | Kind::Record => true,
        Kind::Keys(sort, _) => sort != "sign",
        _ => false,
    };
    if touches_some && !live.is_empty() && damage.snapshots.is_empty() {
        return Err(format!("no snapshot is named: {damage:?}").into());
    }
    // A machine that read the entry knows which snapshot is gone with it.
    let entry_of = |record: &SnapshotRecord| record.id == scene.second.id;
    if damage.name == format!("log/{:010}", scene.head.0)
        && live.iter().any(entry_of)
        && damage.snapshots != [scene.second.id]
    {
        return Err(format!("the snapshot of the entry is not named: {damage:?}").into());
    }
    Ok(())
}

/// How many things of the two snapshots do not come back: each is named, and what is not named comes back.
async fn lost(
    scene: &Scene,
    repository: &Repository,
    report: &CheckReport,
    harmed: &Path,
    who: Who,
    kind: Kind,
) -> Tested<[usize; 2]> {
    let mut lost = [0, 0];
    let mut must_name = false;
    let name = harmed.strip_prefix(scene.world.root())?;
    let of_file = |damage: &&Damage| Path::new(&damage.name) == name;
    let damage = report.damages.iter().find(of_file).ok_or("not named")?;
    let records = [(&scene.first, old()), (&scene.second, new())];
    for (lost, (record, things)) in lost.iter_mut().zip(records) {
        let left = Left::of(repository, record, &things).await?;
        // Who never saw a manifest and has lost its beginning cannot say what stood in it.
        let is_unknown = left.lines_lost && who == Who::Anew;
        must_name |= !left.hurt.is_empty() && !is_unknown;
        let needs_it_not =
            record.id == scene.first.id && scene.later.iter().any(|file| file == harmed);
        let is_named = damage.snapshots.contains(&record.id);
        if needs_it_not && (!left.hurt.is_empty() || left.lines_lost || is_named) {
            return Err(format!("the first snapshot does not need it: {damage:?}").into());
        }
        if matches!(kind, Kind::Entry(_)) && who == Who::Saw && !left.hurt.is_empty() {
            return Err("a machine that saw the log whole reads what it named".into());
        }
        named(report, record, &left, who)?;
        *lost = left.hurt.len();
    }
    let no_items = report.damages.iter().all(|damage| damage.items.is_empty());
    if must_name && matches!(kind, Kind::Pack(_)) && no_items {
        return Err(format!("no item is named: {:?}", report.damages).into());
    }
    Ok(lost)
}

/// Nothing rests on such a file: all is there, and nothing is said.
async fn sound_without_it(
    scene: &Scene,
    repository: &Repository,
    report: &CheckReport,
) -> Tested<Said> {
    assert_eq!(report.damages, []);
    assert_eq!(repository.notices(), []);
    let live = repository.history().await?;
    assert_eq!(live, [scene.first.clone(), scene.second.clone()]);
    Ok(Said::Nothing)
}

/// What does not come back is named, and what is not named comes back.
fn named(report: &CheckReport, record: &SnapshotRecord, left: &Left, who: Who) -> Tested {
    for hurt in &left.hurt {
        let mut items = report.damages.iter().flat_map(|damage| &damage.items);
        let item_named = items.any(|(_, key)| key.name == *hurt);
        let mut damages = report.damages.iter();
        let snapshot_named = damages.any(|damage| damage.snapshots.contains(&record.id));
        // Who never saw the manifest knows only how many of its lines are lost.
        let unknown = left.lines_lost && who == Who::Anew;
        if !snapshot_named || !(item_named || unknown) {
            return Err(format!("{hurt} is hurt and not named: {:?}", report.damages).into());
        }
    }
    Ok(())
}

/// Nothing opens: the error is damage, and what this machine remembers says what it touches.
async fn unopened(
    scene: &Scene,
    error: &archive_format::Error,
    kind: Kind,
    who: Who,
) -> Tested<Said> {
    use archive_format::Error::{NoKey, UnknownFlag, UnknownVersion};
    // Who never saw the repository cannot tell a damaged key file from a key that does not fit, nor a damaged record from
    // one of a later version. The record of another repository is sound: that it should not lie here is for the program to
    // remember.
    let may_be_something_else = match error {
        NoKey(_) => who == Who::Anew || kind == Kind::Record,
        UnknownVersion { .. } | UnknownFlag { .. } => who == Who::Anew,
        _ => false,
    };
    if !error.is_damage() && !may_be_something_else {
        return Err(Failure::from(format!("it is no damage: {error:?}")));
    }
    let id = scene.world.machine.repository().to_string();
    let folder = scene.world.folder.path().join("cache").join(id);
    let (snapshots, items) = remembered(&folder).await?;
    assert_eq!(snapshots, [scene.second.id, scene.first.id]);
    assert_eq!(items.len(), 2);
    let reason = error.to_string();
    Ok(Said::Unopened { reason })
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_and_double_files_are_warnings() -> Tested {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await?;
        let root = scene.world.root();
        let mut expected = Vec::new();
        // A second copy of a file of each kind, under a name that is not its own.
        for (path, kind, _) in &scene.files {
            let relative = path.strip_prefix(&root)?.to_str().ok_or("no text")?;
            let last = path.file_name().and_then(|name| name.to_str());
            let last = last.ok_or("no name")?;
            let name = match kind {
                Kind::Pack(_) => format!("packs/zz/{last}"),
                Kind::Keys(..) => format!("keys/9{}", &last[1..]),
                Kind::Probe => continue,
                _ => format!("{relative}.copy"),
            };
            expected.push((name, path.clone()));
        }
        for (name, path) in &expected {
            let copy = root.join(name);
            std::fs::create_dir_all(copy.parent().ok_or("no parent")?)?;
            std::fs::copy(path, copy)?;
        }
        for name in ["readme.txt", "log/notes", "keys/notes", "index/notes"] {
            std::fs::create_dir_all(root.join(name).parent().ok_or("no parent")?)?;
            std::fs::write(root.join(name), "what is this")?;
            expected.push((name.to_owned(), root.join(name)));
        }
        for who in [Who::Saw, Who::Anew] {
            let mut warned = Vec::new();
            let repository = scene.open(who).await?;
            let report = check(&repository, Depth::ReadData, &mut |event| {
                if let archive_format::CheckEvent::Warning { name, .. } = event {
                    warned.push(name);
                }
            })
            .await?;
            assert_eq!(report.damages, []);
            let mut names: Vec<&String> = expected.iter().map(|(name, _)| name).collect();
            warned.sort();
            names.sort();
            assert_eq!(
                warned.iter().collect::<Vec<_>>(),
                names,
                "each is told once"
            );
            let left = Left::of(&repository, &scene.second, &new()).await?;
            assert!(left.hurt.is_empty(), "{:?}", left.hurt);
        }
    }
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
    Harm::Flip(50).strike(harmed, harmed)?;
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
    let owner = scene.open(Who::Saw).await?;
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
