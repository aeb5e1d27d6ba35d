//! A workspace that somebody emptied: the next backup is suspect, and nothing goes because of it.

use mlark::ExitStatus;
use serde_json::Value;

use super::bench::Bench;
use super::program::Program;

/// Takes everything out that can be deleted in a workspace: all but the datastores, and the account with them.
fn empty(bench: &Bench) {
    let mut state = bench.simulator.state();
    let workspace = state.workspace_mut(&bench.source).unwrap();
    let (account, share) = (workspace.account.clone(), workspace.notebook_share.clone());
    let held: Vec<(String, String)> = workspace
        .documents
        .collections()
        .filter(|(collection, _)| *collection != "datastores")
        .flat_map(|(collection, of)| {
            let names = of.keys().cloned();
            names
                .map(|name| (collection.to_owned(), name))
                .collect::<Vec<_>>()
        })
        .collect();
    for (collection, name) in held {
        workspace.documents.remove(&collection, &name);
    }
    let runs: Vec<String> = workspace
        .history
        .runs()
        .map(|run| run.run_id.clone())
        .collect();
    for run in runs {
        workspace.history.remove(&run);
    }
    let account = state.accounts.get_mut(&account).unwrap();
    for top in ["Users", "Shared", "."] {
        account.shares.delete_tree(&share, top);
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_workspace_makes_a_suspect_snapshot_and_loses_none_of_those_before() {
    let bench = Bench::small().await;
    let program = Program::new(&bench, "[retention]\nkeep_last = 1\n");
    for arguments in [&["init", "--unencrypted"][..], &["backup"], &["backup"]] {
        assert_eq!(
            program.run(arguments).await.0,
            ExitStatus::Done,
            "{arguments:?}"
        );
        bench
            .simulator
            .advance(std::time::Duration::from_secs(3_600));
    }
    let snapshots = |text: &str| json(text)["snapshots"].as_array().unwrap().clone();
    let good = snapshots(&program.run(&["--json", "snapshots"]).await.1);
    assert_eq!(good.len(), 2);
    let items = program.run(&["--json", "ls", "latest:prod"]).await.1;
    assert!(
        items.contains("\"jobs\"") || items.contains("jobs/"),
        "{items}"
    );

    empty(&bench);
    let (status, said) = program.run(&["--json", "backup"]).await;
    assert_eq!(status, ExitStatus::Gaps, "{said}");
    assert_eq!(json(&said)["snapshots"][0]["outcome"], "suspect", "{said}");
    let all = snapshots(&program.run(&["--json", "snapshots"]).await.1);
    assert_eq!(all.len(), 3);
    // `latest` is the one before.
    assert_eq!(program.run(&["--json", "ls", "latest:prod"]).await.1, items);
    // A restore brings everything back.
    let (_, planned) = program
        .run(&["--json", "restore", "plan", "latest:prod", "--into", "prod"])
        .await;
    assert!(
        json(&planned)["steps"].as_array().unwrap().len() > 50,
        "{planned}"
    );
    let (status, said) = program.run(&["--json", "forget"]).await;
    assert_eq!(status, ExitStatus::Done);
    assert_eq!(json(&said)["forgotten"], Value::Array(Vec::new()), "{said}");
    assert_eq!(
        snapshots(&program.run(&["--json", "snapshots"]).await.1).len(),
        3
    );

    // Once somebody says that it is right, the rules apply.
    let is_suspect = |row: &&Value| row["outcome"] == "suspect";
    let id = all.iter().find(is_suspect).unwrap()["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(
        program.run(&["snapshots", "accept", &id]).await.0,
        ExitStatus::Done
    );
    assert_eq!(program.run(&["forget"]).await.0, ExitStatus::Done);
    assert_eq!(
        snapshots(&program.run(&["--json", "snapshots"]).await.1).len(),
        1
    );
}
