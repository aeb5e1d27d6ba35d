//! The place that a drill restores into: one that holds nothing, is nobody's source, and goes away afterwards.

use std::path::{Path, PathBuf};

use futures::TryStreamExt;
use restore::Target;
use tokio::fs;
use workspace::azure::{AzureWorkspace, WorkspaceName};
use workspace::{Identity, Workspace};

use crate::command::restore::open;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::session::repository::{absolute, make_folder};

/// What every workspace has by itself, or what lies around it: a workspace that has nothing else is empty.
const AROUND: [&str; 5] = [
    "workspaces",
    "computes",
    "outboundRules",
    "privateEndpointConnections",
    "roleAssignments",
];

/// Where a drill goes.
#[derive(Debug)]
pub(super) enum Scratch {
    /// A folder; whether it was there before.
    Folder { path: PathBuf, was_there: bool },
    /// A workspace, as it was named, opened.
    Workspace { text: String, target: Box<Target> },
}

impl Scratch {
    /// Looks at the place that was wished for; without one it is a new folder below `own`.
    pub(super) async fn find(
        session: &Session,
        source: Option<&Identity>,
        into: Option<&str>,
        own: &Path,
    ) -> Result<Self, Failure> {
        let Some(text) = into else {
            return Ok(Self::Folder {
                path: own.join("restored"),
                was_there: false,
            });
        };
        let place = session.target(text)?.0;
        refuse_source(session, source, text, &place)?;
        match place {
            Place::Folder(path) => folder(&absolute(&path)).await,
            Place::Azure(name) => {
                let target = open::target(session, text, false).await?;
                // That it is not there is said by the plan.
                if let Target::Azure(azure) = &target {
                    refuse_used(azure, &name).await?;
                }
                let text = text.to_owned();
                let target = Box::new(target);
                Ok(Self::Workspace { text, target })
            }
        }
    }

    /// Where it is, for people.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Folder { path, .. } => path.display().to_string(),
            Self::Workspace { text, .. } => text.clone(),
        }
    }

    /// Makes a folder that was not there.
    pub(super) fn make(&self) -> Result<(), Failure> {
        match self {
            Self::Folder { path, .. } => make_folder(path),
            Self::Workspace { .. } => Ok(()),
        }
    }

    /// Takes away what was restored: a folder with all that is in it, of one that was there only what is in it. In a
    /// workspace nothing is deleted. Gives where something stays.
    pub(super) async fn clear(&self) -> Result<Option<String>, Failure> {
        match self {
            Self::Workspace { text, .. } => Ok(Some(text.clone())),
            Self::Folder { path, was_there } => {
                let cleared = match was_there {
                    true => empty(path).await,
                    false => fs::remove_dir_all(path).await,
                };
                cleared.map(|()| None).map_err(|error| {
                    Failure::failed("What was restored cannot be removed")
                        .on(path.display())
                        .why(error)
                        .next("remove the folder by hand: it holds the contents of the backup in the clear")
                })
            }
        }
    }
}

async fn empty(path: &Path) -> std::io::Result<()> {
    let mut entries = fs::read_dir(path).await?;
    while let Some(entry) = entries.next_entry().await? {
        match entry.file_type().await?.is_dir() {
            true => fs::remove_dir_all(entry.path()).await?,
            false => fs::remove_file(entry.path()).await?,
        }
    }
    Ok(())
}

/// A drill never touches what is backed up: neither the snapshot's own source nor any workspace of the configuration.
fn refuse_source(
    session: &Session,
    source: Option<&Identity>,
    text: &str,
    place: &Place,
) -> Result<(), Failure> {
    let mut sources: Vec<Place> = session
        .config
        .workspace
        .iter()
        .filter_map(|entry| Place::parse(&entry.url).ok())
        .collect();
    sources.extend(source.and_then(|source| match source {
        Identity::Folder(path) => Some(Place::Folder(path.clone())),
        other => other.name().map(Place::Azure),
    }));
    if sources.iter().any(|source| is_within(place, source)) {
        return Err(Failure::usage("A drill does not restore into what is backed up")
            .on(text)
            .next("name an empty workspace or folder, or none: then it is a folder below the cache"));
    }
    Ok(())
}

fn is_within(place: &Place, source: &Place) -> bool {
    match (place, source) {
        (Place::Azure(one), Place::Azure(other)) => {
            one.arm_id().eq_ignore_ascii_case(&other.arm_id())
        }
        (Place::Folder(one), Place::Folder(other)) => absolute(one).starts_with(absolute(other)),
        _ => false,
    }
}

async fn folder(path: &Path) -> Result<Scratch, Failure> {
    let refused = |error: std::io::Error| {
        Failure::failed("The folder cannot be read")
            .on(path.display())
            .why(error)
    };
    match fs::read_dir(path).await {
        Ok(mut entries) => match entries.next_entry().await.map_err(refused)? {
            None => Ok(Scratch::Folder {
                path: path.to_path_buf(),
                was_there: true,
            }),
            Some(entry) => Err(not_empty(
                &path.display().to_string(),
                &entry.file_name().to_string_lossy(),
            )),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Scratch::Folder {
            path: path.to_path_buf(),
            was_there: false,
        }),
        Err(error) => Err(refused(error)),
    }
}

fn not_empty(place: &str, found: &str) -> Failure {
    Failure::usage("A drill needs an empty place")
        .on(place)
        .why(format!("`{}` is in it", found.escape_debug()))
        .next("name an empty workspace or folder, or none: then it is a folder below the cache")
}

/// Refuses a workspace that holds anything that somebody made.
async fn refuse_used(azure: &AzureWorkspace, name: &WorkspaceName) -> Result<(), Failure> {
    for kind in azure.kinds() {
        if AROUND.contains(&kind.name) {
            continue;
        }
        let mut listed = azure.list(kind);
        while let Some(item) = listed
            .try_next()
            .await
            .map_err(|error| Failure::of_workspace(&error).with_place(&name.to_string()))?
        {
            let by_itself = item
                .document
                .as_ref()
                .is_some_and(|document| (kind.mapped_by_name)(&item.id, &document.value).is_some());
            if !by_itself {
                return Err(not_empty(&name.to_string(), &item.id.to_string()));
            }
        }
    }
    Ok(())
}
