//! A repository that does not open because of damage: everything is touched. What that is, is told by what this machine
//! remembers of it.

use archive_format::CheckReport;
use archive_format::check::{Damage, remembered};

use super::{document, show_damage};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// Shows the one damage, and what it touches.
pub(super) async fn show(session: &Session, failure: Failure) -> Result<ExitStatus, Failure> {
    let (snapshots, items) = match session.remembered_cache().await? {
        Some(folder) => remembered(&folder).await.unwrap_or_default(),
        None => Default::default(),
    };
    let damage = Damage {
        name: failure.on.clone().unwrap_or_else(|| named(&failure.what)),
        reason: failure.sentence(),
        snapshots,
        items,
        known: false,
    };
    let report = CheckReport {
        damages: vec![damage],
        ..CheckReport::default()
    };
    if session.ui.json() {
        session.ui.document(&document(&report, &[]));
    } else {
        for damage in &report.damages {
            show_damage(session, damage);
        }
        session.ui.line("Damaged: the repository does not open");
        if let Some(next) = &failure.next {
            session.ui.line(&format!("  next: {next}"));
        }
    }
    Ok(ExitStatus::Damage)
}

/// The file that a sentence begins with, such as `keys/1-meta.age is damaged`.
fn named(what: &str) -> String {
    let first = what.split_whitespace().next().unwrap_or_default();
    let is_file = first == "repository.json" || first.contains('/');
    if is_file {
        first.to_owned()
    } else {
        "repository.json".to_owned()
    }
}
