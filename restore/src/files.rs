//! Files of an item compared with what lies at a place of the target: by size and MD5 where both sides have one,
//! otherwise by reading the target's bytes. Nothing here writes.

use std::collections::HashMap;

use archive_format::{EntryKind, FileEntry};
use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};
use workspace::azure::{AzureWorkspace, FileMeta, Place};
use workspace::{Attributes, Entry, Error, SourceFile, Workspace};

use crate::plan::Amount;

/// How many files are read at once where only their bytes can tell.
const READS_MAX: usize = 8;

/// How a file of the snapshot stands to the target's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// The same bytes.
    Same,
    /// Not there.
    Missing,
    /// Other bytes, or another sort of entry.
    Differs,
}

/// What lies at a place, by path.
pub(crate) type Present = HashMap<String, SourceFile>;

/// Lists a place.
pub(crate) async fn present(azure: &AzureWorkspace, place: &Place) -> Result<Present, Error> {
    azure
        .list_place(place)
        .map_ok(|file| (file.path.as_str().to_owned(), file))
        .try_collect()
        .await
}

/// How each of the files stands, in their order. `path_of` gives the path below the place.
pub(crate) async fn standings(
    target: &dyn Workspace,
    files: &[FileEntry],
    present: &Present,
    path_of: impl Fn(&FileEntry) -> String,
) -> Result<Vec<Standing>, Error> {
    let asked: Vec<(&FileEntry, Option<&SourceFile>)> = files
        .iter()
        .map(|file| (file, present.get(&path_of(file))))
        .collect();
    stream::iter(asked.into_iter().map(|(file, there)| async move {
        match there {
            Some(there) => standing(target, file, there).await,
            None => Ok(Standing::Missing),
        }
    }))
    .buffered(READS_MAX)
    .try_collect()
    .await
}

/// How a file stands to one that is there.
pub(crate) async fn standing(
    target: &dyn Workspace,
    file: &FileEntry,
    there: &SourceFile,
) -> Result<Standing, Error> {
    match told(file, there) {
        Some(true) => Ok(Standing::Same),
        Some(false) => Ok(Standing::Differs),
        None => read_standing(target, file, there).await,
    }
}

/// Whether two files are the same by what is known without reading.
fn told(file: &FileEntry, there: &SourceFile) -> Option<bool> {
    if entry_of(&file.entry) != there.entry {
        return Some(false);
    }
    if file.entry != EntryKind::File {
        return Some(true);
    }
    if there.size.is_some_and(|size| size != file.size()) {
        return Some(false);
    }
    let ours = file.validators.content_md5.as_ref()?;
    let theirs = there.validators.content_md5.as_ref()?;
    Some(ours == theirs)
}

async fn read_standing(
    target: &dyn Workspace,
    file: &FileEntry,
    there: &SourceFile,
) -> Result<Standing, Error> {
    let Some(content) = &file.content else {
        return Ok(Standing::Differs);
    };
    let sha256 = sha256(target, there).await?;
    Ok(if sha256 == content.sha256.to_string() {
        Standing::Same
    } else {
        Standing::Differs
    })
}

/// How the times and attributes of an entry stand to those of one that is there. `Missing`: it is another entry of the same
/// name, made at another time, whose times are its own.
pub(crate) fn times(file: &FileEntry, there: &SourceFile) -> Standing {
    let Some(own) = &file.attributes else {
        return Standing::Same;
    };
    let Some(there) = &there.attributes else {
        return Standing::Missing;
    };
    if own.created.is_none() || own.created != there.created {
        return Standing::Missing;
    }
    if own.written == there.written && own.flags == there.flags {
        Standing::Same
    } else {
        Standing::Differs
    }
}

/// The SHA-256 of the bytes in the target, in hex.
pub(crate) async fn sha256(target: &dyn Workspace, file: &SourceFile) -> Result<String, Error> {
    let mut stream = target.read(file).await?;
    let mut hash = Sha256::new();
    while let Some(piece) = stream.try_next().await? {
        hash.update(&piece);
    }
    Ok(hex::encode(hash.finalize()))
}

/// What the files that stand in a way amount to.
pub(crate) fn amount(files: &[FileEntry], standings: &[Standing], counted: Standing) -> Amount {
    files
        .iter()
        .zip(standings)
        .filter(|(_, standing)| **standing == counted)
        .fold(Amount::default(), |sum, (file, _)| Amount {
            files: sum.files + 1,
            bytes: sum.bytes + file.size(),
        })
}

/// What a file is written with.
pub(crate) fn meta(file: &FileEntry, overwrite: bool) -> FileMeta {
    FileMeta {
        size: file.size(),
        entry: entry_of(&file.entry),
        content_md5: file.validators.content_md5.clone(),
        content_type: file.content_type.clone(),
        metadata: file.metadata.clone(),
        attributes: file.attributes.as_ref().map(|attributes| Attributes {
            created: attributes.created,
            written: attributes.written,
            flags: attributes.flags.clone(),
            mode: attributes.mode,
        }),
        tier: file.tier.clone(),
        overwrite,
    }
}

fn entry_of(entry: &EntryKind) -> Entry {
    match entry {
        EntryKind::File => Entry::File,
        EntryKind::Directory => Entry::Directory,
        EntryKind::Symlink(target) => Entry::Symlink(target.clone()),
    }
}

#[cfg(test)]
mod tests;
