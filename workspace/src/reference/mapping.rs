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
}

impl Mapping {
    /// Reads the text of a mapping file.
    pub fn parse(text: &str) -> Result<Self, Error> {
        toml::from_str(text).map_err(|source| Error::Mapping {
            source: Box::new(source),
        })
    }
}
