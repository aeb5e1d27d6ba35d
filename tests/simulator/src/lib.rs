//! A stand-in for Azure: resource manager, token endpoint, blobs, file shares, run history and MLflow of Azure Machine Learning,
//! in memory, over HTTPS or in-process.
//!
//! It speaks the real wire interface, strictly, with small pages and faults as data. It knows nothing of mlark, so that it
//! cannot share a mistake with it.

pub mod account;
pub mod arm;
pub mod arrivals;
pub mod artifact;
pub mod authority;
pub mod blob;
pub mod call;
mod caller;
pub mod certificate;
pub mod clock;
pub mod cloud;
pub mod control;
pub mod description;
pub mod dfs;
pub mod directory;
pub mod discovery;
pub mod documents;
pub mod dump;
pub mod error;
pub mod faults;
mod gate;
pub mod history;
pub mod identity;
pub mod limits;
pub mod login;
mod metadata;
pub mod metric;
pub mod mlflow;
pub mod permission;
pub mod recorder;
pub mod reply;
pub mod route;
pub mod sas;
pub mod server;
pub mod share;
mod shared_key;
mod simulator;
pub mod specification;
pub mod state;
pub mod transport;
pub mod workspace;
pub mod world;

pub use caller::Caller;
pub use error::Error;
pub use server::Server;
pub use simulator::Simulator;
pub use specification::Specification;
pub use state::Settings;
pub use transport::SimulatorTransport;

/// The resource provider of Azure Machine Learning.
pub const PROVIDER: &str = "Microsoft.MachineLearningServices";
