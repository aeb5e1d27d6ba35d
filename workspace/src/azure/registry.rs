//! A registry as a source and a target: what is there otherwise than in a workspace.
//!
//! It has five kinds of assets, its own document, and nothing else: no datastore, no runs, no notebooks. The bytes of a
//! version lie in a container of its own in storage that belongs to the service, where no identity of the customer's is let
//! in: to read them the service is asked for a signature (`datareferences`), to write them for a place
//! (`startPendingUpload`). A PUT is a long operation (`mfe.json`, 2024-04-01).
//!
//! For the build context of an environment Resource Manager gives no place. The registry's own front in the region's data
//! plane does (`tempdatarefs`), which its discovery names; azure-ai-ml 1.35.2 asks there for everything.

use std::sync::Arc;

use azure_core::http::{Context, Method};
use serde_json::{Value, json};
use url::Url;

use super::connection::{Access, json_request};
use super::door::{Door, StoreSecret};
use super::locate::below;
use super::name::Root;
use super::place::Place;
use super::ticket::{self, Ticket};
use super::traffic::Service;
use super::workspace::AzureWorkspace;
use crate::{Content, Error, ItemId, Kind};

/// What stands before `/subscriptions` in addresses of the front.
const FRONT: &str = "mferp/managementfrontend";
/// The api-version that azure-ai-ml 1.35.2 writes there.
const FRONT_VERSION: &str = "api-version=2021-10-01-dataplanepreview";

impl AzureWorkspace {
    /// Whether it is a registry.
    pub fn is_registry(&self) -> bool {
        self.arm().name.root == Root::Registry
    }

    /// Whether it may have items of a kind: a registry has only some, and a workspace has no registries.
    pub fn offers(&self, kind: &Kind) -> bool {
        match self.is_registry() {
            true => kind.registry.is_some(),
            false => kind.registry != Some(InRegistry::Itself),
        }
    }

    /// Whether it has runs: a registry has none, nor has a workspace that is still to be made.
    pub(crate) fn has_runs(&self) -> bool {
        self.is_made() && !self.is_registry()
    }

    /// The place of the bytes of an item, which its document names by this uri. In a registry the service opens it.
    pub async fn locate_of(&self, id: &ItemId, uri: &str) -> Result<Place, Error> {
        if self.is_registry() {
            self.open_asset(id, uri).await?;
        }
        self.locate(uri).await
    }

    /// The place that the service gave for the bytes of an item in an attempt before, where one may still write there. The
    /// signature of a registry's is forgotten, so that only a new place serves.
    pub async fn regain(&self, uri: &str) -> Option<Place> {
        match self.is_registry() {
            true => None,
            false => self.locate(uri).await.ok(),
        }
    }

    /// Asks for a place to put the bytes of an item to, which opens with a signature of its own. Each call gives a new one.
    pub async fn start_upload(&self, id: &ItemId) -> Result<Place, Error> {
        let kind = Kind::by_name(&id.kind)?;
        match self.is_registry() && kind.registry == Some(InRegistry::Front) {
            true => self.ask_front(id).await,
            false => self.start_pending_upload(kind, id).await,
        }
    }

    async fn ask_front(&self, id: &ItemId) -> Result<Place, Error> {
        let version = id.version.as_deref().unwrap_or_default();
        let path = format!(
            "{FRONT}{}/tempdatarefs/{}/versions/{version}",
            self.arm().name.arm_id(),
            id.name
        );
        let mut url = below(self.front().await?, &path)?;
        url.set_query(Some(FRONT_VERSION));
        let body = json!({
            "assetId": self.asset_id(id),
            "temporaryDataReferenceType": "TemporaryBlobReference",
        });
        let request = json_request(Method::Put, url, &body);
        let sent = self
            .connection()
            .send(Access::Token, Context::new(), request);
        self.given_place(&sent.await?)
    }

    async fn front(&self) -> Result<&Url, Error> {
        self.registry_front()
            .get_or_try_init(|| self.find_front())
            .await
    }

    /// Where the registry's front is, by its discovery. Where that names a host to which no token goes, as in the public
    /// cloud (`cert-REGION.experiments.azureml.net` beside `REGION.api.azureml.ms`), the discovery's own host is asked: an
    /// inference, since nothing published says which hosts answer there.
    async fn find_front(&self) -> Result<Url, Error> {
        let discovery = self.history().discovery()?;
        let trust = self.connection().trust();
        trust.admit(discovery, discovery);
        let answer = self.connection().get(discovery.clone()).await?;
        let document = answer.json()?;
        let named = document.get("primaryRegionResourceProviderUri");
        let named = named.and_then(Value::as_str);
        let named = named.and_then(|text| Url::parse(text).ok());
        let mut front = named
            .filter(|url| trust.admit(discovery, url))
            .unwrap_or_else(|| discovery.clone());
        front.set_path("/");
        front.set_query(None);
        front.set_fragment(None);
        Ok(front)
    }

    /// The name of an asset of this registry, as the service takes it.
    fn asset_id(&self, id: &ItemId) -> String {
        let version = id.version.as_deref().unwrap_or_default();
        let registry = &self.arm().name.workspace;
        format!(
            "azureml://registries/{registry}/{}/{}/versions/{version}",
            id.kind, id.name
        )
    }

    /// Gets the signature by which the container of a version is read, for the rest of the run.
    async fn open_asset(&self, id: &ItemId, uri: &str) -> Result<(), Error> {
        let version = id.version.as_deref().unwrap_or_default();
        let kind = Kind::by_name(&id.kind)?;
        let body = json!({"assetId": self.asset_id(id), "blobUri": uri});
        let parts = ["datareferences", &id.name, "versions", version];
        let own = self.connection();
        let (address, answer) = loop {
            let version = self.arm().version(kind)?;
            let address = self.arm().url(parts, &[], version)?;
            match ticket::ask(own, address.clone(), &body).await {
                Err(error) if self.arm().tries_older(kind, version, &error) => {}
                answer => break (address, answer?),
            }
        };
        let Some(signed) = ticket::signed(&answer)? else {
            return Ok(());
        };
        let refused = || answer.unusable("its address is no container of this cloud");
        let (account, service) = own.cloud().storage_host(&signed).ok_or_else(refused)?;
        let container = signed.path_segments().and_then(|mut parts| parts.next());
        let container = container.filter(|name| !name.is_empty() && service == Service::Blob);
        let container = container.ok_or_else(refused)?.to_owned();
        let ticket = Ticket::new(own.clone(), address, body, &signed).ok_or_else(refused)?;
        let way = own.with_door(Door {
            cloud: own.cloud().clone(),
            account: account.clone(),
            secret: StoreSecret::Ticket(Arc::new(ticket)),
            clock: own.clock().clone(),
        });
        self.doors().put(&account, &container, way).await;
        Ok(())
    }
}

/// What a registry knows of a kind that it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InRegistry {
    /// It is the registry.
    Itself,
    /// Its documents, which name no bytes of their own.
    Documents,
    /// Its documents, with the bytes that they name: Resource Manager gives the place.
    Bytes,
    /// The same, and the registry's own front alone gives the place.
    Front,
}

impl Kind {
    /// Whether the bytes of its items go to a place that the service gives for them, in this target.
    pub fn uploads_to_given_place(&self, target: &crate::Identity) -> bool {
        let in_registry = matches!(target, crate::Identity::Registry { .. })
            && matches!(self.registry, Some(InRegistry::Bytes | InRegistry::Front))
            && matches!(self.content, Content::Uri(_));
        in_registry || self.restore == crate::kind::Restore::PendingUpload
    }
}

/// The primary region, as a registry's document names it.
pub(crate) fn region_of(document: &Value) -> String {
    let region = document.get("location").and_then(Value::as_str);
    region.unwrap_or_default().to_owned()
}
