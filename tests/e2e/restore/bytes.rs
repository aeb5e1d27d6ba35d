//! Bytes that a restore writes otherwise, and what a file system keeps besides them: tables whose addresses follow, and the
//! times of directories.

use std::collections::BTreeMap;

use ::restore::{Action, OnConflict, VerifyOutcome, Work};
use jiff::Timestamp;
use simulator::blob::Written;
use simulator::workspace::WorkspaceKey;

use super::bench::{Bench, count};

/// Text of a table: relative paths, an address in a datastore, one in the default container, one of somebody else.
fn table(
    subscription: &str,
    group: &str,
    workspace: &str,
    account: &str,
    container: &str,
) -> String {
    format!(
        "# parts of the forecast\r\ntype: mltable\npaths:\n  - file: ./parts/a.csv   # beside it\n\
         \x20 - file: \"https://{account}.blob.core.aml.localhost/{container}/raw/x%20y.csv\"\n\
         \x20 - folder: azureml://subscriptions/{subscription}/resourcegroups/{group}/workspaces/{workspace}/datastores/workspaceblobstore/paths/raw/\n\
         \x20 - pattern: https://stsomebody.blob.core.windows.net/c/*.csv\n"
    )
}

fn table_of(bench: &Bench, key: &WorkspaceKey) -> String {
    let state = bench.simulator.state();
    let own = &state.workspaces[key];
    let text = table(
        &own.subscription,
        &own.group,
        &own.name,
        &own.account,
        &own.blob_container,
    );
    let suffix = state.cloud.storage_suffix();
    text.replace("core.aml.localhost", &suffix)
}

/// The blobs of the default container that are tables, with their text.
fn tables(bench: &Bench, key: &WorkspaceKey) -> BTreeMap<String, String> {
    let state = bench.simulator.state();
    let own = &state.workspaces[key];
    let blobs = state.accounts[&own.account]
        .blobs
        .container(&own.blob_container);
    let blobs = blobs.unwrap().blobs.iter();
    let tables = blobs.filter(|(name, _)| name.ends_with("/MLTable"));
    tables
        .map(|(name, blob)| {
            let text = blob.content.to_bytes();
            (name.clone(), String::from_utf8(text.to_vec()).unwrap())
        })
        .collect()
}

fn write_table(bench: &Bench, text: &str) {
    let names: Vec<String> = tables(bench, &bench.source).into_keys().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let now = bench.simulator.now();
    let mut state = bench.simulator.state();
    let own = &state.workspaces[&bench.source];
    let (account, container) = (own.account.clone(), own.blob_container.clone());
    let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
    let content = text.to_owned().into_bytes().into();
    blobs
        .put(&container, &names[0], content, Written::default(), now)
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn addresses_in_a_table_follow_and_a_second_apply_and_verify_expect_the_same_bytes() {
    let bench = Bench::small().await;
    write_table(&bench, &table_of(&bench, &bench.source));
    bench.store.back_up(&bench.open(&bench.source).await).await;
    let selectors = ["data/demand-table"];
    let plan = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    let row = plan.losses.iter().find(|loss| loss.what == "MLTable");
    let row = row.expect("a row says that the file becomes another");
    assert!(row.substitute.contains("2 of its addresses"), "{row:?}");
    bench.apply(&plan, &bench.target).await;

    let there: Vec<String> = tables(&bench, &bench.target).into_values().collect();
    assert_eq!(there, [table_of(&bench, &bench.target)]);
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.differences, []);
    let again = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    assert_eq!(again.changes(), 0, "{:#?}", again.steps);

    // The same bytes as in the snapshot would be the wrong ones.
    let text = table_of(&bench, &bench.source);
    let key = bench.target.clone();
    {
        let now = bench.simulator.now();
        let name = tables(&bench, &key).into_keys().next().unwrap();
        let mut state = bench.simulator.state();
        let own = &state.workspaces[&key];
        let (account, container) = (own.account.clone(), own.blob_container.clone());
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        let content = text.into_bytes().into();
        blobs
            .put(&container, &name, content, Written::default(), now)
            .unwrap();
    }
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.outcome, VerifyOutcome::Different);
}

#[tokio::test(start_paused = true)]
async fn a_table_goes_back_to_its_own_workspace_byte_by_byte() {
    let bench = Bench::small().await;
    let text = table_of(&bench, &bench.source);
    write_table(&bench, &text);
    bench.store.back_up(&bench.open(&bench.source).await).await;
    {
        let mut state = bench.simulator.state();
        let own = &state.workspaces[&bench.source];
        let (account, container) = (own.account.clone(), own.blob_container.clone());
        let blobs = &mut state.accounts.get_mut(&account).unwrap().blobs;
        assert!(blobs.delete_prefix(&container, "LocalUpload/") > 0);
    }
    let selectors = ["data/demand-table"];
    let plan = bench
        .plan_of(&bench.source, &selectors, OnConflict::Fail)
        .await;
    assert_eq!(count(&plan, Action::Repair), 1, "{:#?}", plan.steps);
    bench.apply(&plan, &bench.source).await;
    let there: Vec<String> = tables(&bench, &bench.source).into_values().collect();
    assert_eq!(there, [text]);
}

/// The last write times of a workspace's directories of notebooks.
fn times(bench: &Bench, key: &WorkspaceKey) -> BTreeMap<String, Timestamp> {
    let state = bench.simulator.state();
    let own = &state.workspaces[key];
    let share = state.accounts[&own.account]
        .shares
        .share(&own.notebook_share);
    let entries = share.unwrap().walk().into_iter();
    entries
        .filter(|(_, entry)| entry.file.is_none())
        .map(|(path, entry)| (path, entry.properties.written))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn directories_get_their_times_back_although_entries_are_made_in_them() {
    let bench = Bench::small().await;
    let before = times(&bench, &bench.source);
    assert!(before.len() > 2, "{before:?}");
    let selectors = ["notebooks"];
    let plan = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    let last: Vec<&str> = plan
        .steps
        .iter()
        .filter(|step| step.work == Work::Times)
        .map(|step| step.target.name.as_str())
        .collect();
    assert!(last.len() > 1, "{:#?}", plan.steps);
    bench.apply(&plan, &bench.target).await;
    assert_eq!(times(&bench, &bench.target), before);
    let found = bench.verify(&bench.target, &selectors).await;
    assert_eq!(found.differences, []);
    let again = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    assert_eq!(again.changes(), 0, "{:#?}", again.steps);

    // A time that moved afterwards is seen, and comes back.
    {
        let now = bench.simulator.now();
        let mut state = bench.simulator.state();
        let own = &state.workspaces[&bench.target];
        let (account, share) = (own.account.clone(), own.notebook_share.clone());
        let shares = &mut state.accounts.get_mut(&account).unwrap().shares;
        let draft = format!("{}/draft", last[0]);
        shares.write(&share, &draft, "x".into(), now).unwrap();
        shares.delete_file(&share, &draft, now).unwrap();
    }
    let found = bench.verify(&bench.target, &selectors).await;
    let items: Vec<String> = found
        .differences
        .iter()
        .map(|difference| difference.item.to_string())
        .collect();
    assert_eq!(items, [format!("notebooks/{}", last[0])]);
    let again = bench
        .plan_of(&bench.target, &selectors, OnConflict::Fail)
        .await;
    assert_eq!(again.changes(), 1, "{:#?}", again.steps);
    bench.apply(&again, &bench.target).await;
    assert_eq!(times(&bench, &bench.target), before);
}
