//! Checkpoints as they come about while a repository is used: when they are written, what they spare, and that nothing
//! fails for want of one.

use std::process::Command;
use std::sync::Arc;

use archive_format::{
    Catalogue, Depth, FileName, Grace, Notice, Repository, SnapshotId, Storage, check,
};
use secrecy::ExposeSecret;

use crate::by_hand::write;
use crate::memory::Memory;
use crate::stock::has;
use crate::world::{Tested, World, backup, model, noise, now, restore};

/// Adds entries until the log ends at a number.
async fn grow(repository: &Repository, snapshot: SnapshotId, until: u64) -> Tested {
    let mut last = repository.head().await?.0;
    while last < until {
        let protected = repository.protected().await?.is_empty();
        repository.protect(&[snapshot], protected, now()).await?;
        last += 1;
    }
    assert_eq!(repository.head().await?.0, until);
    Ok(())
}

/// What a stranger knows of a repository.
async fn known(world: &World) -> Tested<String> {
    let _ = std::fs::remove_dir_all(world.folder.path().join("stranger"));
    let repository = world.open_at(world.storage(), "stranger").await?;
    let mut told = format!("{:?}\n", repository.notices());
    told += &format!("{:?}\n", repository.head().await?);
    told += &format!("{:?}\n", repository.history().await?);
    told += &format!("{:?}\n", repository.protected().await?);
    told += &format!("{:?}\n", repository.keys().await?);
    told += &format!("{:?}\n", repository.catalogue().holdings().await?);
    told += &format!(
        "{:?}\n",
        repository.garbage(&Grace::default(), now()).await?
    );
    Ok(told)
}

/// The requests below a folder.
fn below(requests: &[(&'static str, String)], folder: &str) -> usize {
    let names = requests.iter().filter(|(_, name)| name.starts_with(folder));
    names.count()
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_a_log_of_500_entries_asks_for_its_tail_and_a_rebuilt_catalogue_is_the_same()
-> Tested {
    let memory = Arc::new(Memory::new(now()));
    let store: Arc<dyn Storage> = Arc::<Memory>::clone(&memory);
    let world = World::over(store, true, 1 << 20).await?;
    let repository = world.open().await?;
    let record = backup(&repository, &[model("a", noise(5_000, 1))]).await?;
    memory.take_requests();
    grow(&repository, record.id, 99).await?;
    assert_eq!(memory.names("checkpoints/"), []);
    assert_eq!(
        below(&memory.take_requests(), "checkpoints"),
        0,
        "none is due, and nobody looks"
    );
    grow(&repository, record.id, 507).await?;
    let written: Vec<FileName> = (1..=5)
        .map(|place| FileName::checkpoint(place * 100))
        .collect();
    assert_eq!(memory.names("checkpoints/"), written);
    assert_eq!(repository.late_notices(), []);
    memory.take_requests();
    let by_checkpoint = known(&world).await?;
    let requests = memory.take_requests();
    // The list, the seven behind the newest, the one where it ends, and twice the one that is not there: opening and
    // asking for what may be swept read to the head.
    assert!(below(&requests, "log/") <= 13, "{requests:?}");
    assert_eq!(
        below(&requests, "checkpoints"),
        3,
        "a list, a line, the whole: {requests:?}"
    );
    assert!(requests.len() < 40, "{}: {requests:?}", requests.len());
    // Without any of them, and with the catalogue made anew where they are.
    let kept: Vec<_> = written.iter().map(|name| memory.bytes(name)).collect();
    written.iter().for_each(|name| memory.lose(name));
    assert_eq!(known(&world).await?, by_checkpoint);
    assert!(below(&memory.take_requests(), "log/") > 500);
    for (name, bytes) in written.iter().zip(kept) {
        memory.create(name, bytes.ok_or("no bytes")?).await?;
    }
    let cache = world.folder.path().join("cache");
    let cache = cache.join(world.machine.repository().to_string());
    drop(repository);
    let before = world.open().await?.catalogue().holdings().await?;
    Catalogue::clear(&cache).await?;
    memory.take_requests();
    let repository = world.open().await?;
    assert!(below(&memory.take_requests(), "log/") <= 13);
    assert_eq!(repository.catalogue().holdings().await?, before);
    assert_eq!(restore(&repository, &record).await?.len(), 1);
    let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
    assert_eq!(
        (report.damages, report.warnings, report.entries),
        (vec![], 0, 507)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_a_checkpoint_cannot_be_written_and_a_later_one_writes_it() -> Tested {
    let memory = Arc::new(Memory::new(now()));
    let store: Arc<dyn Storage> = Arc::<Memory>::clone(&memory);
    let world = World::over(store, false, 1 << 20).await?;
    let repository = world.open().await?;
    let record = backup(&repository, &[]).await?;
    memory.close_checkpoints(true);
    grow(&repository, record.id, 105).await?;
    let told = repository.late_notices();
    assert!(
        matches!(told.as_slice(), [Notice::NoCheckpoint { entry: 100, .. }]),
        "{told:?}"
    );
    assert_eq!(repository.late_notices(), [], "each is told once");
    memory.close_checkpoints(false);
    // Somebody has put what he likes under the next name.
    let taken = FileName::checkpoint(110);
    memory
        .create(&taken, bytes::Bytes::from_static(b"mine"))
        .await?;
    grow(&repository, record.id, 119).await?;
    let told = repository.refresh().await?;
    assert!(
        matches!(told.as_slice(), [Notice::NoCheckpoint { entry: 110, .. }]),
        "{told:?}"
    );
    grow(&repository, record.id, 125).await?;
    assert_eq!(repository.late_notices(), []);
    assert_eq!(
        memory.names("checkpoints/"),
        [taken, FileName::checkpoint(120)]
    );
    // A machine that may not write opens all the same.
    memory.take_requests();
    known(&world).await?;
    assert!(below(&memory.take_requests(), "log/") <= 12);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_go_with_a_sweep_when_others_supersede_them_and_never_where_deletes_are_refused()
-> Tested {
    let memory = Arc::new(Memory::new(now()));
    let store: Arc<dyn Storage> = Arc::<Memory>::clone(&memory);
    let world = World::over(store, false, 1 << 20).await?;
    let repository = world.open().await?;
    let first = backup(&repository, &[model("a", noise(5_000, 1))]).await?;
    for seed in 2..5 {
        backup(&repository, &[model("a", noise(5_000, seed))]).await?;
        repository.write_checkpoint().await?;
    }
    assert_eq!(memory.names("checkpoints/").len(), 3);
    repository.forget(&[first.id], "test", now()).await?;
    memory.allow_deletes(Some(0));
    let refused = repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await;
    assert!(refused.is_err(), "{refused:?}");
    assert_eq!(memory.names("checkpoints/").len(), 3);
    memory.allow_deletes(None);
    let before = known(&world).await?;
    repository
        .sweep(&Grace::default(), now(), &mut |_| {})
        .await?;
    memory.only_what_may_go_was_deleted();
    let left = [4, 5].map(FileName::checkpoint);
    assert_eq!(memory.names("checkpoints/"), left);
    assert_ne!(known(&world).await?, before, "the sweep is an entry");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_reader_finds_the_same_in_checkpoints() -> Tested {
    if !has(&["python3", "age"]) || !reads_zstd()? {
        return Ok(());
    }
    for encrypted in [true, false] {
        let world = World::new(encrypted).await?;
        let repository = world.open().await?;
        for seed in 1..4 {
            backup(&repository, &[model("a", noise(5_000, seed))]).await?;
            repository.write_checkpoint().await?;
        }
        let told = second_reader(&world, &["log"])?;
        assert!(
            told.contains("checkpoint 0000000004 holds the entries from 1 on"),
            "{told}"
        );
        let path = world.root().join(FileName::checkpoint(3).as_str());
        let sound = std::fs::read(&path)?;
        for place in [20, sound.len() / 2, sound.len() - 1] {
            let mut harmed = sound.clone();
            harmed[place] ^= 1;
            std::fs::write(&path, harmed)?;
            let told = second_reader(&world, &["log"])?;
            assert!(told.contains("refused: "), "{place}: {told}");
        }
    }
    Ok(())
}

pub(crate) fn reads_zstd() -> Tested<bool> {
    let mut python = Command::new("python3");
    let found = python.args(["-c", "import zstandard"]).output()?;
    Ok(found.status.success())
}

/// What `second_reader.py` says to a command, which comes first, and what follows the repository behind it.
pub(crate) fn second_reader(world: &World, words: &[&str]) -> Tested<String> {
    let mut command = Command::new("python3");
    let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/second_reader.py");
    let (name, rest) = words.split_first().ok_or("no command")?;
    command.args([program, name]).arg(world.root()).args(rest);
    if let Some(owner) = &world.owner {
        let secret = owner.to_secret_text();
        let key = write(world.folder.path(), "owner.key", secret.expose_secret())?;
        command.arg("--identity").arg(key);
    }
    let ran = command.output()?;
    let told = [ran.stdout, ran.stderr].concat();
    Ok(String::from_utf8_lossy(&told).into_owned())
}
