//! Takes objects in, from many tasks at once, and brings packs into the repository.
//!
//! Write order: a pack, then its index (an index proves its pack), then the catalogue. Nothing is named by a log entry
//! before its pack and index are stored.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::task::JoinSet;

use super::Stored;
use super::filler::{Filler, Lane, SharedFrame};
use super::folder::RunFolder;
use crate::keys::Recipient;
use crate::keys::envelope;
use crate::magic::{LARGE_OBJECT_BYTES, OBJECT_BYTES_MAX};
use crate::pack::writer::PackBuilder;
use crate::pack::{Class, Codec, CodecPool, Encoded, turns_at_once};
use crate::repository::Inner;
use crate::storage::FileUse;
use crate::{Address, Catalogue, Error, FileName, PackName, Storage};

/// Packs that are on their way into the repository at once. They wait on disk, not in memory.
const UPLOADS_AT_ONCE: usize = 2;

/// Up to this length a hash is made where one is: it takes some 20 µs.
const INLINE_HASH_BYTES: usize = 32 << 10;

/// What the uploads need, shared with their tasks.
#[derive(Debug)]
struct Shelf {
    storage: Arc<dyn Storage>,
    catalogue: Catalogue,
    codecs: CodecPool,
    meta: Option<Recipient>,
    /// Objects taken in whose pack is not stored yet.
    pending: Mutex<HashSet<Address>>,
    stored_bytes: AtomicU64,
    /// The packs stored so far.
    packs: Mutex<Vec<PackName>>,
}

/// One class: the frame that is being shared, and the packs.
#[derive(Debug)]
struct OfClass {
    shared: Mutex<SharedFrame>,
    lane: Arc<Lane>,
}

/// The packer.
#[derive(Debug)]
pub(super) struct Packer {
    shelf: Arc<Shelf>,
    data: Option<Recipient>,
    classes: [OfClass; 4],
    /// Work of the processor that goes on at once.
    workers: Arc<Semaphore>,
    uploads: AsyncMutex<JoinSet<Result<(), Error>>>,
    upload_permits: Arc<Semaphore>,
    /// Held for reading while an object is taken in, for writing while everything is flushed.
    gate: RwLock<()>,
    new_bytes: AtomicU64,
    anew: bool,
}

impl Packer {
    /// A packer for the keys that count now, with its files in this folder. With `anew` objects are stored again that the
    /// repository has.
    pub(super) async fn begin(inner: &Inner, folder: &RunFolder, anew: bool) -> Self {
        let (data, meta) = {
            let chain = inner.chain.lock().await;
            (chain.data.clone(), chain.meta.clone())
        };
        let classes = Class::ALL.map(|class| OfClass {
            shared: Mutex::default(),
            lane: Arc::new(Lane::new(Filler::new(
                class,
                folder.path().to_owned(),
                inner.record.pack_bytes,
            ))),
        });
        Self {
            shelf: Arc::new(Shelf {
                storage: Arc::clone(&inner.storage),
                catalogue: inner.catalogue.clone(),
                codecs: inner.objects.codecs.clone(),
                meta,
                pending: Mutex::default(),
                stored_bytes: AtomicU64::new(0),
                packs: Mutex::default(),
            }),
            data,
            classes,
            workers: Arc::new(Semaphore::new(turns_at_once())),
            uploads: AsyncMutex::default(),
            upload_permits: Arc::new(Semaphore::new(UPLOADS_AT_ONCE)),
            gate: RwLock::new(()),
            new_bytes: AtomicU64::new(0),
            anew,
        }
    }

    /// Bytes of content in objects that the repository did not have.
    pub(super) fn new_bytes(&self) -> u64 {
        self.new_bytes.load(Ordering::Relaxed)
    }

    /// What the packs stored so far take, with their index files.
    pub(super) fn stored_bytes(&self) -> u64 {
        self.shelf.stored_bytes.load(Ordering::Relaxed)
    }

    /// The packs stored so far.
    pub(super) fn packs(&self) -> Vec<PackName> {
        let packs = self.shelf.packs.lock();
        packs.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A turn at the processor.
    pub(super) async fn worker(&self) -> Result<OwnedSemaphorePermit, Error> {
        let turn = Arc::clone(&self.workers).acquire_owned().await;
        turn.map_err(|_| Error::Worker { what: "the packer" })
    }

    /// Whether the repository or this run has an object.
    pub(super) async fn has(&self, address: Address) -> Result<bool, Error> {
        Ok(self.shelf.is_pending(&address) || self.shelf.catalogue.is_known(address).await?)
    }

    /// Takes an object in, unless the repository or this run has it.
    pub(super) async fn store(&self, class: Class, bytes: Bytes) -> Result<Stored, Error> {
        let address = if bytes.len() <= INLINE_HASH_BYTES {
            Address::of(&bytes)
        } else {
            let (turn, hashed) = (self.worker().await?, bytes.clone());
            let hash = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                Address::of(&hashed)
            });
            hash.await.map_err(|_| Error::Worker { what: "hashing" })?
        };
        self.store_hashed(class, address, bytes).await
    }

    /// The same where the address is known already.
    pub(super) async fn store_hashed(
        &self,
        class: Class,
        address: Address,
        bytes: Bytes,
    ) -> Result<Stored, Error> {
        let size = bytes.len() as u64;
        if size > OBJECT_BYTES_MAX {
            return Err(Error::Limit {
                what: "An object".to_owned(),
                limit: OBJECT_BYTES_MAX,
                found: size,
            });
        }
        let stored = Stored { address, size };
        let _open = self.gate.read().await;
        let known = !self.anew && self.shelf.catalogue.is_known(address).await?;
        if known || self.shelf.is_pending(&address) {
            return Ok(stored);
        }
        if !self.shelf.add_pending(address) {
            return Ok(stored);
        }
        if class != Class::Meta {
            self.new_bytes.fetch_add(size, Ordering::Relaxed);
        }
        if bytes.len() >= LARGE_OBJECT_BYTES {
            self.pack_up(class, move |codec| match class {
                // Whoever reads lists and manifests by hand needs no inverse of planes.
                Class::Meta => codec.encode_plain(&address, &bytes),
                _ => codec.encode_large(&address, &bytes),
            })
            .await?;
        } else if let Some(frame) = self.share(class, address, &bytes) {
            self.close_frame(class, frame).await?;
        }
        Ok(stored)
    }

    /// Puts a small object into the shared frame; gives the frame when it is full.
    fn share(&self, class: Class, address: Address, bytes: &[u8]) -> Option<SharedFrame> {
        let mut shared = self
            .of(class)
            .shared
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shared.push(address, bytes);
        shared.is_full().then(|| std::mem::take(&mut *shared))
    }

    fn of(&self, class: Class) -> &OfClass {
        let place = Class::ALL.iter().position(|other| *other == class);
        &self.classes[place.unwrap_or(0)]
    }

    async fn close_frame(&self, class: Class, frame: SharedFrame) -> Result<(), Error> {
        self.pack_up(class, move |codec| {
            codec.encode_shared(&frame.tar, frame.objects)
        })
        .await
    }

    /// Makes frames and adds them to the pack of a class: one job for a worker thread.
    async fn pack_up(
        &self,
        class: Class,
        encode: impl FnOnce(&mut Codec) -> Result<Encoded, Error> + Send + 'static,
    ) -> Result<(), Error> {
        let turn = self.worker().await?;
        let (lane, recipient) = (Arc::clone(&self.of(class).lane), self.recipient(class));
        let full = self
            .shelf
            .codecs
            .run(move |codec| lane.append(encode(codec)?, recipient.as_ref()))
            .await?;
        drop(turn);
        self.upload_all(full).await
    }

    fn recipient(&self, class: Class) -> Option<Recipient> {
        let recipient = match class {
            Class::Meta => &self.shelf.meta,
            _ => &self.data,
        };
        recipient.clone()
    }

    async fn upload_all(&self, packs: Vec<PackBuilder>) -> Result<(), Error> {
        for pack in packs {
            self.upload(pack).await?;
        }
        Ok(())
    }

    /// Finishes a pack and brings it into the repository, beside everything else. Waits while too many are under way;
    /// an error of an earlier one comes out here.
    async fn upload(&self, pack: PackBuilder) -> Result<(), Error> {
        let permit = Arc::clone(&self.upload_permits).acquire_owned().await;
        let permit = permit.map_err(|_| Error::Worker { what: "the packer" })?;
        let mut uploads = self.uploads.lock().await;
        let mut failed = Ok(());
        while let Some(done) = uploads.try_join_next() {
            failed = failed.and(done.unwrap_or(Err(Error::Worker { what: "an upload" })));
        }
        failed?;
        let shelf = Arc::clone(&self.shelf);
        uploads.spawn(async move {
            let _permit = permit;
            shelf.bring_in(pack).await
        });
        Ok(())
    }

    /// Brings everything taken in so far into the repository, data packs before meta packs. After an error too nothing
    /// is left in between: what was taken in is stored, or may be taken in again.
    pub(super) async fn flush(&self) -> Result<(), Error> {
        let _closed = self.gate.write().await;
        let mut result = Ok(());
        for class in Class::ALL {
            if class == Class::Meta {
                result = result.and(self.uploads_done().await);
            }
            result = result.and(self.flush_lane(class).await);
        }
        result = result.and(self.uploads_done().await);
        self.shelf.lock_pending().clear();
        result
    }

    async fn flush_lane(&self, class: Class) -> Result<(), Error> {
        let frame = {
            let mut shared = self
                .of(class)
                .shared
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *shared)
        };
        let closed = match frame.objects.is_empty() {
            true => Ok(()),
            false => self.close_frame(class, frame).await,
        };
        let (lane, recipient) = (Arc::clone(&self.of(class).lane), self.recipient(class));
        let taking = tokio::task::spawn_blocking(move || lane.take(recipient.as_ref()));
        let packs = taking.await.map_err(|_| Error::Worker {
            what: "writing a pack",
        })?;
        closed.and(self.upload_all(packs?).await)
    }

    async fn uploads_done(&self) -> Result<(), Error> {
        let mut uploads = self.uploads.lock().await;
        let mut result = Ok(());
        while let Some(done) = uploads.join_next().await {
            result = result.and(done.unwrap_or(Err(Error::Worker { what: "an upload" })));
        }
        result
    }
}

impl Shelf {
    fn lock_pending(&self) -> std::sync::MutexGuard<'_, HashSet<Address>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_pending(&self, address: &Address) -> bool {
        self.lock_pending().contains(address)
    }

    fn add_pending(&self, address: Address) -> bool {
        self.lock_pending().insert(address)
    }

    /// Pack first, index second, catalogue last.
    async fn bring_in(&self, pack: PackBuilder) -> Result<(), Error> {
        let finished = self.codecs.run(move |codec| pack.finish(codec)).await?;
        let index = finished.index;
        let mut stored_index = index.to_bytes();
        if let Some(meta) = &self.meta {
            stored_index = envelope::seal(&[meta], &stored_index)?;
        }
        let name = FileName::pack(&index.pack);
        // A pack's name is new for ever, so one that exists is this one, put by an attempt whose answer was lost.
        let used = match index.table.class {
            Class::Meta => FileUse::Names,
            _ => FileUse::Contents,
        };
        let created = self
            .storage
            .create_from_file(&name, &finished.path, used)
            .await;
        self.settle(&name, created, index.stored_bytes).await?;
        let index_name = FileName::index(&index.pack);
        let index_bytes = stored_index.len() as u64;
        let created = self.storage.create(&index_name, stored_index.into()).await;
        self.settle(&index_name, created, index_bytes).await?;
        self.stored_bytes
            .fetch_add(index.stored_bytes + index_bytes, Ordering::Relaxed);
        self.packs
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(index.pack);
        let addresses: Vec<Address> = index.table.objects.iter().map(|row| row.address).collect();
        self.catalogue.add_pack(index).await?;
        {
            let mut pending = self.lock_pending();
            for address in &addresses {
                pending.remove(address);
            }
        }
        tokio::fs::remove_file(&finished.path)
            .await
            .map_err(|source| Error::Local {
                act: "remove",
                path: finished.path.clone(),
                source,
            })
    }

    /// An unclear answer to a create is settled by looking whether the file is there with its size.
    async fn settle(
        &self,
        name: &FileName,
        created: Result<crate::storage::Created, crate::StorageError>,
        bytes: u64,
    ) -> Result<(), Error> {
        match created {
            Ok(_) => Ok(()),
            Err(error) if error.fault == crate::storage::StorageFault::Unclear => {
                if self.storage.size(name).await? == Some(bytes) {
                    Ok(())
                } else {
                    Err(error.into())
                }
            }
            Err(error) => Err(error.into()),
        }
    }
}
