//! The count that lets nothing vanish: whatever a listing showed must end as saved, unchanged, excluded, known or failed.
//!
//! It never repairs a count that does not add up: a run whose count is wrong does not call itself complete.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of a listed item or file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Read and stored in this run.
    Saved,
    /// As the snapshot before has it.
    Unchanged,
    /// Left out by the configuration or the command line.
    Excluded,
    /// A gap that the configuration accepts.
    Known,
    /// A gap.
    Failed,
}

/// Counts of one kind, of items or of files. They always add up: the constructor checks it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    listed: u64,
    saved: u64,
    unchanged: u64,
    excluded: u64,
    known: u64,
    failed: u64,
}

/// A count that does not add up: something was listed and nothing became of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{listed} were listed, but an outcome is known for {settled}")]
pub struct Miscount {
    /// How many were listed.
    pub listed: u64,
    /// How many have an outcome.
    pub settled: u64,
}

impl Tally {
    /// Takes the number listed and the outcomes in the order of [`Outcome`]; refuses what does not add up.
    pub fn new(listed: u64, outcomes: [u64; 5]) -> Result<Self, Miscount> {
        let settled = outcomes
            .iter()
            .fold(0_u64, |sum, count| sum.saturating_add(*count));
        if settled != listed {
            return Err(Miscount { listed, settled });
        }
        let [saved, unchanged, excluded, known, failed] = outcomes;
        Ok(Self {
            listed,
            saved,
            unchanged,
            excluded,
            known,
            failed,
        })
    }

    /// How many a listing showed.
    pub fn listed(&self) -> u64 {
        self.listed
    }

    /// How many had an outcome.
    pub fn count(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Saved => self.saved,
            Outcome::Unchanged => self.unchanged,
            Outcome::Excluded => self.excluded,
            Outcome::Known => self.known,
            Outcome::Failed => self.failed,
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            listed: self.listed + other.listed,
            saved: self.saved + other.saved,
            unchanged: self.unchanged + other.unchanged,
            excluded: self.excluded + other.excluded,
            known: self.known + other.known,
            failed: self.failed + other.failed,
        }
    }
}

/// A count while the run goes on.
#[derive(Debug, Default)]
pub(super) struct Counter {
    listed: AtomicU64,
    outcomes: [AtomicU64; 5],
}

impl Counter {
    /// Counts things that a listing showed. Each needs an outcome in the end.
    pub(super) fn list(&self, count: u64) {
        self.listed.fetch_add(count, Ordering::Relaxed);
    }

    /// How many have an outcome so far.
    pub(super) fn count(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize].load(Ordering::Relaxed)
    }

    /// Gives some of them their outcome.
    pub(super) fn settle(&self, count: u64, outcome: Outcome) {
        self.outcomes[outcome as usize].fetch_add(count, Ordering::Relaxed);
    }

    /// How many were listed so far.
    pub(super) fn listed(&self) -> u64 {
        self.listed.load(Ordering::Relaxed)
    }

    /// How many have an outcome so far.
    pub(super) fn settled(&self) -> u64 {
        self.outcomes().iter().sum()
    }

    /// The count of a finished run: whatever was listed must have an outcome.
    pub(super) fn finished(&self) -> Result<Tally, Miscount> {
        Tally::new(self.listed(), self.outcomes())
    }

    /// The count of a run that is under way: only what has an outcome is in it.
    pub(super) fn so_far(&self) -> Result<Tally, Miscount> {
        let outcomes = self.outcomes();
        Tally::new(outcomes.iter().sum(), outcomes)
    }

    fn outcomes(&self) -> [u64; 5] {
        [0, 1, 2, 3, 4].map(|outcome: usize| self.outcomes[outcome].load(Ordering::Relaxed))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails where an unwrap fails")]
mod tests {
    use super::*;

    #[test]
    fn a_tally_that_does_not_add_up_is_refused() {
        assert_eq!(
            Tally::new(3, [1, 1, 0, 0, 0]),
            Err(Miscount {
                listed: 3,
                settled: 2
            })
        );
        let tally = Tally::new(6, [1, 1, 1, 1, 2]).unwrap();
        assert_eq!(tally.count(Outcome::Failed), 2);
        assert_eq!(tally.plus(&tally).listed(), 12);
    }

    #[test]
    fn something_listed_without_an_outcome_makes_the_count_wrong() {
        let counter = Counter::default();
        counter.list(1);
        counter.settle(1, Outcome::Saved);
        assert!(counter.finished().is_ok());
        counter.list(2);
        assert!(counter.finished().is_err());
        assert_eq!(counter.so_far().unwrap().listed(), 1);
        counter.settle(2, Outcome::Failed);
        assert_eq!(counter.finished().unwrap().count(Outcome::Failed), 2);
    }
}
