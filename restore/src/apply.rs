//! Carrying a plan out: the only part of this crate that changes a target.
//!
//! Each step's intent is in the journal before anything of it is sent, and each step looks first at what is there, so
//! that it may run twice. One failed step stops only those that need it.

use std::collections::{BTreeMap, BTreeSet};

use workspace::azure::AzureWorkspace;
use workspace::{Clock, Identity, Selection, Workspace};

use crate::creation;
use crate::lost;
use crate::plan::{Failure, OutcomeWord, Outline, loss_row, manual_row};
use crate::target::missing;
use crate::world::World;
use crate::{Action, Error, Event, Journal, LostPart, Observer, Origin, Plan, Stop, Target};

mod again;
mod changed;
mod document;
mod executor;
mod file;
mod finish;
mod folder;
mod job;
mod leftover;
mod staging;
mod step;
mod upload;

use executor::{Executor, Tally};
pub(crate) use step::chain;

/// What a restore works with besides the plan.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// Where steps are noted.
    pub journal: &'a Journal,
    /// Asked between two steps and between two files.
    pub stop: &'a Stop,
    /// Is told what happens.
    pub observer: &'a dyn Observer,
    /// The time of day.
    pub clock: &'a Clock,
    /// Whether the plan was made just now by this process, so that the target need not be compared with what it saw.
    pub fresh: bool,
}

impl std::fmt::Debug for Session<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("fresh", &self.fresh)
            .finish_non_exhaustive()
    }
}

/// Carries a plan out. [`Error::Busy`]: another restore works on the target. [`Error::Lost`]: the repository is damaged,
/// and the plan is not a partial one; damage that is found only while reading stops it, and `damaged` says so.
pub async fn apply(
    plan: &Plan,
    snapshot: impl Into<Origin>,
    target: &Target,
    session: &Session<'_>,
) -> Result<Outline, Error> {
    let origin = &snapshot.into();
    check_snapshot(plan, origin)?;
    plan.may_start()?;
    // A plan for a folder that was made just now says itself what is known to be lost, and looked at no more than that.
    let knows =
        session.fresh && matches!(target, Target::Folder(_)) && lost::foretold(plan).is_empty();
    if !plan.options.partial && !knows {
        lost::refuse(plan, origin).await?;
    }
    match target {
        Target::Azure(azure) if plan.makes_workspace() => {
            let plan = creation::planned_anew(plan, origin, azure, true, session).await?;
            apply_azure(&plan, origin, azure, session).await
        }
        Target::Azure(azure) => {
            check_target(plan, azure.identity())?;
            apply_azure(plan, origin, azure, session).await
        }
        Target::Absent(absent) => {
            let azure = creation::make(plan, origin, absent, session).await?;
            let plan = creation::planned_anew(plan, origin, &azure, false, session).await?;
            apply_azure(&plan, origin, &azure, session).await
        }
        Target::Folder(folder) => {
            check_target(plan, folder.identity())?;
            folder::apply_folder(plan, origin, folder, session).await
        }
        Target::NewFolder(path) => Err(missing(path)),
    }
}

/// Whether the plan is for this snapshot.
fn check_snapshot(plan: &Plan, origin: &Origin) -> Result<(), Error> {
    let snapshot = origin.id();
    if plan.snapshot != snapshot {
        return Err(Error::OtherPlan {
            what: "snapshot",
            planned: plan.snapshot.clone(),
            given: snapshot,
        });
    }
    Ok(())
}

/// Whether the plan is for this target.
fn check_target(plan: &Plan, identity: &Identity) -> Result<(), Error> {
    if plan.identity != *identity {
        return Err(Error::OtherPlan {
            what: "target",
            planned: format!("{:?}", plan.identity),
            given: format!("{identity:?}"),
        });
    }
    Ok(())
}

async fn apply_azure(
    plan: &Plan,
    origin: &Origin,
    azure: &AzureWorkspace,
    session: &Session<'_>,
) -> Result<Outline, Error> {
    let before = leftover::Before::of(azure, session.journal).await?;
    // With nothing to do and nobody's mark to take away, the target is not touched at all.
    if plan.changes() == 0 && before == leftover::Before::Ended {
        session.journal.begin(plan, session.clock.now()).await?;
        let outline = finish(plan, &Tally::default(), session).await?;
        return Ok(left_by_hand(plan, outline, azure).await);
    }
    let lock = azure.lock(&plan.plan).await.map_err(|error| match error {
        error @ workspace::Error::Locked { .. } => Error::Busy {
            target: plan.target.clone(),
            source: Some(Box::new(error)),
        },
        error => Error::target("its lock", error),
    })?;
    let mut ends_whole = true;
    let done = work(plan, origin, azure, session, (before, &mut ends_whole)).await;
    // A lock that is not given back runs out by itself; what was done stays done. Its mark tells whoever comes next that
    // there may be runs that no search shows yet.
    let released = match ends_whole {
        true => lock.release().await,
        false => lock.leave().await,
    };
    let tally = done?;
    released.map_err(|error| Error::target("its lock", error))?;
    let outline = finish(plan, &tally, session).await?;
    Ok(left_by_hand(plan, outline, azure).await)
}

/// What is left to a person, without what somebody did meanwhile.
async fn left_by_hand(plan: &Plan, mut outline: Outline, azure: &AzureWorkspace) -> Outline {
    outline.manual.clear();
    for step in &plan.manual {
        let made = match &step.moot_with {
            Some(item) => azure.get(item).await.is_ok_and(|found| found.is_some()),
            None => false,
        };
        if !made {
            outline.manual.push(manual_row(step));
        }
    }
    outline
}

async fn work(
    plan: &Plan,
    origin: &Origin,
    azure: &AzureWorkspace,
    session: &Session<'_>,
    (before, ends_whole): (leftover::Before, &mut bool),
) -> Result<Tally, Error> {
    let selection =
        Selection::parse(&plan.selectors, session.clock.now()).map_err(Error::Selection)?;
    let world = World::open(origin, azure, selection, &plan.options).await?;
    know_names(plan, &world).await?;
    let runs = leftover::runs(plan, azure, before, session).await?;
    for (job, run) in &runs {
        know_run(&world, job, &run.id).await?;
    }
    session.journal.begin(plan, session.clock.now()).await?;
    let begun = session.journal.steps(&plan.plan).await?;
    if !session.fresh {
        changed::check(plan, &world, &begun).await?;
    }
    session.observer.event(Event::Started {
        steps: plan.changes(),
        bytes: plan.estimate.bytes,
    });
    *ends_whole = false;
    let executor = Executor::new(plan, &world, session, runs);
    let tally = executor.run().await?;
    *ends_whole = executor.made.are_shown(azure, session.stop).await;
    Ok(tally)
}

/// Tells the rewriter what the plan decided: other version numbers, and runs that are there already.
async fn know_names(plan: &Plan, world: &World<'_>) -> Result<(), Error> {
    for step in &plan.steps {
        let documents = matches!(step.action, Action::Create | Action::Repair | Action::Skip)
            && step.item.kind != "jobs";
        if documents && world.map_item(&step.item) != step.target {
            world
                .rewriter_mut()
                .renamed(step.item.clone(), step.target.clone());
        }
    }
    for (job, run) in &plan.runs {
        let failed = |error| Error::target(format!("run {run}"), error);
        let run = workspace::azure::RunId::new(run).map_err(failed)?;
        know_run(world, job, &run).await?;
    }
    Ok(())
}

async fn know_run(
    world: &World<'_>,
    job: &str,
    run: &workspace::azure::RunId,
) -> Result<(), Error> {
    if let Some(loaded) = world.load(&workspace::ItemId::new("jobs", job)).await? {
        let restored = crate::run::restored(&loaded, run);
        world.rewriter_mut().restored_run(job, restored);
    }
    Ok(())
}

/// The report, and the end of the journal's entry.
async fn finish(plan: &Plan, tally: &Tally, session: &Session<'_>) -> Result<Outline, Error> {
    let mut outline = plan.outline();
    let mut failed: BTreeMap<u32, &str> = BTreeMap::new();
    for (number, state) in &tally.states {
        match state {
            Ok(()) => outline.done += 1,
            Err(reason) => {
                outline.failed += 1;
                failed.insert(*number, reason);
            }
        }
    }
    tell_lost(plan, tally, &mut outline);
    outline.skipped = plan.steps.len() as u64 - plan.changes();
    let lost = lost_steps(plan, tally, &failed);
    outline.failures = failed
        .into_iter()
        .filter_map(|(number, reason)| {
            let step = plan.step(number)?;
            Some(Failure {
                step: number,
                item: step.item.to_string(),
                reason: reason.to_owned(),
                lost: lost.contains(&number),
            })
        })
        .collect();
    outline.stopped = tally.stopped;
    outline.outcome = match (outline.done, outline.failed) {
        (done, 0) if done == plan.changes() => OutcomeWord::Complete,
        (0, failed) if failed > 0 => OutcomeWord::Failed,
        _ => OutcomeWord::Partial,
    };
    let word = outline.outcome.as_str();
    session
        .journal
        .finish(&plan.plan, word, session.clock.now())
        .await?;
    Ok(outline)
}

/// What is lost, with the rows that the plan did not foretell.
fn tell_lost(plan: &Plan, tally: &Tally, outline: &mut Outline) {
    outline.damaged = tally.damaged;
    let mut lost = lost::foretold(plan);
    let found = tally.lost.iter().filter(|part| !lost.contains(part));
    let found: Vec<LostPart> = found.cloned().collect();
    lost.extend(found.iter().cloned());
    outline.lost = lost.into_iter().collect();
    let rows = lost::losses(&found, plan.options.partial);
    outline.losses.extend(rows.iter().map(loss_row));
}

/// The failed steps that failed because something is lost, or because they need one that did.
fn lost_steps(plan: &Plan, tally: &Tally, failed: &BTreeMap<u32, &str>) -> BTreeSet<u32> {
    let items: BTreeSet<_> = tally.lost.iter().map(|part| &part.item).collect();
    let mut lost = BTreeSet::new();
    for step in plan
        .steps
        .iter()
        .filter(|step| failed.contains_key(&step.step))
    {
        let needs_lost = step.needs.iter().any(|need| lost.contains(need));
        if needs_lost || items.contains(&step.item) {
            lost.insert(step.step);
        }
    }
    lost
}
