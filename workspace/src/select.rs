//! Selectors: the words by which people and configurations name items and files.
//!
//! `KIND`, `KIND/NAME`, `KIND/NAME:VERSION`, one file `KIND/NAME:VERSION//PATH`, `notebooks/PATH`; `*` and `?` stand for
//! characters within a part, `**` for any number of parts of a path; `\` takes a special character literally; conditions
//! follow in brackets. Several are a union; a leading `!` excludes; the last one that matches decides. A selection reads
//! nothing: where a condition needs documents that the caller has not got, it says so.

use jiff::Timestamp;

use crate::{Error, FilePath, ItemId};

mod attribute;
mod condition;
mod pattern;
mod selector;
mod text;

pub(crate) use attribute::nearest;
pub use attribute::{AttributeName, AttributeValue, Attributes, Known};
pub(crate) use text::{Escaped, read_item};

use selector::Selector;

/// What a selection says of an item or a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is selected.
    Yes,
    /// It is not.
    No,
    /// An attribute decides that the caller has not got yet; ask again with the item's documents and files.
    Unknown,
}

/// A name that a selector says: of an item and its versions, or of what lies below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The kind of what is named.
    pub kind: String,
    /// The name.
    pub name: String,
    /// Whether items are meant whose names begin with this one and a slash, and not this one itself.
    pub below: bool,
}

/// Several selectors, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selection {
    selectors: Vec<Selector>,
    /// What ages in conditions are measured from.
    now: Timestamp,
}

impl Selection {
    /// Selects everything.
    pub fn everything() -> Self {
        Self::default()
    }

    /// Reads selectors. None, or an exclusion first, starts from everything. Ages count back from `now`.
    pub fn parse(
        texts: impl IntoIterator<Item = impl AsRef<str>>,
        now: Timestamp,
    ) -> Result<Self, Error> {
        let selectors = texts
            .into_iter()
            .map(|text| Selector::parse(text.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self { selectors, now })
    }

    /// Whether it selects everything, whatever there is.
    pub fn is_everything(&self) -> bool {
        self.selectors.is_empty()
    }

    /// Whether anything of a kind can be selected; where not, it need not be listed.
    pub fn may_take_kind(&self, kind: &str) -> bool {
        for selector in self.selectors.iter().rev() {
            if !selector.takes_kind(kind) {
                continue;
            }
            if !selector.excludes {
                return true;
            }
            if selector.is_whole_kind() {
                return false;
            }
        }
        self.starts_from_everything()
    }

    /// The names of everything that it can take, where each of its selectors says kind and name without a wildcard.
    pub fn names(&self) -> Option<Vec<Named>> {
        if self.starts_from_everything() {
            return None;
        }
        let takes = self.selectors.iter().filter(|selector| !selector.excludes);
        let names: Option<Vec<Vec<Named>>> = takes.map(Selector::names).collect();
        names.map(|names| names.concat())
    }

    /// Whether anything takes an item as a whole, and not some of its files alone.
    pub fn takes_whole(&self, id: &ItemId, attributes: &dyn Attributes) -> bool {
        let mut takes = self.selectors.iter().filter(|selector| !selector.excludes);
        let whole = |selector: &Selector| {
            !selector.names_file() && selector.takes_item(id, attributes, self.now) != Some(false)
        };
        self.starts_from_everything() || takes.any(whole)
    }

    /// Whether an item is selected, in whole or with some of its files.
    pub fn matches_item(&self, id: &ItemId, attributes: &dyn Attributes) -> Verdict {
        for selector in self.selectors.iter().rev() {
            // An exclusion of a file takes nothing from its item but that file.
            if selector.excludes && selector.names_file() {
                continue;
            }
            match selector.takes_item(id, attributes, self.now) {
                Some(false) => {}
                Some(true) => return selector.verdict(),
                None => return Verdict::Unknown,
            }
        }
        self.base()
    }

    /// Whether a file of an item is selected.
    pub fn matches_file(
        &self,
        id: &ItemId,
        path: &FilePath,
        attributes: &dyn Attributes,
    ) -> Verdict {
        for selector in self.selectors.iter().rev() {
            if !selector.takes_file(path) {
                continue;
            }
            match selector.takes_item(id, attributes, self.now) {
                Some(false) => {}
                Some(true) => return selector.verdict(),
                None => return Verdict::Unknown,
            }
        }
        self.base()
    }

    fn starts_from_everything(&self) -> bool {
        self.selectors
            .first()
            .is_none_or(|selector| selector.excludes)
    }

    fn base(&self) -> Verdict {
        if self.starts_from_everything() {
            Verdict::Yes
        } else {
            Verdict::No
        }
    }
}

#[cfg(test)]
mod tests;
