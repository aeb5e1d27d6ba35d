//! The actions that a row's requests need, told by what the row says: its collection, where its bytes lie, how it is
//! restored.

use super::{Content, Kind, Origin, Restore};
use crate::permission::Action;

impl Kind {
    /// What listing and reading items of the kind needs, with their bytes.
    pub fn actions_to_read(&self) -> Vec<Action> {
        let collections = self.collections().into_iter();
        let mut actions: Vec<Action> = collections
            .map(|collection| Action::of_workspace(&collection, "read"))
            .collect();
        if self.origin == Origin::Authorization {
            actions.push(Action::of_assignments("read"));
        }
        match self.content {
            Content::Uri(_) => actions.push(Action::of_blobs("read")),
            Content::Run => {
                actions.push(Action::of_workspace("experiments/runs", "read"));
                actions.push(Action::of_blobs("read"));
            }
            Content::Share => actions.extend(Action::of_files("read")),
            Content::None | Content::Folder => {}
        }
        actions
    }

    /// What restoring items of the kind needs besides reading.
    pub fn actions_to_restore(&self) -> Vec<Action> {
        let put = || {
            let collections = self.collections().into_iter();
            collections.map(|collection| Action::of_workspace(&collection, "write"))
        };
        let mut actions = Vec::new();
        match self.restore {
            Restore::Put => actions.extend(put()),
            Restore::PendingUpload => {
                actions.extend(put());
                if let Some(versions) = self.collections().pop() {
                    actions.push(Action::of_workspace(&versions, "startPendingUpload/action"));
                }
            }
            Restore::Run => actions.push(Action::of_workspace("experiments/runs", "write")),
            Restore::Files if self.content == Content::Share => {
                actions.extend(["write", "delete"].into_iter().flat_map(Action::of_files));
            }
            Restore::Files | Restore::Never => {}
        }
        if self.restore != Restore::Never && matches!(self.content, Content::Uri(_) | Content::Run)
        {
            actions.push(Action::of_blobs("write"));
        }
        actions
    }

    /// What listing the credentials of items needs.
    pub fn actions_for_secrets(&self) -> Option<Action> {
        let verb = format!("{}/action", self.secrets?.operation);
        let collection = self.collections().into_iter().next()?;
        Some(Action::of_workspace(&collection, &verb))
    }

    /// `models`, then `models/versions`; `onlineEndpoints/deployments`: as the names of actions have them.
    fn collections(&self) -> Vec<String> {
        let collection = match self.origin {
            Origin::Collection(path) => path.to_owned(),
            Origin::Nested { parent, segment } => format!("{parent}/{segment}"),
            Origin::Workspace => String::new(),
            Origin::Authorization | Origin::Entries => return Vec::new(),
        };
        let versions = self
            .container
            .map(|container| format!("{collection}/{}", container.versions));
        std::iter::once(collection).chain(versions).collect()
    }
}
