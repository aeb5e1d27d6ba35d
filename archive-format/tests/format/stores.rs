//! Every store that a repository can lie in, new and empty: a local folder, memory, and Azure where an Azurite runs.
//!
//! Azurite is started by `tests/stores/with_azurite.mjs`, which names it in `MLARK_AZURITE`. Without that the tests of the
//! other stores run alone, and say so.

use std::path::Path;
use std::sync::Arc;

use archive_format::storage::object::guard::Guarded;
use archive_format::storage::object::{Completion, ObjectOptions};
use archive_format::{LocalStorage, SnapshotId, Storage, StreamingStorage};
use object_store::azure::MicrosoftAzureBuilder;
use object_store::client::ReqwestConnector;
use object_store::memory::InMemory;
use object_store::{ClientOptions, ObjectStore, RetryConfig};

use crate::world::{Tested, now};

/// A kind of store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Local,
    Memory,
    Azurite,
}

impl Backend {
    /// The stores that are at hand: all, but for Azurite where none runs.
    pub(crate) fn at_hand() -> Vec<Self> {
        let mut all = vec![Self::Local, Self::Memory];
        if azurite().is_some() {
            all.push(Self::Azurite);
        }
        all
    }

    /// A new, empty store; a local one lies in `folder`.
    pub(crate) fn store(self, folder: &Path) -> Tested<Arc<dyn Storage>> {
        let storage: Arc<dyn Storage> = self.streaming(folder)?;
        Ok(storage)
    }

    /// The same as a store that takes streams.
    pub(crate) fn streaming(self, folder: &Path) -> Tested<Arc<dyn StreamingStorage>> {
        Ok(match self {
            Self::Local => Arc::new(LocalStorage::new(folder.join("repository"))),
            Self::Memory => Arc::new(object(Arc::new(InMemory::new()), "", None)?),
            Self::Azurite => {
                let address = azurite().ok_or("MLARK_AZURITE names no Azurite")?;
                let prefix = SnapshotId::new(now())?.to_string();
                Arc::new(object(
                    azurite_container(&address, "mlark")?,
                    &prefix,
                    None,
                )?)
            }
        })
    }
}

/// The blob service's address with its signature, where an Azurite runs.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "the one place where these tests learn of an Azurite, and say that there is none"
)]
pub(crate) fn azurite() -> Option<String> {
    let address = std::env::var("MLARK_AZURITE").ok();
    if address.is_none() {
        eprintln!("skipped for Azurite: MLARK_AZURITE names none (bash tests/run.sh stores)");
    }
    address
}

/// A container of it.
pub(crate) fn azurite_container(address: &str, container: &str) -> Tested<Arc<dyn ObjectStore>> {
    let (service, signature) = address.split_once('?').ok_or("it has no signature")?;
    let account = service.rsplit('/').next().ok_or("it names no account")?;
    let store = MicrosoftAzureBuilder::new()
        .with_account(account)
        .with_container_name(container)
        .with_endpoint(service.to_owned())
        .with_sas_authorization(object_store::azure::split_sas(signature)?)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_retry(RetryConfig {
            max_retries: 0,
            ..RetryConfig::default()
        })
        .with_http_connector(Guarded(ReqwestConnector::default()))
        .build()?;
    Ok(Arc::new(store))
}

/// A storage at a prefix of a store.
pub(crate) fn object(
    store: Arc<dyn ObjectStore>,
    prefix: &str,
    data_class: Option<&str>,
) -> Tested<archive_format::storage::ObjectStorage> {
    let overwrites = store.to_string().contains("Memory");
    let options = ObjectOptions {
        place: format!("test://{prefix}"),
        prefix: prefix.to_owned(),
        data_class: data_class.map(str::to_owned),
        completion: if overwrites {
            Completion::Overwrites
        } else {
            Completion::CreateOnly
        },
    };
    Ok(archive_format::storage::ObjectStorage::new(store, options)?)
}
