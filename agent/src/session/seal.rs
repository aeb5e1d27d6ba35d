//! Whose signatures and time stamps of exports count: PEM files that the command line and the configuration name, and what
//! this machine itself signs with.

use std::path::{Path, PathBuf};

use restore::seal::{Authority, Certificate, Fault, PublicKey, Trust};

use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::session::keys::read_key_file;

impl Session {
    /// Whose signatures count: of the keys and roots that are named, and of this machine's own signer where it has one.
    pub fn export_trust(&self, keys: &[PathBuf], roots: &[PathBuf]) -> Result<Trust, Failure> {
        let mut trust = Trust::default();
        for file in keys {
            let key = PublicKey::from_pem(text(file)?.as_bytes());
            trust.keys.push(key.map_err(|fault| refused(file, &fault))?);
        }
        for file in roots {
            trust.roots.extend(certificates(file)?);
        }
        match self.export_signer() {
            Ok(None) => {}
            Ok(Some(signer)) => trust.keys.push(signer.key().public().clone()),
            Err(failure) => self.ui.note(&failure.sentence()),
        }
        let own = self.config.export.certificate_file.as_ref();
        if let Some(file) = own.filter(|file| file.exists()) {
            trust.roots.extend(certificates(file)?);
        }
        Ok(trust)
    }

    /// Whose time stamps count.
    pub fn stamp_authority(&self, roots: &[PathBuf]) -> Result<Authority, Failure> {
        let mut authority = Authority::default();
        let own = self.config.export.timestamp_ca_file.iter();
        for file in roots.iter().chain(own) {
            authority.roots.extend(certificates(file)?);
        }
        Ok(authority)
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, Failure> {
    let chain = Certificate::chain_from_pem(text(file)?.as_bytes());
    match chain.map_err(|fault| refused(file, &fault))? {
        chain if chain.is_empty() => Err(Failure::usage("There is no certificate in the file")
            .on(file.display())
            .next("name a PEM file")),
        chain => Ok(chain),
    }
}

fn text(file: &Path) -> Result<zeroize::Zeroizing<String>, Failure> {
    read_key_file(file)?.ok_or_else(|| {
        Failure::new(ExitStatus::NoKey, "A key or certificate is not there").on(file.display())
    })
}

fn refused(file: &Path, fault: &Fault) -> Failure {
    Failure::new(ExitStatus::NoKey, "A key or certificate cannot be used")
        .on(file.display())
        .why(fault)
}
