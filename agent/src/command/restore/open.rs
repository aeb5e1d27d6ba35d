//! What every restore needs: the target opened, the request made of options, the journal.

use std::fs;

use archive_format::Repository;
use restore::{Include, Journal, Options, Request, Target};
use workspace::Folder;
use workspace::azure::{AzureWorkspace, Connection, ReadOptions, Settings, WorkspaceName};

use super::{Choices, Included};
use crate::azure;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::session::repository::make_folder;

/// The largest mapping or plan file that is taken, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Opens the target that a name or an address means; `make` makes a folder that is not there.
pub(super) async fn target(session: &Session, text: &str, make: bool) -> Result<Target, Failure> {
    let (place, azure) = session.target(text)?;
    let opened = match place {
        Place::Azure(name) => {
            let settings = azure::settings(&azure, &session.context, None)?;
            open_azure(settings, &name).await
        }
        Place::Folder(path) if make => Folder::create(path).await.map(Target::Folder),
        Place::Folder(path) => Folder::open(path).await.map(Target::Folder),
    };
    opened.map_err(|error| Failure::of_workspace(&error).with_place(text))
}

async fn open_azure(settings: Settings, name: &WorkspaceName) -> Result<Target, workspace::Error> {
    let connection = Connection::open(settings).await?;
    let workspace = AzureWorkspace::open(&connection, name, ReadOptions::default()).await?;
    Ok(Target::Azure(workspace))
}

/// What is asked of the library.
pub(super) fn request(
    session: &Session,
    selectors: &[String],
    target: &str,
    choices: &Choices,
) -> Result<Request, Failure> {
    session.selection(selectors)?;
    let mapping = match &choices.mapping {
        Some(file) => String::from_utf8(read_file(file, "The mapping")?).map_err(|error| {
            Failure::usage("The mapping cannot be read")
                .on(file.display())
                .because(&error)
        })?,
        None => String::new(),
    };
    Ok(Request {
        selectors: selectors.to_vec(),
        target: target.to_owned(),
        options: Options {
            on_conflict: choices.on_conflict.into(),
            include: Include {
                secrets: choices.include.contains(&Included::Secrets),
            },
            partial: false,
            mapping,
        },
        now: session.context.clock.now(),
    })
}

/// The journal of this machine for a repository.
pub(super) async fn journal(
    session: &Session,
    repository: &Repository,
) -> Result<Journal, Failure> {
    let folder = session.repository_cache(repository)?;
    make_folder(&folder)?;
    Journal::open(&folder)
        .await
        .map_err(|error| Failure::of_restore(&error))
}

/// The bytes of a file that the user named.
pub(super) fn read_file(file: &std::path::Path, what: &str) -> Result<Vec<u8>, Failure> {
    let refused = |error: &dyn std::fmt::Display| {
        Failure::usage(format!("{what} cannot be read"))
            .on(file.display())
            .why(error)
    };
    let size = fs::metadata(file).map_err(|error| refused(&error))?.len();
    if size > FILE_BYTES_MAX {
        return Err(refused(&"it is larger than 1 GiB"));
    }
    fs::read(file).map_err(|error| refused(&error))
}
