//! The evidence of trial restores, as a file of the bag: a line of canonical JSON for each drill of the workspace that the log
//! holds, the oldest first, with the entry that says so and who signed it.

use archive_format::{Repository, json};
use serde_json::json;

use crate::Error;

/// How many of the newest are written.
const DRILLS_MAX: usize = 1_000;

/// The file; none where nobody rehearsed.
pub(super) async fn text(
    repository: &Repository,
    workspace: &str,
) -> Result<Option<String>, Error> {
    let drills = repository.drills().await;
    let mut drills = drills.map_err(|error| Error::export("the evidence of drills", error))?;
    drills.retain(|said| said.what.workspace == workspace);
    let mut text = String::new();
    for said in drills.iter().skip(drills.len().saturating_sub(DRILLS_MAX)) {
        let line = json!({
            "entry": said.entry, "signer": said.signer.to_string(), "time": said.time,
            "program": said.program, "drill": said.what,
        });
        text.push_str(&String::from_utf8_lossy(&json::canonical(&line)));
        text.push('\n');
    }
    Ok((!text.is_empty()).then_some(text))
}
