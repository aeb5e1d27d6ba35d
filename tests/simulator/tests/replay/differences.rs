//! Answers that differ from the recorded ones, each with its reason: `differences.jsonl`, one a line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::player::Played;

/// Requests of one route that are answered otherwise than recorded.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Difference {
    /// `wire` or `own`.
    set: String,
    form: String,
    method: String,
    route: String,
    /// What the recording says, or Azure's rules for the second time.
    expected: u16,
    answered: u16,
    pub(crate) count: usize,
    #[serde(default)]
    reason: String,
}

impl Difference {
    /// What differs in a play, by route.
    pub(crate) fn gather(set: &str, form: &str, played: &[Played]) -> Vec<Self> {
        let mut found = BTreeMap::new();
        for one in played.iter().filter(|one| one.expected != one.answered) {
            let key = (
                one.method.clone(),
                one.route.clone(),
                one.expected,
                one.answered,
            );
            *found.entry(key).or_insert(0) += 1;
        }
        let rows = found.into_iter();
        rows.map(|((method, route, expected, answered), count)| Self {
            set: set.to_owned(),
            form: form.to_owned(),
            method,
            route,
            expected,
            answered,
            count,
            reason: String::new(),
        })
        .collect()
    }

    fn is(&self, other: &Self) -> bool {
        let own = (&self.set, &self.form, &self.method, &self.route);
        own == (&other.set, &other.form, &other.method, &other.route)
            && (self.expected, self.answered, self.count)
                == (other.expected, other.answered, other.count)
    }
}

/// The entries of a set and form.
pub(crate) fn listed(set: &str, form: &str) -> Vec<Difference> {
    let all = include_str!("differences.jsonl").lines();
    let all = all.map(|line| serde_json::from_str::<Difference>(line).unwrap());
    let fits = all.filter(|one| one.set == set && one.form == form);
    let fits: Vec<_> = fits.collect();
    for one in &fits {
        assert!(one.reason.len() > 20, "an entry has no reason: {one:?}");
    }
    fits
}

/// Those of `some` that `others` lack.
pub(crate) fn without(some: &[Difference], others: &[Difference]) -> Vec<Difference> {
    let lacking = some
        .iter()
        .filter(|one| !others.iter().any(|other| one.is(other)));
    lacking.cloned().collect()
}

/// Their lines as they would stand in the file.
pub(crate) fn lines(some: &[Difference]) -> String {
    let lines = some.iter().map(|one| serde_json::to_string(one).unwrap());
    lines.collect::<Vec<_>>().join("\n")
}
