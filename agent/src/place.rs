//! Where a workspace is: an Azure ML workspace or a folder, as the configuration or the command line names it, and how
//! it is opened for reading.

use std::path::{Path, PathBuf};

use url::Url;
use workspace::azure::{
    Archived, AzureWorkspace, Connection, DataBytes, DatastoreAccess, JobOutputs, Observer,
    Priority, ReadOptions, WorkspaceName,
};
use workspace::folder::Folder;
use workspace::{Kind, Workspace};

use crate::azure;
use crate::command::snapshots::unknown_workspace;
use crate::config::{self, DataPolicy};
use crate::failure::Failure;
use crate::session::{Session, patterns};

/// Where a workspace is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// In Azure.
    Azure(WorkspaceName),
    /// On this machine.
    Folder(PathBuf),
}

impl Place {
    /// Reads `azureml://…`, an ARM id, `file://…` or a path.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let refused = |why: String| {
            Failure::usage("The address of a workspace is refused")
                .on(format!("`{text}`"))
                .why(why)
                .next("write azureml://subscriptions/S/resourceGroups/G/workspaces/W (or …/registries/R), or the path of a folder")
        };
        let is_azure = text.starts_with("azureml:")
            || text.to_ascii_lowercase().starts_with("/subscriptions/");
        if is_azure {
            let name: WorkspaceName = text
                .parse()
                .map_err(|error: workspace::Error| refused(error.to_string()))?;
            if name.is_pattern() {
                return Err(refused(
                    "a pattern names several; this needs one".to_owned(),
                ));
            }
            return Ok(Self::Azure(name));
        }
        if text.starts_with("file:") {
            let path = Url::parse(text)
                .ok()
                .and_then(|url| url.to_file_path().ok());
            return path.map(Self::Folder).ok_or_else(|| {
                refused("a file:// URL has an absolute path and no host".to_owned())
            });
        }
        match text.split_once("://") {
            Some((scheme, _)) => Err(refused(format!("{scheme}:// names no workspace"))),
            None => Ok(Self::Folder(PathBuf::from(text))),
        }
    }

    /// Whether text on the command line is an address rather than a name of the configuration.
    fn looks_like_one(text: &str) -> bool {
        text.contains('/')
            || text.starts_with("azureml:")
            || text.starts_with("file:")
            || Path::new(text).is_dir()
    }

    /// A name for snapshots of a place that has none in the configuration: the workspace's, or the folder's.
    pub fn own_name(&self) -> String {
        let name = match self {
            Self::Azure(name) => name.workspace.clone(),
            Self::Folder(path) => {
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                path.file_name().map_or_else(
                    || "root".to_owned(),
                    |name| name.to_string_lossy().into_owned(),
                )
            }
        };
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let name: String = name
            .chars()
            .take(100)
            .map(|c| if fits(c) { c } else { '-' })
            .collect();
        name.trim_start_matches(['-', '_', '.']).to_owned()
    }
}

impl Session {
    /// The workspaces that the command line names; those of the configuration where it names none. A pattern is all that
    /// fit it now.
    pub async fn workspaces(&self, named: &[String]) -> Result<Vec<config::Workspace>, Failure> {
        if named.is_empty() {
            if self.config.workspace.is_empty() {
                return Err(Failure::usage("There is no workspace to back up")
                    .why("the configuration has none and the command line names none")
                    .next("add a [[workspace]] to the configuration, or give a workspace's URL or a folder"));
            }
            return self.expand(&self.config.workspace).await;
        }
        let mut entries = Vec::new();
        for text in named {
            let entry = self.workspace(text)?;
            let is_pattern = patterns::pattern(&entry.url).is_some();
            let all = self.expand(std::slice::from_ref(&entry)).await?;
            // By the pattern's name all of it is meant, by a longer one that workspace.
            let meant: Vec<config::Workspace> = all
                .into_iter()
                .filter(|one| !is_pattern || *text == entry.name || one.name == *text)
                .collect();
            if meant.is_empty() {
                return Err(Failure::usage("No workspace fits")
                    .on(format!("`{text}`"))
                    .why(format!("none of {} has that name", entry.url)));
            }
            entries.extend(meant);
        }
        Ok(entries)
    }

    /// The workspace that a name or an address means.
    fn workspace(&self, text: &str) -> Result<config::Workspace, Failure> {
        let known = &self.config.workspace;
        if let Some(entry) = self.entry_of(text) {
            return Ok(entry.clone());
        }
        if !Place::looks_like_one(text) {
            return Err(unknown_workspace(
                text,
                known.iter().map(|entry| entry.name.as_str()),
            ));
        }
        let place = Place::parse(text)?;
        let same = known
            .iter()
            .find(|entry| Place::parse(&entry.url).is_ok_and(|other| other == place));
        Ok(match same {
            Some(entry) => entry.clone(),
            None => config::Workspace::unnamed(&place.own_name(), text),
        })
    }

    /// The target that a name or an address means, with how its Azure is reached.
    pub fn target(&self, text: &str) -> Result<(Place, config::Azure), Failure> {
        let targets = self
            .config
            .target
            .iter()
            .map(|target| (&target.name, &target.url, &target.azure));
        let workspaces = self
            .config
            .workspace
            .iter()
            .map(|entry| (&entry.name, &entry.url, &entry.azure));
        let mut known = targets.chain(workspaces);
        if let Some((_, url, azure)) = known.clone().find(|(name, _, _)| *name == text) {
            return Ok((Place::parse(url)?, azure.over(&self.config.azure)));
        }
        if !Place::looks_like_one(text) {
            let failure = unknown_workspace(text, known.map(|(name, _, _)| name.as_str()));
            return Err(failure);
        }
        let place = Place::parse(text)?;
        let azure = known
            .find(|(_, url, _)| Place::parse(url).is_ok_and(|other| other == place))
            .map_or_else(
                || self.config.azure.clone(),
                |(_, _, azure)| azure.over(&self.config.azure),
            );
        Ok((place, azure))
    }
}

/// A workspace opened for reading.
#[derive(Debug)]
pub struct Source {
    /// What is read.
    pub workspace: Box<dyn Workspace>,
    /// The connection, where there is one: it counts requests.
    pub connection: Option<Connection>,
}

impl Source {
    /// Opens the workspace of a configuration entry.
    pub async fn open(
        session: &Session,
        entry: &config::Workspace,
        observer: Option<Observer>,
    ) -> Result<Self, Failure> {
        let opened = match Place::parse(&entry.url)? {
            Place::Folder(path) => return Self::folder(&path).await,
            Place::Azure(name) => {
                let azure = entry.azure.over(&session.config.azure);
                let settings = azure::settings(&azure, &session.context, observer)?;
                Self::azure(settings, &name, read_options(entry)).await
            }
        };
        opened.map_err(|error| Failure::of_workspace(&error).with_place(&entry.name))
    }

    async fn azure(
        settings: workspace::azure::Settings,
        name: &WorkspaceName,
        options: ReadOptions,
    ) -> Result<Self, workspace::Error> {
        let connection = Connection::open(settings).await?;
        let workspace = AzureWorkspace::open(&connection, name, options).await?;
        Ok(Self {
            workspace: Box::new(workspace),
            connection: Some(connection),
        })
    }

    async fn folder(path: &Path) -> Result<Self, Failure> {
        let folder = Folder::open(path).await.map_err(|error| {
            Failure::of_workspace(&error)
                .next("name a folder that is there and that mlark may read")
        })?;
        Ok(Self {
            workspace: Box::new(folder),
            connection: None,
        })
    }
}

fn read_options(entry: &config::Workspace) -> ReadOptions {
    ReadOptions {
        job_outputs: match entry.job_outputs {
            config::JobOutputs::None => JobOutputs::None,
            config::JobOutputs::Logs => JobOutputs::Logs,
            config::JobOutputs::LogsAndOutputs => JobOutputs::LogsAndOutputs,
        },
        data: match entry.data {
            DataPolicy::None => DataBytes::None,
            DataPolicy::DefaultDatastore => DataBytes::DefaultDatastore,
            DataPolicy::All => DataBytes::All,
        },
        datastore_access: match entry.datastore_access {
            config::DatastoreAccess::Entra => DatastoreAccess::Entra,
            config::DatastoreAccess::Datastore => DatastoreAccess::Datastore,
        },
        archived: match entry.archived {
            config::Archived::Gap => Archived::Gap,
            config::Archived::Rehydrate => Archived::Rehydrate(Priority::Standard),
            config::Archived::RehydrateHigh => Archived::Rehydrate(Priority::High),
        },
        share_snapshot: entry.share_snapshot,
    }
}

/// The kind of data assets, which `data_max` is about.
pub fn data_kind() -> Option<&'static Kind> {
    Kind::find("data")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_workspace_or_a_folder() {
        let azure =
            Place::parse("azureml://subscriptions/s/resourceGroups/g/workspaces/w").unwrap();
        let long = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";
        assert_eq!(Place::parse(long).unwrap(), azure);
        assert_eq!(azure.own_name(), "w");
        let registry =
            Place::parse("azureml://subscriptions/s/resourceGroups/g/registries/r").unwrap();
        assert_eq!(registry.own_name(), "r");
        assert_ne!(registry, azure);
        assert_eq!(
            Place::parse("file:///srv/x").unwrap(),
            Place::parse("/srv/x").unwrap()
        );
        assert_eq!(Place::parse("/srv/my data").unwrap().own_name(), "my-data");
        for refused in [
            "azureml://subscriptions/s",
            "https://example.com",
            "azureml://subscriptions/s/resourceGroups/*/workspaces/*",
        ] {
            assert_eq!(
                Place::parse(refused).unwrap_err().status.code(),
                2,
                "{refused}"
            );
        }
    }
}
