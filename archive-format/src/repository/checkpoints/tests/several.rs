//! A log that is too large for one checkpoint, and what is left of those that are superseded.

use super::*;
use crate::PackName;

/// Nine entries of about 2.7 MB behind the first, with a checkpoint behind each: the numbers of these.
async fn large(ours: &Repository) -> Vec<u64> {
    let mut written = Vec::new();
    for run in 0..9_u8 {
        let packs = (0..40_000_u32).map(|pack| {
            let mut name = [run; 32];
            name[..4].copy_from_slice(&pack.to_le_bytes());
            PackName::from_bytes(name)
        });
        let packs: Vec<PackName> = packs.collect();
        let run = SnapshotId::new(now()).unwrap();
        ours.inner.hold(run, &packs, now()).await.unwrap();
        written.extend(ours.write_checkpoint().await.unwrap());
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_one_checkpoint_does_not_hold_is_covered_by_several_and_old_ones_go() {
    let scene = Scene::new(false).await;
    let ours = scene.open("ours").await;
    let written = large(&ours).await;
    assert_eq!(written, (2..=10).collect::<Vec<u64>>());
    let first_of = |number: u64| {
        let bytes = std::fs::read(scene.path(&FileName::checkpoint(number))).unwrap();
        let header = Checkpoint::header(&bytes, ours.id(), number);
        header.unwrap().first
    };
    let remove = |number: u64| std::fs::remove_file(scene.path(&FileName::checkpoint(number)));
    let firsts: Vec<u64> = written.iter().map(|number| first_of(*number)).collect();
    assert_eq!(firsts, [1, 1, 1, 1, 1, 1, 8, 8, 8]);
    let hidden = [1, 2, 5, 8, 9].map(|number| (number, scene.hide(number)));
    assert_eq!(scene.stranger().await.head().await.unwrap().0, 10);
    for (number, kept) in hidden {
        scene.put_back(number, kept);
    }
    // Without the newest the one before it leads nearly as far; without the first part the log does.
    remove(10).unwrap();
    let hidden = scene.hide(8);
    assert_eq!(scene.stranger().await.head().await.unwrap().0, 10);
    for number in 2..=7 {
        remove(number).unwrap();
    }
    assert_eq!(scene.stranger().await.head().await.unwrap().0, 10);
    scene.put_back(8, hidden);
    // A sweep takes those that the newest holds, but for the last.
    for (number, first) in [(11, 8), (12, 8)] {
        backup(&ours, "one", Outcome::Complete).await;
        assert_eq!(ours.write_checkpoint().await.unwrap(), Some(number));
        assert_eq!(first_of(number), first);
    }
    ours.inner.drop_superseded_checkpoints().await;
    assert_eq!(ours.late_notices(), []);
    let left = ours.inner.list_checkpoints().await.unwrap();
    assert_eq!(left.into_keys().collect::<Vec<_>>(), [11, 12]);
}
