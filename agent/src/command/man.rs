//! `mlark man`: the manual pages, made of the same definitions as `--help`. It reads nothing.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::make_folder;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark man | man -l -                        the page of the program
  mlark man --dir /usr/local/share/man/man1   a page for each command")]
pub struct Args {
    /// Write a page for each command into this folder
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Prints the page, or writes all.
pub fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let failed = |place: &dyn std::fmt::Display, error: std::io::Error| {
        Failure::failed("A manual page cannot be written")
            .on(place)
            .why(error)
    };
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    match &args.dir {
        None => {
            let mut page = Vec::new();
            let written = Man::new(command).render(&mut page);
            written.map_err(|error| failed(&"standard output", error))?;
            session.ui.bytes(&page);
        }
        Some(folder) => {
            make_folder(folder)?;
            let written = clap_mangen::generate_to(command, folder);
            written.map_err(|error| failed(&folder.display(), error))?;
        }
    }
    Ok(ExitStatus::Done)
}
