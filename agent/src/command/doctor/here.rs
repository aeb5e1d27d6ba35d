//! What can be looked at without Azure: the configuration, the repository and its keys.

use super::{Check, Findings};
use crate::part;
use crate::session::Session;

/// The configuration, which was read before anything else.
pub(super) fn configuration(session: &Session, found: &mut Findings) {
    let config = &session.config;
    let check = match &session.config_file {
        Some(file) => Check::good(
            "configuration",
            file.display().to_string(),
            format!(
                "read: {} to back up, {} to restore into",
                config.workspace.len(),
                config.target.len()
            ),
        ),
        None => Check::good("configuration", "none", "the defaults are used"),
    };
    let check = match config.workspace.is_empty() {
        true => check.next("add a [[workspace]] to the configuration, then `mlark backup`"),
        false => check,
    };
    found.checks.push(check);
}

/// The repository: whether it opens, and which part its keys let this machine play.
pub(super) async fn repository(session: &Session, found: &mut Findings) {
    match session.open_repository().await {
        Ok(repository) => {
            let place = repository.storage().describe();
            let encrypted = if repository.record().encryption.is_some() {
                "encrypted"
            } else {
                "not encrypted"
            };
            let says = format!("it opens, and is {encrypted}");
            found.checks.push(Check::good("storage", place, says));
            let part = part::of(&repository);
            found
                .checks
                .push(Check::good("keys", part.part, part.line()));
        }
        Err(failure) => {
            let what = "the repository";
            found.checks.push(Check::failed("storage", what, &failure));
        }
    }
}
