//! What a restore writes to.

use std::path::{Path, PathBuf};

use workspace::azure::{AzureWorkspace, Connection, ReadOptions, WorkspaceName};
use workspace::folder::Folder;

use crate::Error;
use crate::creation::Absent;

/// A target of a restore.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one target")]
pub enum Target {
    /// An Azure ML workspace.
    Azure(AzureWorkspace),
    /// An Azure ML workspace that is not there, and may be made.
    Absent(Absent),
    /// A folder, for files and notebooks.
    Folder(Folder),
    /// A folder that is not there, by its absolute path: a plan can be made, and whoever carries it out makes the folder.
    NewFolder(PathBuf),
}

/// The error of whoever needs the folder itself.
pub(crate) fn missing(path: &Path) -> Error {
    Error::target(path.display().to_string(), "the folder is not there")
}

impl Target {
    /// Opens a workspace in Azure. One that is not there is a target too: a plan makes it where it is asked to.
    pub async fn open(
        connection: &Connection,
        name: &WorkspaceName,
        options: ReadOptions,
    ) -> Result<Self, workspace::Error> {
        match AzureWorkspace::open(connection, name, options).await {
            Ok(azure) => Ok(Self::Azure(azure)),
            Err(said @ (workspace::Error::NotFound(_) | workspace::Error::Conflict(_))) => {
                Ok(Self::Absent(Absent {
                    connection: connection.clone(),
                    name: name.clone(),
                    options,
                    said,
                }))
            }
            Err(error) => Err(error),
        }
    }
}
