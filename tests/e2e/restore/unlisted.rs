//! A kind that could not be listed is missing in the snapshot itself: whoever looks at it or brings it back is told, and what
//! was there before is not forgotten for it.

use std::time::Duration;

use mlark::ExitStatus;
use serde_json::Value;
use simulator::faults::{Fault, Rule};

use super::bench::Bench;
use super::program::Program;

/// Refuses the list of a collection as it is refused to who has no right to it.
fn forbid(bench: &Bench, collection: &str) {
    let fault = Fault::Status {
        status: 403,
        code: Some("AuthorizationFailed".to_owned()),
    };
    let rule = Rule {
        contains: Some(format!("/{collection}?")),
        ..Rule::always(fault)
    };
    bench.simulator.set_faults(1, vec![rule]);
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// The rows of a loss report that are about a kind as a whole.
fn of_kinds(text: &str) -> Vec<String> {
    let losses = json(text)["losses"].as_array().unwrap().clone();
    let of_kinds = losses
        .iter()
        .filter(|row| row["item"].as_str().unwrap().ends_with("/\\*"));
    of_kinds
        .map(|row| format!("{}: {}", row["item"], row["reason"]))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn jobs_that_could_not_be_listed_are_missing_wherever_the_snapshot_is_used() {
    let bench = Bench::small().await;
    let retention = "[retention]\nkeep_last = 1\n";
    let program = Program::new(&bench, retention);
    let (status, _) = program.run(&["init", "--unencrypted"]).await;
    assert_eq!(status, ExitStatus::Done);
    let backup = ["backup", "--json"];
    let (status, text) = program.run(&backup).await;
    assert_eq!(status, ExitStatus::Done, "{text}");
    let whole = json(&text)["snapshots"][0]["id"].clone();

    forbid(&bench, "jobs");
    let mut lacking = Value::Null;
    for _ in 0..3 {
        tokio::time::advance(Duration::from_secs(3600)).await;
        let (status, text) = program.run(&backup).await;
        assert_eq!(status, ExitStatus::Gaps, "{text}");
        lacking = json(&text)["snapshots"][0].clone();
        assert_eq!(lacking["outcome"], "complete");
        let jobs = &lacking["items"]["jobs"];
        // Those that other items name were asked for by their names.
        assert_eq!(jobs["failed"], 1, "{jobs}");
    }

    let (_, text) = program.run(&["status", "--json"]).await;
    assert_eq!(json(&text)["workspaces"][0]["gaps"], 1, "{text}");
    let (_, text) = program.run(&["ls", "-l", "latest", "jobs"]).await;
    assert!(
        text.contains("gap: jobs/\\*: It could not be listed"),
        "{text}"
    );
    let (_, text) = program.run(&["gaps", "--json"]).await;
    assert_eq!(json(&text)["gaps"][0]["item"], "jobs/*", "{text}");

    // The only snapshot with the jobs stays, the others go.
    let (_, text) = program.run(&["forget", "--json"]).await;
    let kept = json(&text)["kept"].as_array().unwrap().clone();
    let ids: Vec<&Value> = kept.iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&whole, &lacking["id"]], "{text}");
    assert_eq!(json(&text)["forgotten"].as_array().unwrap().len(), 2);

    // What is not there is lost to a restore and to an export.
    let target = bench.name(&bench.target).to_string();
    let plan = ["restore", "plan", "latest", "--into", &target, "--json"];
    let (status, text) = program.run(&plan).await;
    assert_eq!(status, ExitStatus::Gaps, "{text}");
    let rows = of_kinds(&text);
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert!(rows[0].contains("Permission is missing"), "{rows:?}");
    let steps = json(&text)["steps"].as_array().unwrap().clone();
    assert!(steps.iter().all(|step| step["item"] != "jobs/\\*"));
    let of_some = [plan.as_slice(), &["jobs[experiment=*]"]].concat();
    assert_eq!(of_kinds(&program.run(&of_some).await.1), rows);
    let others = [plan.as_slice(), &["models"]].concat();
    assert!(of_kinds(&program.run(&others).await.1).is_empty());

    let to = program.path("cold").display().to_string();
    let export = [
        "export", "bag", "latest", "--to", &to, "--plain", "--name", "n",
    ];
    let (status, text) = program.run(&export).await;
    assert_eq!(status, ExitStatus::Gaps, "{text}");
    let exclusions = program.path("cold/n.seal/tags/exclusions.csv");
    let exclusions = std::fs::read_to_string(exclusions).unwrap();
    assert!(
        exclusions
            .lines()
            .any(|row| row.starts_with("gap,jobs,jobs/\\*,")),
        "{exclusions}"
    );
    let sealed = format!("{to}/n");
    let from_bag = ["restore", "plan", &sealed, "--into", &target, "--json"];
    assert_eq!(of_kinds(&program.run(&from_bag).await.1), rows);

    // Between snapshots nothing of that name came.
    let whole = whole.as_str().unwrap();
    let (_, text) = program.run(&["diff", whole, "latest", "--json"]).await;
    let differences = json(&text)["differences"].as_array().unwrap().clone();
    let items: Vec<&str> = differences
        .iter()
        .map(|row| row["item"].as_str().unwrap())
        .collect();
    assert!(items.iter().any(|item| item.starts_with("jobs/")), "{text}");
    assert!(items.iter().all(|item| !item.ends_with('*')), "{text}");

    bench.simulator.set_faults(0, Vec::new());
    tokio::time::advance(Duration::from_secs(3600)).await;
    let (status, text) = program.run(&backup).await;
    assert_eq!(status, ExitStatus::Done, "{text}");
    let (_, text) = program.run(&["ls", "latest", "jobs"]).await;
    assert!(!text.contains('*') && text.contains("jobs/"), "{text}");
    let (_, text) = program.run(&["forget", "--json"]).await;
    assert_eq!(json(&text)["kept"].as_array().unwrap().len(), 1, "{text}");
}
