//! `mlark daemon`: runs the schedule until it is told to stop.

use crate::daemon;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark daemon                          SIGTERM stops at a safe point, SIGHUP reads the configuration again
  systemctl enable --now mlark.service  the usual way to run it")]
pub struct Args {}

/// Runs it.
pub async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    daemon::run(session).await
}
