//! How an export is kept at its destination: its tier, retention and hold, read and changed. Each change is an event of
//! custody; none shortens what is locked, and what may not be done is refused before anything is asked of the store.

mod state;

use archive_format::storage::{ColdStorage, Lock, LockMode, Tier};
use archive_format::{Repository, Storage, StreamingStorage};
use futures::{TryStreamExt, stream};
use restore::bag::events::add_event;
use restore::bag::{Actor, SealRecord};
use serde_json::{Value, json};
use workspace::azure::{Connection, ContainerPolicy, KeptContainer, WorkspaceName};

use crate::azure;
use crate::failure::Failure;
use crate::own_account;
use crate::session::Session;
use crate::session::repository::{PROGRAM, machine_label, user_label};
use crate::session::sealed::Sealed;
use crate::store::Address;
use crate::thaw::of_storage;

pub use state::{State, state};

use state::{Files, is_by_file, is_late, lock_of, oldest};

/// So many files are asked for at once.
const AT_ONCE: usize = 8;

type Container = (KeptContainer, Option<ContainerPolicy>);

/// The container of an export as Resource Manager knows it; none where no subscription of the configuration shows its account.
async fn by_container(
    session: &Session,
    sealed: &Sealed,
    account_id: Option<&str>,
) -> Result<Option<Container>, Failure> {
    let Address::Azure {
        account, container, ..
    } = &sealed.address
    else {
        return Ok(None);
    };
    let of_workspace = |error: workspace::Error| Failure::of_workspace(&error);
    let settings = azure::settings(&session.config.azure, &session.context, None)?;
    let connection = Connection::open(settings).await.map_err(of_workspace)?;
    let found = match account_id {
        Some(id) => Some(KeptContainer::of_account(&connection, id, container)),
        None => {
            let subscriptions = subscriptions(session);
            KeptContainer::find(&connection, &subscriptions, account, container)
                .await
                .map_err(of_workspace)?
        }
    };
    let Some(found) = found else { return Ok(None) };
    let policy = found.policy().await.map_err(of_workspace)?;
    Ok(Some((found, policy)))
}

/// The ARM id of the storage account of an address, as far as a subscription of the configuration shows it.
pub async fn account_id(session: &Session, address: &Address) -> Option<String> {
    let Address::Azure {
        account, container, ..
    } = address
    else {
        return None;
    };
    let settings = azure::settings(&session.config.azure, &session.context, None).ok()?;
    let connection = Connection::open(settings).await.ok()?;
    let subscriptions = subscriptions(session);
    let found = KeptContainer::find(&connection, &subscriptions, account, container).await;
    let container = found.ok().flatten()?;
    let (account, _) = container.id().split_once("/blobServices/")?;
    Some(account.to_owned())
}

/// The subscriptions that the configuration names.
fn subscriptions(session: &Session) -> Vec<String> {
    let workspaces = session.config.workspace.iter().map(|it| &it.url);
    let urls = workspaces.chain(session.config.target.iter().map(|it| &it.url));
    let names = urls.filter_map(|url| url.parse::<WorkspaceName>().ok());
    let mut all: Vec<String> = names.map(|name| name.subscription).collect();
    all.sort();
    all.dedup();
    all
}

/// How a change reaches a container that keeps no single files.
#[derive(Clone, Debug, Default)]
pub struct ByContainer {
    /// Whether the whole container may be kept, with everything in it.
    pub allowed: bool,
    /// The ARM id of the account, where the configuration's subscriptions do not show it.
    pub account_id: Option<String>,
}

/// A change of how an export is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It stays until then.
    Lock(Lock),
    /// It stays until somebody says otherwise, or no longer.
    Hold(bool),
    /// It moves.
    Tier(Tier),
}

impl Change {
    fn word(self) -> &'static str {
        match self {
            Self::Lock(_) => "lock",
            Self::Hold(_) => "hold",
            Self::Tier(_) => "tier",
        }
    }

    fn says(self, by: &str) -> Value {
        match self {
            Self::Lock(lock) => {
                json!({"until": lock.until.to_string(), "mode": lock.mode.name(), "by": by})
            }
            Self::Hold(held) => json!({"held": held, "by": by}),
            Self::Tier(tier) => json!({"tier": tier.name()}),
        }
    }
}

/// How a change is carried out.
enum Way {
    Files,
    Container(Box<Container>),
}

/// Changes how an export is kept. The event of custody is written before, as what is asked, and after, as what is done: one
/// that was cut off is seen by the first alone, and may be asked again.
pub async fn change(
    session: &Session,
    repository: &Repository,
    sealed: &Sealed,
    change: Change,
    container: &ByContainer,
) -> Result<(), Failure> {
    let cold = (sealed.storage.cold()).ok_or_else(|| nothing_there(&sealed.address))?;
    if !matches!(change, Change::Tier(_)) {
        refuse_own_account(session, repository, sealed).await?;
    }
    let files = Files::read(sealed.storage.as_ref(), &sealed.record, cold).await?;
    if let Change::Tier(tier) = change {
        refuse_archived(sealed, &files, tier)?;
    }
    let way = way(session, sealed, cold, change, container).await?;
    refuse(sealed, &files, change, &way)?;
    let by = match &way {
        Way::Files => "files",
        Way::Container(_) => "container",
    };
    note(
        session,
        repository,
        sealed,
        &format!("{}-asked", change.word()),
        &change.says(by),
    )
    .await?;
    match &way {
        Way::Files => each(sealed, cold, &files, change).await?,
        Way::Container(found) => whole(sealed, &files, found, change).await?,
    }
    let said = change.says(by);
    note(session, repository, sealed, change.word(), &said).await?;
    keep_late(sealed.storage.as_ref(), &sealed.record).await
}

/// What came after the seal, an event of custody or a time stamp, is kept as the export itself is, where single files are.
pub async fn keep_late(storage: &dyn Storage, record: &SealRecord) -> Result<(), Failure> {
    let Some(cold) = storage.cold() else {
        return Ok(());
    };
    let files = Files::read(storage, record, cold).await?;
    let (lock, held) = (files.lock(), files.is_held());
    let is_as_it_was = |held_too: bool| lock.is_none() && held == held_too;
    let late = || files.there().filter(|(name, _)| is_late(name));
    if late().all(|(_, state)| is_as_it_was(state.held)) || !is_by_file(cold).await? {
        return Ok(());
    }
    for (name, state) in late() {
        let is_less = |lock: &Lock| {
            let own = state.lock;
            own.is_none_or(|own| {
                own != *lock && own.until <= lock.until && own.refuses(lock).is_none()
            })
        };
        if let Some(lock) = lock.filter(is_less) {
            cold.lock(name, lock).await.map_err(of_storage)?;
        }
        if state.held != held {
            cold.hold(name, held).await.map_err(of_storage)?;
        }
    }
    Ok(())
}

fn nothing_there(address: &Address) -> Failure {
    Failure::usage("The destination keeps nothing from deletion, and has no tiers")
        .on(address)
        .why("only az:// has them here; a folder has none, and a bucket has its own rules")
}

fn no_single_files(address: &Address) -> Failure {
    Failure::usage("The container keeps no single files")
        .on(address)
        .why("it has no version-level immutability, so that only all of its files can be kept together")
}

/// Refuses a place that can keep no export by itself, before one is made that is to be kept.
pub async fn refuse_unkept(
    storage: &dyn StreamingStorage,
    address: &Address,
) -> Result<(), Failure> {
    let cold = storage.cold().ok_or_else(|| nothing_there(address))?;
    match is_by_file(cold).await? {
        true => Ok(()),
        false => Err(no_single_files(address).next(
            "use a container with version-level immutability; or export without, and then keep all of it: `mlark export lock --container`, \
             `mlark export hold --container`",
        )),
    }
}

async fn refuse_own_account(
    session: &Session,
    repository: &Repository,
    sealed: &Sealed,
) -> Result<(), Failure> {
    let mut accounts = own_account::of_configuration(session).await;
    let history = repository.history().await;
    let history = history.map_err(|error| Failure::of_archive(&error))?;
    let record = history.iter().find(|it| it.id == sealed.record.snapshot);
    if let Some(record) = record {
        accounts.extend(own_account::of_snapshot(&repository.snapshot(record)).await);
    }
    own_account::refuse(&sealed.address, &accounts)
}

async fn way(
    session: &Session,
    sealed: &Sealed,
    cold: &dyn ColdStorage,
    change: Change,
    container: &ByContainer,
) -> Result<Way, Failure> {
    if matches!(change, Change::Tier(_)) || is_by_file(cold).await? {
        return Ok(Way::Files);
    }
    if !container.allowed {
        return Err(no_single_files(&sealed.address)
            .next("say --container where everything in it is to be kept so, or use a container with version-level immutability"));
    }
    let found = by_container(session, sealed, container.account_id.as_deref()).await?;
    found.map(Box::new).map(Way::Container).ok_or_else(|| {
        Failure::usage("The account of the destination is not found in Resource Manager")
            .on(&sealed.address)
            .why("no subscription of the configuration shows it")
            .next("name it with --account-id /subscriptions/…/storageAccounts/…")
    })
}

/// Refuses to take parts out of the archive: that is no move, but takes hours and is paid for.
fn refuse_archived(sealed: &Sealed, files: &Files, tier: Tier) -> Result<(), Failure> {
    let parts = sealed.record.part_names();
    let parts = parts.map_err(|error| Failure::of_restore(&error))?;
    let is_archived = files.there().any(|(name, state)| {
        let comes_out = state.tier == Some(Tier::Archive) && tier != Tier::Archive;
        parts.contains(name) && (comes_out || state.returning.is_some())
    });
    match is_archived {
        false => Ok(()),
        true => Err(Failure::usage("The export stays in the archive tier")
            .on(sealed.url())
            .why("what is archived comes back over hours, for a price that is told first, and leaving early is charged")
            .next(format!("mlark restore rehydrate {}", sealed.url()))),
    }
}

/// Refuses what would shorten a locked retention, before anything is asked.
fn refuse(sealed: &Sealed, files: &Files, change: Change, way: &Way) -> Result<(), Failure> {
    let Change::Lock(wanted) = change else {
        return Ok(());
    };
    let locks: Vec<Lock> = match way {
        Way::Files => files.there().filter_map(|(_, state)| state.lock).collect(),
        Way::Container(found) => {
            let oldest = oldest(files);
            found.1.iter().map(|it| lock_of(it, oldest)).collect()
        }
    };
    let refused = locks
        .iter()
        .find_map(|lock| Some((lock.until, lock.refuses(&wanted)?)));
    match refused {
        None => Ok(()),
        Some((until, why)) => Err(
            Failure::usage("The retention of an export is never shortened")
                .on(sealed.url())
                .why(format!("{why}: {until}"))
                .next("name a later day, or leave it as it is"),
        ),
    }
}

/// Carries a change out on each file. What is so already is left alone.
async fn each(
    sealed: &Sealed,
    cold: &dyn ColdStorage,
    files: &Files,
    change: Change,
) -> Result<(), Failure> {
    let parts = sealed.record.part_names();
    let parts = parts.map_err(|error| Failure::of_restore(&error))?;
    stream::iter(files.there().map(Ok))
        .try_for_each_concurrent(AT_ONCE, |(name, state)| {
            let is_part = parts.contains(name);
            async move {
                match change {
                    Change::Lock(lock) if state.lock != Some(lock) => cold.lock(name, lock).await,
                    Change::Hold(held) if state.held != held => cold.hold(name, held).await,
                    // The seal stays where it can be read at once.
                    Change::Tier(tier) if is_part && state.tier != Some(tier) => {
                        cold.set_tier(name, tier).await
                    }
                    _ => Ok(()),
                }
            }
        })
        .await
        .map_err(of_storage)
}

/// Carries a change out on the whole container.
async fn whole(
    sealed: &Sealed,
    files: &Files,
    found: &Container,
    change: Change,
) -> Result<(), Failure> {
    let (container, policy) = found;
    let done = match change {
        Change::Tier(_) => Ok(()),
        Change::Hold(held) => container.hold(&tag(sealed), held).await,
        Change::Lock(lock) => {
            let seconds = lock.until.duration_since(oldest(files)).as_secs();
            let days = seconds.div_euclid(24 * 3600) + i64::from(seconds % (24 * 3600) != 0);
            keep(container, policy.as_ref(), days, lock.mode).await
        }
    };
    done.map_err(|error| Failure::of_workspace(&error))
}

async fn keep(
    container: &KeptContainer,
    policy: Option<&ContainerPolicy>,
    days: i64,
    mode: LockMode,
) -> Result<(), workspace::Error> {
    let policy = match policy {
        Some(policy) if policy.locked && policy.days >= days => return Ok(()),
        Some(policy) if policy.locked => return container.extend(policy, days).await.map(drop),
        Some(policy) if policy.days == days => policy.clone(),
        _ => container.put_policy(days).await?,
    };
    match mode {
        LockMode::Locked => container.lock(&policy).await.map(drop),
        LockMode::Unlocked => Ok(()),
    }
}

/// The tag of an export's hold on its container: letters and digits, 23 at most.
fn tag(sealed: &Sealed) -> String {
    let id = sealed.record.export.to_string();
    let last = id.get(id.len().saturating_sub(18)..).unwrap_or(&id);
    format!("mlark{last}")
}

/// Who acts here, for the chain of custody: where a repository is at hand, with the key that signs in it.
pub async fn actor(repository: Option<&Repository>) -> Actor {
    let signer = match repository {
        Some(repository) => repository.signer().await.map(|signer| signer.to_string()),
        None => None,
    };
    Actor {
        machine: machine_label(),
        user: Some(user_label()),
        signer,
        program: PROGRAM.to_owned(),
    }
}

/// Writes an event of custody.
pub async fn note(
    session: &Session,
    repository: &Repository,
    sealed: &Sealed,
    act: &str,
    says: &Value,
) -> Result<(), Failure> {
    let by = actor(Some(repository)).await;
    let now = session.context.clock.now();
    let added = add_event(sealed.storage.as_ref(), &sealed.record, now, act, &by, says).await;
    added.map(drop).map_err(|error| Failure::of_restore(&error))
}
