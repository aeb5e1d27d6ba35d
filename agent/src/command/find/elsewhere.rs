//! Runs that restores on other machines made of jobs: by the tag that each has, in the targets of the configuration.

use std::collections::BTreeSet;

use restore::run::SOURCE_RUN_TAG;
use restore::{MadeOf, Target};
use workspace::azure::{AzureWorkspace, RunId};

use crate::command::restore::open;
use crate::failure::Failure;
use crate::session::Session;

/// For how many jobs each target is asked.
const JOBS_MAX: usize = 200;

/// What the targets tell.
pub(super) struct Told {
    /// The runs, by the targets' names in the configuration.
    pub(super) runs: Vec<MadeOf>,
    /// Whether every target was asked for every job.
    pub(super) whole: bool,
}

/// Asks every target that is a workspace for the runs of jobs, and for the job of a run where one of that id is there.
pub(super) async fn ask(session: &Session, jobs: &BTreeSet<String>) -> Told {
    let mut told = Told {
        runs: Vec::new(),
        whole: jobs.len() <= JOBS_MAX,
    };
    if !told.whole {
        session.ui.note(&format!(
            "The targets are asked for the first {JOBS_MAX} of {} jobs; a narrower pattern asks for all",
            jobs.len()
        ));
    }
    for named in &session.config.target {
        let asked = match open::target(session, &named.name, false).await {
            Ok(Target::Azure(azure)) => of_target(&azure, &named.name, jobs).await,
            Ok(Target::Absent(_)) => Err("it is not there".to_owned()),
            // No folder has runs.
            Ok(Target::Folder(_) | Target::NewFolder(_)) => Ok(Vec::new()),
            Err(failure) => Err(failure.sentence()),
        };
        match asked {
            Ok(runs) => told.runs.extend(runs),
            Err(why) => {
                told.whole = false;
                let name = &named.name;
                session.ui.note(&format!("{name} cannot be asked: {why}"));
            }
        }
    }
    told
}

async fn of_target(
    azure: &AzureWorkspace,
    name: &str,
    jobs: &BTreeSet<String>,
) -> Result<Vec<MadeOf>, String> {
    let failed = |error| Failure::of_workspace(&error).sentence();
    let mut made = Vec::new();
    for job in jobs.iter().take(JOBS_MAX) {
        // What is no id of a run is none of a job either.
        let Ok(id) = RunId::new(job.clone()) else {
            continue;
        };
        let one = |source: &str, run: &RunId| MadeOf {
            source: source.to_owned(),
            target: name.to_owned(),
            made: run.to_string(),
        };
        let found = azure.find_runs(job).await.map_err(failed)?;
        made.extend(found.iter().map(|run| one(job, &run.id)));
        if let Some(run) = azure.run(&id).await.map_err(failed)? {
            let source = run.tags.get(SOURCE_RUN_TAG);
            made.extend(source.map(|source| one(source, &run.id)));
        }
    }
    Ok(made)
}
