//! Recordings: one request a line, with the status that the client was given.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One recorded request. Tokens, secrets and signatures were taken out; bytes are told by their number.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    /// `aad`, `meta`, `arm`, `data`, `blob` or `file`.
    pub(crate) service: String,
    pub(crate) method: String,
    /// Host with port.
    pub(crate) host: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON, a text, `{"bytes": N, "sha256": …}`, or nothing.
    pub(crate) body: Value,
    pub(crate) status: u16,
}

impl Row {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self
            .headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    /// Whether the query has a pair, such as `comp=list`.
    pub(crate) fn asks(&self, pair: &str) -> bool {
        self.query().split('&').any(|part| part == pair)
    }

    /// What stands before the first dot of the host: the account, or a region.
    pub(crate) fn label(&self) -> &str {
        self.host.split('.').next().unwrap_or_default()
    }
}

/// One file of requests.
#[derive(Debug, Clone)]
pub(crate) struct Recording {
    pub(crate) name: String,
    pub(crate) rows: Vec<Row>,
}

impl Recording {
    /// All of a folder: what fills a workspace before what reads it.
    pub(crate) fn all(folder: &Path) -> Vec<Self> {
        let mut found: Vec<Self> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|kind| kind == "jsonl"))
            .map(|path| Self::read(&path))
            .collect();
        found.sort_by_key(|recording| (recording.name.starts_with("read"), recording.name.clone()));
        assert!(!found.is_empty(), "{} holds no recording", folder.display());
        found
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap();
        Self {
            name: path.file_stem().unwrap().to_string_lossy().into_owned(),
            rows: text
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect(),
        }
    }
}

/// A line for whoever runs the tests.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
