//! Reads objects: looks up where one lies, fetches its frames with one ranged request, decrypts, decompresses, checks.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::catalogue::objects::Location;
use crate::keys::Identity;
use crate::keys::envelope::Unopened;
use crate::pack::{Class, CodecPool, open};
use crate::{Address, Catalogue, Error, FileName, KeyLack, PackName, Storage};

/// Decompressed frames of small objects are kept up to this many bytes.
const CACHE_BYTES: usize = 8 << 20;

/// Only frames up to this size are kept; larger ones belong to one object.
const CACHED_FRAME_BYTES: usize = 512 << 10;

/// What is needed to read any object.
#[derive(Debug)]
pub(crate) struct Objects {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) catalogue: Catalogue,
    pub(crate) encrypted: bool,
    pub(crate) meta: Arc<Vec<Identity>>,
    pub(crate) data: Arc<Vec<Identity>>,
    pub(crate) codecs: CodecPool,
    pub(crate) cache: FrameCache,
}

impl Objects {
    /// The plain bytes of an object. Where it has several copies, the first sound one.
    pub(crate) async fn get(&self, address: Address) -> Result<Bytes, Error> {
        let mut failure = Error::ObjectMissing { address };
        for location in self.catalogue.locate(address).await? {
            match self.read(location).await {
                Ok(bytes) => return Ok(bytes),
                Err(error @ Error::NoKey(_)) => return Err(error),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }

    /// The keys that open packs of a class.
    pub(crate) fn keys(&self, class: Class) -> Result<Arc<Vec<Identity>>, Error> {
        let keys = if class == Class::Meta {
            &self.meta
        } else {
            &self.data
        };
        if self.encrypted && keys.is_empty() {
            return Err(Error::NoKey(KeyLack::MachineOnly));
        }
        Ok(Arc::clone(keys))
    }

    async fn read(&self, location: Location) -> Result<Bytes, Error> {
        let keys = self.keys(location.class)?;
        let row = location.row;
        let plain = match self.cache.get(&location.pack, location.at) {
            Some(plain) => plain,
            None => self.frames(location, keys).await?,
        };
        self.codecs
            .run(move |codec| codec.extract(&plain, &row).map(Bytes::from))
            .await
    }

    /// The decompressed frames of a location.
    async fn frames(
        &self,
        location: Location,
        keys: Arc<Vec<Identity>>,
    ) -> Result<Arc<Vec<u8>>, Error> {
        let name = FileName::pack(&location.pack);
        let length: u64 = location
            .frames
            .iter()
            .map(|frame| u64::from(frame.stored_bytes))
            .sum();
        let range = location.at..location.at + length;
        let stored = if self.encrypted {
            open::stored_range(&range, location.header.len(), location.stored_bytes)
        } else {
            range.clone()
        };
        let part = self.storage.read_range(&name, stored.clone()).await?;
        let (pack, at) = (location.pack, location.at);
        let encrypted = self.encrypted;
        let plain = self
            .codecs
            .run(move |codec| {
                let damaged = |reason: String| Error::Damaged {
                    name: name.clone(),
                    reason,
                };
                let opened;
                let frames = if encrypted {
                    opened = open::decrypt(
                        &location.header,
                        part,
                        &stored,
                        location.stored_bytes,
                        &range,
                        &keys,
                    )
                    .map_err(|unopened| match unopened {
                        Unopened::NoKeyFits => Error::NoKey(KeyLack::NoneFits),
                        Unopened::Damaged(reason) => damaged(reason),
                    })?;
                    opened.as_slice()
                } else {
                    part.as_ref()
                };
                codec
                    .decompress(frames, &location.frames)
                    .map_err(|error| damaged(error.to_string()))
            })
            .await?;
        let plain = Arc::new(plain);
        self.cache.put(pack, at, &plain);
        Ok(plain)
    }
}

/// Frames that were read lately, the newest last.
#[derive(Debug, Default)]
pub(crate) struct FrameCache(Mutex<VecDeque<CachedFrame>>);

#[derive(Debug)]
struct CachedFrame {
    pack: PackName,
    at: u64,
    plain: Arc<Vec<u8>>,
}

impl FrameCache {
    fn get(&self, pack: &PackName, at: u64) -> Option<Arc<Vec<u8>>> {
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        let mut frames = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
