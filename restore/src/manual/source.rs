//! The workspace that a snapshot was taken of: whether it is gone, and may be brought back whole.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use workspace::azure::{AzureWorkspace, WorkspaceName};
use workspace::{Identity, ItemId, Workspace};

use super::{ManualStep, quoted};
use crate::origin::Origin;

/// How long a deleted workspace can be brought back (Microsoft's page "Recover workspace data while soft deleted").
const RECOVERABLE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The api-version of the command.
const API_VERSION: &str = "2025-12-01";

/// A step before all others, where the source is gone and was there so lately that its deletion may be a soft one: to
/// bring it back costs nothing and loses less than any restore. Whoever may not look at the source is told nothing.
pub(crate) async fn recovery(
    origin: &Origin,
    target: &AzureWorkspace,
    source: &Identity,
    now: Timestamp,
) -> Option<ManualStep> {
    let Identity::Azure {
        subscription,
        resource_group,
        workspace,
        region,
        ..
    } = source
    else {
        return None;
    };
    if source == target.identity() {
        return None;
    }
    let until = origin.taken()?.saturating_add(RECOVERABLE).ok()?;
    if until <= now {
        return None;
    }
    let name = WorkspaceName::new(subscription, resource_group, workspace).ok()?;
    let there = AzureWorkspace::is_there(target.connection(), &name).await;
    if there.unwrap_or(true) {
        return None;
    }
    Some(ManualStep {
        item: ItemId::new("workspaces", workspace),
        what: "recover the deleted workspace".to_owned(),
        why: format!(
            "it is gone; if it was deleted softly it can be recovered, at the latest until {}; then only its endpoints and computes are missing",
            until.strftime("%Y-%m-%d")
        ),
        command: recovering(&name, region),
        moot_with: None,
    })
}

/// The command that recovers a workspace that was deleted softly.
pub fn recovering(name: &WorkspaceName, region: &str) -> String {
    let body = json!({"location": region, "properties": {"softDeleteRecovery": true}});
    format!(
        "az rest --method put --url {} --headers Content-Type=application/json --body {}",
        quoted(&format!("{}?api-version={API_VERSION}", name.arm_id())),
        quoted(&body.to_string())
    )
}
