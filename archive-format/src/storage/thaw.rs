//! Files that are to be read and may be archived: which of them are, which are on their way back, and the beginning of it.
//!
//! All that is known lies in the store itself: a process that is killed and started again finds what was begun, and begins
//! the rest. Nothing is begun twice, and no file that can be read is touched.

use std::collections::BTreeSet;

use futures::stream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::{ColdState, ColdStorage, FileName, Priority, Storage, StorageError, Way};

/// Up to so many files are looked at one by one; more by listings, of which a page costs about as much as ten looks.
const LOOKS_MOST: usize = 100;

/// So many requests are under way at once.
const AT_ONCE: usize = 16;

/// A file that cannot be read yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Its name; of its copy, where that is on its way.
    pub name: FileName,
    /// Its length in bytes.
    pub size: u64,
    /// Bytes times days that are paid where it leaves the archive now.
    pub early_byte_days: u64,
}

/// How files that are to be read lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Thaw {
    /// Archived, without a copy: their return must be asked for.
    pub archived: Vec<Frozen>,
    /// On their way back.
    pub returning: Vec<Frozen>,
    /// Archived files whose copies can be read.
    pub copied: Vec<FileName>,
    /// How many can be read as they lie.
    pub readable: u64,
}

/// What was found of one file.
enum Found {
    Readable,
    Copied(FileName),
    Returning(Frozen),
    Archived(Frozen),
}

impl Thaw {
    /// Looks how files lie. Those that are not there count as readable: whoever reads them finds that.
    pub async fn look(
        storage: &dyn Storage,
        names: &BTreeSet<FileName>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let Some(cold) = storage.cold() else {
            return Ok(Self {
                readable: names.len() as u64,
                ..Self::default()
            });
        };
        if names.len() <= LOOKS_MOST {
            return Self::look_at_each(cold, names, now).await;
        }
        Self::look_by_listing(cold, names, now).await
    }

    async fn look_at_each(
        cold: &dyn ColdStorage,
        names: &BTreeSet<FileName>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let looks = stream::iter(names).map(|name| async move {
            let Some(state) = cold.state(name).await? else {
                return Ok(Found::Readable);
            };
            if state.is_readable() || state.returning.is_some() {
                return Ok(found(name, &state, None, now));
            }
            let copy = match name.copy() {
                Ok(copy) => cold.state(&copy).await?,
                Err(_) => None,
            };
            Ok(found(name, &state, copy.as_ref(), now))
        });
        let looks = looks.buffered(AT_ONCE);
        let mut thaw = Self::default();
        looks
            .try_for_each(|found| {
                thaw.take(found);
                std::future::ready(Ok::<(), StorageError>(()))
            })
            .await?;
        Ok(thaw)
    }

    async fn look_by_listing(
        cold: &dyn ColdStorage,
        names: &BTreeSet<FileName>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        let prefix = common(names);
        let mut copies = std::collections::BTreeMap::new();
        let mut listed = cold.states(&format!("{}{prefix}", FileName::COPIES));
        while let Some((name, state)) = listed.try_next().await? {
            copies.insert(name, state);
        }
        let mut thaw = Self::default();
        let mut listed = cold.states(&prefix);
        let mut there = 0;
        while let Some((name, state)) = listed.try_next().await? {
            if names.contains(&name) {
                there += 1;
                let copy = name.copy().ok().and_then(|copy| copies.get(&copy));
                thaw.take(found(&name, &state, copy, now));
            }
        }
        thaw.readable += (names.len() as u64).saturating_sub(there);
        Ok(thaw)
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Readable => self.readable += 1,
            Found::Copied(name) => self.copied.push(name),
            Found::Returning(file) => self.returning.push(file),
            Found::Archived(file) => self.archived.push(file),
        }
    }

    /// Whether everything can be read.
    pub fn is_done(&self) -> bool {
        self.archived.is_empty() && self.returning.is_empty()
    }

    /// What is found here of these files alone.
    #[must_use]
    pub fn only(mut self, names: &BTreeSet<FileName>) -> Self {
        let wanted = |name: &FileName| {
            names.contains(name) || name.original().is_some_and(|name| names.contains(&name))
        };
        self.archived.retain(|file| wanted(&file.name));
        self.returning.retain(|file| wanted(&file.name));
        self.copied.retain(wanted);
        let others = self.archived.len() + self.returning.len() + self.copied.len();
        self.readable = names.len().saturating_sub(others) as u64;
        self
    }

    /// Takes what was archived as on its way, after [`Thaw::begin`].
    pub fn begun(&mut self, way: Way) {
        for file in std::mem::take(&mut self.archived) {
            let name = match way {
                Way::Copy => file.name.copy().unwrap_or(file.name),
                Way::InPlace => file.name,
            };
            self.returning.push(Frozen { name, ..file });
        }
    }

    /// Asks for the return of what is archived. Cut off anywhere it may be called again.
    pub async fn begin(
        &self,
        storage: &dyn Storage,
        way: Way,
        priority: Priority,
    ) -> Result<(), StorageError> {
        let Some(cold) = storage.cold() else {
            return Ok(());
        };
        stream::iter(&self.archived)
            .map(|file| cold.rehydrate(&file.name, way, priority))
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Looks again at what was on its way. Gives how many files still are.
    pub async fn look_again(&mut self, storage: &dyn Storage) -> Result<usize, StorageError> {
        let Some(cold) = storage.cold() else {
            return Ok(0);
        };
        let waiting = std::mem::take(&mut self.returning);
        let looks = stream::iter(waiting).map(|file| async move {
            let state = cold.state(&file.name).await?;
            let is_there = state.is_none_or(|state| state.is_readable());
            Ok::<_, StorageError>((file, is_there))
        });
        let looks: Vec<_> = looks.buffered(AT_ONCE).try_collect().await?;
        for (file, is_there) in looks {
            match (is_there, file.name.original()) {
                (false, _) => self.returning.push(file),
                (true, Some(original)) => self.copied.push(original),
                (true, None) => self.readable += 1,
            }
        }
        Ok(self.returning.len())
    }
}

fn found(name: &FileName, state: &ColdState, copy: Option<&ColdState>, now: Timestamp) -> Found {
    let frozen = |name: &FileName| Frozen {
        name: name.clone(),
        size: state.size,
        early_byte_days: state.early_byte_days(now),
    };
    match copy {
        _ if state.is_readable() => Found::Readable,
        Some(copy) if copy.is_readable() => Found::Copied(name.clone()),
        Some(_) => match name.copy() {
            Ok(copy) => Found::Returning(frozen(&copy)),
            Err(_) => Found::Archived(frozen(name)),
        },
        None if state.returning.is_some() => Found::Returning(frozen(name)),
        None => Found::Archived(frozen(name)),
    }
}

/// What all of these names begin with, up to a `/`.
fn common(names: &BTreeSet<FileName>) -> String {
    let (Some(first), Some(last)) = (names.first(), names.last()) else {
        return String::new();
    };
    let pairs = first.as_str().bytes().zip(last.as_str().bytes());
    let same = pairs.take_while(|(one, other)| one == other).count();
    let same = first.as_str().get(..same).unwrap_or_default();
    match same.rfind('/') {
        Some(end) => same.get(..=end).unwrap_or_default().to_owned(),
        None => String::new(),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn names_have_the_folder_in_common_that_their_first_and_last_have() {
        let of = |names: &[&str]| {
            let names = names.iter().map(|name| FileName::new(*name).unwrap());
            common(&names.collect())
        };
        assert_eq!(of(&["packs/ab/1", "packs/ab/2"]), "packs/ab/");
        assert_eq!(of(&["packs/ab/1", "packs/ac/2"]), "packs/");
        assert_eq!(of(&["a.tar-001", "a.tar-002"]), "");
        assert_eq!(of(&[]), "");
    }
}
