//! What was found of an export, check by check.

use jiff::Timestamp;
use serde::Serialize;

use crate::bag::seal::SealRecord;

/// How a check ended, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Something that is worth saying.
    Note,
    /// It is as it should be.
    Good,
    /// It could not be judged: a key is missing, or an answer.
    Open,
    /// It is not what was exported, or not by whom it should be.
    Bad,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// `log`, `parts`, `seal`, `signature`, `tag files`, `time stamp`, `custody`, `tar`, `bag`, `models`, `origin`.
    pub check: &'static str,
    /// How it ended.
    pub outcome: Outcome,
    /// What was found.
    pub found: String,
}

/// The JSON document of `export verify` for an export.
#[derive(Clone, Debug, Serialize)]
pub struct VerifiedExport {
    /// The export's id.
    pub export: String,
    /// What its files are named.
    pub name: String,
    /// The workspace.
    pub workspace: String,
    /// The snapshot.
    pub snapshot: String,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Whether the tar was read.
    pub read_data: bool,
    /// What was checked.
    pub checks: Vec<Check>,
    /// Files of the payload that were read.
    pub files: u64,
    /// Stored bytes of the tar that were read.
    pub bytes: u64,
    /// Files of the tar that were to be read and lie in an archive: it is read when they are back.
    pub archived: u64,
    /// Whether it was interrupted.
    pub stopped: bool,
    /// Whether the tar was to be read and no key opens it.
    #[serde(skip)]
    pub locked: bool,
}

impl VerifiedExport {
    pub(super) fn of(seal: &SealRecord, read_data: bool) -> Self {
        Self {
            export: seal.export.to_string(),
            name: seal.name.clone(),
            workspace: seal.workspace.clone(),
            snapshot: seal.snapshot.to_string(),
            created: seal.created,
            encrypted: seal.encrypted,
            read_data,
            checks: Vec::new(),
            files: 0,
            bytes: 0,
            archived: 0,
            stopped: false,
            locked: false,
        }
    }

    /// The worst outcome of all.
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.checks.iter().map(|check| check.outcome);
        outcomes.max().unwrap_or(Outcome::Note)
    }

    /// Whether anything says whose export it is.
    pub(super) fn origin(&mut self) {
        let mut checks = self.checks.iter();
        let vouched = checks.any(|check| {
            matches!(check.check, "log" | "signature") && check.outcome == Outcome::Good
        });
        if !vouched && self.outcome() < Outcome::Open {
            self.open(
                "origin",
                "neither a repository's log nor a signature says whose it is",
            );
        }
    }

    pub(super) fn good(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Outcome::Good, found.into());
    }

    pub(super) fn note(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Outcome::Note, found.into());
    }

    pub(super) fn open(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Outcome::Open, found.into());
    }

    pub(super) fn bad(&mut self, check: &'static str, found: impl Into<String>) {
        self.add(check, Outcome::Bad, found.into());
    }

    fn add(&mut self, check: &'static str, outcome: Outcome, found: String) {
        self.checks.push(Check {
            check,
            outcome,
            found,
        });
    }
}
