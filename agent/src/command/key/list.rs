//! `mlark key list`: who holds keys, of which sort, and since when; and who was revoked.

use archive_format::log::HolderSort;
use archive_format::{Holder, KeySet};
use serde_json::{Value, json};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::Table;

/// Options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  mlark key list\n  mlark key list --json")]
pub(super) struct Args {}

pub(super) async fn run(session: &Session) -> Result<ExitStatus, Failure> {
    let repository = session.open_repository().await?;
    let keys = repository
        .keys()
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    let encrypted = repository.record().encryption.is_some();
    if session.ui.json() {
        session.ui.document(&document(&keys));
        return Ok(ExitStatus::Done);
    }
    let ui = &session.ui;
    ui.line(&format!(
        "Edition {} of the keys, of log entry {}",
        keys.edition, keys.entry
    ));
    let mut table = Table::new(&["holder", "label", "since entry", "key"]).right(&[2]);
    for held in &keys.holders {
        let mut shown = public(held).into_iter();
        table.row([
            sort(held).to_owned(),
            held.holder.label.clone(),
            held.since.to_string(),
            shown.next().unwrap_or_default(),
        ]);
        for more in shown {
            table.row([String::new(), String::new(), String::new(), more]);
        }
    }
    ui.table(&table);
    if !encrypted {
        ui.line("Nothing is encrypted, so there are no owners: whoever reads the repository reads the backups.");
    }
    for machine in &keys.revoked {
        ui.line(&format!(
            "revoked: {}, signer {}: nothing of it after entry {} counts",
            machine.label, machine.signer, machine.after
        ));
    }
    Ok(ExitStatus::Done)
}

fn sort(held: &Holder) -> &'static str {
    match held.holder.sort {
        HolderSort::Owner => "owner",
        HolderSort::Machine => "machine",
    }
}

/// What is public of a holder, a line each.
fn public(held: &Holder) -> Vec<String> {
    let holder = &held.holder;
    let passphrase = holder
        .passphrase
        .map(|number| format!("passphrase (its files end with -p{number}.age)"));
    let signer = holder.signer.map(|signer| format!("signer {signer}"));
    let public = [holder.recipient.clone(), passphrase, signer];
    public.into_iter().flatten().collect()
}

fn document(keys: &KeySet) -> Value {
    let holders = keys.holders.iter().map(|held| {
        let holder = &held.holder;
        json!({
            "sort": sort(held),
            "label": holder.label,
            "recipient": holder.recipient,
            "signer": holder.signer.map(|signer| signer.to_string()),
            "passphrase": holder.passphrase,
            "since": held.since,
        })
    });
    let revoked = keys.revoked.iter().map(|machine| {
        json!({
            "label": machine.label,
            "signer": machine.signer.to_string(),
            "after": machine.after,
        })
    });
    json!({
        "edition": keys.edition,
        "entry": keys.entry,
        "holders": holders.collect::<Vec<Value>>(),
        "revoked": revoked.collect::<Vec<Value>>(),
    })
}
