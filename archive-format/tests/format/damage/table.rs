//! What was said of each damage, as a table for people: one row a kind of file, damage and looker.

use std::collections::BTreeMap;
use std::fmt;

use super::harm::Harm;
use super::scene::{Kind, Who};

/// What one looker was told of one damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// `check` names the file.
    Named {
        reason: String,
        snapshots: usize,
        items: usize,
        /// Things of the first and of the second snapshot that do not come back.
        lost: [usize; 2],
    },
    /// The repository does not open.
    Unopened { reason: String },
    /// Nothing: nothing rests on the file.
    Nothing,
    /// Nothing: the log ends where it ended before the newest entry, and whoever comes anew cannot know better.
    Unknown,
}

/// From the least to the most.
#[derive(Clone, Copy, Debug)]
struct Range(usize, usize);

impl Range {
    fn with(self, number: usize) -> Self {
        Self(self.0.min(number), self.1.max(number))
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == self.1 {
            write!(f, "{}", self.0)
        } else {
            write!(f, "{}-{}", self.0, self.1)
        }
    }
}

/// All cases so far.
#[derive(Default)]
pub(super) struct Table(BTreeMap<(Kind, usize, Who), Vec<Said>>);

/// The columns of damage, in their order.
const HARMS: [&str; 6] = ["flip", "truncate", "empty", "delete", "swap", "append"];

impl Table {
    pub(super) fn note(&mut self, kind: Kind, harm: Harm, who: Who, said: Said) {
        let place = HARMS.iter().position(|name| *name == harm.name());
        let row = self.0.entry((kind, place.unwrap_or(0), who)).or_default();
        row.push(said);
    }

    /// How many cases there are.
    pub(super) fn cases(&self) -> u64 {
        self.0.values().map(|said| said.len() as u64).sum()
    }

    /// The kinds of files.
    pub(super) fn kinds(&self) -> Vec<Kind> {
        let mut kinds: Vec<Kind> = self.0.keys().map(|(kind, _, _)| *kind).collect();
        kinds.dedup();
        kinds
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |who: &Who| match who {
            Who::Saw => "saw it whole",
            Who::Anew => "comes anew",
            Who::Told => "--expect-head",
        };
        writeln!(
            f,
            "{:<30} {:<9} {:<14} cases  what is said; of the first and the second snapshot so many things are lost",
            "file", "damage", "who looks"
        )?;
        for ((kind, harm, looker), said) in &self.0 {
            write!(
                f,
                "{:<30} {:<9} {:<14} {:>5}  ",
                kind.to_string(),
                HARMS[*harm],
                who(looker),
                said.len()
            )?;
            writeln!(f, "{}", told(said))?;
        }
        Ok(())
    }
}

/// One cell: equal answers together.
fn told(said: &[Said]) -> String {
    let mut parts = Vec::new();
    let named = said.iter().filter_map(|said| match said {
        Said::Named {
            reason,
            snapshots,
            items,
            lost,
        } => Some((reason, [*snapshots, *items, lost[0], lost[1]])),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    if let Some((_, first)) = named.first() {
        let mut ranges = first.map(|number| Range(number, number));
        for (_, numbers) in &named {
            for (range, number) in ranges.iter_mut().zip(numbers) {
                *range = range.with(*number);
            }
        }
        let [snapshots, items, first, second] = ranges;
        parts.push(format!(
            "{} named ({}), touching {snapshots} snapshots, {items} items; lost {first}, {second}",
            named.len(),
            most(named.iter().map(|(reason, _)| reason.as_str()))
        ));
    }
    let unopened: Vec<&str> = (said.iter())
        .filter_map(|said| match said {
            Said::Unopened { reason } => Some(reason.as_str()),
            _ => None,
        })
        .collect();
    if !unopened.is_empty() {
        let reason = most(unopened.iter().copied());
        parts.push(format!("{} do not open ({reason})", unopened.len()));
    }
    let count = |what: Said| said.iter().filter(|said| **said == what).count();
    for (count, words) in [
        (count(Said::Nothing), "need it not: nothing is said"),
        (count(Said::Unknown), "cannot know that there was more"),
    ] {
        if count > 0 {
            parts.push(format!("{count} {words}"));
        }
    }
    parts.join("; ")
}

/// The commonest of these texts, names of files and snapshots left out.
fn most<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for text in texts {
        *counts.entry(plain(text)).or_default() += 1;
    }
    let more = counts.len().saturating_sub(1);
    let most = counts.into_iter().max_by_key(|(_, count)| *count);
    let (most, _) = most.unwrap_or_default();
    match more {
        0 => most,
        more => format!("{most}, and {more} other reasons"),
    }
}

/// A text with its long names cut: digests and numbers of entries say nothing to people.
fn plain(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let digits = word.chars().filter(char::is_ascii_hexdigit).count();
        if digits > 9 { "…" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
