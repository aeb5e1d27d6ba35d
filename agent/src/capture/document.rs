//! Documents as the manifest keeps them: found again by a fingerprint, since who writes cannot read old documents.

use archive_format::{Digest, DocumentEntry, Stored, json};
use serde_json::Map;
use workspace::{Document, Form, Kind, pointer};

/// The word of the format for a document's shape.
pub(super) fn form(form: Form) -> &'static str {
    match form {
        Form::Arm => "arm",
        Form::RunHistory => "runhistory",
        Form::AzMl => "azml",
    }
}

/// The SHA-256 of the canonical document without what changes by itself.
pub(super) fn fingerprint(kind: &Kind, document: &Document) -> Digest {
    if kind.volatile.is_empty() {
        return Digest::of(&json::canonical(&document.value));
    }
    Digest::of(&json::canonical(&pointer::without(
        &document.value,
        kind.volatile,
    )))
}

/// The entry among those of before whose document says the same.
pub(super) fn find<'a>(
    kind: &Kind,
    document: &Document,
    before: &'a [DocumentEntry],
) -> Option<&'a DocumentEntry> {
    let mut of_form = before
        .iter()
        .filter(|entry| entry.form == form(document.form))
        .peekable();
    of_form.peek()?;
    let fingerprint = fingerprint(kind, document);
    of_form.find(|entry| entry.fingerprint == fingerprint)
}

/// The entry of a document just stored.
pub(super) fn entry(kind: &Kind, document: &Document, stored: Stored) -> DocumentEntry {
    DocumentEntry {
        form: form(document.form).to_owned(),
        api_version: document.api_version.clone(),
        read: document.read,
        address: stored.address,
        size: stored.size,
        fingerprint: fingerprint(kind, document),
        more: Map::new(),
    }
}
