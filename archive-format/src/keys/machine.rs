//! This machine's key file: what lets it write to one repository, and read names but no contents.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::str::FromStr;

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::signing::SigningSecret;
use super::{Pair, Recipient};
use crate::{Error, RepositoryId, Signer};

/// The key of one machine for one repository.
///
/// Its text is lines of `name: value`, with comments that begin with `#`. It holds the machine's age identity, to which
/// the repository's meta key is wrapped; its signing key; and for an unencrypted repository the owners' signing key,
/// which has no envelope to lie in.
#[derive(Clone)]
pub struct MachineKey {
    pub(crate) repository: RepositoryId,
    pub(crate) label: String,
    pub(crate) identity: Pair,
    pub(crate) signing: SigningSecret,
    pub(crate) owners_signing: Option<SigningSecret>,
}

const FIRST_LINE: &str =
    "# mlark machine key. Whoever has it can add to the repository. Keep it secret.";

impl MachineKey {
    /// Reads the text of a key file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut fields = std::collections::BTreeMap::new();
        for line in text.lines().map(str::trim) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, value) = line
                .split_once(": ")
                .ok_or_else(|| refused("a line is not `name: value`"))?;
            if fields.insert(name, value.trim()).is_some() {
                return Err(refused("a name stands twice"));
            }
        }
        let take = |name: &'static str| {
            fields
                .get(name)
                .copied()
                .ok_or_else(|| refused(&format!("`{name}` is missing")))
        };
        Ok(Self {
            repository: take("repository")?.parse()?,
            label: take("label")?.to_owned(),
            identity: Pair::parse(take("identity")?)?,
            signing: seed(take("signing-key")?)?,
            owners_signing: fields
                .get("owners-signing-key")
                .map(|text| seed(text))
                .transpose()?,
        })
    }

    /// The text of a key file.
    pub fn to_text(&self) -> SecretString {
        let mut text = Zeroizing::new(format!(
            "{FIRST_LINE}\nrepository: {}\nlabel: {}\n# signer: {}\n# introduction: {}\nidentity: {}\nsigning-key: {}\n",
            self.repository,
            self.label,
            self.signing.signer(),
            self.introduction(),
            self.identity.to_secret_text().expose_secret(),
            hex::encode(self.signing.to_seed().as_slice()),
        ));
        if let Some(owners) = &self.owners_signing {
            text.push_str(
                "# The owners' signing key: it lies here since the repository is not encrypted.\n",
            );
            text.push_str(&format!(
                "owners-signing-key: {}\n",
                hex::encode(owners.to_seed().as_slice())
            ));
        }
        text.as_str().into()
    }

    /// A new one for a repository. It opens and writes nothing before the owners introduced it.
    pub fn generate(repository: RepositoryId, label: &str) -> Result<Self, Error> {
        Ok(Self {
            repository,
            label: super::label(label, "machine"),
            identity: Pair::generate(),
            signing: SigningSecret::generate()?,
            owners_signing: None,
        })
    }

    /// What the owners need to know of it, and may be seen by everybody.
    pub fn introduction(&self) -> Introduction {
        Introduction {
            repository: self.repository,
            recipient: self.identity.to_recipient(),
            signer: self.signing.signer(),
            label: self.label.clone(),
        }
    }

    /// The repository that it is for.
    pub fn repository(&self) -> RepositoryId {
        self.repository
    }

    /// The machine's label, as given at its introduction.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The public half of its signing key: what `trusted_signers` lists.
    pub fn signer(&self) -> Signer {
        self.signing.signer()
    }

    /// Creates the key file, readable by its owner alone. An existing file is an error and stays as it is.
    pub fn write_new(&self, path: &Path) -> Result<(), Error> {
        write_exclusive(path, &self.to_text())
    }
}

/// The public half of a machine's key, as one line: `mlark-machine-1 REPOSITORY RECIPIENT SIGNER LABEL`.
#[derive(Clone, Debug, PartialEq)]
pub struct Introduction {
    /// The repository that it is for.
    pub repository: RepositoryId,
    /// To whom the meta key is wrapped.
    pub recipient: Recipient,
    /// Who signs.
    pub signer: Signer,
    /// The machine's name, for people.
    pub label: String,
}

const INTRODUCTION: &str = "mlark-machine-1";

impl fmt::Display for Introduction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            repository,
            recipient,
            signer,
            label,
        } = self;
        write!(
            f,
            "{INTRODUCTION} {repository} {recipient} {signer} {label}"
        )
    }
}

impl FromStr for Introduction {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Key {
            what: "line of a machine",
            reason: format!("it is not `{INTRODUCTION} REPOSITORY RECIPIENT SIGNER LABEL`"),
        };
        let parts: Vec<&str> = text.trim().splitn(5, ' ').collect();
        let [INTRODUCTION, repository, recipient, signer, label] = parts.as_slice() else {
            return Err(refused());
        };
        Ok(Self {
            repository: repository.parse()?,
            recipient: Recipient::parse(recipient)?,
            signer: signer.parse()?,
            label: super::label(label, "machine"),
        })
    }
}

/// Creates a file with a secret in it: mode 0600, never over an existing one, flushed to disk.
pub fn write_exclusive(path: &Path, text: &SecretString) -> Result<(), Error> {
    let create = || -> io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(text.expose_secret().as_bytes())?;
        file.sync_all()
    };
    create().map_err(|source| Error::Local {
        act: "create",
        path: path.to_owned(),
        source,
    })
}

fn refused(reason: &str) -> Error {
    Error::Key {
        what: "machine key",
        reason: reason.to_owned(),
    }
}

fn seed(text: &str) -> Result<SigningSecret, Error> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, bytes.as_mut_slice())
        .map_err(|_| refused("a signing key is not 32 bytes in hexadecimal"))?;
    Ok(SigningSecret::from_seed(&bytes))
}

impl fmt::Debug for MachineKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MachineKey")
            .field("repository", &self.repository)
            .field("label", &self.label)
            .field("signer", &self.signing.signer())
            .finish_non_exhaustive()
    }
}
