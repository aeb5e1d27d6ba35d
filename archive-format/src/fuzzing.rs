//! What is fuzzed: every reader of bytes that a stranger may have written, as a function of these bytes.
//!
//! It is there with the feature `fuzzing` alone, for the tests and for the package in `fuzz/`, so that the readers
//! themselves stay private. A target does more than read: what was read is written and read again, the limits of
//! FORMAT.md hold in it, and its heap stays within a bound. Many bytes are read twice, once as they are and once mended
//! (put into canonical form, signed, with their digests), since else a fuzzer would get past no digest and no signature.

mod keys;
mod lists;
mod logs;
mod manifests;
mod packs;
mod scene;
mod texts;

use crate::Error;
use crate::magic::{FRAME_BYTES_MAX, OBJECT_BYTES_MAX};

/// A seed: its name, its bytes, and whether the target reads them or refuses them.
pub type Seed = (&'static str, Vec<u8>, bool);

/// A target.
#[derive(Debug)]
pub struct Target {
    /// Its name, that of its corpus, and of the program that fuzzes it.
    pub name: &'static str,
    /// The source files that it is about, below `archive-format/src`: its corpus reaches their lines.
    pub modules: &'static [&'static str],
    heap: Heap,
    read: fn(&[u8]) -> Result<(), Error>,
    seeds: fn() -> Result<Vec<Seed>, Error>,
}

/// How much memory a target may have at once: what is read is no larger than its bytes times a factor, whatever they say,
/// and only where the format has a limit of its own may there be more.
#[derive(Clone, Copy, Debug)]
struct Heap {
    per_byte: usize,
    fixed: usize,
}

/// Tables and lists are about as large in memory as they are stored, and are there as what was read, as what was written
/// again, and as what is computed from them.
const BINARY: Heap = Heap {
    per_byte: 8,
    fixed: 16 << 10,
};

/// A JSON value takes 32 bytes, its number or text a block of its own, and the shortest is two bytes of text. It is there
/// as what was read, as what is written again, and once more while a record is made of it.
const JSON: Heap = Heap {
    per_byte: 200,
    fixed: 64 << 10,
};

/// Frames and an object are decompressed up to their limits; the object is compressed again where it is small.
const PACK: Heap = Heap {
    per_byte: 16,
    fixed: FRAME_BYTES_MAX as usize + OBJECT_BYTES_MAX as usize + (8 << 20),
};

/// All targets.
pub static TARGETS: [Target; 14] = [
    Target {
        name: "pack_table",
        modules: &["pack/table.rs"],
        heap: BINARY,
        read: packs::table,
        seeds: packs::tables,
    },
    Target {
        name: "pack_index",
        modules: &["pack/index.rs"],
        heap: BINARY,
        read: packs::index,
        seeds: packs::indexes,
    },
    Target {
        name: "pack_member",
        modules: &["pack/member.rs", "pack/codec.rs", "pack/scan.rs"],
        heap: PACK,
        read: packs::members,
        seeds: packs::assembled,
    },
    Target {
        name: "pack_tail",
        modules: &["pack/tail.rs"],
        heap: PACK,
        read: packs::whole,
        seeds: packs::wholes,
    },
    Target {
        name: "manifest_line",
        modules: &["manifest/line.rs", "manifest/entry.rs", "manifest/path.rs"],
        heap: JSON,
        read: manifests::line,
        seeds: manifests::lines,
    },
    Target {
        name: "manifest_piece",
        modules: &["manifest/piece.rs"],
        heap: JSON,
        read: manifests::piece,
        seeds: manifests::pieces,
    },
    Target {
        name: "manifest_root",
        modules: &["manifest/root.rs"],
        heap: JSON,
        read: manifests::root,
        seeds: manifests::roots,
    },
    Target {
        name: "address_list",
        modules: &["read/chunks.rs", "read/packs.rs"],
        heap: BINARY,
        read: lists::any,
        seeds: lists::all,
    },
    Target {
        name: "log_entry",
        modules: &["log/entry.rs", "log/line.rs", "log/body.rs", "log/chain.rs"],
        heap: JSON,
        read: logs::entry,
        seeds: logs::entries,
    },
    Target {
        name: "checkpoint",
        modules: &["log/checkpoint.rs"],
        heap: JSON,
        read: logs::checkpoint,
        seeds: logs::checkpoints,
    },
    Target {
        name: "repository_record",
        modules: &["record.rs"],
        heap: JSON,
        read: texts::record,
        seeds: texts::records,
    },
    Target {
        name: "key_file",
        modules: &[
            "keys/envelope.rs",
            "keys/file.rs",
            "keys/signing.rs",
            "keys/pair.rs",
        ],
        heap: keys::FILE,
        read: keys::file,
        seeds: keys::files,
    },
    Target {
        name: "key_text",
        modules: &["keys/machine.rs"],
        heap: keys::TEXT,
        read: keys::text,
        seeds: keys::texts,
    },
    Target {
        name: "json_text",
        modules: &["json/parse.rs", "json/write.rs"],
        heap: JSON,
        read: texts::json,
        seeds: texts::jsons,
    },
];

/// The target of this name.
pub fn named(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

impl Target {
    /// Reads these bytes, and panics where the target finds a fault. The error is why they are refused. `peak` runs what
    /// it is given and says how many bytes of heap this took at most.
    pub fn hold(
        &self,
        bytes: &[u8],
        peak: impl FnOnce(&mut dyn FnMut()) -> u64,
    ) -> Result<(), Error> {
        scene::prepare();
        let mut outcome = Ok(());
        let taken = peak(&mut || outcome = (self.read)(bytes));
        let allowed = (self.heap.per_byte * bytes.len() + self.heap.fixed) as u64;
        assert!(
            taken <= allowed,
            "{}: {} bytes took {taken} bytes of heap, and may take {allowed}",
            self.name,
            bytes.len(),
        );
        outcome
    }

    /// Bytes to begin with, as this crate writes them and with faults that a fuzzer would not find. Keys and ids in them
    /// are new each time.
    pub fn seeds(&self) -> Result<Vec<Seed>, Error> {
        (self.seeds)()
    }
}
