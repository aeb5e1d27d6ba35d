//! Storage accounts and containers: which of the target's take the place of the source's, and which may be written to.

use std::collections::BTreeSet;

use futures::TryStreamExt;
use serde_json::Value;
use workspace::azure::AzureWorkspace;
use workspace::kind::StoreFields;
use workspace::reference::{Rewriter, StoreName};
use workspace::{Identity, Kind, Workspace};

use crate::Error;
use crate::snapshot::{Source, id_of};

/// The accounts that the target's datastores name, and those of the mapping, in lower case.
pub(super) async fn writable(
    azure: &AzureWorkspace,
    mapped: impl Iterator<Item = String>,
) -> Result<BTreeSet<String>, Error> {
    let mut accounts: BTreeSet<String> = mapped.map(|name| name.to_ascii_lowercase()).collect();
    let Some((kind, fields)) = Kind::find("datastores").and_then(|kind| Some((kind, kind.store?)))
    else {
        return Ok(accounts);
    };
    let mut listed = azure.list(kind);
    while let Some(item) = listed
        .try_next()
        .await
        .map_err(|error| Error::target(kind.name, error))?
    {
        let document = item.document.map(|document| document.value);
        let account = document
            .as_ref()
            .and_then(|value| value.pointer(fields.account)?.as_str());
        accounts.extend(account.map(str::to_ascii_lowercase));
    }
    Ok(accounts)
}

/// Which stores of the target take the place of the source's: the default datastores' by name, and for other datastores
/// on the source's own account a container of the same name on the target's.
pub(super) async fn moves(
    source: &Source,
    azure: &AzureWorkspace,
    rewriter: &Rewriter,
) -> Result<Vec<(StoreName, StoreName)>, Error> {
    let Some(kind) = Kind::find("datastores") else {
        return Ok(Vec::new());
    };
    let Some(fields) = kind.store else {
        return Ok(Vec::new());
    };
    let mut moves = Vec::new();
    let mut lines = source.lines_of_kind(kind.name);
    while let Some(line) = lines.try_next().await? {
        let id = id_of(&line);
        let Some(text) = source.load(&id).await?.and_then(|loaded| loaded.arm) else {
            continue;
        };
        let Some(from) = store_of(&fields, &text.value) else {
            continue;
        };
        if (kind.mapped_by_name)(&id, &text.value).is_some() {
            let target = rewriter.map_item(&id);
            let there = azure
                .get(&target)
                .await
                .map_err(|error| Error::target(target.to_string(), error))?;
            let there = there.and_then(|listed| listed.document);
            if let Some(to) = there.and_then(|document| store_of(&fields, &document.value)) {
                moves.push((true, from, to));
            }
        } else if let Some(to) = own_account(rewriter, &from) {
            moves.push((false, from, to));
        }
    }
    // The last word on a container stays, so a default datastore's comes last.
    moves.sort_by_key(|(is_default, _, _)| *is_default);
    let moves = moves.into_iter().map(|(_, from, to)| (from, to)).collect();
    Ok(moves)
}

fn own_account(rewriter: &Rewriter, from: &StoreName) -> Option<StoreName> {
    let account = |identity: &Identity| match identity {
        Identity::Azure {
            storage_account, ..
        } => Some(storage_account.clone()),
        Identity::Registry { .. } | Identity::Folder(_) => None,
    };
    let own = account(rewriter.source())?;
    own.eq_ignore_ascii_case(&from.account).then_some(())?;
    Some(StoreName {
        account: account(rewriter.target())?,
        container: from.container.clone(),
    })
}

fn store_of(fields: &StoreFields, value: &Value) -> Option<StoreName> {
    let text = |pointer: &str| {
        value
            .pointer(pointer)
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    Some(StoreName {
        account: text(fields.account)?,
        container: fields.containers.iter().find_map(|pointer| text(pointer))?,
    })
}
