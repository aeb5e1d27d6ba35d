//! The mark by which a second restore into the same workspace refuses: a lease on a small blob in its default container.
//!
//! The service's own clock ends a lease that nobody renews, so a restore that died blocks nobody for long. One that died
//! on this very machine blocks nobody at all: the mark says which process holds it.

use std::sync::Arc;
use std::time::Duration;

use azure_core::Uuid;
use azure_core::http::{Etag, Method, NoFormat, RequestContent};
use azure_storage_blob::BlobClient;
use azure_storage_blob::models::{
    BlobClientAcquireLeaseOptions, BlobClientAcquireLeaseResultHeaders,
    BlobClientBreakLeaseOptions, BlobClientDeleteOptions, BlockBlobClientUploadOptions,
};
use bytes::Bytes;
use futures::TryStreamExt;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::answer::{act, from_core};
use super::blob::BlobReader;
use super::place::{FileMeta, Place};
use super::range;
use super::upload;
use super::workspace::AzureWorkspace;
use crate::{Entry, Error, FilePath, Location, SourceFile, Validators};

/// Where the mark is, in the default container.
const MARK: &str = "mlark/restore.lock";
/// The shortest lease that the service gives.
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
/// How often a mark that somebody else holds is looked at, over the time that a dead holder's lease lasts.
const LOOKS: u32 = 9;
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// How often a lease is asked for, where it ran out before the mark was written under it.
const TRIES: u32 = 5;
const MARK_BYTES_MAX: usize = 4096;

/// A mark in the target by which a second restore refuses. Lost by itself when its owner dies.
#[derive(Debug)]
pub struct TargetLock {
    owner: String,
    /// The mark, and what renews it. A registry has no place for one: none of its containers is the customer's.
    held: Option<(Held, JoinHandle<()>)>,
}

/// A mark that is there: a restore is under way, or was cut off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftMark {
    /// Who left it; empty where it cannot be read.
    pub owner: String,
    /// Whether that was a process of this machine since its last start.
    pub is_of_this_machine: bool,
}

#[derive(Clone)]
struct Held {
    client: Arc<BlobClient>,
    lease: String,
    act: String,
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.act)
    }
}

/// What the mark says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    owner: String,
    process: Option<Process>,
}

/// A process that others on the same machine can look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Process {
    /// Boot and process namespace: where the number means something.
    machine: String,
    number: u32,
    /// When it began, in the kernel's count, since numbers come again.
    began: String,
}

impl TargetLock {
    /// Who holds it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// Gives the target free, and leaves the mark for whoever comes next.
    pub async fn leave(self) -> Result<(), Error> {
        let Some((held, renewal)) = &self.held else {
            return Ok(());
        };
        renewal.abort();
        let released = held.client.release_lease(held.lease.clone(), None);
        let act = act(Method::Put, held.client.url());
        match released.await.map_err(|error| from_core(error, &act)) {
            Ok(_) | Err(Error::NotFound(_) | Error::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Gives the target free.
    pub async fn release(self) -> Result<(), Error> {
        let Some((held, renewal)) = &self.held else {
            return Ok(());
        };
        renewal.abort();
        let options = BlobClientDeleteOptions {
            lease_id: Some(held.lease.clone()),
            ..BlobClientDeleteOptions::default()
        };
        let removed = held.client.delete(Some(options)).await;
        let act = act(Method::Delete, held.client.url());
        match removed.map_err(|error| from_core(error, &act)) {
            Ok(_) | Err(Error::NotFound(_)) => Ok(()),
            // It ran out, and somebody else may hold it now.
            Err(Error::Conflict(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

impl Drop for TargetLock {
    fn drop(&mut self) {
        if let Some((_, renewal)) = &self.held {
            renewal.abort();
        }
    }
}

impl AzureWorkspace {
    /// Marks the target as held, by a lease on `mlark/restore.lock` in its default container. The mark is renewed as long
    /// as it lives. Somebody who died holding it on another machine is waited for, at most 18 seconds.
    ///
    /// A registry has no place for a mark. There each step looks first at what is there, a version once made is never
    /// written over, and two restores of one snapshot write the same.
    pub async fn lock(&self, owner: &str) -> Result<TargetLock, Error> {
        if self.is_registry() {
            return Ok(TargetLock {
                owner: owner.to_owned(),
                held: None,
            });
        }
        let place = self.datastore_place(None, MARK).await?;
        let client = Arc::new(upload::client(self.connection(), &place)?);
        let act = act(Method::Put, &place.url);
        let mark = Mark {
            owner: owner.chars().take(200).collect(),
            process: Process::own().await,
        };
        self.ensure_mark(&mark).await?;
        let mut tries = 1..TRIES;
        loop {
            let lease = self.acquire(&client, &place, &act).await?;
            let held = Held {
                client: client.clone(),
                lease,
                act: act.clone(),
            };
            let renewal = tokio::spawn(held.clone().renew());
            let lock = TargetLock {
                owner: mark.owner.clone(),
                held: Some((held.clone(), renewal)),
            };
            match held.write(&mark).await {
                Ok(()) => return Ok(lock),
                // The service let the mark wait for longer than the lease lasts.
                Err(Error::Conflict(refusal))
                    if refusal.code.starts_with("Lease") && tries.next().is_some() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The mark that is in the target, if any.
    pub async fn left_mark(&self) -> Result<Option<LeftMark>, Error> {
        if self.is_registry() {
            return Ok(None);
        }
        let place = self.datastore_place(None, MARK).await?;
        if self.list_place(&place).try_next().await?.is_none() {
            return Ok(None);
        }
        let mark = self.read_mark(&place).await?;
        Ok(Some(LeftMark {
            is_of_this_machine: mark
                .as_ref()
                .and_then(|mark| mark.process.as_ref())
                .is_some_and(Process::is_here),
            owner: mark.map(|mark| mark.owner).unwrap_or_default(),
        }))
    }

    /// The blob that is leased must be there. Who holds it is found when the lease is asked for.
    async fn ensure_mark(&self, mark: &Mark) -> Result<(), Error> {
        let bytes = mark.bytes();
        let meta = FileMeta {
            size: bytes.len() as u64,
            content_type: Some("application/json".to_owned()),
            ..FileMeta::default()
        };
        let root = self.datastore_place(None, "").await?;
        let content = futures::stream::iter([Ok(bytes)]);
        let path = FilePath::new(MARK)?;
        match self
            .write_file(&root, &path, &meta, Box::pin(content))
            .await
        {
            Ok(_) => Ok(()),
            Err(Error::Conflict(refusal)) if refusal.code == "LeaseIdMissing" => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn acquire(
        &self,
        client: &BlobClient,
        place: &Place,
        act: &str,
    ) -> Result<String, Error> {
        let seconds = i32::try_from(LEASE.as_secs()).unwrap_or(i32::MAX);
        // Named by us: asked for again because the answer was lost, it is given again.
        let options = BlobClientAcquireLeaseOptions {
            proposed_lease_id: Some(Uuid::new_v4().to_string()),
            ..BlobClientAcquireLeaseOptions::default()
        };
        let mut owner = String::new();
        for look in 0..LOOKS {
            let answer = client.acquire_lease(seconds, Some(options.clone())).await;
            match answer.map_err(|error| from_core(error, act)) {
                Ok(answer) => {
                    let lease = answer.lease_id().ok().flatten();
                    return lease.ok_or_else(|| Error::Answer {
                        act: act.to_owned(),
                        reason: "it gives a lease without an id".to_owned(),
                    });
                }
                Err(Error::Conflict(_)) => {}
                Err(error) => return Err(error),
            }
            if let Some(mark) = self.read_mark(place).await? {
                if mark.process.as_ref().is_some_and(Process::is_alive_here) {
                    return Err(Error::Locked { owner: mark.owner });
                }
                if mark.process.as_ref().is_some_and(Process::is_dead_here) {
                    break_lease(client, act).await?;
                    continue;
                }
                owner = mark.owner;
            }
            if look + 1 < LOOKS {
                tokio::time::sleep(LOOK_PAUSE).await;
            }
        }
        Err(Error::Locked { owner })
    }

    async fn read_mark(&self, place: &Place) -> Result<Option<Mark>, Error> {
        let file = SourceFile {
            path: FilePath::new(MARK)?,
            entry: Entry::File,
            size: None,
            validators: Validators::default(),
            content_type: None,
            metadata: Default::default(),
            tier: None,
            attributes: None,
            location: Location::Blob(place.url.clone()),
        };
        let reader = BlobReader::new(self.connection(), &place.url, None)?;
        let mut bytes = Vec::new();
        let mut stream = range::read(reader, &file, self.connection().ahead());
        while let Some(piece) = match stream.try_next().await {
            Err(Error::NotFound(_) | Error::Changed { .. }) => return Ok(None),
            piece => piece?,
        } {
            bytes.extend_from_slice(&piece);
            if bytes.len() > MARK_BYTES_MAX {
                return Ok(None);
            }
        }
        Ok(serde_json::from_slice(&bytes).ok())
    }
}

async fn break_lease(client: &BlobClient, act: &str) -> Result<(), Error> {
    let options = BlobClientBreakLeaseOptions {
        break_period: Some(0),
        ..BlobClientBreakLeaseOptions::default()
    };
    let broken = client.break_lease(Some(options)).await;
    match broken.map_err(|error| from_core(error, act)) {
        Ok(_) | Err(Error::Conflict(_) | Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Mark {
    fn bytes(&self) -> Bytes {
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

impl Held {
    async fn write(&self, mark: &Mark) -> Result<(), Error> {
        let options = BlockBlobClientUploadOptions {
            lease_id: Some(self.lease.clone()),
            blob_content_type: Some("application/json".to_owned()),
            if_match: None::<Etag>,
            ..BlockBlobClientUploadOptions::default()
        };
        let body: RequestContent<Bytes, NoFormat> = mark.bytes().into();
        self.client
            .block_blob_client()
            .upload(body, Some(options))
            .await
            .map_err(|error| from_core(error, &self.act))?;
        Ok(())
    }

    async fn renew(self) {
        loop {
            tokio::time::sleep(RENEW).await;
            if let Err(error) = self.client.renew_lease(self.lease.clone(), None).await {
                tracing::warn!(%error, "the mark in the target could not be renewed");
            }
        }
    }
}

impl Process {
    /// This process; `None` where the system does not tell.
    async fn own() -> Option<Self> {
        tokio::task::spawn_blocking(|| {
            Some(Self {
                machine: machine()?,
                number: std::process::id(),
                began: began(std::process::id())?,
            })
        })
        .await
        .ok()
        .flatten()
    }

    fn is_alive_here(&self) -> bool {
        self.is_here() && began(self.number).as_deref() == Some(&self.began)
    }

    fn is_dead_here(&self) -> bool {
        self.is_here() && began(self.number).as_deref() != Some(&self.began)
    }

    fn is_here(&self) -> bool {
        machine().is_some_and(|machine| machine == self.machine)
    }
}

/// The machine since its last start, and the namespace in which numbers of processes mean something.
fn machine() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process began, in the kernel's count (proc(5), field 22 of `stat`); `None` where there is none of that number,
/// or only what its parent has not yet been told of.
fn began(number: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{number}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace();
    let state = fields.next()?;
    let began = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| began.to_owned())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_that_is_gone_is_told_from_one_that_lives() {
        let own = Process::own().await;
        assert!(own.as_ref().is_some_and(Process::is_alive_here));
        let of = |change: fn(&mut Process)| {
            own.clone().map(|mut process| {
                change(&mut process);
                process
            })
        };
        let gone = of(|process| process.began.push('0'));
        assert!(gone.as_ref().is_some_and(Process::is_dead_here));
        let elsewhere = of(|process| process.machine.push('x'));
        assert!(elsewhere.is_some_and(|it| !it.is_alive_here() && !it.is_dead_here()));
    }
}
