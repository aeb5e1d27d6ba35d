//! What conditions ask about, and who answers.

use std::str::FromStr;

use jiff::Timestamp;

use crate::{Document, Error, Kind};

/// Something that a condition can ask about an item.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AttributeName {
    /// The name within the kind.
    Name,
    /// The version.
    Version,
    /// The discriminator of its kind: `Command`, `custom_model`, `uri_file`.
    Type,
    /// The experiment of a job.
    Experiment,
    /// The status of a job.
    Status,
    /// When it was created.
    Created,
    /// When it was last changed.
    Modified,
    /// When a job started.
    Started,
    /// When a job ended.
    Ended,
    /// Who created it.
    Creator,
    /// Whether it is archived.
    Archived,
    /// Whether it is anonymous.
    Anonymous,
    /// The bytes of its files.
    Size,
    /// The value of a tag.
    Tag(String),
}

const NAMES: &[(&str, AttributeName)] = &[
    ("name", AttributeName::Name),
    ("version", AttributeName::Version),
    ("type", AttributeName::Type),
    ("experiment", AttributeName::Experiment),
    ("status", AttributeName::Status),
    ("created", AttributeName::Created),
    ("modified", AttributeName::Modified),
    ("started", AttributeName::Started),
    ("ended", AttributeName::Ended),
    ("creator", AttributeName::Creator),
    ("archived", AttributeName::Archived),
    ("anonymous", AttributeName::Anonymous),
    ("size", AttributeName::Size),
];

impl FromStr for AttributeName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        if let Some(tag) = text.strip_prefix("tag.").filter(|tag| !tag.is_empty()) {
            return Ok(Self::Tag(tag.to_owned()));
        }
        NAMES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, attribute)| attribute.clone())
            .ok_or_else(|| Error::UnknownAttribute {
                name: text.to_owned(),
                nearest: nearest(
                    text,
                    NAMES.iter().map(|(name, _)| *name).chain(["tag.NAME"]),
                ),
            })
    }
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum AttributeValue {
    /// The item has none.
    Absent,
    /// Text.
    Text(String),
    /// A moment.
    Time(Timestamp),
    /// A number of bytes.
    Size(u64),
    /// Yes or no.
    Flag(bool),
}

/// Who answers for an item.
pub trait Attributes {
    /// The value, or `None` where it is not known yet.
    fn attribute(&self, name: &AttributeName) -> Option<AttributeValue>;
}

/// Nothing is known but the name.
impl Attributes for () {
    fn attribute(&self, _: &AttributeName) -> Option<AttributeValue> {
        None
    }
}

/// What is known of an item from its documents and files.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// The row of its kind; `None` for a kind that the table does not have.
    pub kind: Option<&'static Kind>,
    /// The documents at hand.
    pub documents: &'a [Document],
    /// The bytes of its files, once they are listed.
    pub size: Option<u64>,
    /// When it was last written, for entries of a share or folder.
    pub written: Option<Timestamp>,
}

impl Attributes for Known<'_> {
    fn attribute(&self, name: &AttributeName) -> Option<AttributeValue> {
        match name {
            AttributeName::Size => self.size.map(AttributeValue::Size),
            AttributeName::Modified if self.written.is_some() => {
                self.written.map(AttributeValue::Time)
            }
            _ => match self.kind {
                Some(kind) => (kind.attribute)(self.documents, name),
                None => Some(AttributeValue::Absent),
            },
        }
    }
}

/// The word that was most likely meant.
pub(crate) fn nearest(
    text: &str,
    words: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let lower = text.to_lowercase();
    words
        .map(|word| (strsim::jaro_winkler(&lower, &word.to_lowercase()), word))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|(one, _), (two, _)| one.total_cmp(two))
        .map(|(_, word)| word)
}
