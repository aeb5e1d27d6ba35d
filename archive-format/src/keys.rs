//! Keys: owners' identities and recipients, this machine's key file, and the envelopes in which the repository's own
//! secret keys lie.
//!
//! Nothing here prints a secret: no type with one has `Display`, and `Debug` is redacted.

pub(crate) mod envelope;
mod identity;
mod machine;
pub(crate) mod ring;
pub(crate) mod signing;

pub use identity::{Identity, Recipient};
pub use machine::{MachineKey, write_exclusive};

/// The keys at hand when a repository is opened.
#[derive(Debug, Default)]
pub struct KeyChain {
    /// This machine's key, from its `key_file`.
    pub machine: Option<MachineKey>,
    /// Owners' identities.
    pub owners: Vec<Identity>,
}
