//! `mlark key generate`: an owner's identity, or the key file of another machine.

use std::path::{Path, PathBuf};

use archive_format::keys::write_exclusive;
use archive_format::{MachineKey, Pair};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::{id_at, make_parent};

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark key generate --output owner.key              an owner's; its recipient is for init --recipient and key add
  mlark key generate --machine web-2 --output /etc/mlark/agent.key
                                                     on that machine; an owner gives the printed line to key add --machine")]
pub(super) struct Args {
    /// Write it to this new file, readable by its owner alone, instead of standard output
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A key file for a machine of this name that is to write to the repository
    #[arg(long, value_name = "LABEL")]
    machine: Option<String>,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.machine {
        Some(label) => machine(label, args.output.as_deref(), session).await,
        None => owner(args.output.as_deref(), session),
    }
}

fn owner(output: Option<&Path>, session: &Session) -> Result<ExitStatus, Failure> {
    let pair = Pair::generate();
    let recipient = pair.to_public_text();
    let text = pair.to_file_text(session.context.clock.now());
    write(output, &text)?;
    let ui = &session.ui;
    if ui.json() {
        let secret = pair.to_secret_text();
        ui.document(&json!({
            "recipient": recipient,
            "file": output,
            "identity": output.is_none().then(|| secret.expose_secret()),
        }));
        return Ok(ExitStatus::Done);
    }
    match output {
        Some(file) => ui.line(&format!("{}: the identity of {recipient}", file.display())),
        None => ui.lines(text.expose_secret().trim_end()),
    }
    Ok(ExitStatus::Done)
}

async fn machine(
    label: &str,
    output: Option<&Path>,
    session: &Session,
) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let id = id_at(&session.storage().await?).await?;
    let id = id.parse().map_err(|error| Failure::of_archive(&error))?;
    let key = MachineKey::generate(id, label).map_err(archive)?;
    let introduction = key.introduction();
    let text = key.to_text();
    write(output, &text)?;
    let ui = &session.ui;
    if ui.json() {
        ui.document(&json!({
            "machine": introduction.label,
            "recipient": introduction.recipient.to_string(),
            "signer": introduction.signer.to_string(),
            "line": introduction.to_string(),
            "file": output,
            "key": output.is_none().then(|| text.expose_secret()),
        }));
        return Ok(ExitStatus::Done);
    }
    match output {
        Some(file) => {
            ui.line(&format!(
                "{}: the key of {}",
                file.display(),
                introduction.label
            ));
            ui.line(&format!("  recipient: {}", introduction.recipient));
            ui.line(&format!("  signer:    {}", introduction.signer));
        }
        None => ui.lines(text.expose_secret().trim_end()),
    }
    ui.note("It opens nothing before an owner introduces it:");
    ui.note(&format!("  mlark key add --machine '{introduction}'"));
    Ok(ExitStatus::Done)
}

fn write(output: Option<&Path>, text: &SecretString) -> Result<(), Failure> {
    let Some(file) = output else {
        return Ok(());
    };
    make_parent(file)?;
    write_exclusive(file, text).map_err(|error| Failure::of_archive(&error))
}
