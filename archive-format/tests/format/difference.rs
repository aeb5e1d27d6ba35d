//! What differs between snapshots, where something occurs, and since when something misses.

use archive_format::diff::Change;
use archive_format::{
    Commit, Digest, FileEntry, FilePath, GapEntry, ItemDifference, Lifetime, Line, LineKey,
    Outcome, Repository, SnapshotRecord, diff,
};
use futures::TryStreamExt;
use jiff::Timestamp;
use serde_json::json;

use crate::world::{Tested, World, arm, complete, now, stream};

/// One item: a name, what its document says, its files with what they say.
type Entry<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

async fn keep(repository: &Repository, entries: &[Entry<'_>]) -> Tested<SnapshotRecord> {
    let writer = repository.begin("prod", json!({}), now()).await?;
    for (name, says, files) in entries {
        let stored = writer.document(&json!({ "says": says })).await?;
        let mut line = Line::new(LineKey::new("models", *name, Some("1")));
        let fingerprint = Digest::of(says.trim_end_matches('!').as_bytes());
        line.documents.push(arm(stored, fingerprint));
        for (path, text) in *files {
            let content = writer
                .file(Lifetime::Files, stream(text.as_bytes().to_vec()))
                .await?;
            line.files
                .push(FileEntry::new(FilePath::new(*path)?, Some(content)));
        }
        writer.line(line).await?;
    }
    Ok(writer.commit(complete()).await?)
}

async fn differences(
    repository: &Repository,
    before: &SnapshotRecord,
    after: &SnapshotRecord,
) -> Tested<Vec<ItemDifference>> {
    let (before, after) = (repository.snapshot(before), repository.snapshot(after));
    Ok(diff(&before, &after).try_collect().await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn added_removed_and_changed_things_are_told_and_nothing_else() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let before = keep(
        &repository,
        &[
            ("gone", "x", &[("f", "1")]),
            ("same", "x", &[("f", "1")]),
            ("told", "x", &[("f", "1"), ("g", "1"), ("h", "1")]),
            ("volatile", "x", &[]),
        ],
    )
    .await?;
    let after = keep(
        &repository,
        &[
            ("new", "x", &[("f", "1")]),
            ("same", "x", &[("f", "1")]),
            ("told", "y", &[("f", "2"), ("h", "1"), ("i", "1")]),
            ("volatile", "x!", &[]),
        ],
    )
    .await?;
    let found = differences(&repository, &before, &after).await?;
    let told: Vec<(&str, Change)> = found
        .iter()
        .map(|found| (found.item.name.as_str(), found.change))
        .collect();
    assert_eq!(
        told,
        [
            ("gone", Change::Removed),
            ("new", Change::Added),
            ("told", Change::Changed)
        ]
    );
    let changed = &found[2];
    assert_eq!(changed.documents.len(), 1);
    let files: Vec<(&str, Change)> = changed
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.change()))
        .collect();
    assert_eq!(
        files,
        [
            ("f", Change::Changed),
            ("g", Change::Removed),
            ("i", Change::Added)
        ]
    );
    assert_eq!(differences(&repository, &after, &after).await?, []);
    let back = differences(&repository, &after, &before).await?;
    assert_eq!(back[0].change, Change::Added);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_pieces_only_those_that_differ_are_read() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let mut names: Vec<String> = (0..3000).map(|number| format!("m{number:05}")).collect();
    let mut entries: Vec<Entry<'_>> = names
        .iter()
        .map(|name| (name.as_str(), "x", &[][..]))
        .collect();
    let before = keep(&repository, &entries).await?;
    entries[1500].1 = "y";
    entries.remove(700);
    let after = keep(&repository, &entries).await?;
    let found = differences(&repository, &before, &after).await?;
    let told: Vec<(&str, Change)> = found
        .iter()
        .map(|found| (found.item.name.as_str(), found.change))
        .collect();
    assert_eq!(
        told,
        [("m00700", Change::Removed), ("m01500", Change::Changed)]
    );
    names.clear();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_many_parts_is_one_item() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let paths: Vec<String> = (0..2000)
        .map(|number| format!("folder/with/a/long/name/file-{number:06}.bin"))
        .collect();
    let mut files: Vec<(&str, &str)> = paths.iter().map(|path| (path.as_str(), "1")).collect();
    let before = keep(&repository, &[("a", "x", &files), ("z", "x", &[])]).await?;
    assert!(before.lines > 3, "{}", before.lines);
    files.insert(1000, ("folder/with/a/long/name/file-000999.new", "1"));
    let after = keep(&repository, &[("a", "x", &files), ("z", "x", &[])]).await?;
    let found = differences(&repository, &before, &after).await?;
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].change, found[0].files.len()),
        (Change::Changed, 1)
    );
    let gone = keep(&repository, &[("z", "x", &[])]).await?;
    let found = differences(&repository, &after, &gone).await?;
    assert_eq!(
        (found.len(), found[0].change, found[0].files.len()),
        (1, Change::Removed, 2001)
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_found_by_name_path_and_digest_across_snapshots() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let first = keep(&repository, &[("churn", "x", &[("a/b.bin", "one")])]).await?;
    let second = keep(&repository, &[("churn", "x", &[("a/b.bin", "two")])]).await?;
    // Also on a machine that has only the agent's key, and comes anew.
    let agent = archive_format::KeyChain {
        machine: Some(world.machine.clone()),
        owners: Vec::new(),
    };
    let agent = Repository::open(world.storage(), agent, world.options("agent")).await?;
    for repository in [&repository, &agent] {
        let find = |pattern: &str| {
            let pattern = pattern.to_owned();
            async move { repository.catalogue().find(&pattern, 100).await }
        };
        for pattern in [
            "churn",
            "ch*",
            "models/churn",
            "models/churn:1",
            "models/*:1",
        ] {
            let found = find(pattern).await?;
            assert_eq!(found.len(), 1, "{pattern}");
            assert_eq!(
                found[0].snapshots,
                [first.id, second.id]
                    .into_iter()
                    .collect::<std::collections::BTreeSet<_>>()
                    .into_iter()
                    .collect::<Vec<_>>()
            );
        }
        for pattern in ["b.bin", "a/b.bin", "*.bin"] {
            assert_eq!(
                find(pattern).await?.len(),
                2,
                "{pattern}: one for each content"
            );
        }
        let digest = Digest::of(b"two").to_string();
        for pattern in [&digest[..], &digest[..8]] {
            let found = find(pattern).await?;
            assert_eq!(found.len(), 1, "{pattern}");
            assert_eq!(found[0].snapshots, [second.id]);
        }
        assert_eq!(find("nothing").await?, []);
        assert_eq!(find(&digest[..7]).await?, []);
    }
    assert_eq!(repository.catalogue().find("*", 1).await?.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_history_of_gaps_comes_back_from_the_manifests() -> Tested {
    let world = World::new(true).await?;
    let repository = world.open().await?;
    let times: Vec<Timestamp> = (1..=3)
        .map(|day| format!("2026-11-0{day}T00:00:00Z").parse())
        .collect::<Result<_, _>>()?;
    for (number, time) in times.iter().enumerate() {
        let writer = repository.begin("prod", json!({}), *time).await?;
        let mut line = Line::new(LineKey::new("models", "m", Some("1")));
        let mut gap = |file: &str| {
            line.gaps.push(GapEntry {
                file: Some(file.to_owned()),
                reason: "no right".to_owned(),
                known: false,
            })
        };
        gap("always");
        if number == 0 {
            gap("at first");
        }
        writer.line(line).await?;
        writer
            .commit(Commit {
                outcome: Outcome::Complete,
                finished: *time,
                ..Commit::default()
            })
            .await?;
    }
    let anew = Repository::open(world.storage(), world.keys(), world.options("anew")).await?;
    let gaps = anew.catalogue().gaps(None).await?;
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    assert_eq!(
        (gaps[0].file.as_deref(), gaps[0].first, gaps[0].last),
        (Some("always"), times[0], times[2])
    );
    Ok(())
}
