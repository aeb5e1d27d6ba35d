//! What is noted of each file of a bag, and the lines that its tables have for it.

use serde::{Deserialize, Serialize};
use workspace::ItemId;

use super::{csv, layout};

/// A file of a bag, or something that has no bytes and stands in its table alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The path below the bag; empty where it has no bytes.
    pub(crate) path: String,
    /// Where its bytes begin in the tar.
    pub(crate) offset: u64,
    /// How many there are.
    pub(crate) size: u64,
    /// SHA-256 and SHA-512 in hex.
    pub(crate) sha256: String,
    pub(crate) sha512: String,
    /// What it is: `document`, `yaml`, `file`, `metric`, `item`, `directory`, `link`, `bag`.
    pub(crate) what: String,
    /// The item.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) item: Option<ItemId>,
    /// Its own name: a file's path, a document's form; of a link what it leads to besides.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) own: String,
    /// The content type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) content_type: String,
    /// Where the text of a tag file lies in the spool of texts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text_at: Option<u64>,
    /// Which table a tag file is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<Table>,
}

impl Record {
    /// Something about the bag itself.
    pub(crate) fn of_bag(path: &str) -> Self {
        Self {
            path: path.to_owned(),
            what: "bag".to_owned(),
            ..Self::default()
        }
    }

    /// Something of an item.
    pub(crate) fn of_item(id: &ItemId, what: &str, own: &str, path: String) -> Self {
        Self {
            path,
            what: what.to_owned(),
            item: Some(id.clone()),
            own: own.to_owned(),
            ..Self::default()
        }
    }
}

/// A table that is made of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Table {
    /// `manifest-sha256.txt`
    Sha256,
    /// `manifest-sha512.txt`
    Sha512,
    /// `data/index.csv`
    Index,
    /// `members.jsonl` of the seal
    Members,
    /// `exclusions.csv`: its rows are kept as they are.
    Exclusions,
}

impl Table {
    /// Those that are made of what is known of each file of the payload.
    pub(crate) const OF_PAYLOAD: [Self; 4] =
        [Self::Sha256, Self::Sha512, Self::Index, Self::Members];

    /// What it begins with.
    pub(crate) fn head(self) -> String {
        match self {
            Self::Sha256 | Self::Sha512 | Self::Members => String::new(),
            Self::Index => csv::row([
                "path",
                "what",
                "kind",
                "name",
                "version",
                "own_name",
                "size",
                "sha256",
                "content_type",
            ]),
            Self::Exclusions => csv::row(["sort", "kind", "item", "what", "reason", "count"]),
        }
    }

    /// The line of a record; empty where it has none.
    pub(crate) fn line(self, record: &Record) -> String {
        let has_bytes = !record.path.is_empty();
        match self {
            Self::Sha256 if has_bytes => format!("{}  {}\n", record.sha256, record.path),
            Self::Sha512 if has_bytes => format!("{}  {}\n", record.sha512, record.path),
            Self::Members if has_bytes => {
                let member = serde_json::json!({
                    "path": record.path, "offset": record.offset, "size": record.size, "sha256": record.sha256,
                });
                format!("{member}\n")
            }
            Self::Index if record.path != layout::INDEX => index_row(record),
            _ => String::new(),
        }
    }
}

fn index_row(record: &Record) -> String {
    let (kind, name, version) = match &record.item {
        Some(id) => (
            id.kind.as_str(),
            id.name.as_str(),
            id.version.as_deref().unwrap_or_default(),
        ),
        None => Default::default(),
    };
    let size = record.size.to_string();
    csv::row([
        record.path.as_str(),
        &record.what,
        kind,
        name,
        version,
        &record.own,
        &size,
        &record.sha256,
        &record.content_type,
    ])
}
