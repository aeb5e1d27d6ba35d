//! A workspace that is still to be made: what is known of it beforehand, and making it.
//!
//! A plan is made before the workspace is, so it needs a target that has what every new workspace has (the four
//! datastores of the service) and nothing else. Nothing is asked of one that was not made, but whether it is there.

use azure_core::http::{Context, Method};
use serde_json::{Value, json};

use super::arm::{self, Arm, WORKSPACE_VERSIONS, unknown_version};
use super::connection::{Access, Connection, json_request};
use super::datastore::{ARTIFACT_STORE, NOTEBOOK_STORE};
use super::name::WorkspaceName;
use super::put::is_under_way;
use super::settings::ReadOptions;
use super::workspace::AzureWorkspace;
use crate::{Document, Error, ItemId, Kind, Listed};

/// Stands for the id of a workspace that no service has given one so far.
const NO_GUID: &str = "00000000-0000-0000-0000-000000000000";
/// What the service calls a workspace that is deleted and can be recovered.
const SOFTLY: [&str; 3] = ["soft-deleted", "soft deleted", "softdelete"];

impl AzureWorkspace {
    /// A workspace as it will be once it is made of this body. Nothing is sent.
    pub fn to_be_made(
        connection: &Connection,
        name: &WorkspaceName,
        body: &Value,
        options: ReadOptions,
    ) -> Result<Self, Error> {
        let arm = Arm::new(connection.clone(), name.clone());
        let mut value = body.clone();
        for (pointer, text) in [
            ("/id", name.arm_id()),
            ("/name", name.workspace.clone()),
            ("/properties/workspaceId", NO_GUID.to_owned()),
        ] {
            let (above, member) = pointer.rsplit_once('/').unwrap_or_default();
            if let Some(members) = value.pointer_mut(above).and_then(Value::as_object_mut) {
                members.insert(member.to_owned(), Value::String(text));
            }
        }
        let version = WORKSPACE_VERSIONS.first().copied().unwrap_or_default();
        let document = arm.wrap(value, version);
        let stores = first_datastores(&arm, &document)?;
        Self::unmade(arm, document, options, stores)
    }

    /// Makes the workspace of the body, and waits until it is there. [`Error::Conflict`]: one of this name is there, or was
    /// deleted softly ([`is_softly_deleted`]).
    pub async fn make(&self, body: &Value) -> Result<(), Error> {
        for version in WORKSPACE_VERSIONS {
            let url = self.arm().url([], &[], version)?;
            let request = json_request(Method::Put, url.clone(), body);
            let sent = self
                .connection()
                .send(Access::Token, Context::new(), request);
            let answer = match sent.await {
                Err(error) if unknown_version(&error) => continue,
                sent => sent?,
            };
            self.follow(&url, &answer).await?;
            if is_under_way(&self.shown(&url, &answer.act).await?) {
                self.poll_resource(&url, &answer).await?;
            }
            return Ok(());
        }
        Err(Error::Unsupported {
            what: "making a workspace with any known api-version".to_owned(),
        })
    }

    /// A resource of Resource Manager by its id, whatever service has it; `None` where it is not there.
    pub async fn resource(
        connection: &Connection,
        id: &str,
        api_version: &str,
    ) -> Result<Option<Value>, Error> {
        let parts = id.trim_start_matches('/').split('/');
        let url = arm::url(connection, parts, &[], api_version)?;
        match connection.get(url).await {
            Ok(answer) => answer.json().map(Some),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Whether an error says that a workspace of the name was deleted and can be recovered.
pub fn is_softly_deleted(error: &Error) -> bool {
    let Error::Conflict(refusal) = error else {
        return false;
    };
    let said = format!("{} {}", refusal.code, refusal.message).to_ascii_lowercase();
    SOFTLY.iter().any(|words| said.contains(words))
}

/// The datastores that the service makes with every workspace (their names are the service's; of the containers only what a
/// new one will be called is not known yet).
fn first_datastores(arm: &Arm, document: &Document) -> Result<Vec<Listed>, Error> {
    let kind = Kind::by_name("datastores")?;
    let account = document.value.pointer("/properties/storageAccount");
    let account = account.and_then(Value::as_str).unwrap_or_default();
    let account = account.rsplit('/').next().unwrap_or_default();
    let version = arm.version(kind)?;
    let stores = [
        (
            "workspaceblobstore",
            "AzureBlob",
            "containerName",
            format!("azureml-blobstore-{NO_GUID}"),
        ),
        (
            ARTIFACT_STORE,
            "AzureBlob",
            "containerName",
            "azureml".to_owned(),
        ),
        (
            NOTEBOOK_STORE,
            "AzureFile",
            "fileShareName",
            format!("code-{NO_GUID}"),
        ),
        (
            "workspacefilestore",
            "AzureFile",
            "fileShareName",
            format!("azureml-filestore-{NO_GUID}"),
        ),
    ];
    let listed = stores.map(|(name, sort, member, store)| {
        let mut value = json!({"name": name, "properties": {
            "datastoreType": sort, "accountName": account, "isDefault": name == "workspaceblobstore",
            "credentials": {"credentialsType": "None"},
        }});
        value["properties"][member] = Value::String(store);
        Listed {
            id: ItemId::new(kind.name, name),
            document: Some(arm.wrap(value, version)),
            file: None,
        }
    });
    Ok(listed.into())
}
