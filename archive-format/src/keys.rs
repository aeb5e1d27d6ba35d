//! Keys: owners' identities and recipients, this machine's key file, and the envelopes in which the repository's own
//! secret keys lie.
//!
//! Nothing here prints a secret: no type with one has `Display`, and `Debug` is redacted.

mod decryption;
pub(crate) mod edition;
mod encryption;
pub(crate) mod envelope;
pub(crate) mod file;
mod identity;
mod machine;
mod opening;
mod pair;
mod recipient;
pub(crate) mod ring;
pub(crate) mod signing;

pub use decryption::Decryption;
pub use encryption::Encryption;
pub use identity::{Identity, IdentityFile, LockedIdentity};
pub use machine::{Introduction, MachineKey, write_exclusive};
pub use pair::Pair;
pub use recipient::Recipient;

/// The keys at hand when a repository is opened.
#[derive(Clone, Debug, Default)]
pub struct KeyChain {
    /// This machine's key, from its `key_file`.
    pub machine: Option<MachineKey>,
    /// Owners' identities, passphrases among them.
    pub owners: Vec<Identity>,
}

impl KeyChain {
    /// The public halves of all keys that have one, as the log names holders.
    pub(crate) fn public_texts(&self) -> Vec<String> {
        let machine = self.machine.iter();
        let owners = self.owners.iter();
        machine
            .map(|machine| machine.identity.to_public_text())
            .chain(owners.filter_map(|owner| owner.to_recipient().to_public_text()))
            .collect()
    }
}

/// A label of one line that is not empty, at most 100 characters.
pub(crate) fn label(text: &str, otherwise: &str) -> String {
    let text: String = text
        .chars()
        .filter(|character| !character.is_control())
        .take(100)
        .collect();
    match text.trim() {
        "" => otherwise.to_owned(),
        text => text.to_owned(),
    }
}
