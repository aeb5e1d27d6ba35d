//! The table of kinds: everything that mlark knows about a sort of resource is one row of it.
//!
//! Capture, restore, selectors, closure, and documentation run from these rows. A special case is a named function or
//! variant that the row points to, never a `match` on a kind's name elsewhere.

use serde_json::Value;

use crate::azml::AzMl;
use crate::select::{AttributeName, AttributeValue};
use crate::{Document, Error, ItemId};

mod attribute;
mod codes;
mod compare;
mod components;
mod computes;
mod data;
mod datastores;
mod definition;
mod environments;
mod files;
mod jobs;
mod models;
mod notebooks;
mod permission;
mod schedules;

pub use compare::Difference;

/// The rows, in the order in which a workspace is listed: what others refer to comes last or is small, so that little
/// that is created meanwhile has to be fetched one by one.
pub static KINDS: &[&Kind] = &[
    &datastores::ROW,
    &computes::ROW,
    &environments::ROW,
    &codes::ROW,
    &data::ROW,
    &models::ROW,
    &components::ROW,
    &schedules::ROW,
    &jobs::ROW,
    &notebooks::ROW,
    &files::ROW,
];

/// The api-versions of ARM to read with, newest first: what azure-ai-ml 1.35.2 declares, then the stable ones before it.
/// A service that does not know one answers `400` with `NoRegisteredProviderFound` or `InvalidApiVersionParameter`.
const ARM_API_VERSIONS: &[&str] = &[
    "2025-12-01",
    "2025-06-01",
    "2024-10-01",
    "2024-04-01",
    "2023-10-01",
];

/// Asks a list for archived items too; without it the service leaves them out.
const ALL_VIEWS: &[(&str, &str)] = &[("listViewType", "All")];

/// What a restore cannot bring back: what, reason, substitute.
pub type Loss = (&'static str, &'static str, &'static str);

/// Where the bytes of an item lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// It has none.
    None,
    /// Everything below the place that the string at this JSON pointer names, in any of the forms of a reference.
    Uri(&'static str),
    /// The run's artifacts (`artifacts/…`), its named outputs (`outputs/NAME/…`) and metric histories (`metrics/…`).
    Run,
    /// The item is itself an entry of the workspace's file share.
    Share,
    /// The item is itself an entry of a folder.
    Folder,
}

/// What restore does with an item of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restore {
    /// A PUT of the rewritten document, after its bytes.
    Put,
    /// Bytes first, through a pending upload, then the PUT of a document that names the place given.
    PendingUpload,
    /// An MLflow run; a PUT of a job would start it.
    Run,
    /// The bytes alone.
    Files,
    /// Listed so that references to it can be checked; never written.
    Never,
}

/// The containers of a versioned kind: `models/NAME` above `models/NAME/versions/V`. A container is an item without a
/// version. It carries archived flag, description and tags of its own, and is restored after its versions, because an
/// archived container hides them.
#[derive(Clone, Copy, Debug)]
pub struct Container {
    /// The path part between the container's name and a version.
    pub versions: &'static str,
    /// Query parameters of the list of versions.
    pub list_query: &'static [(&'static str, &'static str)],
    /// JSON pointers of fields that only the service writes.
    pub read_only: &'static [&'static str],
    /// When containers are restored: lower first.
    pub order: u8,
}

/// Credentials that a POST on the item returns and that no document carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Secrets {
    /// The last path part of the POST, in the service's letter case.
    pub operation: &'static str,
    /// Where the answer's members would stand in the document.
    pub pointer: &'static str,
}

/// A field that holds the bare name of something, so that no grammar can recognise it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BareName {
    /// Pattern of JSON pointers.
    pub at: &'static str,
    /// The kinds that the name may be of, likeliest first.
    pub kinds: &'static [&'static str],
    /// Words that are no names there.
    pub except: &'static [&'static str],
    /// Whether what it names must exist; an output's name is only a wish.
    pub must_exist: bool,
}

/// The fields by which a document names a storage account and a place in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFields {
    /// The account.
    pub account: &'static str,
    /// The container, share or filesystem, whichever is there.
    pub containers: &'static [&'static str],
    /// The subscription of the account.
    pub subscription: &'static str,
    /// Its resource group.
    pub resource_group: &'static str,
}

/// A field that is written with another value at first, with the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// The JSON pointer.
    pub pointer: &'static str,
    /// The value, as JSON text.
    pub value: &'static str,
    /// Why, for the loss report.
    pub reason: &'static str,
    /// The command of `az ml` that gives it the value that it had: `az ml schedule enable`.
    pub by_hand: &'static str,
}

/// One row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// ARM's own name: `models`. Also the word in selectors.
    pub name: &'static str,
    /// One item, for people: `model`.
    pub singular: &'static str,
    /// The path of the collection below the workspace; `None` where ARM has no collection (notebooks, files).
    pub collection: Option<&'static str>,
    /// Whether the collection holds containers with `versions` below them.
    pub versioned: bool,
    /// What is known about those containers; `Some` exactly where `versioned`.
    pub container: Option<Container>,
    /// Whether names are paths (`Users/a/x.ipynb`), so that a selector of a directory takes what is below it.
    pub named_by_path: bool,
    /// Query parameters of every list, so that archived and disabled items are in it.
    pub list_query: &'static [(&'static str, &'static str)],
    /// Api-versions to read with, the wished one first.
    pub api_versions: &'static [&'static str],
    /// Where its bytes lie.
    pub content: Content,
    /// Whether an item that names a place of its bytes, and lists no file there, has lost something. Not so where the
    /// configuration may leave the bytes out, and where a place may be empty as yet.
    pub must_have_files: bool,
    /// JSON pointers (`*` stands for any one part, `**` for any number) of free text, in which nothing is a reference:
    /// commands, conda files, descriptions, tags. Every other string that as a whole parses as a reference is one.
    pub free_text: &'static [&'static str],
    /// Fields that hold the bare name of something else.
    pub bare_names: &'static [BareName],
    /// Fields that name a storage account and container.
    pub store: Option<StoreFields>,
    /// JSON pointers of fields that only the service writes; left out of a PUT and of comparisons.
    pub read_only: &'static [&'static str],
    /// JSON pointers of fields that are set at creation and refused when changed later.
    pub create_only: &'static [&'static str],
    /// JSON pointers of untyped JSON, in which a `null` is kept when it is written.
    pub untyped: &'static [&'static str],
    /// JSON pointers of fields that change by themselves: stored, but no reason to call an item changed.
    pub volatile: &'static [&'static str],
    /// The POST that returns its credentials, where it has any.
    pub secrets: Option<Secrets>,
    /// Why an item is never restored but mapped by its name; `None` where it is restored.
    pub mapped_by_name: fn(&ItemId, &Value) -> Option<&'static str>,
    /// Whether an item may have children that no list shows, by a document of it in any form.
    pub has_children: fn(&Value) -> bool,
    /// Values of `status` after which nothing changes by itself; empty for kinds without one.
    pub terminal: &'static [&'static str],
    /// A selector's attribute, read from the documents at hand; `None` where they do not tell.
    pub attribute: fn(&[Document], &AttributeName) -> Option<AttributeValue>,
    /// A field written with another value at first.
    pub held_back: Option<HeldBack>,
    /// How it is restored.
    pub restore: Restore,
    /// When it is restored: lower first.
    pub order: u8,
    /// Why then.
    pub order_reason: &'static str,
    /// What a restore cannot bring back for any item of the kind.
    pub losses: &'static [Loss],
    /// How an item is written as `az ml` YAML, for kinds that have a schema.
    pub azml: Option<&'static AzMl>,
}

impl Kind {
    /// The row of a name, exactly as written.
    pub fn find(name: &str) -> Option<&'static Self> {
        KINDS.iter().copied().find(|kind| kind.name == name)
    }

    /// The row of a name that came from ARM, which writes the parts of its ids in varying letter case.
    pub fn find_any_case(name: &str) -> Option<&'static Self> {
        KINDS
            .iter()
            .copied()
            .find(|kind| kind.name.eq_ignore_ascii_case(name))
    }

    /// The row of a name that a person wrote; the error names the nearest one.
    pub fn by_name(name: &str) -> Result<&'static Self, Error> {
        Self::find(name).ok_or_else(|| Error::UnknownKind {
            name: name.to_owned(),
            nearest: crate::select::nearest(name, KINDS.iter().map(|kind| kind.name)),
        })
    }

    /// Whether a POST on the item returns credentials.
    pub fn has_secrets(&self) -> bool {
        self.secrets.is_some()
    }

    /// Read-only fields of one item of the kind: a container's are not those of a version.
    pub fn read_only_of(&self, id: &ItemId) -> &'static [&'static str] {
        match self.container {
            Some(container) if id.version.is_none() => container.read_only,
            _ => self.read_only,
        }
    }

    /// When one item of the kind is restored; containers come after everything that is versioned.
    pub fn order_of(&self, id: &ItemId) -> u8 {
        match self.container {
            Some(container) if id.version.is_none() => container.order,
            _ => self.order,
        }
    }
}

/// For kinds of which every item is restored.
fn always_restored(_: &ItemId, _: &Value) -> Option<&'static str> {
    None
}

/// For kinds whose items all stand in their list.
fn no_children(_: &Value) -> bool {
    false
}

#[cfg(test)]
mod tests;
