//! Owners' public keys: what the repository's own secret keys are wrapped for.

use std::fmt;
use std::str::FromStr;

use age::ssh::ParseRecipientKeyError;
use secrecy::{ExposeSecret, SecretString};

use super::Identity;
use crate::Error;
use crate::magic::{SCRYPT_WORK_MAX, SCRYPT_WORK_USUAL};

/// For whom key files are encrypted: an age recipient `age1…`, an SSH public key, or whoever knows a passphrase.
///
/// age allows a passphrase only alone, so that each passphrase has key files of its own.
#[derive(Clone)]
pub struct Recipient(Sort);

#[derive(Clone)]
enum Sort {
    X25519(age::x25519::Recipient),
    /// The key, and the comment that stood behind it.
    Ssh(age::ssh::Recipient, String),
    Passphrase(SecretString, u8),
}

impl Recipient {
    /// Reads `age1…`, or a line of an SSH public key file: `ssh-ed25519 …` or `ssh-rsa …` of at least 2,048 bits.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.starts_with("age1") {
            return age::x25519::Recipient::from_str(text)
                .map(|recipient| Self(Sort::X25519(recipient)))
                .map_err(refused);
        }
        let key = age::ssh::Recipient::from_str(text).map_err(|error| match error {
            ParseRecipientKeyError::RsaModulusTooLarge => refused("its RSA modulus is too large"),
            ParseRecipientKeyError::RsaModulusTooSmall => {
                refused("its RSA modulus has fewer than 2048 bits")
            }
            ParseRecipientKeyError::Unsupported(sort) => refused(&format!(
                "SSH keys of the sort {sort} cannot be encrypted to; ssh-ed25519 and ssh-rsa can"
            )),
            _ => refused("it is neither age1… nor an SSH public key"),
        })?;
        let comment = text.splitn(3, ' ').nth(2).unwrap_or_default();
        Ok(Self(Sort::Ssh(key, comment.trim().to_owned())))
    }

    /// Whoever knows the passphrase. The work of trying one is 2 to the power of `work` (scrypt's log N), at most 20; none
    /// means 18, as the program `age` does, which takes about a second and 256 MiB.
    pub fn passphrase(secret: SecretString, work: Option<u8>) -> Result<Self, Error> {
        let work = work.unwrap_or(SCRYPT_WORK_USUAL);
        if secret.expose_secret().is_empty() {
            return Err(Error::Key {
                what: "passphrase",
                reason: "it is empty".to_owned(),
            });
        }
        if !(1..=SCRYPT_WORK_MAX).contains(&work) {
            return Err(Error::Limit {
                what: "The work factor of a passphrase".to_owned(),
                limit: SCRYPT_WORK_MAX.into(),
                found: work.into(),
            });
        }
        Ok(Self(Sort::Passphrase(secret, work)))
    }

    /// Whether it is a passphrase, which has no public text.
    pub fn is_passphrase(&self) -> bool {
        matches!(self.0, Sort::Passphrase(..))
    }

    /// The public key as the log names it; a passphrase has none.
    pub fn to_public_text(&self) -> Option<String> {
        match &self.0 {
            Sort::X25519(recipient) => Some(recipient.to_string()),
            Sort::Ssh(recipient, _) => Some(recipient.to_string()),
            Sort::Passphrase(..) => None,
        }
    }

    /// What stands behind an SSH public key, such as `ada@desk`: a label to offer.
    pub fn comment(&self) -> Option<&str> {
        match &self.0 {
            Sort::Ssh(_, comment) if !comment.is_empty() => Some(comment),
            _ => None,
        }
    }

    /// What opens the files of a passphrase.
    pub(crate) fn to_passphrase_identity(&self) -> Option<Identity> {
        match &self.0 {
            Sort::Passphrase(secret, _) => Some(Identity::passphrase(secret.clone())),
            _ => None,
        }
    }

    pub(super) fn of_passphrase(secret: SecretString) -> Self {
        Self(Sort::Passphrase(secret, SCRYPT_WORK_USUAL))
    }

    pub(super) fn of_x25519(recipient: age::x25519::Recipient) -> Self {
        Self(Sort::X25519(recipient))
    }

    /// What age encrypts to. For a passphrase it is made anew each time.
    pub(crate) fn to_age(&self) -> Box<dyn age::Recipient + Send> {
        match &self.0 {
            Sort::X25519(recipient) => Box::new(recipient.clone()),
            Sort::Ssh(recipient, _) => Box::new(recipient.clone()),
            Sort::Passphrase(secret, work) => {
                let mut recipient = age::scrypt::Recipient::new(secret.clone());
                recipient.set_work_factor(*work);
                Box::new(recipient)
            }
        }
    }
}

fn refused(reason: &str) -> Error {
    Error::Key {
        what: "recipient",
        reason: reason.to_owned(),
    }
}

/// Two are the same when they have the same public text. Passphrases are never compared.
impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        let own = self.to_public_text();
        own.is_some() && own == other.to_public_text()
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.to_public_text() {
            Some(text) => f.write_str(&text),
            None => f.write_str("a passphrase"),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}
