//! The counts of a run while it goes on: by kind, items and files; bytes; gaps. It never decides anything.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use archive_format::GapEntry;
use workspace::Kind;

use super::Error;
use super::observer::Progress;
use super::report::{GAPS_MAX, Gap};
use super::run::outcome_of;
use super::tally::{Counter, Miscount, Tally};

/// The counts of one kind.
#[derive(Debug)]
pub(super) struct KindCounts {
    /// Its row.
    pub(super) kind: &'static Kind,
    /// Its items.
    pub(super) items: Counter,
    /// Their files; directories are none.
    pub(super) files: Counter,
    /// Items of the last accepted snapshot that were seen again.
    pub(super) seen_again: AtomicU64,
    /// Files that the last accepted snapshot has too.
    pub(super) files_before: AtomicU64,
    /// Those of them that have another content now.
    pub(super) files_changed: AtomicU64,
    /// Whether its listing came to its end without an error.
    pub(super) whole: AtomicBool,
    /// What kept it as a whole from being taken as it should be. It counts as one item that no listing showed.
    own_gaps: Mutex<Vec<GapEntry>>,
}

impl KindCounts {
    fn zero(kind: &'static Kind) -> Self {
        Self {
            kind,
            items: Counter::default(),
            files: Counter::default(),
            seen_again: AtomicU64::new(0),
            files_before: AtomicU64::new(0),
            files_changed: AtomicU64::new(0),
            whole: AtomicBool::new(false),
            own_gaps: Mutex::default(),
        }
    }

    /// Notes a gap of the kind as a whole.
    pub(super) fn own_gap(&self, gap: GapEntry) {
        let mut gaps = self.own_gaps.lock().unwrap_or_else(PoisonError::into_inner);
        if !gaps.contains(&gap) && gaps.len() < OWN_GAPS_MAX {
            gaps.push(gap);
        }
    }

    /// The gaps of the kind as a whole.
    pub(super) fn own_gaps(&self) -> Vec<GapEntry> {
        let gaps = self.own_gaps.lock().unwrap_or_else(PoisonError::into_inner);
        gaps.clone()
    }

    /// Whether items may be missing that nobody accepted to be: its listing did not come to its end.
    pub(super) fn is_unlisted(&self) -> bool {
        let whole = self.whole.load(Ordering::Relaxed);
        !whole && self.own_gaps().iter().any(|gap| !gap.known)
    }

    /// What its own gaps count as.
    fn own_tally(&self) -> Result<Tally, Miscount> {
        let gaps = self.own_gaps();
        let outcomes = gaps.iter().map(outcome_of);
        let worst = match outcomes.max_by_key(|outcome| *outcome as usize) {
            None => return Ok(Tally::default()),
            Some(worst) => worst,
        };
        let mut counts = [0; 5];
        counts[worst as usize] = 1;
        Tally::new(1, counts)
    }
}

/// How many sorts of items that are not known are told apart.
const UNFAMILIAR_MAX: usize = 64;
/// How many gaps of a kind as a whole are kept: they must fit into one line.
const OWN_GAPS_MAX: usize = 16;

/// All counts of a run.
#[derive(Debug)]
pub(super) struct Counts {
    kinds: BTreeMap<&'static str, KindCounts>,
    bytes_listed: AtomicU64,
    bytes_done: AtomicU64,
    bytes_read: AtomicU64,
    gaps: Mutex<Gaps>,
    unfamiliar: Mutex<BTreeMap<String, u64>>,
}

#[derive(Debug, Default)]
struct Gaps {
    kept: Vec<Gap>,
    left_out: u64,
}

impl Counts {
    /// Zero for each of these kinds.
    pub(super) fn new(kinds: &[&'static Kind]) -> Self {
        let zero = |kind: &&'static Kind| (kind.name, KindCounts::zero(kind));
        Self {
            kinds: kinds.iter().map(zero).collect(),
            bytes_listed: AtomicU64::new(0),
            bytes_done: AtomicU64::new(0),
            bytes_read: AtomicU64::new(0),
            gaps: Mutex::default(),
            unfamiliar: Mutex::default(),
        }
    }

    /// Those of one kind.
    pub(super) fn of(&self, kind: &str) -> Option<&KindCounts> {
        self.kinds.get(kind)
    }

    /// Those of all kinds.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &KindCounts> {
        self.kinds.values()
    }

    /// Counts bytes of files that a listing showed.
    pub(super) fn list_bytes(&self, count: u64) {
        self.bytes_listed.fetch_add(count, Ordering::Relaxed);
    }

    /// Counts bytes that need not be read any more.
    pub(super) fn skip_bytes(&self, count: u64) {
        self.bytes_done.fetch_add(count, Ordering::Relaxed);
    }

    /// Takes back bytes of a file that is to be read again.
    pub(super) fn forget_bytes(&self, count: u64) {
        self.bytes_done.fetch_sub(count, Ordering::Relaxed);
    }

    /// Counts bytes read.
    pub(super) fn read_bytes(&self, count: u64) {
        self.bytes_done.fetch_add(count, Ordering::Relaxed);
        self.bytes_read.fetch_add(count, Ordering::Relaxed);
    }

    /// Bytes of all files listed, and of those read.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.bytes_listed), load(&self.bytes_read))
    }

    /// Bytes of files that are neither read nor known to be as before.
    pub(super) fn bytes_left(&self) -> u64 {
        let done = self.bytes_done.load(Ordering::Relaxed);
        self.bytes_listed
            .load(Ordering::Relaxed)
            .saturating_sub(done)
    }

    /// Keeps a gap for the report.
    pub(super) fn gap(&self, gap: Gap) {
        // A panic elsewhere cannot leave a vector half pushed.
        let mut gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        if gaps.kept.len() < GAPS_MAX {
            gaps.kept.push(gap);
        } else {
            gaps.left_out += 1;
        }
    }

    /// The gaps in the order of items, and how many were not kept.
    pub(super) fn gaps(&self) -> (Vec<Gap>, u64) {
        let gaps = self.gaps.lock().unwrap_or_else(PoisonError::into_inner);
        let mut kept = gaps.kept.clone();
        kept.sort_by(|one, two| (&one.item, &one.file).cmp(&(&two.item, &two.file)));
        (kept, gaps.left_out)
    }

    /// Counts an item that is kept whole without being known for what it is.
    pub(super) fn unfamiliar(&self, what: String) {
        let mut counts = self
            .unfamiliar
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if counts.len() < UNFAMILIAR_MAX || counts.contains_key(&what) {
            *counts.entry(what).or_default() += 1;
        }
    }

    /// How many there are of each sort of them.
    pub(super) fn all_unfamiliar(&self) -> BTreeMap<String, u64> {
        let counts = self.unfamiliar.lock();
        counts.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How far the run is.
    pub(super) fn progress(&self, expected_items: u64) -> Progress {
        let mut progress = Progress {
            bytes_done: self.bytes_done.load(Ordering::Relaxed),
            bytes: self.bytes_listed.load(Ordering::Relaxed),
            ..Progress::default()
        };
        for kind in self.kinds.values() {
            progress.items_done += kind.items.settled();
            progress.items += kind.items.listed();
            progress.files_done += kind.files.settled();
            progress.files += kind.files.listed();
        }
        progress.items = progress.items.max(expected_items);
        progress
    }

    /// The tallies of items and files of all kinds of which anything was listed.
    pub(super) fn tallies(&self, finished: bool) -> Result<Tallies, Error> {
        let take = |counter: &Counter| -> Result<Tally, Miscount> {
            if finished {
                counter.finished()
            } else {
                counter.so_far()
            }
        };
        let mut tallies = Tallies::default();
        for (name, kind) in &self.kinds {
            let counted = |what: &str, tally: Result<Tally, Miscount>| {
                tally.map_err(|source| Error::Count {
                    what: format!("{what} of {name}"),
                    source,
                })
            };
            let own = counted("gaps", kind.own_tally())?;
            let items = counted("items", take(&kind.items))?.plus(&own);
            tallies.items.insert((*name).to_owned(), items);
            let files = counted("files", take(&kind.files))?;
            if files.listed() > 0 {
                tallies.files.insert((*name).to_owned(), files);
            }
        }
        Ok(tallies)
    }
}

/// Tallies by kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Tallies {
    /// Of items.
    pub(super) items: BTreeMap<String, Tally>,
    /// Of files.
    pub(super) files: BTreeMap<String, Tally>,
}
