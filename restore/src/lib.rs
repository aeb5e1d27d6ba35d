//! Brings what a snapshot holds back into a workspace: plan, apply, verify.
//!
//! The plan is a value that says every step and every loss before anything is changed. Nothing but `apply` changes a
//! target, and it writes each step's intent into the journal first. Each step may run twice.

pub mod apply;
pub mod bag;
mod creation;
pub mod error;
mod expected;
pub mod export;
pub mod exported;
mod files;
mod held;
pub mod journal;
pub mod loss;
mod lost;
pub mod manual;
mod mltable;
pub mod options;
pub mod origin;
pub mod plan;
pub mod progress;
mod proof;
pub mod run;
pub mod seal;
mod snapshot;
pub mod step;
pub mod stop;
pub mod target;
pub mod verify;
mod world;

pub use apply::{Session, apply};
pub use bag::{BagRequest, Bagged, export_bag};
pub use creation::Absent;
pub use error::{Damaged, Error};
pub use export::{ExportFailure, ExportLoss, ExportRequest, Exported, export_folder};
pub use exported::ExportedFolder;
pub use held::holds;
pub use journal::{Journal, MadeOf, Restoration, StepState};
pub use loss::Loss;
pub use lost::LostPart;
pub use manual::ManualStep;
pub use options::{Include, OnConflict, Options};
pub use origin::Origin;
pub use plan::{Estimate, OutcomeWord, Outline, Plan, Request, Seen, Sighting, plan};
pub use progress::{Event, Observer, Unobserved};
pub use proof::prove;
pub use step::{Action, Step, Work};
pub use stop::Stop;
pub use target::Target;
pub use verify::{Verification, VerifyOutcome, verify};
