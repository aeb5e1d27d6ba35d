//! The role for backups.

use mlark::capture::{Counted, Ending};
use workspace::Role;
use workspace::azure::{AzureWorkspace, ReadOptions};

use super::give;
use crate::backup::cloud::Cloud;

#[tokio::test(start_paused = true)]
async fn the_role_for_backups_is_enough_for_a_whole_backup() {
    let cloud = Cloud::everything().await;
    let all = cloud.back_up().await;
    let least = Cloud::everything().await;
    give(&least.simulator, &Role::backup(), None);
    let report = least.back_up().await;
    assert_eq!(report.ending, Ending::Complete);
    assert!(report.gaps.is_empty(), "{:#?}", report.gaps);
    assert_eq!(
        report.items_total().count(Counted::Saved),
        all.items_total().count(Counted::Saved)
    );
    assert_eq!(
        report.files_total().count(Counted::Saved),
        all.files_total().count(Counted::Saved)
    );
}

#[tokio::test(start_paused = true)]
async fn a_backup_without_any_one_action_of_its_role_says_which_is_missing() {
    let role = Role::backup();
    for action in &role.actions {
        let cloud = Cloud::everything().await;
        give(&cloud.simulator, &role, Some(action));
        let connection = cloud.connect().await;
        let options = ReadOptions::default();
        let said = match AzureWorkspace::open(&connection, &cloud.name, options).await {
            Err(error) => error.to_string(),
            Ok(source) => match cloud.bench.try_back_up(&source).await {
                Err(error) => mlark::failure::Failure::of_capture(&error).sentence(),
                Ok(report) => {
                    assert!(report.has_gaps(), "{action} is not needed");
                    let reasons = report.gaps.iter().map(|gap| gap.reason.clone());
                    reasons.collect::<Vec<_>>().join("\n")
                }
            },
        };
        assert!(said.contains(action.name()), "{action}: {said}");
    }
}
