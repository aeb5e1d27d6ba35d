//! Selectors as people write them.

use serde_json::json;

use super::*;
use crate::{Document, Form, Kind};

fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap_or_default()
}

fn select(texts: &[&str]) -> Selection {
    match Selection::parse(texts, now()) {
        Ok(selection) => selection,
        Err(error) => panic!("{error}"),
    }
}

fn takes(texts: &[&str], id: &str) -> bool {
    select(texts).matches_item(&item(id), &()) == Verdict::Yes
}

fn takes_file(texts: &[&str], id: &str, path: &str) -> bool {
    let Ok(path) = FilePath::new(path) else {
        panic!("{path} is no path");
    };
    select(texts).matches_file(&item(id), &path, &()) == Verdict::Yes
}

fn item(text: &str) -> ItemId {
    match text.parse() {
        Ok(id) => id,
        Err(error) => panic!("{error}"),
    }
}

fn refusal(text: &str) -> String {
    match Selection::parse([text], now()) {
        Ok(selection) => panic!("{text} was read as {selection:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_kind_a_name_and_a_version_select_what_they_say() {
    assert!(takes(&["models"], "models/churn:3"));
    assert!(takes(&["models/churn"], "models/churn:3"));
    assert!(takes(&["models/churn"], "models/churn"));
    assert!(takes(&["models/churn:3"], "models/churn:3"));
    assert!(!takes(&["models/churn:3"], "models/churn:4"));
    assert!(!takes(&["models/churn:*"], "models/churn"));
    assert!(!takes(&["models/churn"], "models/churn2:1"));
    assert!(!takes(&["models"], "data/churn:3"));
    assert!(!takes(&["models/Churn"], "models/churn:3"));
}

#[test]
fn wildcards_stay_within_their_part() {
    assert!(takes(&["models/ch*:?"], "models/churn:3"));
    assert!(!takes(&["models/ch*:?"], "models/churn:10"));
    assert!(takes(&["*/churn"], "data/churn:1"));
    assert!(takes(
        &["notebooks/Users/*/x.ipynb"],
        "notebooks/Users/anna/x.ipynb"
    ));
    assert!(!takes(
        &["notebooks/*/x.ipynb"],
        "notebooks/Users/anna/x.ipynb"
    ));
    assert!(takes(
        &["notebooks/**/x.ipynb"],
        "notebooks/Users/anna/x.ipynb"
    ));
    assert!(takes(&["notebooks/**/x.ipynb"], "notebooks/x.ipynb"));
    assert!(takes(&["jobs/a*b*c"], "jobs/aXbYbZc"));
    assert!(!takes(&["jobs/a*b*c"], "jobs/aXbYbZ"));
}

#[test]
fn a_directory_selects_what_is_below_it() {
    assert!(takes(
        &["notebooks/Users/anna"],
        "notebooks/Users/anna/deep/x.ipynb"
    ));
    assert!(takes(
        &["notebooks/Users/anna/"],
        "notebooks/Users/anna/x.ipynb"
    ));
    assert!(takes(&["notebooks/Users/anna"], "notebooks/Users/anna"));
    assert!(!takes(
        &["notebooks/Users/anna"],
        "notebooks/Users/annabel/x.ipynb"
    ));
    assert!(!takes(&["notebooks/Users/anna"], "notebooks/Users"));
}

#[test]
fn the_last_one_that_matches_decides() {
    let texts = ["models", "!models/churn", "models/churn:3"];
    assert!(takes(&texts, "models/other:1"));
    assert!(!takes(&texts, "models/churn:2"));
    assert!(takes(&texts, "models/churn:3"));
    assert!(!takes(&texts, "jobs/a"));
}

#[test]
fn an_exclusion_first_starts_from_everything() {
    assert!(takes(&["!jobs"], "models/a:1"));
    assert!(!takes(&["!jobs"], "jobs/a"));
    assert!(takes(&[], "jobs/a"));
}

#[test]
fn a_file_selects_its_item_and_that_file_alone() {
    let texts = ["models/churn:3//weights/*.bin"];
    assert!(takes(&texts, "models/churn:3"));
    assert!(takes_file(&texts, "models/churn:3", "weights/a.bin"));
    assert!(!takes_file(&texts, "models/churn:3", "weights/a.txt"));
    assert!(takes_file(
        &["models/churn:3//weights"],
        "models/churn:3",
        "weights/a.txt"
    ));
}

#[test]
fn an_excluded_file_leaves_its_item() {
    let texts = ["models", "!models/churn:3//big.bin"];
    assert!(takes(&texts, "models/churn:3"));
    assert!(!takes_file(&texts, "models/churn:3", "big.bin"));
    assert!(takes_file(&texts, "models/churn:3", "small.bin"));
}

#[test]
fn special_characters_are_taken_literally_after_a_backslash() {
    assert!(takes(&[r"data/a\*b"], r"data/a\*b:1"));
    assert!(!takes(&[r"data/a\*b"], "data/aXb:1"));
    assert!(takes(&[r"data/a\:b:1"], r"data/a\:b:1"));
    assert!(takes(&[r"notebooks/a\[1]"], r"notebooks/a\[1]"));
    assert!(takes(&["notebooks/a:b"], "notebooks/a:b"));
}

#[test]
fn every_name_is_printed_such_that_it_selects_itself() {
    let names = [
        "plain",
        "a:b",
        "a*b?c",
        r"back\slash",
        "[x]",
        "a/b",
        "/a//b/",
        "!x",
        "a,b=c",
        "ü ✓",
        "a//",
    ];
    for kind in ["models", "jobs", "notebooks", "somethingNew"] {
        for name in names {
            for version in [None, Some("1"), Some("2024:*/x")] {
                let id = ItemId {
                    kind: kind.to_owned(),
                    name: name.to_owned(),
                    version: version
                        .filter(|_| Kind::find(kind).is_none_or(|kind| kind.versioned))
                        .map(str::to_owned),
                };
                assert_eq!(item(&id.to_string()), id, "{id}");
                let by_path = kind == "notebooks" && FilePath::new(name).is_err();
                if Kind::find(kind).is_some() && !by_path {
                    let other = ItemId::new(kind, "other");
                    let selection = select(&[&id.to_string()]);
                    assert_eq!(selection.matches_item(&id, &()), Verdict::Yes, "{id}");
                    assert_eq!(selection.matches_item(&other, &()), Verdict::No, "{id}");
                }
            }
        }
    }
}

fn job(status: &str, ended: Option<&str>, tags: serde_json::Value) -> Vec<Document> {
    let document = |form, value| Document {
        form,
        api_version: "1".to_owned(),
        read: now(),
        value,
    };
    let arm = json!({"properties": {"experimentName": "exp-a", "status": status, "tags": tags, "isArchived": false}});
    let mut documents = vec![document(Form::Arm, arm)];
    if let Some(ended) = ended {
        documents.push(document(Form::RunHistory, json!({"endTimeUtc": ended})));
    }
    documents
}

fn judge(text: &str, documents: &[Document], size: Option<u64>) -> Verdict {
    let known = Known {
        kind: Kind::find("jobs"),
        documents,
        size,
        written: None,
    };
    select(&[text]).matches_item(&ItemId::new("jobs", "j"), &known)
}

#[test]
fn conditions_ask_the_documents() {
    let documents = job(
        "Completed",
        Some("2023-11-01T00:00:00Z"),
        json!({"team": "nlp"}),
    );
    for (text, verdict) in [
        ("jobs[experiment=exp-*,status=Completed]", Verdict::Yes),
        ("jobs[status=Failed]", Verdict::No),
        ("jobs[status!=Failed]", Verdict::Yes),
        ("jobs[tag.team=nlp]", Verdict::Yes),
        ("jobs[tag.team=cv]", Verdict::No),
        ("jobs[tag.other=x]", Verdict::No),
        ("jobs[tag.other!=x]", Verdict::Yes),
        ("jobs[archived]", Verdict::No),
        ("jobs[archived=no]", Verdict::Yes),
        ("jobs/j[ended<90d]", Verdict::Yes),
        ("jobs[ended>90d]", Verdict::No),
        ("jobs[ended<2023-11-02]", Verdict::Yes),
        ("jobs[ended>2023-11-01T12:00:00Z]", Verdict::No),
        ("jobs[name=j]", Verdict::Yes),
    ] {
        assert_eq!(judge(text, &documents, None), verdict, "{text}");
    }
}

#[test]
fn what_is_not_known_yet_is_said_and_not_guessed() {
    let listed = job("Running", None, json!({}));
    assert_eq!(judge("jobs[ended<90d]", &listed, None), Verdict::Unknown);
    assert_eq!(
        judge("jobs[ended<90d,status=Completed]", &listed, None),
        Verdict::No
    );
    assert_eq!(judge("jobs[size<5GiB]", &listed, None), Verdict::Unknown);
    assert_eq!(
        judge("jobs[size<5GiB]", &listed, Some(5 << 30)),
        Verdict::No
    );
    assert_eq!(judge("jobs[size<5GiB]", &listed, Some(1)), Verdict::Yes);
    assert_eq!(judge("jobs[status=Running]", &[], None), Verdict::Unknown);
}

#[test]
fn a_kind_that_nothing_selects_need_not_be_listed() {
    assert!(!select(&["models"]).may_take_kind("jobs"));
    assert!(select(&["models", "jobs/a"]).may_take_kind("jobs"));
    assert!(!select(&["!jobs"]).may_take_kind("jobs"));
    assert!(select(&["!jobs[status=Failed]"]).may_take_kind("jobs"));
    assert!(!select(&["notebooks", "!notebooks/**"]).may_take_kind("notebooks"));
}

#[test]
fn mistakes_are_named_with_what_was_meant() {
    assert_eq!(
        refusal("model/x"),
        "`model` is no kind; the nearest one is `models`"
    );
    assert_eq!(
        refusal("jobs[experimnt=x]"),
        "`experimnt` is no attribute; the nearest one is `experiment`"
    );
    for text in [
        "models//x",
        "models/a//",
        "models/a:",
        "jobs[status=x",
        "jobs[]",
        "jobs[status<x]",
        "jobs[ended=3d]",
        "jobs[size<big]",
        "jobs[archived=maybe]",
        "jobs[tag.=x]",
        "jobs[status=<x]",
        r"jobs/a\",
    ] {
        assert!(!refusal(text).is_empty(), "{text}");
    }
}

#[test]
fn a_pattern_with_many_stars_is_matched_in_no_time() {
    let pattern = format!("jobs/{}b", "a*".repeat(60));
    assert!(!takes(&[&pattern], &format!("jobs/{}", "a".repeat(4000))));
    let pattern = format!("notebooks/{}x", "**/a/".repeat(60));
    assert!(!takes(
        &[&pattern],
        &format!("notebooks/{}y", "a/".repeat(2000))
    ));
}

#[test]
fn an_item_is_one_item() {
    for text in [
        "models",
        "models/*",
        "models/a//f",
        "/a",
        "models/",
        "models/a:",
        "jobs/x[a=b]",
    ] {
        assert!(text.parse::<ItemId>().is_err(), "{text}");
    }
}

#[test]
fn what_lies_below_an_item_is_named_by_both_names() {
    let id = ItemId::new("onlineDeployments", "scoring/blue");
    assert_eq!(item("onlineEndpoints/scoring/deployments/blue"), id);
    assert_eq!(item("onlineEndpoints/scoring/Deployments/blue"), id);
    assert_eq!(item("onlineDeployments/scoring/blue"), id);
    assert_eq!(id.to_string(), "onlineEndpoints/scoring/deployments/blue");
    for (kind, name) in [
        ("onlineDeployments", "a/b/c"),
        ("onlineDeployments", "a*/b:1"),
        ("onlineDeployments", "alone"),
        ("onlineDeployments", "/a"),
        ("onlineDeployments", "a/"),
        ("onlineEndpoints", "a/deployments/b"),
        ("onlineEndpoints", "a/b"),
    ] {
        let id = ItemId::new(kind, name);
        assert_eq!(item(&id.to_string()), id, "{id}");
        assert!(takes(&[&id.to_string()], &id.to_string()), "{id}");
    }
}

#[test]
fn a_selector_takes_what_lies_below_what_it_names() {
    let blue = "onlineEndpoints/scoring/deployments/blue";
    for selector in [
        "onlineEndpoints",
        "onlineEndpoints/scoring",
        "onlineEndpoints/sc*",
        "onlineEndpoints/scoring/deployments",
        "onlineEndpoints/*/deployments/b*",
        "onlineDeployments",
        "onlineDeployments/scoring/*",
        blue,
    ] {
        assert!(takes(&[selector], blue), "{selector}");
        assert!(select(&[selector]).may_take_kind("onlineDeployments"));
    }
    for selector in [
        "onlineEndpoints/other",
        "onlineEndpoints/scoring/deployments/green",
        "onlineEndpoints/blue",
        "onlineDeployments/blue",
        "models/scoring/blue",
    ] {
        assert!(!takes(&[selector], blue), "{selector}");
    }
    assert!(!takes(&[blue], "onlineEndpoints/scoring"));
    assert!(!takes(
        &["onlineEndpoints", "!onlineEndpoints/*/deployments/*"],
        blue
    ));
    assert!(takes(
        &["onlineEndpoints", "!onlineEndpoints/*/deployments/*"],
        "onlineEndpoints/scoring"
    ));
    assert!(!select(&["!onlineEndpoints"]).may_take_kind("onlineDeployments"));
}

/// `KIND/NAME` of each name, with `/…` where what lies below it is meant; nothing where the selection is wide.
fn names(texts: &[&str]) -> Option<Vec<String>> {
    let names = select(texts).names()?.into_iter().map(|named| {
        let below = if named.below { "/…" } else { "" };
        format!("{}/{}{below}", named.kind, named.name)
    });
    Some(names.collect())
}

#[test]
fn a_selection_without_wildcards_says_which_names_it_is_about() {
    let some = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
    assert_eq!(
        names(&[
            "models/churn:*[tag.team=nlp]",
            r"jobs/a\*b//outputs/**",
            "!models/churn:1"
        ]),
        some(&["models/churn", "jobs/a*b"])
    );
    assert_eq!(
        names(&["notebooks/Users/ana"]),
        some(&["notebooks/Users/ana", "notebooks/Users/ana/…"])
    );
    let of_endpoint = some(&["onlineDeployments/ep/…", "onlineEndpoints/ep"]);
    assert_eq!(names(&["onlineEndpoints/ep"]), of_endpoint);
    let below = names(&["onlineEndpoints/ep/deployments/blue"]).unwrap_or_default();
    assert!(
        below.contains(&"onlineDeployments/ep/…".to_owned()),
        "{below:?}"
    );
    for wide in [
        &["models"][..],
        &["models/ch*"],
        &["*/churn"],
        &["!models/churn"],
        &[],
        &["models/churn", "data"],
    ] {
        assert_eq!(names(wide), None, "{wide:?}");
    }
}

#[test]
fn files_alone_are_no_whole_item() {
    let job = item("jobs/a");
    let whole = |texts: &[&str]| select(texts).takes_whole(&job, &());
    assert!(whole(&[]) && whole(&["jobs"]) && whole(&["jobs/a//x", "jobs/a"]));
    assert!(!whole(&["jobs/a//outputs/**"]) && !whole(&["jobs/b", "jobs/a//x"]));
}
