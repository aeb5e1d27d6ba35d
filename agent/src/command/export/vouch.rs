//! Whose signatures and time stamps of an export count, and the key file that opens it where its repository is not at hand, as a
//! command is told.

use std::path::PathBuf;

use archive_format::{ExportId, Identity, open_export_key};
use restore::seal::{Authority, Trust};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::keys::read_key_bytes;

/// Options.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Vouch {
    /// PEM file with a public key whose signature of an export counts (repeatable)
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    /// PEM file with certificates that the signer's of an export has to lead to (repeatable)
    #[arg(long, value_name = "FILE")]
    ca: Vec<PathBuf>,
    /// PEM file with certificates that a time-stamp authority's has to lead to (repeatable)
    #[arg(long, value_name = "FILE")]
    timestamp_ca: Vec<PathBuf>,
    /// The export's own key file, keys/export-ID.age of its repository, which the identity opens without that repository
    #[arg(long, value_name = "FILE")]
    export_key: Option<PathBuf>,
}

impl Vouch {
    /// Whose signatures count.
    pub fn trust(&self, session: &Session) -> Result<Trust, Failure> {
        session.export_trust(&self.key, &self.ca)
    }

    /// Whose time stamps count.
    pub fn authority(&self, session: &Session) -> Result<Authority, Failure> {
        session.stamp_authority(&self.timestamp_ca)
    }

    /// Whether somebody is named who has to have signed.
    pub fn names_a_signer(&self) -> bool {
        !self.key.is_empty() || !self.ca.is_empty()
    }

    /// What may open an export without its repository: the identities, and the key of the key file that one of them opens.
    pub async fn identities(
        &self,
        session: &Session,
        export: ExportId,
    ) -> Result<Vec<Identity>, Failure> {
        let mut identities = session.identities().await?;
        if let Some(file) = &self.export_key {
            let stored = read_key_bytes(file)?.ok_or_else(|| {
                Failure::new(ExitStatus::NoKey, "The export's key file is not there")
                    .on(file.display())
            })?;
            let stored = stored.to_vec().into();
            let pair = open_export_key(export, stored, identities.clone()).await;
            let pair = pair.map_err(|error| {
                Failure::of_archive(&error).with_place(&file.display().to_string())
            })?;
            identities.push(pair.into());
        }
        Ok(identities)
    }

    /// What was said, as it is typed.
    pub fn options(&self) -> Vec<(&'static str, String)> {
        let named = |option: &'static str, files: &[PathBuf]| {
            let files = files
                .iter()
                .map(|file| (option, file.display().to_string()));
            files.collect::<Vec<_>>()
        };
        let mut options = named("--key", &self.key);
        options.extend(named("--ca", &self.ca));
        options.extend(named("--timestamp-ca", &self.timestamp_ca));
        options.extend(named("--export-key", self.export_key.as_slice()));
        options
    }
}
