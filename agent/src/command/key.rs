//! `mlark key`: makes an owner's key. A secret is written to a file that only its owner can read, or printed once.

use std::path::PathBuf;

use archive_format::Identity;
use archive_format::keys::write_exclusive;
use clap::Subcommand;
use secrecy::ExposeSecret;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::repository::make_parent;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mlark key generate --output owner.key")]
pub struct Args {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Makes an owner's age identity; its recipient is given to `mlark init --recipient`
    #[command(after_help = "\
Examples:
  mlark key generate --output owner.key
  mlark init --recipient age1…")]
    Generate {
        /// Write it to this new file, readable by its owner alone, instead of standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Makes the key.
pub fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let Act::Generate { output } = &args.act;
    let identity = Identity::generate();
    let recipient = identity.to_recipient().to_string();
    let text = identity.to_file_text(session.context.clock.now());
    if let Some(file) = output {
        make_parent(file)?;
        write_exclusive(file, &text).map_err(|error| Failure::of_archive(&error))?;
    }
    let file = output.as_ref().map(|file| file.display().to_string());
    if session.ui.json() {
        let secret = identity.to_secret_text();
        session.ui.document(&json!({
            "recipient": recipient,
            "file": file,
            "identity": file.is_none().then(|| secret.expose_secret()),
        }));
        return Ok(ExitStatus::Done);
    }
    match file {
        Some(file) => session
            .ui
            .line(&format!("{file}: the identity of {recipient}")),
        None => session.ui.lines(text.expose_secret().trim_end()),
    }
    Ok(ExitStatus::Done)
}
