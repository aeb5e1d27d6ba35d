//! The program tells where something is: by its tags, and under which names restores made it; and shows it to people.

use mlark::ExitStatus;
use serde_json::{Value, json};

use super::bench::Bench;
use super::program::Program;

async fn json(program: &Program<'_>, arguments: &[&str]) -> Value {
    let (status, text) = program.run(&[arguments, &["--json"]].concat()).await;
    assert_eq!(status, ExitStatus::Done, "{arguments:?}");
    serde_json::from_str(&text).unwrap()
}

async fn backed_up<'a>(bench: &'a Bench, more: &str) -> Program<'a> {
    let program = Program::new(bench, more);
    for arguments in [&["init", "--unencrypted"][..], &["backup"], &["backup"]] {
        assert_eq!(
            program.run(arguments).await.0,
            ExitStatus::Done,
            "{arguments:?}"
        );
    }
    program
}

/// The jobs of the source with a tag, as ARM shows them.
fn tagged(bench: &Bench, tag: &str, value: &str) -> Vec<String> {
    let state = bench.simulator.state();
    let jobs = state.workspaces[&bench.source].documents.list("jobs");
    let fits = |job: &&simulator::documents::Resource| {
        let tags = job
            .properties()
            .and_then(|properties| properties.get("tags"));
        tags.and_then(|tags| tags.get(tag)) == Some(&json!(value))
    };
    let mut names: Vec<String> = jobs
        .into_iter()
        .filter(fits)
        .map(|job| format!("jobs/{}", job.name))
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
async fn items_are_found_by_tag_in_every_snapshot_that_has_them() {
    let bench = Bench::small().await;
    let program = backed_up(&bench, "").await;
    let team = "nlp";
    let wished = tagged(&bench, "team", team);
    assert!(!wished.is_empty());
    for pattern in [format!("jobs[tag.team={team}]"), format!("tag.team={team}")] {
        let found = json(&program, &["find", &pattern]).await;
        let found = found["found"].as_array().unwrap();
        assert!(
            found
                .iter()
                .all(|row| row["snapshots"].as_array().unwrap().len() == 2)
        );
        let mut jobs: Vec<String> = found
            .iter()
            .map(|row| row["item"].as_str().unwrap().to_owned())
            .filter(|item| wished.contains(item) || pattern.starts_with("jobs"))
            .collect();
        jobs.sort();
        assert_eq!(jobs, wished, "{pattern}");
    }
    let nobody = json(&program, &["find", "tag.team=nobody"]).await;
    assert_eq!(nobody["found"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_neither_a_name_nor_a_condition_is_refused_with_what_is_allowed() {
    let bench = Bench::small().await;
    let program = backed_up(&bench, "").await;
    let config = program.path("mlark.toml").display().to_string();
    for (pattern, what) in [
        ("jobs[experiments=x]", "`experiment`"),
        ("experiments=x", "`experiment`"),
        ("jobs[ended=yesterday]", "no fitting value"),
        ("ended<yesterday", "no fitting value"),
        ("status<Failed", "only times and sizes are more or less"),
        ("year=2024", "`year`"),
    ] {
        let words = ["mlark", "--config", &config, "find", pattern];
        let (status, out, err) = program.typed(&words).await;
        assert_eq!(status, ExitStatus::Usage, "{pattern}: {err}");
        assert_eq!(out, "", "{pattern}");
        assert!(err.contains(what), "{pattern}: {err}");
        assert!(err.contains("created, modified"), "{pattern}: {err}");
    }
}

/// Names of files may have all that conditions have.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_name_looks_like_a_condition_is_found_by_it() {
    let bench = Bench::small().await;
    let folder = bench.store.path().join("data");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("year=2024"), "a partition").unwrap();
    let program = backed_up(&bench, "").await;
    let source = folder.display().to_string();
    assert_eq!(program.run(&["backup", &source]).await.0, ExitStatus::Done);
    let found = json(&program, &["find", "year=2024"]).await;
    assert_eq!(found["found"][0]["item"], "files/year=2024", "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restore_made_under_another_name_is_found_by_either() {
    let bench = Bench::small().await;
    let program = backed_up(&bench, "").await;
    let model = {
        let found = json(&program, &["find", "models/*:1"]).await;
        found["found"][0]["item"].as_str().unwrap().to_owned()
    };
    let name = model.strip_suffix(":1").unwrap();
    let mapping = bench.store.path().join("mapping.toml");
    std::fs::write(&mapping, format!("[names]\n\"{name}\" = \"{name}-back\"\n")).unwrap();
    let target = bench.name(&bench.target).to_string();
    let mapping = mapping.to_str().unwrap();
    let arguments = [
        "restore",
        "apply",
        "latest",
        &model,
        "--into",
        &target,
        "--mapping",
        mapping,
        "--yes",
    ];
    let (status, applied) = program.run(&arguments).await;
    assert!(
        matches!(status, ExitStatus::Done | ExitStatus::Gaps),
        "{status:?}"
    );
    let there = format!("{name}-back:1");
    let bare = there.strip_prefix("models/").unwrap();
    for pattern in [name, &model, bare, &there] {
        let found = json(&program, &["find", pattern]).await;
        let renamed = found["renamed"].as_array().unwrap();
        let row = renamed.iter().find(|row| row["as"] == json!(there));
        let row = row.unwrap_or_else(|| panic!("{pattern}: {found:#} after {applied}"));
        assert_eq!(row["item"], json!(model), "{pattern}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_is_shown_to_people_as_yaml_with_what_is_known_of_it() {
    let bench = Bench::small().await;
    let program = backed_up(&bench, "").await;
    let job = &tagged(&bench, "team", "nlp")[0];
    let (status, text) = program.run(&["show", "latest", job]).await;
    assert_eq!(status, ExitStatus::Done);
    let facts: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .collect();
    assert!(text.starts_with("$schema:"), "{text}");
    for fact in ["item", "snapshot", "status", "created", "metric", "files"] {
        assert!(
            facts.iter().any(|line| line.starts_with(fact)),
            "{fact}: {text}"
        );
    }
    assert!(
        text.contains("\ntags:\n") && text.contains("team: nlp"),
        "{text}"
    );
    // The document itself is there for whoever asks for it.
    let (_, raw) = program.run(&["show", "latest", job, "--form", "arm"]).await;
    let raw: Value = serde_json::from_str(&raw).unwrap();
    let whole = json(&program, &["show", "latest", job]).await;
    assert_eq!(whole["document"], raw);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_another_machine_restored_is_found_in_the_targets_by_job_and_by_run() {
    let bench = Bench::small().await;
    let more = format!(
        "[[target]]\nname = \"rescue\"\nurl = \"{}\"\n",
        bench.name(&bench.target)
    );
    let program = backed_up(&bench, &more).await;
    let job = tagged(&bench, "team", "nlp").swap_remove(0);
    // By the library, with a journal that the program does not have.
    let plan = bench
        .plan_of(&bench.target, &[&job], ::restore::OnConflict::Fail)
        .await;
    bench.apply(&plan, &bench.target).await;
    let source = job.strip_prefix("jobs/").unwrap();
    let dump = bench.dump(&bench.target);
    let runs = dump["runs"].as_object().unwrap().iter();
    let mut made = runs.filter(|(_, run)| run["tags"]["mlark.source_run"] == source);
    let (run, _) = made.next().unwrap();
    let wished = json!({"job": source, "target": "rescue", "run": run});
    for pattern in [source, run] {
        let found = json(&program, &["find", pattern]).await;
        assert_eq!(found["restored"], json!([]), "the journal has none");
        let found = json(&program, &["find", pattern, "--targets"]).await;
        let rows = found["restored"].as_array().unwrap();
        assert!(rows.contains(&wished), "{pattern}: {found:#}");
    }

    // A target that is gone is told.
    bench.simulator.state().workspaces.remove(&bench.target);
    let words = program.path("mlark.toml");
    let words = [
        "mlark",
        "--config",
        words.to_str().unwrap(),
        "find",
        source,
        "--targets",
    ];
    let (status, _, err) = program.typed(&words).await;
    assert_eq!(status, ExitStatus::Gaps, "{err}");
    assert!(err.contains("rescue cannot be asked"), "{err}");
}
