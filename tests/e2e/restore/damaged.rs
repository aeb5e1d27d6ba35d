//! The repository is damaged: what needs the damage is refused or left out by name, and all the rest comes back.

use std::collections::BTreeSet;
use std::path::PathBuf;

use ::restore::{Error, OnConflict, Options, Outline, Request};
use archive_format::{Depth, check};

use super::bench::{Bench, Watch};

/// The packs by size: names are different in each repository, so they would say nothing of what a pack holds.
fn packs(bench: &Bench) -> Vec<PathBuf> {
    let folder = bench.store.path().join("repository/packs");
    let folders = std::fs::read_dir(folder).unwrap();
    let mut packs: Vec<PathBuf> = folders
        .flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    packs.sort_by_key(|path| path.metadata().unwrap().len());
    packs
}

/// Harms a pack in its middle; gives the items that `check` names.
async fn harm(bench: &Bench, pack: usize) -> BTreeSet<String> {
    let path = packs(bench).remove(pack);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, bytes).unwrap();
    let report = check(&bench.store.repository, Depth::ReadData, &mut |_| {})
        .await
        .unwrap();
    let items = report.damages.iter().flat_map(|damage| &damage.items);
    items.map(|(_, item)| item.to_string()).collect()
}

fn partial(bench: &Bench, selectors: &[&str]) -> Request {
    let request = bench.request(selectors, OnConflict::Fail);
    Request {
        options: Options {
            partial: true,
            ..request.options
        },
        ..request
    }
}

/// The items that a report says something about.
fn told(outline: &Outline) -> BTreeSet<String> {
    let lost = outline.lost.iter().map(|part| part.item.to_string());
    let failed = outline.failures.iter().map(|failure| failure.item.clone());
    let losses = outline.losses.iter().map(|loss| loss.item.clone());
    lost.chain(failed).chain(losses).collect()
}

#[tokio::test(start_paused = true)]
async fn all_but_what_a_damaged_pack_held_comes_back() {
    let count = packs(&Bench::small().await).len();
    let mut hurt_once = false;
    for pack in 0..count {
        let bench = Bench::small().await;
        let whole = bench.dump(&bench.target);
        let hurt = harm(&bench, pack).await;
        if hurt.is_empty() {
            continue;
        }
        // Without `partial` it is damage, and what was found before anything began changed nothing.
        let plan = {
            let reader = bench.store.newest().await;
            let target = bench.target_of(&bench.target).await;
            let request = bench.request(&[], OnConflict::Fail);
            ::restore::plan::plan(&reader, &target, &request, &::restore::Unobserved).await
        };
        match plan {
            Err(Error::Snapshot { .. }) => assert_eq!(bench.dump(&bench.target), whole),
            Err(error) => panic!("{error:?}"),
            Ok(plan) => {
                let ended = bench
                    .apply_watched(&plan, &bench.target, &Watch::default(), "refused")
                    .await;
                let ended = ended.unwrap();
                if !ended.damaged {
                    // No step that changes something needs what is damaged.
                    assert_eq!(ended.failed, 0, "{ended:#?}");
                    assert!(ended.done > 0, "{ended:#?}");
                    assert_eq!(verified(&bench, &told(&ended)).await, [""; 0]);
                    continue;
                }
            }
        }
        let plan = bench
            .plan_request(&bench.target, &partial(&bench, &[]))
            .await;
        let outline = bench
            .apply_watched(&plan, &bench.target, &Watch::default(), "journal")
            .await
            .unwrap();
        assert!(!outline.lost.is_empty() && outline.done > 0, "{outline:#?}");
        hurt_once = true;
        assert!(
            outline.failures.iter().all(|failure| failure.lost),
            "{:#?}",
            outline.failures
        );
        let named: Vec<String> = outline
            .lost
            .iter()
            // A selector's text escapes what a pattern would read otherwise; a report's does not.
            .map(|part| part.item.to_string().replace('\\', ""))
            .collect();
        assert!(
            named.iter().all(|item| hurt.contains(item)),
            "{named:?} and {hurt:?}"
        );
        let told = told(&outline);
        for difference in verified(&bench, &told).await {
            assert!(
                told.contains(&difference),
                "{difference} differs and was not told"
            );
        }
    }
    assert!(hurt_once);
}

/// The items that differ, of those that can be compared without what is lost.
async fn verified(bench: &Bench, told: &BTreeSet<String>) -> Vec<String> {
    let kinds = [
        "environments",
        "models",
        "data",
        "codes",
        "components",
        "notebooks",
        "datastores",
    ];
    let kinds = kinds.iter().map(|kind| (*kind).to_owned());
    let selectors = kinds.chain(told.iter().map(|item| format!("!{item}")));
    let selectors: Vec<String> = selectors.collect();
    let selectors: Vec<&str> = selectors.iter().map(String::as_str).collect();
    let request = partial(bench, &selectors);
    let found = bench.verify_request(&bench.target, &request).await;
    let differences = found.differences.iter();
    differences
        .map(|difference| difference.item.to_string())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_known_to_be_lost_is_refused_before_anything_is_changed() {
    let bench = Bench::small().await;
    let whole = bench.dump(&bench.target);
    let plan = bench.plan().await;
    // Files take the most room.
    let files = packs(&bench).pop().unwrap();
    let kept = std::fs::read(&files).unwrap();
    std::fs::remove_file(&files).unwrap();
    bench.store.repository.refresh().await.unwrap();
    let ended = bench
        .apply_watched(&plan, &bench.target, &Watch::default(), "refused")
        .await;
    assert!(
        matches!(ended, Err(Error::Lost { count, .. }) if count > 0),
        "{ended:#?}"
    );
    assert_eq!(bench.dump(&bench.target), whole, "nothing was changed");
    // The file comes back, and with it everything.
    std::fs::write(&files, kept).unwrap();
    bench.store.repository.refresh().await.unwrap();
    bench.apply(&plan, &bench.target).await;
}
