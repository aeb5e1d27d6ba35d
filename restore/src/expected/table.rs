//! Files of an item that are written with other bytes: those named `MLTable`, whose addresses follow the restore.

use std::collections::BTreeMap;

use archive_format::{Content, Digest, FileEntry, Validators};
use bytes::Bytes;
use workspace::reference::Rewriter;

use super::Shaping;
use crate::mltable;
use crate::snapshot::Loaded;
use crate::{Action, Loss};

/// A file as it will be in the target.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// What the target is expected to have.
    pub(crate) entry: FileEntry,
    /// Its bytes.
    pub(crate) bytes: Bytes,
}

impl Shaping<'_> {
    /// The files that become others, with a row each, and a row for each that may still lead to the source.
    pub(super) fn tables(
        &mut self,
        loaded: &Loaded,
        rewriter: &Rewriter,
    ) -> BTreeMap<String, Table> {
        let mut tables = BTreeMap::new();
        if rewriter.stays() || !self.kind.tables {
            return tables;
        }
        for file in &loaded.item.files {
            if !mltable::is_named(file.path.as_str()) {
                continue;
            }
            let path = file.path.as_str();
            let bytes = loaded.tables.get(path);
            let Some(written) = bytes.and_then(|bytes| mltable::rewrite(bytes, rewriter)) else {
                self.table_row(path, "it is not read: too large, or no text", KEPT);
                continue;
            };
            for (text, reason) in &written.left {
                self.table_row(
                    &format!("{path}: {text}"),
                    reason,
                    "it leads out of the target",
                );
            }
            if written.unread {
                self.table_row(
                    path,
                    "a part of it is written in a way that is not read",
                    KEPT,
                );
            }
            if !written.mentioned.is_empty() {
                let names = written.mentioned.join(", ");
                let what = format!("mentions-source {path}");
                let reason = format!("it mentions {names} in text that is no address");
                self.losses
                    .push(Loss::new(self.id, Action::Create, what, reason, KEPT));
            }
            if written.replaced > 0 {
                let substitute = format!(
                    "the same file with {} of its addresses replaced",
                    written.replaced
                );
                self.table_row(path, "addresses in it lead to the source", &substitute);
                tables.insert(path.to_owned(), table(file, written.text));
            }
        }
        tables
    }

    fn table_row(&mut self, what: &str, reason: &str, substitute: &str) {
        self.losses
            .push(Loss::new(self.id, Action::Create, what, reason, substitute));
    }
}

const KEPT: &str = "kept byte by byte";

fn table(file: &FileEntry, text: String) -> Table {
    let bytes = Bytes::from(text);
    let mut entry = file.clone();
    // Nobody has stated anything of these bytes yet.
    entry.validators = Validators::default();
    entry.content = Some(Content {
        size: bytes.len() as u64,
        sha256: Digest::of(&bytes),
        chunks: Vec::new(),
        chunk_list: None,
    });
    Table { entry, bytes }
}
