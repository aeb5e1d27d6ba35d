//! A cloud that limits what is asked of it, or that knows older api-versions only; and operations that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::future::try_join_all;
use serde_json::json;
use simulator::faults::{Fault, Rule};
use tokio::time::Instant;

use super::bench::{Bench, list};
use super::spy::Spy;
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
async fn what_was_read_with_a_version_that_the_target_does_not_know_is_written_with_an_older_one()
-> Result<(), Error> {
    let bench = Bench::new();
    let newest = |kind: &str, version: &str| {
        let mut state = bench.simulator.state();
        let _ = state
            .settings
            .newest
            .insert(kind.to_owned(), version.to_owned());
    };
    newest("workspaces", "2024-10-01");
    newest("workspaces/environments", "2024-04-01");
    newest("workspaces/environments/versions", "2024-04-01");
    let target = bench.open(&bench.target).await?;
    let body = json!({"properties": {"image": "ubuntu:24.04"}});
    let versions = || -> Vec<String> {
        let state = bench.simulator.state();
        let log = state.arrivals.log().iter();
        let of = log.filter(|it| it.method != "GET" && it.target.contains("/environments/"));
        let version = |it: &str| {
            it.split("api-version=")
                .nth(1)
                .unwrap_or_default()
                .to_owned()
        };
        of.map(|it| version(&it.target)).collect()
    };
    let id = ItemId::versioned("environments", "e", "1");
    bench.simulator.state().arrivals.reset();
    target.put(&id, &body, "2025-12-01").await?;
    assert_eq!(
        versions(),
        ["2025-12-01", "2025-06-01", "2024-10-01", "2024-04-01"]
    );
    // Learnt once; what is older than the newest known stays as it is.
    let other = ItemId::versioned("environments", "e", "2");
    target.put(&other, &body, "2025-06-01").await?;
    target.put(&id, &body, "2023-10-01").await?;
    target.delete(&other, "2025-12-01").await?;
    assert_eq!(
        versions().split_off(4),
        ["2024-04-01", "2023-10-01", "2024-04-01"]
    );
    // A version of which the row has never heard, as a later mlark may have read with.
    newest("workspaces/data", "2025-06-01");
    newest("workspaces/data/versions", "2025-06-01");
    let fresh = bench.open(&bench.target).await?;
    let data = ItemId::versioned("data", "d", "1");
    let body = json!({"properties": {"dataType": "uri_file",
        "dataUri": "azureml://datastores/workspaceblobstore/paths/x"}});
    fresh.put(&data, &body, "2027-01-01").await?;
    // The list of workspaces falls back too.
    let all = format!(
        "azureml://subscriptions/{}/resourceGroups/*/workspaces/*",
        bench.target.subscription
    );
    let found = fresh.connection().workspaces(&all.parse()?).await?;
    assert_eq!(found, std::slice::from_ref(&bench.target));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_says_of_itself_that_it_is_being_made_is_waited_for() -> Result<(), Error> {
    for (last, good) in [("Succeeded", true), ("Failed", false)] {
        let bench = Bench::new();
        let looks = Arc::new(AtomicU32::new(0));
        let seen = looks.clone();
        let (settings, _) = Spy::before(bench.settings(), move |request, status, headers, body| {
            if !request.url().path().ends_with("/environments/e/versions/1") || *status >= 300 {
                return;
            }
            headers.remove("azure-asyncoperation");
            let state = match seen.fetch_add(1, Ordering::Relaxed) {
                0..3 => "Creating",
                _ => last,
            };
            let mut document: serde_json::Value = serde_json::from_str(body).expect("JSON");
            document["properties"]["provisioningState"] = json!(state);
            document["error"] = json!({"code": "UserError", "message": "told to"});
            *body = document.to_string();
        });
        let connection = Connection::open(settings).await?;
        let target =
            AzureWorkspace::open(&connection, &bench.target, ReadOptions::default()).await?;
        let id = ItemId::versioned("environments", "e", "1");
        let body = json!({"properties": {"image": "ubuntu:24.04"}});
        let put = target.put(&id, &body, "2025-12-01").await;
        assert_eq!(looks.load(Ordering::Relaxed), 4, "{put:?}");
        assert_eq!(put.is_ok(), good, "{put:?}");
        let text = format!("{put:?}");
        assert!(good || text.contains("UserError: told to"), "{text}");
    }
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

#[tokio::test(start_paused = true)]
async fn an_item_that_comes_again_on_the_next_page_is_listed_once() -> Result<(), Error> {
    let bench = Bench::new();
    let plain = list(&bench.open(&bench.source).await?, "jobs").await?;
    assert!(plain.len() > 7, "one page is no test");
    bench.simulator.state().settings.repeats = true;
    let workspace = bench.open(&bench.source).await?;
    let before = workspace.connection().traffic();
    let repeated = list(&workspace, "jobs").await?;
    let names = |items: &[crate::Listed]| -> Vec<String> {
        items.iter().map(|item| item.id.to_string()).collect()
    };
    assert_eq!(names(&plain), names(&repeated));
    // A page of seven of which one is known already brings six.
    let pages = workspace.connection().traffic().total() - before.total();
    let least = plain.len().div_ceil(6) as u64;
    assert!(pages >= least, "nothing was repeated: {pages} {least}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_wait_in_milliseconds_is_kept() -> Result<(), Error> {
    let bench = Bench::new();
    let rule = Rule {
        contains: Some("/datastores".to_owned()),
        times: Some(1),
        ..Rule::always(Fault::ThrottleMs { ms: 12_345 })
    };
    bench.simulator.set_faults(1, vec![rule]);
    let workspace = bench.open(&bench.source).await?;
    let start = Instant::now();
    list(&workspace, "datastores").await?;
    assert!(start.elapsed() >= Duration::from_millis(12_345));
    assert!(start.elapsed() < Duration::from_secs(16));
    let throttled = workspace.connection().traffic().throttled;
    assert_eq!(
        throttled.get(&Service::Arm),
        Some(&Duration::from_millis(12_345))
    );
    bench.simulator.assert_no_early_retries();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_its_location_tells_of_is_followed_to_its_end() -> Result<(), Error> {
    let bench = Bench::new();
    let source = bench.open(&bench.source).await?;
    let schedules = list(&source, "schedules").await?;
    let version = Kind::by_name("schedules")?.api_versions[0];
    let polls = || {
        let state = bench.simulator.state();
        let log = state.arrivals.log().iter();
        log.filter(|it| it.target.contains("OperationResults"))
            .count()
    };
    let start = Instant::now();
    source.delete(&schedules[0].id, version).await?;
    assert!(polls() > 0, "nobody looked at it");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert!(source.get(&schedules[0].id).await?.is_none());
    bench.simulator.state().failing_operations = 1;
    let error = source
        .delete(&schedules[1].id, version)
        .await
        .expect_err("told to fail");
    let text = error.to_string();
    for part in ["UserError", "told to fail", "(request "] {
        assert!(text.contains(part), "{part}: {text}");
    }
    Ok(())
}
