//! The keys of a run: this machine's key file, owners' identities and passphrases. A secret comes from a file, from systemd's
//! credentials or from the terminal, never from an argument or a variable.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::{Identity, IdentityFile, KeyChain, LockedIdentity, MachineKey, Storage};
use futures::TryStreamExt;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;

/// The largest key file that is taken, in bytes.
const KEY_BYTES_MAX: u64 = 1 << 20;

/// The name that stands for the terminal in place of a passphrase file.
const TERMINAL: &str = "-";

impl Session {
    /// Every key at hand. Where there is none and the repository has an owner with a passphrase, it is asked for.
    pub(super) async fn key_chain(
        &self,
        storage: &Arc<dyn Storage>,
        id: &str,
    ) -> Result<KeyChain, Failure> {
        let mut keys = KeyChain {
            machine: read_machine_key(&self.key_file(id)?)?,
            owners: self.identities().await?,
        };
        let passphrases = self.passphrases().await?;
        keys.owners
            .extend(passphrases.into_iter().map(Identity::passphrase));
        let none = keys.machine.is_none() && keys.owners.is_empty();
        if none && self.ui.can_ask() && has_passphrase(storage).await {
            let question = format!("Passphrase of {}", storage.describe());
            keys.owners
                .push(Identity::passphrase(self.ask_passphrase(&question).await?));
        }
        Ok(keys)
    }

    /// The identities of the named identity file; none where none is named or the named one is not on this machine.
    pub async fn identities(&self) -> Result<Vec<Identity>, Failure> {
        let Some(file) = self.identity_file() else {
            return Ok(Vec::new());
        };
        let Some(text) = read_key_file(&file)? else {
            return Ok(Vec::new());
        };
        match read_identities(&text, &file)? {
            IdentityFile::Ready(identities) => Ok(identities),
            IdentityFile::Locked(locked) => Ok(vec![self.unlock(&locked, &file).await?]),
        }
    }

    async fn unlock(&self, locked: &LockedIdentity, file: &Path) -> Result<Identity, Failure> {
        let refused =
            || Failure::new(ExitStatus::NoKey, "The SSH key cannot be used").on(file.display());
        if !self.ui.can_ask() {
            return Err(refused()
                .why("it is encrypted, and its passphrase is asked for on a terminal only")
                .next("run this on a terminal, or give the key without a passphrase (`ssh-keygen -p` takes it off a copy)"));
        }
        let passphrase = self
            .ask_passphrase(&format!("Passphrase of {}", file.display()))
            .await?;
        locked
            .unlock(passphrase)
            .map_err(|error| refused().because(&error).next("try again"))
    }

    /// The owners' passphrases that files hold: as options name them, else the variable, else a systemd credential, else
    /// the configuration.
    pub async fn passphrases(&self) -> Result<Vec<SecretString>, Failure> {
        let mut passphrases = Vec::new();
        for file in self.passphrase_files() {
            passphrases.push(if file.as_os_str() == TERMINAL {
                self.ask_passphrase("An owner's passphrase").await?
            } else {
                read_passphrase(&file)?
            });
        }
        Ok(passphrases)
    }

    fn passphrase_files(&self) -> Vec<PathBuf> {
        if !self.global.passphrase_file.is_empty() {
            return self.global.passphrase_file.clone();
        }
        let environment = &self.context.environment;
        let credential = || {
            let folder = environment.path("CREDENTIALS_DIRECTORY")?;
            Some(folder.join("mlark.passphrase")).filter(|file| file.exists())
        };
        environment
            .path("MLARK_PASSPHRASE_FILE")
            .or_else(credential)
            .or_else(|| self.config.repository.passphrase_file.clone())
            .into_iter()
            .collect()
    }

    /// Asks for a passphrase that exists.
    pub async fn ask_passphrase(&self, question: &str) -> Result<SecretString, Failure> {
        if !self.ui.can_ask() {
            return Err(
                Failure::new(ExitStatus::NoKey, "Nobody can be asked for a passphrase")
                    .why("there is no terminal")
                    .next("put it into a file that only you can read, and name that with --passphrase-file"),
            );
        }
        let asked = self.ui.ask_secret(question, &self.context.shutdown).await;
        asked.map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => Failure::new(ExitStatus::Interrupted, "Nothing was done")
                .why("the question was interrupted"),
            _ => Failure::failed("The passphrase could not be read").why(error),
        })
    }

    /// Asks twice for a new one.
    pub async fn ask_new_passphrase(&self) -> Result<SecretString, Failure> {
        let first = self.ask_passphrase("New passphrase").await?;
        let second = self.ask_passphrase("The same again").await?;
        if first.expose_secret() == second.expose_secret() {
            Ok(first)
        } else {
            Err(Failure::usage("The passphrases differ").next("try again"))
        }
    }
}

async fn has_passphrase(storage: &Arc<dyn Storage>) -> bool {
    let files = storage.list("keys/");
    let files = files.try_any(|file| async move { file.name.as_str().contains("-meta-p") });
    // Where it cannot be listed opening says why.
    files.await.unwrap_or(false)
}

/// Reads an identity file's text.
pub fn read_identities(text: &str, file: &Path) -> Result<IdentityFile, Failure> {
    IdentityFile::parse(text).map_err(|error| {
        Failure::new(ExitStatus::NoKey, "The identity file cannot be used")
            .on(file.display())
            .because(&error)
            .next("it is a file of `mlark key generate`, or an SSH private key of the sort ed25519 or rsa")
    })
}

/// This machine's key in a file; `None` where there is no such file.
pub fn read_machine_key(file: &Path) -> Result<Option<MachineKey>, Failure> {
    let Some(text) = read_key_file(file)? else {
        return Ok(None);
    };
    MachineKey::parse(&text).map(Some).map_err(|error| {
        Failure::new(ExitStatus::NoKey, "This machine's key file cannot be used")
            .on(file.display())
            .because(&error)
            .next("bring back the file that `mlark init` wrote, or name another with `key_file`")
    })
}

/// What a passphrase file is.
const ONE_LINE: &str = "it holds the passphrase alone, on one line; `-` asks on the terminal";

/// The passphrase in a file: its text, without the end of its last line.
pub fn read_passphrase(file: &Path) -> Result<SecretString, Failure> {
    let refused = |why: &str| {
        Failure::new(ExitStatus::NoKey, "The passphrase file cannot be used")
            .on(file.display())
            .why(why)
    };
    let text = read_key_file(file)?.ok_or_else(|| {
        refused("there is no such file")
            .next("name another with --passphrase-file; `-` asks on the terminal")
    })?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.is_empty() {
        return Err(refused("it is empty").next(ONE_LINE));
    }
    if secret.contains(['\n', '\r']) {
        return Err(refused("it holds more than one line").next(ONE_LINE));
    }
    Ok(secret.into())
}

/// The text of a file with a key in it; `None` where there is no such file.
pub fn read_key_file(file: &Path) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(bytes) = read_key_bytes(file)? else {
        return Ok(None);
    };
    let text = std::str::from_utf8(&bytes).map_err(|error| {
        Failure::failed("A key file cannot be read")
            .on(file.display())
            .why(error)
    })?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// The bytes of a file with a key, which need be no text; none where it is not there.
pub fn read_key_bytes(file: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    let refused = |error: io::Error| {
        Failure::failed("A key file cannot be read")
            .on(file.display())
            .why(error)
    };
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refused(error)),
        Ok(about) if about.len() > KEY_BYTES_MAX => {
            return Err(Failure::failed("A key file cannot be used")
                .on(file.display())
                .why("it is larger than 1 MiB"));
        }
        Ok(_) => {}
    }
    let bytes = fs::read(file).map(Zeroizing::new).map_err(refused)?;
    Ok(Some(bytes))
}
