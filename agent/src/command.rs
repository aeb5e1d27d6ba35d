//! The commands, a file each: its options, then what it does, then what it shows.

pub mod backup;
pub mod catalogue;
pub mod check;
pub mod completions;
pub mod config;
pub mod copy;
pub mod daemon;
pub mod diff;
pub mod find;
pub mod forget;
pub mod gaps;
pub mod init;
pub mod key;
pub mod ls;
pub mod prune;
pub mod restore;
pub mod show;
pub mod snapshots;
pub mod status;

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
    /// Checks or shows the configuration
    Config(config::Args),
    /// Prints a completion script for a shell
    Completions(completions::Args),
}

/// Does it.
pub async fn run(command: Command, session: &Session) -> Result<ExitStatus, Failure> {
    match command {
        Command::Init(args) => init::run(&args, session).await,
        Command::Backup(args) => backup::run(&args, session).await,
        Command::Daemon(_) => daemon::run(session).await,
        Command::Status(_) => status::run(session).await,
        Command::Snapshots(args) => snapshots::run(&args, session).await,
        Command::Ls(args) => ls::run(&args, session).await,
        Command::Show(args) => show::run(&args, session).await,
        Command::Restore(args) => restore::run(&args, session).await,
        Command::Check(args) => check::run(&args, session).await,
        Command::Catalogue(args) => catalogue::run(&args, session).await,
        Command::Find(args) => find::run(&args, session).await,
        Command::Diff(args) => diff::run(&args, session).await,
        Command::Gaps(args) => gaps::run(&args, session).await,
        Command::Copy(args) => copy::run(&args, session).await,
        Command::Forget(args) => forget::run(&args, session).await,
        Command::Prune(args) => prune::run(&args, session).await,
        Command::Key(args) => key::run(&args, session).await,
        Command::Config(args) => config::run(&args, session),
        Command::Completions(args) => Ok(completions::run(&args, session)),
    }
}
