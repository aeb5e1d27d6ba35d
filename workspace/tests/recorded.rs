//! The bodies that the official SDK (azure-ai-ml 1.35.2) was recorded sending, rewritten to another workspace. The
//! recording lies outside the project; where it is absent this test says so and checks nothing.

use std::path::Path;

use serde_json::Value;
use workspace::reference::{Rewriter, StoreName, references, rewrite};
use workspace::{Identity, Kind, Reference};

const RECORDING: &str = "../../shared/azure/wire/seed.jsonl";

fn identity(subscription: &str, mark: &str) -> Identity {
    Identity::Azure {
        subscription: subscription.to_owned(),
        resource_group: format!("rg-{mark}"),
        workspace: format!("ws-{mark}"),
        region: "anywhere".to_owned(),
        workspace_guid: format!("guid-{mark}"),
        storage_account: format!("st{}", mark.replace('-', "")),
    }
}

/// Kind and body of every document that was written below a workspace, and the workspace's names.
fn recorded() -> Option<Vec<(&'static Kind, Value, String)>> {
    let text =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RECORDING)).ok()?;
    let mut found = Vec::new();
    for line in text.lines() {
        let call: Value = serde_json::from_str(line).ok()?;
        let target = call["target"].as_str().unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        if Reference::parse(path).is_none() {
            continue;
        }
        let kind = path.split('/').nth(9).and_then(Kind::find);
        if let (Some("PUT"), Some(kind)) = (call["method"].as_str(), kind) {
            found.push((kind, call["body"].clone(), path.to_owned()));
        }
    }
    Some(found)
}

#[test]
#[expect(clippy::print_stderr, reason = "says that nothing was checked")]
fn recorded_documents_lead_nowhere_to_their_workspace_afterwards() {
    let Some(recorded) = recorded() else {
        eprintln!("skipped: {RECORDING} is not there");
        return;
    };
    let (subscription, workspace) = recorded
        .first()
        .map(|(_, _, path)| path.split('/').collect::<Vec<_>>())
        .map(|parts| (parts[2].to_owned(), parts[8].to_owned()))
        .unwrap_or_default();
    let mut source = identity(&subscription, "prod");
    if let Identity::Azure {
        workspace: name,
        storage_account,
        ..
    } = &mut source
    {
        name.clone_from(&workspace);
        "stprodeast001".clone_into(storage_account);
    }
    let mut rewriter = Rewriter::new(source.clone(), identity("b", "new"));
    let mut counted = 0;
    for (kind, body, _) in &recorded {
        for (_, reference) in references(kind, body) {
            if let Some(workspace::reference::Lead::Storage {
                account, container, ..
            }) = reference.leads_to(&source)
            {
                rewriter.move_store(store(account, container), store("stnew", container));
            }
            counted += 1;
        }
    }
    rewriter.restored_run("pipeline_job", workspace::reference::RestoredRun::default());
    assert!(counted > 60, "{counted} references found");
    for (kind, body, path) in &recorded {
        let rewritten = rewrite(kind, body, &rewriter);
        assert_eq!(rewritten.left, vec![], "{path}");
        assert_eq!(rewritten.mentions, vec![], "{path}");
        for (pointer, reference) in references(kind, &rewritten.value) {
            assert!(
                !reference.to_string().contains(&workspace),
                "{path} {pointer}"
            );
        }
    }
}

fn store(account: &str, container: &str) -> StoreName {
    StoreName {
        account: account.to_owned(),
        container: container.to_owned(),
    }
}
