//! What a workspace is: the table of kinds, the grammar of references, selectors, and the clients that read and write
//! one (Azure: ARM, blobs, file shares, run history; or a folder).
//!
//! This crate knows no archive and prints nothing. Documents stay JSON values from end to end: what it does not
//! understand it keeps.

pub mod azml;
pub mod azure;
pub mod clock;
pub mod document;
pub mod error;
pub mod file;
pub mod folder;
pub mod item;
pub mod json;
pub mod kind;
pub mod permission;
pub mod pointer;
pub mod quantity;
pub mod reference;
pub mod role;
pub mod select;
pub mod source;
pub mod url;
pub mod yaml;

pub use self::url::WorkspaceUrl;
pub use clock::Clock;
pub use document::{Document, Form};
pub use error::{Error, Refusal};
pub use file::{Attributes, Entry, FilePath, Location, SourceFile, Validators};
pub use folder::Folder;
pub use item::ItemId;
pub use kind::{Content, Kind};
pub use permission::Action;
pub use quantity::{ByteSize, Period};
pub use reference::{Mapping, Reference, Rewriter};
pub use role::Role;
pub use select::{Selection, Verdict};
pub use source::{ByteStream, Details, FoundRun, Identity, Listed, RunList, Secret, Workspace};
