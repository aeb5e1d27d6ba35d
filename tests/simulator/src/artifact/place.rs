//! Where the artifacts of one container lie, and their addresses.

use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::account::Account;
use crate::blob::Blob;
use crate::clock::{iso, later};
use crate::history::outcome::ARTIFACTS;
use crate::history::scope::Scope;
use crate::reply::Refusal;
use crate::sas;
use crate::state::State;

/// How long a signed address is good.
const ADDRESS_LIFE: Duration = Duration::from_secs(3_600);

/// One container of artifacts: `ExperimentRun/dcid.RUN` or `LocalUpload/ID`.
pub(super) struct Place {
    pub(super) origin: String,
    pub(super) container: String,
    account: String,
}

impl Place {
    /// A container of a workspace. That of a run is there only while the run is.
    pub(super) fn new(
        state: &State,
        scope: &Scope,
        origin: &str,
        container: &str,
    ) -> Result<Self, Refusal> {
        let workspace = scope.workspace(state)?;
        let run = container.strip_prefix("dcid.");
        let known = match origin {
            "ExperimentRun" => run.is_some_and(|run| workspace.history.run(run).is_some()),
            "LocalUpload" => true,
            _ => false,
        };
        if !known {
            return Err(not_found(&format!("{origin}/{container}")));
        }
        Ok(Self {
            origin: origin.to_owned(),
            container: container.to_owned(),
            account: workspace.account.clone(),
        })
    }

    /// The name of the blob of a path.
    pub(super) fn blob_name(&self, path: &str) -> String {
        format!("{}/{}/{path}", self.origin, self.container)
    }

    /// The account that holds the blobs.
    pub(super) fn account<'a>(&self, state: &'a State) -> Result<&'a Account, Refusal> {
        state
            .accounts
            .get(&self.account)
            .ok_or_else(|| not_found(&self.container))
    }

    /// The same, to change it.
    pub(super) fn account_mut<'a>(&self, state: &'a mut State) -> Result<&'a mut Account, Refusal> {
        state
            .accounts
            .get_mut(&self.account)
            .ok_or_else(|| not_found(&self.container))
    }

    /// The blob of a path.
    pub(super) fn blob<'a>(&self, state: &'a State, path: &str) -> Result<&'a Blob, Refusal> {
        let found = self
            .account(state)?
            .blobs
            .blob(ARTIFACTS, &self.blob_name(path));
        found.map_err(|_| not_found(path))
    }

    /// Paths and blobs below a prefix, by name.
    pub(super) fn below<'a>(
        &'a self,
        state: &'a State,
        prefix: &str,
    ) -> Result<Vec<(&'a str, &'a Blob)>, Refusal> {
        let start = self.blob_name("");
        let Ok(container) = self.account(state)?.blobs.container(ARTIFACTS) else {
            return Ok(Vec::new());
        };
        let wanted = format!("{start}{prefix}");
        let named = container
            .blobs
            .range(wanted.clone()..)
            .take_while(|(name, _)| name.starts_with(&wanted))
            .filter_map(|(name, blob)| Some((name.strip_prefix(&start)?, blob)));
        Ok(named.collect())
    }

    /// An artifact as the service describes it.
    pub(super) fn shown(&self, path: &str, blob: &Blob) -> Value {
        let id = self.blob_name(path);
        json!({
            "artifactId": id, "origin": self.origin, "container": self.container, "path": path,
            "etag": format!("\"{}\"", blob.etag), "createdTime": iso(blob.created),
            "dataPath": {"dataStoreName": "workspaceartifactstore", "relativePath": id},
            "tags": {},
        })
    }

    /// An artifact with an address that opens it.
    pub(super) fn information(
        &self,
        state: &State,
        path: &str,
        permissions: &str,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        Ok(json!({
            "contentUri": self.address(state, path, permissions, now)?,
            "origin": self.origin, "container": self.container, "path": path, "tags": {},
        }))
    }

    /// A signed address of a path.
    pub(super) fn address(
        &self,
        state: &State,
        path: &str,
        permissions: &str,
        now: Timestamp,
    ) -> Result<String, Refusal> {
        let account = self.account(state)?;
        let name = self.blob_name(path);
        let query = sas::issue_blob(
            account,
            ARTIFACTS,
            &name,
            permissions,
            later(now, ADDRESS_LIFE),
        );
        let encoded: Vec<String> = name
            .split('/')
            .map(|part| {
                let part: String = url::form_urlencoded::byte_serialize(part.as_bytes()).collect();
                part.replace('+', "%20")
            })
            .collect();
        Ok(format!(
            "{}/{ARTIFACTS}/{}?{query}",
            state.cloud.blob_url(&account.name),
            encoded.join("/")
        ))
    }
}

/// The refusal of an artifact that is not there.
pub(super) fn not_found(path: &str) -> Refusal {
    Refusal::history(
        StatusCode::NOT_FOUND,
        "UserError",
        format!("Artifact not found: {path}"),
    )
}
