//! A stand-in for Azure: resource manager, token endpoint, blobs, file shares, run history and MLflow of Azure Machine Learning,
//! in memory, over HTTPS or in-process.
//!
//! It speaks the real wire interface, strictly, with small pages and faults as data. It knows nothing of mlark, so that it
//! cannot share a mistake with it.

pub mod account;
pub mod artifact;
pub mod blob;
pub mod call;
pub mod clock;
pub mod cloud;
pub mod directory;
pub mod discovery;
pub mod documents;
pub mod history;
pub mod identity;
pub mod metric;
pub mod mlflow;
pub mod reply;
pub mod share;
mod simulator;
pub mod state;
pub mod workspace;
pub mod world;

pub use simulator::Simulator;
pub use state::Settings;

/// The resource provider of Azure Machine Learning.
pub const PROVIDER: &str = "Microsoft.MachineLearningServices";
