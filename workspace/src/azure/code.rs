//! Code assets: a place that the service gives for their bytes, and finding one by the hash of its content.

use azure_core::http::{Context, Method};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::answer::Answer;
use super::arm::item_parts;
use super::connection::{Access, json_request};
use super::locate::decoded;
use super::place::{Place, Store};
use super::traffic::Service;
use super::workspace::AzureWorkspace;
use crate::{Error, ItemId, Kind};

/// The version of the hash that azure-ai-ml 1.35.2 computes over code.
const HASH_VERSION: &str = "202208";

impl AzureWorkspace {
    /// Asks Resource Manager for a place to put the bytes of an item to.
    pub(crate) async fn start_pending_upload(
        &self,
        kind: &'static Kind,
        id: &ItemId,
    ) -> Result<Place, Error> {
        let mut parts = item_parts(kind, id)?;
        parts.push("startPendingUpload".to_owned());
        let body = json!({"pendingUploadType": "TemporaryBlobReference"});
        let answer = loop {
            let version = self.arm().version(kind)?;
            let url = self
                .arm()
                .url(parts.iter().map(String::as_str), &[], version)?;
            let request = json_request(Method::Post, url, &body);
            let sent = self
                .connection()
                .send(Access::Token, Context::new(), request);
            match sent.await {
                Err(error) if self.arm().tries_older(kind, version, &error) => {}
                answer => break answer?,
            }
        };
        self.given_place(&answer)
    }

    /// The place that an answer opens for writing.
    pub(crate) fn given_place(&self, answer: &Answer) -> Result<Place, Error> {
        let document = answer.json()?;
        let signed = document
            .pointer("/blobReferenceForConsumption/credential/sasUri")
            .and_then(Value::as_str)
            .and_then(|uri| Url::parse(uri).ok())
            .ok_or_else(|| answer.unusable("it gives no address to write to"))?;
        self.signed_place(&signed)
            .ok_or_else(|| answer.unusable("its address is no container of this cloud"))
    }

    /// The place that a signed address opens.
    pub(crate) fn signed_place(&self, signed: &Url) -> Option<Place> {
        let (account, service) = self.connection().cloud().storage_host(signed)?;
        let path = decoded(signed.path());
        let (container, path) = match path.trim_matches('/').split_once('/') {
            Some((container, path)) => (container, path),
            None => (path.trim_matches('/'), ""),
        };
        if service != Service::Blob || container.is_empty() {
            return None;
        }
        let mut url = signed.clone();
        url.set_query(None);
        url.set_fragment(None);
        Some(Place {
            store: Store::Blob,
            account,
            container: container.to_owned(),
            path: path.to_owned(),
            datastore: None,
            is_default: false,
            url,
            sas: signed.query().map(SecretString::from),
        })
    }

    /// The code asset of that name whose content has this hash (`hashVersion` 202208), if there is one.
    pub async fn find_code_by_hash(&self, name: &str, hash: &str) -> Result<Option<ItemId>, Error> {
        let kind = Kind::by_name("codes")?;
        let parts = ["codes", name, "versions"];
        let query = [("hash", hash), ("hashVersion", HASH_VERSION)];
        loop {
            let version = self.arm().version(kind)?;
            let url = self.arm().url(parts, &query, version)?;
            let answer = match self.connection().get(url).await {
                Err(error) if self.arm().tries_older(kind, version, &error) => continue,
                Err(Error::NotFound(_)) => return Ok(None),
                answer => answer?,
            };
            let document = answer.json()?;
            let first = document.pointer("/value/0");
            let id = first
                .and_then(|found| found.get("id"))
                .and_then(Value::as_str);
            let found = id.and_then(|id| {
                let (_, rest) = id.rsplit_once("/codes/")?;
                let (name, version) = rest.split_once("/versions/")?;
                Some(ItemId::versioned(kind.name, name, version))
            });
            return match (first, found) {
                (None, _) => Ok(None),
                (Some(_), Some(found)) => Ok(Some(found)),
                (Some(_), None) => Err(answer.unusable("what it found has no id of a version")),
            };
        }
    }
}
