//! `mlark key rotate`: new pairs for what is written from now on. What is there stays as it is, and everyone who holds a
//! key still reads it.

use archive_format::{Recipient, Repository};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark key rotate --identity-file owner.key
  mlark key rotate --identity-file owner.key --passphrase-file -     where an owner has a passphrase")]
pub(super) struct Args {}

pub(super) async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let repository = session.open_repository().await?;
    let passphrases = passphrases(session, &repository).await?;
    let changed = repository
        .rotate_keys(passphrases, session.context.clock.now())
        .await
        .map_err(archive)?;
    let keys = repository.keys().await.map_err(archive)?;
    let more = [
        format!(
            "what is written from now on opens with the new keys alone; {} holders have them, and the old ones",
            keys.holders.len()
        ),
        "what is there stays as it is: no pack was touched".to_owned(),
    ];
    super::show(session, &changed, "Made new keys", &more, json!({}));
    Ok(ExitStatus::Done)
}

/// The passphrases of all owners who have one: from files, and from the terminal for those that are missing.
async fn passphrases(
    session: &Session,
    repository: &Repository,
) -> Result<Vec<Recipient>, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let keys = repository.keys().await.map_err(archive)?;
    let labels: Vec<&str> = keys
        .holders
        .iter()
        .filter(|held| held.holder.passphrase.is_some())
        .map(|held| held.holder.label.as_str())
        .collect();
    let mut secrets = match labels.as_slice() {
        [] => Vec::new(),
        _ => session.passphrases().await?,
    };
    if secrets.len() < labels.len() && session.ui.can_ask() {
        secrets.clear();
        for label in &labels {
            let question = format!("Passphrase of the owner {label}");
            secrets.push(session.ask_passphrase(&question).await?);
        }
    }
    secrets
        .into_iter()
        .map(|secret| Recipient::passphrase(secret, None).map_err(archive))
        .collect()
}
