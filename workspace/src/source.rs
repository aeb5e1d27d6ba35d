//! A workspace as something to read: an Azure ML workspace or a folder.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use jiff::Timestamp;
use secrecy::SecretString;

use crate::azure::WorkspaceName;
use crate::{Document, Error, FilePath, ItemId, Kind, SourceFile};

/// A stream of a file's bytes, in pieces of at most 4 MiB.
pub type ByteStream = BoxStream<'static, Result<Bytes, Error>>;

/// What names a workspace, and what its own references are recognised by.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Identity {
    /// An Azure ML workspace.
    Azure {
        /// The subscription's id.
        subscription: String,
        /// The resource group.
        resource_group: String,
        /// The workspace's name.
        workspace: String,
        /// The Azure region, such as `westeurope`.
        region: String,
        /// `properties.workspaceId`.
        workspace_guid: String,
        /// The name of its storage account.
        storage_account: String,
    },
    /// An Azure ML registry.
    Registry {
        /// The subscription's id.
        subscription: String,
        /// The resource group.
        resource_group: String,
        /// The registry's name.
        registry: String,
        /// Its primary Azure region.
        region: String,
    },
    /// A folder, by its absolute path.
    Folder(std::path::PathBuf),
}

impl Identity {
    /// The ARM id of a workspace or registry in Azure.
    pub fn arm_id(&self) -> Option<String> {
        self.name().map(|name| name.arm_id())
    }

    /// The name of a workspace or registry in Azure.
    pub fn name(&self) -> Option<WorkspaceName> {
        match self {
            Self::Azure {
                subscription,
                resource_group,
                workspace,
                ..
            } => WorkspaceName::new(subscription, resource_group, workspace).ok(),
            Self::Registry {
                subscription,
                resource_group,
                registry,
                ..
            } => WorkspaceName::registry(subscription, resource_group, registry).ok(),
            Self::Folder(_) => None,
        }
    }
}

/// An item as its kind's listing shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its name.
    pub id: ItemId,
    /// The document that the listing carried, where the kind has documents.
    pub document: Option<Document>,
    /// The file that the item is, for kinds whose items are files (notebooks, files).
    pub file: Option<SourceFile>,
}

/// What a listing does not carry, asked for item by item.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Further documents: a job's run record.
    pub documents: Vec<Document>,
    /// Files that no store lists: one for each metric's history (`metrics/NAME.jsonl`).
    pub files: Vec<SourceFile>,
    /// What could not be had: the file or part it belongs to, and why.
    pub gaps: Vec<(Option<FilePath>, String)>,
}

/// A run as the list of all runs shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundRun {
    /// The run, with its record.
    pub listed: Listed,
    /// The uppermost run above it, where it lies below another one.
    pub root: Option<String>,
    /// The name of the experiment that it was found in. Its record need not have it: the published model has no such field.
    pub experiment: Option<String>,
}

/// Runs, whether a list of jobs shows them or not.
pub struct RunList<'a> {
    /// Whether they are only those that changed, and not all.
    pub changes: bool,
    /// The runs, none twice but where the list moved meanwhile. An error is about a part of them; the stream goes on
    /// after it where it can.
    pub runs: BoxStream<'a, Result<FoundRun, Error>>,
}

impl fmt::Debug for RunList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_struct("RunList");
        list.field("changes", &self.changes).finish_non_exhaustive()
    }
}

/// A credential that belongs to an item, by the JSON pointer in its document where it would stand.
#[derive(Debug)]
pub struct Secret {
    /// Where it would stand: `/properties/credentials/secrets/key`.
    pub pointer: String,
    /// The value, as JSON text.
    pub value: SecretString,
}

/// A workspace as something to read. Reading never changes anything in it.
#[async_trait]
pub trait Workspace: fmt::Debug + Send + Sync {
    /// What names it.
    fn identity(&self) -> &Identity;

    /// What the service said where its list of a kind was empty because this workspace cannot have the kind.
    fn absence(&self, kind: &'static Kind) -> Option<String> {
        let _ = kind;
        None
    }

    /// The rows of the table that this workspace can have, in the order in which they are listed.
    fn kinds(&self) -> Vec<&'static Kind>;

    /// Asks which kinds there are that the table does not have; from then on they are among the kinds. Gives the types of
    /// what lies below items of these and cannot be listed.
    async fn discover(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Makes ready what is best read as it was at one moment: a snapshot of the share whose entries are items of the kind,
    /// where the settings want one. After an error the kind is read as it is.
    async fn prepare(&self, kind: &'static Kind) -> Result<(), Error> {
        let _ = kind;
        Ok(())
    }

    /// Takes away what [`Workspace::prepare`] made, at the end of a run.
    async fn release(&self) -> Result<(), Error> {
        Ok(())
    }

    /// How many requests were sent since it was opened; 0 where reading takes none.
    fn requests(&self) -> u64 {
        0
    }

    /// Everything of a kind, in all views, page by page. An error ends the stream: what was listed before it is good.
    fn list(&self, kind: &'static Kind) -> BoxStream<'_, Result<Listed, Error>>;

    /// One item by its name; `None` where it does not exist.
    async fn get(&self, id: &ItemId) -> Result<Option<Listed>, Error>;

    /// What the listing does not carry about an item.
    async fn details(&self, item: &Listed) -> Result<Details, Error>;

    /// The items right below one that no list shows: child runs. The row says which items may have some
    /// ([`Kind::has_children`]).
    async fn children(&self, item: &ItemId) -> Result<Vec<Listed>, Error> {
        let _ = item;
        Ok(Vec::new())
    }

    /// One of those, by its own name; `None` where it does not exist.
    async fn child(&self, id: &ItemId) -> Result<Option<Listed>, Error> {
        self.get(id).await
    }

    /// All runs of the workspace, those included that no list of jobs shows: logged by notebooks and scripts, nested below
    /// others, made by a restore. With a time only those changed since, where the service can tell. `None` where there is
    /// no such list.
    async fn runs(&self, since: Option<Timestamp>) -> Result<Option<RunList<'_>>, Error> {
        let _ = since;
        Ok(None)
    }

    /// Where the bytes of an item lie that its document names by way of another item (`azureml://jobs/J/outputs/O`), as an
    /// address; known once its files were listed. What an earlier run found out is told by [`Workspace::recall`].
    fn led_to(&self, item: &Listed) -> Option<String> {
        let _ = item;
        None
    }

    /// Tells where the bytes of an item lie, found out by an earlier run for this very document, so that the other item
    /// need not be asked again.
    fn recall(&self, item: &Listed, address: &str) {
        let _ = (item, address);
    }

    /// The files of an item, without those of [`Details`] and without the one that it is itself ([`Listed::file`]). An
    /// error in the stream is about one part (a place that cannot be listed); the stream goes on after it where it can.
    fn files<'a>(&'a self, item: &'a Listed) -> BoxStream<'a, Result<SourceFile, Error>>;

    /// What the service says about a file now, past everything that was listed before. `None` where it is gone, and
    /// where it can only be said by listing the item again.
    async fn look_again(&self, file: &SourceFile) -> Result<Option<SourceFile>, Error> {
        let _ = file;
        Ok(None)
    }

    /// The bytes of a file, read again in ranges where the connection breaks. Ends in an error if the file changed
    /// meanwhile, or if its length or Content-MD5 are not what the service stated.
    async fn read(&self, file: &SourceFile) -> Result<ByteStream, Error>;

    /// The credentials of an item, from the service.
    async fn secrets(&self, item: &Listed) -> Result<Vec<Secret>, Error>;
}
