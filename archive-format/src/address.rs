//! What things are named by: digests of plain bytes, of stored bytes, of log entries; random ids; public signing keys.
//!
//! Each is a type of its own with the bytes inside, so that one can never be taken for another. Text is lowercase hex,
//! and only at the edges.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; $bytes]);

        impl $name {
            /// From its bytes.
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// From a slice that must have the right length.
            pub fn from_slice(bytes: &[u8]) -> Result<Self, Error> {
                <[u8; $bytes]>::try_from(bytes)
                    .map(Self)
                    .map_err(|_| Error::Id { what: $what, text: hex::encode(&bytes[..bytes.len().min(64)]) })
            }

            /// Its bytes.
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let refused = || Error::Id { what: $what, text: text.chars().take(80).collect() };
                if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
                    return Err(refused());
                }
                let mut bytes = [0; $bytes];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| refused())?;
                Ok(Self(bytes))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

hex_id!(
    /// The address of an object: the SHA-256 of its plain bytes.
    Address, 32, "an object address"
);
hex_id!(
    /// The SHA-256 of something that is no object: a whole file, a canonical document.
    Digest, 32, "a SHA-256"
);
hex_id!(
    /// The name of a pack: the SHA-256 of its stored bytes.
    PackName, 32, "a pack name"
);
hex_id!(
    /// The SHA-256 of the stored bytes of a log entry: what the next entry holds as `previous`.
    EntryHash, 32, "the hash of a log entry"
);
hex_id!(
    /// An HMAC-SHA-256 of a secret under a key that only holders of the meta secret can derive.
    Mac, 32, "an HMAC"
);
hex_id!(
    /// A public Ed25519 key (RFC 8032): who signed a log entry.
    Signer, 32, "a signer"
);
hex_id!(
    /// The id of a repository: 16 random bytes.
    RepositoryId, 16, "a repository id"
);

impl Address {
    /// The address of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl EntryHash {
    /// The hash of a stored log entry.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl PackName {
    /// The name of a pack with these stored bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}
