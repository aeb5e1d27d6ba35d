//! `mlark key`: who can read and who can write. A secret is written to a file that only its owner can read, or printed once.

mod add;
mod generate;
mod list;
mod remove;
mod revoke;
mod rotate;

pub(crate) use add::parse_recipient;
use archive_format::KeysChanged;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mlark key list")]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Makes an owner's age identity, or a key file for another machine
    Generate(generate::Args),
    /// Lists who holds keys, and who was revoked
    List(list::Args),
    /// Lets another owner read, or another machine write
    Add(add::Args),
    /// Leaves an owner or a machine out from now on
    Remove(remove::Args),
    /// Makes new keys for what is written from now on
    Rotate(rotate::Args),
    /// After a theft: what a machine signed behind an entry counts for nothing
    Revoke(revoke::Args),
}

/// Does it.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.act {
        Act::Generate(args) => generate::run(args, session).await,
        Act::List(_) => list::run(session).await,
        Act::Add(args) => add::run(args, session).await,
        Act::Remove(args) => remove::run(args, session).await,
        Act::Rotate(_) => rotate::run(session).await,
        Act::Revoke(args) => revoke::run(args, session).await,
    }
}

/// Shows a change: as a document, or what was done and each thing to know about it.
fn show(session: &Session, changed: &KeysChanged, done: &str, more: &[String], fields: Value) {
    let kept: Vec<String> = changed
        .kept
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    if session.ui.json() {
        let mut document = json!({
            "entry": changed.entry,
            "edition": changed.edition,
            "kept": kept,
        });
        if let (Some(document), Value::Object(fields)) = (document.as_object_mut(), fields) {
            document.extend(fields);
        }
        session.ui.document(&document);
        return;
    }
    session.ui.line(&format!(
        "{done}: log entry {}, edition {} of the keys",
        changed.entry, changed.edition
    ));
    for line in more {
        session.ui.line(&format!("  {line}"));
    }
    for (name, reason) in &changed.kept {
        session
            .ui
            .note(&format!("{name} is superseded and stays: {reason}"));
    }
}
