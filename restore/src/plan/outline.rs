//! A plan, or what became of it, in the JSON of `restore plan` and `restore apply`.

use serde::Serialize;

use super::Plan;
use crate::{Action, LostPart};

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeWord {
    /// Nothing was changed yet.
    Planned,
    /// Every step succeeded.
    Complete,
    /// Some steps failed, or it was stopped.
    Partial,
    /// No step succeeded.
    Failed,
}

impl OutcomeWord {
    /// The word in JSON and in the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// A step as people and scripts see it.
#[derive(Clone, Debug, Serialize)]
pub struct StepRow {
    /// Its number.
    pub step: u32,
    /// The kind of its item.
    pub kind: String,
    /// The item.
    pub item: String,
    /// What is done.
    pub action: Action,
    /// The item in the target.
    pub target: String,
    /// Why.
    pub reason: String,
    /// How many files are written at most.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
}

/// A loss as people and scripts see it.
#[derive(Clone, Debug, Serialize)]
pub struct LossRow {
    /// The kind of its item.
    pub kind: String,
    /// The item.
    pub item: String,
    /// What is done with it.
    pub action: Action,
    /// What is lost or different.
    pub what: String,
    /// Why.
    pub reason: String,
    /// What stands in its place.
    pub substitute: String,
}

/// What a person must do, as people and scripts see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManualRow {
    /// The item that it is about.
    pub item: String,
    /// What is to be done.
    pub what: String,
    /// Why mlark does not do it.
    pub why: String,
    /// The command, for a POSIX shell.
    pub command: String,
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Its number.
    pub step: u32,
    /// The item.
    pub item: String,
    /// Why.
    pub reason: String,
    /// Whether it failed because the repository has lost something of it, or of what it needs.
    pub lost: bool,
}

/// The JSON document of `restore plan` and `restore apply`.
#[derive(Clone, Debug, Serialize)]
pub struct Outline {
    /// The plan's id.
    pub plan: String,
    /// The snapshot.
    pub snapshot: String,
    /// The target.
    pub target: String,
    /// The steps in order.
    pub steps: Vec<StepRow>,
    /// The loss report.
    pub losses: Vec<LossRow>,
    /// What a person must do by hand.
    pub manual: Vec<ManualRow>,
    /// What it takes.
    pub estimate: super::Estimate,
    /// How far it is.
    pub outcome: OutcomeWord,
    /// Steps done that changed something, or found it done.
    pub done: u64,
    /// Steps with nothing to write.
    pub skipped: u64,
    /// Steps that failed.
    pub failed: u64,
    /// Which failed, and why.
    pub failures: Vec<Failure>,
    /// Whether it was asked to stop before all was done; the same call goes on from there.
    pub stopped: bool,
    /// What the repository was found to have lost.
    pub lost: Vec<LostPart>,
    /// Whether damage was found while restoring, and nothing more was begun.
    pub damaged: bool,
}

impl Plan {
    /// The plan as the document of `restore plan`.
    pub fn outline(&self) -> Outline {
        Outline {
            plan: self.plan.clone(),
            snapshot: self.snapshot.clone(),
            target: self.target.clone(),
            steps: self.steps.iter().map(step_row).collect(),
            losses: self.losses.iter().map(loss_row).collect(),
            manual: self.manual.iter().map(manual_row).collect(),
            estimate: self.estimate,
            outcome: OutcomeWord::Planned,
            done: 0,
            skipped: 0,
            failed: 0,
            failures: Vec::new(),
            stopped: false,
            lost: Vec::new(),
            damaged: false,
        }
    }
}

fn step_row(step: &crate::Step) -> StepRow {
    StepRow {
        step: step.step,
        kind: step.item.kind.clone(),
        item: step.item.to_string(),
        action: step.action,
        target: step.target.to_string(),
        reason: step.reason.clone(),
        files: step.files,
        bytes: step.bytes,
    }
}

pub(crate) fn manual_row(step: &crate::ManualStep) -> ManualRow {
    ManualRow {
        item: step.item.to_string(),
        what: step.what.clone(),
        why: step.why.clone(),
        command: step.command.clone(),
    }
}

pub(crate) fn loss_row(loss: &crate::Loss) -> LossRow {
    LossRow {
        kind: loss.item.kind.clone(),
        item: loss.item.to_string(),
        action: loss.action,
        what: loss.what.clone(),
        reason: loss.reason.clone(),
        substitute: loss.substitute.clone(),
    }
}
