//! `[drill]`, and what of a configuration only a machine can do that plays the owner's part.

use serde::{Deserialize, Serialize};

use super::Config;

/// `[drill]`
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Drill {
    /// When the daemon makes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// The schedule's time zone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// The destination whose exports are restored in place of snapshots.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Where to: a target or a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub into: Option<String>,
}

impl Config {
    /// What the daemon is to do that only a machine can which plays the owner's part; in the words of the configuration.
    pub fn owner_work(&self) -> Option<&'static str> {
        let drills = self
            .drill
            .as_ref()
            .is_some_and(|drill| drill.schedule.is_some());
        let exports = self.workspace.iter().any(|entry| !entry.export.is_empty());
        match (drills, exports) {
            (false, false) => None,
            (true, false) => Some("[drill]"),
            (false, true) => Some("[[workspace.export]]"),
            (true, true) => Some("[drill] and [[workspace.export]]"),
        }
    }
}
