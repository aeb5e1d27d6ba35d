//! The Azure client: an Azure ML workspace as something to read, and to write in a restore.
//!
//! ```text
//! Settings ─► Connection (cloud, credential, one pipeline, traffic) ─► AzureWorkspace (one workspace, one run)
//! ```
//!
//! Every request of mlark to Azure passes the one pipeline of a [`Connection`]: retry, authorisation (a token goes to
//! trusted hosts only), counting, a bounded body, send. Reading ([`crate::Workspace`]) never changes anything; the
//! methods that write are inherent methods of [`AzureWorkspace`], and only `restore` calls them.

mod answer;
mod arm;
mod artifact;
mod authorization;
pub mod bandwidth;
mod blob;
pub mod channel;
pub mod cloud;
mod code;
pub mod connection;
pub mod container;
mod creation;
pub mod credential;
mod datastore;
mod door;
mod doors;
mod experiments;
mod files;
pub mod held;
mod history;
mod hold;
mod http;
mod inventory;
mod listing;
mod locate;
mod lock;
mod metric;
mod mlflow;
pub mod name;
mod pace;
mod pager;
pub mod place;
mod points;
mod probe;
mod put;
pub mod quota;
mod range;
mod registry;
mod retry;
pub mod run;
mod secrets;
pub mod settings;
mod share;
mod share_snapshot;
mod share_upload;
mod share_xml;
mod spool;
mod ticket;
mod tier;
mod token;
pub mod traffic;
mod trust;
mod types;
mod upload;
mod ways;
mod whoami;
mod wire;
pub mod workspace;
mod write;

pub use bandwidth::Bandwidth;
pub use channel::{Channel, Repeat, Reply};
pub use cloud::{Cloud, CloudName};
pub use connection::Connection;
pub use container::{ContainerPolicy, KeptContainer};
pub use creation::is_softly_deleted;
pub use credential::CredentialSource;
pub use credential::source::Origin;
pub use held::Held;
pub use lock::{LeftMark, TargetLock};
pub use name::{Root, WorkspaceName};
pub use place::{FileMeta, Place, Store, Written};
pub use points::Logged;
pub use probe::{Probe, Verdict};
pub use put::has_failed;
pub use quota::Quota;
pub use registry::InRegistry;
pub use run::{ExperimentId, MetricPoint, NewRun, RunEnd, RunFound, RunId};
pub use settings::{
    Archived, DataBytes, DatastoreAccess, JobOutputs, Priority, Proxy, ReadOptions, Settings,
};
pub use traffic::{Exchange, Observer, Service, Traffic};
pub use whoami::WhoAmI;
pub use workspace::AzureWorkspace;

#[cfg(test)]
#[expect(clippy::expect_used, reason = "a test may panic")]
mod tests;
