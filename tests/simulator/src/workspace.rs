//! A workspace: its ids, its documents in ARM, its run history.

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::arm::RoleAssignment;
use crate::artifact::Artifacts;
use crate::documents::Documents;
use crate::history::History;
use crate::metric::Metrics;
use crate::mlflow::Mlflow;

/// Subscription, resource group and name of a workspace, or of a registry. ARM compares them without regard to case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceKey {
    subscription: String,
    group: String,
    name: String,
    registry: bool,
}

impl WorkspaceKey {
    /// A key; letter case does not matter.
    pub fn new(subscription: &str, group: &str, name: &str) -> Self {
        Self {
            subscription: subscription.to_lowercase(),
            group: group.to_lowercase(),
            name: name.to_lowercase(),
            registry: false,
        }
    }

    /// The key of `/subscriptions/S/resourceGroups/G/providers/Microsoft.MachineLearningServices/workspaces/W[/…]`, given as
    /// path segments, and the segments after it.
    pub fn of_segments(segments: &[String]) -> Option<(Self, &[String])> {
        let head: &[String; 8] = segments.first_chunk()?;
        let fixed = [
            (0, "subscriptions"),
            (2, "resourceGroups"),
            (4, "providers"),
            (5, crate::PROVIDER),
        ];
        if fixed
            .iter()
            .any(|(at, word)| !head[*at].eq_ignore_ascii_case(word))
        {
            return None;
        }
        let registry = match head[6].to_lowercase().as_str() {
            "workspaces" => false,
            "registries" => true,
            _ => return None,
        };
        let key = Self::new(&head[1], &head[3], &head[7]);
        Some((Self { registry, ..key }, &segments[8..]))
    }

    /// The key of a registry.
    pub fn of_registry(subscription: &str, group: &str, name: &str) -> Self {
        Self {
            registry: true,
            ..Self::new(subscription, group, name)
        }
    }

    /// Whether it is a registry's.
    pub fn is_registry(&self) -> bool {
        self.registry
    }

    /// Whether it lies in that subscription.
    pub fn is_in(&self, subscription: &str, group: Option<&str>) -> bool {
        self.subscription.eq_ignore_ascii_case(subscription)
            && group.is_none_or(|group| self.group == group.to_lowercase())
    }
}

impl fmt::Display for WorkspaceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.subscription, self.group, self.name)
    }
}

/// A workspace of the cloud.
#[derive(Debug)]
pub struct Workspace {
    /// Subscription id.
    pub subscription: String,
    /// Resource group, in the letter case it was made with.
    pub group: String,
    /// Name, in the letter case it was made with.
    pub name: String,
    /// `properties.workspaceId`.
    pub guid: String,
    /// Region, such as `westeurope`.
    pub location: String,
    /// Name of its storage account.
    pub account: String,
    /// Container of `workspaceblobstore`.
    pub blob_container: String,
    /// Share of `workspaceworkingdirectory`, which holds the notebooks.
    pub notebook_share: String,
    /// Top-level members that clients wrote: tags, identity, kind, sku, …, and their `properties`.
    pub body: Map<String, Value>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was changed last.
    pub modified: Timestamp,
    /// When the operation that wrote it last ends.
    pub ready: Timestamp,
    /// When it was deleted softly.
    pub deleted: Option<Timestamp>,
    /// Everything below it in ARM.
    pub documents: Documents,
    /// Who has which role here, by assignments here and above.
    pub assignments: Vec<RoleAssignment>,
    /// Whether it is no workspace but a registry, which has documents alone.
    pub registry: bool,
    /// Its runs.
    pub history: History,
    /// Metrics of its runs.
    pub metrics: Metrics,
    /// Artifacts of its runs.
    pub artifacts: Artifacts,
    /// What MLflow keeps besides.
    pub mlflow: Mlflow,
}

impl Workspace {
    /// Its key.
    pub fn key(&self) -> WorkspaceKey {
        WorkspaceKey {
            registry: self.registry,
            ..WorkspaceKey::new(&self.subscription, &self.group, &self.name)
        }
    }

    /// The word for its sort in ARM ids.
    pub fn root(&self) -> &'static str {
        match self.registry {
            true => "registries",
            false => "workspaces",
        }
    }

    /// Its ARM id, without a trailing slash.
    pub fn arm_id(&self) -> String {
        format!(
            "/subscriptions/{}/resourceGroups/{}/providers/{}/{}/{}",
            self.subscription,
            self.group,
            crate::PROVIDER,
            self.root(),
            self.name
        )
    }
}
