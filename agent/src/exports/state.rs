//! How an export is kept at its destination, read from what lies there: the tier of its tar, the locks and holds of its files, and
//! what its container says of all of them.

use std::time::Duration;

use archive_format::storage::{
    ColdState, ColdStorage, Keeping, Lock, LockMode, StorageFault, Tier,
};
use archive_format::{FileName, Storage};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use restore::bag::{ANSWER, SealRecord};
use workspace::azure::ContainerPolicy;

use super::{AT_ONCE, by_container};
use crate::failure::Failure;
use crate::session::Session;
use crate::session::sealed::Sealed;
use crate::thaw::of_storage;

/// How an export is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The coldest tier of its parts.
    pub tier: Option<Tier>,
    /// Whether a part of it is on its way back from the archive.
    pub returning: bool,
    /// The lock that ends first; none where a file has none.
    pub lock: Option<Lock>,
    /// The lock that ends last of any file of it.
    pub last_lock: Option<Lock>,
    /// Whether it is held, or its container is.
    pub held: bool,
    /// Why it is not known whether its container keeps it; none where it is known.
    pub unread: Option<&'static str>,
    /// Whether all its parts are there, with their sizes.
    pub whole: bool,
}

impl State {
    /// Why its key may not be erased now; none where it may, as far as it is known.
    pub fn forbids_erasure(&self, now: Timestamp) -> Option<String> {
        if self.held {
            return Some("a legal hold lies on it".to_owned());
        }
        let lock = self.last_lock.filter(|lock| lock.until > now)?;
        Some(format!("it is to be kept until {}", lock.until))
    }
}

/// The files of an export with how each lies.
pub(super) struct Files(pub(super) Vec<(FileName, Option<ColdState>)>);

impl Files {
    pub(super) async fn read(
        storage: &dyn Storage,
        record: &SealRecord,
        cold: &dyn ColdStorage,
    ) -> Result<Self, Failure> {
        let names = record.stored(storage).await;
        let names = names.map_err(|error| Failure::of_restore(&error))?;
        let states = stream::iter(names).map(|name| async move {
            let state = cold.state(&name).await?;
            Ok((name, state))
        });
        let states = states.buffered(AT_ONCE).try_collect().await;
        states.map(Self).map_err(of_storage)
    }

    /// The lock that ends first of all that was sealed; none where a file has none. What came later is not asked.
    pub(super) fn lock(&self) -> Option<Lock> {
        let sealed = self.there().filter(|(name, _)| !is_late(name));
        let locks = sealed.map(|(_, state)| state.lock);
        let earlier = |one: Lock, other: Lock| {
            if one.until <= other.until { one } else { other }
        };
        let first = locks.reduce(|one, other| Some(earlier(one?, other?)));
        first.flatten()
    }

    /// The lock that ends last of all files.
    fn last_lock(&self) -> Option<Lock> {
        let locks = self.there().filter_map(|(_, state)| state.lock);
        locks.max_by_key(|lock| lock.until)
    }

    /// Whether what was sealed is held.
    pub(super) fn is_held(&self) -> bool {
        let mut sealed = self.there().filter(|(name, _)| !is_late(name));
        sealed.any(|(_, state)| state.held)
    }

    pub(super) fn there(&self) -> impl Iterator<Item = (&FileName, &ColdState)> {
        self.0
            .iter()
            .filter_map(|(name, state)| Some((name, state.as_ref()?)))
    }
}

/// Whether a file comes after the seal: an event of custody, or the answer of a time-stamp authority.
pub(super) fn is_late(name: &FileName) -> bool {
    let name = name.as_str();
    name.contains(".seal/custody/") || name.ends_with(&format!(".seal/{ANSWER}"))
}

/// Reads how an export is kept. A place without tiers and locks keeps nothing.
pub async fn state(session: &Session, sealed: &Sealed) -> Result<State, Failure> {
    let Some(cold) = sealed.storage.cold() else {
        return Ok(State {
            whole: is_whole(sealed).await?,
            ..State::default()
        });
    };
    let files = Files::read(sealed.storage.as_ref(), &sealed.record, cold).await?;
    let mut state = of_parts(sealed, &files)?;
    state.held = files.there().any(|(_, state)| state.held);
    state.lock = files.lock();
    state.last_lock = files.last_lock();
    match keeping(cold).await? {
        None => {
            state.unread = Some(
                "its container may be held or have a retention policy, and does not say so to this signature",
            );
        }
        Some(keeping) => {
            state.held |= keeping.held;
            if keeping.policy && !keeping.by_file {
                match by_container(session, sealed, None).await {
                    Ok(Some((_, Some(policy)))) => {
                        let lock = lock_of(&policy, oldest(&files));
                        state.lock = Some(lock);
                        state.last_lock = Some(lock_of(&policy, newest(&files)));
                    }
                    _ => {
                        state.unread =
                            Some("its container has a retention policy whose end cannot be read");
                    }
                }
            }
        }
    }
    Ok(state)
}

/// What the parts of its tar come to.
fn of_parts(sealed: &Sealed, files: &Files) -> Result<State, Failure> {
    let parts = sealed.record.part_names();
    let parts = parts.map_err(|error| Failure::of_restore(&error))?;
    let of_part = |name: &FileName| parts.iter().position(|part| part == name);
    let mut state = State {
        whole: true,
        ..State::default()
    };
    for (name, found) in &files.0 {
        let Some(part) = of_part(name) else { continue };
        let Some(found) = found else {
            state.whole = false;
            continue;
        };
        let size = sealed.record.parts.get(part).map(|part| part.size);
        state.whole &= size == Some(found.size);
        state.tier = state.tier.max(found.tier);
        state.returning |= found.returning.is_some();
    }
    Ok(state)
}

/// Whether all parts of an export are there, with their sizes.
async fn is_whole(sealed: &Sealed) -> Result<bool, Failure> {
    let names = sealed.record.part_names();
    let names = names.map_err(|error| Failure::of_restore(&error))?;
    for (name, part) in names.iter().zip(&sealed.record.parts) {
        let size = sealed.storage.size(name).await.map_err(of_storage)?;
        if size != Some(part.size) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// What the container keeps its files by; none where it does not say, as to a signature that is good for it alone.
async fn keeping(cold: &dyn ColdStorage) -> Result<Option<Keeping>, Failure> {
    match cold.keeping().await {
        Ok(keeping) => Ok(Some(keeping)),
        Err(error) if error.fault == StorageFault::Denied => Ok(None),
        Err(error) => Err(of_storage(error)),
    }
}

/// Whether single files are kept there. A container that does not say is taken for one: where it is none it refuses.
pub(super) async fn is_by_file(cold: &dyn ColdStorage) -> Result<bool, Failure> {
    Ok(keeping(cold).await?.is_none_or(|keeping| keeping.by_file))
}

/// What a container's policy comes to for a file: it counts from its creation.
pub(super) fn lock_of(policy: &ContainerPolicy, written: Timestamp) -> Lock {
    let until = written.checked_add(Duration::from_secs(policy.days.unsigned_abs() * 24 * 3600));
    Lock {
        until: until.unwrap_or(Timestamp::MAX),
        mode: match policy.locked {
            true => LockMode::Locked,
            false => LockMode::Unlocked,
        },
    }
}

/// When the oldest file was written.
pub(super) fn oldest(files: &Files) -> Timestamp {
    let written = files.there().filter_map(|(_, state)| state.written);
    written.min().unwrap_or(Timestamp::UNIX_EPOCH)
}

/// When the newest of what was sealed was written.
fn newest(files: &Files) -> Timestamp {
    let sealed = files.there().filter(|(name, _)| !is_late(name));
    let written = sealed.filter_map(|(_, state)| state.written);
    written.max().unwrap_or(Timestamp::MAX)
}
