//! Fills the packs of one class: small objects into shared frames, frames into a pack, until it is full.

use std::path::PathBuf;

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
    pub(super) fn append(
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

    /// The pack as far as it is filled.
    pub(super) fn take(&mut self) -> Option<PackBuilder> {
        self.pack.take()
    }
}
