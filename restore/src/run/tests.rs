#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::json;

use archive_format::{Item, Line, LineKey};

use super::*;
use crate::snapshot::Text;

fn read(arm: Option<Value>, record: Option<Value>) -> RunRecord {
    read_in(None, arm, record)
}

/// The same of a run that was found in an experiment.
fn read_in(found_in: Option<&str>, arm: Option<Value>, record: Option<Value>) -> RunRecord {
    let text = |value| Text {
        value,
        api_version: String::new(),
        read: "2026-02-02T00:00:00Z".parse().unwrap(),
    };
    let mut item = Item::from_line(Line::new(LineKey::new("jobs", "j", None::<&str>)));
    if let Some(name) = found_in {
        item.more.insert("experiment".to_owned(), json!(name));
    }
    let loaded = Loaded {
        id: ItemId::new("jobs", "j"),
        item,
        arm: arm.map(text),
        record: record.map(text),
        tables: std::collections::BTreeMap::new(),
    };
    RunRecord::read(&loaded, &source())
}

fn source() -> Identity {
    Identity::Azure {
        subscription: "s".into(),
        resource_group: "g".into(),
        workspace: "w".into(),
        region: "r".into(),
        workspace_guid: "u".into(),
        storage_account: "a".into(),
    }
}

#[test]
fn the_record_wins_over_the_specification_and_times_are_kept_to_the_digit() {
    let arm = json!({
        "systemData": {"createdAt": "2026-01-01T00:00:00Z", "createdBy": "Ada"},
        "properties": {"experimentName": "exp", "displayName": "old", "status": "Running", "tags": {"a": "1"}}
    });
    let record = json!({
        "runId": "j", "displayName": "new", "status": "Completed", "startTimeUtc": "2026-01-01T00:00:01.2345678+00:00",
        "endTimeUtc": "2026-01-01T01:00:00Z", "tags": {"a": "2", "mlflow.parentRunId": "p"}, "parentRunId": "p",
        "hidden": true, "parameters": {"lr": "0.1", "layers": 3}
    });
    let run = read(Some(arm), Some(record));
    assert_eq!((run.experiment.as_str(), run.name.as_str()), ("exp", "new"));
    assert_eq!(
        (run.end, run.parent.as_deref(), run.hidden),
        (RunEnd::Finished, Some("p"), true)
    );
    assert_eq!(
        run.start.unwrap().to_string(),
        "2026-01-01T00:00:01.2345678Z"
    );
    assert_eq!(
        run.params,
        BTreeMap::from([("lr".into(), "0.1".into()), ("layers".into(), "3".into())])
    );
    assert_eq!(run.tags["a"], "2");
    assert_eq!(run.tags[SOURCE_RUN_TAG], "j");
    assert_eq!(run.tags["mlark.creator"], "Ada");
    assert!(!run.tags.contains_key("mlflow.parentRunId"));
    assert!(run.losses.is_empty());
}

#[test]
fn a_run_whose_experiment_nobody_names_goes_to_the_default_one_and_a_row_says_so() {
    let run = read(None, Some(json!({"runId": "j", "status": "Completed"})));
    assert_eq!(run.experiment, "Default");
    let rows: Vec<&str> = run.losses.iter().map(|loss| loss.what.as_str()).collect();
    assert_eq!(rows, ["its experiment"]);
}

#[test]
fn a_run_goes_to_the_experiment_that_it_was_found_in_unless_it_names_another() {
    let record =
        |named: Value| json!({"runId": "j", "status": "Completed", "experimentName": named});
    let run = read_in(Some("notes"), None, Some(record(Value::Null)));
    assert_eq!((run.experiment.as_str(), run.losses), ("notes", vec![]));
    let run = read_in(Some("notes"), None, Some(record(json!("own"))));
    assert_eq!(run.experiment, "own");
}

#[test]
fn a_job_that_had_not_ended_is_killed_and_a_row_says_so() {
    let record = json!({"runId": "j", "experimentName": "exp", "status": "Running"});
    let run = read(None, Some(record));
    assert_eq!(run.end, RunEnd::Killed);
    assert_eq!(run.losses.len(), 1);
    let known_last = run.end_time.unwrap().to_string();
    assert_eq!(known_last, "2026-02-02T00:00:00Z");
    assert_eq!(run.experiment, "exp");
    assert_eq!(run.name, "j");
}

#[test]
fn a_tag_too_long_for_the_service_is_a_row_and_not_a_failure() {
    let record = json!({"status": "Failed", "tags": {"long": "x".repeat(5_001), "short": "y"}});
    let run = read(None, Some(record));
    assert!(!run.tags.contains_key("long") && run.tags.contains_key("short"));
    assert_eq!(run.losses[0].what, "tag long");
}

#[test]
fn the_source_stands_in_a_tag_in_words_that_are_no_reference() {
    let run = read(None, None);
    let words = &run.tags["mlark.source_workspace"];
    assert_eq!(words, "w of group g of subscription s");
    assert!(!words.contains('/'));
}

#[test]
fn times_without_an_offset_are_utc() {
    assert_eq!(
        read_time("2026-01-01 10:00:00").unwrap(),
        "2026-01-01T10:00:00Z".parse().unwrap()
    );
    assert_eq!(read_time("soon"), None);
}

#[test]
fn a_run_that_a_restore_made_keeps_what_its_tags_say_of_the_first_job() {
    let record = |tags: Value| json!({"runId": "j", "status": "Completed", "endTimeUtc": "2026-01-02T00:00:00Z", "tags": tags});
    let first = read(None, Some(record(json!({"team": "nlp"}))));
    let tags = json!({
        "team": "nlp", "mlark.source_run": "origin", "mlark.source_workspace": "there", "mlark.status": "Running",
        "mlark.creator": "Ada",
    });
    let second = read(None, Some(record(tags)));
    assert_eq!(first.tags["mlark.ended"], "2026-01-02T00:00:00Z");
    assert!(!first.tags.contains_key("mlark.first_source_run"));
    let wished = json!({
        "team": "nlp", "mlark.source_run": "j", "mlark.source_workspace": first.tags["mlark.source_workspace"],
        "mlark.first_source_run": "origin", "mlark.first_source_workspace": "there", "mlark.status": "Running",
        "mlark.creator": "Ada",
    });
    assert_eq!(json!(second.tags), wished);
    // However often it goes on, the first one stays known.
    let third = read(None, Some(record(json!(second.tags))));
    assert_eq!(third.tags["mlark.first_source_run"], "origin");
}
