//! `mlark key add`: another owner, who then reads everything from the first backup on, or another machine, which then
//! writes.

use std::path::PathBuf;

use archive_format::Recipient;
use archive_format::keys::Introduction;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::keys::read_passphrase;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark key add --recipient age1… --label ada --identity-file owner.key
  mlark key add --recipient \"$(cat id_ed25519.pub)\" --identity-file owner.key
  mlark key add --passphrase --label safe --identity-file owner.key
  mlark key add --machine 'mlark-machine-1 …' --identity-file owner.key")]
#[command(group = clap::ArgGroup::new("whom").required(true))]
pub(super) struct Args {
    /// An owner: age1… or an SSH public key
    #[arg(long, value_name = "RECIPIENT", group = "whom")]
    recipient: Option<String>,
    /// An owner who knows a passphrase; it is asked for twice
    #[arg(long, group = "whom")]
    passphrase: bool,
    /// The new passphrase, in a file
    #[arg(long, value_name = "FILE", requires = "passphrase")]
    new_passphrase_file: Option<PathBuf>,
    /// A machine: the line that `mlark key generate --machine` printed
    #[arg(long, value_name = "LINE", group = "whom")]
    machine: Option<String>,
    /// A name for people
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    match &args.machine {
        Some(line) => machine(line, args.label.as_deref(), session).await,
        None => owner(args, session).await,
    }
}

async fn owner(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let recipient = match &args.recipient {
        Some(text) => parse_recipient(text)?,
        None => {
            let secret = match &args.new_passphrase_file {
                Some(file) => read_passphrase(file)?,
                None => session.ask_new_passphrase().await?,
            };
            Recipient::passphrase(secret, None).map_err(|error| refused(&error))?
        }
    };
    let repository = session.open_repository().await?;
    let label = args.label.as_deref().unwrap_or_default();
    let changed = repository
        .add_owner(recipient.clone(), label, session.context.clock.now())
        .await
        .map_err(archive)?;
    let keys = repository.keys().await.map_err(archive)?;
    let label = keys
        .holders
        .iter()
        .rfind(|held| held.since == changed.entry)
        .map_or_else(String::new, |held| held.holder.label.clone());
    let done = format!("Added the owner {label}");
    let more = [
        format!("key: {recipient}"),
        "it opens every backup, from the first on".to_owned(),
    ];
    let fields = json!({
        "label": label,
        "recipient": recipient.to_public_text(),
    });
    super::show(session, &changed, &done, &more, fields);
    Ok(ExitStatus::Done)
}

async fn machine(
    line: &str,
    label: Option<&str>,
    session: &Session,
) -> Result<ExitStatus, Failure> {
    let mut machine: Introduction = line.parse().map_err(|error: archive_format::Error| {
        Failure::usage("The machine's line is refused")
            .because(&error)
            .next("give the whole line that `mlark key generate --machine LABEL` printed, in quotation marks")
    })?;
    if let Some(label) = label {
        machine.label = label.to_owned();
    }
    let repository = session.open_repository().await?;
    let changed = repository
        .add_machine(machine.clone(), session.context.clock.now())
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    let done = format!("Introduced the machine {}", machine.label);
    let more = [
        format!("signer: {}", machine.signer),
        "it adds backups and reads names, sizes and digests, no contents".to_owned(),
    ];
    let fields = json!({
        "label": machine.label,
        "recipient": machine.recipient.to_string(),
        "signer": machine.signer.to_string(),
    });
    super::show(session, &changed, &done, &more, fields);
    Ok(ExitStatus::Done)
}

/// Reads a recipient of the command line.
pub(crate) fn parse_recipient(text: &str) -> Result<Recipient, Failure> {
    Recipient::parse(text).map_err(|error| {
        refused(&error)
            .on(format!("`{text}`"))
            .next("`mlark key generate` makes an identity and prints its recipient; a line of ~/.ssh/id_ed25519.pub serves too")
    })
}

fn refused(error: &archive_format::Error) -> Failure {
    Failure::usage("The recipient is refused").because(error)
}
