//! What the caller of a restore decides.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use workspace::Kind;
use workspace::kind::Asked;

/// What to do with an item that the target has with another content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnConflict {
    /// The item's step is `impossible`, and nothing of it is written.
    #[default]
    Fail,
    /// The target's item stays; references lead to it.
    Skip,
    /// It is made under the next free version number, and every reference follows.
    NewVersion,
    /// Where only files differ they are written over; another document still fails.
    OverwriteFiles,
}

impl OnConflict {
    /// The words of the command line, in order.
    pub const WORDS: [&'static str; 4] = ["fail", "skip", "new-version", "overwrite-files"];
}

impl FromStr for OnConflict {
    type Err = crate::Error;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "fail" => Ok(Self::Fail),
            "skip" => Ok(Self::Skip),
            "new-version" => Ok(Self::NewVersion),
            "overwrite-files" => Ok(Self::OverwriteFiles),
            _ => Err(crate::Error::Option {
                option: "on-conflict",
                value: word.to_owned(),
            }),
        }
    }
}

/// What a restore does only when it is asked to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Include {
    /// Credentials of datastores, connections and endpoints, from the snapshot.
    pub secrets: bool,
    /// Computes.
    #[serde(default)]
    pub compute: bool,
    /// Deployments, and endpoints of models that others host.
    #[serde(default)]
    pub deployments: bool,
    /// Jobs that had not ended are submitted again.
    #[serde(default)]
    pub resubmit: bool,
}

impl Include {
    /// Whether items of a kind are restored.
    pub fn takes(self, kind: &Kind) -> bool {
        match kind.asked {
            Asked::Always => true,
            Asked::Compute => self.compute,
            Asked::Deployments => self.deployments,
        }
    }
}

/// What the caller decides about a restore.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Options {
    /// What to do with an item that the target has with another content.
    pub on_conflict: OnConflict,
    /// What is done only when asked for.
    pub include: Include,
    /// Whether a workspace that is not there is made.
    #[serde(default)]
    pub create_workspace: bool,
    /// Whether what a damaged repository still has is brought, without what it lost.
    #[serde(default)]
    pub partial: bool,
    /// The mapping file's text (TOML), empty where there is none: names and addresses, no secrets.
    pub mapping: String,
}
