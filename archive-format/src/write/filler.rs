//! Fills the packs of one class: small objects into shared frames, frames into a pack, until it is full.
//!
//! Frames are made by many threads and written by one. Who comes while another writes leaves his frames to that one and
//! goes on, so that nobody waits at a pack as long as there is other work.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use crate::keys::Recipient;
use crate::magic::{PACK_FRAMES_MAX, PACK_OBJECTS_MAX, SHARED_FRAME_BYTES};
use crate::pack::member::{self, BLOCK};
use crate::pack::writer::PackBuilder;
use crate::pack::{Class, Encoded, ObjectRow};
use crate::planes::Encoding;
use crate::{Address, Error};

/// Members that wait for their frame to be full.
#[derive(Debug, Default)]
pub(super) struct SharedFrame {
    pub(super) tar: Vec<u8>,
    pub(super) objects: Vec<ObjectRow>,
}

impl SharedFrame {
    /// Adds an object.
    pub(super) fn push(&mut self, address: Address, bytes: &[u8]) {
        self.tar
            .extend_from_slice(&member::header(&address, Encoding::Plain, bytes.len()));
        self.objects.push(ObjectRow {
            address,
            frame: 0,
            offset: self.tar.len() as u32,
            length: bytes.len() as u32,
            encoding: Encoding::Plain,
        });
        self.tar.extend_from_slice(bytes);
        self.tar
            .resize(self.tar.len() + member::padding(bytes.len()), 0);
    }

    /// Whether the next object should go into another frame.
    pub(super) fn is_full(&self) -> bool {
        self.tar.len() + BLOCK > SHARED_FRAME_BYTES
    }
}

/// Encoded objects that wait for whoever writes, before others wait with them: some MiB.
const WAITING_MAX: usize = 8;

/// Where the frames of one class go.
#[derive(Debug)]
pub(super) struct Lane {
    filler: Mutex<Filler>,
    waiting: Mutex<VecDeque<Encoded>>,
}

impl Lane {
    pub(super) fn new(filler: Filler) -> Self {
        Self {
            filler: Mutex::new(filler),
            waiting: Mutex::default(),
        }
    }

    /// Adds frames, or leaves them to whoever is adding some; gives the packs that were filled. May block.
    pub(super) fn append(
        &self,
        encoded: Encoded,
        recipient: Option<&Recipient>,
    ) -> Result<Vec<PackBuilder>, Error> {
        let many = {
            let mut waiting = self.waiting();
            waiting.push_back(encoded);
            waiting.len() > WAITING_MAX
        };
        let mut full = Vec::new();
        // Once more after each turn: somebody may have left his frames just before its end.
        while !self.waiting().is_empty() {
            let mut filler = match self.filler.try_lock() {
                Ok(filler) => filler,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if many => self.filler(),
                Err(TryLockError::WouldBlock) => break,
            };
            full.extend(self.write_waiting(&mut filler, recipient)?);
        }
        Ok(full)
    }

    /// The pack as far as it is filled, behind those that were filled on the way. May block.
    pub(super) fn take(&self, recipient: Option<&Recipient>) -> Result<Vec<PackBuilder>, Error> {
        let mut filler = self.filler();
        let written = self.write_waiting(&mut filler, recipient);
        let open = filler.pack.take();
        let mut full = written?;
        full.extend(open);
        Ok(full)
    }

    fn write_waiting(
        &self,
        filler: &mut Filler,
        recipient: Option<&Recipient>,
    ) -> Result<Vec<PackBuilder>, Error> {
        let mut full = Vec::new();
        loop {
            let next = self.waiting().pop_front();
            let Some(encoded) = next else {
                return Ok(full);
            };
            full.extend(filler.append(encoded, recipient)?);
        }
    }

    fn filler(&self) -> MutexGuard<'_, Filler> {
        self.filler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Encoded>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state of one class.
#[derive(Debug)]
pub(super) struct Filler {
    class: Class,
    folder: PathBuf,
    pack_bytes: u64,
    made: u64,
    pack: Option<PackBuilder>,
}

impl Filler {
    pub(super) fn new(class: Class, folder: PathBuf, pack_bytes: u64) -> Self {
        Self {
            class,
            folder,
            pack_bytes,
            made: 0,
            pack: None,
        }
    }

    /// Adds frames; gives the pack that they filled.
    fn append(
        &mut self,
        encoded: Encoded,
        recipient: Option<&Recipient>,
    ) -> Result<Option<PackBuilder>, Error> {
        let mut pack = match self.pack.take() {
            Some(pack) => pack,
            None => {
                self.made += 1;
                let path = self
                    .folder
                    .join(format!("{:02}-{}.pack", self.class.code(), self.made));
                PackBuilder::create(path, self.class, recipient)?
            }
        };
        pack.append(encoded)?;
        // Room for one more shared frame of the smallest objects.
        let objects_max = PACK_OBJECTS_MAX as usize - SHARED_FRAME_BYTES / BLOCK;
        let full = pack.frame_bytes() >= self.pack_bytes
            || pack.object_count() >= objects_max
            || pack.frame_count() >= PACK_FRAMES_MAX as usize - 16;
        if full {
            return Ok(Some(pack));
        }
        self.pack = Some(pack);
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::{Filler, Lane};
    use crate::Address;
    use crate::pack::writer::PackBuilder;
    use crate::pack::{Class, Codec};

    #[test]
    fn frames_that_many_bring_at_once_are_all_in_a_pack() {
        const THREADS: u32 = 8;
        const FRAMES: u32 = 40;
        let folder = tempfile::tempdir().unwrap();
        let filler = Filler::new(Class::Files, folder.path().to_owned(), 64 << 10);
        let lane = Lane::new(filler);
        let bring = |thread: u32| {
            let mut codec = Codec::new().unwrap();
            let mut full = Vec::new();
            for frame in 0..FRAMES {
                let mut object = vec![0; 3000];
                getrandom::fill(&mut object).unwrap();
                object.extend_from_slice(&(thread * FRAMES + frame).to_le_bytes());
                let encoded = codec.encode_plain(&Address::of(&object), &object);
                full.extend(lane.append(encoded.unwrap(), None).unwrap());
            }
            full
        };
        let mut packs: Vec<PackBuilder> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || bring(thread)))
                .collect();
            let full = threads.into_iter().map(|thread| thread.join().unwrap());
            full.flatten().collect()
        });
        packs.extend(lane.take(None).unwrap());
        assert!(packs.len() > 10, "{}", packs.len());
        let objects: usize = packs.iter().map(PackBuilder::object_count).sum();
        assert_eq!(objects, (THREADS * FRAMES) as usize);
    }
}
