//! How many things a workspace holds, and how many requests it takes to list them: what tests compute costs from.

use std::collections::BTreeMap;

use crate::arm;
use crate::history::outcome::ARTIFACTS;
use crate::share::Share;
use crate::state::State;
use crate::workspace::{Workspace, WorkspaceKey};

/// Counts of a workspace as it is now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Items by kind: versions for versioned kinds, entries of the share as `notebooks`, what lies below endpoints as
    /// `onlineDeployments` and `batchDeployments`.
    pub items: BTreeMap<String, usize>,
    /// Containers of versions by kind.
    pub containers: BTreeMap<String, usize>,
    /// Requests that list a kind whole: its pages, and for versioned kinds the pages of each container's versions.
    pub list_requests: BTreeMap<String, usize>,
    /// Requests that list the share directory by directory.
    pub share_requests: usize,
    /// Files of the share, directories not counted.
    pub share_files: usize,
    /// Blobs by container of the workspace's account.
    pub blobs: BTreeMap<String, usize>,
    /// Runs below jobs.
    pub child_runs: usize,
    /// Jobs whose run is not at its end.
    pub running_jobs: usize,
    /// Blobs that belong to runs as artifacts.
    pub artifacts: usize,
    /// Bytes of all blobs and files of the workspace's account.
    pub bytes: u64,
}

impl Census {
    /// Counts a workspace; nothing where there is none.
    pub fn of(state: &State, key: &WorkspaceKey) -> Self {
        let mut census = Self::default();
        let Some(workspace) = state.workspaces.get(key) else {
            return census;
        };
        let page = state.settings.page;
        census.count_documents(workspace, page);
        for run in workspace.history.runs() {
            census.child_runs += usize::from(run.parent.is_some());
            census.running_jobs += usize::from(run.parent.is_none() && !run.is_terminal());
        }
        let Some(account) = state.accounts.get(&workspace.account) else {
            return census;
        };
        for (name, container) in account.blobs.iter() {
            let blobs = container.blobs.values();
            census.bytes += blobs.map(|blob| blob.content.size()).sum::<u64>();
            census.blobs.insert(name.to_owned(), container.blobs.len());
        }
        census.artifacts = census.blobs.get(ARTIFACTS).copied().unwrap_or_default();
        if let Ok(share) = account.shares.share(&workspace.notebook_share) {
            census.count_share(share, page);
        }
        census
    }

    fn count_documents(&mut self, workspace: &Workspace, page: usize) {
        let documents = &workspace.documents;
        for (collection, resources) in documents.collections() {
            let kind = kind_of(collection);
            let has_versions = |name: &String| {
                let versions = format!("{collection}/{name}/versions");
                !documents.list(&versions).is_empty()
            };
            let requests = self.list_requests.entry(kind.clone()).or_default();
            *requests += arm::pages(resources.len(), page);
            if resources.keys().any(has_versions) {
                self.containers.insert(kind, resources.len());
            } else {
                *self.items.entry(kind).or_default() += resources.len();
            }
        }
        self.count_empty_lists(workspace);
        let own = workspace.arm_id();
        let assignments = &workspace.assignments;
        let here = assignments.iter().filter(|one| one.scope == own).count();
        self.items.insert("roleAssignments".to_owned(), here);
        let requests = arm::pages(assignments.len(), page);
        self.list_requests
            .insert("roleAssignments".to_owned(), requests);
        self.items.insert("workspaces".to_owned(), 1);
    }

    /// A list of which nothing was ever written takes a request too.
    fn count_empty_lists(&mut self, workspace: &Workspace) {
        for path in arm::collections() {
            let empty = match path {
                [kind] => usize::from(!self.list_requests.contains_key(*kind)),
                [above, "deployments"] => {
                    let endpoints = workspace.documents.list(above).into_iter();
                    let without = endpoints.filter(|endpoint| {
                        let below = format!("{above}/{}/deployments", endpoint.name);
                        workspace.documents.list(&below).is_empty()
                    });
                    without.count()
                }
                _ => 0,
            };
            if empty > 0 {
                let kind = kind_of(&path.join("/-/"));
                *self.list_requests.entry(kind).or_default() += empty;
            }
        }
    }

    fn count_share(&mut self, share: &Share, page: usize) {
        let entries = share.walk();
        self.items.insert("notebooks".to_owned(), entries.len());
        self.share_requests = storage_pages(share.children("").count(), page);
        for (path, entry) in entries {
            match &entry.file {
                Some(file) => {
                    self.share_files += 1;
                    self.bytes += file.bytes.size();
                }
                None => self.share_requests += storage_pages(share.children(&path).count(), page),
            }
        }
    }
}

/// The kind of a collection's items.
fn kind_of(collection: &str) -> String {
    let mut parts = collection.split('/');
    let kind = parts.next().unwrap_or(collection);
    match parts.nth(1) {
        Some("deployments") => kind.replace("Endpoints", "Deployments"),
        _ => kind.to_owned(),
    }
}

/// How many requests it takes to list `rows` blobs, or entries of a directory, in pages of `page`.
pub fn storage_pages(rows: usize, page: usize) -> usize {
    rows.div_ceil(page.max(1)).max(1)
}
