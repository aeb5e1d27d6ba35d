//! `mlark runbook`: writes what to type after the loss of the machine, of a workspace, of the region and of one notebook, and
//! keeps a copy in the repository, which an owner's key alone opens again.

use std::fs;
use std::path::{Path, PathBuf};

use archive_format::log::Note;
use archive_format::{Error, Repository, Said};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::runbook::{self, Facts, TITLE};
use crate::session::Session;
use crate::session::repository::make_parent;
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark runbook                                  to the screen, and a copy into the repository
  mlark runbook --output /root/runbook.md
  mlark runbook --stored --repository az://stbackup007/mlark --identity-file owner.key
                                                 the newest copy, on any machine")]
pub struct Args {
    /// Write it to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print the newest copy that is in the repository
    #[arg(long)]
    stored: bool,
    /// The copy of this machine
    #[arg(long, value_name = "LABEL", requires = "stored")]
    machine: Option<String>,
}

/// Writes it, or reads it back.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    if args.stored {
        let copy = stored(args.machine.as_deref(), session, &repository).await?;
        show(args, session, &copy.what, Some(copy.entry))?;
        return Ok(ExitStatus::Done);
    }
    let facts = Facts::gather(session, &repository).await?;
    let note = runbook::note(&facts);
    let kept = keep(session, &repository, &note).await;
    let entry = newest(&repository)
        .await?
        .into_iter()
        .find(|known| known.what == note)
        .map(|known| known.entry);
    show(args, session, &note, entry)?;
    Ok(kept)
}

/// Keeps a copy. Where that fails the runbook is written all the same.
async fn keep(session: &Session, repository: &Repository, note: &Note) -> ExitStatus {
    let now = session.context.clock.now();
    match repository.keep_note(note.clone(), now).await {
        Ok(_) => ExitStatus::Done,
        Err(Error::NoSigner { .. }) => {
            let why = "This machine has no key that writes, so that no copy of it was put into the repository";
            session.ui.note(why);
            ExitStatus::Done
        }
        Err(error) => {
            let failure = Failure::of_archive(&error);
            session.ui.warn(&format!(
                "No copy of the runbook was put into the repository: {}",
                failure.sentence()
            ));
            failure.status
        }
    }
}

/// The newest copy of each machine, in the log's order.
async fn newest(repository: &Repository) -> Result<Vec<Said<Note>>, Failure> {
    let notes = repository.notes().await;
    let mut notes = notes.map_err(|error| Failure::of_archive(&error))?;
    notes.retain(|note| note.what.title.starts_with(TITLE));
    Ok(notes)
}

/// The copy that is asked for.
async fn stored(
    machine: Option<&str>,
    session: &Session,
    repository: &Repository,
) -> Result<Said<Note>, Failure> {
    let mut copies = newest(repository).await?;
    let of = |note: &Said<Note>| note.what.title.trim_start_matches(TITLE).to_owned();
    let machines: Vec<String> = copies.iter().map(of).collect();
    if let Some(machine) = machine {
        copies.retain(|copy| of(copy) == machine);
    }
    let Some(copy) = copies.pop() else {
        let failure = Failure::usage("There is no copy of the runbook");
        return Err(match machines.as_slice() {
            [] => failure
                .on(repository.storage().describe())
                .next("run `mlark runbook` on the machine that backs up"),
            known => failure
                .on(machine.unwrap_or_default())
                .why(format!("there are those of {}", known.join(", "))),
        });
    };
    let now = session.context.clock.now();
    session.ui.note(&format!(
        "Of {}, {}, log entry {}",
        of(&copy),
        amount::age(copy.time, now),
        copy.entry
    ));
    if machine.is_none() && machines.len() > 1 {
        session.ui.note(&format!(
            "There are those of {}: --machine names one",
            machines.join(", ")
        ));
    }
    Ok(copy)
}

fn show(args: &Args, session: &Session, note: &Note, entry: Option<u64>) -> Result<(), Failure> {
    if let Some(file) = &args.output {
        write(file, &note.text)?;
    }
    let ui = &session.ui;
    if ui.json() {
        ui.document(&json!({
            "title": note.title,
            "entry": entry,
            "file": args.output,
            "text": args.output.is_none().then_some(&note.text),
        }));
        return Ok(());
    }
    match &args.output {
        None => ui.lines(note.text.trim_end()),
        Some(file) => ui.line(&format!("{}: the runbook", file.display())),
    }
    Ok(())
}

/// Writes it as a whole: it takes the place of an older one.
fn write(file: &Path, text: &str) -> Result<(), Failure> {
    make_parent(file)?;
    let mut name = file.as_os_str().to_owned();
    name.push(format!(".new-{}", std::process::id()));
    let new = PathBuf::from(name);
    fs::write(&new, text)
        .and_then(|()| fs::rename(&new, file))
        .map_err(|error| {
            Failure::failed("The runbook cannot be written")
                .on(file.display())
                .why(error)
        })
}
