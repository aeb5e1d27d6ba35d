//! The Azure client: an Azure ML workspace as something to read, and to write in a restore.
//!
//! ```text
//! Settings ─► Connection (cloud, credential, one pipeline, traffic) ─► AzureWorkspace (one workspace, one run)
//! ```
//!
//! Every request of mlark to Azure passes the one pipeline of a [`Connection`]: retry, authorisation (a token goes to
//! trusted hosts only), counting, a bounded body, send. Reading ([`crate::Workspace`]) never changes anything; the
//! methods that write are inherent methods of [`AzureWorkspace`], and only `restore` calls them.

pub mod cloud;
pub mod connection;
pub mod credential;
pub mod name;
pub mod place;
pub mod run;
pub mod settings;
pub mod traffic;
pub mod workspace;

pub use cloud::{Cloud, CloudName};
pub use connection::Connection;
pub use credential::CredentialSource;
pub use name::WorkspaceName;
pub use place::{FileMeta, Place, Store, Written};
pub use run::{ExperimentId, MetricPoint, NewRun, RunEnd, RunFound, RunId};
pub use settings::{DataBytes, DatastoreAccess, JobOutputs, ReadOptions, Settings};
pub use traffic::{Exchange, Observer, Service, Traffic};
pub use workspace::{AzureWorkspace, TargetLock};
