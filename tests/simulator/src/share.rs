//! Azure Files: shares, directories and files.

use std::collections::BTreeSet;

use http::StatusCode;

use crate::call::Call;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// The shares of an account.
#[derive(Debug, Default)]
pub struct ShareStore {
    shares: BTreeSet<String>,
}

impl ShareStore {
    /// Makes a share where there is none of that name.
    pub fn create_share(&mut self, name: &str) {
        self.shares.insert(name.to_owned());
    }
}

/// Answers a call to `ACCOUNT.file.core.SUFFIX`.
pub fn handle(call: &Call, state: &mut State) -> Answer {
    let found = state
        .accounts
        .get(&call.label)
        .is_some_and(|account| account.shares.shares.contains(call.segment(0)));
    let code = if found {
        "ResourceNotFound"
    } else {
        "ShareNotFound"
    };
    Err(Refusal::storage(
        StatusCode::NOT_FOUND,
        code,
        "The specified resource does not exist.",
    ))
}
