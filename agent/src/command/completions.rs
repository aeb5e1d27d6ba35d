//! `mlark completions`: what a shell needs to complete the command line. It reads nothing.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::ExitStatus;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mlark completions bash > /etc/bash_completion.d/mlark")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the script.
pub fn run(args: &Args, session: &Session) -> ExitStatus {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mlark", &mut script);
    session.ui.bytes(&script);
    ExitStatus::Done
}
