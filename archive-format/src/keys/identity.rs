//! Owners' secret keys: what opens the key files. An age identity, an SSH private key, or a passphrase.

use std::fmt;
use std::sync::Arc;

use age::ssh;
use secrecy::SecretString;

use super::{Pair, Recipient};
use crate::Error;
use crate::magic::SCRYPT_WORK_MAX;

/// A secret key that opens what was encrypted to its recipient.
#[derive(Clone)]
pub struct Identity(Sort);

#[derive(Clone)]
enum Sort {
    X25519(Pair),
    Ssh(Arc<ssh::Identity>, Recipient),
    Passphrase(Arc<age::scrypt::Identity>, SecretString),
}

impl Identity {
    /// A new random one of age's own sort.
    pub fn generate() -> Self {
        Pair::generate().into()
    }

    /// Reads one `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        Pair::parse(text).map(Self::from)
    }

    /// A passphrase. What asks for more work than 2 to the power of 20 (4 seconds, 1 GiB) is refused.
    pub fn passphrase(secret: SecretString) -> Self {
        Self::passphrase_up_to(SCRYPT_WORK_MAX, secret)
    }

    /// The same with another limit of work.
    pub(crate) fn passphrase_up_to(work: u8, secret: SecretString) -> Self {
        let mut identity = age::scrypt::Identity::new(secret.clone());
        identity.set_max_work_factor(work);
        Self(Sort::Passphrase(Arc::new(identity), secret))
    }

    /// Reads an identity file that is not encrypted: see [`IdentityFile::parse`].
    pub fn parse_file(text: &str) -> Result<Vec<Self>, Error> {
        match IdentityFile::parse(text)? {
            IdentityFile::Ready(identities) => Ok(identities),
            IdentityFile::Locked(_) => Err(file_refused("it is encrypted with a passphrase")),
        }
    }

    /// Its public half.
    pub fn to_recipient(&self) -> Recipient {
        match &self.0 {
            Sort::X25519(pair) => pair.to_recipient(),
            Sort::Ssh(_, recipient) => recipient.clone(),
            Sort::Passphrase(_, secret) => Recipient::of_passphrase(secret.clone()),
        }
    }

    /// Whether it is a passphrase.
    pub fn is_passphrase(&self) -> bool {
        matches!(self.0, Sort::Passphrase(..))
    }

    pub(crate) fn as_age(&self) -> &dyn age::Identity {
        match &self.0 {
            Sort::X25519(pair) => pair.as_age(),
            Sort::Ssh(identity, _) => identity.as_ref(),
            Sort::Passphrase(identity, _) => identity.as_ref(),
        }
    }
}

impl From<Pair> for Identity {
    fn from(pair: Pair) -> Self {
        Self(Sort::X25519(pair))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity(of {})", self.to_recipient())
    }
}

/// What an identity file holds.
#[derive(Clone, Debug)]
pub enum IdentityFile {
    /// Identities that can be used.
    Ready(Vec<Identity>),
    /// An SSH private key that its passphrase unlocks.
    Locked(Box<LockedIdentity>),
}

impl IdentityFile {
    /// Reads an age identity file (an identity a line, `#` begins a comment, at least one must be there) or an OpenSSH
    /// or PEM private key of the sorts `ssh-ed25519` and `ssh-rsa`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text.trim_start().starts_with("-----BEGIN") {
            return parse_ssh(text);
        }
        let pairs = Pair::parse_file(text)?;
        Ok(Self::Ready(pairs.into_iter().map(Identity::from).collect()))
    }
}

/// An SSH private key that is encrypted with a passphrase.
#[derive(Clone)]
pub struct LockedIdentity(ssh::Identity, Recipient);

impl LockedIdentity {
    /// Opens it.
    pub fn unlock(&self, passphrase: SecretString) -> Result<Identity, Error> {
        let ssh::Identity::Encrypted(key) = &self.0 else {
            return Err(file_refused("it is not encrypted"));
        };
        let opened = key
            .decrypt(passphrase)
            .map_err(|_| file_refused("the passphrase does not open it"))?;
        Ok(Identity(Sort::Ssh(Arc::new(opened.into()), self.1.clone())))
    }

    /// Its public half.
    pub fn recipient(&self) -> &Recipient {
        &self.1
    }
}

impl fmt::Debug for LockedIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LockedIdentity(of {})", self.1)
    }
}

fn parse_ssh(text: &str) -> Result<IdentityFile, Error> {
    let identity = ssh::Identity::from_buffer(text.trim_start().as_bytes(), None)
        .map_err(|_| file_refused("it is no SSH private key"))?;
    if let ssh::Identity::Unsupported(_) = &identity {
        return Err(file_refused(
            "an SSH key of this sort cannot open anything; ssh-ed25519 and ssh-rsa can",
        ));
    }
    let public = ssh::Recipient::try_from(identity.clone())
        .map_err(|_| file_refused("its public half cannot be used"))?;
    let recipient = Recipient::parse(&public.to_string())?;
    Ok(match identity {
        ssh::Identity::Encrypted(_) => {
            IdentityFile::Locked(Box::new(LockedIdentity(identity, recipient)))
        }
        _ => IdentityFile::Ready(vec![Identity(Sort::Ssh(Arc::new(identity), recipient))]),
    })
}

fn file_refused(reason: &str) -> Error {
    Error::Key {
        what: "identity file",
        reason: reason.to_owned(),
    }
}
