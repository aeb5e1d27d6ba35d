//! The commands, a file each: its options, then what it does, then what it shows.

pub mod backup;
pub mod catalogue;
pub mod check;
pub mod completions;
pub mod config;
pub mod copy;
pub mod daemon;
pub mod diff;
pub mod doctor;
pub mod drill;
pub mod export;
pub mod find;
pub mod forget;
pub mod gaps;
pub mod init;
pub mod key;
pub mod ls;
pub mod man;
pub mod prune;
pub mod restore;
pub mod runbook;
pub mod show;
pub mod snapshots;
pub mod status;
pub mod undelete;

use std::future::ready;
use std::pin::Pin;

use clap::Subcommand;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Makes the repository and this machine's key
    Init(init::Args),
    /// Backs up workspaces
    Backup(backup::Args),
    /// Runs the schedule until told to stop
    Daemon(daemon::Args),
    /// Health at a glance: is there a good backup, and what is to do
    Status(status::Args),
    /// Lists the snapshots
    Snapshots(snapshots::Args),
    /// Lists what a snapshot holds
    Ls(ls::Args),
    /// Shows the document of an item, or the bytes of a file
    Show(show::Args),
    /// Finds an item, run, file or digest across snapshots and restores
    Find(find::Args),
    /// Compares two snapshots
    Diff(diff::Args),
    /// Lists the gaps, with first and last sight
    Gaps(gaps::Args),
    /// Brings back what a snapshot holds: plan, apply, verify
    Restore(restore::Args),
    /// Brings back what was deleted, from the newest snapshot that has it into the workspace that it came from
    Undelete(undelete::Args),
    /// Writes a snapshot for readers without mlark
    Export(export::Args),
    /// Checks the repository: log, signatures, manifests, packs
    Check(check::Args),
    /// Makes this machine's catalogue anew
    Catalogue(catalogue::Args),
    /// Copies snapshots to another repository
    Copy(copy::Args),
    /// Forgets snapshots: those that the retention rules keep no longer, or by name
    Forget(forget::Args),
    /// Frees the space of what was forgotten
    Prune(prune::Args),
    /// Who can read and who can write: makes, lists, adds, removes, revokes keys
    Key(key::Args),
    /// Restores a snapshot into a scratch place, compares, measures, and keeps the evidence
    Drill(drill::Args),
    /// Looks at everything that a backup leans on: clock, identity, permissions, endpoints, storage, keys
    Doctor(doctor::Args),
    /// Writes what to type after a loss, for this very installation
    Runbook(runbook::Args),
    /// Checks or shows the configuration
    Config(config::Args),
    /// Prints a completion script for a shell
    Completions(completions::Args),
    /// Prints the manual page, or writes those of all commands
    Man(man::Args),
}

/// Does it. What a command keeps while it waits lies on the heap, so that none of them pays for the largest.
pub async fn run(command: Command, session: &Session) -> Result<ExitStatus, Failure> {
    begin(&command, session).await
}

type Work<'a> = Pin<Box<dyn Future<Output = Result<ExitStatus, Failure>> + 'a>>;

fn begin<'a>(command: &'a Command, session: &'a Session) -> Work<'a> {
    match command {
        Command::Init(args) => Box::pin(init::run(args, session)),
        Command::Backup(args) => Box::pin(backup::run(args, session)),
        Command::Daemon(_) => Box::pin(daemon::run(session)),
        Command::Status(_) => Box::pin(status::run(session)),
        Command::Snapshots(args) => Box::pin(snapshots::run(args, session)),
        Command::Ls(args) => Box::pin(ls::run(args, session)),
        Command::Show(args) => Box::pin(show::run(args, session)),
        Command::Restore(args) => Box::pin(restore::run(args, session)),
        Command::Undelete(args) => Box::pin(undelete::run(args, session)),
        Command::Export(args) => Box::pin(export::run(args, session)),
        Command::Check(args) => Box::pin(check::run(args, session)),
        Command::Catalogue(args) => Box::pin(catalogue::run(args, session)),
        Command::Find(args) => Box::pin(find::run(args, session)),
        Command::Diff(args) => Box::pin(diff::run(args, session)),
        Command::Gaps(args) => Box::pin(gaps::run(args, session)),
        Command::Copy(args) => Box::pin(copy::run(args, session)),
        Command::Forget(args) => Box::pin(forget::run(args, session)),
        Command::Prune(args) => Box::pin(prune::run(args, session)),
        Command::Key(args) => Box::pin(key::run(args, session)),
        Command::Drill(args) => Box::pin(drill::run(args, session)),
        Command::Doctor(args) => Box::pin(doctor::run(args, session)),
        Command::Runbook(args) => Box::pin(runbook::run(args, session)),
        Command::Config(args) => Box::pin(config::run(args, session)),
        Command::Completions(args) => Box::pin(ready(Ok(completions::run(args, session)))),
        Command::Man(args) => Box::pin(ready(man::run(args, session))),
    }
}
