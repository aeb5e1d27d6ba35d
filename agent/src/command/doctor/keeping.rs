//! Whether files may be kept from deletion where the configuration wants that: in a repository with `lock`, and at destinations whose
//! exports have a retention. It is asked by locking a file that nobody has, which changes nothing.

use std::collections::BTreeSet;
use std::time::Duration;

use archive_format::FileName;
use archive_format::storage::{ColdStorage, Lock, LockMode, StorageFault};

use super::{Check, Findings};
use crate::config;
use crate::exit::ExitStatus;
use crate::exports;
use crate::failure::Failure;
use crate::session::Session;
use crate::store::{self, Address};
use crate::thaw::of_storage;

const AREA: &str = "permissions";
/// A file that neither a repository nor an export has.
const NOBODYS: &str = "probe/lock";

/// A place where files are to be kept.
pub(super) struct Place {
    /// The name for people.
    what: String,
    address: Address,
    /// How its store is opened.
    as_repository: config::Repository,
}

/// The places of the configuration where files are to be kept, in Azure, where mlark can keep them.
pub(super) fn places(session: &Session) -> Vec<Place> {
    let config = &session.config;
    let mut places = Vec::new();
    if config.repository.lock.is_some()
        && let Ok(address) = session.repository_address()
    {
        places.push(Place {
            what: "locks of the repository".to_owned(),
            address,
            as_repository: config.repository.clone(),
        });
    }
    let deposits = config.workspace.iter().flat_map(|it| &it.export);
    let kept = deposits.filter(|export| export.retain.is_some());
    let kept: BTreeSet<&str> = kept.map(|export| export.to.as_str()).collect();
    for destination in &config.destination {
        let is_kept = destination.retain.is_some() || kept.contains(destination.name.as_str());
        if let Ok((destination, address)) = session.destination(&destination.name)
            && is_kept
        {
            places.push(Place {
                what: format!("locks of exports to {}", destination.name),
                address,
                as_repository: destination.as_repository(),
            });
        }
    }
    places.retain(|place| matches!(place.address, Address::Azure { .. }));
    places
}

/// Looks at each place.
pub(super) async fn checks(session: &Session, found: &mut Findings) {
    for place in places(session) {
        let check = match check(session, &place).await {
            Ok(says) => Check::good(AREA, &place.what, says),
            Err(failure) => Check::failed(AREA, &place.what, &failure),
        };
        found.checks.push(check);
    }
}

async fn check(session: &Session, place: &Place) -> Result<String, Failure> {
    let azure = &session.config.azure;
    let opened = store::open_streaming(
        &place.address,
        &place.as_repository,
        azure,
        &session.context,
    );
    let storage = opened.await?;
    let Some(cold) = storage.cold() else {
        return Err(Failure::usage("The place locks no files").on(&place.address));
    };
    match may_lock(session, cold).await {
        Err(error) if error.fault == StorageFault::NotFound => {
            Ok("this identity may lock files, and the container keeps single ones".to_owned())
        }
        Ok(()) => Ok("this identity may lock files".to_owned()),
        Err(error) if error.fault == StorageFault::Denied => Err(Failure {
            // As every permission that is missing.
            status: ExitStatus::Gaps,
            ..of_storage(error).next(
                "give mlark's identity `roles/mlark-lock.json` on the account: `mlark doctor --grant` prints the commands",
            )
        }),
        Err(error) => Err(of_storage(error)),
    }
}

async fn may_lock(
    session: &Session,
    cold: &dyn ColdStorage,
) -> Result<(), archive_format::StorageError> {
    let name = match FileName::new(NOBODYS) {
        Ok(name) => name,
        Err(_) => return Ok(()),
    };
    let until = session.context.clock.now() + Duration::from_secs(24 * 3600);
    let lock = Lock {
        until,
        mode: LockMode::Unlocked,
    };
    cold.lock(&name, lock).await
}

/// The accounts that the role is to be assigned on: their ARM ids, or what stands for one that nobody shows.
pub(super) async fn scopes(session: &Session) -> Vec<String> {
    let mut scopes = BTreeSet::new();
    for place in places(session) {
        let Address::Azure { account, .. } = &place.address else {
            continue;
        };
        let found = exports::account_id(session, &place.address).await;
        scopes.insert(found.unwrap_or_else(|| {
            format!("/subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage/storageAccounts/{account}")
        }));
    }
    scopes.into_iter().collect()
}
