//! What names an Azure ML workspace or registry: subscription, resource group and name.

use std::fmt;
use std::str::FromStr;

use crate::Error;

const WHAT: &str = "an Azure ML workspace or registry (azureml://subscriptions/S/resourceGroups/G/workspaces/W, …/registries/R, or its ARM id)";

/// What a name is of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// A workspace.
    #[default]
    Workspace,
    /// A registry: a source and a target of its own, with the assets that workspaces share.
    Registry,
}

impl Root {
    /// The word in ARM ids.
    pub fn segment(self) -> &'static str {
        match self {
            Self::Workspace => "workspaces",
            Self::Registry => "registries",
        }
    }
}

/// The name of a workspace, or of a registry. Group and name may be `*` where a configuration means all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceName {
    /// The subscription's id.
    pub subscription: String,
    /// The resource group.
    pub resource_group: String,
    /// The workspace's or registry's name.
    pub workspace: String,
    /// Which of the two it is.
    pub root: Root,
}

impl WorkspaceName {
    /// Checks the three parts.
    pub fn new(
        subscription: impl Into<String>,
        resource_group: impl Into<String>,
        workspace: impl Into<String>,
    ) -> Result<Self, Error> {
        let name = Self {
            subscription: subscription.into(),
            resource_group: resource_group.into(),
            workspace: workspace.into(),
            root: Root::Workspace,
        };
        let sound = |part: &str| {
            !part.is_empty()
                && part.len() <= 128
                && part
                    .chars()
                    .all(|c| c.is_alphanumeric() || "-_.()*".contains(c))
                && !part.chars().all(|c| c == '.')
        };
        if [&name.subscription, &name.resource_group, &name.workspace]
            .iter()
            .all(|part| sound(part))
        {
            Ok(name)
        } else {
            Err(Error::Name {
                text: name.to_string(),
                what: WHAT,
            })
        }
    }

    /// The same for a registry.
    pub fn registry(
        subscription: impl Into<String>,
        resource_group: impl Into<String>,
        registry: impl Into<String>,
    ) -> Result<Self, Error> {
        let name = Self::new(subscription, resource_group, registry)?;
        Ok(Self {
            root: Root::Registry,
            ..name
        })
    }

    /// The path of the workspace's ARM id, without a slash at its end.
    pub fn arm_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.MachineLearningServices/{}/{}",
            self.subscription,
            self.resource_group,
            self.root.segment(),
            self.workspace
        )
    }

    /// Whether a part is `*`, so that this names several workspaces.
    pub fn is_pattern(&self) -> bool {
        self.resource_group.contains('*') || self.workspace.contains('*')
    }
}

/// Writes the `azureml://` form, which [`FromStr`] takes back in.
impl fmt::Display for WorkspaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "azureml://subscriptions/{}/resourceGroups/{}/{}/{}",
            self.subscription,
            self.resource_group,
            self.root.segment(),
            self.workspace
        )
    }
}

impl FromStr for WorkspaceName {
    type Err = Error;

    /// Takes `azureml://subscriptions/S/resourceGroups/G/workspaces/W`, the same with `registries/R`, and ARM ids, with ARM's
    /// freedom of letter case.
    fn from_str(text: &str) -> Result<Self, Error> {
        let path = text.strip_prefix("azureml:").unwrap_or(text);
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let is =
            |at: usize, word: &str| parts.get(at).is_some_and(|p| p.eq_ignore_ascii_case(word));
        let long = is(4, "providers") && is(5, "Microsoft.MachineLearningServices");
        let at = if long { 6 } else { 4 };
        let whole = is(0, "subscriptions") && is(2, "resourceGroups") && parts.len() == at + 2;
        if whole && is(at, Root::Workspace.segment()) {
            Self::new(parts[1], parts[3], parts[at + 1])
        } else if whole && is(at, Root::Registry.segment()) {
            Self::registry(parts[1], parts[3], parts[at + 1])
        } else {
            Err(Error::Name {
                text: text.to_owned(),
                what: WHAT,
            })
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn both_forms_name_the_same_workspace() {
        let short: WorkspaceName = "azureml://subscriptions/s/resourcegroups/g/workspaces/w"
            .parse()
            .unwrap();
        let long: WorkspaceName = short.arm_id().parse().unwrap();
        assert_eq!(short, long);
        assert_eq!(short.to_string().parse::<WorkspaceName>().unwrap(), short);
    }

    #[test]
    fn a_registry_is_named_likewise_and_is_no_workspace() {
        let text = "azureml://subscriptions/s/resourceGroups/g/registries/r";
        let registry: WorkspaceName = text.parse().unwrap();
        assert_eq!(registry, WorkspaceName::registry("s", "g", "r").unwrap());
        assert_eq!(registry.to_string(), text);
        assert_eq!(
            registry.arm_id().parse::<WorkspaceName>().unwrap(),
            registry
        );
        assert_ne!(registry, WorkspaceName::new("s", "g", "r").unwrap());
    }

    #[test]
    fn a_name_that_leaves_its_place_is_refused() {
        for text in [
            "azureml://subscriptions/s/resourceGroups/../workspaces/w",
            "azureml://subscriptions/s/resourceGroups/g",
            "https://example.com/",
            "azureml://subscriptions/s/resourceGroups/g/workspaces/w?x",
        ] {
            assert!(text.parse::<WorkspaceName>().is_err(), "{text}");
        }
    }
}
