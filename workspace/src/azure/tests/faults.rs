//! A cloud in trouble: throttled, failing, cutting connections. The workspace is read complete, and nobody comes early.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::StreamExt;
use simulator::faults::{Fault, Rule};

use super::bench::{Bench, bytes, list};
use crate::azure::{AzureWorkspace, Connection, ReadOptions, Service, Settings};
use crate::{Entry, Error, Workspace};

/// Everything that can be read, by name, size and digest.
async fn all(bench: &Bench) -> Result<BTreeSet<String>, Error> {
    let workspace = bench.open(&bench.source).await?;
    let mut found = BTreeSet::new();
    for kind in workspace.kinds() {
        for item in list(&workspace, kind.name).await? {
            found.insert(item.id.to_string());
            let details = workspace.details(&item).await?;
            let mut files = workspace.files(&item);
            let listed = item.file.clone().into_iter().chain(details.files).map(Ok);
            let mut all: Vec<_> = listed.collect();
            while let Some(file) = files.next().await {
                all.push(file);
            }
            for file in all.into_iter().flatten() {
                if file.entry == Entry::File {
                    let read = bytes(&workspace, &file).await?;
                    let sum: u64 = read.iter().map(|byte| u64::from(*byte)).sum();
                    found.insert(format!("{}//{} {} {sum}", item.id, file.path, read.len()));
                }
            }
        }
    }
    Ok(found)
}

fn trouble() -> Vec<Rule> {
    let calm = |rule: Rule| Rule {
        path: Some("/".to_owned()),
        ..rule
    };
    let throttle = Fault::Throttle {
        retry_after: 2,
        date: false,
    };
    let by_date = Fault::Throttle {
        retry_after: 3,
        date: true,
    };
    let failure = Fault::Status {
        status: 500,
        code: None,
    };
    vec![
        calm(Rule::always(throttle).with_probability(0.1)),
        calm(Rule::always(by_date).with_probability(0.1)),
        calm(Rule::always(failure).with_probability(0.02)),
        calm(Rule::always(Fault::Reset { executed: true }).with_probability(0.02)),
        calm(Rule::always(Fault::Truncate { bytes: None }).with_probability(0.02)),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_workspace_in_trouble_is_read_complete_and_never_too_early() -> Result<(), Error> {
    let bench = Bench::new();
    let calm = all(&bench).await?;
    assert!(calm.len() > 100, "{}", calm.len());
    bench.simulator.set_faults(5, trouble());
    let troubled = all(&bench).await?;
    assert_eq!(calm.symmetric_difference(&troubled).count(), 0);
    bench.simulator.assert_no_early_retries();
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_throttling_cost_is_told() -> Result<(), Error> {
    let bench = Bench::new();
    let throttle = Fault::Throttle {
        retry_after: 7,
        date: false,
    };
    let rule = Rule {
        contains: Some("/datastores".to_owned()),
        times: Some(1),
        ..Rule::always(throttle)
    };
    bench.simulator.set_faults(1, vec![rule]);
    let workspace = bench.open(&bench.source).await?;
    list(&workspace, "datastores").await?;
    let traffic = workspace.connection().traffic();
    assert_eq!(traffic.requests.get(&(Service::Arm, Some(429))), Some(&1));
    assert_eq!(
        traffic.throttled.get(&Service::Arm),
        Some(&Duration::from_secs(7))
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_always_breaks_is_given_up_by_name() -> Result<(), Error> {
    let bench = Bench::new();
    let connection = bench.connect().await?;
    let rule = Rule::always(Fault::Reset { executed: false });
    bench.simulator.set_faults(1, vec![rule]);
    let opened = AzureWorkspace::open(&connection, &bench.source, ReadOptions::default()).await;
    let error = opened.expect_err("nobody answers");
    assert!(matches!(error, Error::Broken { .. }), "{error}");
    assert!(
        error
            .to_string()
            .contains("management.sim.localhost/subscriptions"),
        "{error}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_host_that_is_not_there_is_given_up_by_name() -> Result<(), Error> {
    // Port 1 of this machine: nobody listens, and no name is asked of a resolver.
    let settings = Settings {
        cloud: "https://management.nobody.localhost:1".parse()?,
        ..Settings::default()
    };
    let error = Connection::open(settings)
        .await
        .expect_err("nobody listens");
    match &error {
        Error::Unreachable { host, .. } => assert_eq!(host, "management.nobody.localhost:1"),
        other => assert_eq!(other.to_string(), "unreachable"),
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_says_what_was_refused() -> Result<(), Error> {
    let bench = Bench::new();
    let workspace = bench.open(&bench.source).await?;
    let denied = Fault::Status {
        status: 403,
        code: Some("AuthorizationFailed".to_owned()),
    };
    let rule = Rule {
        contains: Some("/models".to_owned()),
        ..Rule::always(denied)
    };
    bench.simulator.set_faults(1, vec![rule]);
    match list(&workspace, "models").await {
        Err(Error::Forbidden(refusal)) => {
            assert_eq!(refusal.code, "AuthorizationFailed");
            assert!(refusal.to_string().contains("(request "), "{refusal}");
            assert!(
                refusal.act.ends_with("/workspaces/ws-prod/models"),
                "{refusal}"
            );
        }
        other => assert!(other.is_err(), "models were listed"),
    }
    assert!(!list(&workspace, "jobs").await?.is_empty());
    Ok(())
}
