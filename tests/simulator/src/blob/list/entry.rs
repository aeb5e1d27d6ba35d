//! One blob in a listing: current, an earlier version, or a snapshot, in the order of names and moments.

use std::iter::Peekable;

use crate::blob::copy::Copied;
use crate::blob::headers::base64;
use crate::blob::hold;
use crate::blob::lease::Standing;
use crate::blob::record::Blob;
use crate::blob::store::Container;
use crate::blob::version::Sort;
use crate::blob::xml::element;
use crate::call::Call;
use crate::clock::http_date;

use super::{includes, metadata_element, name_element};

/// What a caller wants to see, as `include` says.
pub(super) struct Shown {
    metadata: bool,
    versions: bool,
    snapshots: bool,
    copy: bool,
    retention: bool,
    hold: bool,
    types: bool,
}

impl Shown {
    /// `types`: whether files and directories are told apart.
    pub(super) fn of(call: &Call, types: bool) -> Self {
        Self {
            metadata: includes(call, "metadata"),
            versions: includes(call, "versions"),
            snapshots: includes(call, "snapshots"),
            copy: includes(call, "copy"),
            retention: includes(call, "immutabilitypolicy"),
            hold: includes(call, "legalhold"),
            types,
        }
    }

    fn shows(&self, sort: Sort) -> bool {
        match sort {
            Sort::Version => self.versions,
            Sort::Snapshot => self.snapshots,
        }
    }
}

/// A blob with its name, and with its moment where it is past.
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    blob: &'a Blob,
    pub(super) past: Option<(&'a str, Sort)>,
}

impl Entry<'_> {
    /// Where it stands among those of its name: the current one is the last.
    pub(super) fn moment(&self) -> &str {
        self.past.map_or("~", |(moment, _)| moment)
    }
}

/// All blobs from a name on.
pub(super) fn entries<'a>(
    held: &'a Container,
    first: &str,
    shown: &'a Shown,
) -> impl Iterator<Item = Entry<'a>> {
    let current = held.blobs.range(first.to_owned()..);
    let current = current.map(|(name, blob)| Entry {
        name,
        blob,
        past: None,
    });
    let from = (first.to_owned(), String::new(), Sort::Version);
    let past = held.past.range(from..);
    let past = past.filter(|((_, _, sort), _)| shown.shows(*sort));
    let past = past.map(|((name, moment, sort), blob)| Entry {
        name,
        blob,
        past: Some((moment, *sort)),
    });
    Merged {
        past: past.peekable(),
        current: current.peekable(),
    }
}

struct Merged<P: Iterator, C: Iterator> {
    past: Peekable<P>,
    current: Peekable<C>,
}

impl<'a, P, C> Iterator for Merged<P, C>
where
    P: Iterator<Item = Entry<'a>>,
    C: Iterator<Item = Entry<'a>>,
{
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        match (self.past.peek(), self.current.peek()) {
            (Some(past), Some(current)) if past.name <= current.name => self.past.next(),
            (Some(_), None) => self.past.next(),
            _ => self.current.next(),
        }
    }
}

/// Writes its `<Blob>`.
pub(super) fn write(xml: &mut String, entry: &Entry<'_>, standing: Standing, shown: &Shown) {
    xml.push_str("<Blob>");
    name_element(xml, entry.name);
    if let Some((moment, Sort::Snapshot)) = entry.past {
        element(xml, "Snapshot", moment);
    }
    if let Some(version) = entry.blob.version.as_deref().filter(|_| shown.versions) {
        element(xml, "VersionId", version);
        if entry.past.is_none() {
            element(xml, "IsCurrentVersion", "true");
        }
    }
    xml.push_str("<Properties>");
    content_properties(xml, entry.blob);
    tier_properties(xml, entry.blob);
    element(xml, "LeaseStatus", standing.status());
    element(xml, "LeaseState", standing.state());
    if let Some(duration) = standing.duration() {
        element(xml, "LeaseDuration", duration);
    }
    if let Some(copied) = entry.blob.copied.as_ref().filter(|_| shown.copy) {
        copy_properties(xml, copied, entry.blob.content.size());
    }
    element(xml, "ServerEncrypted", "true");
    if shown.types {
        let directory = entry.blob.directory;
        element(
            xml,
            "ResourceType",
            if directory { "directory" } else { "file" },
        );
    }
    kept_properties(xml, entry.blob, shown);
    xml.push_str("</Properties>");
    if shown.metadata {
        metadata_element(xml, &entry.blob.metadata);
    }
    xml.push_str("<OrMetadata /></Blob>");
}

fn content_properties(xml: &mut String, blob: &Blob) {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let headers = &blob.headers;
    let kind = headers
        .content_type
        .as_deref()
        .unwrap_or("application/octet-stream");
    let md5 = headers
        .md5
        .as_ref()
        .map(|it| base64(it))
        .unwrap_or_default();
    for (name, value) in [
        ("Creation-Time", http_date(blob.created)),
        ("Last-Modified", http_date(blob.modified)),
        ("Etag", blob.etag.clone()),
        ("Content-Length", blob.content.size().to_string()),
        ("Content-Type", kind.to_owned()),
        ("Content-Encoding", text(&headers.encoding)),
        ("Content-Language", text(&headers.language)),
        ("Content-CRC64", String::new()),
        ("Content-MD5", md5),
        ("Cache-Control", text(&headers.cache_control)),
        ("Content-Disposition", text(&headers.disposition)),
        ("BlobType", "BlockBlob".to_owned()),
    ] {
        element(xml, name, &value);
    }
}

fn tier_properties(xml: &mut String, blob: &Blob) {
    element(xml, "AccessTier", blob.tier().name());
    match blob.tier_changed {
        None => element(xml, "AccessTierInferred", "true"),
        Some(at) => element(xml, "AccessTierChangeTime", &http_date(at)),
    }
    if let Some(begun) = &blob.rehydration {
        element(xml, "ArchiveStatus", &begun.status());
        element(xml, "RehydratePriority", begun.priority.name());
    }
}

fn copy_properties(xml: &mut String, copied: &Copied, size: u64) {
    element(xml, "CopyId", &copied.id);
    element(xml, "CopyStatus", "success");
    element(xml, "CopySource", &copied.source);
    element(xml, "CopyProgress", &format!("{size}/{size}"));
    element(xml, "CopyCompletionTime", &http_date(copied.at));
}

fn kept_properties(xml: &mut String, blob: &Blob, shown: &Shown) {
    if let Some(retention) = blob.retention.filter(|_| shown.retention) {
        element(
            xml,
            "ImmutabilityPolicyUntilDate",
            &http_date(retention.until),
        );
        element(xml, "ImmutabilityPolicyMode", hold::mode(retention));
    }
    if shown.hold && blob.held {
        element(xml, "LegalHold", "true");
    }
}
