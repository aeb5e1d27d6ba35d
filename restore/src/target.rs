//! What a restore writes to.

use workspace::azure::AzureWorkspace;
use workspace::folder::Folder;
use workspace::{Identity, Workspace};

/// A target of a restore.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a process has one target")]
pub enum Target {
    /// An Azure ML workspace.
    Azure(AzureWorkspace),
    /// A folder, for files and notebooks.
    Folder(Folder),
}

impl Target {
    /// What names it.
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Azure(azure) => azure.identity(),
            Self::Folder(folder) => folder.identity(),
        }
    }
}
