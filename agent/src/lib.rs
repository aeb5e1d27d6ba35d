//! mlark as a library: what the program does, callable in-process.
//!
//! ```text
//! run ─► cli (options) ─► session (configuration) ─► command::… ─► ui
//! ```
//!
//! Tests call [`run`] with their own clock, variables, transport and sinks; the program calls it with the process's.

pub mod arenas;
pub mod azure;
pub mod backup;
pub mod capture;
pub mod cli;
pub mod clock;
pub mod command;
pub mod config;
pub mod context;
pub mod daemon;
pub mod exit;
pub mod exports;
pub mod failure;
pub mod gone;
pub mod health;
pub mod held;
pub mod keeping;
pub mod lock;
pub mod metrics;
pub mod own_account;
pub mod part;
pub mod place;
pub mod prices;
pub mod remembered;
pub mod retention;
pub mod runbook;
pub mod session;
pub mod shutdown;
pub mod signals;
pub mod stamp;
pub mod store;
pub mod thaw;
pub mod trace;
pub mod ui;

use std::ffi::OsString;

use clap::Parser;
use clap::error::ErrorKind;

use cli::Cli;
pub use context::{Context, Sink, Terminals};
pub use exit::ExitStatus;
use failure::Failure;
use session::Session;
use ui::{Manner, Ui};

/// Runs the program once: `arguments` begin with its name.
pub async fn run<I, A>(arguments: I, context: Context) -> ExitStatus
where
    I: IntoIterator<Item = A>,
    A: Into<OsString> + Clone,
{
    let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return refused(&error, &arguments, &context),
    };
    let ui = Ui::new(&context, cli.global.manner());
    let status = match carry_out(cli, context, ui.clone()).await {
        Ok(status) => status,
        Err(failure) => {
            ui.failure(&failure);
            failure.status
        }
    };
    match ui.broken() {
        None => status,
        Some(why) => {
            ui.warn(&format!("The result could not be written: {why}"));
            status.and(ExitStatus::Failed)
        }
    }
}

async fn carry_out(cli: Cli, context: Context, ui: Ui) -> Result<ExitStatus, Failure> {
    let session = Session::open(cli.global, context, ui)?;
    command::run(cli.command, &session).await
}

/// Help and version go to standard output and are no failure; anything else that clap refuses is wrong usage.
fn refused(error: &clap::Error, arguments: &[OsString], context: &Context) -> ExitStatus {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            Ui::new(context, Manner::default()).lines(text.trim_end());
            ExitStatus::Done
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            Ui::new(context, Manner::default()).help(text.trim_end());
            ExitStatus::Usage
        }
        _ => {
            let manner = Manner {
                json: arguments.iter().any(|argument| argument == "--json"),
                ..Manner::default()
            };
            Ui::new(context, manner).failure(&misuse(&text));
            ExitStatus::Usage
        }
    }
}

/// Clap's message as ours: its first paragraph says what is wrong, its tips what is meant.
fn misuse(text: &str) -> Failure {
    let mut what = Vec::new();
    let mut next = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            next.push(tip);
        } else if line.starts_with("Usage:") {
            next.push(line);
            break;
        } else if !line.is_empty() {
            what.push(line.trim_start_matches("error: "));
        }
    }
    if next.is_empty() {
        next.push("see `mlark --help`, or `--help` after a command's name");
    }
    let mut what = what.join(" ");
    if let Some(first) = what.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Failure::usage(what).next(next.join("; "))
}
