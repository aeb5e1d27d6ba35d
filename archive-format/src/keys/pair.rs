//! A pair of age's own sort, X25519: the repository's own keys, a machine's key, and most owners' identities.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::Recipient;
use crate::Error;

/// A secret key and the recipient that belongs to it.
#[derive(Clone)]
pub struct Pair(age::x25519::Identity);

impl Pair {
    /// A new random one.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    /// Reads one `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let pair = text.trim().parse().map(Self);
        pair.map_err(|reason: &str| Error::Key {
            what: "identity",
            reason: reason.to_owned(),
        })
    }

    /// Reads an age identity file: an identity a line, `#` begins a comment. At least one must be there.
    pub fn parse_file(text: &str) -> Result<Vec<Self>, Error> {
        let lines = text.lines().map(str::trim);
        let pairs = lines
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(Self::parse)
            .collect::<Result<Vec<_>, _>>()?;
        if pairs.is_empty() {
            return Err(Error::Key {
                what: "identity file",
                reason: "it holds no identity".to_owned(),
            });
        }
        Ok(pairs)
    }

    /// The public half.
    pub fn to_recipient(&self) -> Recipient {
        Recipient::of_x25519(self.0.to_public())
    }

    /// The public half as `age1…`.
    pub fn to_public_text(&self) -> String {
        self.0.to_public().to_string()
    }

    /// The secret as `AGE-SECRET-KEY-1…`.
    pub fn to_secret_text(&self) -> SecretString {
        self.0.to_string()
    }

    /// The text of an identity file as `age-keygen` writes it: two comments and the secret.
    pub fn to_file_text(&self, created: jiff::Timestamp) -> SecretString {
        format!(
            "# created: {created}\n# public key: {}\n{}\n",
            self.to_public_text(),
            self.to_secret_text().expose_secret()
        )
        .into()
    }

    pub(crate) fn as_age(&self) -> &dyn age::Identity {
        &self.0
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pair(of {})", self.to_public_text())
    }
}
