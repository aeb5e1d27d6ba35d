//! Actions of Azure's role-based access control: which ones a request needs, by its method and address.
//!
//! A refusal of Resource Manager names the action that is missing, those of storage and run history do not always; so it
//! is told from the request. Names of actions are those of Microsoft's page "Azure permissions" and of the built-in roles
//! Storage Blob Data Contributor and Storage File Data Privileged Contributor. Nothing here asks anybody.

use std::fmt;

/// The resource provider whose resources these are.
pub(crate) const PROVIDER: &str = "Microsoft.MachineLearningServices";
/// The provider that assigns roles, on resources of every other.
pub(crate) const AUTHORIZATION: &str = "Microsoft.Authorization";
/// The type of resource providers, which a subscription tells of.
pub(crate) const PROVIDERS: &str = "Microsoft.Resources/subscriptions/providers";
/// The type of resource groups.
pub(crate) const GROUPS: &str = "Microsoft.Resources/subscriptions/resourceGroups";
const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
const FILES: &str = "Microsoft.Storage/storageAccounts/fileServices";
/// Last parts of POSTs of the data plane that only ask.
const ASKS: [&str; 5] = ["experiments:query", "runs:query", "list", "full", "search"];

/// Which list of a role definition an action stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plane {
    /// `Actions`.
    Control,
    /// `DataActions`.
    Data,
}

/// One action, such as `Microsoft.MachineLearningServices/workspaces/models/read`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Action {
    plane: Plane,
    name: String,
}

impl Action {
    /// An action on something below a workspace: `models/versions`, `read`. Nothing above it means the workspace itself.
    pub fn of_workspace(below: &str, verb: &str) -> Self {
        let slash = if below.is_empty() { "" } else { "/" };
        Self {
            plane: Plane::Control,
            name: format!("{PROVIDER}/workspaces{slash}{below}/{verb}"),
        }
    }

    /// An action on a registry: `read` of itself, `assets/read`, `assets/write` of everything in it. It has no actions for
    /// single kinds (the built-in role AzureML Registry User).
    pub fn of_registry(below: &str) -> Self {
        Self {
            plane: Plane::Control,
            name: format!("{PROVIDER}/registries/{below}"),
        }
    }

    /// An action on resources of a type, as Resource Manager names it with its provider: `Microsoft.KeyVault/vaults`,
    /// `read`.
    pub fn of_type(resource_type: &str, verb: &str) -> Self {
        Self {
            plane: Plane::Control,
            name: format!("{resource_type}/{verb}"),
        }
    }

    /// Listing who has which role.
    pub fn of_assignments(verb: &str) -> Self {
        Self {
            plane: Plane::Control,
            name: format!("{AUTHORIZATION}/roleAssignments/{verb}"),
        }
    }

    fn data(name: String) -> Self {
        Self {
            plane: Plane::Data,
            name,
        }
    }

    /// Reading, writing or deleting blobs: `read`, `write`, `delete`. Listing them is reading.
    pub fn of_blobs(verb: &str) -> Self {
        Self::data(format!("{BLOBS}/{verb}"))
    }

    /// What a file share asks of a token with the intent `backup`: the privilege, and the action itself.
    pub fn of_files(verb: &str) -> Vec<Self> {
        let privilege = if verb == "read" { "read" } else { "write" };
        vec![
            Self::data(format!("{FILES}/fileshares/files/{verb}")),
            Self::data(format!("{FILES}/{privilege}FileBackupSemantics/action")),
        ]
    }

    /// Listing shares, making snapshots of them, deleting those: `read`, `write`, `delete`. The same for the resource
    /// provider's own requests, and so in `Actions`.
    pub fn of_shares(verb: &str) -> Self {
        Self {
            plane: Plane::Control,
            name: format!("{FILES}/shares/{verb}"),
        }
    }

    /// The whole name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is one on storage accounts; every other is one on workspaces.
    pub fn is_of_storage(&self) -> bool {
        self.name.starts_with("Microsoft.Storage/")
    }

    /// The list that it stands in.
    pub fn plane(&self) -> Plane {
        self.plane
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// The actions that a request needs, all of them, by method and address without its query. Empty where none is known.
pub(crate) fn needed(method: &str, address: &str) -> Vec<Action> {
    let Some((host, path)) = address
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
    else {
        return Vec::new();
    };
    let verb = match method {
        "GET" | "HEAD" => "read",
        "DELETE" => "delete",
        _ => "write",
    };
    if host.contains(".blob.") {
        return vec![Action::of_blobs(verb)];
    }
    if host.contains(".file.") {
        // What is asked of the account, or changed of a share as such, is about shares.
        let parts = path.split('/').filter(|part| !part.is_empty()).count();
        let of_shares = parts == 0 || (parts == 1 && verb != "read");
        return match of_shares {
            true => vec![Action::of_shares(verb)],
            false => Action::of_files(verb),
        };
    }
    let parts: Vec<&str> = path.split('/').collect();
    if let Some(action) = of_registry(method, verb, &parts) {
        return vec![action];
    }
    if let Some(action) = of_other(verb, &parts) {
        return vec![action];
    }
    let Some(at) = parts
        .iter()
        .position(|part| part.eq_ignore_ascii_case("workspaces"))
    else {
        return Vec::new();
    };
    let below = parts.get(at + 2..).unwrap_or_default();
    match parts.first().copied() {
        Some("subscriptions") => vec![of_arm(method, verb, below)],
        Some("history" | "metric" | "mlflow") => vec![of_run(verb, below)],
        _ => Vec::new(),
    }
}

/// A registry, or something in it. To ask for the bytes of an asset is to read it.
fn of_registry(method: &str, verb: &str, parts: &[&str]) -> Option<Action> {
    let at = parts
        .iter()
        .position(|part| part.eq_ignore_ascii_case("registries"))?;
    let provider = at.checked_sub(1).and_then(|above| parts.get(above))?;
    if !provider.eq_ignore_ascii_case(PROVIDER) {
        return None;
    }
    Some(match parts.get(at + 2) {
        None => Action::of_registry(verb),
        Some(first) if method == "POST" && first.eq_ignore_ascii_case("datareferences") => {
            Action::of_registry("assets/read")
        }
        Some(_) => Action::of_registry(&format!("assets/{verb}")),
    })
}

/// A resource provider, a resource group, or a resource of another provider that lies right in one.
fn of_other(verb: &str, parts: &[&str]) -> Option<Action> {
    match parts {
        ["subscriptions", _, "providers", _] => Some(Action::of_type(PROVIDERS, verb)),
        ["subscriptions", _, _, _] => Some(Action::of_type(GROUPS, verb)),
        [
            "subscriptions",
            _,
            _,
            _,
            "providers",
            provider,
            resources,
            _,
        ] if !provider.eq_ignore_ascii_case(PROVIDER) => {
            Some(Action::of_type(&format!("{provider}/{resources}"), verb))
        }
        _ => None,
    }
}

fn of_arm(method: &str, verb: &str, below: &[&str]) -> Action {
    let (below, verb) = match (method, below.split_last()) {
        ("POST", Some((act, above))) => (above, format!("{act}/action")),
        _ => (below, verb.to_owned()),
    };
    if let [providers, provider, _, ..] = below
        && providers.eq_ignore_ascii_case("providers")
        && provider.eq_ignore_ascii_case(AUTHORIZATION)
    {
        return Action::of_assignments(&verb);
    }
    let kinds: Vec<&str> = below.iter().step_by(2).copied().collect();
    Action::of_workspace(&kinds.join("/"), &verb)
}

fn of_run(verb: &str, below: &[&str]) -> Action {
    let asks = below.last().is_some_and(|last| ASKS.contains(last));
    let verb = if asks || verb == "read" {
        "read"
    } else {
        "write"
    };
    Action::of_workspace("experiments/runs", verb)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(act: &str) -> Vec<String> {
        let (method, address) = act.split_once(' ').unwrap_or_default();
        let needed = needed(method, address);
        needed.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_request_is_known_by_the_actions_that_it_needs() {
        let ws = "subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";
        let arm = |rest: &str| {
            let (method, rest) = rest.split_once(' ').unwrap_or_default();
            of(&format!("{method} https://management.x/{ws}{rest}"))
        };
        let ours = |name: &str| vec![format!("{PROVIDER}/workspaces{name}")];
        assert_eq!(arm("GET "), ours("/read"));
        assert_eq!(arm("GET /models"), ours("/models/read"));
        assert_eq!(arm("GET /models/m"), ours("/models/read"));
        assert_eq!(arm("GET /models/m/versions"), ours("/models/versions/read"));
        assert_eq!(
            arm("PUT /models/m/versions/1"),
            ours("/models/versions/write")
        );
        assert_eq!(arm("DELETE /jobs/j"), ours("/jobs/delete"));
        assert_eq!(
            arm("POST /codes/c/versions/1/startPendingUpload"),
            ours("/codes/versions/startPendingUpload/action")
        );
        assert_eq!(
            arm("POST /datastores/d/listSecrets"),
            ours("/datastores/listSecrets/action")
        );
        assert_eq!(
            arm("GET /providers/Microsoft.Authorization/roleAssignments"),
            ["Microsoft.Authorization/roleAssignments/read"]
        );
        assert_eq!(
            arm("GET /onlineEndpoints/e/deployments"),
            ours("/onlineEndpoints/deployments/read")
        );
        assert_eq!(
            of("GET https://management.x/subscriptions/s/resourceGroups/g"),
            ["Microsoft.Resources/subscriptions/resourceGroups/read"]
        );
        assert_eq!(
            of(&format!(
                "GET https://management.x/subscriptions/s/providers/{PROVIDER}"
            )),
            ["Microsoft.Resources/subscriptions/providers/read"]
        );
        let vault = "subscriptions/s/resourceGroups/g/providers/Microsoft.KeyVault/vaults/v";
        assert_eq!(
            of(&format!("GET https://management.x/{vault}")),
            ["Microsoft.KeyVault/vaults/read"]
        );
        assert_eq!(arm("PUT "), ours("/write"));
        let registry = format!(
            "management.x/subscriptions/s/resourceGroups/g/providers/{PROVIDER}/registries/r"
        );
        for (act, action) in [
            (format!("GET https://{registry}"), "read"),
            (
                format!("GET https://{registry}/models/m/versions/1"),
                "assets/read",
            ),
            (
                format!("POST https://{registry}/datareferences/m/versions/1"),
                "assets/read",
            ),
            (
                format!("POST https://{registry}/models/m/versions/1/startPendingUpload"),
                "assets/write",
            ),
            (
                format!("PUT https://{registry}/models/m/versions/1"),
                "assets/write",
            ),
        ] {
            assert_eq!(
                of(&act),
                [format!("{PROVIDER}/registries/{action}")],
                "{act}"
            );
        }
        let data = |act: &str, service: &str, rest: &str| {
            of(&format!("{act} https://eastus.api.x/{service}/{ws}/{rest}"))
        };
        let (read, write) = (
            ours("/experiments/runs/read"),
            ours("/experiments/runs/write"),
        );
        assert_eq!(data("GET", "history/v1.0", "runs/r"), read);
        assert_eq!(data("POST", "metric/v2.0", "runs/r/full"), read);
        assert_eq!(data("POST", "history/v1.0", "experiments:query"), read);
        assert_eq!(
            data("POST", "mlflow/v1.0", "api/2.0/mlflow/runs/create"),
            write
        );
        assert_eq!(
            data("POST", "mlflow/v1.0", "api/2.0/mlflow/runs/search"),
            read
        );
        assert_eq!(
            of("GET https://a.blob.core.x/c/b"),
            [format!("{BLOBS}/read")]
        );
        assert_eq!(
            of("DELETE https://a.file.core.x/s/f"),
            [
                format!("{FILES}/fileshares/files/delete"),
                format!("{FILES}/writeFileBackupSemantics/action")
            ]
        );
        let shares = |verb: &str| [format!("{FILES}/shares/{verb}")];
        assert_eq!(of("GET https://a.file.core.x/"), shares("read"));
        assert_eq!(of("PUT https://a.file.core.x/s"), shares("write"));
        assert_eq!(of("DELETE https://a.file.core.x/s"), shares("delete"));
        assert_eq!(
            of("GET https://a.file.core.x/s").len(),
            2,
            "a list of its root"
        );
        for act in [
            "GET https://x",
            "GET https://management.x/metadata/endpoints",
            "",
        ] {
            assert!(of(act).is_empty(), "{act}");
        }
    }
}
