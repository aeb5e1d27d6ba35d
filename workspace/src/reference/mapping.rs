//! The mapping file: what a person says about names that differ in the target. A table of `old = "new"` a topic.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Error;

/// Old name to new name.
type Names = BTreeMap<String, String>;

/// What a mapping file says. An absent table maps nothing; an unknown one is refused.
///
/// ```toml
/// [computes]
/// "cpu-cluster" = "cpu-small"
/// [storage_accounts]
/// stprod001 = "stdr001"
/// [environments]
/// "train:1" = "train:7"
/// [names]
/// "models/churn" = "models/churn-restored"
/// [resources]
/// "/subscriptions/S/resourceGroups/G/providers/Microsoft.Network/virtualNetworks/v" = "/subscriptions/…/virtualNetworks/w"
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mapping {
    /// Subscriptions, for references beyond the source workspace.
    pub subscription: Names,
    /// Resource groups, for references beyond the source workspace.
    pub resource_group: Names,
    /// Workspaces, for references beyond the source workspace.
    pub workspace: Names,
    /// Regions.
    pub region: Names,
    /// Datastores.
    pub datastores: Names,
    /// Storage accounts.
    pub storage_accounts: Names,
    /// Computes.
    pub computes: Names,
    /// Registries of Azure ML, and names of container registries.
    pub registries: Names,
    /// Environments as `NAME:VERSION` or `NAME`, into the same or into a whole reference.
    pub environments: Names,
    /// Items as `KIND/NAME:VERSION` or `KIND/NAME`.
    pub names: Names,
    /// Whole ARM ids of resources, such as a subnet or a managed identity; what lies below one follows, and so do the
    /// addresses of what a key vault holds. They go before every other table.
    pub resources: Names,
}

impl Mapping {
    /// Reads the text of a mapping file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mapping: Self = toml::from_str(text).map_err(|source| Error::Mapping {
            source: Box::new(source),
        })?;
        let mut ids = mapping.resources.iter().flat_map(|(from, to)| [from, to]);
        if let Some(wrong) = ids.find(|id| !is_arm_id(id)) {
            return Err(Error::Mapping {
                source: format!(
                    "`{wrong}` in [resources] is no ARM id: it begins with `{ARM_ID}` and does not end in a slash"
                )
                .into(),
            });
        }
        drop(ids);
        Ok(mapping)
    }

    /// The id that the file says for a resource, or for one above it: the longest that it names, in any letter case.
    pub fn resource(&self, id: &str) -> Option<String> {
        let named = self.resources.iter().filter_map(|(from, to)| {
            let (above, below) = id.split_at_checked(from.len())?;
            let whole = below.is_empty() || below.starts_with('/');
            (whole && above.eq_ignore_ascii_case(from)).then_some((from.len(), to, below))
        });
        let (_, to, below) = named.max_by_key(|(length, ..)| *length)?;
        Some(format!("{to}{below}"))
    }

    /// The name of the vault that `[resources]` says for a vault of this name, in any letter case: the address of a secret
    /// names the vault alone.
    pub(super) fn vault(&self, name: &str) -> Option<&str> {
        let mut ids = self.resources.iter();
        ids.find(|(from, _)| vault_of(from).is_some_and(|own| own.eq_ignore_ascii_case(name)))
            .and_then(|(_, to)| vault_of(to))
    }
}

/// The name of the key vault that an ARM id names.
fn vault_of(id: &str) -> Option<&str> {
    let (above, name) = id.rsplit_once('/')?;
    let start = above.len().checked_sub(VAULTS.len())?;
    above
        .get(start..)
        .is_some_and(|end| end.eq_ignore_ascii_case(VAULTS))
        .then_some(name)
}

/// What stands before the name of a key vault in its ARM id.
const VAULTS: &str = "/providers/Microsoft.KeyVault/vaults";
/// How every ARM id begins.
const ARM_ID: &str = "/subscriptions/";

fn is_arm_id(text: &str) -> bool {
    let start = text.get(..ARM_ID.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(ARM_ID)) && !text.ends_with('/')
}
