//! A hundred seeds of mixed faults, in-process and in virtual time, with real values of `Retry-After`.
//!
//! The seeds are shared out among the cores, a runtime with its own virtual time on each.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use archive_format::Outcome;
use http::Method;
use mlark::capture::Ending;
use serde_json::{Value, json};
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use simulator::{Simulator, world::World};

use super::manifest;
use crate::backup::bench::Bench;
use crate::backup::cloud::Cloud;

const SEEDS: u64 = 100;

/// How far lists lag behind, in seconds: longer than any backup here takes.
const LAG: u64 = 100_000;

/// The mix of one seed: each sort of fault somewhere, one request in five struck. What times there are vary with the seed.
pub(crate) fn mix(seed: u64) -> Vec<Rule> {
    let wait = 1 + seed * 7 % 60;
    let skew = i64::try_from(seed * 37 % 1_700).unwrap() - 850;
    let shares = [
        (
            0.04,
            Fault::Throttle {
                retry_after: wait,
                date: false,
            },
        ),
        (
            0.02,
            Fault::Throttle {
                retry_after: wait / 2 + 1,
                date: true,
            },
        ),
        (
            0.02,
            Fault::ClockSkew {
                seconds: skew,
                retry_after: Some(wait),
            },
        ),
        (
            0.01,
            Fault::ClockSkew {
                seconds: skew,
                retry_after: None,
            },
        ),
        (
            0.015,
            Fault::Status {
                status: 500,
                code: None,
            },
        ),
        (
            0.01,
            Fault::Status {
                status: 503,
                code: None,
            },
        ),
        (0.01, Fault::Failed { status: 500 }),
        (0.015, Fault::Reset { executed: false }),
        (0.015, Fault::Reset { executed: true }),
        (0.02, Fault::Truncate { bytes: None }),
        (0.01, Fault::Slow { ms: 40_000 }),
        (
            0.01,
            Fault::SlowBody {
                ms: 11_000,
                pieces: 4,
            },
        ),
        (0.01, Fault::Twice),
        (0.015, Fault::ExpiredToken),
    ];
    let everywhere = shares
        .into_iter()
        .map(|(share, fault)| Rule::always(fault).with_probability(share));
    let login = Rule::always(Fault::Throttle {
        retry_after: wait,
        date: false,
    })
    .with_probability(0.1)
    .on(Service::Login);
    let description = Rule {
        path: Some("/metadata/".to_owned()),
        ..Rule::always(Fault::Status {
            status: 500,
            code: None,
        })
        .with_probability(0.2)
    };
    std::iter::once(stale())
        .chain([login, description])
        .chain(everywhere)
        .collect()
}

/// The list that does not yet show the environment that a component names.
fn stale() -> Rule {
    Rule {
        contains: Some("/environments/CliV2AnonymousEnvironment/versions".to_owned()),
        ..Rule::always(Fault::StaleList { seconds: LAG }).with_probability(0.5)
    }
}

/// A component and the environment that it names, made just before the backup.
fn made_just_now(cloud: &Cloud) {
    let base = cloud.name.arm_id();
    let environment =
        "environments/CliV2AnonymousEnvironment/versions/0123456789abcdef0123456789abcdef";
    let put = |path: &str, properties: Value| {
        let target = format!("{base}/{path}?api-version=2024-04-01");
        let body = json!({ "properties": properties });
        let reply = cloud.caller().arm(Method::PUT, &target, Some(&body));
        assert!(reply.status.is_success(), "{reply:?}");
    };
    put(
        environment,
        json!({"image": "python:3.12", "isAnonymous": true}),
    );
    let spec = json!({
        "name": "made_just_now", "version": "1", "type": "command", "command": "true",
        "environment": format!("azureml:{base}/{environment}"),
    });
    put(
        "components/made_just_now/versions/1",
        json!({"componentSpec": spec}),
    );
}

/// The same cloud for every seed.
async fn cloud() -> Cloud {
    let cloud = Cloud::of(&World::small(7), Bench::unencrypted().await);
    made_just_now(&cloud);
    cloud.simulator.state().arrivals.reset();
    cloud
}

/// How many calls arrived, and how many of them were struck.
pub(super) fn struck(simulator: &Simulator) -> (u64, u64) {
    let state = simulator.state();
    let calls = state.arrivals.counts().values().sum();
    (calls, state.faults.rules().map(|(_, struck)| struck).sum())
}

/// How often each sort of fault struck.
fn sorts(simulator: &Simulator) -> BTreeMap<String, u64> {
    let state = simulator.state();
    let mut sorts = BTreeMap::new();
    for (rule, struck) in state.faults.rules() {
        let fault = serde_json::to_value(&rule.fault).unwrap();
        let sort = fault["kind"].as_str().unwrap().to_owned();
        *sorts.entry(sort).or_default() += struck;
    }
    sorts
}

async fn calm() -> Vec<Value> {
    let cloud = cloud().await;
    let report = cloud.back_up().await;
    assert!(!report.has_gaps(), "{:?}", report.gaps);
    manifest::lines(&cloud.bench.newest().await).await
}

/// One backup through the faults of a seed, which must end as the calm one did. Says how many calls there were
/// and which faults struck.
async fn endure(seed: u64, calm: &[Value]) -> (u64, BTreeMap<String, u64>) {
    let cloud = cloud().await;
    if seed % 4 == 1 {
        // The cloud's clock and ours differ by some minutes.
        cloud.simulator.advance(Duration::from_secs(60 + seed));
    }
    cloud.simulator.set_faults(seed, mix(seed));
    let report = cloud.back_up().await;
    assert_eq!(report.ending, Ending::Complete, "seed {seed}");
    assert!(!report.has_gaps(), "seed {seed}: {:#?}", report.gaps);
    assert_eq!(
        cloud.bench.outcomes().await,
        [Outcome::Complete],
        "seed {seed}"
    );
    cloud.simulator.assert_no_early_retries();
    let found = manifest::lines(&cloud.bench.newest().await).await;
    manifest::assert_equal(&found, calm, &format!("seed {seed}"));
    (struck(&cloud.simulator).0, sorts(&cloud.simulator))
}

fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

#[test]
fn a_hundred_seeds_of_mixed_faults_leave_the_same_snapshot_as_none() {
    let calm = in_virtual_time(calm());
    assert!(calm.len() > 100, "{}", calm.len());
    let next = AtomicU64::new(1);
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let sums: Mutex<(u64, BTreeMap<String, u64>)> = Mutex::default();
    std::thread::scope(|scope| {
        let worker = || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed > SEEDS {
                    return;
                }
                let (calls, sorts) = in_virtual_time(endure(seed, &calm));
                let mut sums = sums.lock().unwrap();
                sums.0 += calls;
                for (sort, struck) in sorts {
                    *sums.1.entry(sort).or_default() += struck;
                }
            }
        };
        (0..cores).for_each(|_| drop(scope.spawn(worker)));
    });
    let (calls, sorts) = sums.into_inner().unwrap();
    assert_eq!(sorts.len(), 11, "{sorts:?}");
    assert!(sorts.values().all(|struck| *struck > 20), "{sorts:?}");
    let share = sorts.values().sum::<u64>() as f64 / calls as f64;
    assert!(
        (0.17..0.23).contains(&share),
        "{share} of {calls} calls were struck: {sorts:?}"
    );
}
