//! Someone emptied a container: documents are there, bytes are not, and come back to the place that the documents name.

use std::collections::BTreeMap;

use ::restore::{Action, OnConflict, VerifyOutcome};
use serde_json::Value;

use super::bench::{Bench, count};

#[tokio::test(start_paused = true)]
async fn bytes_of_models_and_outputs_go_back_to_where_their_documents_say() {
    let bench = Bench::small().await;
    let whole = bench.dump(&bench.source);
    let deleted =
        empty(&bench, "LocalUpload/") + empty(&bench, "azureml/") + empty(&bench, "ExperimentRun/");
    assert!(deleted > 10, "{deleted}");

    let plan = bench.plan_of(&bench.source, &[], OnConflict::Fail).await;
    assert!(count(&plan, Action::Repair) > 3);
    assert_eq!(
        count(&plan, Action::Create),
        0,
        "{:#?}",
        plan.steps
            .iter()
            .filter(|step| step.action == Action::Create)
            .collect::<Vec<_>>()
    );
    assert_eq!(count(&plan, Action::Impossible), 0, "{:#?}", plan.losses);
    bench.apply(&plan, &bench.source).await;

    let found = bench.verify(&bench.source, &[]).await;
    assert_eq!(found.differences, []);
    assert_ne!(found.outcome, VerifyOutcome::Different);
    assert_eq!(digests(&whole), digests(&bench.dump(&bench.source)));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_to_a_workspace_that_has_everything() {
    let bench = Bench::small().await;
    let before = bench.dump(&bench.source);
    let plan = bench.plan_of(&bench.source, &[], OnConflict::Fail).await;
    let changing: Vec<_> = plan
        .steps
        .iter()
        .filter(|step| step.action.changes())
        .collect();
    assert!(changing.is_empty(), "{changing:#?}");
    bench.apply(&plan, &bench.source).await;
    assert_eq!(before, bench.dump(&bench.source));
}

#[tokio::test(start_paused = true)]
async fn a_deleted_notebook_comes_back_where_it_was() {
    let bench = Bench::small().await;
    let (account, share, path) = some_notebook(&bench);
    let whole = bench.dump(&bench.source);
    {
        let now = bench.simulator.now();
        let mut state = bench.simulator.state();
        let account = state.accounts.get_mut(&account).unwrap();
        account.shares.delete_file(&share, &path, now).unwrap();
    }
    let item = format!("notebooks/{path}");
    let plan = bench
        .plan_of(&bench.source, &[&item], OnConflict::Fail)
        .await;
    assert_eq!(
        (plan.steps.len(), count(&plan, Action::Upload)),
        (1, 1),
        "{:#?}",
        plan.steps
    );
    bench.apply(&plan, &bench.source).await;
    assert_eq!(digests(&whole), digests(&bench.dump(&bench.source)));
}

/// Deletes every blob of the source's account below a prefix of any container; answers how many.
fn empty(bench: &Bench, prefix: &str) -> usize {
    let mut state = bench.simulator.state();
    let account = state.workspaces[&bench.source].account.clone();
    let account = state.accounts.get_mut(&account).unwrap();
    let containers: Vec<String> = account
        .blobs
        .iter()
        .map(|(name, _)| name.to_owned())
        .collect();
    containers
        .iter()
        .map(|container| account.blobs.delete_prefix(container, prefix))
        .sum()
}

/// Blobs and files of a dump with their digests.
fn digests(dump: &Value) -> BTreeMap<String, String> {
    let all = ["blobs", "files"]
        .into_iter()
        .filter_map(|part| dump[part].as_object());
    all.flatten()
        .filter_map(|(path, entry)| Some((path.clone(), entry["sha256"].as_str()?.to_owned())))
        .collect()
}

/// The account, share and path of a notebook of the source.
fn some_notebook(bench: &Bench) -> (String, String, String) {
    let state = bench.simulator.state();
    let name = state.workspaces[&bench.source].account.clone();
    let shares = &state.accounts[&name].shares;
    let (share, content) = shares
        .iter()
        .find(|(name, _)| name.starts_with("code-"))
        .unwrap();
    let files = content.walk();
    let (path, _) = files
        .iter()
        .find(|(path, entry)| entry.file.is_some() && path.ends_with(".ipynb"))
        .unwrap();
    (name, share.to_owned(), path.clone())
}
