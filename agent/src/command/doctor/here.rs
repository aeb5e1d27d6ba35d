//! What can be looked at without a workspace: the configuration, the repository, who opens it, and its keys.

use archive_format::Repository;

use super::azure::{Whose, known};
use super::{Check, Findings};
use crate::command::drill;
use crate::part;
use crate::runbook::{self, Facts};
use crate::session::Session;
use crate::store::Address;

/// The configuration, which was read before anything else.
pub(super) fn configuration(session: &Session, found: &mut Findings) {
    let config = &session.config;
    let check = match &session.config_file {
        Some(file) => Check::good(
            "configuration",
            file.display().to_string(),
            format!(
                "read: {} to back up, {} to restore into",
                config.workspace.len(),
                config.target.len()
            ),
        ),
        None => Check::good("configuration", "none", "the defaults are used"),
    };
    let check = match config.workspace.is_empty() {
        true => check.next("add a [[workspace]] to the configuration, then `mlark backup`"),
        false => check,
    };
    found.checks.push(check);
}

/// Who opens the store of the repository, where that is not this machine's own disk.
async fn identity(session: &Session, found: &mut Findings) {
    let Ok(address) = session.repository_address() else {
        return;
    };
    let own = &session.config.repository;
    let by_file = [
        ("a shared access signature", &own.sas_file),
        ("the storage account's key", &own.account_key_file),
    ];
    let by_file = by_file
        .into_iter()
        .find_map(|(what, file)| Some((what, file.as_ref()?)));
    let variables = |names: &str| {
        Check::good(
            "identity",
            "repository",
            format!("as the variables {names} say"),
        )
    };
    match (&address, by_file) {
        (Address::Azure { .. }, Some((what, file))) => {
            let says = format!("{what}, read from {}", file.display());
            found
                .checks
                .push(Check::good("identity", "repository", says));
        }
        (Address::Azure { .. }, None) => {
            let azure = own.credential.over(&session.config.azure);
            let place = address.to_string();
            known(session, &azure, Whose::Repository(&place), found).await;
        }
        (Address::S3 { .. }, _) => found.checks.push(variables("AWS_…")),
        (Address::Google { .. }, _) => found.checks.push(variables("GOOGLE_…")),
        (Address::Folder(_), _) => {}
    }
}

/// The repository: whether it opens, and which part its keys let this machine play.
pub(super) async fn repository(session: &Session, found: &mut Findings) {
    identity(session, found).await;
    match session.open_repository().await {
        Ok(repository) => {
            let place = repository.storage().describe();
            let encrypted = if repository.record().encryption.is_some() {
                "encrypted"
            } else {
                "not encrypted"
            };
            let says = format!("it opens, and is {encrypted}");
            found.checks.push(Check::good("storage", place, says));
            let part = part::of(&repository);
            found
                .checks
                .push(Check::good("keys", part.part, part.line()));
            owner_work(session, &repository, found).await;
            runbook(session, &repository, found).await;
        }
        Err(failure) => {
            let what = "the repository";
            found.checks.push(Check::failed("storage", what, &failure));
        }
    }
}

/// Whether this machine may do what the configuration wants of an owner's.
async fn owner_work(session: &Session, repository: &Repository, found: &mut Findings) {
    let Some(work) = session.config.owner_work() else {
        return;
    };
    found.checks.push(match drill::may(repository).await {
        Ok(()) => Check::good(
            "keys",
            work,
            "this machine plays the owner's part, which it needs",
        ),
        Err(failure) => Check::failed("keys", work, &failure),
    });
}

/// Whether the copy of the runbook is that of this installation.
async fn runbook(session: &Session, repository: &Repository, found: &mut Findings) {
    let what = "runbook";
    let facts = match Facts::gather(session, repository).await {
        Ok(facts) => facts,
        Err(failure) => {
            found.checks.push(Check::failed("storage", what, &failure));
            return;
        }
    };
    let note = runbook::note(&facts);
    let notes = repository.notes().await.unwrap_or_default();
    let copy = notes.iter().find(|known| known.what.title == note.title);
    let next = "mlark runbook --output runbook.md, and keep the file away from this machine";
    found.checks.push(match copy {
        Some(copy) if copy.what == note => {
            Check::good("storage", what, "a copy of it is in the repository")
        }
        Some(_) => Check::good(
            "storage",
            what,
            "the copy in the repository is of an earlier configuration",
        )
        .next(next),
        None => Check::good("storage", what, "no copy of it is in the repository").next(next),
    });
}
