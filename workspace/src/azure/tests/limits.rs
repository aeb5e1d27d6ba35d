//! A cloud that limits what is asked of it, or that knows older api-versions only; and operations that fail.

use std::time::Duration;

use futures::future::try_join_all;
use serde_json::json;
use tokio::time::Instant;

use super::bench::{Bench, list};
use crate::azure::{AzureWorkspace, Connection, Quota, ReadOptions, Service, Settings};
use crate::{Error, ItemId, Kind, Workspace};

#[tokio::test(start_paused = true)]
async fn connections_that_share_a_quota_stay_below_the_limit_of_their_subscription()
-> Result<(), Error> {
    let bench = Bench::new();
    bench.simulator.state().settings.limited = true;
    let quota = Quota::default();
    let mut workspaces = Vec::new();
    for _ in 0..4 {
        let settings = Settings {
            quota: quota.clone(),
            ..bench.settings()
        };
        let connection = Connection::open(settings).await?;
        workspaces
            .push(AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await?);
    }
    let start = Instant::now();
    let reads = workspaces.iter().map(|workspace| async {
        for _ in 0..12 {
            for kind in ["models", "environments", "components", "data"] {
                list(workspace, kind).await?;
            }
        }
        Ok::<_, Error>(())
    });
    try_join_all(reads).await?;
    let sum = |status| -> u64 {
        let of = (Service::Arm, status);
        let counts = workspaces.iter().map(|workspace| {
            let traffic = workspace.connection().traffic();
            traffic.requests.get(&of).copied().unwrap_or_default()
        });
        counts.sum()
    };
    let (good, refused) = (sum(Some(200)), sum(Some(429)));
    assert!(good > 500, "{good}");
    assert_eq!(refused, 0, "of {good}");
    // Nor slower than it must be, but for the reserve that is kept.
    let least = Duration::from_secs((good - 250) / 25);
    assert!(
        start.elapsed() < least + Duration::from_secs(15),
        "{:?} {least:?}",
        start.elapsed()
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn without_a_shared_quota_the_cloud_throttles_and_is_obeyed() -> Result<(), Error> {
    let bench = Bench::new();
    bench.simulator.state().settings.limited = true;
    let mut workspaces = Vec::new();
    for _ in 0..4 {
        workspaces.push(bench.open(&bench.source).await?);
    }
    let reads = workspaces.iter().map(|workspace| async {
        for _ in 0..12 {
            list(workspace, "components").await?;
            list(workspace, "environments").await?;
        }
        Ok::<_, Error>(())
    });
    try_join_all(reads).await?;
    bench.simulator.assert_no_early_retries();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_cloud_that_does_not_know_the_newest_version_is_read_with_an_older_one()
-> Result<(), Error> {
    let bench = Bench::new();
    let newest = |kind: &str, version: &str| {
        let mut state = bench.simulator.state();
        let _ = state
            .settings
            .newest
            .insert(kind.to_owned(), version.to_owned());
    };
    // ARM says NoRegisteredProviderFound for the one and InvalidResourceType for the others.
    newest("workspaces", "2024-10-01");
    newest("workspaces/models", "2024-04-01");
    newest("workspaces/models/versions", "2024-04-01");
    newest("workspaces/schedules", "2023-10-01");
    let workspace = bench.open(&bench.source).await?;
    assert_eq!(workspace.document().api_version, "2024-10-01");
    let version_of = async |kind: &str| {
        let items = list(&workspace, kind).await?;
        let document = items.into_iter().find_map(|item| item.document);
        Ok::<_, Error>(document.expect("a document").api_version)
    };
    assert_eq!(version_of("models").await?, "2024-04-01");
    assert_eq!(version_of("schedules").await?, "2023-10-01");
    let newest_of_jobs = Kind::by_name("jobs")?.api_versions[0];
    assert_eq!(version_of("jobs").await?, newest_of_jobs);
    // Learnt once: what comes later is asked with it at once.
    let models = list(&workspace, "models").await?;
    let refused = |traffic: &crate::azure::Traffic| {
        let of = (Service::Arm, Some(404));
        traffic.requests.get(&of).copied().unwrap_or_default()
    };
    let before = refused(&workspace.connection().traffic());
    let version = models.iter().find(|item| item.id.version.is_some());
    assert!(
        workspace
            .get(&version.expect("a version").id)
            .await?
            .is_some()
    );
    assert_eq!(refused(&workspace.connection().traffic()), before);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_fails_is_told_with_what_the_service_says() -> Result<(), Error> {
    let bench = Bench::new();
    let target = bench.open(&bench.target).await?;
    bench.simulator.state().failing_operations = 1;
    let id = ItemId::new("computes", "cluster");
    let body = json!({"location": "northeurope", "properties": {
        "computeType": "AmlCompute",
        "properties": {"vmSize": "Standard_DS3_v2", "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 1}},
    }});
    let version = Kind::by_name("computes")?.api_versions[0];
    let error = target
        .put(&id, &body, version)
        .await
        .expect_err("told to fail");
    let text = error.to_string();
    assert!(matches!(error, Error::Operation { .. }), "{text}");
    for part in [
        "Failed",
        "UserError",
        "told to fail",
        "ToldToFail: A test wanted it.",
        "(request ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    Ok(())
}
