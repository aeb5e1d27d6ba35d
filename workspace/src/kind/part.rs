//! What rows of the table of kinds are made of.

use serde_json::Value;

/// Where a workspace has the items of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In a collection of Resource Manager below the workspace, of this path: `models`.
    Collection(&'static str),
    /// In a collection below each item of another kind: `deployments` below each of `onlineEndpoints`. Such an item is
    /// named `PARENT/NAME`, and written `KIND/PARENT/SEGMENT/NAME` for people.
    Nested {
        /// The kind above.
        parent: &'static str,
        /// The path part between the names.
        segment: &'static str,
    },
    /// The workspace itself is the only item.
    Workspace,
    /// What `Microsoft.Authorization` has at the workspace itself, and not only above it.
    Authorization,
    /// Its items are entries of a share or folder, as the content says.
    Entries,
}

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
#[derive(Clone, Copy, Debug)]
pub struct Secrets {
    /// The last path part of the POST, in the service's letter case.
    pub operation: &'static str,
    /// Where the credentials would stand in the document, as members of an object.
    pub pointer: &'static str,
    /// JSON pointer of the object in the answer whose members they are; empty where the answer is that object.
    pub answer: &'static str,
    /// Whether an item has any, by its document: a service refuses to list what is not there (400).
    pub has_any: fn(&Value) -> bool,
    /// What is written where they are not.
    pub without: Without,
}

impl Secrets {
    /// Where a document says something else than it would with credentials.
    pub fn place(&self) -> &'static str {
        match (self.without, self.pointer.rsplit_once('/')) {
            (Without::Value(_), Some((above, _))) => above,
            _ => self.pointer,
        }
    }
}

/// What the document of an item says where its credentials are not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// This JSON text, in place of the object that holds them: the item is there and opens nothing.
    Value(&'static str),
    /// Nothing: the service makes new ones.
    New,
    /// The service takes no such item without them, so that a person makes it.
    Manual,
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
    /// Until when.
    pub until: Until,
    /// The command of `az ml` that gives it the value that it had: `az ml schedule enable`.
    pub by_hand: &'static str,
}

/// Until when a field keeps the value that it is written with at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until a person sets it.
    Person,
    /// Until what lies below the item is there.
    Below,
}

/// Whether items are restored without being asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// They are.
    Always,
    /// Only with `compute`: a compute costs money, or needs a quota that the target may not have.
    Compute,
    /// Only with `deployments`: a deployment runs machines from the moment it is made.
    Deployments,
}

impl Asked {
    /// The word that asks for them.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Always => None,
            Self::Compute => Some("compute"),
            Self::Deployments => Some("deployments"),
        }
    }
}
