//! The repository's lock period: each new snapshot extends the lock of what it refers to, and `status` says how things stand.

use archive_format::{Error, LockPeriod, Locks, LocksSet, Repository, SnapshotId};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::capture::Report;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;

/// What became of the locks after a snapshot, or why they are not what they should be.
pub type Kept = Result<LocksSet, String>;

/// Extends the lock of everything that a snapshot needs. A snapshot whose locks failed is a good one all the same.
pub async fn after(
    repository: &Repository,
    id: SnapshotId,
    period: LockPeriod,
    now: Timestamp,
) -> Kept {
    let lock = async {
        let record = repository.resolve(&id.to_string()).await?.record;
        repository.lock_snapshot(&record, period, now).await
    };
    lock.await.map_err(|error: Error| {
        let failure = Failure::of_archive(&error);
        match failure.next {
            Some(ref next) => format!("{}; {next}", failure.sentence()),
            None => failure.sentence(),
        }
    })
}

/// Says that what a snapshot refers to is not locked as it should be.
pub fn warn(session: &Session, report: &Report) {
    if let Some(why) = report.lock_failure() {
        let name = &report.workspace;
        session.ui.warn(&format!(
            "{name}: not everything that the snapshot refers to is locked: {why}"
        ));
    }
}

/// The same for those who read JSON.
pub fn value(kept: &Kept) -> Value {
    match kept {
        Ok(set) => json!({
            "files": set.files, "extended": set.extended,
            "nearest": set.nearest.map(|end| end.to_string()),
        }),
        Err(why) => json!({"failure": why}),
    }
}

/// How the packs of live snapshots are kept, where the repository has a lock period.
#[derive(Debug)]
pub struct Standing {
    period: LockPeriod,
    found: Result<Locks, String>,
}

impl Standing {
    /// Asks the store.
    pub async fn read(session: &Session, repository: &Repository) -> Option<Self> {
        let period = session.config.repository.lock_period()?;
        let now = session.context.clock.now();
        let found = repository.locks(now).await;
        let found = found.map_err(|error| Failure::of_archive(&error).sentence());
        Some(Self { period, found })
    }

    /// For people.
    pub fn line(&self) -> String {
        let period = amount::span(self.period.length);
        let locks = match &self.found {
            Ok(locks) => locks,
            Err(why) => return format!("locks       not known: {why}"),
        };
        let nearest = match locks.nearest {
            Some(end) => format!("; the first ends {}", amount::moment(end)),
            None => String::new(),
        };
        let without = match locks.unlocked {
            0 => String::new(),
            packs => format!(
                "; {} without a lock: the next snapshot of its workspace sets it",
                amount::counted(packs, "pack")
            ),
        };
        format!(
            "locks       {} kept for {period} by each snapshot{nearest}{without}",
            amount::counted(locks.locked, "pack")
        )
    }

    /// For those who read JSON.
    pub fn value(&self) -> Value {
        let mut value = match &self.found {
            Ok(locks) => json!({
                "locked": locks.locked, "unlocked": locks.unlocked,
                "nearest": locks.nearest.map(|end| end.to_string()),
            }),
            Err(why) => json!({"failure": why}),
        };
        value["seconds"] = json!(self.period.length.as_secs());
        value["mode"] = json!(self.period.mode.name());
        value
    }
}
