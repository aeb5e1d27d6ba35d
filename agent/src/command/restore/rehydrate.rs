//! `mlark restore rehydrate`: brings archived packs of a snapshot, or the archived tar of an export, back, so that a restore,
//! `show`, `check --read-data` or `export verify --read-data` can read them. It changes no file but, with `in-place`, the tier.

use restore::Origin;
use serde_json::json;

use super::open::{self, Found, Opened};
use crate::command::export::vouch::Vouch;
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
  mlark restore rehydrate latest:prod --dry-run --rehydrate-priority high
  mlark restore rehydrate cold/prod-20261129-01kb2m8n0q        an export")]
pub struct Args {
    /// The snapshot: an id, a unique prefix, latest, latest:WORKSPACE, WORKSPACE@TIME, or an export's address
    snapshot: String,
    /// What is to be read; everything where none is given, and always of an export
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
    let found = open::find(
        session,
        &args.snapshot,
        open::Way::Places,
        &Vouch::default(),
    )
    .await?;
    if found.storage().is_none() {
        return Err(Failure::usage("A folder has no archive tier").on(&args.snapshot));
    }
    let (snapshot, options) = (&args.snapshot, args.wish.options());
    let again = again("restore rehydrate", snapshot, &args.selector, &options);
    let status = if args.dry_run {
        let foretold = needed(session, &found, &args.selector, args.wish).await?;
        foretold.map(|foretold| told(session, &foretold, &again))
    } else {
        let how = How {
            wish: args.wish,
            yes: args.yes,
            wait: !args.no_wait,
        };
        before(session, &found, &args.selector, how, &again).await?
    };
    Ok(status.unwrap_or_else(|| done(session)))
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

fn told(session: &Session, foretold: &Foretold, again: &str) -> ExitStatus {
    thaw::tell(session, foretold, again);
    ExitStatus::Gaps
}

/// What must come back before a snapshot or an export can be read; none where it all can, or where it is a folder.
pub(super) async fn needed(
    session: &Session,
    found: &Found,
    selectors: &[String],
    wish: Wish,
) -> Result<Option<Foretold>, Failure> {
    session.selection(selectors)?;
    match found {
        Found::Sealed(sealed) => {
            thaw::foretell_export(session, sealed.storage.as_ref(), &sealed.seal, wish).await
        }
        Found::Opened(opened) => match &opened.origin {
            Origin::Archive(reader) => {
                thaw::foretell_snapshot(session, reader, selectors, wish).await
            }
            Origin::Folder(_) | Origin::Bag(_) => Ok(None),
        },
    }
}

/// Whether what must come back is only contents of files, so that it can be planned and compared.
pub(super) async fn has_documents(found: &Found, foretold: &Foretold) -> Result<bool, Failure> {
    match found {
        Found::Opened(Opened {
            origin: Origin::Archive(reader),
            ..
        }) => thaw::has_documents(reader, foretold).await,
        Found::Opened(_) => Ok(true),
        Found::Sealed(_) => Ok(false),
    }
}

/// Brings back what a restore reads; none where it may go on, else the exit code.
pub(super) async fn before(
    session: &Session,
    found: &Found,
    selectors: &[String],
    how: How,
    again: &str,
) -> Result<Option<ExitStatus>, Failure> {
    let Some(storage) = found.storage() else {
        return Ok(None);
    };
    let Some(foretold) = needed(session, found, selectors, how.wish).await? else {
        return Ok(None);
    };
    match thaw::bring_back(session, storage.as_ref(), foretold, how, again).await? {
        Brought::Ready => Ok(None),
        Brought::UnderWay(foretold) => Ok(Some(told(session, &foretold, again))),
    }
}

/// A command to go on with.
pub(crate) fn again(
    command: &str,
    snapshot: &str,
    selectors: &[String],
    options: &[(&str, String)],
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
