//! The datastores of a workspace: listed once, kept for the run, asked for accounts and containers.
//!
//! Names of containers and shares are read here and never computed: the guid in `code-{guid}` is no workspace's id.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use tokio::sync::Mutex;

use super::arm::Arm;
use super::listing;
use super::place::Store;
use crate::{Error, Kind, Listed};

/// The datastore that holds artifacts of runs.
pub(crate) const ARTIFACT_STORE: &str = "workspaceartifactstore";
/// The datastore that is the file share of notebooks.
pub(crate) const NOTEBOOK_STORE: &str = "workspaceworkingdirectory";

/// A datastore as far as its bytes are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Datastore {
    pub(crate) name: String,
    pub(crate) is_default: bool,
    pub(crate) store: Store,
    pub(crate) account: String,
    pub(crate) container: String,
}

impl Datastore {
    /// Reads a document; `None` for types that lead to no storage account (OneLake, Gen1, HDFS).
    fn read(name: &str, document: &Value) -> Option<Self> {
        let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
        let (store, container) = match text("/properties/datastoreType")? {
            "AzureBlob" => (Store::Blob, text("/properties/containerName")?),
            "AzureDataLakeGen2" => (Store::Blob, text("/properties/filesystem")?),
            "AzureFile" => (Store::Share, text("/properties/fileShareName")?),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            is_default: document
                .pointer("/properties/isDefault")
                .and_then(Value::as_bool)
                .unwrap_or_default(),
            store,
            account: text("/properties/accountName")?.to_owned(),
            container: container.to_owned(),
        })
    }
}

/// All of a workspace's datastores.
#[derive(Debug)]
pub(crate) struct Datastores {
    pub(crate) listed: Vec<Listed>,
    stores: Vec<Datastore>,
}

impl Datastores {
    fn read(listed: Vec<Listed>) -> Self {
        let stores = listed
            .iter()
            .filter_map(|one| Datastore::read(&one.id.name, &one.document.as_ref()?.value))
            .collect();
        Self { listed, stores }
    }

    /// The one of that name. Letter case does not matter, as in the service.
    pub(crate) fn named(&self, name: &str) -> Result<&Datastore, Error> {
        self.stores
            .iter()
            .find(|store| store.name.eq_ignore_ascii_case(name))
            .ok_or_else(|| Error::Place {
                uri: format!("azureml://datastores/{name}"),
                reason: "the workspace has no such datastore on a storage account".to_owned(),
            })
    }

    /// The default one.
    pub(crate) fn default(&self) -> Result<&Datastore, Error> {
        self.stores
            .iter()
            .find(|store| store.is_default)
            .map_or_else(|| self.named("workspaceblobstore"), Ok)
    }

    /// The one that names an account and container; the default one first.
    pub(crate) fn of(&self, store: Store, account: &str, container: &str) -> Option<&Datastore> {
        self.all_of(store, account, container)
            .max_by_key(|one| one.is_default)
    }

    /// All that name an account and container.
    pub(crate) fn all_of(
        &self,
        store: Store,
        account: &str,
        container: &str,
    ) -> impl Iterator<Item = &Datastore> {
        self.stores.iter().filter(move |one| {
            one.store == store && one.account == account && one.container == container
        })
    }

    /// All that name an account.
    pub(crate) fn of_account(&self, account: &str) -> impl Iterator<Item = &Datastore> {
        self.stores.iter().filter(move |one| one.account == account)
    }

    /// Whether any datastore names the account.
    pub(crate) fn names_account(&self, account: &str) -> bool {
        self.stores.iter().any(|store| store.account == account)
    }
}

/// Holds the datastores once they were listed.
#[derive(Debug, Default)]
pub(crate) struct DatastoreCache(Mutex<Option<Arc<Datastores>>>);

impl DatastoreCache {
    /// Holds these.
    pub(crate) fn holding(listed: Vec<Listed>) -> Self {
        Self(Mutex::new(Some(Arc::new(Datastores::read(listed)))))
    }

    /// The datastores, listed now if they were not.
    pub(crate) async fn get(&self, arm: &Arm) -> Result<Arc<Datastores>, Error> {
        let mut held = self.0.lock().await;
        if let Some(stores) = &*held {
            return Ok(stores.clone());
        }
        let kind = Kind::find("datastores").ok_or_else(|| Error::Unsupported {
            what: "listing datastores".to_owned(),
        })?;
        let listed: Vec<Listed> = listing::collection(arm, kind).boxed().try_collect().await?;
        let stores = Arc::new(Datastores::read(listed));
        *held = Some(stores.clone());
        Ok(stores)
    }

    /// Forgets them, since one was written.
    pub(crate) async fn clear(&self) {
        *self.0.lock().await = None;
    }
}
