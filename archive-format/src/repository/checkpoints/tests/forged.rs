//! Checkpoints that somebody made who may write and should not be believed, and true ones that time overtook.

use super::*;
use crate::log::{Forget, Sweep};
use crate::{CheckEvent, PackName};

/// The pack that the scene's sweep names.
fn swept() -> PackName {
    PackName::from_bytes([7; 32])
}

fn sweep(packs: Vec<PackName>) -> Body {
    Body::Sweep(Sweep {
        packs,
        list: Vec::new(),
        list_packs: Vec::new(),
    })
}

/// A log of five entries, with snapshots and, last, a sweep; its machine, and the snapshots.
async fn told(scene: &Scene) -> (Repository, Vec<SnapshotRecord>) {
    let ours = scene.open("ours").await;
    let mut made = Vec::new();
    for workspace in ["one", "two", "one"] {
        made.push(backup(&ours, workspace, Outcome::Complete).await);
    }
    let body = sweep(vec![swept()]);
    let (number, bytes) = sealed(&ours, body, &scene.machine.signing).await;
    std::fs::write(scene.path(&FileName::log(number)), bytes).unwrap();
    ours.refresh().await.unwrap();
    (ours, made)
}

/// Whoever comes anew passes the checkpoint over, says so, and reads the truth from the log.
async fn refused_by_open(scene: &Scene, name: &FileName, made: &[SnapshotRecord]) {
    let stranger = scene.stranger().await;
    assert_eq!(stranger.history().await.unwrap(), made);
    let known = stranger.inner.catalogue.swept_of(vec![swept()]).await;
    assert_eq!(known.unwrap(), [swept()]);
    let named = stranger.notices().iter().any(|notice| {
        matches!(notice, Notice::Damaged { name: named, .. } if *named == name.to_string())
    });
    assert!(named, "{name}: {:?}", stranger.notices());
}

async fn checked(scene: &Scene) -> (CheckReport, Vec<String>) {
    let mut warned = Vec::new();
    let stranger = scene.stranger().await;
    let mut note = |event| {
        if let CheckEvent::Warning { name, .. } = event {
            warned.push(name);
        }
    };
    let report = check(&stranger, Depth::Structure, &mut note).await;
    (report.unwrap(), warned)
}

/// Open and check refuse it; then it is taken away.
async fn refused(scene: &Scene, name: &FileName, made: &[SnapshotRecord]) {
    refused_by_open(scene, name, made).await;
    let (report, _) = checked(scene).await;
    let mut damages = report.damages.iter();
    let named = damages.any(|damage| damage.name == name.to_string());
    assert!(named, "{name}: {report:?}");
    std::fs::remove_file(scene.path(name)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_one_who_has_no_signing_key_is_refused() {
    for encrypted in [true, false] {
        let scene = Scene::new(encrypted).await;
        let (ours, made) = told(&scene).await;
        let entries = scene.entries(5);
        let thief = SigningSecret::generate().unwrap();
        // True in all but its signer; and with a believed signer's name over it.
        let name = scene.plant(&ours, 1, &entries, &thief).await;
        refused(&scene, &name, &made).await;
        let name = scene.plant(&ours, 1, &entries, &thief).await;
        let stored = std::fs::read(scene.path(&name)).unwrap();
        let (own, claimed) = (thief.signer(), scene.machine.signer());
        let (own, claimed) = (own.to_string(), claimed.to_string());
        let place = stored.windows(64).position(|part| part == own.as_bytes());
        let (before, after) = stored.split_at(place.unwrap());
        let stored = [before, claimed.as_bytes(), &after[64..]].concat();
        std::fs::write(scene.path(&name), stored).unwrap();
        refused(&scene, &name, &made).await;
        // One of another repository, by its own machine.
        let other = Scene::new(encrypted).await;
        let (theirs, _) = told(&other).await;
        let entries = other.entries(5);
        let key = &other.machine.signing;
        let name = other.plant(&theirs, 1, &entries, key).await;
        std::fs::copy(other.path(&name), scene.path(&name)).unwrap();
        refused(&scene, &name, &made).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_believed_signer_can_leave_nothing_out_and_put_nothing_in() {
    let scene = Scene::new(true).await;
    let (ours, made) = told(&scene).await;
    let (key, all) = (&scene.machine.signing, scene.entries(5));
    // Without the sweep at the end it is a true one, of the entries before.
    let name = scene.plant(&ours, 1, &all[..4], key).await;
    assert_eq!(scene.stranger().await.notices(), []);
    std::fs::remove_file(scene.path(&name)).unwrap();
    // Entries left out; the order changed; an entry twice.
    let without = |left_out: usize| {
        let mut entries = all.clone();
        entries.remove(left_out);
        entries
    };
    let swapped = [&all[..2], &[all[3].clone(), all[2].clone()], &all[4..]].concat();
    let doubled = [&all[..3], &all[2..3], &all[4..]].concat();
    for (first, entries) in [
        (1, without(0)),
        (2, without(1)),
        (1, without(2)),
        (1, without(3)),
        (1, swapped),
        (1, doubled),
    ] {
        let name = scene.plant(&ours, first, &entries, key).await;
        refused(&scene, &name, &made).await;
    }
    // The sweep again under its number, with no names in it: at the end, where the log has another, and inside.
    let log = scene.path(&FileName::log(5));
    std::fs::remove_file(&log).unwrap();
    let before = scene.stranger().await;
    let (number, forged) = sealed(&before, sweep(Vec::new()), key).await;
    assert_eq!(number, 5);
    scene.put_back(5, all[4].to_vec());
    let dropped = [&all[..4], &[Bytes::from(forged)]].concat();
    let name = scene.plant(&ours, 1, &dropped, key).await;
    refused(&scene, &name, &made).await;
    let later = backup(&ours, "two", Outcome::Complete).await;
    let made = [made, vec![later]].concat();
    let dropped = [dropped, scene.entries(6)[5..].to_vec()].concat();
    let name = scene.plant(&ours, 1, &dropped, key).await;
    refused(&scene, &name, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_of_a_revoked_signer_is_refused() {
    let scene = Scene::new(true).await;
    let (ours, made) = told(&scene).await;
    let thief = scene.introduce(&ours, "thief").await;
    let theirs = scene.open_with(&thief, scene.options("thief")).await;
    // Before the line is drawn it is as good as any.
    let written = theirs.unwrap().write_checkpoint().await.unwrap().unwrap();
    let name = FileName::checkpoint(written);
    let second = scene.hide(2);
    assert_eq!(scene.stranger().await.history().await.unwrap(), made);
    scene.put_back(2, second);
    // Drawn behind it, it stays so; drawn before it, it counts for nothing, also where that stands in the tail.
    let line = (written, None);
    ours.revoke("thief", line, now()).await.unwrap();
    assert_eq!(scene.stranger().await.notices(), []);
    let line = (written - 1, None);
    let signer = thief.signer().to_string();
    ours.revoke(&signer, line, now()).await.unwrap();
    refused_by_open(&scene, &name, &made).await;
    let (report, warned) = checked(&scene).await;
    assert_eq!(report.damages, []);
    assert!(warned.contains(&name.to_string()), "{warned:?}");
    // What he writes now, true or not.
    let head = ours.head().await.unwrap().0;
    let all = scene.entries(head);
    let name = scene.plant(&ours, 1, &all, &thief.signing).await;
    refused_by_open(&scene, &name, &made).await;
    let mut entries = all;
    entries.remove(3);
    let false_one = scene.plant(&ours, 1, &entries, &thief.signing).await;
    refused(&scene, &false_one, &made).await;
    // He has taken a name, and the next one is ours.
    let ours = scene.stranger().await;
    let taken = ours.write_checkpoint().await;
    assert!(matches!(taken, Err(Error::Forged { .. })), "{taken:?}");
    let later = backup(&ours, "two", Outcome::Complete).await;
    assert_eq!(ours.write_checkpoint().await.unwrap(), Some(head + 1));
    let second = scene.hide(2);
    let seen = scene.stranger().await.history().await.unwrap();
    assert_eq!(seen, [made, vec![later]].concat());
    scene.put_back(2, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_signers_are_pinned_others_make_no_checkpoints() {
    let scene = Scene::new(false).await;
    let (ours, made) = told(&scene).await;
    let other = scene.introduce(&ours, "other").await;
    let theirs = scene.open_with(&other, scene.options("other")).await;
    let written = theirs.unwrap().write_checkpoint().await.unwrap().unwrap();
    let owners = ours.record().owners_signer;
    for (signer, cache, told) in [
        (scene.machine.signer(), "pins the first", 1),
        (owners, "pins the owners", 0),
    ] {
        let pinned = OpenOptions {
            trusted_signers: vec![signer],
            ..scene.options(cache)
        };
        let opened = scene.open_with(&scene.machine, pinned).await.unwrap();
        assert_eq!(opened.history().await.unwrap(), made);
        assert_eq!(opened.notices().len(), told, "{:?}", opened.notices());
    }
    // An expected head is looked for among the entries of a checkpoint too.
    let true_one = EntryHash::of(&scene.entries(written)[2]);
    for (hash, found) in [(true_one, true), (EntryHash::of(b"another"), false)] {
        let expects = OpenOptions {
            expect_head: Some((3, hash)),
            ..scene.options(&format!("expects {found}"))
        };
        let opened = scene.open_with(&scene.machine, expects).await;
        let refused = matches!(opened, Err(Error::Rollback { remembered: 3, .. }));
        assert_eq!((opened.is_ok(), refused), (found, !found));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_hides_no_missing_entry_no_rollback_and_no_fork() {
    let scene = Scene::new(true).await;
    let (ours, made) = told(&scene).await;
    let written = ours.write_checkpoint().await.unwrap();
    let name = FileName::checkpoint(written.unwrap()).to_string();
    let all = scene.entries(5);
    // In the middle.
    std::fs::remove_file(scene.path(&FileName::log(3))).unwrap();
    let opened = scene.open_with(&scene.machine, scene.options("strict"));
    match opened.await {
        Err(Error::Damaged { name, .. }) => assert_eq!(name, FileName::log(3)),
        other => panic!("{other:?}"),
    }
    let tolerant = scene.open_with(&scene.machine, scene.tolerant("tolerant"));
    let tolerant = tolerant.await.unwrap();
    assert_eq!(tolerant.history().await.unwrap(), made);
    assert_eq!(tolerant.notices().len(), 1, "{:?}", tolerant.notices());
    let refused = tolerant.protect(&[made[0].id], true, now()).await;
    let refused = matches!(refused, Err(Error::LogDamaged { entry: 3 }));
    assert!(refused, "nothing is added to a log with a hole");
    scene.put_back(3, all[2].to_vec());
    // At the end: a stranger is told, and `check` names what is lost.
    std::fs::remove_file(scene.path(&FileName::log(5))).unwrap();
    let stranger = scene.stranger().await;
    assert_eq!(stranger.head().await.unwrap().0, 4);
    assert_eq!(stranger.notices().len(), 1, "{:?}", stranger.notices());
    let report = check(&stranger, Depth::Structure, &mut |_| {}).await;
    let report = report.unwrap();
    let names: Vec<_> = report.damages.iter().map(|damage| &damage.name).collect();
    assert_eq!(names, [&FileName::log(5).to_string()]);
    // Another entry in its place, of a machine that is believed.
    let body = Body::Forget(Forget {
        snapshots: Vec::new(),
        reason: String::new(),
    });
    let (_, fork) = sealed(&stranger, body, &scene.machine.signing).await;
    scene.put_back(5, fork);
    let stranger = scene.stranger().await;
    assert_eq!(stranger.notices().len(), 1, "{:?}", stranger.notices());
    let (report, _) = checked(&scene).await;
    let names: Vec<_> = report.damages.iter().map(|damage| &damage.name).collect();
    assert_eq!(names, [&name]);
}
