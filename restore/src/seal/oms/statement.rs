//! The statement inside a bundle: which files, with which digests, and what of the folder was left out.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Fault;

const WHAT: &str = "statement";
const STATEMENT: &str = "https://in-toto.io/Statement/v1";
const PREDICATE: &str = "https://model_signing/signature/v1.0";
/// What every signer leaves out at the top of a folder (section 6.2), and every verifier with it.
const IGNORED: [&str; 4] = [".git", ".gitattributes", ".github", ".gitignore"];

/// A file of a signed folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Resource {
    /// Its path from the folder, parts joined by `/`.
    pub name: String,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
}

impl Resource {
    /// Whether it lies where no signer and no verifier looks: such a file is not to be signed.
    pub fn is_ignored(&self) -> bool {
        let first = self.name.split('/').next().unwrap_or_default();
        IGNORED.contains(&first)
    }
}

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    subject: String,
    resources: Vec<Entry>,
    how: Serialization,
}

impl Statement {
    pub(super) fn new(
        subject: &str,
        resources: &[Resource],
        ignored: &[&str],
    ) -> Result<Self, Fault> {
        let mut resources: Vec<Entry> = resources
            .iter()
            .map(|resource| Entry {
                name: resource.name.clone(),
                digest: hex::encode(resource.sha256),
                algorithm: Algorithm::Sha256,
            })
            .collect();
        resources.sort_by(|one, other| one.name.cmp(&other.name));
        let ignored: BTreeSet<&str> = IGNORED.into_iter().chain(ignored.iter().copied()).collect();
        let statement = Self {
            subject: subject.to_owned(),
            resources,
            how: Serialization {
                method: Order::Files,
                hash_type: Algorithm::Sha256,
                shard_size: None,
                allow_symlinks: false,
                ignore_paths: Some(ignored.into_iter().map(str::to_owned).collect()),
            },
        };
        statement.check()?;
        Ok(statement)
    }

    pub(super) fn to_json(&self) -> Result<Vec<u8>, Fault> {
        let file = File {
            sort: STATEMENT.to_owned(),
            subject: vec![Subject {
                name: self.subject.clone(),
                digest: Root {
                    sha256: self.root()?,
                },
            }],
            predicate_type: PREDICATE.to_owned(),
            predicate: Predicate {
                resources: self.resources.clone(),
                serialization: self.how.clone(),
            },
        };
        serde_json::to_vec(&file).map_err(|error| Fault::unread(WHAT, error))
    }

    pub(super) fn parse(payload: &[u8]) -> Result<Self, Fault> {
        let kept: Types =
            serde_json::from_slice(payload).map_err(|error| Fault::unread(WHAT, error))?;
        if kept.sort != STATEMENT {
            return Err(rule(format!("its type is `{}`", kept.sort)));
        }
        if kept.predicate_type != PREDICATE {
            return Err(rule(format!("its predicate is `{}`", kept.predicate_type)));
        }
        let file: File =
            serde_json::from_slice(payload).map_err(|error| Fault::unread(WHAT, error))?;
        let [subject] = file.subject.as_slice() else {
            return Err(rule("it has not exactly one subject"));
        };
        let statement = Self {
            subject: subject.name.clone(),
            resources: file.predicate.resources,
            how: file.predicate.serialization,
        };
        statement.check()?;
        if statement.root()? != subject.digest.sha256 {
            return Err(rule("the subject's digest is not that of its resources"));
        }
        Ok(statement)
    }

    /// The rules of section 5.2 and 6.1.2.
    fn check(&self) -> Result<(), Fault> {
        if self.resources.is_empty() {
            return Err(rule("it lists no file"));
        }
        if self.subject.is_empty() {
            return Err(rule("its subject has no name"));
        }
        let sharded = self.how.shard_size.is_some();
        if sharded != (self.how.method == Order::Shards) || self.how.shard_size == Some(0) {
            return Err(rule("a shard size goes with shards, and with nothing else"));
        }
        for pair in self.resources.windows(2) {
            if let [one, other] = pair
                && one.name >= other.name
            {
                let name = other.name.escape_debug();
                return Err(rule(format!("`{name}` stands twice or out of order")));
            }
        }
        for entry in &self.resources {
            let name = entry.name.escape_debug();
            if !is_canonical(&entry.name) {
                return Err(rule(format!("the path `{name}` is not canonical")));
            }
            if entry.algorithm != self.how.hash_type {
                return Err(rule(format!("`{name}` has another hash than the rest")));
            }
            let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
            if entry.digest.len() != entry.algorithm.digits() || !entry.digest.bytes().all(lower) {
                return Err(rule(format!("`{name}` has no digest in lower-case hex")));
            }
        }
        Ok(())
    }

    fn root(&self) -> Result<String, Fault> {
        let mut root = Sha256::new();
        for entry in &self.resources {
            let digest = hex::decode(&entry.digest);
            root.update(digest.map_err(|error| Fault::unread(WHAT, error))?);
        }
        Ok(hex::encode(root.finalize()))
    }

    /// The base name of the folder, for information alone.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The signed files, sorted by path.
    ///
    /// # Errors
    /// `Fault::Unknown` for shards, and for hashes other than SHA-256, which mlark never writes.
    pub fn files(&self) -> Result<Vec<Resource>, Fault> {
        if self.how.method == Order::Shards {
            return Err(Fault::unknown(WHAT, "files cut into shards"));
        }
        if self.how.hash_type != Algorithm::Sha256 {
            return Err(Fault::unknown(WHAT, "digests other than SHA-256"));
        }
        let read = |entry: &Entry| {
            let mut sha256 = [0; 32];
            hex::decode_to_slice(&entry.digest, &mut sha256)
                .map_err(|error| Fault::unread(WHAT, error))?;
            Ok(Resource {
                name: entry.name.clone(),
                sha256,
            })
        };
        self.resources.iter().map(read).collect()
    }

    /// Whether a path below the folder is left out of the signature: one that is ignored, or lies below one.
    pub fn ignores(&self, path: &str) -> bool {
        let written = self.how.ignore_paths.as_deref().unwrap_or_default();
        let all = IGNORED
            .into_iter()
            .chain(written.iter().map(String::as_str));
        all.into_iter().any(|ignored| {
            path.strip_prefix(ignored)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// How the files of a folder differ from those that are signed: a sentence each, empty where they are the same.
    ///
    /// # Errors
    /// As [`Statement::files`].
    pub fn differences(&self, found: &[Resource]) -> Result<Vec<String>, Fault> {
        let signed = self.files()?;
        let mut sentences = Vec::new();
        let mut unseen: BTreeSet<&str> = signed.iter().map(|file| file.name.as_str()).collect();
        for file in found {
            let name = file.name.escape_debug();
            unseen.remove(file.name.as_str());
            match signed.binary_search_by(|known| known.name.cmp(&file.name)) {
                Ok(at) if signed[at].sha256 == file.sha256 => {}
                Ok(_) => sentences.push(format!("`{name}` is not what was signed")),
                Err(_) if self.ignores(&file.name) => {}
                Err(_) => sentences.push(format!("`{name}` is not signed")),
            }
        }
        let missing = |name: &str| format!("`{}` was signed and is not there", name.escape_debug());
        sentences.extend(unseen.into_iter().map(missing));
        Ok(sentences)
    }
}

fn rule(rule: impl Into<String>) -> Fault {
    Fault::Rule {
        what: WHAT,
        rule: rule.into(),
    }
}

fn is_canonical(path: &str) -> bool {
    path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Looked at first, since another predicate has another shape.
#[derive(Deserialize)]
struct Types {
    #[serde(rename = "_type")]
    sort: String,
    #[serde(rename = "predicateType")]
    predicate_type: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    #[serde(rename = "_type")]
    sort: String,
    subject: Vec<Subject>,
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
struct Subject {
    name: String,
    digest: Root,
}

#[derive(Serialize, Deserialize)]
struct Root {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    resources: Vec<Entry>,
    serialization: Serialization,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    name: String,
    digest: String,
    algorithm: Algorithm,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Serialization {
    method: Order,
    hash_type: Algorithm,
    #[serde(skip_serializing_if = "Option::is_none")]
    shard_size: Option<u64>,
    allow_symlinks: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ignore_paths: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Order {
    Files,
    Shards,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Algorithm {
    Sha256,
    Blake2b,
    Blake3,
}

impl Algorithm {
    fn digits(self) -> usize {
        match self {
            Self::Sha256 | Self::Blake3 => 64,
            Self::Blake2b => 128,
        }
    }
}
