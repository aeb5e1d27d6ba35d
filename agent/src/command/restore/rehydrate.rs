//! `mlark restore rehydrate`: brings archived packs of a snapshot back, so that a restore, `show` or `check --read-data` can
//! read them. It changes no file of the repository but, with `in-place`, the tier of packs.

use archive_format::SnapshotReader;
use restore::Origin;
use serde_json::json;

use super::open;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw::{self, Brought, Foretold, How, Wish};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark restore rehydrate latest:prod                          what it takes and costs, then the question
  mlark restore rehydrate latest:prod 'models/churn:*' --yes
  mlark restore rehydrate latest:prod --dry-run --rehydrate-priority high")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME
    snapshot: String,
    /// What is to be read; everything where none is given
    selector: Vec<String>,
    #[command(flatten)]
    wish: Wish,
    /// Only show what it takes and costs
    #[arg(long)]
    dry_run: bool,
    /// Begin it, and end without waiting (3)
    #[arg(long)]
    no_wait: bool,
    /// Begin it without asking
    #[arg(short, long)]
    yes: bool,
}

/// Brings back.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let opened = open::origin(session, &args.snapshot, open::Way::Names).await?;
    let Origin::Archive(reader) = &opened.origin else {
        return Err(Failure::usage("A folder has no archive tier").on(&args.snapshot));
    };
    let foretold = foretold(session, reader, &args.selector, args.wish).await?;
    let Some(foretold) = foretold else {
        return Ok(done(session));
    };
    let again = again("restore rehydrate", &args.snapshot, &args.selector, &[]);
    if args.dry_run {
        thaw::tell(session, &foretold, &again);
        return Ok(ExitStatus::Gaps);
    }
    let how = How {
        wish: args.wish,
        yes: args.yes,
        wait: !args.no_wait,
    };
    let storage = reader.repository().storage();
    match thaw::bring_back(session, storage.as_ref(), foretold, how, &again).await? {
        Brought::Ready => Ok(done(session)),
        Brought::UnderWay(foretold) => {
            thaw::tell(session, &foretold, &again);
            Ok(ExitStatus::Gaps)
        }
    }
}

fn done(session: &Session) -> ExitStatus {
    if session.ui.json() {
        session
            .ui
            .document(&json!({"rehydration": null, "outcome": "complete"}));
    } else {
        session.ui.line("Everything that this takes can be read");
    }
    ExitStatus::Done
}

async fn foretold(
    session: &Session,
    reader: &SnapshotReader,
    selectors: &[String],
    wish: Wish,
) -> Result<Option<Foretold>, Failure> {
    session.selection(selectors)?;
    thaw::foretell_snapshot(session, reader, selectors, wish).await
}

/// What of an opened snapshot must come back before it can be read; none where it all can, or where it is a folder.
pub(super) async fn needed(
    session: &Session,
    opened: &open::Opened,
    selectors: &[String],
    wish: Wish,
) -> Result<Option<Foretold>, Failure> {
    match &opened.origin {
        Origin::Archive(reader) => foretold(session, reader, selectors, wish).await,
        Origin::Folder(_) | Origin::Bag(_) => Ok(None),
    }
}

/// Brings back what a restore reads; none where the restore may go on, else the exit code.
pub(super) async fn before(
    session: &Session,
    opened: &open::Opened,
    selectors: &[String],
    how: How,
    again: &str,
) -> Result<Option<ExitStatus>, Failure> {
    let Origin::Archive(reader) = &opened.origin else {
        return Ok(None);
    };
    let Some(foretold) = foretold(session, reader, selectors, how.wish).await? else {
        return Ok(None);
    };
    let storage = reader.repository().storage();
    match thaw::bring_back(session, storage.as_ref(), foretold, how, again).await? {
        Brought::Ready => Ok(None),
        Brought::UnderWay(foretold) => {
            thaw::tell(session, &foretold, again);
            Ok(Some(ExitStatus::Gaps))
        }
    }
}

/// A command to go on with.
pub(super) fn again(
    command: &str,
    snapshot: &str,
    selectors: &[String],
    options: &[(&str, &str)],
) -> String {
    let mut words = vec![format!("mlark {command} {}", word(snapshot))];
    words.extend(selectors.iter().map(|selector| word(selector)));
    for (option, value) in options {
        words.push((*option).to_owned());
        if !value.is_empty() {
            words.push(word(value));
        }
    }
    words.join(" ")
}

/// A word for a POSIX shell.
fn word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || "-_./:@".contains(sign);
    match !text.is_empty() && text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
