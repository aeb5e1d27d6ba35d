//! A plan: all the steps of a restore in order, with its loss report, as a value. It is shown, saved and carried out,
//! and never changed on the way. It holds names, sizes, addresses and states, no document and no secret.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use workspace::{Identity, ItemId, Workspace};

use crate::creation;
use crate::{Error, Loss, ManualStep, Observer, Options, Origin, Step, Target};

mod decide;
mod draft;
mod folder;
mod listing;
mod make;
mod order;
mod outline;
mod survey;

pub(crate) use decide::Amount;
pub(crate) use draft::Draft;
pub(crate) use folder::path_in_folder;
pub(crate) use listing::Listing;
pub(crate) use make::plan_azure;
pub use make::{Request, kinds};
pub use outline::{Failure, LossRow, ManualRow, OutcomeWord, Outline, StepRow};
pub(crate) use outline::{loss_row, manual_row};
pub(crate) use survey::Names;

/// The edition of a saved plan that this version writes and reads.
const EDITION: u32 = 2;

/// What was seen of an item of the target when the plan was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Seen {
    /// It was not there.
    Absent,
    /// It was there; for a document the SHA-256 of its comparable form, for a file its size and validators.
    Present(String),
}

/// An item of the target with what was seen of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The item of the target.
    pub item: ItemId,
    /// What was seen.
    pub seen: Seen,
}

/// What a restore will take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estimate {
    /// Requests to the target, about.
    pub requests: u64,
    /// Bytes written at most.
    pub bytes: u64,
    /// Seconds, about: the larger of what the service's limits and an ordinary line allow.
    pub seconds: u64,
}

/// All the steps of a restore, with its loss report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The edition of this form.
    pub edition: u32,
    /// The plan's own id, a ULID.
    pub plan: String,
    /// The id of the snapshot.
    pub snapshot: String,
    /// The selectors, as they were given.
    pub selectors: Vec<String>,
    /// The target, as it was given.
    pub target: String,
    /// Where the snapshot was taken.
    pub source: Identity,
    /// What the target says it is.
    pub identity: Identity,
    /// What the caller decided.
    pub options: Options,
    /// The steps in order.
    pub steps: Vec<Step>,
    /// What will not be as it was.
    pub losses: Vec<Loss>,
    /// What a person must do by hand.
    pub manual: Vec<ManualStep>,
    /// Jobs whose run the target has already: the job's name and the run's id.
    pub runs: BTreeMap<String, String>,
    /// What was seen of each item of the target that a step creates, changes or refers to.
    pub sightings: Vec<Sighting>,
    /// What it will take.
    pub estimate: Estimate,
}

impl Plan {
    /// The edition of the form that this version writes.
    pub fn edition() -> u32 {
        EDITION
    }

    /// The plan as the JSON text of a plan file.
    pub fn to_json(&self) -> Result<Vec<u8>, Error> {
        let mut text = serde_json::to_vec_pretty(self).map_err(Error::SavePlan)?;
        text.push(b'\n');
        Ok(text)
    }

    /// Reads a plan file. One of another edition is refused by name.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Head {
            edition: u32,
        }
        let head: Head = serde_json::from_slice(text).map_err(Error::ReadPlan)?;
        if head.edition != EDITION {
            return Err(Error::PlanEdition {
                found: head.edition,
                known: EDITION,
            });
        }
        serde_json::from_slice(text).map_err(Error::ReadPlan)
    }

    /// How many steps change something in the target.
    pub fn changes(&self) -> u64 {
        self.steps
            .iter()
            .filter(|step| step.action.changes())
            .count() as u64
    }

    /// The step with a number.
    pub fn step(&self, number: u32) -> Option<&Step> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.steps.get(index).filter(|step| step.step == number)
    }
}

/// Plans a restore: reads the snapshot and the target, changes neither.
pub async fn plan(
    snapshot: impl Into<Origin>,
    target: &Target,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    let origin = snapshot.into();
    match target {
        Target::Azure(azure) => plan_azure(&origin, azure, request, observer).await,
        Target::Absent(absent) => creation::plan_absent(&origin, absent, request, observer).await,
        Target::Folder(folder) => {
            let identity = folder.identity().clone();
            folder::plan_folder(&origin, Some(folder), identity, request, observer).await
        }
        Target::NewFolder(path) => {
            let identity = Identity::Folder(path.clone());
            folder::plan_folder(&origin, None, identity, request, observer).await
        }
    }
}
