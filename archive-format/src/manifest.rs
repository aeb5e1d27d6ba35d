//! The manifest: what a snapshot holds, as a sorted stream of canonical JSON lines, cut into pieces by key.

mod entry;
mod line;
mod path;
pub(crate) mod piece;
pub(crate) mod root;
mod whole;

pub use entry::{
    Attributes, DocumentEntry, EntryKind, FileEntry, GapEntry, SecretEntry, Validators,
};
pub use line::{Item, Line, LineKey};
pub use path::FilePath;
