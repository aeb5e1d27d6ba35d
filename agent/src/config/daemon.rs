//! `[daemon]`: what runs by itself, and who is told.

use std::num::NonZeroU8;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use workspace::Period;

/// `[daemon]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Daemon {
    /// Address of the status page, `/metrics` and `/healthz`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<std::net::SocketAddr>,
    /// File with the token that whoever asks must bring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How many workspaces are backed up at the same time.
    pub at_once: NonZeroU8,
    /// Runs begin up to so much later than their schedule says, each workspace by its own share of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<Period>,
    /// What is done about snapshots that no rule keeps.
    pub retention: Housekeeping,
    /// File with the address of a health-check service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_url_file: Option<PathBuf>,
    /// File with the address that changes of state are sent to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub webhook_url_file: Option<PathBuf>,
    /// How long a hook may take.
    pub hook_timeout: Period,
    /// Commands around backups.
    pub hooks: Hooks,
}

impl Default for Daemon {
    fn default() -> Self {
        Self {
            listen: None,
            token_file: None,
            at_once: NonZeroU8::MIN.saturating_add(1),
            jitter: None,
            retention: Housekeeping::default(),
            ping_url_file: None,
            webhook_url_file: None,
            hook_timeout: Period::from_seconds(5 * 60),
            hooks: Hooks::default(),
        }
    }
}

/// What the daemon does about snapshots that no rule of `[retention]` keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Housekeeping {
    /// Nothing: somebody runs `mlark forget` and `mlark prune`.
    None,
    /// They are forgotten after a complete backup; their space stays taken.
    Forget,
    /// They are forgotten, and once a day the space of what is past its grace is freed.
    #[default]
    ForgetAndPrune,
}

/// `[daemon.hooks]`: a program and its arguments each, without a shell.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Hooks {
    /// Before a backup; where it fails the backup is not made.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub before_backup: Vec<String>,
    /// After a backup, however it ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after_backup: Vec<String>,
    /// After one that failed, is suspect or could not be finished.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_failure: Vec<String>,
}
