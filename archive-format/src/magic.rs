//! Every number and string by which files of the format are recognised, and every limit that a reader holds to.
//!
//! FORMAT.md lists the same values; a test compares them.

/// The version of the format that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u64 = 1;

/// The flags of `repository.json` and of packs that this crate knows: none so far.
pub const KNOWN_FLAGS: &[&str] = &[];

/// Begins the table of a pack.
pub const TABLE_MAGIC: [u8; 8] = *b"mlarktb1";

/// Begins an index file.
pub const INDEX_MAGIC: [u8; 8] = *b"mlarkix1";

/// Begins a chunk list.
pub const CHUNK_LIST_MAGIC: [u8; 8] = *b"mlarkcl1";

/// Begins a list of packs.
pub const PACK_LIST_MAGIC: [u8; 8] = *b"mlarkpl1";

/// The magic number of the zstd skippable frame that holds a pack's table (RFC 8878, 3.1.2).
pub const TABLE_FRAME_MAGIC: u32 = 0x184D_2A5C;

/// The magic number of the zstd skippable frame that holds the seek table (zstd's seekable format 0.1.0).
pub const SEEK_FRAME_MAGIC: u32 = 0x184D_2A5E;

/// Ends the seek table (zstd's seekable format 0.1.0).
pub const SEEK_TABLE_MAGIC: u32 = 0x8F92_EAB1;

/// Put in front of what a log entry's signature covers.
pub const ENTRY_CONTEXT: &[u8] = b"mlark log entry v1\n";

/// Put in front of what a checkpoint's signature covers.
pub const CHECKPOINT_CONTEXT: &[u8] = b"mlark checkpoint v1\n";

/// Put in front of what the signature of `repository.json` covers.
pub const RECORD_CONTEXT: &[u8] = b"mlark repository v1\n";

/// The label under which the key of secrets' HMACs is derived from the meta secret.
pub const SECRET_CONTEXT: &[u8] = b"mlark secret hmac v1";

/// Random bytes in front of a stored secret.
pub const SECRET_SALT_BYTES: usize = 32;

/// The largest object, in plain bytes.
pub const OBJECT_BYTES_MAX: u64 = 16 << 20;

/// The largest frame, decompressed: an object, its header and padding.
pub const FRAME_BYTES_MAX: u64 = OBJECT_BYTES_MAX + 1024;

/// The largest frame as it is stored: more than zstd makes of what it cannot compress.
pub const STORED_FRAME_BYTES_MAX: u64 = FRAME_BYTES_MAX + (128 << 10);

/// A shared frame is closed once it holds this much tar.
pub const SHARED_FRAME_BYTES: usize = 256 << 10;

/// Objects of at least this size have frames of their own, and may be stored by planes.
pub const LARGE_OBJECT_BYTES: usize = 64 << 10;

/// From this size on all planes of an object share one frame.
pub const ONE_FRAME_PLANES_BYTES: usize = 1 << 20;

/// The most objects in a pack.
pub const PACK_OBJECTS_MAX: u32 = 1 << 16;

/// The most frames in a pack.
pub const PACK_FRAMES_MAX: u32 = 1 << 20;

/// The largest index file, stored.
pub const INDEX_BYTES_MAX: u64 = 64 << 20;

/// The largest log entry, stored.
pub const ENTRY_BYTES_MAX: u64 = 4 << 20;

/// The largest checkpoint, stored.
pub const CHECKPOINT_BYTES_MAX: u64 = 16 << 20;

/// A checkpoint is written once the newest one ends so many entries before the log's end.
pub const CHECKPOINT_ENTRIES: u64 = 100;

/// Whether one is due is looked at by whoever adds an entry whose number this divides.
pub const CHECKPOINT_LOOK: u64 = 10;

/// The largest first line of a log entry and of a checkpoint.
pub const SIGNED_LINE_BYTES_MAX: usize = 4 << 10;

/// The longest age header, with its nonce, of what is encrypted to one recipient: packs, index files, log entries and
/// checkpoints. One X25519 stanza and a grease stanza take less than 1 KiB.
pub const AGE_HEADER_BYTES_MAX: usize = 4 << 10;

/// The longest age header of a key file, which has a stanza of about 100 bytes for each holder (of an RSA key up to 700).
pub const KEY_HEADER_BYTES_MAX: usize = 64 << 10;

/// The most lines of such a header: as many as fit into it where they are full.
pub const AGE_HEADER_LINES_MAX: usize = 64;

/// The most lines of the header of a key file. A holder has two, one with an RSA key up to a dozen.
pub const KEY_HEADER_LINES_MAX: usize = 2048;

/// The largest `repository.json` and key file.
pub const RECORD_BYTES_MAX: u64 = 1 << 20;

/// The work factor (scrypt's log2 N) with which a passphrase's key files are written, as the program `age` does.
pub const SCRYPT_WORK_USUAL: u8 = 18;

/// The largest work factor that is taken on: 2^20 needs about 4 seconds and 1 GiB.
pub const SCRYPT_WORK_MAX: u8 = 20;

/// The most passphrases among the owners.
pub const PASSPHRASES_MAX: u32 = 8;

/// Editions of key files, the newest first, that a reader without a log tries.
pub const EDITIONS_TRIED: usize = 16;

/// The largest manifest line, in bytes with its line end.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// About how large a piece of a manifest is.
pub const PIECE_BYTES: u64 = 64 << 10;

/// A piece of a manifest is cut here at the latest.
pub const PIECE_BYTES_MAX: usize = 256 << 10;

/// Above this number of pieces the root of a manifest is a tree.
pub const ROOT_PIECES_MAX: usize = 10_000;

/// The most levels of a manifest's tree, chunk list's tree.
pub const TREE_DEPTH_MAX: u8 = 8;

/// A file of up to this number of chunks lists them in its line.
pub const LINE_CHUNKS_MAX: usize = 16;

/// The deepest nesting of JSON.
pub const JSON_DEPTH_MAX: usize = 128;

/// The longest path of a file, in bytes.
pub const PATH_BYTES_MAX: usize = 8 << 10;
