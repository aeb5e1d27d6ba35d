//! Notes and drills: what is kept, and whose word counts.

use serde_json::Map;

use super::*;
use crate::SnapshotId;
use crate::log::{Drill, DrillOutcome, LogHead, Note};

fn note(title: &str, text: &str) -> Note {
    Note {
        title: title.to_owned(),
        text: text.to_owned(),
    }
}

#[tokio::test]
async fn a_note_is_written_again_only_when_its_text_changed() {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let repository = scene.open("a").await.unwrap();
        let keep = |note| repository.keep_note(note, now());
        let first = keep(note("one", "alpha")).await.unwrap();
        assert!(first.is_some());
        keep(note("two", "alpha")).await.unwrap();
        assert_eq!(keep(note("one", "alpha")).await.unwrap(), None);
        let head = repository.head().await.unwrap().0;
        assert_eq!(keep(note("one", "beta")).await.unwrap(), Some(head + 1));
        // What was said before counts as little as what was never said.
        assert_eq!(keep(note("one", "alpha")).await.unwrap(), Some(head + 2));
        // Somebody who reads the log for the first time finds the same.
        let stranger = scene.open("b").await.unwrap();
        let notes = stranger.notes().await.unwrap();
        let found: Vec<(u64, &Note)> = notes.iter().map(|said| (said.entry, &said.what)).collect();
        assert_eq!(
            found,
            [
                (head, &note("two", "alpha")),
                (head + 2, &note("one", "alpha"))
            ]
        );
        assert_eq!(notes[1].signer, scene.machine.signer());
    }
}

#[tokio::test]
async fn a_note_of_a_revoked_machine_gives_way_to_the_one_before() {
    let scene = Scene::new(true).await;
    let repository = scene.open("a").await.unwrap();
    let kept = repository.keep_note(note("one", "true"), now()).await;
    let line = kept.unwrap().unwrap();
    scene
        .steal(Forged::Says(Body::Note(note("one", "type rm -rf /"))))
        .await;
    repository.refresh().await.unwrap();
    assert_eq!(
        repository.notes().await.unwrap()[0].what.text,
        "type rm -rf /"
    );
    repository
        .revoke("stolen", (line, None), now())
        .await
        .unwrap();
    assert_eq!(repository.notes().await.unwrap()[0].what.text, "true");
    // It is not written again, since it counts.
    let again = repository.keep_note(note("one", "true"), now()).await;
    assert_eq!(again.unwrap(), None);
}

#[tokio::test]
async fn a_drill_is_kept_as_it_was_with_who_signed_it() {
    let scene = Scene::new(true).await;
    let repository = scene.open("a").await.unwrap();
    let (entry, hash) = repository.head().await.unwrap();
    let drill = Drill {
        workspace: "prod".to_owned(),
        snapshot: SnapshotId::new(now()).unwrap(),
        export: None,
        seal: None,
        head: LogHead { entry, hash },
        machine: "first".to_owned(),
        by: None,
        into: "a folder".to_owned(),
        started: now(),
        finished: now(),
        restore_milliseconds: u64::MAX,
        verify_milliseconds: 2,
        items: 3,
        files: 4,
        bytes: 5,
        losses: 6,
        differences: 0,
        outcome: DrillOutcome::AsPlanned,
        reason: None,
        more: Map::new(),
    };
    let first = repository.keep_drill(drill.clone(), now()).await.unwrap();
    // Another machine comes in between; and twice the same is two drills.
    let other = scene.open("c").await.unwrap();
    let another = other.keep_note(note("one", "true"), now()).await.unwrap();
    let second = repository.keep_drill(drill.clone(), now()).await.unwrap();
    assert_eq!((first, another), (entry + 1, Some(entry + 2)));
    let drills = scene.open("b").await.unwrap().drills().await.unwrap();
    let found: Vec<(u64, &Drill)> = drills.iter().map(|said| (said.entry, &said.what)).collect();
    assert_eq!(found, [(first, &drill), (second, &drill)]);
    assert_eq!(drills[0].signer, scene.machine.signer());
}
