//! One selector.

use jiff::Timestamp;

use super::condition::Condition;
use super::pattern::{Part, Parts};
use super::text::{Mark, file_mark, marks, may_have_versions, split};
use super::{Attributes, Named, Verdict};
use crate::{Error, FilePath, ItemId, Kind};

/// A selector as it was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Selector {
    /// Whether it takes away.
    pub(super) excludes: bool,
    kind: Part,
    name: Option<Parts>,
    version: Option<Part>,
    file: Option<Parts>,
    conditions: Vec<Condition>,
}

impl Selector {
    pub(super) fn parse(text: &str) -> Result<Self, Error> {
        let refused = |reason| Error::Selector {
            text: text.to_owned(),
            reason,
        };
        let all = marks(text.trim())?;
        let (excludes, all) = match all.split_first() {
            Some((('!', false), rest)) => (true, rest),
            _ => (false, all.as_slice()),
        };
        let (head, conditions) = split_conditions(all).map_err(refused)?;
        let (kind, rest) = match head.iter().position(|mark| *mark == ('/', false)) {
            Some(slash) => (&head[..slash], Some(&head[slash + 1..])),
            None => (head, None),
        };
        let kind = Part::new(kind);
        let versions = match kind.literal() {
            Some(name) => {
                Kind::by_name(&name)?;
                may_have_versions(&name)
            }
            None => true,
        };
        let (rest, file) = split_file(rest.unwrap_or_default());
        let (name, version) = split_version(rest, versions);
        let selector = Self {
            excludes,
            kind,
            name: (!name.is_empty()).then(|| Parts::new(name)),
            version: version.map(Part::new),
            file: file.map(Parts::new),
            conditions: conditions
                .map(|marks| split(marks, ',').collect())
                .unwrap_or_else(Vec::new)
                .into_iter()
                .map(|marks| Condition::parse(marks, text))
                .collect::<Result<_, _>>()?,
        };
        let empty = version.is_some_and(<[Mark]>::is_empty)
            || selector.name.is_none() && (selector.version.is_some() || selector.file.is_some());
        let parts = [&selector.name, &selector.file];
        if empty || parts.into_iter().flatten().any(Parts::has_empty_part) {
            return Err(refused("a part of it is empty"));
        }
        Ok(selector)
    }

    pub(super) fn takes_kind(&self, kind: &str) -> bool {
        let above = || Some(Kind::find(kind)?.above()?.0.name);
        self.kind.matches(kind) || above().is_some_and(|above| self.kind.matches(above))
    }

    /// Whether it takes a kind with everything in it.
    pub(super) fn is_whole_kind(&self) -> bool {
        self.conditions.is_empty()
            && self.version.is_none()
            && self.file.is_none()
            && self.name.as_ref().is_none_or(Parts::is_everything)
    }

    /// The names that it can take, where it says kind and name without a wildcard.
    pub(super) fn names(&self) -> Option<Vec<Named>> {
        let (kind, name) = (self.kind.literal()?, self.name.as_ref()?.literal()?);
        let row = Kind::find(&kind)?;
        let below = row.below().map(|(below, _)| Named {
            kind: below.name.to_owned(),
            name: name.split('/').next().unwrap_or_default().to_owned(),
            below: true,
        });
        let own = |below| Named {
            kind: kind.clone(),
            name: name.clone(),
            below,
        };
        let mut names: Vec<Named> = below.chain([own(false)]).collect();
        names.extend(row.named_by_path.then(|| own(true)));
        Some(names)
    }

    /// Whether it names files rather than items.
    pub(super) fn names_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) fn verdict(&self) -> Verdict {
        if self.excludes {
            Verdict::No
        } else {
            Verdict::Yes
        }
    }

    /// Whether it takes an item by name and conditions; `None` where that is not known yet.
    pub(super) fn takes_item(
        &self,
        id: &ItemId,
        attributes: &dyn Attributes,
        now: Timestamp,
    ) -> Option<bool> {
        let named = self.takes_name(id) || self.takes_from_above(id);
        let versioned = match (&self.version, &id.version) {
            (None, _) => true,
            (Some(pattern), Some(version)) => pattern.matches(version),
            (Some(_), None) => false,
        };
        if !named || !versioned {
            return Some(false);
        }
        let mut known = Some(true);
        for condition in &self.conditions {
            match condition.holds(id, attributes, now) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => known = None,
            }
        }
        known
    }

    /// Whether it takes an item by kind and name.
    fn takes_name(&self, id: &ItemId) -> bool {
        let by_path = Kind::find(&id.kind).is_some_and(|kind| kind.named_by_path);
        let named = self.name.as_ref().is_none_or(|name| {
            if by_path {
                name.matches_at_or_above(&id.name)
            } else {
                name.matches(&id.name)
            }
        });
        named && self.kind.matches(&id.kind)
    }

    /// Whether it takes what lies below an item by that item, or by both of their names.
    fn takes_from_above(&self, id: &ItemId) -> bool {
        let Some((above, segment, name)) = id.nested() else {
            return false;
        };
        let path = format!("{}/{segment}/{name}", above.name);
        let named = self.name.as_ref();
        self.kind.matches(&above.kind) && named.is_none_or(|name| name.matches_at_or_above(&path))
    }

    /// Whether it takes a file of an item that it takes: all of them where it names none.
    pub(super) fn takes_file(&self, path: &FilePath) -> bool {
        self.file
            .as_ref()
            .is_none_or(|file| file.matches_at_or_above(path.as_str()))
    }
}

/// What stands before the conditions, and what stands between their brackets.
fn split_conditions(all: &[Mark]) -> Result<(&[Mark], Option<&[Mark]>), &'static str> {
    let Some(open) = all.iter().position(|mark| *mark == ('[', false)) else {
        return Ok((all, None));
    };
    match all[open + 1..].split_last() {
        Some(((']', false), [])) => Err("its brackets are empty"),
        Some(((']', false), conditions)) => Ok((&all[..open], Some(conditions))),
        _ => Err("its conditions do not end with `]`"),
    }
}

fn split_file(rest: &[Mark]) -> (&[Mark], Option<&[Mark]>) {
    match file_mark(rest) {
        Some(at) => (&rest[..at], Some(&rest[at + 2..])),
        None => (rest, None),
    }
}

fn split_version(name: &[Mark], versions: bool) -> (&[Mark], Option<&[Mark]>) {
    let colon = name
        .iter()
        .position(|mark| *mark == (':', false))
        .filter(|_| versions);
    match colon {
        Some(colon) => (&name[..colon], Some(&name[colon + 1..])),
        None => (name, None),
    }
}
