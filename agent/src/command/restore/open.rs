//! What every restore needs: what it reads from, found and opened, the target, the request made of options, the journal.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive_format::{
    Digest, Error as ArchiveError, Identity, Repository, SnapshotRecord, Storage,
};
use restore::bag::verify::{Logged, Outcome, VerifyRequest, verify_export};
use restore::bag::{ExportedBag, SealRecord};
use restore::{ExportedFolder, Include, Journal, Options, Origin, Request, Target};
use workspace::Folder;
use workspace::azure::{Connection, ReadOptions, Settings, WorkspaceName};

use super::{Choices, Included};
use crate::azure;
use crate::command::export::verify::{self, locate};
use crate::command::export::vouch::Vouch;
use crate::exit::ExitStatus;
use crate::failure::Failure;
use crate::place::Place;
use crate::session::Session;
use crate::session::repository::make_folder;

/// The largest mapping or plan file that is taken, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// Opens the target that a name or an address means. `new`: a folder that is not there is one too.
pub(in crate::command) async fn target(
    session: &Session,
    text: &str,
    new: bool,
) -> Result<Target, Failure> {
    let (place, azure) = session.target(text)?;
    let opened = match place {
        Place::Azure(name) => {
            let settings = azure::settings(&azure, &session.context, None)?;
            open_azure(settings, &name).await
        }
        Place::Folder(path) => folder(path, new).await,
    };
    opened.map_err(|error| Failure::of_workspace(&error).with_place(text))
}

async fn folder(path: PathBuf, new: bool) -> Result<Target, workspace::Error> {
    if new && let Some(path) = Folder::path_when_made(&path).await? {
        return Ok(Target::NewFolder(path));
    }
    Folder::open(path).await.map(Target::Folder)
}

/// The folder of a plan that is to be carried out, made where it is not there.
pub(in crate::command) async fn made(path: &Path) -> Result<Target, Failure> {
    let folder = Folder::create(path).await;
    let failed = |error| Failure::of_workspace(&error).with_place(&path.display().to_string());
    folder.map(Target::Folder).map_err(failed)
}

async fn open_azure(settings: Settings, name: &WorkspaceName) -> Result<Target, workspace::Error> {
    let connection = Connection::open(settings).await?;
    Target::open(&connection, name, ReadOptions::default()).await
}

/// What is asked of the library.
pub(in crate::command) fn request(
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
                compute: choices.include.contains(&Included::Compute),
                deployments: choices.include.contains(&Included::Deployments),
                resubmit: choices.resubmit,
            },
            create_workspace: false,
            partial: false,
            mapping,
        },
        now: session.context.clock.now(),
    })
}

/// How a repository is opened.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    /// To know where contents lie.
    Places,
    /// To read names, and contents where they are asked for.
    Names,
    /// To read contents.
    Contents,
    /// To read contents, passing over what is damaged.
    Damaged,
}

/// What a restore reads from, and where its journal lies.
#[derive(Debug)]
pub(in crate::command) struct Opened {
    pub(super) origin: Origin,
    journal: PathBuf,
}

impl Opened {
    /// The journal of this machine for it.
    pub(super) async fn journal(&self) -> Result<Journal, Failure> {
        journal_in(&self.journal).await
    }
}

/// What a text names. An export is opened by reading its tar, which may be archived: its seal says what must come back first.
#[derive(Debug)]
pub(super) enum Found {
    /// It is open.
    Opened(Opened),
    /// An export where it lies.
    Sealed(Box<Sealed>),
}

/// An export that is to be opened.
#[derive(Debug)]
pub(super) struct Sealed {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) seal: SealRecord,
    identities: Vec<Identity>,
    journal: PathBuf,
    /// What the user called it.
    text: String,
}

impl Found {
    /// Whether it is an export, which no plan file can name.
    pub(super) fn is_export(&self) -> bool {
        match self {
            Self::Opened(opened) => matches!(opened.origin, Origin::Folder(_) | Origin::Bag(_)),
            Self::Sealed(_) => true,
        }
    }

    /// The store that its contents lie in; none of a folder.
    pub(super) fn storage(&self) -> Option<Arc<dyn Storage>> {
        match self {
            Self::Sealed(sealed) => Some(Arc::clone(&sealed.storage)),
            Self::Opened(opened) => match &opened.origin {
                Origin::Archive(reader) => Some(Arc::clone(reader.repository().storage())),
                Origin::Folder(_) | Origin::Bag(_) => None,
            },
        }
    }

    /// Opens it.
    pub(super) async fn open(self) -> Result<Opened, Failure> {
        let sealed = match self {
            Self::Opened(opened) => return Ok(opened),
            Self::Sealed(sealed) => *sealed,
        };
        let bag = ExportedBag::open(&sealed.storage, sealed.seal, sealed.identities).await;
        let bag = bag.map_err(|error| Failure::of_restore(&error).with_place(&sealed.text))?;
        Ok(Opened {
            origin: Origin::Bag(bag),
            journal: sealed.journal,
        })
    }
}

/// Finds the snapshot that a text names: a folder that `export folder` wrote, a sealed export, else one of the repository.
pub(super) async fn find(
    session: &Session,
    text: &str,
    way: Way,
    vouch: &Vouch,
) -> Result<Found, Failure> {
    let path = Path::new(text);
    if ExportedFolder::is_one(path) {
        let folder = ExportedFolder::open(path)
            .await
            .map_err(|error| Failure::of_restore(&error).with_place(text))?;
        return Ok(Found::Opened(Opened {
            origin: Origin::Folder(folder),
            journal: session.cache_root()?.join("folders"),
        }));
    }
    if let Some(export) = locate::export(session, text).await? {
        let sealed = sealed(session, text, export, vouch).await?;
        if !matches!(way, Way::Places) {
            let Sealed {
                storage,
                seal,
                identities,
                ..
            } = &sealed;
            let tried = ExportedBag::try_keys(storage, seal, identities).await;
            tried.map_err(|error| Failure::of_restore(&error).with_place(text))?;
        }
        return Ok(Found::Sealed(Box::new(sealed)));
    }
    let repository = match way {
        Way::Places | Way::Names => session.open_repository().await?,
        Way::Contents => session.open_repository_with_contents().await?,
        Way::Damaged => session.open_damaged_repository_with_contents().await?,
    };
    let record = session.resolve(&repository, text).await?;
    snapshot(session, &repository, &record).map(Found::Opened)
}

/// An export where it lies. What opens an encrypted one is an identity file, or the repository that it came from.
async fn sealed(
    session: &Session,
    text: &str,
    export: locate::Export,
    vouch: &Vouch,
) -> Result<Sealed, Failure> {
    let locate::Export {
        storage,
        seal,
        digest,
        ..
    } = export;
    let mut identities = vouch.identities(session, seal.export).await?;
    match verify::at_hand(session, &seal).await {
        None => {
            let known = (&storage, &seal, identities.clone());
            refuse_what_was_not_signed(session, text, known, vouch).await?;
        }
        Some(repository) => {
            refuse_another(verify::logged(&repository, &seal).await?, digest, text)?;
            identities.extend(key_of(&repository, &seal).await?);
        }
    }
    Ok(Sealed {
        storage,
        seal,
        identities,
        journal: session.cache_root()?.join("exports"),
        text: text.to_owned(),
    })
}

/// Without a repository the seal alone says what the export is: it is judged by who counts as its signer. What is wrong is
/// refused; an export of which nobody here can tell who made it is told to be one.
async fn refuse_what_was_not_signed(
    session: &Session,
    text: &str,
    (storage, seal, identities): (&Arc<dyn Storage>, &SealRecord, Vec<Identity>),
    vouch: &Vouch,
) -> Result<(), Failure> {
    let request = VerifyRequest {
        name: seal.name.clone(),
        read_data: false,
        identities,
        trust: vouch.trust(session)?,
        signer_named: vouch.names_a_signer(),
        authority: vouch.authority(session)?,
        logged: Logged::Unasked,
        now: session.context.clock.now(),
    };
    let verified = verify_export(storage, &request, Arc::new(|_| true)).await;
    let verified = verified.map_err(|error| Failure::of_restore(&error).with_place(text))?;
    let refused = |why: String| {
        Failure::new(ExitStatus::Damage, "The export is not what was signed")
            .on(text)
            .why(why)
            .next("`mlark export verify` says all that is wrong")
    };
    let outcome = |outcome: Outcome| {
        let mut checks = verified.checks.iter();
        checks.find(move |check| check.outcome == outcome)
    };
    if let Some(bad) = outcome(Outcome::Bad) {
        return Err(refused(format!("{}: {}", bad.check, bad.found)));
    }
    let mut checks = verified.checks.iter();
    let signature = checks.find(|check| check.check == "signature");
    match signature {
        Some(signed) if signed.outcome == Outcome::Good => {
            let by = &signed.found;
            session.ui.note(&format!(
                "No repository vouches for this export; its signature does: {by}"
            ));
            Ok(())
        }
        unsigned if vouch.names_a_signer() => {
            let why = unsigned.map_or("it is not signed", |check| check.found.as_str());
            Err(refused(why.to_owned()))
        }
        _ => {
            session.ui.note(
                "Neither a repository nor a signature that counts vouches for this export; name who has to have signed it with --key or --ca",
            );
            Ok(())
        }
    }
}

/// Refuses an export that is not the one that the repository's log names.
fn refuse_another(logged: Logged, digest: Digest, text: &str) -> Result<(), Failure> {
    match logged.vouches(digest) {
        true => Ok(()),
        false => Err(not_in_the_log(text)),
    }
}

/// An export that the repository's log does not name.
pub(in crate::command) fn not_in_the_log(text: &str) -> Failure {
    Failure::new(
        ExitStatus::Damage,
        "The export is not one that the repository's log names",
    )
    .on(text)
    .next("`mlark export verify` says what differs")
}

/// The key of an encrypted export, where an owner or auditor is at hand.
pub(in crate::command) async fn key_of(
    repository: &Repository,
    seal: &SealRecord,
) -> Result<Option<Identity>, Failure> {
    if !seal.encrypted {
        return Ok(None);
    }
    match repository.export_key(seal.export).await {
        Ok(pair) => Ok(pair.map(Identity::from)),
        Err(ArchiveError::NoKey(_)) => Ok(None),
        Err(error) => Err(Failure::of_archive(&error)),
    }
}

/// A snapshot of an open repository.
pub(in crate::command) fn snapshot(
    session: &Session,
    repository: &Repository,
    record: &SnapshotRecord,
) -> Result<Opened, Failure> {
    Ok(Opened {
        origin: Origin::from(&repository.snapshot(record)),
        journal: session.repository_cache(repository)?,
    })
}

/// The journal of this machine for a repository.
pub(super) async fn journal(
    session: &Session,
    repository: &Repository,
) -> Result<Journal, Failure> {
    journal_in(&session.repository_cache(repository)?).await
}

async fn journal_in(folder: &Path) -> Result<Journal, Failure> {
    make_folder(folder)?;
    Journal::open(folder)
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
