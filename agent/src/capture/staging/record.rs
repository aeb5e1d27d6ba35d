//! A listed file as the temporary database keeps it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use workspace::{Attributes, Entry, FilePath, Location, SourceFile, Validators};

use super::super::Error;

/// The fields of a [`SourceFile`].
#[derive(Serialize, Deserialize)]
pub(super) struct FileRecord<'a> {
    path: Cow<'a, FilePath>,
    entry: Cow<'a, Entry>,
    size: Option<u64>,
    validators: Cow<'a, Validators>,
    content_type: Cow<'a, Option<String>>,
    metadata: Cow<'a, BTreeMap<String, String>>,
    tier: Cow<'a, Option<String>>,
    attributes: Cow<'a, Option<Attributes>>,
    place: Place,
}

/// The forms of a [`Location`].
#[derive(Serialize, Deserialize)]
enum Place {
    Blob(String),
    Share(String),
    Metric(String, String, Option<String>),
    Local(PathBuf),
}

impl<'a> FileRecord<'a> {
    /// The record of a listed file.
    pub(super) fn of(file: &'a SourceFile) -> Self {
        Self {
            path: Cow::Borrowed(&file.path),
            entry: Cow::Borrowed(&file.entry),
            size: file.size,
            validators: Cow::Borrowed(&file.validators),
            content_type: Cow::Borrowed(&file.content_type),
            metadata: Cow::Borrowed(&file.metadata),
            tier: Cow::Borrowed(&file.tier),
            attributes: Cow::Borrowed(&file.attributes),
            place: match &file.location {
                Location::Blob(url) => Place::Blob(url.to_string()),
                Location::Share(url) => Place::Share(url.to_string()),
                Location::Metric {
                    run,
                    metric,
                    namespace,
                } => Place::Metric(run.clone(), metric.clone(), namespace.clone()),
                Location::Local(path) => Place::Local(path.clone()),
            },
        }
    }

    /// The listed file again.
    pub(super) fn into_file(self) -> Result<SourceFile, Error> {
        let url = |text: String| {
            text.parse().map_err(|_| Error::Remember {
                source: serde::de::Error::custom("a place that is no address"),
            })
        };
        let location = match self.place {
            Place::Blob(text) => Location::Blob(url(text)?),
            Place::Share(text) => Location::Share(url(text)?),
            Place::Metric(run, metric, namespace) => Location::Metric {
                run,
                metric,
                namespace,
            },
            Place::Local(path) => Location::Local(path),
        };
        Ok(SourceFile {
            path: self.path.into_owned(),
            entry: self.entry.into_owned(),
            size: self.size,
            validators: self.validators.into_owned(),
            content_type: self.content_type.into_owned(),
            metadata: self.metadata.into_owned(),
            tier: self.tier.into_owned(),
            attributes: self.attributes.into_owned(),
            location,
        })
    }
}
