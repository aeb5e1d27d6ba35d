//! `mlark find`: where an item, a run, a file or a digest occurs, across snapshots and restores.

use archive_format::{Occurrence, Repository, SnapshotId};
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// How many are given.
const FOUND_MAX: usize = 10_000;

/// For how many jobs the restored runs are looked up.
const JOBS_MAX: usize = 1_000;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark find churn                      items and files of that name
  mlark find 'models/churn:*'
  mlark find '*.safetensors'
  mlark find ashy_frog_7q2              a job, and the runs that it was restored as
  mlark find 9f86d081                   files whose SHA-256 begins so")]
pub struct Args {
    /// A name, KIND/NAME, KIND/NAME:VERSION, a file's path or last part, a run id, or 8 and more digits of a SHA-256;
    /// * ? and [...] stand for characters
    #[arg(value_name = "PATTERN")]
    pattern: String,
}

/// A job that was restored as a run.
struct Restored {
    job: String,
    target: String,
    run: String,
}

/// Looks.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let archive = |error| Failure::of_archive(&error);
    // Snapshots of other machines come with their lines only when they are asked for.
    repository.rebuild_catalogue().await.map_err(archive)?;
    let found = repository
        .catalogue()
        .find(&args.pattern, FOUND_MAX)
        .await
        .map_err(archive)?;
    let restored = restored(session, &repository, &args.pattern, &found).await?;
    if session.ui.json() {
        session.ui.document(&json!({
            "found": found.iter().map(row).collect::<Vec<Value>>(),
            "restored": restored.iter().map(|restored| json!({
                "job": restored.job,
                "target": restored.target,
                "run": restored.run,
            })).collect::<Vec<Value>>(),
            "truncated": found.len() >= FOUND_MAX,
        }));
        return Ok(ExitStatus::Done);
    }
    for occurrence in &found {
        session.ui.line(&text(occurrence));
    }
    for restored in &restored {
        session.ui.line(&format!(
            "jobs/{}  restored into {} as run {}",
            restored.job, restored.target, restored.run
        ));
    }
    if found.is_empty() && restored.is_empty() {
        session.ui.note("Nothing is found");
    }
    if found.len() >= FOUND_MAX {
        session
            .ui
            .note("There are more; a longer pattern finds fewer");
    }
    Ok(ExitStatus::Done)
}

async fn restored(
    session: &Session,
    repository: &Repository,
    pattern: &str,
    found: &[Occurrence],
) -> Result<Vec<Restored>, Failure> {
    let journal = super::restore::journal(session, repository).await?;
    let mut names = vec![pattern.strip_prefix("jobs/").unwrap_or(pattern)];
    let jobs = found
        .iter()
        .filter(|found| found.item.kind == "jobs" && found.file.is_none());
    names.extend(jobs.map(|found| found.item.name.as_str()).take(JOBS_MAX));
    names.sort_unstable();
    names.dedup();
    let mut restored = Vec::new();
    for name in names {
        let runs = journal.runs_of(name).await;
        for (target, run) in runs.map_err(|error| Failure::of_restore(&error))? {
            restored.push(Restored {
                job: name.to_owned(),
                target,
                run,
            });
        }
    }
    Ok(restored)
}

fn text(found: &Occurrence) -> String {
    let file = match &found.file {
        Some(file) => format!("//{}  {}", file.path, amount::size(file.size)),
        None => String::new(),
    };
    format!("{}{file}  {}", found.item, spread(&found.snapshots))
}

/// In which snapshots: from the first to the last, and how many.
fn spread(snapshots: &[SnapshotId]) -> String {
    match snapshots {
        [] => String::new(),
        [only] => format!("in {only}"),
        [first, .., last] => format!(
            "in {} from {first} to {last}",
            amount::counted(snapshots.len() as u64, "snapshot")
        ),
    }
}

fn row(found: &Occurrence) -> Value {
    let file = found.file.as_ref().map(|file| {
        json!({
            "path": file.path,
            "size": file.size,
            "sha256": file.sha256.map(|digest| digest.to_string()),
        })
    });
    json!({
        "item": found.item.to_string(),
        "file": file,
        "snapshots": found.snapshots.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
