//! `repack` entries that no honest program puts, and what revocations make of honest ones.

use std::collections::BTreeSet;

use super::*;
use crate::log::{Repack, Replaced};
use crate::pack::Class;
use crate::removal::Lists;
use crate::{Depth, Grace, Line, LineKey, PackName};

/// A snapshot of one document.
async fn backup(repository: &Repository, name: &str) -> SnapshotRecord {
    let writer = repository.begin(name, json!({}), now()).await.unwrap();
    let stored = writer.document(&json!({"name": name})).await.unwrap();
    let mut line = Line::new(LineKey::new("models", name, Some("1")));
    let entry = json!({
        "form": "arm", "api_version": "1", "read": now(), "address": stored.address, "size": stored.size,
        "fingerprint": crate::Digest::of(b""),
    });
    line.documents.push(serde_json::from_value(entry).unwrap());
    writer.line(line).await.unwrap();
    let commit = Commit {
        outcome: Outcome::Complete,
        finished: now(),
        ..Commit::default()
    };
    writer.commit(commit).await.unwrap()
}

/// The data pack of a snapshot.
async fn data_pack(repository: &Repository, record: &SnapshotRecord) -> PackName {
    let needed = needs(repository, record).await.into_iter().collect();
    let classes = repository.inner.catalogue.classes_of(needed).await;
    let mut data = classes.unwrap().into_iter();
    let found = data.find(|(_, class)| *class == Class::Documents);
    found.unwrap().0
}

async fn needs(repository: &Repository, record: &SnapshotRecord) -> BTreeSet<PackName> {
    let packs = Lists::default().packs_of(&repository.inner, record).await;
    packs.unwrap()
}

async fn put(repository: &Repository, author: Author, body: Body) -> u64 {
    let run = SnapshotId::new(now()).unwrap();
    let body = || std::future::ready(Ok(Some(body.clone()))).boxed();
    let put = repository.inner.append_as(author, run, now(), body).await;
    put.unwrap().unwrap()
}

async fn garbage(repository: &Repository) -> Vec<PackName> {
    let found = repository.garbage(&Grace::default(), now()).await.unwrap();
    assert_eq!(found.contested, []);
    found.packs
}

/// Says that a pack is replaced by nothing, for the snapshots of some entries.
fn nothing_instead(pack: PackName, entries: &[u64]) -> Body {
    Body::Repack(Box::new(Repack {
        packs: vec![Replaced {
            pack,
            by: Vec::new(),
        }],
        entries: entries.to_vec(),
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_cannot_say_that_packs_are_replaced() {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let ours = scene.open("ours").await.unwrap();
        let first = backup(&ours, "one").await;
        let (line, pack) = (ours.head().await.unwrap().0, data_pack(&ours, &first).await);
        scene
            .steal(Forged::Says(nothing_instead(pack, &[line])))
            .await;
        for cache in ["ours", "stranger"] {
            let refused = scene.open(cache).await;
            assert!(
                matches!(&refused, Err(Error::Unfit { entry, reason, .. })
                    if *entry == line + 1 && reason.contains("`repack`")),
                "{refused:?}"
            );
        }
        let tolerant = scene.open_as(&scene.machine, "check", true).await.unwrap();
        let report = check(&tolerant, Depth::Structure, &mut |_| {})
            .await
            .unwrap();
        let name = FileName::log(line + 1).to_string();
        assert!(
            report.damages.iter().any(|damage| damage.name == name),
            "{report:?}"
        );
        assert!(needs(&tolerant, &first).await.contains(&pack));
        // The line that the owners draw opens the log again, and nothing came of it.
        tolerant
            .revoke("stolen", (line, None), now())
            .await
            .unwrap();
        let ours = scene.open("ours").await.unwrap();
        assert!(needs(&ours, &first).await.contains(&pack));
        assert_eq!(garbage(&ours).await, []);
        assert!(ours.inner.catalogue.usable_of(vec![pack]).await.unwrap() == [pack]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_names_a_replaced_pack_later_keeps_it() {
    let scene = Scene::new(false).await;
    let ours = scene.open("ours").await.unwrap();
    let first = backup(&ours, "one").await;
    let entry = ours.head().await.unwrap().0;
    let pack = data_pack(&ours, &first).await;
    put(&ours, Author::Owners, nothing_instead(pack, &[entry])).await;
    assert!(!needs(&ours, &first).await.contains(&pack));
    assert_eq!(garbage(&ours).await, [pack]);
    // By a program that knows the pack and passes over what the entry asks of writers.
    let later = SnapshotRecord {
        id: SnapshotId::new(now()).unwrap(),
        ..first.clone()
    };
    put(
        &ours,
        Author::Machine,
        Body::Snapshot(Box::new(later.clone())),
    )
    .await;
    for cache in ["ours", "stranger"] {
        let repository = scene.open(cache).await.unwrap();
        assert!(needs(&repository, &later).await.contains(&pack), "{cache}");
        assert!(!needs(&repository, &first).await.contains(&pack), "{cache}");
        assert_eq!(garbage(&repository).await, [], "{cache}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_lives_again_needs_the_packs_that_it_named() {
    let scene = Scene::new(true).await;
    let ours = scene.open("ours").await.unwrap();
    let first = backup(&ours, "one").await;
    let line = ours.head().await.unwrap().0;
    let pack = data_pack(&ours, &first).await;
    let forget = Body::Forget(Forget {
        snapshots: vec![first.id],
        reason: "stolen".to_owned(),
    });
    scene.steal(Forged::Says(forget)).await;
    // The owner does not know yet: for the repacking there is only the second snapshot.
    let second = backup(&ours, "two").await;
    let entry = ours.head().await.unwrap().0;
    put(&ours, Author::Owners, nothing_instead(pack, &[entry])).await;
    assert!(garbage(&ours).await.contains(&pack));
    ours.revoke("stolen", (line, None), now()).await.unwrap();
    for cache in ["ours", "stranger"] {
        let repository = scene.open(cache).await.unwrap();
        let history = repository.history().await.unwrap();
        let live: Vec<SnapshotId> = history.iter().map(|record| record.id).collect();
        assert_eq!(live, [first.id, second.id]);
        assert!(needs(&repository, &first).await.contains(&pack), "{cache}");
        assert_eq!(garbage(&repository).await, [], "{cache}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_machines_are_pinned_the_owners_word_on_packs_counts() {
    let scene = Scene::new(true).await;
    let ours = scene.open("ours").await.unwrap();
    let first = backup(&ours, "one").await;
    let entry = ours.head().await.unwrap().0;
    let pack = data_pack(&ours, &first).await;
    put(&ours, Author::Owners, nothing_instead(pack, &[entry])).await;
    let options = OpenOptions {
        cache: scene.folder.path().join("pinned"),
        trusted_signers: vec![scene.machine.signer()],
        expect_head: None,
        tolerate_damage: false,
        program: "test".to_owned(),
    };
    let storage = Arc::new(LocalStorage::new(scene.folder.path().join("r")));
    let pinned = Repository::open(storage, scene.keys(&scene.machine), options).await;
    let pinned = pinned.unwrap();
    assert!(!needs(&pinned, &first).await.contains(&pack));
}
