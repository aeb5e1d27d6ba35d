//! `mlark key revoke`: draws a line after a theft. What the machine signed behind an entry counts for nothing.

use archive_format::{EntryHash, SnapshotRecord};
use serde_json::json;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// How many of the snapshots that vanish are shown.
const SNAPSHOTS_SHOWN: usize = 10;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  mlark key revoke web-2 --after 120 --identity-file owner.key       entry 120 is the last of web-2 that counts
  mlark key revoke 3fa4c0de --after 120:9b1f… --identity-file owner.key")]
pub(super) struct Args {
    /// The machine: a label, a signer or the first 8 digits of one, as `mlark key list` shows them
    #[arg(value_name = "MACHINE")]
    machine: String,
    /// The last log entry before the theft: its number, or NUMBER:HASH as `mlark status` prints the head
    #[arg(long, value_name = "ENTRY")]
    after: String,
}

pub(super) async fn run(args: &Args, session: &Session) -> Result<ExitStatus, Failure> {
    let archive = |error| Failure::of_archive(&error);
    let after = parse_entry(&args.after)?;
    // A thief may have written what nobody can read; the line is drawn before it.
    let repository = session.open_damaged_repository().await?;
    let before = repository.history().await.map_err(archive)?;
    let changed = repository
        .revoke(&args.machine, after, session.context.clock.now())
        .await
        .map_err(archive)?;
    let left = repository.history().await.map_err(archive)?;
    let gone: Vec<&SnapshotRecord> = before
        .iter()
        .filter(|record| left.iter().all(|left| left.id != record.id))
        .collect();
    let mut more = vec![format!(
        "{} vanished",
        amount::counted(gone.len() as u64, "snapshot")
    )];
    for record in gone.iter().take(SNAPSHOTS_SHOWN) {
        more.push(format!("  {} of {}", record.id, record.workspace));
    }
    if gone.len() > SNAPSHOTS_SHOWN {
        more.push(format!(
            "  and {} more; --json lists them",
            gone.len() - SNAPSHOTS_SHOWN
        ));
    }
    if repository.record().encryption.is_some() {
        more.push("next: `mlark key rotate`, since a thief of the key reads the names in what is to come; then `mlark check --read-data`".to_owned());
    } else {
        more.push("next: `mlark check --read-data`".to_owned());
    }
    let fields = json!({
        "machine": args.machine,
        "after": after.0,
        "snapshots": gone.iter().map(|record| record.id.to_string()).collect::<Vec<_>>(),
    });
    let done = format!("Revoked {} after entry {}", args.machine, after.0);
    super::show(session, &changed, &done, &more, fields);
    Ok(ExitStatus::Done)
}

fn parse_entry(text: &str) -> Result<(u64, Option<EntryHash>), Failure> {
    let parsed = match text.split_once(':') {
        None => text.parse().ok().map(|number| (number, None)),
        Some((number, hash)) => number
            .parse()
            .ok()
            .zip(hash.parse().ok())
            .map(|(number, hash)| (number, Some(hash))),
    };
    parsed.ok_or_else(|| {
        Failure::usage("--after is refused")
            .on(format!("`{text}`"))
            .why("it is neither the number of a log entry nor NUMBER:HASH")
            .next("`mlark status` prints the head of the log in that form; the line is drawn after an entry before the theft")
    })
}
