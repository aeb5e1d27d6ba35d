//! The table of kinds: everything that mlark knows about a sort of resource is one row of it.
//!
//! Capture, restore, selectors, closure, and documentation run from these rows. A special case is a named function or
//! variant that the row points to, never a `match` on a kind's name elsewhere.

use serde_json::Value;

use crate::azml::AzMl;
use crate::azure::InRegistry;
use crate::select::{AttributeName, AttributeValue};
use crate::{Document, Error, ItemId};

mod associated;
mod attribute;
mod batch;
mod codes;
mod command;
mod compare;
mod components;
mod computes;
mod connections;
mod data;
mod datastores;
mod definition;
mod environments;
mod features;
mod files;
mod jobs;
mod labeling;
mod models;
mod nested;
mod network;
mod notebooks;
mod online;
mod part;
mod permission;
mod registries;
mod schedules;
mod serverless;
mod unknown;
mod workspaces;

pub use associated::{ASSOCIATED, Associated, Site, at_first};
pub use command::{ByHand, Command, Machines};
pub use compare::Difference;
pub use part::{
    Asked, BareName, Container, Content, HeldBack, Origin, Restore, Secrets, StoreFields, Until,
    Without,
};
pub use unknown::{ServiceType, UnknownKinds};
pub(crate) use workspaces::API_VERSIONS as WORKSPACE_VERSIONS;

/// The rows, in the order in which a workspace is listed: what others refer to comes last or is small, so that little
/// that is created meanwhile has to be fetched one by one.
pub static KINDS: &[&Kind] = &[
    &workspaces::ROW,
    &registries::ROW,
    &workspaces::ROLE_ASSIGNMENT,
    &network::OUTBOUND_RULE,
    &network::PRIVATE_ENDPOINT,
    &datastores::ROW,
    &connections::ROW,
    &computes::ROW,
    &environments::ROW,
    &codes::ROW,
    &data::ROW,
    &models::ROW,
    &components::ROW,
    &features::ENTITY,
    &features::SET,
    &serverless::SUBSCRIPTION,
    &serverless::ENDPOINT,
    &online::ENDPOINT,
    &online::DEPLOYMENT,
    &batch::ENDPOINT,
    &batch::DEPLOYMENT,
    &labeling::ROW,
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

/// The sorts of items of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Sorts {
    /// JSON pointer of the field that tells them apart.
    pub field: &'static str,
    /// Those that are known.
    pub known: &'static [&'static str],
}

/// One row of the table of kinds.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// ARM's own name: `models`. Also the word in selectors.
    pub name: &'static str,
    /// One item, for people: `model`.
    pub singular: &'static str,
    /// Where its items are.
    pub origin: Origin,
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
    /// Whether a cloud or a sort of workspace may not have the kind: where the first page of its list is refused for that,
    /// it is empty, and no gap.
    pub optional: bool,
    /// Where its bytes lie.
    pub content: Content,
    /// JSON pointer of a digest of an item's content, where its document says one: what the target has of the same digest
    /// under another name is the same item.
    pub content_digest: Option<&'static str>,
    /// Whether an item that names a place of its bytes, and lists no file there, has lost something. Not so where the
    /// configuration may leave the bytes out, and where a place may be empty as yet.
    pub must_have_files: bool,
    /// Whether its files named `MLTable` hold addresses of data, which follow a restore.
    pub tables: bool,
    /// JSON pointers (`*` stands for any one part, `**` for any number) of free text, in which nothing is a reference:
    /// commands, conda files, descriptions, tags. Every other string that as a whole parses as a reference is one.
    pub free_text: &'static [&'static str],
    /// Fields that hold the bare name of something else.
    pub bare_names: &'static [BareName],
    /// Fields that name a storage account and container.
    pub store: Option<StoreFields>,
    /// JSON pointers of fields that hold the bare name of the workspace's region.
    pub region_fields: &'static [&'static str],
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
    /// Whether its documents may hold credentials, which are then taken out of them. So it is wherever a POST returns any.
    pub hides: bool,
    /// Why an item is never restored but mapped by its name; `None` where it is restored.
    pub mapped_by_name: fn(&ItemId, &Value) -> Option<&'static str>,
    /// Whether an item may have children that no list shows, by a document of it in any form.
    pub has_children: fn(&Value) -> bool,
    /// The sorts of items that are known, where a field tells them apart.
    pub sorts: Option<Sorts>,
    /// Values of `status` after which nothing changes by itself; empty for kinds without one.
    pub terminal: &'static [&'static str],
    /// A selector's attribute, read from the documents at hand; `None` where they do not tell.
    pub attribute: fn(&[Document], &AttributeName) -> Option<AttributeValue>,
    /// Fields written with another value at first.
    pub held_back: &'static [HeldBack],
    /// JSON pointers of references without which the service makes no item: where one leads to what is not there, a
    /// person makes the item when it is.
    pub must_lead: &'static [&'static str],
    /// How it is restored.
    pub restore: Restore,
    /// Whether it is restored unasked.
    pub asked: Asked,
    /// Kinds of which every item that is restored too comes before, without being referred to.
    pub follows: &'static [&'static str],
    /// When it is restored: lower first.
    pub order: u8,
    /// Why then.
    pub order_reason: &'static str,
    /// What a restore cannot bring back for any item of the kind.
    pub losses: &'static [Loss],
    /// What a registry knows of it, where registries have the kind.
    pub registry: Option<InRegistry>,
    /// How an item is written as `az ml` YAML, for kinds that have a schema.
    pub azml: Option<&'static AzMl>,
    /// What machines an item asks for, where it does.
    pub machines: Option<Machines>,
    /// The commands by which a person settles what a restore of an item leaves alone.
    pub by_hand: fn(&ByHand<'_>) -> Vec<Command>,
}

/// What a row says that says nothing else.
const PLAIN: Kind = Kind {
    name: "",
    singular: "",
    origin: Origin::Entries,
    versioned: false,
    container: None,
    named_by_path: false,
    list_query: &[],
    api_versions: ARM_API_VERSIONS,
    optional: false,
    content: Content::None,
    content_digest: None,
    must_have_files: false,
    tables: false,
    free_text: &[],
    bare_names: &[],
    store: None,
    region_fields: &[],
    read_only: &[],
    create_only: &[],
    untyped: &[],
    volatile: &[],
    secrets: None,
    hides: false,
    mapped_by_name: always_restored,
    has_children: no_children,
    sorts: None,
    terminal: &[],
    attribute: attribute::of_resource,
    held_back: &[],
    must_lead: &[],
    restore: Restore::Never,
    asked: Asked::Always,
    follows: &[],
    order: 0,
    order_reason: "",
    losses: &[],
    registry: None,
    azml: None,
    machines: None,
    by_hand: command::nothing,
};

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

    /// The digest of an item's content, where its document says one.
    pub fn content_of<'d>(&self, document: &'d Value) -> Option<&'d str> {
        document.pointer(self.content_digest?)?.as_str()
    }

    /// The sort of an item by its document, where it is none that the row knows.
    pub fn unfamiliar_sort<'d>(&self, document: &'d Value) -> Option<&'d str> {
        let sorts = self.sorts?;
        let sort = document.pointer(sorts.field)?.as_str()?;
        (!sorts.known.contains(&sort)).then_some(sort)
    }

    /// Whether documents of the kind are searched for credentials.
    pub fn may_hold_secrets(&self) -> bool {
        self.hides || self.secrets.is_some()
    }

    /// The path of its collection right below the workspace, where it has one.
    pub fn collection(&self) -> Option<&'static str> {
        match self.origin {
            Origin::Collection(path) => Some(path),
            _ => None,
        }
    }

    /// Whether Resource Manager has it.
    pub fn is_resource(&self) -> bool {
        self.origin != Origin::Entries
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
