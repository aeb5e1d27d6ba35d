//! Makes the key files of an edition: each secret wrapped for those who hold it.
//!
//! A passphrase has files of its own, since age allows it only alone. They can be made only by who knows it; where the
//! secrets did not change, the files that it has stay the ones that count.

use bytes::Bytes;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use super::file::{KeyFileName, KeySort};
use super::signing::SigningSecret;
use super::{Pair, Recipient, envelope};
use crate::Error;

/// The repository's own secrets.
#[derive(Debug)]
pub(crate) struct Secrets {
    /// Newest first.
    pub(crate) data: Vec<Pair>,
    /// Newest first.
    pub(crate) meta: Vec<Pair>,
    pub(crate) sign: SigningSecret,
}

/// Who gets a copy. Passphrases have numbers.
#[derive(Debug, Default)]
pub(crate) struct Wrapping {
    pub(crate) owners: Vec<Recipient>,
    pub(crate) machines: Vec<Recipient>,
    pub(crate) passphrases: Vec<(u32, Recipient)>,
}

impl Secrets {
    /// The key files, named for edition 1. A passphrase takes about a second a file.
    pub(crate) fn seal(
        &self,
        wrapping: &Wrapping,
        now: Timestamp,
    ) -> Result<Vec<(KeyFileName, Bytes)>, Error> {
        let mut files = Vec::new();
        for sort in KeySort::ALL {
            let text = self.text(sort, now)?;
            let mut seal = |recipients: &[&Recipient], passphrase| {
                let name = KeyFileName {
                    edition: 1,
                    sort,
                    passphrase,
                };
                let stored = envelope::seal_for(recipients, text.expose_secret().as_bytes())?;
                files.push((name, Bytes::from(stored)));
                Ok::<_, Error>(())
            };
            let machines = (sort == KeySort::Meta).then_some(&wrapping.machines);
            let recipients: Vec<&Recipient> = wrapping
                .owners
                .iter()
                .chain(machines.into_iter().flatten())
                .collect();
            if !recipients.is_empty() {
                seal(&recipients, None)?;
            }
            for (number, passphrase) in &wrapping.passphrases {
                seal(&[passphrase], Some(*number))?;
            }
        }
        Ok(files)
    }

    fn text(&self, sort: KeySort, now: Timestamp) -> Result<SecretString, Error> {
        let pairs = match sort {
            KeySort::Data => &self.data,
            KeySort::Meta => &self.meta,
            KeySort::Sign => return self.sign.to_pem(),
        };
        let mut text = zeroize::Zeroizing::new(String::new());
        for pair in pairs {
            text.push_str(pair.to_file_text(now).expose_secret());
        }
        Ok(text.as_str().into())
    }
}
