//! A path within an item: relative, and unable to leave its place.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::magic::PATH_BYTES_MAX;

/// A relative path of `/`-separated parts: never absolute, never with an empty part, `.` or `..`, never with a NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FilePath(String);

impl FilePath {
    /// Checks a path.
    pub fn new(path: impl Into<String>) -> Result<Self, Error> {
        let path = path.into();
        let reason = if path.is_empty() {
            "it is empty"
        } else if path.len() > PATH_BYTES_MAX {
            "it is longer than 8 KiB"
        } else if path.starts_with('/') {
            "it is absolute"
        } else if path.contains('\0') {
            "it holds a NUL"
        } else if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
            "it has an empty part, `.` or `..`"
        } else {
            return Ok(Self(path));
        };
        Err(Error::Path {
            path: path.chars().take(200).collect(),
            reason,
        })
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for FilePath {
    type Error = Error;

    fn try_from(path: String) -> Result<Self, Error> {
        Self::new(path)
    }
}

impl From<FilePath> for String {
    fn from(path: FilePath) -> Self {
        path.0
    }
}
