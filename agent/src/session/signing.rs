//! The key that signs exports: a file, or a systemd credential, which goes before it.

use std::path::PathBuf;

use restore::seal::{Certificate, Signer, SigningKey};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::keys::read_key_file;

/// The systemd credential.
const CREDENTIAL: &str = "mlark.export-key";

impl Session {
    /// Who signs exports; none where no key is named.
    pub fn export_signer(&self) -> Result<Option<Signer>, Failure> {
        let Some(file) = self.export_key_file() else {
            return match &self.config.export.certificate_file {
                None => Ok(None),
                Some(file) => Err(
                    Failure::usage("There is a certificate and no key that signs")
                        .on(file.display())
                        .next("name the key with `signing_key_file` under [export]"),
                ),
            };
        };
        let refused = |file: &PathBuf| {
            Failure::new(
                ExitStatus::NoKey,
                "The key that signs exports cannot be used",
            )
            .on(file.display())
        };
        let read = |file: &PathBuf| {
            read_key_file(file)?.ok_or_else(|| refused(file).why("there is no such file"))
        };
        let key = SigningKey::from_pem(read(&file)?.as_bytes());
        let key = key.map_err(|error| refused(&file).because(&error))?;
        let chain = match &self.config.export.certificate_file {
            Some(file) => Certificate::chain_from_pem(read(file)?.as_bytes())
                .map_err(|error| refused(file).because(&error))?,
            None => Vec::new(),
        };
        let signer = Signer::new(key, chain);
        signer
            .map(Some)
            .map_err(|error| refused(&file).because(&error))
    }

    fn export_key_file(&self) -> Option<PathBuf> {
        let credential = self.context.environment.path("CREDENTIALS_DIRECTORY");
        let credential = credential.map(|folder| folder.join(CREDENTIAL));
        credential
            .filter(|file| file.exists())
            .or_else(|| self.config.export.signing_key_file.clone())
    }
}
