//! Where the bytes of code go: a container of its own for each upload, with a signature to write there.

use std::time::Duration;

use serde_json::json;

use super::ok;
use crate::call::{Call, Service};
use crate::clock::later;
use crate::reply::Answer;
use crate::sas;
use crate::state::State;
use crate::workspace::WorkspaceKey;

/// `POST …/startPendingUpload`: each call makes a new container.
pub(crate) fn start(call: &Call, state: &mut State, key: &WorkspaceKey) -> Answer {
    let (first, second) = (state.guid(), state.guid());
    let workspace = state
        .workspace(key)
        .ok_or_else(|| super::no_workspace(call))?;
    let name = workspace.account.clone();
    let account = state
        .accounts
        .get_mut(&name)
        .ok_or_else(|| super::no_workspace(call))?;
    let container = format!("{}-{second}", &first[..8]);
    account.blobs.create_container(&container, call.now);
    let signature = sas::issue(
        account,
        Service::Blob,
        &container,
        "racwl",
        later(call.now, Duration::from_secs(24 * 3600)),
    );
    let uri = format!("{}/{container}", state.cloud.blob_url(&name));
    ok(&json!({
        "pendingUploadId": first, "pendingUploadType": "TemporaryBlobReference",
        "blobReferenceForConsumption": {
            "blobUri": uri, "storageAccountArmId": account.arm_id,
            "credential": {"credentialType": "SAS", "sasUri": format!("{uri}?{signature}")},
        },
    }))
}
