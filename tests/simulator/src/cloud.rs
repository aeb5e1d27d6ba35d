//! The names of this cloud: every host below one suffix, every URL that an answer contains.
//!
//! Azure itself is a set of host names; here they all end in one suffix (`sim.localhost`), and a port is part of each URL
//! where the simulator listens on one. In-process there is none and URLs look like Azure's own.

use std::fmt::Display;

/// Host names and URLs of the simulated cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cloud {
    suffix: String,
    port: Option<u16>,
}

impl Cloud {
    /// A cloud below `suffix` (no leading dot); `port` is written in every URL, `None` means 443.
    pub fn new(suffix: impl Into<String>, port: Option<u16>) -> Self {
        Self {
            suffix: suffix.into().to_ascii_lowercase(),
            port,
        }
    }

    /// The suffix that all hosts end in, without port.
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// The port that URLs name, if any.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    fn authority(&self, label: impl Display) -> String {
        match self.port {
            Some(port) => format!("{label}.{}:{port}", self.suffix),
            None => format!("{label}.{}", self.suffix),
        }
    }

    /// `https://management.SUFFIX`, without a trailing slash: resource manager and its audience.
    pub fn arm_url(&self) -> String {
        format!("https://{}", self.authority("management"))
    }

    /// `https://login.SUFFIX`: the authority that gives tokens.
    pub fn login_url(&self) -> String {
        format!("https://{}", self.authority("login"))
    }

    /// `https://portal.SUFFIX`: named in the cloud's metadata, served by nobody.
    pub fn portal_url(&self) -> String {
        format!("https://{}", self.authority("portal"))
    }

    /// `https://control.SUFFIX`: what tests talk to.
    pub fn control_url(&self) -> String {
        format!("https://{}", self.authority("control"))
    }

    /// `core.SUFFIX[:PORT]`: `suffixes.storage` of the metadata document. It begins with `core.`, since the official storage
    /// client finds no account name otherwise (seen from azure-storage-blob 12.31.1).
    pub fn storage_suffix(&self) -> String {
        self.authority("core")
    }

    /// `https://ACCOUNT.blob.core.SUFFIX`.
    pub fn blob_url(&self, account: &str) -> String {
        format!("https://{account}.blob.{}", self.storage_suffix())
    }

    /// `https://ACCOUNT.file.core.SUFFIX`.
    pub fn file_url(&self, account: &str) -> String {
        format!("https://{account}.file.{}", self.storage_suffix())
    }

    /// `https://ACCOUNT.dfs.core.SUFFIX`: the same containers, as file systems.
    pub fn dfs_url(&self, account: &str) -> String {
        format!("https://{account}.dfs.{}", self.storage_suffix())
    }

    /// `REGION.api.SUFFIX[:PORT]`: host of the data plane of a region.
    pub fn data_host(&self, region: &str) -> String {
        self.authority(format_args!("{region}.api"))
    }

    /// `https://REGION.api.SUFFIX`: run history, metrics, artifacts, MLflow of a region.
    pub fn data_url(&self, region: &str) -> String {
        format!("https://{}", self.data_host(region))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_is_written_in_every_url_or_in_none() {
        let with = Cloud::new("Sim.localhost", Some(8443));
        assert_eq!(with.storage_suffix(), "core.sim.localhost:8443");
        assert_eq!(
            with.data_url("westeurope"),
            "https://westeurope.api.sim.localhost:8443"
        );
        let without = Cloud::new("sim.localhost", None);
        assert_eq!(
            without.blob_url("acct"),
            "https://acct.blob.core.sim.localhost"
        );
        assert_eq!(without.arm_url(), "https://management.sim.localhost");
    }
}
