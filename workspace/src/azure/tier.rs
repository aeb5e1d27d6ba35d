//! Archived blobs: nobody can read one before it was brought back to an online tier, which takes hours, costs, and changes
//! the source. So it is asked for only where the configuration wants that; until it is back, the blob is a gap.

use azure_core::http::Method;
use azure_storage_blob::models::{
    AccessTier, ArchiveStatus, BlobClientGetPropertiesResultHeaders, BlobClientSetTierOptions,
    RehydratePriority,
};
use azure_storage_blob::{BlobClient, BlobClientOptions};
use url::Url;

use super::answer::{act, from_core};
use super::connection::{Access, Connection};
use super::settings::{Archived, Priority};
use super::traffic::Service;
use super::workspace::AzureWorkspace;
use crate::{Error, FilePath, SourceFile};

/// The tier that cannot be read.
pub(crate) const ARCHIVE: &str = "Archive";
/// The code by which the service says that a blob is on its way back.
const BEING_REHYDRATED: &str = "BlobBeingRehydrated";
/// The code by which it says that a blob is archived.
const ARCHIVED: &str = "BlobArchived";
const ON_ITS_WAY: &str = "it is on its way back to an online tier, and a backup after it has it";

impl AzureWorkspace {
    /// Lets a blob be read that the listing showed as archived, if it is back by now.
    ///
    /// # Errors
    /// [`Error::Archived`] where it is not, after its return was asked for where that is wanted.
    pub(crate) async fn bring_back(
        &self,
        connection: &Connection,
        url: &Url,
        file: &SourceFile,
    ) -> Result<(), Error> {
        let archived = |reason: String| Error::Archived {
            path: file.path.to_string(),
            reason,
        };
        let Archived::Rehydrate(priority) = self.options().archived else {
            return Err(archived(
                "it cannot be read before it is brought back to an online tier".to_owned(),
            ));
        };
        let blob = ArchivedBlob::open(connection, url)?;
        let started = match blob.standing().await? {
            Standing::Online => return Ok(()),
            Standing::Returning => false,
            Standing::Archived => blob.ask_back(priority).await?,
        };
        Err(archived(match started {
            true => format!(
                "its return to the hot tier is asked for now ({}), and a backup after it has it",
                within(priority)
            ),
            false => ON_ITS_WAY.to_owned(),
        }))
    }
}

/// What the refusal of a read means: a blob that was archived since it was listed, or that is on its way back, is told as
/// every archived one. Nothing is asked for: the next listing shows it as what it is.
pub(crate) fn refused(error: Error, path: &FilePath) -> Error {
    let reason = match &error {
        Error::Conflict(refusal) if refusal.code == ARCHIVED => {
            "it was archived after it was listed, and cannot be read before it is brought back"
        }
        Error::Conflict(refusal) if refusal.code == BEING_REHYDRATED => ON_ITS_WAY,
        _ => return error,
    };
    Error::Archived {
        path: path.to_string(),
        reason: reason.to_owned(),
    }
}

/// How long it takes at most, as Microsoft's page "Blob rehydration from the archive tier" says.
fn within(priority: Priority) -> &'static str {
    match priority {
        Priority::Standard => "within 15 hours",
        Priority::High => "within an hour for most blobs below 10 GB",
    }
}

/// Where a blob is that a listing showed as archived.
enum Standing {
    Archived,
    /// On its way back.
    Returning,
    Online,
}

/// One blob of which nobody knows whether it is still archived.
struct ArchivedBlob {
    client: BlobClient,
    url: Url,
}

impl ArchivedBlob {
    fn open(connection: &Connection, url: &Url) -> Result<Self, Error> {
        let options = BlobClientOptions {
            client_options: connection.options(Service::Blob, Access::Token),
            ..BlobClientOptions::default()
        };
        let client = BlobClient::new(url.clone(), None, Some(options))
            .map_err(|error| from_core(error, &act(Method::Head, url)))?;
        Ok(Self {
            client,
            url: url.clone(),
        })
    }

    async fn standing(&self) -> Result<Standing, Error> {
        let answer = self.client.get_properties(None).await;
        let answer = answer.map_err(|error| from_core(error, &act(Method::Head, &self.url)))?;
        let tier = answer.access_tier().ok().flatten();
        let pending: Option<ArchiveStatus> = answer.archive_status().ok().flatten();
        // One that is on its way back is in the archive tier until it is there.
        Ok(match (tier.as_deref(), pending) {
            (_, Some(_)) => Standing::Returning,
            (Some(ARCHIVE), None) => Standing::Archived,
            (_, None) => Standing::Online,
        })
    }

    /// Asks for its return to the hot tier, which has no least time of storage; `false` where it is on its way already.
    async fn ask_back(&self, priority: Priority) -> Result<bool, Error> {
        let options = BlobClientSetTierOptions {
            rehydrate_priority: Some(match priority {
                Priority::Standard => RehydratePriority::Standard,
                Priority::High => RehydratePriority::High,
            }),
            ..BlobClientSetTierOptions::default()
        };
        let act = act(Method::Put, &self.url);
        let sent = self.client.set_tier(AccessTier::Hot, Some(options)).await;
        match sent.map_err(|error| from_core(error, &act)) {
            Ok(_) => Ok(true),
            Err(Error::Conflict(refusal)) if refusal.code == BEING_REHYDRATED => Ok(false),
            Err(error) => Err(error),
        }
    }
}
