//! Which way each datastore's bytes are reached: by the connection's own identity, or by what the datastore itself says
//! that opens it (`credentialsType`): a key, a signature, an application, or nothing, which means the identity again.

use std::collections::HashMap;

use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;

use super::connection::Connection;
use super::credential::ClientSecret;
use super::datastore::Datastore;
use super::door::{Door, StoreSecret};
use super::place::{Place, Store};
use super::secrets;
use super::settings::DatastoreAccess;
use super::traffic::Service;
use super::workspace::AzureWorkspace;
use crate::{Error, Listed, Secret};

/// The `credentialsType` of a datastore that the caller's own identity opens.
const NO_SECRET: &str = "None";
/// That of one that an account key opens.
const KEY: &str = "AccountKey";

/// The ways that were found, by datastore, and in a registry by account and container. A datastore is asked for its secret
/// once in a run.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<HashMap<String, Connection>>);

impl Doors {
    /// From now on a container is opened by this connection, whatever datastores say.
    pub(crate) async fn put(&self, account: &str, container: &str, way: Connection) {
        let mut ways = self.0.lock().await;
        ways.insert(format!("{account}/{container}"), way);
    }

    async fn of_container(&self, account: &str, container: &str) -> Option<Connection> {
        let ways = self.0.lock().await;
        ways.get(&format!("{account}/{container}")).cloned()
    }
}

impl AzureWorkspace {
    /// The connection that opens a place.
    pub(crate) async fn way_to(&self, place: &Place) -> Result<Connection, Error> {
        if place.sas.is_some() {
            return Ok(self.connection().clone());
        }
        self.way(place.store, &place.account, &place.container)
            .await
    }

    /// The connection that opens an address of a store.
    pub(crate) async fn way_to_url(&self, url: &Url) -> Result<Connection, Error> {
        let container = url.path_segments().and_then(|mut parts| parts.next());
        match (self.connection().cloud().storage_host(url), container) {
            (Some((account, service)), Some(container)) => {
                let store = match service {
                    Service::File => Store::Share,
                    _ => Store::Blob,
                };
                self.way(store, &account, container).await
            }
            _ => Ok(self.connection().clone()),
        }
    }

    async fn way(&self, store: Store, account: &str, container: &str) -> Result<Connection, Error> {
        let own = self.connection();
        if self.is_registry() {
            let way = self.doors().of_container(account, container).await;
            return Ok(way.unwrap_or_else(|| own.clone()));
        }
        if self.options().datastore_access == DatastoreAccess::Entra {
            return Ok(own.clone());
        }
        let stores = self.datastores().await?;
        let document = |datastore: &&Datastore| {
            let mut listed = stores.listed.iter();
            listed.find(|one| one.id.name == datastore.name)
        };
        // Several datastores may lead to one container; one with a secret opens it where the others have none.
        let found = stores
            .all_of(store, account, container)
            .filter_map(|datastore| Some((datastore, document(&datastore)?)))
            .find(|(_, listed)| sort(listed) != NO_SECRET)
            // Code lies in containers that no datastore names; a key opens the whole account. One that a datastore
            // without a secret names is opened as that says: by the identity.
            .or_else(|| {
                let named = stores.all_of(store, account, container).next().is_some();
                let mut of_account = stores.of_account(account).filter(|_| !named);
                of_account.find_map(|datastore| {
                    let listed = document(&datastore)?;
                    (sort(listed) == KEY).then_some((datastore, listed))
                })
            });
        let Some((datastore, listed)) = found else {
            return Ok(own.clone());
        };
        let mut ways = self.doors().0.lock().await;
        if let Some(way) = ways.get(&datastore.name) {
            return Ok(way.clone());
        }
        let way = self.ask_way(datastore, listed).await?;
        ways.insert(datastore.name.clone(), way.clone());
        Ok(way)
    }

    /// Asks a datastore for its secret.
    async fn ask_way(&self, datastore: &Datastore, listed: &Listed) -> Result<Connection, Error> {
        let own = self.connection();
        let text = |name: &str| credentials(listed)?.get(name)?.as_str();
        let sort = sort(listed);
        let secrets = secrets::of(self.arm(), listed).await?;
        let door = |secret| {
            own.with_door(Door {
                cloud: own.cloud().clone(),
                account: datastore.account.clone(),
                secret,
                clock: own.clock().clone(),
            })
        };
        match sort {
            KEY => member(&secrets, "key").map(|key| door(StoreSecret::Key(key.into()))),
            "Sas" => member(&secrets, "sasToken")
                .map(|token| token.trim_start_matches('?').to_owned())
                .map(|token| door(StoreSecret::Signature(token.into()))),
            "ServicePrincipal" => member(&secrets, "clientSecret").and_then(|secret| {
                Some(own.with_application(ClientSecret {
                    tenant_id: text("tenantId")?.to_owned(),
                    client_id: text("clientId")?.to_owned(),
                    secret: secret.into(),
                }))
            }),
            _ => None,
        }
        .ok_or_else(|| Error::Place {
            uri: format!("azureml://datastores/{}", datastore.name),
            reason: format!("its own secret ({sort}) is none that mlark can use"),
        })
    }
}

fn credentials(listed: &Listed) -> Option<&Value> {
    let document = listed.document.as_ref()?;
    document.value.pointer("/properties/credentials")
}

/// The `credentialsType` of a datastore.
fn sort(listed: &Listed) -> &str {
    let sort = credentials(listed).and_then(|of| of.get("credentialsType"));
    sort.and_then(Value::as_str).unwrap_or(NO_SECRET)
}

/// A member of a datastore's secret. Each is the text of a JSON value.
fn member(secrets: &[Secret], name: &str) -> Option<String> {
    let found = secrets
        .iter()
        .find(|secret| secret.pointer.rsplit('/').next() == Some(name))?;
    serde_json::from_str(found.value.expose_secret()).ok()
}
