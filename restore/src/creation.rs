//! Making the workspace that a restore goes into, from the snapshot's own document of the source.
//!
//! The plan for a target that is not there is made against a workspace as it will be, and its first step makes it. What
//! it names beside itself (storage account, key vault, …) must be there: mlark makes nothing beside a workspace. Once it
//! is made the restore is planned anew, and goes on only where the fresh plan says what the shown one said.

use workspace::azure::{
    AzureWorkspace, Connection, ReadOptions, Root, WorkspaceName, is_softly_deleted,
};
use workspace::{Identity, ItemId, Kind};

use crate::manual::recovering;
use crate::origin::Origin;
use crate::plan::{Plan, Request};
use crate::{Action, Error, Loss, Observer, Session, Work};

mod anew;
mod beside;
mod design;

pub(crate) use anew::planned_anew;
use design::design;

/// A workspace in Azure that is not there.
#[derive(Debug)]
pub struct Absent {
    /// How it would be reached.
    pub(crate) connection: Connection,
    /// What it would be called.
    pub(crate) name: WorkspaceName,
    /// How it would be read.
    pub(crate) options: ReadOptions,
    /// What the service said.
    pub(crate) said: workspace::Error,
}

/// Plans a restore into a workspace that is still to be made.
pub(crate) async fn plan_absent(
    origin: &Origin,
    absent: &Absent,
    request: &Request,
    observer: &dyn Observer,
) -> Result<Plan, Error> {
    if !request.options.create_workspace || absent.name.root == Root::Registry {
        return Err(absent.refused());
    }
    let design = design(origin, absent, &request.options).await?;
    let mut plan = crate::plan::plan_azure(origin, &design.azure, request, observer).await?;
    let Some(first) = plan
        .steps
        .iter_mut()
        .find(|step| step.work == Work::Workspace)
    else {
        return Err(no_document());
    };
    if !design.missing.is_empty() {
        first.action = Action::Manual;
        first.work = Work::Nothing;
        first.reason = "it needs what is not there yet; nothing is started".to_owned();
    }
    let item = first.item.clone();
    let mut manual = Vec::new();
    for missing in design.missing {
        plan.losses.push(Loss::new(
            &item,
            Action::Manual,
            missing.what,
            missing.reason,
            missing.substitute,
        ));
        manual.push(missing.step);
    }
    plan.manual.splice(0..0, manual);
    Ok(plan)
}

/// Makes the workspace of a plan, and does the rest of it.
pub(crate) async fn make(
    plan: &Plan,
    origin: &Origin,
    absent: &Absent,
    session: &Session<'_>,
) -> Result<AzureWorkspace, Error> {
    let Some(first) = plan.steps.iter().find(|step| step.work == Work::Workspace) else {
        plan.may_start()?;
        return Err(absent.refused());
    };
    check_name(&plan.identity, &absent.name.arm_id())?;
    let design = design(origin, absent, &plan.options).await?;
    if let Some(missing) = design.missing.first() {
        return Err(Error::Beside {
            count: design.missing.len(),
            first: missing.what.clone(),
            command: missing.step.command.clone(),
        });
    }
    let failed = |error: workspace::Error| match is_softly_deleted(&error) {
        true => absent.softly_deleted(plan),
        false => Error::Create {
            workspace: absent.name.to_string(),
            source: Box::new(error),
        },
    };
    // A PUT changes one that somebody made meanwhile.
    let there = AzureWorkspace::is_there(&absent.connection, &absent.name).await;
    if there.map_err(failed)? {
        return Err(Error::Changed {
            count: 1,
            first: first.target.to_string(),
        });
    }
    let (journal, clock) = (session.journal, session.clock);
    journal.begin(plan, clock.now()).await?;
    journal.intend(&plan.plan, first, clock.now()).await?;
    design.azure.make(&design.body).await.map_err(failed)?;
    AzureWorkspace::open(&absent.connection, &absent.name, absent.options)
        .await
        .map_err(|error| Error::target("the workspace that was made", error))
}

/// Whether an item is the workspace itself.
fn is_workspace(item: &ItemId) -> bool {
    Kind::find(&item.kind).is_some_and(|kind| kind.origin == workspace::kind::Origin::Workspace)
}

/// The workspace that was planned for has no id of its own yet, so its name tells.
fn check_name(planned: &Identity, given: &str) -> Result<(), Error> {
    let planned = planned.arm_id().unwrap_or_default();
    match planned.eq_ignore_ascii_case(given) {
        true => Ok(()),
        false => Err(Error::OtherPlan {
            what: "target",
            planned,
            given: given.to_owned(),
        }),
    }
}

fn no_document() -> Error {
    Error::snapshot(
        "the document of its workspace",
        "a workspace can be made only from a snapshot of one in Azure that has it; make the workspace by hand",
    )
}

impl Absent {
    pub(crate) fn refused(&self) -> Error {
        Error::NoWorkspace {
            workspace: self.name.to_string(),
            said: self.said.to_string(),
        }
    }

    fn softly_deleted(&self, plan: &Plan) -> Error {
        let region = match &plan.source {
            Identity::Azure { region, .. } => region.as_str(),
            Identity::Registry { .. } | Identity::Folder(_) => "",
        };
        Error::SoftlyDeleted {
            workspace: self.name.to_string(),
            command: recovering(&self.name, region),
        }
    }
}

impl Plan {
    /// Whether its first step makes the workspace.
    pub(crate) fn makes_workspace(&self) -> bool {
        self.steps.iter().any(|step| step.work == Work::Workspace)
    }

    /// Whether it may be carried out: not where its workspace is to be made and something that it needs is missing.
    pub fn may_start(&self) -> Result<(), Error> {
        let of_making = |loss: &&Loss| is_workspace(&loss.item) && loss.action == Action::Manual;
        let mut steps = self.steps.iter();
        let waits = steps.any(|step| is_workspace(&step.item) && step.action == Action::Manual);
        if !self.options.create_workspace || !waits {
            return Ok(());
        }
        let losses: Vec<&Loss> = self.losses.iter().filter(of_making).collect();
        let first = losses.first().map(|loss| loss.what.clone());
        let command = self.manual.first().map(|step| step.command.clone());
        Err(Error::Beside {
            count: losses.len(),
            first: first.unwrap_or_default(),
            command: command.unwrap_or_default(),
        })
    }
}
