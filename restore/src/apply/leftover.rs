//! What a restore that was cut off may have left: runs that a search does not show yet.
//!
//! A search of runs lags behind what was made just before it. Whoever was cut off may have made a run that nobody has
//! noted; making it again would be a duplicate. So, after a restore that did not end, the runs of the jobs in question
//! are searched for until they are found, or for longer than a search lags. And a restore that ends takes its mark away
//! only once a search shows the runs that it made last, so that whoever comes next, with another journal, finds them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use workspace::azure::{AzureWorkspace, RunFound, RunId};

use crate::{Error, Journal, Plan, Step, Stop, Work};

/// For how long a search may not show a run that was made; half a minute was seen.
const LAG: Duration = Duration::from_secs(60);
/// What lies between the first two searches; between the next ones it is twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// Searches under way at once.
const AT_ONCE: usize = 8;

/// Runs by the job that they were made of.
pub(super) type Runs = BTreeMap<String, RunFound>;

/// Whether a restore into the target before this one was cut off, by the mark that it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// None was.
    Ended,
    /// One of this machine, whose steps the journal knows.
    Noted,
    /// One that nobody here knows of.
    Unknown,
}

impl Before {
    pub(super) async fn of(azure: &AzureWorkspace, journal: &Journal) -> Result<Self, Error> {
        let failed = |error| Error::target("the mark of a restore before", error);
        let Some(mark) = azure.left_mark().await.map_err(failed)? else {
            return Ok(Self::Ended);
        };
        // What another machine did under the same plan is in another journal.
        let noted = mark.is_of_this_machine && journal.knows(&mark.owner).await?;
        Ok(if noted { Self::Noted } else { Self::Unknown })
    }
}

/// The runs that a restore before may have made of jobs that this plan brings back: those that the journal knows are
/// asked for by their ids, the others in question searched for.
pub(super) async fn runs(
    plan: &Plan,
    azure: &AzureWorkspace,
    before: Before,
    session: &super::Session<'_>,
) -> Result<Runs, Error> {
    let lately = session.clock.now() - LAG * 2;
    let unfinished = session.journal.unfinished(&plan.target, lately).await?;
    let mut known = known_runs(plan, azure, session.journal).await?;
    let jobs: Vec<&Step> = plan
        .steps
        .iter()
        .filter(|step| step.work == Work::Run && !known.contains_key(&step.item.name))
        .collect();
    let doubtful =
        |step: &&&Step| before == Before::Unknown || unfinished.contains(&step.item.to_string());
    let (doubtful, others): (Vec<&Step>, Vec<&Step>) = jobs.iter().partition(|step| doubtful(step));
    let name = |step: &&Step| step.item.name.clone();
    known.extend(search(azure, doubtful.iter().map(name).collect()).await?);
    // A saved plan may have been carried out before, by whoever.
    if !session.fresh {
        known.extend(search_once(azure, &others.iter().map(name).collect()).await?);
    }
    Ok(known)
}

/// Runs that the journal noted, and that are still there.
async fn known_runs(plan: &Plan, azure: &AzureWorkspace, journal: &Journal) -> Result<Runs, Error> {
    let noted = journal.runs(&plan.target).await?;
    let of_plan = plan
        .steps
        .iter()
        .filter(|step| step.work == Work::Run)
        .filter_map(|step| {
            Some((
                step.item.name.clone(),
                RunId::new(noted.get(&step.item.name)?.clone()).ok()?,
            ))
        });
    stream::iter(of_plan.map(|(job, id)| async move {
        let found = azure.run(&id).await;
        let found = found.map_err(|error| Error::target(format!("run {id}"), error))?;
        Ok::<_, Error>(found.map(|run| (job, run)))
    }))
    .buffer_unordered(AT_ONCE)
    .try_filter_map(|run| async move { Ok(run) })
    .try_collect()
    .await
}

/// Searches until each job has its run, or for as long as a search may lag.
pub(super) async fn search(
    azure: &AzureWorkspace,
    mut jobs: BTreeSet<String>,
) -> Result<Runs, Error> {
    let (began, mut pause) = (Instant::now(), FIRST_PAUSE);
    let mut known = Runs::new();
    loop {
        let is_last = began.elapsed() >= LAG;
        known.extend(search_once(azure, &jobs).await?);
        jobs.retain(|job| !known.contains_key(job));
        if jobs.is_empty() || is_last {
            return Ok(known);
        }
        tokio::time::sleep(pause.min(LAG.saturating_sub(began.elapsed()))).await;
        pause *= 2;
    }
}

async fn search_once(azure: &AzureWorkspace, jobs: &BTreeSet<String>) -> Result<Runs, Error> {
    stream::iter(jobs.iter().map(|job| async move {
        let found = azure.find_runs(job).await;
        let found =
            found.map_err(|error| Error::target(format!("the runs of jobs/{job}"), error))?;
        let first = found.into_iter().min_by(|one, two| one.id.cmp(&two.id));
        Ok::<_, Error>(first.map(|run| (job.clone(), run)))
    }))
    .buffer_unordered(AT_ONCE)
    .try_filter_map(|run| async move { Ok(run) })
    .try_collect()
    .await
}

/// The runs that were made lately, which a search may not show yet.
#[derive(Debug, Default)]
pub(super) struct Made(Mutex<BTreeMap<String, Instant>>);

impl Made {
    /// Notes that a job's run was made just now.
    pub(super) fn add(&self, job: &str) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|_, at| at.elapsed() < LAG);
        made.insert(job.to_owned(), Instant::now());
    }

    /// Waits until a search shows each of them, at most until it must; whether it does. Somebody who wishes to stop does
    /// not wait.
    pub(super) async fn are_shown(&self, azure: &AzureWorkspace, stop: &Stop) -> bool {
        let mut left = {
            let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *made)
        };
        let mut pause = FIRST_PAUSE;
        loop {
            left.retain(|_, at| at.elapsed() < LAG);
            let jobs: BTreeSet<String> = left.keys().cloned().collect();
            match search_once(azure, &jobs).await {
                Ok(found) => left.retain(|job, _| !found.contains_key(job)),
                Err(error) => {
                    tracing::warn!(%error, "whether a search shows the runs that were made");
                    return false;
                }
            }
            if left.is_empty() {
                return true;
            }
            if stop.asked() {
                return false;
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LAG / 4);
        }
    }
}
