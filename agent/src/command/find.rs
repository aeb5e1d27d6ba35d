//! `mlark find`: where an item, a run, a file, a digest or a tag occurs, across snapshots and restores.

mod elsewhere;
mod tagged;

use std::collections::BTreeSet;

use archive_format::{Occurrence, Repository, SnapshotId};
use restore::MadeOf;
use serde_json::{Value, json};
use tagged::Asked;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// How many are given.
const FOUND_MAX: usize = 10_000;

/// For how many items it is looked up what restores made of them.
const ITEMS_MAX: usize = 1_000;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark find churn                      items and files of that name
  mlark find 'models/churn:*'
  mlark find '*.safetensors'
  mlark find ashy_frog_7q2              a job, and the runs that it was restored as
  mlark find ashy_frog_7q2 --targets    by other machines too
  mlark find 9f86d081                   files whose SHA-256 begins so
  mlark find tag.team=nlp               needs an owner's identity where the repository is encrypted
  mlark find 'models[tag.stage=prod,created>2026-01-01]'")]
pub struct Args {
    /// A name, KIND/NAME, KIND/NAME:VERSION, a file's path or last part, a run id, or 8 and more digits of a SHA-256;
    /// * ? and [...] stand for characters. Or a condition of selectors, such as tag.team=nlp
    #[arg(value_name = "PATTERN")]
    pattern: String,
    /// Ask the targets of the configuration too: this machine knows only of its own restores
    #[arg(long)]
    targets: bool,
}

/// What restores made of something.
#[derive(Default)]
struct Restored {
    /// Runs, of jobs.
    runs: Vec<MadeOf>,
    /// Items under another name or version.
    renamed: Vec<MadeOf>,
}

/// Looks.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let asked = tagged::asked(session, &args.pattern)?;
    let repository = session.open_repository().await?;
    let archive = |error| Failure::of_archive(&error);
    // Snapshots of other machines come with their lines only when they are asked for.
    repository.rebuild_catalogue().await.map_err(archive)?;
    let (found, pattern) = match &asked {
        Asked::Condition(selection) => {
            let found = tagged::find(&repository, selection, FOUND_MAX).await?;
            (found, None)
        }
        Asked::Name | Asked::NameUnlike(_) => {
            let catalogue = repository.catalogue();
            let found = catalogue.find(&args.pattern, FOUND_MAX).await;
            (found.map_err(archive)?, Some(args.pattern.as_str()))
        }
    };
    let mut restored = restored(session, &repository, pattern, &found).await?;
    let mut status = ExitStatus::Done;
    if args.targets {
        let told = elsewhere::ask(session, &jobs(pattern, &found)).await;
        restored.add(told.runs);
        if !told.whole {
            status = ExitStatus::Gaps;
        }
    }
    let is_nothing = found.is_empty() && restored.is_empty();
    if let Asked::NameUnlike(refused) = asked
        && is_nothing
    {
        let why = refused.sentence();
        return Err(
            Failure::usage("Nothing has that name, and it is no condition")
                .on(format!("`{}`", args.pattern))
                .why(why)
                .next(refused.next.unwrap_or_default()),
        );
    }
    if session.ui.json() {
        session.ui.document(&document(&found, &restored));
    } else {
        show(session, &found, &restored);
    }
    Ok(status)
}

impl Restored {
    fn is_empty(&self) -> bool {
        self.runs.is_empty() && self.renamed.is_empty()
    }

    /// Adds runs that the journal of this machine does not know.
    fn add(&mut self, told: Vec<MadeOf>) {
        let known: BTreeSet<String> = self.runs.iter().map(|run| run.made.clone()).collect();
        let new = told.into_iter().filter(|run| !known.contains(&run.made));
        self.runs.extend(new);
        self.runs.sort();
        self.runs.dedup();
    }
}

/// The jobs that were looked for and found, by their ids.
fn jobs(pattern: Option<&str>, found: &[Occurrence]) -> BTreeSet<String> {
    let items = found.iter().filter(|found| found.file.is_none());
    let jobs = items.map(|found| &found.item);
    let jobs = jobs.filter(|item| item.kind == "jobs");
    let pattern = pattern.map(|text| text.strip_prefix("jobs/").unwrap_or(text).to_owned());
    jobs.map(|item| item.name.clone()).chain(pattern).collect()
}

fn show(session: &Session, found: &[Occurrence], restored: &Restored) {
    for occurrence in found {
        session.ui.line(&text(occurrence));
    }
    for run in &restored.runs {
        session.ui.line(&format!(
            "jobs/{}  restored into {} as run {}",
            run.source, run.target, run.made
        ));
    }
    for item in &restored.renamed {
        session.ui.line(&format!(
            "{}  restored into {} as {}",
            item.source, item.target, item.made
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
}

fn document(found: &[Occurrence], restored: &Restored) -> Value {
    let runs = restored
        .runs
        .iter()
        .map(|run| json!({"job": run.source, "target": run.target, "run": run.made}));
    let renamed = restored
        .renamed
        .iter()
        .map(|item| json!({"item": item.source, "target": item.target, "as": item.made}));
    json!({
        "found": found.iter().map(row).collect::<Vec<Value>>(),
        "restored": runs.collect::<Vec<Value>>(),
        "renamed": renamed.collect::<Vec<Value>>(),
        "truncated": found.len() >= FOUND_MAX,
    })
}

/// What the journal of this machine says of what was looked for and of what was found.
async fn restored(
    session: &Session,
    repository: &Repository,
    pattern: Option<&str>,
    found: &[Occurrence],
) -> Result<Restored, Failure> {
    let journal = super::restore::journal(session, repository).await?;
    let mut restored = Restored::default();
    let of_restore = |error| Failure::of_restore(&error);
    if let Some(pattern) = pattern {
        let job = pattern.strip_prefix("jobs/").unwrap_or(pattern);
        restored.runs = journal.runs_of(job).await.map_err(of_restore)?;
        restored.renamed = journal.renamed_of(pattern).await.map_err(of_restore)?;
    }
    let items = found.iter().filter(|found| found.file.is_none());
    for item in items.map(|found| &found.item).take(ITEMS_MAX) {
        let made = match item.kind == "jobs" {
            true => journal.runs_of(&item.name).await.map_err(of_restore)?,
            false => {
                let id = crate::held::id(item).to_string();
                let renamed = journal.renamed_of(&id).await.map_err(of_restore)?;
                restored.renamed.extend(renamed);
                continue;
            }
        };
        restored.runs.extend(made);
    }
    for made in [&mut restored.runs, &mut restored.renamed] {
        made.sort();
        made.dedup();
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
