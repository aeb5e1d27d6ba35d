//! What a connection to a cloud is made from: plain values, read elsewhere. Nothing here reads an environment variable.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use azure_core::http::HttpClient;
use url::Url;

use super::bandwidth::Bandwidth;
use super::cloud::CloudName;
use super::credential::CredentialSource;
use super::quota::Quota;
use super::traffic::Observer;
use crate::clock::Clock;

/// How to reach a cloud and as whom.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Which cloud.
    pub cloud: CloudName,
    /// Where tokens come from.
    pub credential: CredentialSource,
    /// The login endpoint in place of the one that the cloud names (`AZURE_AUTHORITY_HOST`); https.
    pub authority: Option<Url>,
    /// A PEM file of root certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The proxy; `None`: everything is reached without one, whatever the environment says.
    pub proxy: Option<Proxy>,
    /// A transport to use instead of the network: the simulator's, in one process.
    pub transport: Option<Arc<dyn HttpClient>>,
    /// Is told of every request.
    pub observer: Option<Observer>,
    /// The time of day.
    pub clock: Clock,
    /// What Resource Manager allows, shared by all connections whose settings hold clones of one.
    pub quota: Quota,
    /// Most requests to one service at once; `None`: as many as the service bears, at most 32.
    pub concurrency: Option<usize>,
    /// How many bytes a second go out and come in, shared by all connections whose settings hold clones of one.
    pub bandwidth: Bandwidth,
    /// How many ranges of 4 MiB all files of the connection together may be read ahead, besides the first of each; `None`: 6.
    pub ranges_ahead: Option<usize>,
}

/// A proxy for everything but this machine (loopback, names below `.localhost`) and the service that gives the machine's
/// identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its address, http or https; may hold a name and a password.
    pub address: Url,
    /// Hosts that are reached without it, separated by commas, as `NO_PROXY` writes them.
    pub without: Option<String>,
}

/// Says nothing of name and password.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("host", &super::cloud::host_of(&self.address))
            .field("without", &self.without)
            .finish_non_exhaustive()
    }
}

/// What opens the bytes behind a datastore.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatastoreAccess {
    /// The connection's own token.
    #[default]
    Entra,
    /// The datastore's own secret (`listSecrets`).
    Datastore,
}

/// Which bytes of jobs [`crate::Workspace::files`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum JobOutputs {
    /// None.
    None,
    /// Run artifacts that are logs: below `user_logs/`, `system_logs/`, `logs/` and `azureml-logs/`.
    Logs,
    /// All artifacts, and named outputs on the default datastore.
    #[default]
    LogsAndOutputs,
}

/// Which bytes of data assets [`crate::Workspace::files`] lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DataBytes {
    /// None: the documents alone.
    None,
    /// Those that lie on the workspace's default datastore.
    #[default]
    DefaultDatastore,
    /// All that can be reached.
    All,
}

/// What is done about blobs in the archive tier, which nobody can read before they were brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Archived {
    /// Nothing: each is a gap.
    #[default]
    Gap,
    /// Their return to the hot tier is asked for, which changes the source and costs. Each is a gap until it is back.
    Rehydrate(Priority),
}

/// How fast an archived blob is brought back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Within 15 hours.
    #[default]
    Standard,
    /// Within an hour for most, at a higher price.
    High,
}

/// What is read of a workspace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Bytes of jobs.
    pub job_outputs: JobOutputs,
    /// Bytes of data assets.
    pub data: DataBytes,
    /// What opens the bytes behind datastores.
    pub datastore_access: DatastoreAccess,
    /// What is done about archived blobs.
    pub archived: Archived,
    /// Whether notebooks are read from a snapshot of their share, which is made for it and taken away afterwards.
    pub share_snapshot: bool,
}
