//! Whatever the daemon is at, it stops within ten seconds of the wish, and what it was at is gone on with. Each case is in
//! virtual time, in a cloud that makes it wait far longer: by `Retry-After`, by answers that take minutes, by hooks.

use std::time::Duration;

use jiff::{Timestamp, ToSpan};
use mlark::ExitStatus;
use mlark::shutdown::Shutdown;
use simulator::call::Service;
use simulator::faults::{Fault, Rule};
use tokio::task::LocalSet;
use tokio::time::Instant;

use super::site::{Site, hours_after};

const START: &str = "2026-12-01T12:00:00Z";
const LIMIT: Duration = Duration::from_secs(10);

const THROTTLED: Fault = Fault::Throttle {
    retry_after: 60,
    date: false,
};
const SLOW: Fault = Fault::Slow { ms: 120_000 };

/// What the daemon is at when it is to stop.
#[derive(Clone)]
struct Case {
    name: &'static str,
    /// More of the configuration.
    more: &'static str,
    /// When the cloud becomes what it is, and when the daemon is to stop: seconds after the run's time has come.
    trouble: i64,
    stop: i64,
    rule: Option<Rule>,
    /// Whether its run is cut off, so that the next start makes another.
    cut: bool,
}

fn rule(service: Service, method: &str, contains: &str, fault: Fault) -> Option<Rule> {
    Some(Rule {
        method: Some(method.to_owned()),
        contains: Some(contains.to_owned()),
        ..Rule::always(fault).on(service)
    })
}

fn cases() -> Vec<Case> {
    let usual = Case {
        name: "",
        more: "",
        trouble: -1,
        stop: 20,
        rule: None,
        cut: true,
    };
    let case = |name, rule| Case {
        name,
        rule,
        ..usual.clone()
    };
    vec![
        Case {
            trouble: -181,
            stop: -30,
            ..case("the daemon starts", Some(Rule::always(THROTTLED)))
        },
        case(
            "a run opens its workspace",
            rule(Service::Arm, "GET", "/workspaces/ws", THROTTLED),
        ),
        case(
            "a run asks about items",
            rule(Service::Arm, "GET", "/environments/", THROTTLED),
        ),
        case(
            "packs are sent",
            rule(Service::Blob, "PUT", "/mlark/", SLOW),
        ),
        case(
            "packs are not taken",
            rule(Service::Blob, "PUT", "/mlark/", THROTTLED),
        ),
        case(
            "a run is committed",
            rule(Service::Blob, "PUT", "/log/", THROTTLED),
        ),
        Case {
            cut: false,
            ..case(
                "space is freed",
                rule(Service::Blob, "DELETE", "/mlark/", THROTTLED),
            )
        },
        Case {
            more: "[daemon.hooks]\nbefore_backup = [\"sleep\", \"600\"]\n",
            ..case("a hook runs before a backup", None)
        },
        Case {
            more: "[daemon.hooks]\nafter_backup = [\"sleep\", \"600\"]\non_failure = [\"sleep\", \"600\"]\n",
            cut: false,
            ..case("a hook runs after a backup", None)
        },
        Case {
            more: "[[workspace]]\nname = \"all\"\nurl = \"azureml://subscriptions/a0000000-0000-4000-8000-00000000000a/resourceGroups/rg/workspaces/x-*\"\n",
            trouble: 600,
            stop: 2 * 3600 + 600,
            cut: false,
            ..case(
                "workspaces are looked for",
                rule(Service::Arm, "GET", "/workspaces?", THROTTLED),
            )
        },
    ]
}

#[tokio::test(start_paused = true)]
async fn whatever_the_daemon_is_at_it_stops_within_ten_seconds_and_goes_on_at_the_next_start() {
    let mut failed = Vec::new();
    for case in cases() {
        let name = case.name;
        // One that panics lets the others have their turn.
        let tried = async { tokio::task::spawn_local(stops(case)).await };
        if LocalSet::new().run_until(tried).await.is_err() {
            failed.push(name);
        }
    }
    assert_eq!(failed, Vec::<&str>::new());
}

async fn stops(case: Case) {
    let Case { name, more, .. } = case;
    let folder = tempfile::tempdir().unwrap();
    let start: Timestamp = START.parse().unwrap();
    let site = Site::new(folder.path(), start);
    let place = site.workspace("ws");
    let repository = site.container(&place);
    let configure = |more: &str| {
        let rest = format!(
            "[[workspace]]\nname = \"prod\"\nurl = \"{}\"\nschedule = \"0 2 * * *\"\n\
             [retention]\nkeep_last = 1\ngrace = \"1h\"\n{more}",
            place.url(),
        );
        site.configure(Some(&repository), &rest);
    };
    configure("");
    site.init().await;
    // Two nights, so that there is something to forget and to free.
    for night in 0..2 {
        site.put(&place, night, night);
        site.daemon_until(hours_after(start, 24 * (night + 1)), &[])
            .await;
    }
    site.put(&place, 2, 2);

    configure(more);
    let due = hours_after(start, 2 * 24 + 14);
    site.wait_until(due - 3.minutes()).await;
    let stop = Shutdown::default();
    let trouble = async {
        site.wait_until(due + case.trouble.seconds()).await;
        site.simulator
            .set_faults(1, case.rule.clone().into_iter().collect());
        site.wait_until(due + case.stop.seconds()).await;
        stop.request();
        Instant::now()
    };
    let daemon = site.mlark(&["daemon", "--no-progress"], &[], stop.clone());
    let (asked, status) = tokio::join!(trouble, daemon);
    let took = asked.elapsed();
    assert_eq!(status, ExitStatus::Done, "{name}: {}", site.said.text());
    assert!(took <= LIMIT, "{name}: it took {took:?}");
    let struck: u64 = {
        let state = site.simulator.state();
        state.faults.rules().map(|(_, struck)| struck).sum()
    };
    assert_eq!(struck > 0, case.rule.is_some(), "{name}: nobody waited");

    configure("");
    site.simulator.set_faults(1, Vec::new());
    site.simulator.state().arrivals.reset();
    let again = site.truth();
    site.daemon_until(again + 20.minutes(), &[]).await;
    let status = site.json(&["status"]).await;
    let about = &status["workspaces"][0];
    assert_eq!(about["state"], "good", "{name}: {about}");
    let last: Timestamp = about["last"]["time"].as_str().unwrap().parse().unwrap();
    assert_eq!(last >= again, case.cut, "{name}: {last}, {again}");
    assert!(last >= due, "{name}: {last}");
}
