//! The name of a file of a repository.

use std::fmt;

use crate::{Error, ExportId, PackName};

/// A relative name of `/`-separated parts of lowercase letters, digits, `.`, `-` and `_`. No part begins with a dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileName(String);

impl FileName {
    /// What the names of copies of archived files begin with.
    pub(crate) const COPIES: &str = "thawed/";

    /// Checks a name.
    pub fn new(name: impl Into<String>) -> Result<Self, Error> {
        let name = name.into();
        let part_fits = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part
                    .bytes()
                    .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
        };
        if name.len() <= 200 && name.split('/').all(part_fits) {
            Ok(Self(name))
        } else {
            Err(Error::Id {
                what: "the name of a repository file",
                text: name.chars().take(80).collect(),
            })
        }
    }

    /// `repository.json`.
    pub fn record() -> Self {
        Self("repository.json".to_owned())
    }

    /// `log/<number>`, ten digits.
    pub fn log(number: u64) -> Self {
        Self(format!("log/{number:010}"))
    }

    /// `checkpoints/<number>`, ten digits.
    pub fn checkpoint(number: u64) -> Self {
        Self(format!("checkpoints/{number:010}"))
    }

    /// `index/<pack>`.
    pub fn index(pack: &PackName) -> Self {
        Self(format!("index/{pack}"))
    }

    /// `packs/<first two digits>/<pack>`.
    pub fn pack(pack: &PackName) -> Self {
        let name = pack.to_string();
        Self(format!("packs/{}/{name}", &name[..2]))
    }

    /// `thawed/<name>`: where a copy of an archived file lies that can be read. It is no part of the repository: nothing needs
    /// it, and it may be deleted at any time.
    pub fn copy(&self) -> Result<Self, Error> {
        Self::new(format!("{}{}", Self::COPIES, self.0))
    }

    /// The file that this one is the copy of; none where it is no copy.
    pub(crate) fn original(&self) -> Option<Self> {
        let name = self.0.strip_prefix(Self::COPIES)?;
        Some(Self(name.to_owned()))
    }

    /// `keys/<edition>-<sort>.age`.
    pub fn key(edition: u32, sort: &str) -> Result<Self, Error> {
        Self::new(format!("keys/{edition}-{sort}.age"))
    }

    /// What the key files of exports begin with.
    pub(crate) const EXPORT_KEYS: &'static str = "keys/export-";

    /// `keys/export-<id>.age`.
    pub fn export_key(export: &ExportId) -> Self {
        Self(format!("{}{export}.age", Self::EXPORT_KEYS))
    }

    /// The export whose key file this is; none where it is no such file.
    pub(crate) fn export(&self) -> Option<ExportId> {
        let id = self.0.strip_prefix(Self::EXPORT_KEYS)?;
        let export = id.strip_suffix(".age")?.parse().ok()?;
        (Self::export_key(&export) == *self).then_some(export)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
