//! The plan of a restore into a workspace that has just been made: planned anew, and held against the one that was shown.

use std::collections::BTreeMap;

use workspace::azure::AzureWorkspace;
use workspace::{ItemId, Workspace};

use super::{check_name, is_workspace};
use crate::origin::Origin;
use crate::plan::{Plan, Request};
use crate::{Action, Error, Session, Step, Work};

/// The plan that is carried out in a workspace that the shown plan was to make: planned anew, and the same but for what
/// was done since where `again`, so that its first step is to see that the workspace is there.
pub(crate) async fn planned_anew(
    shown: &Plan,
    origin: &Origin,
    azure: &AzureWorkspace,
    again: bool,
    session: &Session<'_>,
) -> Result<Plan, Error> {
    check_name(
        &shown.identity,
        &azure.identity().arm_id().unwrap_or_default(),
    )?;
    let request = Request {
        selectors: shown.selectors.clone(),
        target: shown.target.clone(),
        options: shown.options.clone(),
        now: session.clock.now(),
    };
    let mut fresh = crate::plan::plan_azure(origin, azure, &request, session.observer).await?;
    let other = match again {
        true => first_other_again(shown, &fresh),
        false => first_other(shown, &fresh),
    };
    if let Some((shown, now)) = other {
        return Err(Error::OtherThanShown { shown, now });
    }
    if !again {
        fresh.plan.clone_from(&shown.plan);
    }
    if let Some(step) = shown.steps.iter().find(|step| step.work == Work::Workspace)
        && let Some(own) = fresh.steps.iter_mut().find(|own| own.item == step.item)
    {
        own.action = step.action;
        own.work = step.work;
        own.reason.clone_from(&step.reason);
    }
    Ok(fresh)
}

/// What a step says to whoever looked at the plan.
fn told(step: &Step) -> (&ItemId, Action, &ItemId) {
    let action = match step.action {
        // What was to be left to a person the service may have made by itself, with the workspace.
        Action::Map => Action::Manual,
        action => action,
    };
    (&step.item, action, &step.target)
}

fn is_no_making(step: &&Step) -> bool {
    !is_workspace(&step.item)
}

/// A step in words.
fn words(step: Option<&Step>) -> String {
    step.map_or_else(
        || "nothing".to_owned(),
        |step| format!("{} {} as {}", step.action.as_str(), step.item, step.target),
    )
}

/// Where two plans first say something else: the shown one, and the fresh one.
fn first_other(shown: &Plan, fresh: &Plan) -> Option<(String, String)> {
    let mut ours = shown.steps.iter().filter(is_no_making);
    let mut theirs = fresh.steps.iter().filter(is_no_making);
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return None,
            (Some(ours), Some(theirs)) if told(ours) == told(theirs) => {}
            (ours, theirs) => return Some((words(ours), words(theirs))),
        }
    }
}

/// Where a fresh plan first does otherwise than the shown one, where that one was begun before: what it made is passed over
/// or mended now.
fn first_other_again(shown: &Plan, fresh: &Plan) -> Option<(String, String)> {
    let mut known: BTreeMap<&ItemId, Vec<&Step>> = BTreeMap::new();
    for step in &shown.steps {
        known.entry(&step.item).or_default().push(step);
    }
    let mut steps = fresh.steps.iter().filter(is_no_making);
    let (other, before) = steps.find_map(|step| {
        let before = known.get(&step.item).map(Vec::as_slice).unwrap_or_default();
        let same = before.iter().any(|before| {
            // A job is known by its run once that is there.
            let done = matches!(step.action, Action::Skip | Action::Repair);
            told(before) == told(step) || (before.action.changes() && done)
        });
        (!same).then_some((step, before))
    })?;
    Some((words(before.first().copied()), words(Some(other))))
}
