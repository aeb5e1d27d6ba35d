//! Storage accounts that workspaces use themselves. Write-once retention there breaks Azure Machine Learning: its logs are
//! append blobs and files that are written again, which an immutable container refuses (Microsoft's page "Immutable storage
//! for Azure Machine Learning": not supported on the default storage account). So no export goes there, and nothing is locked.

use std::collections::BTreeMap;

use archive_format::SnapshotReader;
use futures::TryStreamExt;
use serde_json::Value;
use workspace::azure::{AzureWorkspace, Connection, ReadOptions, Root};

use crate::azure;
use crate::config;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::store::Address;

/// Accounts by name, each with the workspace that uses it.
pub type Accounts = BTreeMap<String, String>;

/// Refuses an address in one of these accounts.
pub fn refuse(address: &Address, accounts: &Accounts) -> Result<(), Failure> {
    let Address::Azure { account, .. } = address else {
        return Ok(());
    };
    match accounts.get(account) {
        None => Ok(()),
        Some(workspace) => Err(Failure::usage(
            "An export is never kept in the storage account of a workspace",
        )
        .on(address)
        .why(format!(
            "it is the account of {workspace}, and write-once retention breaks Azure ML's logging there"
        ))
        .next("name a destination in an account of its own")),
    }
}

/// Refuses an address in the account of a workspace of the configuration, or of the snapshot's own. Asks nobody where the
/// address is none of Azure's.
pub async fn refuse_for(
    session: &Session,
    reader: &SnapshotReader,
    address: &Address,
) -> Result<(), Failure> {
    if !matches!(address, Address::Azure { .. }) {
        return Ok(());
    }
    let mut accounts = of_configuration(session).await;
    accounts.extend(of_snapshot(reader).await);
    refuse(address, &accounts)
}

/// The accounts of the configuration's workspaces and targets, as far as they answer. One that does not is said.
pub async fn of_configuration(session: &Session) -> Accounts {
    let mut accounts = Accounts::new();
    let workspaces = session.config.workspace.iter();
    let targets = session.config.target.iter();
    let all = workspaces
        .map(|it| (&it.name, &it.url, &it.azure))
        .chain(targets.map(|it| (&it.name, &it.url, &it.azure)));
    for (name, url, azure) in all {
        match account_of(session, url, azure).await {
            Ok(Some(account)) => {
                accounts.insert(account, format!("the workspace {name}"));
            }
            Ok(None) => {}
            Err(failure) => session.ui.detail(&format!(
                "{name} does not say which storage account it uses: {}",
                failure.sentence()
            )),
        }
    }
    accounts
}

async fn account_of(
    session: &Session,
    url: &str,
    azure: &config::Azure,
) -> Result<Option<String>, Failure> {
    let Place::Azure(name) = Place::parse(url)? else {
        return Ok(None);
    };
    if name.is_pattern() || name.root == Root::Registry {
        return Ok(None);
    }
    let settings = azure::settings(&azure.over(&session.config.azure), &session.context, None)?;
    let opened = async {
        let connection = Connection::open(settings).await?;
        AzureWorkspace::open(&connection, &name, ReadOptions::default()).await
    };
    let opened = opened
        .await
        .map_err(|error| Failure::of_workspace(&error))?;
    Ok(named_in(&opened.document().value))
}

/// The accounts that a snapshot's own workspace used: that of its document, and those of its datastores. Documents that no
/// key at hand opens are left out: the configuration's word is there besides.
pub async fn of_snapshot(reader: &SnapshotReader) -> Accounts {
    let mut accounts = Accounts::new();
    if reader.repository().contents_lack().is_some() {
        return accounts;
    }
    let workspace = format!(
        "the workspace {} of the snapshot",
        reader.record().workspace
    );
    for kind in ["workspaces", "datastores"] {
        let mut lines = reader.lines_of_kind(kind);
        while let Ok(Some(line)) = lines.try_next().await {
            for entry in line.documents.iter().filter(|entry| entry.form == "arm") {
                let Ok(document) = reader.document(entry).await else {
                    continue;
                };
                let account = named_in(&document).or_else(|| {
                    let name = document.pointer("/properties/accountName")?;
                    Some(name.as_str()?.to_owned())
                });
                if let Some(account) = account {
                    accounts.insert(account, workspace.clone());
                }
            }
        }
    }
    accounts
}

/// The account that a workspace's document names by its ARM id.
fn named_in(document: &Value) -> Option<String> {
    let id = document.pointer("/properties/storageAccount")?.as_str()?;
    let name = id.trim_end_matches('/').rsplit('/').next()?;
    Some(name.to_ascii_lowercase())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_account_of_a_workspace_is_refused_with_the_reason() {
        let id =
            "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/STprod";
        let account = named_in(&json!({"properties": {"storageAccount": id}})).unwrap();
        let accounts = Accounts::from([(account, "the workspace prod".to_owned())]);
        let own = Address::parse("az://stprod/exports/a").unwrap();
        let refused = refuse(&own, &accounts).unwrap_err();
        assert!(
            refused.sentence().contains("breaks Azure ML's logging"),
            "{refused:?}"
        );
        for other in ["az://stcold/exports", "/mnt/audit", "s3://stprod/x"] {
            refuse(&Address::parse(other).unwrap(), &accounts).unwrap();
        }
    }
}
