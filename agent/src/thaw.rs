//! Bringing archived files back before they are read: what it takes and costs, the question, the beginning, the wait.
//!
//! What was begun lies in the store: a run that ends at any moment, and is made again, goes on.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use archive_format::storage::{Priority, Storage, StorageError, Thaw, Way};
use archive_format::{Error, FileName, SnapshotReader};
use clap::ValueEnum;
use futures::TryStreamExt;
use restore::bag::{SealRecord, StoredFile};
use serde_json::{Value, json};
use workspace::Verdict;

use crate::command::restore::rehydrate;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::held;
use crate::prices::{Estimate, Prices, look_every};
use crate::session::Session;
use crate::ui::{Tone, amount};

/// What to do about archived files where nothing here brings them back.
pub const HOW: &str = "`mlark restore rehydrate SNAPSHOT [SELECTOR…]`, of an export with its address, says how long it takes and what it costs to bring files back, and begins it";

/// How many requests a MiB of packs is read with, about: objects are that large, and small ones lie together.
const PACK_READS_PER_MIB: f64 = 1.0;

/// So many bytes of an export's seal stand for each request that reads small things here and there in its tar, as measured: names
/// and digests of a file take twice as much in its tables, and a file with what the snapshot says of it takes two requests.
const SEAL_BYTES_PER_READ: f64 = 600.0;

/// So many files are shown by name.
const NAMES_SHOWN: usize = 5;

/// So often in a row may a look fail; then the network is gone for hours.
const FAILURES_MOST: u32 = 12;

/// How archived files come back.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Wish {
    /// How archived files come back: as copies beside them, or where they lie, which pays for leaving the archive early
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    rehydrate: WayWord,
    /// How urgent it is: standard (within 15 hours) or high (within one for most, at a higher price)
    #[arg(long, value_enum, default_value_t, value_name = "PRIORITY")]
    rehydrate_priority: PriorityWord,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum WayWord {
    /// As copies
    #[default]
    Copy,
    /// Where they lie
    InPlace,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum PriorityWord {
    /// Within 15 hours
    #[default]
    Standard,
    /// Within one hour for most
    High,
}

impl Wish {
    /// How they come back.
    pub fn way(self) -> Way {
        match self.rehydrate {
            WayWord::Copy => Way::Copy,
            WayWord::InPlace => Way::InPlace,
        }
    }

    /// What of it is not the standard, as it is typed.
    pub fn options(self) -> Vec<(&'static str, String)> {
        let in_place = (self.rehydrate == WayWord::InPlace).then_some(("--rehydrate", "in-place"));
        let high = (self.rehydrate_priority == PriorityWord::High)
            .then_some(("--rehydrate-priority", "high"));
        let all = in_place.into_iter().chain(high);
        all.map(|(option, value)| (option, value.to_owned()))
            .collect()
    }

    /// How urgent it is.
    pub fn priority(self) -> Priority {
        match self.rehydrate_priority {
            PriorityWord::Standard => Priority::Standard,
            PriorityWord::High => Priority::High,
        }
    }
}

/// How far bringing back goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// In which way, and how urgent.
    pub wish: Wish,
    /// Whether nobody is asked.
    pub yes: bool,
    /// Whether it is waited for.
    pub wait: bool,
}

/// What must come back, and what that takes.
#[derive(Clone, Debug)]
pub struct Foretold {
    /// How the files lie.
    pub thaw: Thaw,
    /// What bringing them back takes and costs.
    pub estimate: Estimate,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Brought {
    /// Everything can be read.
    Ready,
    /// It is under way, and was not to be waited for.
    UnderWay(Box<Foretold>),
}

/// Looks how the tar of an export lies, and what it takes to read it; none where all of it can be read. It is all of the tar
/// whatever is selected: what its items are is said in it.
pub async fn foretell_export(
    session: &Session,
    storage: &dyn Storage,
    seal: &SealRecord,
    wish: Wish,
) -> Result<Option<Foretold>, Failure> {
    let names = seal.part_names();
    let names = names.map_err(|error| Failure::of_restore(&error))?;
    let now = session.context.clock.now();
    let thaw = Thaw::look(storage, &names.into_iter().collect(), now).await;
    let thaw = thaw.map_err(of_storage)?;
    judge(session, storage, thaw, wish, reads_per_mib(seal))
}

/// How many requests a MiB of an export's tar is read with: large files with one or fewer, small ones with more.
fn reads_per_mib(seal: &SealRecord) -> f64 {
    let bytes = |files: &[StoredFile]| files.iter().map(|file| file.size).sum::<u64>() as f64;
    let small = bytes(&seal.files) / SEAL_BYTES_PER_READ;
    1.0 + small / (bytes(&seal.parts) / f64::from(1 << 20)).max(1.0)
}

fn judge(
    session: &Session,
    storage: &dyn Storage,
    mut thaw: Thaw,
    wish: Wish,
    reads_per_mib: f64,
) -> Result<Option<Foretold>, Failure> {
    storage.use_copies(std::mem::take(&mut thaw.copied));
    if thaw.is_done() {
        return Ok(None);
    }
    let prices = session.prices()?;
    let estimate = prices.estimate(&thaw, wish.way(), wish.priority(), reads_per_mib);
    Ok(Some(Foretold { thaw, estimate }))
}

/// The same of what reading a part of a snapshot takes: the selected items, and every document, since planning reads them.
pub async fn foretell_snapshot(
    session: &Session,
    reader: &SnapshotReader,
    selectors: &[String],
    wish: Wish,
) -> Result<Option<Foretold>, Failure> {
    let storage = reader.repository().storage();
    if storage.cold().is_none() {
        return Ok(None);
    }
    let archive = |error: Error| Failure::of_archive(&error);
    let packs = reader.data_packs().await.map_err(archive)?;
    let names: BTreeSet<FileName> = packs.iter().map(FileName::pack).collect();
    let now = session.context.clock.now();
    let all = Thaw::look(storage.as_ref(), &names, now);
    let all = all.await.map_err(of_storage)?;
    if all.is_done() || selectors.is_empty() {
        return judge(session, storage.as_ref(), all, wish, PACK_READS_PER_MIB);
    }
    let selection = session.selection(selectors)?;
    let mut wanted = reader.document_packs().await.map_err(archive)?;
    let mut items = held::items(reader);
    while let Some(item) = items.try_next().await? {
        let id = held::id(&item.key);
        if selection.matches_item(&id, &()) != Verdict::No {
            wanted.extend(reader.packs_of_item(&item).await.map_err(archive)?);
        }
    }
    let wanted = wanted.iter().map(FileName::pack).collect();
    let wanted = all.only(&wanted);
    judge(session, storage.as_ref(), wanted, wish, PACK_READS_PER_MIB)
}

/// Refuses what reads a snapshot and does not bring it back by itself, such as an export or a drill.
pub async fn refuse_archived(
    session: &Session,
    reader: &SnapshotReader,
    selectors: &[String],
) -> Result<(), Failure> {
    let foretold = foretell_snapshot(session, reader, selectors, Wish::default()).await?;
    let snapshot = reader.record().id.to_string();
    match foretold {
        None => Ok(()),
        Some(foretold) => Err(not_now(
            ("snapshot", &snapshot),
            "pack",
            selectors,
            &foretold,
        )),
    }
}

/// The same of an export, by its address.
pub async fn refuse_archived_export(
    session: &Session,
    storage: &dyn Storage,
    seal: &SealRecord,
    at: &str,
) -> Result<(), Failure> {
    match archived_export(session, storage, seal, at).await? {
        None => Ok(()),
        Some(failure) => Err(failure),
    }
}

/// Why an export cannot be read now, where some of its tar is archived.
pub async fn archived_export(
    session: &Session,
    storage: &dyn Storage,
    seal: &SealRecord,
    at: &str,
) -> Result<Option<Failure>, Failure> {
    let foretold = foretell_export(session, storage, seal, Wish::default()).await?;
    Ok(foretold.map(|foretold| not_now(("export", at), "file", &[], &foretold)))
}

/// What cannot be read, with the command that brings it back.
fn not_now(
    (what, name): (&str, &str),
    file: &str,
    selectors: &[String],
    foretold: &Foretold,
) -> Failure {
    let estimate = &foretold.estimate;
    let files = amount::counted(estimate.files + estimate.returning, file);
    Failure::failed(format!("The {what} cannot be read now"))
        .on(name)
        .why(format!(
            "{files} of it are in an archive tier, or on the way back from it"
        ))
        .next(format!(
            "{}, which says how long it takes and what it costs; then run this again",
            rehydrate::again("restore rehydrate", name, selectors, &[])
        ))
}

/// Whether the documents of a snapshot can be read, so that it can be planned with.
pub async fn has_documents(reader: &SnapshotReader, foretold: &Foretold) -> Result<bool, Failure> {
    let packs = reader.document_packs().await;
    let packs = packs.map_err(|error| Failure::of_archive(&error))?;
    let names = packs.iter().map(FileName::pack).collect();
    Ok(foretold.thaw.clone().only(&names).is_done())
}

/// Shows what it takes, asks, begins it and waits. `again` is the command to go on with.
pub async fn bring_back(
    session: &Session,
    storage: &dyn Storage,
    foretold: Foretold,
    how: How,
    again: &str,
) -> Result<Brought, Failure> {
    let Foretold { mut thaw, estimate } = foretold;
    if !thaw.archived.is_empty() {
        if !how.yes {
            ask(session, &estimate)?;
        }
        thaw.begin(storage, how.wish.way(), how.wish.priority())
            .await
            .map_err(of_storage)?;
        thaw.begun(how.wish.way());
    }
    if !how.wait {
        let foretold = Foretold { thaw, estimate };
        return Ok(Brought::UnderWay(Box::new(foretold)));
    }
    wait(session, storage, thaw, how.wish, again).await?;
    Ok(Brought::Ready)
}

fn ask(session: &Session, estimate: &Estimate) -> Result<(), Failure> {
    show(session, estimate);
    if !session.ui.can_ask() {
        return Err(Failure::usage(
            "Nobody can be asked whether archived files are to be brought back",
        )
        .why("there is no terminal")
        .next("look at what it costs, then add --yes"));
    }
    let question = format!(
        "Bring {} back for about {}?",
        amount::counted(estimate.files, "file"),
        money(estimate.cost, estimate)
    );
    match session.ui.confirm(&question) {
        Ok(true) => Ok(()),
        Ok(false) => Err(Failure::new(ExitStatus::Interrupted, "Nothing was changed")
            .why("the answer was not `yes`")),
        Err(error) => Err(Failure::failed("The answer could not be read").why(error)),
    }
}

/// Waits until all is there. What fails for a while is asked again: hours pass.
async fn wait(
    session: &Session,
    storage: &dyn Storage,
    mut thaw: Thaw,
    wish: Wish,
    again: &str,
) -> Result<(), Failure> {
    let progress = session.ui.progress("bringing back");
    let counters = progress.counters();
    let all = thaw.returning.len() as u64;
    counters.items_total.store(all, Ordering::Relaxed);
    let mut failures = 0;
    while !thaw.returning.is_empty() {
        pause(session, look_every(wish.priority()), again).await?;
        let before = thaw.clone();
        match thaw.look_again(storage).await {
            Ok(left) => {
                failures = 0;
                let done = all.saturating_sub(left as u64);
                counters.items.store(done, Ordering::Relaxed);
            }
            Err(error) if failures < FAILURES_MOST => {
                failures += 1;
                thaw = before;
                tracing::warn!(%error, "what is on its way could not be looked at");
            }
            Err(error) => return Err(of_storage(error).next(format!("go on with: {again}"))),
        }
    }
    storage.use_copies(thaw.copied);
    progress.finish();
    Ok(())
}

async fn pause(session: &Session, length: Duration, again: &str) -> Result<(), Failure> {
    tokio::select! {
        () = tokio::time::sleep(length) => Ok(()),
        () = session.context.shutdown.wait() => Err(Failure::new(
            ExitStatus::Interrupted,
            "Archived files are still on their way back, whether anybody waits or not",
        )
        .next(format!("go on with: {again}"))),
    }
}

/// Deletes the copies of archived files that were read, since nothing needs them any more; says what stays, and what that costs.
pub async fn delete_copies(session: &Session, storage: &dyn Storage) -> Result<(), Failure> {
    let done = storage.delete_copies().await.map_err(of_storage)?;
    if done.deleted > 0 {
        session.ui.note(&format!(
            "The copies of {}, in thawed/, are deleted",
            amount::counted(done.deleted, "archived file")
        ));
    }
    if let Some(why) = &done.why {
        let prices = session.prices()?;
        session.ui.warn(&format!(
            "The copies of {}, {} in thawed/, stay and cost about {:.4} {} a day until somebody deletes them: {why}",
            amount::counted(done.left, "archived file"),
            amount::size(done.left_bytes),
            prices.kept_a_day(done.left_bytes),
            prices.currency,
        ));
    }
    Ok(())
}

/// Shows what bringing back takes and costs.
pub fn show(session: &Session, estimate: &Estimate) {
    let ui = &session.ui;
    let files = match (estimate.files, estimate.returning) {
        (0, on_way) => format!("{} on their way back", amount::counted(on_way, "file")),
        (files, 0) => format!("{} archived", amount::counted(files, "file")),
        (files, on_way) => format!(
            "{} archived, {} more on their way back",
            amount::counted(files, "file"),
            amount::count(on_way)
        ),
    };
    let rest = format!(
        ", {}: within {}, about {}",
        amount::size(estimate.bytes),
        amount::span(Duration::from_secs(estimate.seconds)),
        money(estimate.cost, estimate),
    );
    ui.toned(&[(Some(Tone::Warn), &files), (None, &rest)]);
    if estimate.names.len() <= NAMES_SHOWN {
        for name in &estimate.names {
            ui.line(&format!("  {name}"));
        }
    }
    if estimate.early > 0.0 {
        ui.line(&format!(
            "  {} of that for leaving the archive early",
            money(estimate.early, estimate)
        ));
    }
    if estimate.copies_a_day > 0.0 {
        ui.line(&format!(
            "  the copies, in thawed/, cost {} a day until they are deleted",
            money(estimate.copies_a_day, estimate)
        ));
    }
    ui.line(&format!("  prices: {}", estimate.prices));
}

fn money(sum: f64, estimate: &Estimate) -> String {
    let digits = if sum < 1.0 { 4 } else { 2 };
    format!("{sum:.digits$} {}", estimate.currency)
}

/// What is under way, for those who read JSON.
pub fn value(foretold: &Foretold, again: &str) -> Value {
    json!({"rehydration": foretold.estimate, "outcome": "waiting", "next": again})
}

/// Tells that files are on their way and with what to go on.
pub fn tell(session: &Session, foretold: &Foretold, again: &str) {
    if session.ui.json() {
        session.ui.document(&value(foretold, again));
        return;
    }
    show(session, &foretold.estimate);
    session.ui.line(&format!("  next: {again}"));
}

/// A failure of the store.
pub fn of_storage(error: StorageError) -> Failure {
    Failure::of_archive(&Error::Storage(error))
}

impl Session {
    /// The prices of the configuration, or those of the program.
    pub fn prices(&self) -> Result<Prices, Failure> {
        Prices::read(self.config.export.prices_file.as_deref())
    }
}
