//! Which hosts get a token, and which one. Any other host gets none, whatever a document or a header names.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use url::Url;

use super::cloud::{Cloud, host_of};
use super::traffic::Service;

/// The hosts that a token may go to.
#[derive(Debug)]
pub(crate) struct Trust {
    cloud: Cloud,
    data: RwLock<BTreeSet<String>>,
}

impl Trust {
    pub(crate) fn new(cloud: Cloud) -> Self {
        Self {
            cloud,
            data: RwLock::default(),
        }
    }

    /// The audience of the token that an address gets, and the service that is there.
    pub(crate) fn audience(&self, url: &Url) -> Option<&str> {
        if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
            return None;
        }
        let host = host_of(url);
        if host == host_of(&self.cloud.resource_manager) {
            return Some(&self.cloud.arm_audience);
        }
        if self.cloud.storage_host(url).is_some() {
            return Some(&self.cloud.storage_audience);
        }
        let data = self.data.read().unwrap_or_else(PoisonError::into_inner);
        data.contains(&host).then_some(&*self.cloud.data_audience)
    }

    /// Takes in the data-plane hosts that a workspace's discovery names: those below the parent domain of the address
    /// that ARM gave for it, at the same port.
    pub(crate) fn admit(&self, discovery: &Url, named: &Url) -> bool {
        if named.scheme() != "https" || !below_parent(discovery, named) {
            return false;
        }
        let mut data = self.data.write().unwrap_or_else(PoisonError::into_inner);
        data.insert(host_of(named));
        true
    }

    /// The service that a trusted address belongs to.
    pub(crate) fn service(&self, url: &Url) -> Service {
        match self.cloud.storage_host(url) {
            Some((_, service)) => service,
            None if host_of(url) == host_of(&self.cloud.resource_manager) => Service::Arm,
            None => Service::Data,
        }
    }
}

fn below_parent(discovery: &Url, named: &Url) -> bool {
    let (Some(from), Some(to)) = (discovery.domain(), named.domain()) else {
        return false;
    };
    if discovery.port_or_known_default() != named.port_or_known_default() {
        return false;
    }
    if from == to {
        return true;
    }
    match from.split_once('.') {
        Some((_, parent)) if parent.contains('.') => to
            .strip_suffix(parent)
            .is_some_and(|label| label.len() > 1 && label.ends_with('.')),
        _ => false,
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn trust() -> Trust {
        Trust::new(Cloud {
            name: "x".into(),
            resource_manager: url("https://management.x.localhost:8443/"),
            login: url("https://login.x.localhost:8443/"),
            storage_suffix: "core.x.localhost:8443".into(),
            arm_audience: "arm".into(),
            storage_audience: "storage".into(),
            data_audience: "data".into(),
        })
    }

    #[test]
    fn tokens_go_to_trusted_hosts_alone() {
        let trust = trust();
        let discovery = url("https://eu.api.x.localhost:8443/discovery");
        assert!(trust.admit(&discovery, &url("https://eu2.api.x.localhost:8443/")));
        for (address, audience) in [
            (
                "https://management.x.localhost:8443/subscriptions",
                Some("arm"),
            ),
            ("https://acct.blob.core.x.localhost:8443/c", Some("storage")),
            ("https://acct.file.core.x.localhost:8443/c", Some("storage")),
            ("https://acct.dfs.core.x.localhost:8443/c", Some("storage")),
            ("https://eu2.api.x.localhost:8443/history", Some("data")),
            ("https://eu.api.x.localhost:8443/history", None),
            ("http://management.x.localhost:8443/", None),
            ("https://management.x.localhost/", None),
            ("https://u@management.x.localhost:8443/", None),
            ("https://acct.queue.core.x.localhost:8443/", None),
            ("https://acct.blob.core.x.localhost:8443.evil.com/", None),
            ("https://a.b.blob.core.x.localhost:8443/", None),
            ("https://login.x.localhost:8443/", None),
        ] {
            let Ok(address) = Url::parse(address) else {
                continue;
            };
            assert_eq!(trust.audience(&address), audience, "{address}");
        }
    }

    #[test]
    fn discovery_admits_hosts_of_its_own_domain_alone() {
        let trust = trust();
        let discovery = url("https://eu.api.azureml.ms/discovery");
        assert!(trust.admit(&discovery, &url("https://eu.api.azureml.ms")));
        for named in [
            "https://evil.com",
            "https://azureml.ms",
            "https://api.azureml.ms",
            "https://evilapi.azureml.ms",
            "https://eu.api.azureml.ms:444",
            "http://eu.api.azureml.ms",
        ] {
            assert!(!trust.admit(&discovery, &url(named)), "{named}");
        }
        let flat = url("https://example.com/discovery");
        assert!(!trust.admit(&flat, &url("https://other.com/")));
    }
}
