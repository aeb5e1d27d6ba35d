//! Reads objects: looks up where one lies, fetches its frames with one ranged request, decrypts, decompresses, checks.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::lately::ReadLately;
use crate::catalogue::objects::Location;
use crate::keys::Pair;
use crate::keys::envelope::Unopened;
use crate::keys::ring::{Ring, RingCell};
use crate::pack::{Class, Codec, CodecPool, Unread, extract, open};
use crate::storage::StorageFault;
use crate::{Address, Catalogue, Error, FileName, KeyLack, PackName, Storage};

/// Decompressed frames of small objects are kept up to this many bytes.
const CACHE_BYTES: usize = 8 << 20;

/// Only frames up to this size are kept; larger ones belong to one object.
const CACHED_FRAME_BYTES: usize = 512 << 10;

/// An object up to this length is taken out of frames at hand where one is: it takes some 20 µs.
const INLINE_BYTES: u32 = 32 << 10;

/// So many different frames are fetched at once for objects that share them.
const TURNS: usize = 16;

/// What is needed to read any object.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) catalogue: Catalogue,
    pub(crate) encrypted: bool,
    pub(crate) ring: RingCell,
    pub(crate) codecs: CodecPool,
    pub(crate) cache: FrameCache,
    pub(crate) lately: ReadLately,
}

impl Objects {
    /// The plain bytes of an object. Where it has several copies, the first sound one.
    pub(crate) async fn get(&self, address: Address) -> Result<Bytes, Error> {
        self.fetch(address).await.map(|(_, bytes)| bytes)
    }

    /// The same with the class of the pack that it came from.
    pub(crate) async fn fetch(&self, address: Address) -> Result<(Class, Bytes), Error> {
        let mut failure = Error::ObjectMissing { address };
        for location in self.catalogue.locate(address).await? {
            let class = location.class;
            match self.read(location).await {
                Ok(bytes) => return Ok((class, bytes)),
                Err(error @ Error::NoKey(_)) => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The keys that open packs of a class, newest first.
    pub(crate) fn keys(&self, class: Class) -> Result<PackKeys, Error> {
        let ring = self.ring.get();
        match ring.data_lack() {
            Some(lack) if class != Class::Meta => Err(Error::NoKey(lack)),
            _ => Ok(PackKeys {
                ring,
                class: Some(class),
            }),
        }
    }

    /// The same from one place alone.
    pub(crate) async fn read(&self, location: Location) -> Result<Bytes, Error> {
        let keys = self.keys(location.class)?;
        let row = location.row;
        if !location.is_kept() {
            return self.read_alone(location, keys).await;
        }
        let plain = self.kept_frames(location, keys).await?;
        if row.length <= INLINE_BYTES {
            return extract(&plain, &row).map(Bytes::from);
        }
        self.codecs
            .run(move |_| extract(&plain, &row).map(Bytes::from))
            .await
    }

    /// The decompressed frames of a location whose frames are kept, from the memory or read.
    pub(super) async fn kept_frames(
        &self,
        location: Location,
        keys: PackKeys,
    ) -> Result<Arc<Vec<u8>>, Error> {
        if let Some(plain) = self.cache.get(&location.pack, location.at) {
            return Ok(plain);
        }
        let _turn = self.cache.turn(&location.pack, location.at).await;
        match self.cache.get(&location.pack, location.at) {
            Some(plain) => Ok(plain),
            None => self.frames(location, keys).await,
        }
    }

    /// An object whose frames hold little else: they are not kept.
    async fn read_alone(&self, location: Location, keys: PackKeys) -> Result<Bytes, Error> {
        let (source, row) = (Source::of(&location), location.row);
        let frames = location.frames;
        self.open(source, keys, move |codec, bytes, name| {
            let object = codec.extract_from(bytes, &frames, &row);
            object.map(Bytes::from).map_err(|unread| match unread {
                Unread::Frames(error) => damaged(name, &error),
                Unread::Object(error) => error,
            })
        })
        .await
    }

    /// The decompressed frames of a location.
    pub(crate) async fn frames(
        &self,
        location: Location,
        keys: PackKeys,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let (pack, at) = (location.pack, location.at);
        let source = Source::of(&location);
        let frames = location.frames;
        let plain = self
            .open(source, keys, move |codec, bytes, name| {
                codec
                    .decompress(bytes, &frames)
                    .map_err(|error| damaged(name, &error))
            })
            .await?;
        let plain = Arc::new(plain);
        self.cache.put(pack, at, &plain);
        Ok(plain)
    }

    /// Reads a part of a pack, decrypts it, and hands it to `work` on a worker thread.
    pub(super) async fn open<T: Send + 'static>(
        &self,
        source: Source,
        keys: PackKeys,
        work: impl FnOnce(&mut Codec, &[u8], &FileName) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let stored = if self.encrypted {
            open::stored_range(&source.plain, source.header.len(), source.stored_bytes)
        } else {
            source.plain.clone()
        };
        let part = self.storage.read_range(&source.name, stored.clone()).await;
        let part = part.map_err(|error| match error.fault {
            StorageFault::NotFound | StorageFault::TooShort => Error::Damaged {
                name: source.name.clone(),
                reason: "it is missing or ends too early".to_owned(),
            },
            _ => error.into(),
        })?;
        let encrypted = self.encrypted;
        self.codecs
            .run(move |codec| {
                let name = &source.name;
                if !encrypted {
                    return work(codec, &part, name);
                }
                let plain = open::decrypt(
                    &source.header,
                    part,
                    &stored,
                    source.stored_bytes,
                    &source.plain,
                    keys.pairs(),
                );
                let plain = plain.map_err(|unopened| match unopened {
                    Unopened::NoKeyFits => Error::NoKey(KeyLack::NoneFits),
                    Unopened::Damaged(reason) => Error::Damaged {
                        name: name.clone(),
                        reason,
                    },
                })?;
                work(codec, &plain, name)
            })
            .await
    }
}

impl Location {
    /// Whether its frames are kept for a while once they are read, since they are small and may hold more.
    pub(super) fn is_kept(&self) -> bool {
        let frames = self.frames.iter();
        let bytes: u64 = frames.map(|frame| u64::from(frame.plain_bytes)).sum();
        bytes <= CACHED_FRAME_BYTES as u64
    }
}

/// The keys that open packs of a class, or of any.
#[derive(Clone, Debug)]
pub(crate) struct PackKeys {
    ring: Arc<Ring>,
    class: Option<Class>,
}

impl PackKeys {
    /// Those of any class.
    pub(super) fn any(ring: Arc<Ring>) -> Self {
        Self { ring, class: None }
    }

    /// Newest first.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &Pair> {
        let (meta, data) = match self.class {
            None => (self.ring.meta.as_slice(), self.ring.data.as_slice()),
            Some(Class::Meta) => (self.ring.meta.as_slice(), [].as_slice()),
            Some(_) => ([].as_slice(), self.ring.data.as_slice()),
        };
        meta.iter().chain(data)
    }
}

/// A part of a pack.
pub(super) struct Source {
    pub(super) name: FileName,
    pub(super) header: Vec<u8>,
    pub(super) stored_bytes: u64,
    /// The part, before encryption.
    pub(super) plain: Range<u64>,
}

impl Source {
    /// The frames of a location.
    fn of(location: &Location) -> Self {
        let stored = location.frames.iter();
        let length: u64 = stored.map(|frame| u64::from(frame.stored_bytes)).sum();
        Self {
            name: FileName::pack(&location.pack),
            header: location.header.clone(),
            stored_bytes: location.stored_bytes,
            plain: location.at..location.at + length,
        }
    }
}

fn damaged(name: &FileName, error: &Error) -> Error {
    Error::Damaged {
        name: name.clone(),
        reason: error.to_string(),
    }
}

/// Frames that were read lately, the newest last.
#[derive(Debug, Default)]
pub(crate) struct FrameCache {
    kept: Mutex<VecDeque<CachedFrame>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

#[derive(Debug)]
struct CachedFrame {
    pack: PackName,
    at: u64,
    plain: Arc<Vec<u8>>,
}

impl FrameCache {
    /// Waits while another fetches this frame: who holds a turn asks [`FrameCache::get`] once more before fetching.
    async fn turn(&self, pack: &PackName, at: u64) -> tokio::sync::MutexGuard<'_, ()> {
        let [.., last] = pack.as_bytes();
        let number = usize::from(*last) + (at >> 12) as usize;
        let [turn, ..] = &self.turns;
        let turn = self.turns.get(number % TURNS).unwrap_or(turn);
        turn.lock().await
    }

    fn get(&self, pack: &PackName, at: u64) -> Option<Arc<Vec<u8>>> {
        let mut frames = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = frames
            .iter()
            .position(|frame| frame.at == at && frame.pack == *pack)?;
        let frame = frames.remove(place)?;
        let plain = Arc::clone(&frame.plain);
        frames.push_back(frame);
        Some(plain)
    }

    fn put(&self, pack: PackName, at: u64, plain: &Arc<Vec<u8>>) {
        if plain.len() > CACHED_FRAME_BYTES {
            return;
        }
        let mut frames = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        frames.push_back(CachedFrame {
            pack,
            at,
            plain: Arc::clone(plain),
        });
        let mut bytes: usize = frames.iter().map(|frame| frame.plain.capacity()).sum();
        while bytes > CACHE_BYTES {
            bytes -= frames
                .pop_front()
                .map_or(bytes, |frame| frame.plain.capacity());
        }
    }
}
