//! Which actions a call needs, by the service's own table of routes and methods, and what a role grants.
//!
//! From Microsoft's pages "Azure permissions for AI + machine learning", "Authorize access to blobs with Microsoft Entra ID"
//! and "Authorize access to Azure file shares over REST" (a token with the intent `backup` needs the privilege and the
//! action). Polling an operation needs none: the built-in role AzureML Compute Operator has no action for it, and its
//! holders make computes.

use http::Method;

use crate::PROVIDER;
use crate::arm::beside;
use crate::call::{Call, Service};

/// Actions and data actions, each whole or with a `*`, as a role definition lists them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// `Actions`.
    pub actions: Vec<String>,
    /// `DataActions`.
    pub data_actions: Vec<String>,
}

impl Grant {
    /// Whether it covers an action, in the list where such an action counts.
    pub(crate) fn covers(&self, action: &str) -> bool {
        let list = if is_data(action) {
            &self.data_actions
        } else {
            &self.actions
        };
        list.iter().any(|granted| fits(granted, action))
    }
}

/// Whether an action counts among `DataActions`.
fn is_data(action: &str) -> bool {
    let lower = action.to_ascii_lowercase();
    lower.starts_with("microsoft.storage/")
        && ["/blobs/", "/fileshares/files/", "filebackupsemantics/"]
            .iter()
            .any(|part| lower.contains(part))
}

fn fits(granted: &str, action: &str) -> bool {
    let (granted, action) = (granted.to_ascii_lowercase(), action.to_ascii_lowercase());
    match granted.split_once('*') {
        Some((head, tail)) => {
            action.len() >= head.len() + tail.len()
                && action.starts_with(head)
                && action.ends_with(tail)
        }
        None => granted == action,
    }
}

const BLOB_READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read";
const BLOB_WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/write";
const BLOB_DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/delete";
const VERSION_DELETE: &str =
    "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/deleteBlobVersion/action";
const KEEP: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/immutableStorage/runAsSuperUser/action";
const CONTAINER_READ: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/read";
const CONTAINER_WRITE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/write";
const CONTAINER_DELETE: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/delete";
const FILE_READ: &str = "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/read";
const FILE_WRITE: &str = "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/write";
const FILE_DELETE: &str = "Microsoft.Storage/storageAccounts/fileServices/fileshares/files/delete";
const READ_PRIVILEGE: &str =
    "Microsoft.Storage/storageAccounts/fileServices/readFileBackupSemantics/action";
const WRITE_PRIVILEGE: &str =
    "Microsoft.Storage/storageAccounts/fileServices/writeFileBackupSemantics/action";

const SHARE_READ: &str = "Microsoft.Storage/storageAccounts/fileServices/shares/read";
const SHARE_WRITE: &str = "Microsoft.Storage/storageAccounts/fileServices/shares/write";
const SHARE_DELETE: &str = "Microsoft.Storage/storageAccounts/fileServices/shares/delete";

/// What a storage call is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The container as such, not what lies in it.
    Container,
    /// Blobs: one of them, or a list.
    Blob,
    /// An earlier version of a blob.
    Version,
    /// What keeps a blob as it is.
    Kept,
    /// A blob that is written together with what keeps it as it is.
    WrittenKept,
    /// Files and directories of a share.
    File,
    /// A share as such, its snapshots, or the list of shares.
    Share,
}

/// Rows of the table: target, methods, actions.
const STORAGE: &[(Target, &[&str], &[&str])] = &[
    (Target::Container, &["GET", "HEAD"], &[CONTAINER_READ]),
    (Target::Container, &["PUT"], &[CONTAINER_WRITE]),
    (Target::Container, &["DELETE"], &[CONTAINER_DELETE]),
    (Target::Blob, &["GET", "HEAD"], &[BLOB_READ]),
    (Target::Blob, &["PUT", "POST", "PATCH"], &[BLOB_WRITE]),
    (Target::Blob, &["DELETE"], &[BLOB_DELETE]),
    (Target::Version, &["DELETE"], &[VERSION_DELETE]),
    (Target::Kept, &["PUT", "DELETE"], &[KEEP]),
    (Target::WrittenKept, &["PUT"], &[BLOB_WRITE, KEEP]),
    (Target::File, &["GET", "HEAD"], &[FILE_READ, READ_PRIVILEGE]),
    (
        Target::File,
        &["PUT", "POST", "PATCH"],
        &[FILE_WRITE, WRITE_PRIVILEGE],
    ),
    (Target::File, &["DELETE"], &[FILE_DELETE, WRITE_PRIVILEGE]),
    (Target::Share, &["GET", "HEAD"], &[SHARE_READ]),
    (Target::Share, &["PUT"], &[SHARE_WRITE]),
    (Target::Share, &["DELETE"], &[SHARE_DELETE]),
];

/// Whether a call brings a policy or a hold.
pub(crate) fn keeps(call: &Call) -> bool {
    ["x-ms-immutability-policy-until-date", "x-ms-legal-hold"]
        .iter()
        .any(|name| call.header(name).is_some())
}

/// The actions that a call to a storage account needs, all of them.
pub(crate) fn of_storage(call: &Call) -> &'static [&'static str] {
    let container =
        call.query.is("restype", "container") && call.query.get("comp").is_none_or(str::is_empty);
    let target = match call.service {
        Service::File if call.query.is("restype", "share") => Target::Share,
        Service::File if call.segment(0).is_empty() => Target::Share,
        Service::File => Target::File,
        Service::Dfs if call.query.is("resource", "filesystem") && call.method != Method::GET => {
            Target::Container
        }
        _ if container => Target::Container,
        _ if call.query.is("comp", "immutabilityPolicies")
            || call.query.is("comp", "legalhold") =>
        {
            Target::Kept
        }
        _ if call.method == Method::DELETE && call.query.get("versionid").is_some() => {
            Target::Version
        }
        _ if call.method == Method::PUT && keeps(call) => Target::WrittenKept,
        _ => Target::Blob,
    };
    let row = STORAGE
        .iter()
        .find(|(about, methods, _)| *about == target && methods.contains(&call.method.as_str()));
    row.map_or(&[], |(_, _, actions)| actions)
}

/// The action that a call to Resource Manager needs which is about no workspace; parts of the path in lower case.
pub(crate) fn above_workspace(call: &Call, parts: &[&str]) -> Option<String> {
    let verb = match call.method {
        Method::GET | Method::HEAD => "read",
        Method::DELETE => "delete",
        _ => "write",
    };
    let provider = PROVIDER.to_lowercase();
    let type_of = match parts {
        ["subscriptions", _, "providers", _] => {
            "Microsoft.Resources/subscriptions/providers".to_owned()
        }
        ["subscriptions", _, "resourcegroups"] | ["subscriptions", _, "resourcegroups", _] => {
            "Microsoft.Resources/subscriptions/resourceGroups".to_owned()
        }
        [
            "subscriptions",
            _,
            "providers",
            found,
            sort @ ("workspaces" | "registries"),
        ]
        | [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            found,
            sort @ ("workspaces" | "registries"),
        ] if *found == provider => {
            format!("{PROVIDER}/{sort}")
        }
        [.., "providers", "microsoft.storage", "storageaccounts"] => {
            "Microsoft.Storage/storageAccounts".to_owned()
        }
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            "microsoft.storage",
            rest @ ..,
        ] => return Some(of_storage_account(call, rest, verb)),
        [
            "subscriptions",
            _,
            "resourcegroups",
            _,
            "providers",
            provider,
            collection,
            _,
        ] => beside::resource_type(provider, collection)?,
        _ => return None,
    };
    Some(format!("{type_of}/{verb}"))
}

/// The action behind a call about a storage account, its blob service or a container: types, then the verb or what is done.
fn of_storage_account(call: &Call, rest: &[&str], verb: &str) -> String {
    let (act, typed) = match rest.split_last() {
        Some((act, typed)) if call.method == Method::POST => (format!("{act}/action"), typed),
        _ => (verb.to_owned(), rest),
    };
    let types: Vec<&str> = typed.iter().step_by(2).copied().collect();
    format!("Microsoft.Storage/{}/{act}", types.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_counts_in_its_own_list_only() {
        let both = |action: &str| Grant {
            actions: vec![action.to_owned()],
            data_actions: Vec::new(),
        };
        assert!(!both(BLOB_READ).covers(BLOB_READ));
        assert!(!both("*").covers(FILE_READ));
        assert!(both("*").covers(CONTAINER_READ));
        let data = Grant {
            data_actions: vec![READ_PRIVILEGE.to_owned()],
            ..Grant::default()
        };
        assert!(data.covers(READ_PRIVILEGE) && !data.covers(FILE_READ));
        let kind = format!("{PROVIDER}/workspaces/jobs/read");
        assert!(both(&kind.to_uppercase()).covers(&kind));
        assert!(!both(&kind).covers(&kind.replace("jobs", "models")));
        assert!(!both("jobs/read").covers(&kind));
    }
}
