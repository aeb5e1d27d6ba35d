//! Which types of resource the service has below a workspace, as Resource Manager tells of it.

use serde_json::Value;
use url::Url;

use super::arm::{self, Arm};
use crate::Error;
use crate::kind::ServiceType;
use crate::permission::PROVIDER;

/// The api-version of Resource Manager's own operations.
const API_VERSION: &str = "2021-04-01";
/// How the names of types below a workspace begin.
const BELOW: &str = "workspaces/";
/// The part of a type that holds the versions of another.
const VERSIONS: &str = "/versions";

/// The types below a workspace, and below items in it.
pub(crate) async fn below_workspaces(arm: &Arm) -> Result<Vec<ServiceType>, Error> {
    let answer = arm.connection.get(address(arm)?).await?;
    let document = answer.json()?;
    let types = document.get("resourceTypes").and_then(Value::as_array);
    let types = types.ok_or_else(|| answer.unusable("it has no `resourceTypes`"))?;
    Ok(read(types))
}

/// Where a subscription tells of them.
pub(crate) fn address(arm: &Arm) -> Result<Url, Error> {
    let parts = [
        "subscriptions",
        &arm.name.subscription,
        "providers",
        PROVIDER,
    ];
    arm::url(&arm.connection, parts, &[], API_VERSION)
}

fn read(types: &[Value]) -> Vec<ServiceType> {
    let name = |one: &Value| {
        let name = one.get("resourceType").and_then(Value::as_str)?;
        let start = name.get(..BELOW.len())?;
        let is_below = start.eq_ignore_ascii_case(BELOW);
        is_below.then(|| name[BELOW.len()..].to_owned())
    };
    let names: Vec<String> = types.iter().filter_map(name).collect();
    let has_versions = |of: &str| {
        let mut names = names.iter();
        names.any(|name| {
            let end = name.len().checked_sub(VERSIONS.len());
            end.and_then(|end| name.split_at_checked(end))
                .is_some_and(|(head, tail)| {
                    head.eq_ignore_ascii_case(of) && tail.eq_ignore_ascii_case(VERSIONS)
                })
        })
    };
    let types = types.iter().filter_map(|one| {
        let name = name(one).filter(|name| name.split('/').all(|part| !part.is_empty()))?;
        let versions = one.get("apiVersions").and_then(Value::as_array)?.iter();
        let mut versions: Vec<String> = versions
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        // They are dates.
        versions.sort_unstable_by(|one, other| other.cmp(one));
        Some(ServiceType {
            versioned: has_versions(&name),
            api_versions: versions,
            name,
        })
    });
    types.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn types_below_a_workspace_are_read_with_their_versions() {
        let types = [
            json!({"resourceType": "workspaces", "apiVersions": ["2025-12-01"]}),
            json!({"resourceType": "Workspaces/quanta", "apiVersions": ["2024-01-01", "2025-12-01"]}),
            json!({"resourceType": "workspaces/quanta/Versions", "apiVersions": ["2025-12-01"]}),
            json!({"resourceType": "workspaces/", "apiVersions": ["2025-12-01"]}),
            json!({"resourceType": "workspaces/quanta/parts", "apiVersions": ["2025-12-01"]}),
            json!({"resourceType": "registries/models", "apiVersions": []}),
            json!({"resourceType": 3}),
        ];
        assert_eq!(
            read(&types),
            [
                ServiceType {
                    name: "quanta".to_owned(),
                    api_versions: vec!["2025-12-01".to_owned(), "2024-01-01".to_owned()],
                    versioned: true,
                },
                ServiceType {
                    name: "quanta/Versions".to_owned(),
                    api_versions: vec!["2025-12-01".to_owned()],
                    versioned: false,
                },
                ServiceType {
                    name: "quanta/parts".to_owned(),
                    api_versions: vec!["2025-12-01".to_owned()],
                    versioned: false,
                },
            ]
        );
    }
}
