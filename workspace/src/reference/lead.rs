//! Where a reference leads when one wants bytes.

use super::{Form, Reference, Slot};
use crate::{Identity, ItemId};

/// A place that holds bytes, or the thing to ask for one. Paths of `azureml:` forms are raw, those of URLs
/// percent-encoded, as they were written; a path may be empty and may end in `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead<'a> {
    /// A path in a datastore of the workspace.
    Datastore {
        /// The datastore's name.
        name: &'a str,
        /// The path in it.
        path: String,
    },
    /// A path among the artifacts of a run.
    Artifacts {
        /// The run's id.
        run: &'a str,
        /// The path below `ExperimentRun/dcid.RUN/`.
        path: String,
    },
    /// A path in a named output of a job.
    Output {
        /// The job's id.
        job: &'a str,
        /// The output's name; `artifacts` means the run's artifacts.
        output: &'a str,
        /// The path in it.
        path: String,
    },
    /// A path in an artifact container that is no run's.
    Artifact {
        /// Such as `LocalUpload`.
        origin: &'a str,
        /// The container's name.
        container: &'a str,
        /// The path in it.
        path: String,
    },
    /// A place in a storage account.
    Storage {
        /// The account's name.
        account: &'a str,
        /// `blob`, `file` or `dfs`.
        service: &'a str,
        /// What follows the service in the host, with a port: `core.windows.net`.
        suffix: &'a str,
        /// The container, share or filesystem.
        container: &'a str,
        /// The path in it, percent-encoded where `encoded` says so.
        path: String,
        /// Whether the path is percent-encoded.
        encoded: bool,
    },
    /// An item of the workspace, whose own place is in its document.
    Item(ItemId),
}

impl Reference {
    /// Where it leads, seen from a workspace; `None` for what has no bytes there: other workspaces, registries, images,
    /// resources of other services.
    pub fn leads_to(&self, identity: &Identity) -> Option<Lead<'_>> {
        if matches!(self.form, Form::Storage | Form::Hadoop) {
            let after = if self.form == Form::Storage {
                Slot::Container
            } else {
                Slot::Suffix
            };
            return Some(Lead::Storage {
                account: self.get(Slot::Account)?,
                service: self.get(Slot::Service)?,
                suffix: self.get(Slot::Suffix)?,
                container: self.get(Slot::Container)?,
                path: self.path_after(after),
                encoded: self.form == Form::Storage,
            });
        }
        if !self.is_in(identity) {
            return None;
        }
        if let Some(name) = self.get(Slot::Datastore) {
            let path = self.path_after(Slot::Datastore);
            return Some(Lead::Datastore { name, path });
        }
        if let Some(run) = self.get(Slot::Run) {
            return Some(match self.get(Slot::Output) {
                Some(output) => Lead::Output {
                    job: run,
                    output,
                    path: self.path_after(Slot::Output),
                },
                None => Lead::Artifacts {
                    run,
                    path: self.path_after(Slot::Run),
                },
            });
        }
        if let (Some(origin), Some(container)) =
            (self.get(Slot::Origin), self.get(Slot::ArtifactContainer))
        {
            let path = self.path_after(Slot::ArtifactContainer);
            return Some(Lead::Artifact {
                origin,
                container,
                path,
            });
        }
        self.item_in(identity).map(Lead::Item)
    }

    /// Everything written after a piece, without `paths/` and the slash between, and without a query.
    pub(super) fn path_after(&self, slot: Slot) -> String {
        let after: String = self
            .parts
            .iter()
            .skip_while(|part| part.slot != slot)
            .skip(1)
            .filter(|part| part.slot != Slot::Query)
            .map(|part| part.text.as_str())
            .collect();
        let below_paths = after
            .get(.."/paths".len())
            .filter(|start| start.eq_ignore_ascii_case("/paths"))
            .map(|start| &after[start.len()..])
            .filter(|rest| rest.is_empty() || rest.starts_with('/'));
        // Only datastores and outputs have `paths/`; in a container it would be a folder of that name.
        let rest = match below_paths {
            Some(rest) if matches!(slot, Slot::Datastore | Slot::Output) => rest,
            _ => &after,
        };
        rest.strip_prefix('/').unwrap_or(rest).to_owned()
    }
}
