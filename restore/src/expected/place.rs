//! Where the bytes of an item go: to the place that its rewritten document names, to the place that the service gives,
//! or, where the source's place cannot be had in the target (among a run's artifacts, in a container of nobody), below
//! `LocalUpload/` of the default datastore, as the official SDK does.

use archive_format::{EntryKind, FileEntry};
use serde_json::Value;
use sha2::{Digest, Sha256};
use workspace::azure::InRegistry;
use workspace::reference::{Reference, Slot};
use workspace::{Content, Identity, Kind};

use super::Given;
use crate::snapshot::Loaded;

/// The default datastore of every workspace.
const DEFAULT_DATASTORE: &str = "workspaceblobstore";

/// A place of an item's bytes in the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BytesPlace {
    /// Where this reference leads: a folder, or one file.
    Named {
        /// The reference.
        uri: String,
        /// The reference to the folder: of one file, the one above it.
        folder: String,
        /// Why that is not the source's place, where it is not.
        moved: Option<&'static str>,
    },
    /// Below a place that the service gives, in this folder of it (empty: in its root).
    Pending {
        /// The folder's path, decoded.
        folder: String,
        /// The name of the one file that the document names, where it names no folder.
        single: Option<String>,
    },
}

impl BytesPlace {
    /// Why the bytes get another place than the source's.
    pub(super) fn moved(&self) -> Option<&'static str> {
        match self {
            Self::Named { moved, .. } => *moved,
            Self::Pending { .. } => None,
        }
    }
}

/// The pointer of the field that names where an item's bytes are.
pub(super) fn uri_pointer(kind: &Kind) -> Option<&'static str> {
    match kind.content {
        Content::Uri(pointer) => Some(pointer),
        _ => None,
    }
}

/// Whether the place of an item's bytes is a job's, so that the job must be restored first: not where the item's own
/// files are in the snapshot.
pub(crate) fn needs_job(kind: &Kind, loaded: &Loaded, pointer: &str) -> bool {
    uri_pointer(kind) != Some(pointer) || plain_files(loaded).next().is_none()
}

/// Decides the place, and writes it into the document where it is not the rewritten one.
pub(super) fn place(
    kind: &'static Kind,
    loaded: &Loaded,
    original: &Value,
    value: &mut Value,
    given: &Given<'_>,
) -> Option<BytesPlace> {
    let pointer = uri_pointer(kind)?;
    let from = original.pointer(pointer)?.as_str()?.to_owned();
    if kind.uploads_to_given_place(given.rewriter.target()) {
        return pending(kind, loaded, original, &from, given);
    }
    plain_files(loaded).next()?;
    let single = is_single(loaded, original, &from);
    let moved = must_move(&from, given);
    if moved.is_some() {
        let uri = local_upload(kind, loaded, &from, given)?;
        if let Some(slot) = value.pointer_mut(pointer) {
            *slot = Value::String(uri);
        }
    }
    let uri = value.pointer(pointer)?.as_str()?.trim_end_matches('/');
    if !is_writable(uri, given) {
        return None;
    }
    let folder = if single { parent(uri)? } else { uri };
    Some(BytesPlace::Named {
        uri: uri.to_owned(),
        folder: folder.to_owned(),
        moved,
    })
}

/// A place that the service gives, with the source's path below its container. Code has one however empty it is.
fn pending(
    kind: &Kind,
    loaded: &Loaded,
    original: &Value,
    from: &str,
    given: &Given<'_>,
) -> Option<BytesPlace> {
    let folder = folder_of(from, given.rewriter.source());
    if kind.restore == workspace::kind::Restore::PendingUpload {
        return Some(BytesPlace::Pending {
            folder,
            single: None,
        });
    }
    let first = plain_files(loaded).next()?;
    let last = from.trim_end_matches('/').rsplit('/').next();
    let is_single = is_single(loaded, original, from);
    let folder = match (is_single, folder.rsplit_once('/')) {
        (true, above) => above.map(|(above, _)| above.to_owned()).unwrap_or_default(),
        // A path in a datastore is no path of the new container: its last part tells the folder from others.
        (false, _) if folder.is_empty() => last.map(decode).unwrap_or_default(),
        (false, _) => folder,
    };
    Some(BytesPlace::Pending {
        folder,
        single: is_single.then(|| first.path.as_str().to_owned()),
    })
}

/// Why an item cannot be in a registry, where it cannot.
pub(super) fn lacks_place(kind: &Kind, loaded: &Loaded, original: &Value) -> Option<&'static str> {
    let uri = original.pointer(uri_pointer(kind)?)?.as_str()?;
    let lacks = !uri.is_empty() && plain_files(loaded).next().is_none();
    lacks.then_some(
        "its bytes are not in the snapshot, and a registry takes none that lie elsewhere",
    )
}

/// Why the source's place cannot be the place in the target, where it cannot.
fn must_move(uri: &str, given: &Given<'_>) -> Option<&'static str> {
    let reference = Reference::parse(uri)?;
    if matches!(given.rewriter.source(), Identity::Registry { .. })
        && reference.get(Slot::Account).is_some()
    {
        return Some("its bytes lay in storage of the registry, which is none of the target's");
    }
    let of_job = reference.get(Slot::Run).or_else(|| {
        reference
            .get(Slot::MaybeRun)
            .filter(|job| (given.job_known)(job))
    });
    match of_job {
        Some(job) if given.rewriter.stays() && (given.job_here)(job) => None,
        Some(_) => Some("its bytes lay among those of a job, which comes back as another run"),
        None => given.rewriter.map(&reference).left,
    }
}

/// Whether a place is one that a restore writes to: in a datastore, or in an account that one names. An address in
/// somebody else's account stays as it is, and so do the bytes there.
fn is_writable(uri: &str, given: &Given<'_>) -> bool {
    let reference = Reference::parse(uri);
    reference.is_some_and(|reference| match reference.get(Slot::Account) {
        Some(account) => given.accounts.contains(&account.to_ascii_lowercase()),
        None => reference.leads_to(given.rewriter.target()).is_some(),
    })
}

/// `LocalUpload/<digest of the files>/<name>` on the default datastore, in the form that the document had. In a registry
/// every form is an address; a workspace's models and data are named through a datastore, and the official SDK reads no others.
fn local_upload(kind: &Kind, loaded: &Loaded, from: &str, given: &Given<'_>) -> Option<String> {
    let of_registry = matches!(given.rewriter.source(), Identity::Registry { .. });
    let by_datastore = of_registry && kind.registry == Some(InRegistry::Bytes);
    let last = from
        .trim_end_matches('/')
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let name = if last.is_empty() || last.contains(':') {
        loaded.id.name.as_str()
    } else {
        last
    };
    let path = format!("LocalUpload/{}/{name}", digest(loaded));
    if from.starts_with("https://") && !by_datastore {
        return Some(format!("{}/{path}", given.default_container?));
    }
    let Identity::Azure {
        subscription,
        resource_group,
        workspace,
        ..
    } = given.rewriter.target()
    else {
        return None;
    };
    Some(format!(
        "azureml://subscriptions/{subscription}/resourcegroups/{resource_group}/workspaces/{workspace}\
         /datastores/{DEFAULT_DATASTORE}/paths/{path}"
    ))
}

/// One digest over paths and contents, so that the same files always get the same place.
fn digest(loaded: &Loaded) -> String {
    let mut files: Vec<(&str, String)> = plain_files(loaded)
        .filter_map(|file| {
            Some((
                file.path.as_str(),
                file.content.as_ref()?.sha256.to_string(),
            ))
        })
        .collect();
    files.sort();
    let mut hash = Sha256::new();
    for (path, sha256) in files {
        hash.update(sha256.as_bytes());
        hash.update(b"  ");
        hash.update(path.as_bytes());
        hash.update(b"\n");
    }
    hex::encode(hash.finalize())
}

fn plain_files(loaded: &Loaded) -> impl Iterator<Item = &FileEntry> {
    loaded
        .item
        .files
        .iter()
        .filter(|file| file.entry == EntryKind::File)
}

/// Whether the place names one blob and not a folder: its only file is called as the place's last part.
fn is_single(loaded: &Loaded, original: &Value, uri: &str) -> bool {
    let folder = original
        .pointer("/properties/dataType")
        .and_then(Value::as_str)
        .is_some_and(|data_type| data_type != "uri_file");
    let mut files = plain_files(loaded);
    let (Some(file), None) = (files.next(), files.next()) else {
        return false;
    };
    let last = uri.rsplit('/').next().unwrap_or_default();
    !folder && (file.path.as_str() == last || file.path.as_str() == decode(last))
}

fn parent(uri: &str) -> Option<&str> {
    uri.rsplit_once('/').map(|(parent, _)| parent)
}

/// The path below the container in a blob's address.
fn folder_of(uri: &str, source: &Identity) -> String {
    let reference = Reference::parse(uri);
    match reference
        .as_ref()
        .and_then(|reference| reference.leads_to(source))
    {
        Some(workspace::reference::Lead::Storage { path, encoded, .. }) => {
            let path = path.trim_matches('/');
            if encoded {
                decode(path)
            } else {
                path.to_owned()
            }
        }
        _ => String::new(),
    }
}

/// Percent-decoding (RFC 3986); text that is no UTF-8 afterwards stays as it was.
pub(crate) fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let coded = (byte == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|pair| std::str::from_utf8(pair).ok())
            .and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(coded.unwrap_or(byte));
        at += if coded.is_some() { 3 } else { 1 };
    }
    String::from_utf8(decoded).unwrap_or_else(|_| text.to_owned())
}
