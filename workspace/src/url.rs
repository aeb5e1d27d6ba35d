//! What people write for a workspace, as a source or as a target: an Azure ML workspace or a folder.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use url::Url;

use crate::Error;
use crate::azure::WorkspaceName;

/// The address of a workspace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkspaceUrl {
    /// `azureml://subscriptions/S/resourceGroups/G/workspaces/W`, or an ARM id. Group and name may be `*`.
    Azure(WorkspaceName),
    /// A path or a `file://` URL. Relative paths stay relative.
    Folder(PathBuf),
}

impl FromStr for WorkspaceUrl {
    type Err = Error;

    /// An `azureml:` URL and `/subscriptions/…` are workspaces, `file:` URLs and everything that looks like a path (it
    /// has a slash, or is `.`, `..` or `~…`) is a folder. Any other word is refused: it is a name of the configuration,
    /// which the caller looks up first.
    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = |what| Error::Name {
            text: text.to_owned(),
            what,
        };
        let starts = |start: &str| {
            text.get(..start.len())
                .is_some_and(|head| head.eq_ignore_ascii_case(start))
        };
        if starts("azureml:") || starts("/subscriptions/") {
            return text.parse().map(Self::Azure);
        }
        if starts("file:") {
            let url = Url::parse(text).map_err(|_| refused("a file:// URL"))?;
            let path = url
                .to_file_path()
                .map_err(|()| refused("a file:// URL of this machine"))?;
            return Ok(Self::Folder(path));
        }
        if text.contains("://") {
            return Err(refused(
                "a workspace (azureml://…) or a folder (a path or file://…)",
            ));
        }
        let is_path = text.contains('/') || matches!(text, "." | "..") || text.starts_with('~');
        if is_path && !text.contains('\0') {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        Err(refused(
            "a workspace (azureml://… or an ARM id) or a folder (a path with a `/`, or file://…)",
        ))
    }
}

impl fmt::Display for WorkspaceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Azure(name) => name.fmt(f),
            Self::Folder(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_and_folders_are_told_apart() -> Result<(), Error> {
        let short = "azureml://subscriptions/s/resourceGroups/g/workspaces/w";
        let long = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w";
        let name = WorkspaceName::new("s", "g", "w")?;
        assert_eq!(
            short.parse::<WorkspaceUrl>()?,
            WorkspaceUrl::Azure(name.clone())
        );
        assert_eq!(long.parse::<WorkspaceUrl>()?, WorkspaceUrl::Azure(name));
        for (text, path) in [
            ("/srv/data", "/srv/data"),
            ("./a b", "./a b"),
            (".", "."),
            ("file:///srv/a%20b", "/srv/a b"),
        ] {
            assert_eq!(
                text.parse::<WorkspaceUrl>()?,
                WorkspaceUrl::Folder(path.into()),
                "{text}"
            );
        }
        Ok(())
    }

    #[test]
    fn what_is_neither_is_refused() {
        for text in [
            "",
            "prod",
            "https://example.com/x",
            "azureml://x",
            "file://host/x",
            "s3://a/b",
        ] {
            assert!(text.parse::<WorkspaceUrl>().is_err(), "{text}");
        }
    }
}
