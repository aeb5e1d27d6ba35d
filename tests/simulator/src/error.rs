//! What can fail around the simulator: its sockets, its certificates, the folder where it describes itself.

use std::path::PathBuf;

/// An act of the simulator that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A socket on loopback could not be opened.
    #[error("Could not listen on port {port} of the loopback address")]
    Listen {
        /// The port asked for; 0 for any.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
    /// The certificate authority could not be made.
    #[error("Could not make the certificate authority")]
    Authority {
        /// Why.
        source: rcgen::Error,
    },
    /// TLS could not be set up.
    #[error("Could not set up TLS")]
    Tls {
        /// Why.
        source: rustls::Error,
    },
    /// A file that describes the simulator could not be written.
    #[error("Could not write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The seed of a world was refused by the simulator itself.
    #[error("Could not fill the world: {act}")]
    World {
        /// What was being made, and the answer to it.
        act: String,
    },
}
