//! The commands, a file each: its options, then what it does, then what it shows.

pub mod completions;
pub mod config;

use clap::Subcommand;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks or shows the configuration
    Config(config::Args),
    /// Prints a completion script for a shell
    Completions(completions::Args),
}

/// Does it.
pub async fn run(command: Command, session: &Session) -> Result<ExitStatus, Failure> {
    match command {
        Command::Config(args) => config::run(&args, session),
        Command::Completions(args) => Ok(completions::run(&args, session)),
    }
}
