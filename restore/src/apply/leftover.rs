//! What a restore that was cut off may have left: runs that a search does not show yet.
//!
//! A search of runs lags behind what was made just before it. Whoever was cut off may have made a run that nobody has
//! noted; making it again would be a duplicate. So, after a restore that did not end, the runs of the jobs in question
//! are searched for until two answers agree.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use workspace::azure::{AzureWorkspace, RunFound, RunId};

use crate::files::present;
use crate::{Error, Journal, Plan, Step, Work};

/// Where a restore marks its target as held; it takes the mark away at its end.
const MARK: &str = "mlark/restore.lock";
/// How often the search is repeated at most.
const SEARCHES_MAX: u32 = 10;
/// What lies between two searches.
const SEARCH_PAUSE: Duration = Duration::from_secs(4);
/// Searches under way at once.
const AT_ONCE: usize = 8;

/// Runs by the job that they were made of.
pub(super) type Runs = BTreeMap<String, RunFound>;

/// Whether a restore before this one was cut off: its mark is still there.
pub(super) async fn mark(azure: &AzureWorkspace) -> Result<bool, Error> {
    let failed = |error| Error::target("the mark of a restore before", error);
    let place = azure.datastore_place(None, MARK).await.map_err(failed)?;
    Ok(!present(azure, &place).await.map_err(failed)?.is_empty())
}

/// The runs that a restore before may have made of jobs that this plan brings back: those that the journal knows are
/// asked for by their ids, the others in question searched for.
pub(super) async fn runs(
    plan: &Plan,
    azure: &AzureWorkspace,
    cut_off: bool,
    journal: &Journal,
) -> Result<Runs, Error> {
    let unfinished = journal.unfinished(&plan.target).await?;
    let mut known = known_runs(plan, azure, journal).await?;
    let in_question = |step: &&Step| {
        let doubtful = cut_off || unfinished.contains(&step.item.to_string());
        step.work == Work::Run && doubtful && !known.contains_key(&step.item.name)
    };
    let jobs: Vec<&str> = plan
        .steps
        .iter()
        .filter(in_question)
        .map(|step| step.item.name.as_str())
        .collect();
    if !jobs.is_empty() {
        let found = search(azure, &jobs).await?;
        known.extend(found);
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

/// Searches until two answers agree.
pub(super) async fn search(azure: &AzureWorkspace, jobs: &[&str]) -> Result<Runs, Error> {
    let mut known = search_once(azure, jobs).await?;
    for _ in 1..SEARCHES_MAX {
        tokio::time::sleep(SEARCH_PAUSE).await;
        let again = search_once(azure, jobs).await?;
        let agrees = again.keys().eq(known.keys());
        known = again;
        if agrees {
            break;
        }
    }
    Ok(known)
}

async fn search_once(azure: &AzureWorkspace, jobs: &[&str]) -> Result<Runs, Error> {
    stream::iter(jobs.iter().map(|job| async move {
        let found = azure.find_runs(job).await;
        let found =
            found.map_err(|error| Error::target(format!("the runs of jobs/{job}"), error))?;
        let first = found.into_iter().min_by(|one, two| one.id.cmp(&two.id));
        Ok::<_, Error>(first.map(|run| ((*job).to_owned(), run)))
    }))
    .buffer_unordered(AT_ONCE)
    .try_filter_map(|run| async move { Ok(run) })
    .try_collect()
    .await
}
