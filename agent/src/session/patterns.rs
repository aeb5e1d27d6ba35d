//! Workspaces by pattern: an entry of the configuration whose URL has a `*` stands for every workspace that fits it. Each
//! of those has a name of its own, by which its snapshots are known: the entry's, its group's where the pattern leaves
//! that open, and its own, in lower case, since Resource Manager does not keep letter case.

use std::collections::BTreeSet;

use workspace::azure::{Connection, WorkspaceName};

use crate::azure;
use crate::config;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;

/// What a URL with a `*` names.
pub fn pattern(url: &str) -> Option<WorkspaceName> {
    let name: WorkspaceName = url.parse().ok()?;
    name.is_pattern().then_some(name)
}

impl Session {
    /// The entry of the configuration that the snapshots of a workspace belong to.
    pub fn entry_of(&self, workspace: &str) -> Option<&config::Workspace> {
        let entries = &self.config.workspace;
        let exact = entries.iter().find(|entry| entry.name == workspace);
        exact.or_else(|| {
            let fits = |entry: &&config::Workspace| {
                let rest = workspace.strip_prefix(&entry.name);
                pattern(&entry.url).is_some() && rest.is_some_and(|rest| rest.starts_with('.'))
            };
            entries
                .iter()
                .filter(fits)
                .max_by_key(|entry| entry.name.len())
        })
    }

    /// The entries as they are, but one with a pattern as the workspaces that fit it now. A workspace that another entry
    /// names itself belongs to that one.
    pub async fn expand(
        &self,
        entries: &[config::Workspace],
    ) -> Result<Vec<config::Workspace>, Failure> {
        let mut taken: BTreeSet<String> = BTreeSet::new();
        for entry in &self.config.workspace {
            if pattern(&entry.url).is_none()
                && let Ok(Place::Azure(name)) = Place::parse(&entry.url)
            {
                taken.insert(name.arm_id().to_lowercase());
            }
        }
        let mut all = Vec::new();
        for entry in entries {
            let Some(pattern) = pattern(&entry.url) else {
                all.push(entry.clone());
                continue;
            };
            for found in self.fitting(entry, &pattern).await? {
                if taken.insert(found.arm_id().to_lowercase()) {
                    all.push(config::Workspace {
                        name: own_name(&entry.name, &pattern, &found),
                        url: found.to_string(),
                        ..entry.clone()
                    });
                }
            }
        }
        Ok(all)
    }

    async fn fitting(
        &self,
        entry: &config::Workspace,
        pattern: &WorkspaceName,
    ) -> Result<Vec<WorkspaceName>, Failure> {
        let azure = entry.azure.over(&self.config.azure);
        let settings = azure::settings(&azure, &self.context, None)?;
        let listed = async {
            let connection = Connection::open(settings).await?;
            connection.workspaces(pattern).await
        };
        listed
            .await
            .map_err(|error| Failure::of_workspace(&error).with_place(&entry.name))
    }
}

/// The name of one workspace of a pattern.
fn own_name(entry: &str, pattern: &WorkspaceName, found: &WorkspaceName) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let part = |text: &str| -> String {
        let text = text.to_lowercase();
        text.chars()
            .map(|c| if fits(c) { c } else { '-' })
            .collect()
    };
    let workspace = part(&found.workspace);
    match pattern.resource_group.contains('*') {
        true => format!("{entry}.{}.{workspace}", part(&found.resource_group)),
        false => format!("{entry}.{workspace}"),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    fn name(text: &str) -> WorkspaceName {
        text.parse().unwrap()
    }

    #[test]
    fn a_workspace_of_a_pattern_is_named_by_what_the_pattern_leaves_open() {
        let found = name("azureml://subscriptions/s/resourceGroups/RG(1)/workspaces/Ws-A");
        let open = name("azureml://subscriptions/s/resourceGroups/*/workspaces/*");
        assert_eq!(own_name("all", &open, &found), "all.rg-1-.ws-a");
        let group = name("azureml://subscriptions/s/resourceGroups/RG/workspaces/Ws-*");
        assert_eq!(own_name("team", &group, &found), "team.ws-a");
    }

    #[test]
    fn only_a_star_makes_a_pattern() {
        assert!(pattern("azureml://subscriptions/s/resourceGroups/*/workspaces/w").is_some());
        assert!(pattern("azureml://subscriptions/s/resourceGroups/g/workspaces/w").is_none());
        assert!(pattern("/srv/*").is_none());
    }
}
