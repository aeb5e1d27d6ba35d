//! The command line as clap reads it: the options that every command takes, and the list of commands. Each command's
//! own options stand in its file.

use std::path::PathBuf;

use clap::builder::Styles;
use clap::{Args, Parser};

use crate::command::Command;
use crate::ui::{Colour, Manner};

/// Backs up Azure Machine Learning workspaces and brings them back.
#[derive(Debug, Parser)]
#[command(
    name = "mlark",
    version,
    styles = Styles::plain(),
    disable_help_subcommand = true,
    propagate_version = false,
    infer_long_args = false,
    after_help = "\
Examples:
  mlark init                               make the repository of the configuration
  mlark backup                             back up every workspace of the configuration
  mlark status                             is there a good backup, and what is to do
  mlark restore plan latest --into rescue  what a restore would do and what would be lost

Exit codes:
  0 done, 1 failed, 2 wrong usage or configuration, 3 done with gaps or losses, 4 damage or difference found,
  10 no repository there, 11 busy, 12 no key that opens it, 130 interrupted"
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Configuration file [default: $MLARK_CONFIG, /etc/mlark/mlark.toml, ~/.config/mlark/mlark.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Repository: a path, az://ACCOUNT/CONTAINER, s3:// or gs:// [default: $MLARK_REPOSITORY, then the configuration]
    #[arg(long, global = true, value_name = "URL")]
    pub repository: Option<String>,
    /// An owner's age identity or SSH private key [default: $MLARK_IDENTITY_FILE, then the configuration]
    #[arg(long, global = true, value_name = "FILE")]
    pub identity_file: Option<PathBuf>,
    /// File with an owner's passphrase, - asks on the terminal (repeatable) [default: $MLARK_PASSPHRASE_FILE, then the configuration]
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Vec<PathBuf>,
    /// Refuse a repository whose log does not have this entry: its number and SHA-256
    #[arg(long, global = true, value_name = "N:HASH")]
    pub expect_head: Option<String>,
    /// One JSON document on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Results and errors only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more; with --json also events, a line each, before the document
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// No progress
    #[arg(long, global = true)]
    pub no_progress: bool,
    /// When to colour
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        alias = "colour"
    )]
    pub color: Colour,
}

impl Global {
    /// How the user wants to be spoken to.
    pub fn manner(&self) -> Manner {
        Manner {
            json: self.json,
            quiet: self.quiet,
            verbose: self.verbose,
            no_progress: self.no_progress,
            colour: self.color,
        }
    }
}
