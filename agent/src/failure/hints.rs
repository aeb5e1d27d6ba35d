//! What each library's error means for the person at the terminal: the exit code, and what to do next. The libraries
//! know neither.

use archive_format::{Error as ArchiveError, KeyLack, StorageError};
use restore::{Damaged, Error as RestoreError};
use workspace::Error as WorkspaceError;

use crate::capture::Error as CaptureError;
use crate::exit::ExitStatus;
use crate::failure::{Failure, chain};
use crate::store;

/// This program's version.
const VERSION: &str = env!("CARGO_PKG_VERSION");

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
            "`mlark doctor` says which permissions are missing, and `mlark doctor --grant` prints the az commands that give them",
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

impl Failure {
    /// A repository that could not be read or written.
    pub fn of_archive(error: &ArchiveError) -> Self {
        let failure = Self::new(status_of_archive(error), error.to_string());
        let failure = match std::error::Error::source(error) {
            Some(cause) => failure.why(chain(cause)),
            None => failure,
        };
        let next = match error {
            ArchiveError::Storage(storage) if !error.is_damage() => store::advice(storage).1,
            ArchiveError::UnknownVersion { found, known, .. } => Some(format!(
                "read it with a mlark that knows format {found}: the one that wrote it, or a later one; this is mlark {VERSION}, which reads formats up to {known}"
            )),
            ArchiveError::UnknownFlag { flag, .. } => Some(format!(
                "read it with a mlark that knows `{flag}`: the one that wrote it, or a later one; this is mlark {VERSION}"
            )),
            error => next_for_archive(error).map(str::to_owned),
        };
        match next {
            Some(next) => failure.next(next),
            None => failure,
        }
    }
}

fn status_of_archive(error: &ArchiveError) -> ExitStatus {
    match error {
        ArchiveError::NotARepository { .. } => ExitStatus::NoRepository,
        ArchiveError::Storage(storage) if !error.is_damage() => store::advice(storage).0,
        ArchiveError::NoKey(_) | ArchiveError::NoSigner { .. } | ArchiveError::Key { .. } => {
            ExitStatus::NoKey
        }
        ArchiveError::SnapshotUnknown { .. }
        | ArchiveError::SnapshotAmbiguous { .. }
        | ArchiveError::WorkspaceAmbiguous { .. }
        | ArchiveError::Forgotten { .. }
        | ArchiveError::Holder { .. }
        | ArchiveError::SecretsNeedEncryption
        | ArchiveError::CopyOntoItself { .. }
        | ArchiveError::Id { .. } => ExitStatus::Usage,
        error if error.is_damage() => ExitStatus::Damage,
        _ => ExitStatus::Failed,
    }
}

fn next_for_archive(error: &ArchiveError) -> Option<&'static str> {
    Some(match error {
        ArchiveError::NotARepository { .. } => {
            "make one with `mlark init`, or correct `url` under [repository] or --repository"
        }
        ArchiveError::AlreadyARepository { .. } => "use it as it is, or name an empty folder",
        ArchiveError::NoKey(lack) => next_for_lack(*lack),
        ArchiveError::NoSigner { .. } => {
            "name the key file that `mlark init` wrote with `key_file`; a new machine makes one with `mlark key generate --machine`, and an owner adds it"
        }
        ArchiveError::Holder { .. } => "`mlark key list` shows who holds keys",
        ArchiveError::Unfit { .. } => {
            "find out what that machine did; if its key was stolen, `mlark key revoke SIGNER --after ENTRY` draws a line before it"
        }
        ArchiveError::Revoked { .. } => "`mlark snapshots` lists those that count",
        ArchiveError::SnapshotUnknown { .. } => "`mlark snapshots` lists them",
        ArchiveError::SnapshotAmbiguous { .. } => "give more characters of the id",
        ArchiveError::WorkspaceAmbiguous { .. } => "write latest:WORKSPACE",
        ArchiveError::Rollback { .. } => {
            "do not write to this repository; find out who changed it, or bring back its newer state; `restore apply --partial` brings what is left"
        }
        ArchiveError::UnknownSigner { .. } | ArchiveError::Forged { .. } => {
            "somebody without a trusted key wrote this; restore nothing from it before that is explained"
        }
        error if error.is_damage() => "`mlark check` says what else is damaged and what it touches",
        ArchiveError::SecretsNeedEncryption => {
            "leave `secrets` out, or make an encrypted repository"
        }
        ArchiveError::CopyOntoItself { .. } => "name another repository with --to",
        ArchiveError::CatalogueNewer { .. } => "use a newer mlark",
        ArchiveError::CreateNotExclusive { .. } => {
            "use a local disk, or a network file system with O_EXCL"
        }
        ArchiveError::DeletesRefused { .. } => {
            "run it with a credential that may delete; where files are kept immutable, after their time"
        }
        _ => return None,
    })
}

fn next_for_lack(lack: KeyLack) -> &'static str {
    match lack {
        KeyLack::MachineOnly => {
            "name an owner's key: --identity-file FILE (or MLARK_IDENTITY_FILE, `identity_file`), or --passphrase-file FILE"
        }
        KeyLack::OwnerUnfit => "give the key or passphrase of an owner that `mlark key list` shows",
        KeyLack::Removed => {
            "an owner lets a key in again with `mlark key add`; a machine needs a new one from `mlark key generate --machine`"
        }
        KeyLack::OwnersSigning => {
            "name an owner's key: --identity-file FILE or --passphrase-file FILE; where nothing is encrypted, the key file that `mlark init` wrote"
        }
        KeyLack::NoneGiven | KeyLack::NoneFits => {
            "name this machine's key with `key_file`, or an owner's with --identity-file or --passphrase-file"
        }
    }
}

impl Failure {
    /// A selector or an item's name that cannot be read: wrong usage.
    pub fn of_selector(error: &WorkspaceError) -> Self {
        let failure = Self::usage(error.to_string());
        match error {
            WorkspaceError::UnknownKind { .. } | WorkspaceError::UnknownAttribute { .. } => failure,
            _ => failure.next("write KIND, KIND/NAME or KIND/NAME:VERSION; quote it for the shell"),
        }
    }
}

impl Failure {
    /// A backup that made no snapshot.
    pub fn of_capture(error: &CaptureError) -> Self {
        match error {
            CaptureError::Unreadable { workspace, source } => {
                Self::of_workspace(source).with_place(workspace)
            }
            CaptureError::Repository { workspace, source } => {
                Self::of_archive(source).with_place(workspace)
            }
            _ => Self::failed(error.to_string()).because_source(error),
        }
    }

    fn because_source(self, error: &dyn std::error::Error) -> Self {
        match error.source() {
            Some(cause) => self.why(chain(cause)),
            None => self,
        }
    }
}

impl Failure {
    /// The store of an export that could not be written or read.
    fn of_destination(error: &StorageError) -> Self {
        let failure = Self::failed(error.to_string());
        match store::advice(error).1 {
            Some(next) => failure.next(next),
            None => failure,
        }
    }

    /// A restore that could not go on as a whole.
    pub fn of_restore(error: &RestoreError) -> Self {
        let source = std::error::Error::source(error);
        let inner = source.and_then(|source| {
            let archive = source.downcast_ref::<ArchiveError>().map(Self::of_archive);
            let workspace = source.downcast_ref::<WorkspaceError>();
            let storage = source.downcast_ref::<StorageError>();
            let damaged = source.downcast_ref::<Damaged>().map(|damaged| {
                let next = match damaged {
                    Damaged::Sealed(_) => "`mlark export verify --read-data` says what is damaged",
                    Damaged::Folder(_) => "export it anew, or restore from the repository itself",
                };
                Self::new(ExitStatus::Damage, damaged.to_string()).next(next)
            });
            archive
                .or(damaged)
                .or_else(|| workspace.map(Self::of_workspace))
                .or_else(|| storage.map(Self::of_destination))
        });
        let (status, next) = match error {
            RestoreError::Busy { .. } => (
                ExitStatus::Busy,
                Some("wait for it to end; the mark of one that died vanishes by itself within a minute".to_owned()),
            ),
            RestoreError::Option { .. }
            | RestoreError::ReadPlan(_)
            | RestoreError::PlanEdition { .. }
            | RestoreError::FolderEdition { .. }
            | RestoreError::OtherPlan { .. }
            | RestoreError::Mapping(_)
            | RestoreError::Selection(_) => (ExitStatus::Usage, None),
            RestoreError::Lost { .. } => (
                ExitStatus::Damage,
                Some("`mlark check` says what is damaged; --partial brings the rest, and lists what is missing".to_owned()),
            ),
            RestoreError::NoWorkspace { .. } => (
                ExitStatus::Failed,
                Some("check the subscription, resource group and name; `mlark restore plan … --create-workspace` makes the workspace from the snapshot".to_owned()),
            ),
            RestoreError::SoftlyDeleted { command, .. } => (
                ExitStatus::Failed,
                Some(format!("recovering it costs nothing and loses less than a restore: {command}; else restore under another name")),
            ),
            RestoreError::Beside { command, .. } => (
                ExitStatus::Failed,
                Some(format!("`mlark restore plan` lists them all with what to do; the first: {command}")),
            ),
            RestoreError::OtherThanShown { .. } => (
                ExitStatus::Failed,
                Some("look at a new plan; what was made stays, and applying that goes on from there".to_owned()),
            ),
            RestoreError::Changed { .. } => (
                ExitStatus::Failed,
                Some("plan again: `mlark restore plan … --save` another file, look at it, apply that".to_owned()),
            ),
            _ => inner.map_or((ExitStatus::Failed, None), |inner| (inner.status, inner.next)),
        };
        let mut failure = Self::new(status, error.to_string()).because_source(error);
        failure.next = next;
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_later_version_wrote_is_told_with_what_can_read_it() {
        let what = "The repository".to_owned();
        let of = |error| Failure::of_archive(&error).next.unwrap_or_default();
        let version = of(ArchiveError::UnknownVersion {
            what: what.clone(),
            found: 3,
            known: 1,
        });
        assert!(
            version.contains("format 3")
                && version.contains("up to 1")
                && version.contains(VERSION),
            "{version}"
        );
        let flag = of(ArchiveError::UnknownFlag {
            what,
            flag: "differences".to_owned(),
        });
        assert!(
            flag.contains("`differences`") && flag.contains(VERSION),
            "{flag}"
        );
    }

    #[test]
    fn a_file_that_is_longer_than_the_format_allows_is_damage_and_a_store_that_fails_is_none() {
        let status = |fault| {
            let error = StorageError {
                act: "read",
                name: "log/0000000002".to_owned(),
                place: "/srv/mlark".to_owned(),
                fault,
                source: "x".into(),
            };
            Failure::of_archive(&ArchiveError::Storage(error)).status
        };
        use archive_format::storage::StorageFault;
        assert_eq!(status(StorageFault::TooLarge), ExitStatus::Damage);
        assert_eq!(status(StorageFault::TooShort), ExitStatus::Damage);
        assert_eq!(status(StorageFault::Other), ExitStatus::Failed);
    }
}
