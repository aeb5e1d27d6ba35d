//! The catalogue is a cache: its loss, its corruption and its future do no harm. What only it knows, it keeps.

use std::sync::Arc;

use archive_format::check::remembered;
use archive_format::{
    Depth, Error, GapEntry, KeyChain, KeyLack, LineKey, Notice, Outcome, Pair, Repository,
    RunOutcome, SnapshotId, Storage,
};

use crate::rekey::Watched;
use crate::world::{Tested, World, backup, model, noise, now, restore};

fn catalogue_of(world: &World) -> std::path::PathBuf {
    world
        .folder
        .path()
        .join("cache")
        .join(world.machine.repository().to_string())
        .join("catalogue.sqlite")
}

/// Waits until nobody has it open: the thread that owns the connection may still be closing it.
fn closed(path: &std::path::Path) {
    while path.with_extension("sqlite-wal").exists() {
        std::thread::yield_now();
    }
}

async fn with_broken(break_it: impl Fn(&std::path::Path) -> Tested, told: bool) -> Tested {
    let world = World::new(true).await?;
    let things = [model("a", noise(100_000, 1)), model("b", noise(50, 2))];
    let repository = world.open().await?;
    let record = backup(&repository, &things).await?;
    let lines = repository.catalogue().lines(record.id, 0, 10).await?;
    drop(repository);
    let path = catalogue_of(&world);
    closed(&path);
    break_it(&path)?;
    let repository = world.open().await?;
    let rebuilt = repository.notices().iter().any(
        |notice| matches!(notice, Notice::CatalogueRebuilt { moved_to, .. } if moved_to.exists()),
    );
    assert_eq!(rebuilt, told, "{:?}", repository.notices());
    assert_eq!(repository.catalogue().lines(record.id, 0, 10).await?, lines);
    assert_eq!(restore(&repository, &record).await?, things);
    let packs = world.files("packs");
    backup(&repository, &things).await?;
    assert_eq!(world.files("packs"), packs, "what is there is known again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_catalogue_is_made_anew() -> Tested {
    with_broken(|path| Ok(std::fs::remove_file(path)?), false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalogue_is_moved_aside_and_said() -> Tested {
    with_broken(
        |path| {
            Ok(std::fs::write(
                path,
                b"this is no database, it is text of some length",
            )?)
        },
        true,
    )
    .await?;
    with_broken(
        |path| {
            let mut bytes = std::fs::read(path)?;
            for byte in &mut bytes[5000..20_000] {
                *byte ^= 0x5a;
            }
            Ok(std::fs::write(path, bytes)?)
        },
        true,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_catalogue_is_moved_aside() -> Tested {
    with_broken(
        |path| {
            rusqlite::Connection::open(path)?.execute_batch("PRAGMA application_id = 7")?;
            Ok(())
        },
        true,
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_catalogue_stays_until_the_repository_opens_and_it_is_said() -> Tested {
    let world = World::new(true).await?;
    backup(&world.open().await?, &[model("a", noise(1000, 1))]).await?;
    let path = catalogue_of(&world);
    closed(&path);
    let text = b"this is no database, it is text of some length";
    std::fs::write(&path, text)?;
    // What was remembered would say why no key fits, and what a damage touches: neither moves the file.
    let stranger = KeyChain {
        machine: None,
        owners: vec![Pair::generate().into()],
    };
    let refused = Repository::open(world.storage(), stranger, world.options("cache")).await;
    assert!(
        matches!(refused, Err(Error::NoKey(KeyLack::NoneFits))),
        "{refused:?}"
    );
    let folder = path.parent().ok_or("no folder")?;
    let (snapshots, items) = remembered(folder).await?;
    assert_eq!((snapshots.len(), items.len()), (0, 0));
    assert_eq!(std::fs::read(&path)?, text);
    let opened = world.open().await?;
    let [Notice::CatalogueRebuilt { moved_to, .. }] = opened.notices() else {
        return Err(format!("{:?}", opened.notices()).into());
    };
    assert_eq!(std::fs::read(moved_to)?, text);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_catalogue_is_a_named_error_and_stays_as_it_is() -> Tested {
    let world = World::new(true).await?;
    backup(&world.open().await?, &[model("a", noise(1000, 1))]).await?;
    let path = catalogue_of(&world);
    closed(&path);
    rusqlite::Connection::open(&path)?.execute_batch("PRAGMA user_version = 99")?;
    let bytes = std::fs::read(&path)?;
    let refused = world.open().await;
    assert!(
        matches!(refused, Err(Error::CatalogueNewer { found: 99, .. })),
        "{refused:?}"
    );
    assert_eq!(std::fs::read(&path)?, bytes);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_gaps_are_remembered() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let catalogue = repository.catalogue();
    let (first, second) = (
        SnapshotId::new(now())?,
        SnapshotId::new("2030-01-01T00:00:00Z".parse()?)?,
    );
    catalogue.run_began(first, "prod", now()).await?;
    catalogue.run_began(second, "prod", now()).await?;
    catalogue
        .run_ended(first, now(), RunOutcome::Failed("no network".to_owned()))
        .await?;
    let runs = catalogue.runs(Some("prod"), 10).await?;
    assert_eq!(
        runs.iter().map(|run| run.id).collect::<Vec<_>>(),
        [second, first]
    );
    assert_eq!(runs[0].outcome, None);
    assert_eq!(
        runs[1].outcome,
        Some(RunOutcome::Failed("no network".to_owned()))
    );
    catalogue
        .run_ended(
            second,
            now(),
            RunOutcome::Snapshot(second, Outcome::Suspect),
        )
        .await?;
    assert_eq!(
        catalogue.runs(None, 1).await?[0].outcome,
        Some(RunOutcome::Snapshot(second, Outcome::Suspect))
    );
    assert_eq!(catalogue.runs(Some("other"), 10).await?, []);

    let gap = |file: &str, reason: &str| GapEntry {
        file: Some(file.to_owned()),
        reason: reason.to_owned(),
        known: false,
    };
    let item = LineKey::new("models", "x", Some("3"));
    let later = "2027-01-01T00:00:00Z".parse()?;
    catalogue
        .gaps_seen(
            "prod",
            now(),
            vec![
                (item.clone(), gap("a", "gone")),
                (item.clone(), gap("b", "gone")),
            ],
        )
        .await?;
    catalogue
        .gaps_seen("prod", later, vec![(item.clone(), gap("b", "forbidden"))])
        .await?;
    let gaps = catalogue.gaps(None).await?;
    assert_eq!(gaps.len(), 1);
    assert_eq!(
        (gaps[0].first, gaps[0].last, gaps[0].reason.as_str()),
        (now(), later, "forbidden")
    );
    assert_eq!((&gaps[0].item, gaps[0].file.as_deref()), (&item, Some("b")));
    Ok(())
}

/// The tables of the first schema, as its program made them.
const SCHEMA_1: &str = "
    CREATE TABLE log (
        number INTEGER PRIMARY KEY, hash BLOB NOT NULL, signer BLOB NOT NULL, sort TEXT NOT NULL, body TEXT NOT NULL
    );
    CREATE TABLE snapshot (
        id TEXT PRIMARY KEY, entry INTEGER NOT NULL, workspace TEXT NOT NULL, outcome TEXT NOT NULL,
        forgotten INTEGER NOT NULL DEFAULT 0, accepted INTEGER NOT NULL DEFAULT 0, protected INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE swept (name BLOB PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE pack (
        id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE, class INTEGER NOT NULL, stored_bytes INTEGER NOT NULL,
        plain_bytes INTEGER NOT NULL, header BLOB NOT NULL, state INTEGER NOT NULL DEFAULT 0
    );
    CREATE TABLE frame (
        pack INTEGER NOT NULL, number INTEGER NOT NULL, at INTEGER NOT NULL, stored_bytes INTEGER NOT NULL,
        plain_bytes INTEGER NOT NULL, PRIMARY KEY (pack, number)
    ) WITHOUT ROWID;
    CREATE TABLE object (
        address BLOB NOT NULL, pack INTEGER NOT NULL, frame INTEGER NOT NULL, offset INTEGER NOT NULL,
        length INTEGER NOT NULL, encoding INTEGER NOT NULL, PRIMARY KEY (address, pack)
    ) WITHOUT ROWID;
    CREATE TABLE reach (parent BLOB NOT NULL, pack INTEGER NOT NULL, PRIMARY KEY (parent, pack)) WITHOUT ROWID;
    CREATE INDEX reach_pack ON reach (pack);
    CREATE TABLE piece (id INTEGER PRIMARY KEY, address BLOB NOT NULL UNIQUE);
    CREATE TABLE held (
        snapshot TEXT NOT NULL, position INTEGER NOT NULL, piece INTEGER NOT NULL, PRIMARY KEY (snapshot, position)
    ) WITHOUT ROWID;
    CREATE TABLE line (
        id INTEGER PRIMARY KEY, piece INTEGER NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT,
        part INTEGER NOT NULL, documents INTEGER NOT NULL, gaps INTEGER NOT NULL
    );
    CREATE INDEX line_piece ON line (piece);
    CREATE INDEX line_name ON line (name);
    CREATE TABLE file (line INTEGER NOT NULL, path TEXT NOT NULL, size INTEGER NOT NULL, sha256 BLOB);
    CREATE INDEX file_line ON file (line);
    CREATE TABLE run (
        id TEXT PRIMARY KEY, workspace TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, outcome TEXT,
        snapshot TEXT, error TEXT
    ) WITHOUT ROWID;
    CREATE TABLE gap (
        workspace TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, file TEXT NOT NULL,
        reason TEXT NOT NULL, known INTEGER NOT NULL, first TEXT NOT NULL, last TEXT NOT NULL, open INTEGER NOT NULL,
        PRIMARY KEY (workspace, kind, name, version, file)
    ) WITHOUT ROWID;
    PRAGMA application_id = 0x6d6c726b;
    PRAGMA user_version = 1;
";

const TABLES_1: [&str; 13] = [
    "log", "snapshot", "swept", "pack", "frame", "object", "reach", "piece", "held", "line",
    "file", "run", "gap",
];

/// Makes a catalogue as the first schema had it, with all that this one holds in common with it.
fn downgrade(path: &std::path::Path) -> Tested {
    let newer = path.with_extension("newer");
    std::fs::rename(path, &newer)?;
    let connection = rusqlite::Connection::open(path)?;
    connection.execute_batch(SCHEMA_1)?;
    connection.execute("ATTACH ?1 AS newer", [newer.to_str().ok_or("no text")?])?;
    for table in TABLES_1 {
        let mut query =
            connection.prepare(&format!("SELECT name FROM pragma_table_info('{table}')"))?;
        let columns: Vec<String> = query
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let columns = columns.join(", ");
        connection.execute_batch(&format!(
            "INSERT INTO main.{table} ({columns}) SELECT {columns} FROM newer.{table}"
        ))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_of_the_first_schema_is_migrated_and_keeps_what_it_knows() -> Tested {
    let world = World::new(true).await?;
    let things = [model("a", noise(100_000, 1))];
    let repository = world.open().await?;
    let record = backup(&repository, &things).await?;
    // Something that only a repair's entry says: the first schema kept the entry, and did not know what it means.
    let packs = world.files("packs");
    let largest = packs
        .iter()
        .max_by_key(|path| path.metadata().map(|about| about.len()).unwrap_or(0));
    let largest = largest.ok_or("no packs")?;
    let whole = std::fs::read(largest)?;
    std::fs::write(largest, [&whole[..], b"more"].concat())?;
    archive_format::repair(&repository, Depth::Digests, now(), &mut |_| {}).await?;
    std::fs::write(largest, whole)?;
    let run = SnapshotId::new(now())?;
    repository.catalogue().run_began(run, "prod", now()).await?;
    let holdings = repository.catalogue().holdings().await?;
    drop(repository);
    let path = catalogue_of(&world);
    closed(&path);
    downgrade(&path)?;
    let repository = world.open().await?;
    assert_eq!(repository.notices(), [], "it was not made anew");
    assert_eq!(repository.catalogue().holdings().await?, holdings);
    assert_eq!(repository.catalogue().runs(None, 10).await?.len(), 1);
    assert_eq!(restore(&repository, &record).await?, things);
    backup(&repository, &things).await?;
    assert!(
        world.files("packs").len() > packs.len(),
        "what a repair gave up is not named any more"
    );
    drop(repository);
    closed(&path);
    let version: i64 =
        rusqlite::Connection::open(&path)?
            .pragma_query_value(None, "user_version", |row| row.get(0))?;
    assert!(version >= 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_catalogue_that_breaks_under_a_run_is_told_and_made_anew() -> Tested {
    let world = World::new(true).await?;
    let things = [model("a", noise(100_000, 1))];
    let repository = world.open().await?;
    backup(&repository, &things).await?;
    // The tables lead nowhere from now on, for the connection that is open too.
    let other = rusqlite::Connection::open(catalogue_of(&world))?;
    other.execute_batch(
        "PRAGMA writable_schema = 1; UPDATE sqlite_schema SET rootpage = 99999 WHERE name IN ('object', 'pack', 'log');
         PRAGMA schema_version = 4711;",
    )?;
    drop(other);
    let broken = backup(&repository, &things).await;
    let broken = broken.err().ok_or("it went on")?.downcast::<Error>()?;
    assert!(broken.is_broken_catalogue(), "{broken:?}");
    drop(repository);
    let repository = world.open().await?;
    let told = |notice: &Notice| matches!(notice, Notice::CatalogueRebuilt { moved_to, .. } if moved_to.exists());
    assert!(
        repository.notices().iter().any(told),
        "{:?}",
        repository.notices()
    );
    let packs = world.files("packs");
    let record = backup(&repository, &things).await?;
    assert_eq!(world.files("packs"), packs, "what is there is known again");
    assert_eq!(restore(&repository, &record).await?, things);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_key_alone_makes_the_catalogue_anew_by_ranged_reads() -> Tested {
    let world = World::new(true).await?;
    let things = [model("a", noise(100_000, 1)), model("b", noise(50, 2))];
    let repository = world.open().await?;
    let record = backup(&repository, &things).await?;
    let (lines, holdings) = (
        repository.catalogue().lines(record.id, 0, 10).await?,
        repository.catalogue().holdings().await?,
    );
    drop(repository);
    let path = catalogue_of(&world);
    closed(&path);
    archive_format::Catalogue::clear(path.parent().ok_or("no folder")?).await?;
    closed(&path);
    let agent = archive_format::KeyChain {
        machine: Some(world.machine.clone()),
        owners: Vec::new(),
    };
    let watched = Watched::new(world.storage());
    let storage = Arc::clone(&watched) as Arc<dyn Storage>;
    let repository = Repository::open(storage, agent, world.options("cache")).await?;
    // No pack was read whole (the store would not have it), and of no data pack anything.
    let meta = world.secrets("meta")?.remove(0);
    let read = watched.take();
    assert!(!read.is_empty());
    for (name, range) in read {
        let pack = world.root().join(&name);
        assert!(world.opens(&pack, &meta)?, "{range:?} of a data pack");
    }
    assert_eq!(repository.catalogue().holdings().await?, holdings);
    assert_eq!(repository.catalogue().lines(record.id, 0, 10).await?, lines);
    let packs = world.files("packs");
    backup(&repository, &things).await?;
    assert_eq!(world.files("packs"), packs);
    Ok(())
}
