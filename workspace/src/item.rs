//! The name of one thing in a workspace: `KIND/NAME`, `KIND/NAME:VERSION` or `KIND/NAME/SEGMENT/NAME`.

use std::fmt;
use std::str::FromStr;

use crate::Error;
use crate::select::{Escaped, read_item};

/// One thing of a kind: a name, for versioned kinds with a version.
///
/// `kind` is the name of a row of the table of kinds (ARM's own word, such as `models`), or of a kind that the table
/// does not know. Names are case-sensitive, as Azure ML's are. A notebook's name is its path in the share.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct ItemId {
    /// The kind, in ARM's spelling: `jobs`, `models`, `notebooks`, …
    pub kind: String,
    /// The name within the kind; of what lies below another item `ABOVE/NAME`.
    pub name: String,
    /// The version, for versioned kinds.
    pub version: Option<String>,
}

impl ItemId {
    /// An item of a kind without versions.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            version: None,
        }
    }

    /// One version of an item.
    pub fn versioned(
        kind: impl Into<String>,
        name: impl Into<String>,
        version: impl Into<String>,
    ) -> Self {
        Self {
            kind: kind.into(),
            name: name.into(),
            version: Some(version.into()),
        }
    }
}

/// Writes `KIND/NAME[:VERSION]`, or `KIND/NAME/SEGMENT/NAME` of what lies below another item, with a `\` before each character that selectors would not take literally: what is
/// printed here is read back as the same item, and selects it and nothing else but its versions.
impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = crate::Kind::find(&self.kind);
        if let Some((above, segment, name)) = self.nested() {
            let [above_name, name] = [above.name.as_str(), name].map(|text| Escaped {
                text,
                colon: false,
                slash: true,
            });
            return write!(f, "{}/{above_name}/{segment}/{name}", above.kind);
        }
        let name = Escaped {
            text: &self.name,
            colon: kind.is_none_or(|kind| kind.versioned),
            slash: kind.is_some_and(|kind| kind.below().next().is_some()),
        };
        write!(f, "{}/{name}", self.kind)?;
        match &self.version {
            Some(version) => {
                let version = Escaped {
                    text: version,
                    colon: false,
                    slash: false,
                };
                write!(f, ":{version}")
            }
            None => Ok(()),
        }
    }
}

/// Reads what [`ItemId`]'s `Display` writes. A pattern, a file or an empty part is refused.
impl FromStr for ItemId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        read_item(text)
    }
}
