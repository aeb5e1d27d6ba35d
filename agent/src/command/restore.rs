//! `mlark restore`: what would be done, doing it, comparing it, and what was done. The library decides; here it is asked
//! for, watched and shown.

pub mod apply;
pub mod list;
pub(super) mod open;
pub mod plan;
pub mod rehydrate;
mod show;
pub mod verify;
mod watch;

use std::path::PathBuf;

use archive_format::Repository;
use clap::{Subcommand, ValueEnum};
use restore::{Journal, OnConflict};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark restore plan latest:prod --into rescue
  mlark restore apply latest:prod --into rescue
  mlark restore verify latest:prod --against rescue")]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Shows what would be done and what would be lost; changes nothing
    Plan(plan::Args),
    /// Does it; goes on where it was stopped
    Apply(apply::Args),
    /// Brings archived packs of a snapshot, or an archived export, back, so that they can be read
    Rehydrate(rehydrate::Args),
    /// Compares a workspace with a snapshot, item by item and byte by byte
    Verify(verify::Args),
    /// Lists the restores under way and done
    List(list::Args),
}

/// Options that decide what a plan holds.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Choices {
    /// Mapping of names: subscriptions, datastores, accounts, computes, …
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// What to do with an item that the target has with another content
    #[arg(long, value_enum, default_value_t, value_name = "WHAT")]
    on_conflict: Conflict,
    /// What is done only when asked for (comma-separated)
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    include: Vec<Included>,
    /// Submit jobs again that had not ended: they run from their beginning, and cost money
    #[arg(long)]
    resubmit: bool,
}

/// What to do with an item that the target has with another content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Conflict {
    /// Nothing of it is written
    #[default]
    Fail,
    /// The target's item stays, and references lead to it
    Skip,
    /// It is made under the next free version, and every reference follows
    NewVersion,
    /// Files that differ are written over; another document still fails
    OverwriteFiles,
}

/// What is done only when asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Included {
    /// Computes, which cost money
    Compute,
    /// Deployments, which run machines, and then the traffic of their endpoints
    Deployments,
    /// Credentials of datastores, connections and endpoints, from the snapshot
    Secrets,
}

impl Choices {
    /// Those that are not the standard, as they are typed.
    fn options(&self) -> Vec<(&'static str, String)> {
        let mut options = Vec::new();
        let mapping = self.mapping.as_ref();
        options.extend(mapping.map(|file| ("--mapping", file.display().to_string())));
        let on_conflict = Some(self.on_conflict).filter(|it| *it != Conflict::default());
        options.extend(on_conflict.map(|it| ("--on-conflict", word(&it))));
        options.extend(self.include.iter().map(|it| ("--include", word(it))));
        options.extend(self.resubmit.then(|| ("--resubmit", String::new())));
        options
    }
}

/// A value as it is typed.
fn word(value: &impl ValueEnum) -> String {
    let value = value.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

impl From<Conflict> for OnConflict {
    fn from(conflict: Conflict) -> Self {
        match conflict {
            Conflict::Fail => Self::Fail,
            Conflict::Skip => Self::Skip,
            Conflict::NewVersion => Self::NewVersion,
            Conflict::OverwriteFiles => Self::OverwriteFiles,
        }
    }
}

/// The journal of this machine for a repository.
pub(super) async fn journal(
    session: &Session,
    repository: &Repository,
) -> Result<Journal, Failure> {
    open::journal(session, repository).await
}

/// Does what was asked.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.act {
        Act::Plan(args) => plan::run(args, session).await,
        Act::Apply(args) => apply::run(args, session).await,
        Act::Rehydrate(args) => rehydrate::run(args, session).await,
        Act::Verify(args) => verify::run(args, session).await,
        Act::List(args) => list::run(args, session).await,
    }
}
