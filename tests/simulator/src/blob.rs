//! Blob storage: containers and their blobs.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::call::Call;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// The containers of an account.
#[derive(Debug, Default)]
pub struct BlobStore {
    containers: BTreeSet<String>,
}

impl BlobStore {
    /// Makes a container where there is none of that name.
    pub fn create_container(&mut self, name: &str) {
        self.containers.insert(name.to_owned());
    }
}

/// Answers a call to `ACCOUNT.blob.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let found = state
        .accounts
        .get(&call.label)
        .is_some_and(|account| account.blobs.containers.contains(call.segment(0)));
    let code = if found {
        "BlobNotFound"
    } else {
        "ContainerNotFound"
    };
    Err(Refusal::storage(
        StatusCode::NOT_FOUND,
        code,
        "The specified resource does not exist.",
    ))
}
