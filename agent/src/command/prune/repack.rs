//! `mlark prune --repack`: what is needed of packs that hold much else moves into new ones, so that the old ones can go.

use std::sync::atomic::Ordering;

use archive_format::{Grace, RepackEvent, Repacked, Repository, Sparse};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{reason, spared_value};
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::ui::amount;
use crate::ui::progress::Counters;
use crate::ui::table::Table;

/// The unused share of a pack, in percent, from which on it is repacked where nothing else is said.
pub(super) const MAX_UNUSED: u8 = 10;

/// What a repacking would do; none where it was stopped.
pub(super) async fn look(
    session: &Session,
    repository: &Repository,
    max_unused: u8,
    grace: &Grace,
    now: Timestamp,
) -> Result<Option<Sparse>, Failure> {
    let progress = session.ui.progress("repack");
    let counters = progress.counters();
    let mut events = |event: RepackEvent| count(&counters, &event);
    let looking = repository.sparse(max_unused, grace, now, &mut events);
    let found = tokio::select! {
        found = looking => Some(found.map_err(|error| Failure::of_archive(&error))?),
        () = session.context.shutdown.wait() => None,
    };
    progress.finish();
    Ok(found)
}

/// Repacks, and brings what was begun to its end where it is asked to stop.
pub(super) async fn run(
    session: &Session,
    repository: &Repository,
    max_unused: u8,
    grace: &Grace,
    now: Timestamp,
) -> Result<Repacked, Failure> {
    let progress = session.ui.progress("repack");
    let counters = progress.counters();
    let mut events = |event: RepackEvent| count(&counters, &event);
    let shutdown = session.context.shutdown.clone();
    let stop = move || shutdown.requested();
    let done = repository
        .repack(max_unused, grace, now, &stop, &mut events)
        .await
        .map_err(|error| Failure::of_archive(&error))?;
    progress.finish();
    for (pack, reason) in &done.damaged {
        session.ui.warn(&format!(
            "Pack {pack} stays as it is: {reason}; `mlark check --read-data` says what that touches"
        ));
    }
    Ok(done)
}

fn count(counters: &Counters, event: &RepackEvent) {
    let begin = |doing: &str, total: u64| {
        counters.doing(doing);
        counters.items.store(0, Ordering::Relaxed);
        counters.items_total.store(total, Ordering::Relaxed);
    };
    match event {
        RepackEvent::Looking { snapshots } => begin("reading manifests", *snapshots),
        RepackEvent::Repacking { packs } => begin("repacking", *packs),
        RepackEvent::Looked => drop(counters.items.fetch_add(1, Ordering::Relaxed)),
        RepackEvent::Taken { bytes } => {
            counters.items.fetch_add(1, Ordering::Relaxed);
            counters.bytes.fetch_add(*bytes, Ordering::Relaxed);
        }
        _ => {}
    }
}

/// What a repacking came to, as an exit code.
pub(super) fn status(done: &Repacked) -> ExitStatus {
    if done.stopped {
        ExitStatus::Interrupted
    } else if done.damaged.is_empty() {
        ExitStatus::Done
    } else {
        ExitStatus::Damage
    }
}

/// Shows what would be done, pack by pack.
pub(super) fn show_plan(session: &Session, found: &Sparse) {
    if !found.packs.is_empty() {
        let mut table = Table::new(&["pack", "size", "unused", "share"]).right(&[1, 2, 3]);
        for sparse in &found.packs {
            table.row([
                sparse.pack.to_string(),
                amount::size(sparse.bytes),
                amount::size(sparse.unused_bytes),
                format!("{} %", share(sparse.unused_bytes, sparse.bytes)),
            ]);
        }
        session.ui.table(&table);
    }
    session.ui.line(&format!(
        "Would write {} anew in place of {} with {}, and free {} after the grace period",
        amount::size(found.bytes().saturating_sub(found.unused_bytes())),
        amount::counted(found.packs.len() as u64, "pack"),
        amount::size(found.bytes()),
        amount::size(found.unused_bytes()),
    ));
    show_passed_over(session, found);
}

/// Shows what was done.
pub(super) fn show(session: &Session, done: &Repacked) {
    session.ui.line(&format!(
        "Wrote {} in {} in place of {} with {}, which are freed after the grace period",
        amount::size(done.written_bytes),
        amount::counted(done.written, "pack"),
        amount::counted(done.replaced, "pack"),
        amount::size(done.replaced_bytes),
    ));
    show_passed_over(session, &done.found);
    if done.stopped {
        session
            .ui
            .note("Stopped: the next `mlark prune --repack` goes on from here");
    }
}

fn show_passed_over(session: &Session, found: &Sparse) {
    for spared in &found.spared {
        session.ui.line(&format!(
            "  {} of {} not repacked: {}",
            amount::size(spared.bytes),
            amount::counted(spared.packs, "pack"),
            reason(spared)
        ));
    }
    if found.archived > 0 {
        session.ui.line(&format!(
            "  {} not repacked: in an archive tier",
            amount::counted(found.archived, "pack")
        ));
    }
}

fn share(unused: u64, all: u64) -> u64 {
    let percent = u128::from(unused) * 100 / u128::from(all.max(1));
    u64::try_from(percent).unwrap_or(100)
}

/// What would be done, for programs.
pub(super) fn plan_document(found: &Sparse, max_unused: u8) -> Value {
    let packs: Vec<Value> = (found.packs.iter())
        .map(|sparse| {
            json!({
                "pack": sparse.pack.to_string(),
                "bytes": sparse.bytes,
                "unused_bytes": sparse.unused_bytes,
            })
        })
        .collect();
    json!({
        "max_unused": max_unused,
        "packs": packs,
        "bytes": found.bytes(),
        "unused_bytes": found.unused_bytes(),
        "archived": found.archived,
        "spared": found.spared.iter().map(spared_value).collect::<Vec<Value>>(),
    })
}

/// What was done, for programs.
pub(super) fn document(done: &Repacked, max_unused: u8) -> Value {
    let mut document = plan_document(&done.found, max_unused);
    let damaged: Vec<Value> = (done.damaged.iter())
        .map(|(pack, reason)| json!({"pack": pack.to_string(), "reason": reason}))
        .collect();
    document["entries"] = json!(done.entries);
    document["replaced"] = json!(done.replaced);
    document["replaced_bytes"] = json!(done.replaced_bytes);
    document["written"] = json!(done.written);
    document["written_bytes"] = json!(done.written_bytes);
    document["damaged"] = json!(damaged);
    document["stopped"] = json!(done.stopped);
    document
}
