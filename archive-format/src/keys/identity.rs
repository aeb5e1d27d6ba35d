//! Owners: the public key that something is encrypted to, and the secret one that opens it.

use std::fmt;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};

use crate::Error;

/// A public key that contents are wrapped for.
#[derive(Clone, PartialEq, Eq)]
pub struct Recipient(age::x25519::Recipient);

impl Recipient {
    /// Reads `age1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let refused = |reason: &str| Error::Key {
            what: "recipient",
            reason: reason.to_owned(),
        };
        if text.starts_with("ssh-") {
            return Err(refused(
                "SSH public keys are not served yet; give an age recipient",
            ));
        }
        age::x25519::Recipient::from_str(text.trim())
            .map(Self)
            .map_err(refused)
    }

    pub(crate) fn as_age(&self) -> &dyn age::Recipient {
        &self.0
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.0)
    }
}

/// A secret key that opens what was encrypted to its recipient.
#[derive(Clone)]
pub struct Identity(age::x25519::Identity);

impl Identity {
    /// A new random one.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads one `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        age::x25519::Identity::from_str(text.trim())
            .map(Self)
            .map_err(|reason| Error::Key {
                what: "identity",
                reason: reason.to_owned(),
            })
    }

    /// Reads an age identity file: an identity a line, `#` begins a comment. At least one must be there.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, Error> {
        let lines = text.lines().map(str::trim);
        let identities = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Self::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if identities.is_empty() {
            return Err(Error::Key {
                what: "identity file",
                reason: "it holds no identity".to_owned(),
            });
        }
        Ok(identities)
    }

    /// Its public half.
    pub fn to_recipient(&self) -> Recipient {
        Recipient(self.0.to_public())
    }

    /// The secret as `AGE-SECRET-KEY-1…`.
    pub fn to_secret_text(&self) -> SecretString {
        self.0.to_string()
    }

    /// The text of an identity file as `age-keygen` writes it: two comments and the secret.
    pub fn to_file_text(&self, created: jiff::Timestamp) -> SecretString {
        format!(
            "# created: {created}\n# public key: {}\n{}\n",
            self.to_recipient(),
            self.0.to_string().expose_secret()
        )
        .into()
    }

    pub(crate) fn as_age(&self) -> &dyn age::Identity {
        &self.0
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(of {})", self.0.to_public())
    }
}
