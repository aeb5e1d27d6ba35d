//! A run is killed at each of its writes: the repository stays sound, and the next run uses what is there.

use std::collections::BTreeSet;
use std::sync::Arc;

use archive_format::{Depth, check};
use serde_json::json;

use crate::faulty::{Fault, Faulty};
use crate::world::{Tested, Thing, World, backup, complete, model, noise, put, restore};

fn things() -> Vec<Thing> {
    (0..4)
        .map(|number| model(&format!("model-{number}"), noise(150_000, number + 40)))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_at_any_write_leaves_a_sound_repository_and_its_packs_are_used() -> Tested {
    for fault in [Fault::Crash, Fault::CrashAfter] {
        let mut finished = false;
        for at in 0.. {
            let world = World::with_packs(at % 2 == 0, 100 << 10).await?;
            let faulty = Arc::new(Faulty::new(world.storage(), fault, at));
            let crashing = world.open_at(faulty.clone(), "cache").await?;
            let crashed = backup(&crashing, &things()).await;
            drop(crashing);
            if crashed.is_ok() && faulty.writes() <= at {
                finished = true;
                break;
            }
            let left: BTreeSet<_> = world.files("index").into_iter().collect();
            let repository = world.open().await?;
            assert_eq!(repository.notices(), [], "{fault:?} at {at}");
            let record = backup(&repository, &things()).await?;
            assert_eq!(restore(&repository, &record).await?, things());
            let report = check(&repository, Depth::ReadData, &mut |_| {}).await?;
            assert_eq!(report.damages, [], "{fault:?} at {at}");
            // What lay there with its index is not stored a second time: no new pack has one of its objects.
            let names: BTreeSet<_> = world.files("index").into_iter().collect();
            assert!(left.is_subset(&names));
            let third = backup(&repository, &things()).await?;
            assert_eq!(third.bytes.new, 0);
            if left.len() >= 6 {
                assert_eq!(
                    record.bytes.new, 0,
                    "{fault:?} at {at}: all was there already"
                );
            }
        }
        assert!(finished);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_settled_by_looking() -> Tested {
    for fault in [Fault::LostAnswer, Fault::LostRequest] {
        for at in 0.. {
            let world = World::with_packs(true, 1 << 20).await?;
            let faulty = Arc::new(Faulty::new(world.storage(), fault, at));
            let repository = world.open_at(faulty.clone(), "cache").await?;
            let writer = repository
                .begin("prod", json!({}), crate::world::now())
                .await?;
            for thing in &things() {
                put(&writer, thing).await?;
            }
            let record = match writer.commit(complete()).await {
                Ok(record) => record,
                // A pack or index that was not written is an error, and the same writer stores its objects again.
                Err(error) if fault == Fault::LostRequest => {
                    assert!(!error.is_damage(), "{error}");
                    for thing in &things() {
                        put(&writer, thing).await?;
                    }
                    writer.commit(complete()).await?
                }
                Err(error) => return Err(error.into()),
            };
            assert_eq!(restore(&repository, &record).await?, things());
            assert_eq!(world.files("log").len(), 2, "{fault:?} at {at}");
            if faulty.writes() <= at {
                break;
            }
        }
    }
    Ok(())
}
