//! The two roles that mlark's identity needs, made from the table of kinds: one to back up, one to restore.
//!
//! A role holds exactly the actions that the rows' own requests need, nothing with a star in it. [`Role::creation`] is for
//! `restore --create-workspace`, on a resource group, [`Role::resubmission`] for `restore --resubmit`. Three more are for
//! what a configuration may ask for besides:
//! [`Role::secrets`] (`secrets`, `datastore_access = "datastore"`), [`Role::rehydration`] (`archived = "rehydrate"`) and
//! [`Role::share_snapshot`] (`share_snapshot = true`). [`Role::keeping`] is for `[repository] lock`, `export lock` and `export hold`, on
//! the account of the repository or the destination. [`Role::discovery`] asks a subscription which kinds there are, which no role
//! on a workspace allows. Registries have two of their own. The last two change the storage account, which a backup by default
//! never does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::kind::{ASSOCIATED, KINDS, Restore};
use crate::permission::{Action, GROUPS, PROVIDERS, Plane};

/// Containers of blobs, as Resource Manager names their type.
const CONTAINERS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers";

/// A custom role of Azure's role-based access control.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// `roleName`.
    pub name: &'static str,
    /// `description`.
    pub description: &'static str,
    /// What it allows.
    pub actions: BTreeSet<Action>,
}

impl Role {
    /// Reads everything and changes nothing.
    pub fn backup() -> Self {
        let own = Action::of_workspace("", "read");
        let kinds = KINDS.iter().flat_map(|kind| kind.actions_to_read());
        Self {
            name: "mlark backup",
            description: "Reads Azure Machine Learning workspaces and their storage to back them up; changes nothing and reads no secret.",
            actions: kinds.chain([own]).collect(),
        }
    }

    /// Reads, and writes what a restore brings back.
    pub fn restore() -> Self {
        let kinds = KINDS.iter().flat_map(|kind| kind.actions_to_restore());
        // The mark that keeps a second restore out is a blob, which goes when the restore ends.
        let mark = ["write", "delete"].map(Action::of_blobs);
        // Jobs of the target are no business of a restore: its runs are read from run history.
        let jobs = KINDS.iter().filter(|kind| kind.restore == Restore::Run);
        let jobs: Vec<Action> = jobs
            .filter_map(|kind| Some(Action::of_workspace(kind.collection()?, "read")))
            .collect();
        let mut read = Self::backup().actions;
        read.retain(|action| !jobs.contains(action));
        Self {
            name: "mlark restore",
            description: "Restores what mlark backed up into an Azure Machine Learning workspace and its storage; starts no job, and makes computes and deployments only when asked to.",
            actions: kinds.chain(mark).chain(read).collect(),
        }
    }

    /// Reads everything of a registry.
    pub fn registry_backup() -> Self {
        let actions = ["read", "assets/read"].map(Action::of_registry);
        Self {
            name: "mlark registry backup",
            description: "Reads Azure Machine Learning registries to back them up; changes nothing.",
            actions: BTreeSet::from(actions),
        }
    }

    /// Reads a registry, and makes assets in it.
    pub fn registry_restore() -> Self {
        let write = Action::of_registry("assets/write");
        Self {
            name: "mlark registry restore",
            description: "Restores what mlark backed up into an Azure Machine Learning registry.",
            actions: Self::registry_backup()
                .actions
                .into_iter()
                .chain([write])
                .collect(),
        }
    }

    /// Makes a workspace, and looks at what it is made with.
    pub fn creation() -> Self {
        let own = Action::of_workspace("", "write");
        let group = Action::of_type(GROUPS, "read");
        let beside = ASSOCIATED
            .iter()
            .map(|one| Action::of_type(one.resource_type, "read"));
        Self {
            name: "mlark create workspace",
            description: "Makes the workspace that mlark restores into, and looks whether the resources beside it are there; makes none of those.",
            actions: beside.chain([own, group]).collect(),
        }
    }

    /// Submits jobs again that had not ended, each under a fixed name that is asked for first.
    pub fn resubmission() -> Self {
        let jobs = KINDS.iter().filter(|kind| kind.restore == Restore::Run);
        let collections = jobs.filter_map(|kind| kind.collection());
        let verbs = ["read", "write"];
        Self {
            name: "mlark resubmit",
            description: "Submits jobs again that had not ended when mlark backed them up; they run, and cost money.",
            actions: collections
                .flat_map(|jobs| verbs.map(|verb| Action::of_workspace(jobs, verb)))
                .collect(),
        }
    }

    /// Lists the credentials that the configuration may ask for.
    pub fn secrets() -> Self {
        let kinds = KINDS.iter().flat_map(|kind| kind.actions_for_secrets());
        Self {
            name: "mlark secrets",
            description: "Lists the credentials that mlark is told to store or to read bytes with.",
            actions: kinds.collect(),
        }
    }

    /// Brings archived blobs back. Azure has no action for the tier alone.
    pub fn rehydration() -> Self {
        Self {
            name: "mlark rehydration",
            description: "Brings archived blobs back to the hot tier so that mlark can back them up; Azure has no narrower action than writing blobs.",
            actions: BTreeSet::from([Action::of_blobs("write")]),
        }
    }

    /// Keeps files of a repository or of exports from deletion, and moves them between tiers: on the account that holds them.
    pub fn keeping() -> Self {
        let blobs = ["read", "write", "immutableStorage/runAsSuperUser/action"];
        let container = [
            "read",
            "immutabilityPolicies/read",
            "immutabilityPolicies/write",
            "immutabilityPolicies/lock/action",
            "immutabilityPolicies/extend/action",
            "setLegalHold/action",
            "clearLegalHold/action",
        ];
        let container = container.map(|verb| Action::of_type(CONTAINERS, verb));
        Self {
            name: "mlark lock",
            description: "Keeps files of mlark's repository and of its exports from deletion, holds them, and moves them between access tiers.",
            actions: blobs
                .into_iter()
                .map(Action::of_blobs)
                .chain(container)
                .collect(),
        }
    }

    /// Makes a snapshot of the share of notebooks and deletes it again.
    pub fn share_snapshot() -> Self {
        let verbs = ["read", "write", "delete"];
        Self {
            name: "mlark share snapshot",
            description: "Makes a snapshot of the file share of notebooks for mlark to read, and deletes it afterwards.",
            actions: verbs.into_iter().map(Action::of_shares).collect(),
        }
    }

    /// Asks which types of resource the service has, so that kinds that this version does not know are found. Only a
    /// subscription tells it.
    pub fn discovery() -> Self {
        Self {
            name: "mlark discovery",
            description: "Asks a subscription which types of resource Azure Machine Learning has, so that mlark keeps kinds that it does not know.",
            actions: BTreeSet::from([Action::of_type(PROVIDERS, "read")]),
        }
    }

    /// Whether it is assigned on the subscription.
    pub fn is_for_subscriptions(&self) -> bool {
        *self == Self::discovery()
    }

    /// Whether it changes a storage account whose workspace is backed up, which nothing needs unless it is asked for.
    pub fn changes_storage(&self) -> bool {
        [Self::rehydration(), Self::share_snapshot()].contains(self)
    }

    /// Whether it is assigned on the resource group: what it is about may not be there yet.
    pub fn is_for_groups(&self) -> bool {
        let group = Action::of_type(GROUPS, "read");
        self.actions.contains(&group)
    }

    /// Whether it holds actions on the workspace, so that it is assigned there.
    pub fn is_for_workspaces(&self) -> bool {
        self.actions.iter().any(|action| !action.is_of_storage())
    }

    /// Whether it holds actions on storage accounts, so that it is assigned there.
    pub fn is_for_storage(&self) -> bool {
        self.actions.iter().any(Action::is_of_storage)
    }

    fn names(&self, plane: Plane) -> Vec<&str> {
        let actions = self.actions.iter();
        actions
            .filter(|action| action.plane() == plane)
            .map(Action::name)
            .collect()
    }

    /// The definition as Resource Manager takes and gives it, a `roleDefinitions` resource of `Microsoft.Authorization`
    /// (2022-04-01): what a PUT, `az rest` or a Bicep or Terraform file is made from.
    pub fn resource(&self, scopes: &[&str]) -> Value {
        json!({ "properties": {
            "roleName": self.name,
            "description": self.description,
            "type": "CustomRole",
            "permissions": [{
                "actions": self.names(Plane::Control),
                "notActions": [],
                "dataActions": self.names(Plane::Data),
                "notDataActions": [],
            }],
            "assignableScopes": scopes,
        }})
    }

    /// The definition as `az role definition create` takes it.
    pub fn definition(&self, scopes: &[&str]) -> Value {
        json!({
            "Name": self.name,
            "IsCustom": true,
            "Description": self.description,
            "Actions": self.names(Plane::Control),
            "NotActions": [],
            "DataActions": self.names(Plane::Data),
            "NotDataActions": [],
            "AssignableScopes": scopes,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Where the definitions that are kept in the project say that they may be assigned.
    const ANYWHERE: &str = "/subscriptions/00000000-0000-0000-0000-000000000000";

    #[test]
    fn the_definitions_beside_the_program_are_those_of_the_table() -> Result<(), std::io::Error> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../roles");
        for (file, role) in [
            ("mlark-backup.json", Role::backup()),
            ("mlark-restore.json", Role::restore()),
            ("mlark-create-workspace.json", Role::creation()),
            ("mlark-registry-backup.json", Role::registry_backup()),
            ("mlark-registry-restore.json", Role::registry_restore()),
            ("mlark-resubmit.json", Role::resubmission()),
            ("mlark-secrets.json", Role::secrets()),
            ("mlark-rehydration.json", Role::rehydration()),
            ("mlark-share-snapshot.json", Role::share_snapshot()),
            ("mlark-lock.json", Role::keeping()),
            ("mlark-discovery.json", Role::discovery()),
        ] {
            let made = format!("{:#}\n", role.resource(&[ANYWHERE]));
            let kept = std::fs::read_to_string(folder.join(file)).unwrap_or_default();
            assert!(kept == made, "roles/{file} should read:\n{made}");
        }
        Ok(())
    }

    #[test]
    fn backup_reads_only_and_no_role_has_a_star() {
        for action in Role::backup().actions {
            let name = action.name();
            let reads =
                name.ends_with("/read") || name.ends_with("/readFileBackupSemantics/action");
            assert!(reads, "{name}");
        }
        for role in [
            Role::backup(),
            Role::restore(),
            Role::creation(),
            Role::resubmission(),
            Role::secrets(),
            Role::rehydration(),
            Role::share_snapshot(),
            Role::keeping(),
            Role::discovery(),
        ] {
            for action in role.actions {
                assert!(!action.name().contains('*'), "{action}");
            }
        }
    }
}
