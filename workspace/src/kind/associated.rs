//! What a workspace is made with: resources of other services that it names in its own document and that must be there
//! before it.

use serde_json::{Map, Value};

use super::Command;
use crate::pointer::without;

/// A resource of another service that a workspace names.
#[derive(Clone, Copy, Debug)]
pub struct Associated {
    /// What it is, for people: `key vault`.
    pub singular: &'static str,
    /// Where the workspace's document names it: JSON pointer of its ARM id, or of an object whose members are named by ids.
    pub at: &'static str,
    /// Its type: `Microsoft.KeyVault/vaults`.
    pub resource_type: &'static str,
    /// The api-version by which it is looked for.
    pub api_version: &'static str,
    /// The command of `az` that makes one, without its options.
    make: &'static [&'static str],
    /// The option for its name.
    name_option: &'static str,
    /// Options without which it is not made.
    more: &'static [&'static str],
    /// How the name of a new one begins, and how long it may be; hyphens only where `true`.
    naming: (&'static str, usize, bool),
}

/// Every one, in the order of their making.
pub static ASSOCIATED: &[Associated] = &[
    Associated {
        singular: "storage account",
        at: "/properties/storageAccount",
        resource_type: "Microsoft.Storage/storageAccounts",
        api_version: "2023-01-01",
        make: &["storage", "account", "create"],
        name_option: "--name",
        more: &["--sku", "Standard_LRS"],
        naming: ("st", 24, false),
    },
    Associated {
        singular: "key vault",
        at: "/properties/keyVault",
        resource_type: "Microsoft.KeyVault/vaults",
        api_version: "2023-07-01",
        make: &["keyvault", "create"],
        name_option: "--name",
        more: &[],
        naming: ("kv", 24, true),
    },
    Associated {
        singular: "Application Insights",
        at: "/properties/applicationInsights",
        resource_type: "Microsoft.Insights/components",
        api_version: "2020-02-02",
        make: &["monitor", "app-insights", "component", "create"],
        name_option: "--app",
        more: &[],
        naming: ("appi", 60, true),
    },
    Associated {
        singular: "container registry",
        at: "/properties/containerRegistry",
        resource_type: "Microsoft.ContainerRegistry/registries",
        api_version: "2023-07-01",
        make: &["acr", "create"],
        name_option: "--name",
        more: &["--sku", "Standard"],
        naming: ("cr", 50, false),
    },
    Associated {
        singular: "managed identity",
        at: "/identity/userAssignedIdentities",
        resource_type: "Microsoft.ManagedIdentity/userAssignedIdentities",
        api_version: "2023-01-31",
        make: &["identity", "create"],
        name_option: "--name",
        more: &[],
        naming: ("id", 60, true),
    },
];

/// Where a resource is, by the parts of its ARM id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site<'a> {
    /// The subscription.
    pub subscription: &'a str,
    /// The resource group.
    pub resource_group: &'a str,
    /// Its own name.
    pub name: &'a str,
}

impl<'a> Site<'a> {
    /// The parts of the ARM id of a resource that lies right in a resource group.
    pub fn of(id: &'a str) -> Option<Self> {
        let parts: Vec<&str> = id.strip_prefix('/')?.split('/').collect();
        match parts.as_slice() {
            [
                scope,
                subscription,
                groups,
                resource_group,
                providers,
                _,
                _,
                name,
            ] if scope.eq_ignore_ascii_case("subscriptions")
                && groups.eq_ignore_ascii_case("resourceGroups")
                && providers.eq_ignore_ascii_case("providers")
                && parts.iter().all(|part| !part.is_empty()) =>
            {
                Some(Self {
                    subscription,
                    resource_group,
                    name,
                })
            }
            _ => None,
        }
    }
}

impl Associated {
    /// The ids that a workspace's document names.
    pub fn ids_in(&self, document: &Value) -> Vec<String> {
        match document.pointer(self.at) {
            Some(Value::String(id)) if !id.is_empty() => vec![id.clone()],
            Some(Value::Object(members)) => members.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }

    /// Names another one in place of one that a document names.
    pub fn replace(&self, document: &mut Value, from: &str, to: &str) {
        match document.pointer_mut(self.at) {
            Some(Value::String(id)) if id == from => *id = to.to_owned(),
            Some(Value::Object(members)) => {
                let renamed = |name: String| match name == from {
                    true => to.to_owned(),
                    false => name,
                };
                let old: Map<String, Value> = std::mem::take(members);
                members.extend(old.into_iter().map(|(name, it)| (renamed(name), it)));
            }
            _ => {}
        }
    }

    /// The id of one that could be made for a workspace: its name says which, and is the same each time.
    pub fn proposed(&self, workspace: Site<'_>) -> String {
        let (start, longest, hyphens) = self.naming;
        let whole = format!(
            "{}/{}/{}",
            workspace.subscription, workspace.resource_group, workspace.name
        );
        // FNV-1a: names of accounts, vaults and registries are taken by the whole world.
        let mark = whole.bytes().fold(0x811c_9dc5_u32, |sum, byte| {
            (sum ^ u32::from(byte.to_ascii_lowercase())).wrapping_mul(0x0100_0193)
        });
        let mark = format!("{mark:08x}");
        let plain = workspace.name.chars();
        let plain = plain.filter(|c| c.is_ascii_alphanumeric() || (hyphens && *c == '-'));
        let room = longest - start.len() - mark.len() - 2 * usize::from(hyphens);
        let plain: String = plain.take(room).collect::<String>().to_ascii_lowercase();
        let parts = [start, plain.trim_matches('-'), mark.as_str()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}",
            workspace.subscription,
            workspace.resource_group,
            self.resource_type,
            parts.join(if hyphens { "-" } else { "" })
        )
    }

    /// The command that makes the one of an id, in a region.
    pub fn command(&self, id: &str, region: &str) -> Option<Command> {
        let site = Site::of(id)?;
        let options = [
            "--subscription",
            site.subscription,
            "--resource-group",
            site.resource_group,
            self.name_option,
            site.name,
            "--location",
            region,
        ];
        let words = ["az"].iter().chain(self.make);
        Some(Command {
            what: format!("make the {} {}", self.singular, site.name),
            why: "a workspace needs it before it is made, and mlark makes nothing beside a workspace",
            words: words
                .chain(&options)
                .chain(self.more)
                .map(|word| (*word).to_owned())
                .collect(),
            ..Command::default()
        })
    }
}

/// What a new workspace is not made with: what lies below it is not there yet, and the rest is the service's own to say.
const NOT_AT_FIRST: &[&str] = &[
    "/properties/associatedWorkspaces",
    "/properties/featureStoreSettings/offlineStoreConnectionName",
    "/properties/featureStoreSettings/onlineStoreConnectionName",
    "/properties/imageBuildCompute",
    "/properties/managedNetwork/changeableIsolationModes",
    "/properties/managedNetwork/networkId",
    "/properties/managedNetwork/outboundRules",
    "/properties/managedNetwork/status",
    "/properties/softDeleteRecovery",
];

/// A workspace's document as far as a new one can be made of it.
pub fn at_first(document: &Value) -> Value {
    without(document, NOT_AT_FIRST)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use serde_json::json;

    use super::*;

    const WORKSPACE: Site<'_> = Site {
        subscription: "s",
        resource_group: "g",
        name: "ws-Prod_with-a-very-long-name-indeed",
    };

    #[test]
    fn a_proposed_name_is_one_that_the_service_takes_and_another_for_each_workspace() {
        for resource in ASSOCIATED {
            let id = resource.proposed(WORKSPACE);
            let name = Site::of(&id).unwrap().name.to_owned();
            let (_, longest, hyphens) = resource.naming;
            assert!((3..=longest).contains(&name.len()), "{name}");
            let fits =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || (hyphens && c == '-');
            assert!(name.chars().all(fits) && !name.contains("--"), "{name}");
            assert_eq!(id, resource.proposed(WORKSPACE));
            let other = Site {
                resource_group: "h",
                ..WORKSPACE
            };
            assert_ne!(Site::of(&resource.proposed(other)).unwrap().name, name);
        }
    }

    #[test]
    fn ids_are_found_and_replaced_in_fields_and_in_the_names_of_members() {
        let mut document = json!({
            "identity": {"userAssignedIdentities": {"/a": {}, "/b": {}}},
            "properties": {"keyVault": "/k", "containerRegistry": null},
        });
        let all: Vec<String> = ASSOCIATED
            .iter()
            .flat_map(|one| one.ids_in(&document))
            .collect();
        assert_eq!(all, ["/k", "/a", "/b"]);
        for one in ASSOCIATED {
            for id in one.ids_in(&document) {
                one.replace(&mut document, &id, &format!("{id}2"));
            }
        }
        assert_eq!(document["properties"]["keyVault"], "/k2");
        assert_eq!(
            document["identity"]["userAssignedIdentities"],
            json!({"/a2": {}, "/b2": {}})
        );
    }

    #[test]
    fn only_the_id_of_a_whole_resource_has_a_site() {
        for odd in [
            "",
            "/subscriptions/s",
            "/subscriptions/s/resourceGroups/g/providers/P/t/n/below/x",
        ] {
            assert_eq!(Site::of(odd), None, "{odd}");
        }
    }
}
