//! A bag that lies in a folder. Links are not followed: they are findings.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::checksum::Algorithm;
use super::judge::{Judge, Judgement};
use super::manifest::Sort;
use super::{ReadError, Reading, path};

/// How much is read at once.
const PIECE_BYTES: usize = 256 * 1024;
/// Deeper folders are none that a file system takes.
const DEPTH_MAX: usize = 512;

/// Reads a bag in a folder and judges it. Blocks; nothing is written.
///
/// # Errors
/// [`ReadError`] where the folder cannot be read; a bag that is not good is a [`Judgement`].
pub fn read_folder(folder: &Path, reading: Reading<'_>) -> Result<Judgement, ReadError> {
    let mut judge = Judge::new(reading);
    let mut top = entries(folder, "")?;
    let (payload, tags) = algorithms(&top);
    // First what says how the rest is to be read; the manifests come after the files that they speak of.
    top.sort_by_key(|entry| match Sort::of(&entry.path) {
        Sort::Declaration => (0, entry.path.clone()),
        Sort::Other => (1, entry.path.clone()),
        _ => (2, entry.path.clone()),
    });
    if !top
        .iter()
        .any(|entry| entry.path == "data" && entry.sort == Entry::Folder)
    {
        judge.error("data", "is not there");
    }
    let mut buffer = vec![0; PIECE_BYTES];
    let mut stack: Vec<std::vec::IntoIter<Found>> = vec![top.into_iter()];
    while let Some(level) = stack.last_mut() {
        let Some(found) = level.next() else {
            stack.pop();
            continue;
        };
        let wanted = match path::is_payload(&found.path) {
            true => &payload,
            false => &tags,
        };
        match found.sort {
            Entry::Folder if stack.len() < DEPTH_MAX => {
                stack.push(entries(&found.at, &found.path)?.into_iter());
            }
            Entry::Folder => judge.error(&found.path, "lies too deep"),
            Entry::Other => judge.error(&found.path, "is neither a file nor a folder"),
            Entry::File => {
                if !pass(&mut judge, &found, wanted, &mut buffer)? {
                    return Ok(judge.judgement);
                }
            }
        }
    }
    Ok(judge.finish())
}

/// Reads a file; whether to go on.
fn pass(
    judge: &mut Judge<'_>,
    found: &Found,
    algorithms: &[Algorithm],
    buffer: &mut [u8],
) -> Result<bool, ReadError> {
    let unread = |source| ReadError::Read {
        path: found.path.clone(),
        source,
    };
    let Some(passing) = judge.begin(&found.path, algorithms)? else {
        return Ok(true);
    };
    let file = File::open(&found.at).map_err(unread)?;
    judge.pass(passing, file, buffer).map_err(unread)
}

/// The checksums that the manifests at the top name: those of the payload, and those of tag files with SHA-256, which a
/// signature over them names. Of the payload, SHA-256 where nothing else is asked for.
fn algorithms(top: &[Found]) -> (Vec<Algorithm>, Vec<Algorithm>) {
    let (mut payload, mut tags) = (Vec::new(), vec![Algorithm::Sha256]);
    for entry in top {
        match Sort::of(&entry.path) {
            Sort::Manifest(algorithm) => payload.push(algorithm),
            Sort::TagManifest(algorithm) => tags.push(algorithm),
            _ => {}
        }
    }
    for of in [&mut payload, &mut tags] {
        of.sort_unstable();
        of.dedup();
    }
    (payload, tags)
}

struct Found {
    /// Below the bag.
    path: String,
    at: PathBuf,
    sort: Entry,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Entry {
    File,
    Folder,
    Other,
}

fn entries(folder: &Path, below: &str) -> Result<Vec<Found>, ReadError> {
    let unread = |source| ReadError::Read {
        path: match below {
            "" => folder.display().to_string(),
            below => below.to_owned(),
        },
        source,
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let sort = entry.file_type().map_err(unread)?;
        let name = entry.file_name();
        let (name, good) = match name.to_str() {
            Some(name) => (name.to_owned(), true),
            None => (name.to_string_lossy().into_owned(), false),
        };
        let sort = match good {
            true if sort.is_file() => Entry::File,
            true if sort.is_dir() => Entry::Folder,
            _ => Entry::Other,
        };
        let path = match below {
            "" => name,
            below => format!("{below}/{name}"),
        };
        found.push(Found {
            path,
            at: entry.path(),
            sort,
        });
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}
