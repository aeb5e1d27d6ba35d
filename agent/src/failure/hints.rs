//! What each library's error means for the person at the terminal: the exit code, and what to do next. The libraries
//! know neither.

use workspace::Error as WorkspaceError;

use crate::exit::ExitStatus;
use crate::failure::{Failure, chain};

impl Failure {
    /// A workspace that could not be read or written.
    pub fn of_workspace(error: &WorkspaceError) -> Self {
        let failure = Self::new(ExitStatus::Failed, error.to_string());
        let failure = match std::error::Error::source(error) {
            Some(cause) => failure.why(chain(cause)),
            None => failure,
        };
        match next_for(error) {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

fn next_for(error: &WorkspaceError) -> Option<&'static str> {
    match error {
        WorkspaceError::Unreachable { .. } | WorkspaceError::Broken { .. } => Some(
            "check the name, the network and the firewall; `cloud` and `ca_file` under [azure] must fit the cloud",
        ),
        WorkspaceError::Credential { .. } => Some(
            "check `credential` and its keys under [azure]; `az login` helps for \"azure-cli\"",
        ),
        WorkspaceError::Forbidden(_) => Some(
            "give mlark's identity the role Reader on the workspace, and Storage Blob Data Reader and Storage File Data Privileged Reader on its storage account",
        ),
        WorkspaceError::NotFound(_) => {
            Some("check the subscription, resource group and name in the workspace's `url`")
        }
        WorkspaceError::Locked { .. } => {
            Some("wait for that restore to end; its mark vanishes a minute after it died")
        }
        _ => None,
    }
}
