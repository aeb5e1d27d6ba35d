//! A kind that could not be listed is missing in the snapshot itself: whoever looks at it or brings it back is told, and what
//! was there before is not forgotten for it.

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
}
