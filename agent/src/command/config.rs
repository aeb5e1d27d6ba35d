//! `mlark config`: whether the configuration is good, and what it comes to. Reading it is the check; every command
//! reads it before anything else.

use clap::Subcommand;
use serde_json::json;

use crate::command::drill;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark config check --config ./mlark.toml
  mlark config show")]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Reads the configuration and says whether it is good
    #[command(after_help = "Example:\n  mlark config check --config ./mlark.toml")]
    Check,
    /// Shows what it comes to, defaults included; it names files of secrets, never secrets
    #[command(after_help = "Example:\n  mlark config show")]
    Show,
}

/// Checks or shows.
pub async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match args.act {
        Act::Check => {
            check_part(session).await?;
            check(session);
        }
        Act::Show => show(session)?,
    }
    Ok(ExitStatus::Done)
}

/// Drills open contents: whoever schedules them on a machine without an owner's key is told now, and not at night.
async fn check_part(session: &Session) -> Result<(), Failure> {
    let Some(work) = session.config.owner_work() else {
        return Ok(());
    };
    match session.open_repository().await {
        Ok(repository) => drill::may(&repository)
            .await
            .map_err(|failure| failure.with_place(work)),
        Err(failure) => {
            session.ui.warn(&format!(
                "Whether this machine may do what {work} wants is not known: {}",
                failure.sentence()
            ));
            Ok(())
        }
    }
}

fn check(session: &Session) {
    let config = &session.config;
    let file = session
        .config_file
        .as_ref()
        .map(|file| file.display().to_string());
    if session.ui.json() {
        session.ui.document(&json!({
            "file": file,
            "workspaces": config.workspace.len(),
            "targets": config.target.len(),
        }));
        return;
    }
    match file {
        None => session
            .ui
            .line("There is no configuration file; the defaults are good"),
        Some(file) => session.ui.line(&format!(
            "{file} is good: {} to back up, {} to restore into",
            amount::counted(config.workspace.len() as u64, "workspace"),
            amount::counted(config.target.len() as u64, "target"),
        )),
    }
}

fn show(session: &Session) -> Result<(), Failure> {
    if session.ui.json() {
        session.ui.document(&session.config);
        return Ok(());
    }
    let text = toml::to_string_pretty(&session.config)
        .map_err(|error| Failure::failed("The configuration cannot be written").because(&error))?;
    session.ui.lines(text.trim_end());
    Ok(())
}
