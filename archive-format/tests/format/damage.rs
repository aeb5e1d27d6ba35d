//! Each sort of file × each sort of damage: `check` finds it and says what it touches, and nothing else is lost by it.

use std::path::{Path, PathBuf};

use archive_format::{Depth, Repository, SnapshotRecord, check};

use crate::world::{Tested, Thing, World, backup, floats, model, noise, restore};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Flip(usize),
    Truncate,
    Empty,
    Delete,
    Swap,
    Append,
}

const HARMS: [Harm; 8] = [
    Harm::Flip(0),
    Harm::Flip(33),
    Harm::Flip(97),
    Harm::Truncate,
    Harm::Empty,
    Harm::Delete,
    Harm::Swap,
    Harm::Append,
];

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
        model("old", noise(120_000, 1)),
        model("shared", noise(90_000, 2)),
    ]
}

fn new() -> Vec<Thing> {
    vec![
        model("new", floats(40_000, 3)),
        model("shared", noise(90_000, 2)),
    ]
}

/// Two snapshots that share something, in a repository of its own.
async fn world(encrypted: bool) -> Tested<(World, SnapshotRecord, SnapshotRecord)> {
    let world = World::new(encrypted).await?;
    let repository = world.open().await?;
    let first = backup(&repository, &old()).await?;
    let second = backup(&repository, &new()).await?;
    Ok((world, first, second))
}

fn sort_of(path: &Path, root: &Path) -> Tested<String> {
    let relative = path.strip_prefix(root)?;
    Ok(relative
        .iter()
        .next()
        .and_then(|part| part.to_str())
        .ok_or("no name")?
        .to_owned())
}

/// Which of the two snapshots still come back whole.
async fn readable(
    repository: &Repository,
    first: &SnapshotRecord,
    second: &SnapshotRecord,
) -> (bool, bool) {
    let whole =
        |read: Tested<Vec<Thing>>, things: Vec<Thing>| read.is_ok_and(|read| read == things);
    (
        whole(restore(repository, first).await, old()),
        whole(restore(repository, second).await, new()),
    )
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
    let (template, first, second) = world(encrypted).await?;
    let files: Vec<PathBuf> = ["packs", "index", "log", "keys"]
        .iter()
        .flat_map(|folder| template.files(folder))
        .collect();
    for harmed in &files {
        let sort = sort_of(harmed, &template.root())?;
        let other = files.iter().find(|file| {
            *file != harmed && sort_of(file, &template.root()).is_ok_and(|other| other == sort)
        });
        for kind in HARMS {
            let bytes = std::fs::read(harmed)?;
            if !harm(harmed, other.map(PathBuf::as_path), kind)? {
                continue;
            }
            examine(&template, harmed, &sort, &first, &second)
                .await
                .map_err(|error| format!("{kind:?} of {}: {error}", harmed.display()))?;
            std::fs::write(harmed, bytes)?;
        }
    }
    // Mended again, all is sound: the harm did not outlive the file.
    let report = check(&template.open().await?, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(report.damages, []);
    Ok(())
}

async fn examine(
    world: &World,
    harmed: &Path,
    sort: &str,
    first: &SnapshotRecord,
    second: &SnapshotRecord,
) -> Tested {
    let name = harmed
        .strip_prefix(world.root())?
        .to_str()
        .ok_or("no text")?
        .to_owned();
    // With the cache that saw the repository whole, and with none.
    for cache in ["cache", "fresh"] {
        let _ = std::fs::remove_dir_all(world.folder.path().join("fresh"));
        let options = archive_format::OpenOptions {
            tolerate_damage: true,
            ..world.options(cache)
        };
        let repository = match Repository::open(world.storage(), world.keys(), options).await {
            Ok(repository) => repository,
            // Without its keys nothing of a repository opens.
            Err(error) if sort == "keys" && error.is_damage() => continue,
            Err(error) if sort == "keys" && matches!(error, archive_format::Error::NoKey(_)) => {
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
        let newest_is_gone = sort == "log" && !harmed.exists() && cache == "fresh";
        let found = report.damages.iter().find(|damage| damage.name == name);
        let Some(damage) = found else {
            // The newest entry of a log is missed only by those who have seen it.
            if newest_is_gone && name.ends_with('3') {
                continue;
            }
            return Err(format!("check found {:?}", report.damages).into());
        };
        let (old_reads, new_reads) = readable(&repository, first, second).await;
        if sort == "log" && cache == "cache" && !(old_reads && new_reads) {
            return Err("a machine that saw the log whole reads what it named".into());
        }
        if sort == "packs" {
            // What is said to be touched, and nothing else, does not come back.
            let touched = |record: &SnapshotRecord| damage.snapshots.contains(&record.id);
            if (!old_reads && !touched(first)) || (!new_reads && !touched(second)) {
                return Err(format!("a snapshot is hurt and not named: {damage:?}").into());
            }
            let meta_hurt = report
                .damages
                .iter()
                .any(|damage| damage.name.contains("manifest"));
            if !(old_reads && new_reads)
                && report.damages.iter().all(|damage| damage.items.is_empty())
                && !meta_hurt
            {
                return Err(format!("no item is named: {:?}", report.damages).into());
            }
        }
    }
    Ok(())
}
