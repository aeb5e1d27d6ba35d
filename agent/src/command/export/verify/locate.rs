//! What a word on the command line means: an export where it lies or as the log names it, a bag's folder, a tar.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::{Digest, Repository, Storage};
use futures::TryStreamExt;
use restore::Error;
use restore::bag::SealRecord;
use restore::bag::verify::read_seal;

use crate::command::export::erase::known;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::session::Session;
use crate::thaw;

/// More exports at one place are not told one by one.
const EXPORTS_MAX: usize = 20;
/// What the name of a seal's record ends with.
const SEAL: &str = ".seal/seal.json";

/// What is to be verified.
#[derive(Debug)]
pub(super) enum At {
    /// A bag in a folder.
    Folder(PathBuf),
    /// A tar, of which no seal lies beside it.
    File(PathBuf),
    /// An export.
    Export(Box<Export>),
}

/// An export where it lies.
#[derive(Debug)]
pub(in crate::command) struct Export {
    pub(in crate::command) storage: Arc<dyn Storage>,
    pub(in crate::command) name: String,
    /// Where it lies, as a command takes it: place and name.
    pub(in crate::command) at: String,
    pub(in crate::command) seal: SealRecord,
    /// The SHA-256 of its `seal.json`.
    pub(in crate::command) digest: Digest,
    /// The repository, where it was asked for the export's place.
    pub(in crate::command) repository: Option<Repository>,
}

/// What lies where an export of a name would.
#[derive(Debug)]
pub(in crate::command) enum Lying {
    /// An export with a seal that can be read.
    Export(Box<Export>),
    /// A seal of which nothing can be read: it is damaged, or of an edition that this version does not know.
    Unread(Failure),
    /// No seal, in this store.
    Nothing(Arc<dyn Storage>),
}

/// Finds what a word means.
pub(super) async fn locate(session: &Session, word: &str) -> Result<At, Failure> {
    let path = Path::new(word);
    if is_bag(path) {
        return Ok(At::Folder(path.to_owned()));
    }
    if let Some(export) = export(session, word).await? {
        return Ok(At::Export(Box::new(export)));
    }
    if path.is_file() {
        return Ok(At::File(path.to_owned()));
    }
    if path.is_dir() {
        return Ok(At::Folder(path.to_owned()));
    }
    let repository = match word.contains('/') {
        true => None,
        false => Some(session.open_repository().await?),
    };
    let Some(repository) = repository else {
        return Err(nothing(word));
    };
    let known = known(&repository, word).await?.export;
    let found = at(session, &known.url, &known.name).await?;
    let Some(mut found) = found else {
        return Err(nothing(&format!("{}/{}", known.url, known.name)));
    };
    found.repository = Some(repository);
    Ok(At::Export(Box::new(found)))
}

fn nothing(word: &str) -> Failure {
    Failure::usage("There is no whole export")
        .on(word)
        .why("neither a seal.json that says so lies there, nor is it the folder of a bag or a tar")
}

/// Whether a folder has what only a bag has.
fn is_bag(path: &Path) -> bool {
    path.join("bagit.txt").is_file() || path.join("data").is_dir()
}

/// The export that a word names by its place; none where none lies there.
pub(in crate::command) async fn export(
    session: &Session,
    word: &str,
) -> Result<Option<Export>, Failure> {
    let trimmed = plain(word);
    if let Some((place, name)) = trimmed.rsplit_once('/')
        && !name.is_empty()
        && !place.ends_with(":/")
        && let Some(found) = at(session, if place.is_empty() { "/" } else { place }, name).await?
    {
        return Ok(Some(found));
    }
    let is_destination = session
        .config
        .destination
        .iter()
        .any(|known| known.name == word);
    if !trimmed.contains('/') && !is_destination {
        let here = Path::new(".").join(format!("{trimmed}{SEAL}"));
        return match here.is_file() {
            true => at(session, ".", trimmed).await,
            false => Ok(None),
        };
    }
    if !is_destination && !word.contains("://") && !Path::new(word).is_dir() {
        return Ok(None);
    }
    only_one(session, word).await
}

/// A word without what the files of an export are named besides.
fn plain(word: &str) -> &str {
    let word = word.trim_end_matches('/');
    let word = word.strip_suffix("/seal.json").unwrap_or(word);
    if let Some(name) = word.strip_suffix(".seal") {
        return name;
    }
    let cut = word.rsplit_once('-').filter(|(_, number)| {
        number.len() >= 3 && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let unnumbered = cut.map_or(word, |(rest, _)| rest);
    for ending in [".tar.age", ".tar"] {
        if let Some(name) = unnumbered.strip_suffix(ending) {
            return name;
        }
    }
    word
}

/// What lies where an export of a name would.
///
/// # Errors
/// The place cannot be read.
pub(in crate::command) async fn lying(
    session: &Session,
    place: &str,
    name: &str,
) -> Result<Lying, Failure> {
    let (destination, address) = session.destination(place)?;
    let storage: Arc<dyn Storage> = session.destination_storage(&destination, &address).await?;
    let at = format!("{}/{name}", place.trim_end_matches('/'));
    match read_seal(storage.as_ref(), name).await {
        Ok(None) => Ok(Lying::Nothing(storage)),
        Ok(Some((seal, digest))) => Ok(Lying::Export(Box::new(Export {
            storage,
            name: name.to_owned(),
            at,
            seal,
            digest,
            repository: None,
        }))),
        Err(error @ Error::ExportEdition { .. }) => Ok(Lying::Unread(
            Failure::of_restore(&error)
                .with_place(&at)
                .next("use a newer mlark"),
        )),
        // It is there and says nothing that can be read.
        Err(error) if matches!(error, Error::Export { .. }) || error.is_damage() => {
            Ok(Lying::Unread(
                Failure::new(ExitStatus::Damage, "The seal of the export is damaged")
                    .on(at)
                    .because(&error),
            ))
        }
        Err(error) => Err(Failure::of_restore(&error).with_place(place)),
    }
}

async fn at(session: &Session, place: &str, name: &str) -> Result<Option<Export>, Failure> {
    match lying(session, place, name).await? {
        Lying::Export(export) => Ok(Some(*export)),
        Lying::Unread(failure) => Err(failure),
        Lying::Nothing(_) => Ok(None),
    }
}

/// Whether any file of an export of a name is left, whole or not.
pub(in crate::command) async fn is_left(
    storage: &dyn Storage,
    name: &str,
) -> Result<bool, Failure> {
    let seal = format!("{name}.seal/");
    for prefix in [seal.clone(), format!("{name}.tar")] {
        let mut listed = storage.list(&prefix);
        while let Some(file) = listed.try_next().await.map_err(thaw::of_storage)? {
            let file = file.name.as_str();
            // Another export's name may begin with this one's.
            if file.starts_with(&seal) || plain(file) == name {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// The one export at a place.
async fn only_one(session: &Session, place: &str) -> Result<Option<Export>, Failure> {
    let (destination, address) = session.destination(place)?;
    let storage: Arc<dyn Storage> = session.destination_storage(&destination, &address).await?;
    let mut listed = storage.list("");
    let mut names: Vec<String> = Vec::new();
    loop {
        let file = listed.try_next().await;
        let file =
            file.map_err(|error| Failure::of_archive(&archive_format::Error::Storage(error)))?;
        let Some(file) = file else {
            break;
        };
        let name = file.name.as_str().strip_suffix(SEAL);
        if let Some(name) = name.filter(|name| !name.contains('/'))
            && names.len() <= EXPORTS_MAX
        {
            names.push(name.to_owned());
        }
    }
    drop(listed);
    match names.as_slice() {
        [] => Ok(None),
        [one] => at(session, place, one).await,
        several => Err(Failure::usage("Several exports lie there")
            .on(place)
            .why(several.join(", "))
            .next("name one of them behind a slash")),
    }
}
