//! `[[workspace.export]]`: exports that the daemon makes, and how long they stay.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use workspace::Period;

use super::DataTier;

/// `[[workspace.export]]`
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduledExport {
    /// When it is made, in the workspace's time zone.
    pub schedule: String,
    /// The destination that it goes to.
    pub to: String,
    /// What is exported; everything where none is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selectors: Vec<String>,
    /// Access tier of the tar, in place of the destination's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<DataTier>,
    /// How long it is to be kept, in place of the destination's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retain: Option<Period>,
    /// Which of them stay; all where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
}

/// Which exports of a schedule stay. What lies under a hold, or is to be kept longer, stays in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Keep {
    /// So many of the newest.
    Newest(NonZeroU32),
    /// Those that are not older.
    Within(Period),
}

/// As it is written: `12` or `"3y"`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Text(String),
}

impl TryFrom<Written> for Keep {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(number) => u32::try_from(number)
                .ok()
                .and_then(NonZeroU32::new)
                .map(Self::Newest)
                .ok_or_else(|| {
                    format!("`keep = {number}` is no number of exports; write one from 1 on, or an age like \"3y\"")
                }),
            Written::Text(text) => text
                .parse()
                .map(Self::Within)
                .map_err(|error: workspace::Error| error.to_string()),
        }
    }
}

impl From<Keep> for Written {
    fn from(keep: Keep) -> Self {
        match keep {
            Keep::Newest(number) => Self::Number(number.get().into()),
            Keep::Within(period) => Self::Text(period.to_string()),
        }
    }
}
