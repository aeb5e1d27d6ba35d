//! A repair adds, and never changes, moves or deletes: lost index files come back, and what is lost is stored again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive_format::{
    Depth, Error, KeyChain, OpenOptions, PackName, Repaired, Repository, check, repair,
};

use crate::world::{Tested, Thing, World, backup, model, noise, now, restore};

fn things() -> Vec<Thing> {
    vec![model("a", noise(90_000, 1)), model("b", noise(70_000, 2))]
}

fn contents(world: &World) -> Tested<BTreeMap<PathBuf, Vec<u8>>> {
    let files = world.files("").into_iter();
    files
        .map(|path| Ok((path.clone(), std::fs::read(path)?)))
        .collect()
}

/// Repairs, and makes sure that no file that was there is another one now.
async fn mend(world: &World) -> Tested<Repaired> {
    let before = contents(world)?;
    let repaired = repair(&world.open().await?, Depth::Digests, now(), &mut |_| {}).await?;
    let after = contents(world)?;
    for (path, bytes) in before {
        assert_eq!(
            after.get(&path),
            Some(&bytes),
            "{} was touched",
            path.display()
        );
    }
    Ok(repaired)
}

/// The largest pack of a world: it holds the files.
fn data_pack(world: &World) -> Tested<PathBuf> {
    let packs = world.files("packs").into_iter();
    let largest = packs.max_by_key(|path| path.metadata().map(|about| about.len()).unwrap_or(0));
    Ok(largest.ok_or("no packs")?)
}

fn name_of(path: &Path) -> Tested<String> {
    let name = path.file_name().and_then(|name| name.to_str());
    Ok(name.ok_or("no name")?.to_owned())
}

async fn fresh(world: &World, cache: &str) -> Result<Repository, Error> {
    Repository::open(world.storage(), world.keys(), world.options(cache)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_index_is_written_again_from_its_pack() -> Tested {
    for encrypted in [true, false] {
        let world = World::new(encrypted).await?;
        backup(&world.open().await?, &things()).await?;
        let indexes = world.files("index");
        for index in &indexes {
            std::fs::remove_file(index)?;
        }
        let found = check(&world.open().await?, Depth::Digests, &mut |_| {}).await?;
        assert_eq!(found.damages.len(), indexes.len());
        assert!(
            found
                .damages
                .iter()
                .all(|damage| damage.snapshots.len() == 1)
        );
        let repaired = mend(&world).await?;
        assert_eq!(repaired.indexes.len(), indexes.len());
        assert_eq!((repaired.entry, &repaired.remaining[..]), (None, &[][..]));
        assert_eq!(world.files("index"), indexes);
        // A machine that comes anew, without an owner's key, knows every object.
        let agent = KeyChain {
            machine: Some(world.machine.clone()),
            owners: Vec::new(),
        };
        let packs = world.files("packs");
        let agent = Repository::open(world.storage(), agent, world.options("agent")).await?;
        backup(&agent, &things()).await?;
        assert_eq!(world.files("packs"), packs);
        let sound = check(&fresh(&world, "fresh").await?, Depth::ReadData, &mut |_| {}).await?;
        assert_eq!((sound.damages, sound.warnings), (Vec::new(), 0));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_index_stays_and_its_packs_own_table_counts() -> Tested {
    for encrypted in [true, false] {
        let world = World::new(encrypted).await?;
        let record = backup(&world.open().await?, &things()).await?;
        let index = world
            .root()
            .join("index")
            .join(name_of(&data_pack(&world)?)?);
        let mut bytes = std::fs::read(&index)?;
        let last = bytes.len() - 20;
        bytes[last] ^= 1;
        bytes.truncate(last + 10);
        std::fs::write(&index, bytes)?;
        // Whoever comes anew reads it all the same, by the pack's own table.
        assert_eq!(
            restore(&fresh(&world, "one").await?, &record).await?,
            things()
        );
        let repaired = mend(&world).await?;
        assert_eq!(repaired.tables.len(), 1);
        assert_eq!(repaired.remaining, []);
        assert_eq!(repaired.entry, Some(3));
        // It is known from now on, and harms nobody: not here, not on a machine that comes anew.
        for cache in ["cache", "two"] {
            let repository = fresh(&world, cache).await?;
            let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
            assert_eq!((report.damages, report.warnings), (Vec::new(), 1));
            let packs = world.files("packs").len();
            backup(&repository, &things()).await?;
            assert_eq!(
                world.files("packs").len(),
                packs,
                "{cache}: its objects are named"
            );
        }
        assert_eq!(mend(&world).await?.entry, None, "nothing new to say");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_lost_pack_held_is_stored_again_by_the_next_backup() -> Tested {
    let world = World::new(true).await?;
    let old = backup(&world.open().await?, &things()).await?;
    let lost = data_pack(&world)?;
    let mut bytes = std::fs::read(&lost)?;
    let whole = bytes.clone();
    for place in (500..bytes.len()).step_by(5_000) {
        bytes[place] ^= 0xff;
    }
    std::fs::write(&lost, &bytes)?;
    let name: PackName = name_of(&lost)?.parse()?;

    // Before the repair the writer cannot know: the new snapshot rests on what is lost.
    let hurt = backup(&world.open().await?, &things()).await?;
    assert!(restore(&world.open().await?, &hurt).await.is_err());

    let repaired = mend(&world).await?;
    assert_eq!(repaired.packs.len(), 1);
    assert!(
        repaired.lost > 0 && repaired.entry.is_some(),
        "{repaired:?}"
    );
    let items = repaired.remaining.iter().flat_map(|damage| &damage.items);
    assert_eq!(
        items.map(|(_, key)| key.name.as_str()).collect::<Vec<_>>(),
        ["a", "b"]
    );
    for cache in ["cache", "fresh"] {
        let repository = fresh(&world, cache).await?;
        let packs = world.files("packs").len();
        let new = backup(&repository, &things()).await?;
        assert_eq!(restore(&repository, &new).await?, things());
        let written = world.files("packs").len() > packs;
        assert_eq!(
            written,
            cache == "cache",
            "stored again once, for every machine"
        );
        let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
        assert_eq!(report.damages.len(), 1);
        assert!(report.damages[0].known);
        let touched = &report.damages[0].snapshots;
        assert!(
            touched.contains(&old.id) && touched.contains(&hurt.id) && !touched.contains(&new.id)
        );
    }
    // Where the file comes back from a copy, a repair says so, and everything is as before.
    std::fs::write(&lost, whole)?;
    let mended = mend(&world).await?;
    assert_eq!(
        mended
            .mended
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        [format!("packs/{}/{name}", &name.to_string()[..2])]
    );
    let repository = fresh(&world, "later").await?;
    assert!(
        check(&repository, Depth::ReadData, &mut |_| {})
            .await?
            .is_sound()
    );
    assert_eq!(restore(&repository, &hurt).await?, things());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repair_needs_an_owner_and_a_machine_and_a_whole_log() -> Tested {
    let world = World::new(true).await?;
    backup(&world.open().await?, &things()).await?;
    let with = |machine: bool, owner: bool| KeyChain {
        machine: machine.then(|| world.machine.clone()),
        owners: world
            .owner
            .clone()
            .filter(|_| owner)
            .into_iter()
            .map(Into::into)
            .collect(),
    };
    let agent = Repository::open(world.storage(), with(true, false), world.options("a")).await?;
    let refused = repair(&agent, Depth::Digests, now(), &mut |_| {}).await;
    assert!(matches!(refused, Err(Error::NoKey(_))), "{refused:?}");
    let owner = Repository::open(world.storage(), with(false, true), world.options("b")).await?;
    let refused = repair(&owner, Depth::Digests, now(), &mut |_| {}).await;
    assert!(
        matches!(refused, Err(Error::NoSigner { .. })),
        "{refused:?}"
    );
    std::fs::write(world.root().join("log/0000000002"), "no entry")?;
    let options = OpenOptions {
        tolerate_damage: true,
        ..world.options("c")
    };
    let damaged = Repository::open(world.storage(), world.keys(), options).await?;
    let refused = repair(&damaged, Depth::Digests, now(), &mut |_| {}).await;
    assert!(
        matches!(refused, Err(Error::LogDamaged { entry: 2 })),
        "{refused:?}"
    );
    Ok(())
}
