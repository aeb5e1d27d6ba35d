//! Azure Files: shares, directories and files.

mod extents;
mod store;
mod time;

use http::StatusCode;

use crate::call::Call;
use crate::reply::{Answer, Refusal};
use crate::state::State;

pub use extents::Extents;
pub use store::{Entry, File, Properties, Share, ShareStore};
pub use time::{parse, whole_ticks};

/// Answers a call to `ACCOUNT.file.core.SUFFIX`.
pub fn handle(_call: &Call, _state: &mut State) -> Answer {
    Err(Refusal::storage(
        StatusCode::NOT_FOUND,
        "ShareNotFound",
        "The specified share does not exist.",
    ))
}
