//! `mlark key remove`: leaves an owner or a machine out of the keys from now on. It takes back nothing that was read.

use archive_format::log::HolderSort;
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark key remove ada --identity-file owner.key
  mlark key remove age1… --identity-file owner.key && mlark key rotate --identity-file owner.key")]
pub(super) struct Args {
    /// Who: a label, a recipient, a signer or the first 8 digits of one, as `mlark key list` shows them
    #[arg(value_name = "HOLDER")]
    holder: String,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let repository = session.open_repository().await?;
    let keys = repository.keys().await.map_err(archive)?;
    let holder = keys.find(&args.holder).map_err(archive)?.clone();
    let changed = repository
        .remove_holder(&args.holder, session.context.clock.now())
        .await
        .map_err(archive)?;
    let owner = holder.sort == HolderSort::Owner;
    let encrypted = repository.record().encryption.is_some();
    let mut more = Vec::new();
    if owner {
        more.push("this takes back nothing: what it read it keeps, the keys of all backups so far among it".to_owned());
    } else {
        more.push("what it wrote stays; what it signs from now on counts for nothing".to_owned());
    }
    if encrypted {
        more.push(
            "next: `mlark key rotate`, so that what is written from now on is closed to it"
                .to_owned(),
        );
    }
    let fields = json!({
        "label": holder.label,
        "recipient": holder.recipient,
        "signer": holder.signer.map(|signer| signer.to_string()),
    });
    let sort = if owner { "owner" } else { "machine" };
    let done = format!("Removed the {sort} {}", holder.label);
    super::show(session, &changed, &done, &more, fields);
    Ok(ExitStatus::Done)
}
