//! The main job: a workspace is lost and comes back in another subscription, region and name.

use ::restore::{Action, OnConflict, VerifyOutcome};
use serde_json::Value;
use simulator::blob::Tier;
use simulator::world::DECOYS;

use super::bench::{Bench, count, normal};

#[tokio::test(start_paused = true)]
async fn a_lost_workspace_comes_back_elsewhere_as_the_loss_report_said() {
    let bench = Bench::small().await;
    let before = bench.dump(&bench.source);
    bench.lose_source();
    let plan = bench.plan().await;
    let impossible: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action == Action::Impossible)
        .collect();
    assert!(impossible.is_empty(), "{impossible:#?}");
    let outline = bench.apply(&plan, &bench.target).await;
    assert_eq!(outline.done, plan.changes());

    let found = bench.verify(&bench.target, &[]).await;
    assert_eq!(found.differences, [], "{:#?}", found.items);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
    assert_eq!(found.items.missing + found.items.different, 0);
    assert!(found.files.same > 20, "{:?}", found.files);

    let after = bench.dump(&bench.target);
    decoys_are_byte_equal_and_rows(&before, &after, &plan);
    no_reference_leads_to_the_source(&bench, &after);
    bench.simulator.assert_no_early_retries();
}

#[tokio::test(start_paused = true)]
async fn files_that_lay_in_the_archive_are_told_to_come_back_outside_of_it() {
    let bench = Bench::small().await;
    let rows = |plan: &::restore::Plan| -> Vec<String> {
        let rows = plan.losses.iter();
        let rows = rows.filter(|loss| loss.what.starts_with("the archive tier of"));
        rows.map(|loss| format!("{} {}", loss.item, loss.what))
            .collect()
    };
    let of_models = ["models"];
    let request = bench.request(&of_models, OnConflict::Fail);
    let plan = bench.plan_request(&bench.target, &request).await;
    assert_eq!(rows(&plan), Vec::<String>::new());
    archive_uploads(&bench);
    let source = bench.open(&bench.source).await;
    bench.store.back_up(&source).await;
    let plan = bench.plan_request(&bench.target, &request).await;
    let told = rows(&plan);
    assert!(
        !told.is_empty() && told.iter().all(|row| row.starts_with("models/")),
        "{told:?}"
    );
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &of_models).await;
    assert_eq!(found.differences, []);
}

/// Archives what the SDK uploaded at the source.
fn archive_uploads(bench: &Bench) {
    let mut state = bench.simulator.state();
    let workspace = &state.workspaces[&bench.source];
    let (account, container) = (workspace.account.clone(), workspace.blob_container.clone());
    let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
    let names = blobs.container(&container).unwrap().blobs.keys();
    let names: Vec<String> = names
        .filter(|name| name.starts_with("LocalUpload/"))
        .cloned()
        .collect();
    for name in names {
        blobs.set_tier(&container, &name, Tier::Archive).unwrap();
    }
}

/// Text that looks like a reference and is none.
fn decoys_are_byte_equal_and_rows(before: &Value, after: &Value, plan: &::restore::Plan) {
    for decoy in DECOYS {
        let item: workspace::ItemId = decoy.item.parse().unwrap();
        let rows = plan.losses.iter().filter(|loss| loss.item == item);
        let named: Vec<_> = rows
            .filter(|loss| loss.what.starts_with("mentions-source"))
            .collect();
        assert!(!named.is_empty(), "no row for {}", decoy.item);
        if item.kind == "jobs" {
            continue;
        }
        let text = |dump: &Value| {
            document(dump, &item).and_then(|document| document.pointer(decoy.pointer).cloned())
        };
        assert!(text(before).is_some(), "{}", decoy.item);
        assert_eq!(
            text(before),
            text(after),
            "{} {}",
            decoy.item,
            decoy.pointer
        );
    }
}

/// The document of an item in a dump.
fn document(dump: &Value, item: &workspace::ItemId) -> Option<Value> {
    let mut found = None;
    let path = match &item.version {
        Some(version) => format!("/{}/{}/versions/{version}", item.kind, item.name),
        None => format!("/{}/{}", item.kind, item.name),
    };
    walk(dump, &mut |value| {
        let id = value.get("id").and_then(Value::as_str).unwrap_or_default();
        if id.ends_with(&path) {
            found = Some(value.clone());
        }
    });
    found
}

fn walk(value: &Value, visit: &mut dyn FnMut(&Value)) {
    visit(value);
    match value {
        Value::Object(members) => members.values().for_each(|member| walk(member, visit)),
        Value::Array(items) => items.iter().for_each(|item| walk(item, visit)),
        _ => {}
    }
}

/// Every string that as a whole is a reference leads elsewhere; free text may mention what it likes.
fn no_reference_leads_to_the_source(bench: &Bench, dump: &Value) {
    let (source, account) = {
        let state = bench.simulator.state();
        let target = &state.workspaces[&bench.target];
        (
            simulator::world::SOURCE_SUBSCRIPTION.to_owned(),
            target.account.clone(),
        )
    };
    let free = ["command", "description", "condaFile", "tags", "origin"];
    let mut stack = vec![(String::new(), dump)];
    while let Some((name, value)) = stack.pop() {
        match value {
            Value::String(text) if text.contains(&source) && !free.contains(&name.as_str()) => {
                assert!(
                    workspace::reference::Reference::parse(text).is_none(),
                    "{name}: {text} (the target's account is {account})"
                );
            }
            Value::Object(members) => {
                for (member, value) in members {
                    if !["tags", "command", "condaFile", "description"].contains(&member.as_str()) {
                        stack.push((member.clone(), value));
                    }
                }
            }
            Value::Array(items) => stack.extend(items.iter().map(|item| (name.clone(), item))),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_restore_finds_everything_done_also_without_the_journal() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    let before = bench.dump(&bench.target);
    let again = bench.plan().await;
    let changing: Vec<_> = again
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .collect();
    assert!(changing.is_empty(), "{changing:#?}");
    let watch = super::bench::Watch::default();
    let outline = bench
        .apply_watched(&again, &bench.target, &watch, "another")
        .await
        .unwrap();
    assert_eq!((outline.done, outline.failed), (0, 0));
    assert_eq!(before, bench.dump(&bench.target));
}

#[tokio::test(start_paused = true)]
async fn each_step_may_run_twice() {
    let bench = Bench::small().await;
    let plan = bench.plan().await;
    bench.apply(&plan, &bench.target).await;
    let before = bench.dump(&bench.target);
    // The same plan once more, and the journal that knew it is gone.
    let watch = super::bench::Watch::default();
    let outline = bench
        .apply_watched(&plan, &bench.target, &watch, "another")
        .await
        .unwrap();
    assert!(outline.failures.is_empty(), "{:#?}", outline.failures);
    assert_eq!(outline.done, plan.changes());
    assert_eq!(normal(&before), normal(&bench.dump(&bench.target)));
}

#[tokio::test(start_paused = true)]
async fn a_plan_changes_nothing_and_is_the_same_every_time() {
    let bench = Bench::small().await;
    let before = bench.dump(&bench.target);
    bench.simulator.state().arrivals.reset();
    let one = bench.plan().await;
    let two = bench.plan().await;
    assert_eq!(one.steps, two.steps);
    assert_eq!(one.losses, two.losses);
    assert_eq!(before, bench.dump(&bench.target));
    let writes: Vec<String> = {
        let state = bench.simulator.state();
        let counts = state.arrivals.counts();
        let writing = counts
            .keys()
            .filter(|of| ["PUT", "PATCH", "DELETE"].contains(&of.method.as_str()));
        writing.map(|of| format!("{of:?}")).collect()
    };
    assert_eq!(writes, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn one_notebook_comes_back_alone_with_few_requests() {
    let bench = Bench::small().await;
    let notebook = {
        let plan = bench
            .plan_of(&bench.target, &["notebooks"], OnConflict::Fail)
            .await;
        let upload = plan.steps.iter().find(|step| step.bytes > 0).unwrap();
        upload.item.to_string()
    };
    bench.simulator.state().arrivals.reset();
    let plan = bench
        .plan_of(&bench.target, &[&notebook], OnConflict::Fail)
        .await;
    assert_eq!(plan.steps.len(), 1, "{:#?}", plan.steps);
    assert_eq!(count(&plan, Action::Upload), 1);
    let requests: u64 = bench.simulator.state().arrivals.counts().values().sum();
    assert!(requests < 40, "{requests}");
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &[&notebook]).await;
    assert_eq!(found.outcome, VerifyOutcome::Same);
    assert_eq!(found.items.compared, 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_selected_item_needs_comes_along_with_a_reason() {
    let bench = Bench::small().await;
    let plan = bench
        .plan_of(&bench.target, &["schedules"], OnConflict::Fail)
        .await;
    let pulled: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.item.kind != "schedules")
        .collect();
    assert!(!pulled.is_empty());
    assert!(
        pulled
            .iter()
            .all(|step| step.reason.contains("refers to it") || step.reason.contains("a child of")),
        "{pulled:#?}"
    );
    bench.apply(&plan, &bench.target).await;
    let found = bench.verify(&bench.target, &["schedules"]).await;
    assert_eq!(found.differences, []);
    assert_eq!(found.outcome, VerifyOutcome::AsPlanned);
}
