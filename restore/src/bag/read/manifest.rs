//! The lines of manifests and of `fetch.txt`, and which files at the top of a bag are which.

use super::checksum::{Algorithm, Checksum};
use super::path;

/// What a file at the top of a bag is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Sort {
    Declaration,
    Info,
    Manifest(Algorithm),
    TagManifest(Algorithm),
    /// A manifest of an algorithm that is not known, by its name.
    Unknown(String),
    Fetch,
    Other,
}

impl Sort {
    pub(super) fn of(path: &str) -> Self {
        let named = |prefix: &str| path.strip_prefix(prefix)?.strip_suffix(".txt");
        match path {
            "bagit.txt" => Self::Declaration,
            // The drafts before 0.95 called it `package-info.txt`.
            "bag-info.txt" | "package-info.txt" => Self::Info,
            "fetch.txt" => Self::Fetch,
            _ => match (named("manifest-"), named("tagmanifest-")) {
                (Some(name), _) => match Algorithm::named(&name.to_ascii_lowercase()) {
                    Some(algorithm) => Self::Manifest(algorithm),
                    None => Self::Unknown(name.to_owned()),
                },
                (None, Some(name)) => match Algorithm::named(&name.to_ascii_lowercase()) {
                    Some(algorithm) => Self::TagManifest(algorithm),
                    None => Self::Unknown(name.to_owned()),
                },
                (None, None) => Self::Other,
            },
        }
    }
}

/// A line of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) path: String,
    pub(super) checksum: Checksum,
    /// What is unusual about it, and accepted.
    pub(super) odd: Option<&'static str>,
}

/// Reads a line: a checksum in hex, white space, a path. `None` for an empty line.
pub(super) fn listed(line: &str, strict: bool) -> Result<Option<Listed>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let no = |why: &str| format!("`{}` {why}", shown(line));
    let (checksum, rest) = line
        .trim_start()
        .split_once([' ', '\t'])
        .ok_or_else(|| no("is no checksum and path"))?;
    let checksum = hex::decode(checksum).map_err(|_| no("has no checksum in hex"))?;
    let rest = rest.trim_start_matches([' ', '\t']);
    let (rest, star) = match rest.strip_prefix('*') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let text = match strict {
        true => path::decode(rest),
        false => rest.to_owned(),
    };
    let (path, dotted) = path::parse(&text).map_err(|_| no("names a path outside the bag"))?;
    let odd = match (star, dotted) {
        (true, _) => Some("is written with the `*` of md5sum"),
        (false, true) => Some("is written with a leading `./`"),
        (false, false) => None,
    };
    Ok(Some(Listed {
        path,
        checksum: checksum.into(),
        odd,
    }))
}

/// Reads a line of `fetch.txt`: an address, a length or `-`, a path. `None` for an empty line.
pub(super) fn fetched(line: &str, strict: bool) -> Result<Option<String>, String> {
    if line.trim().is_empty() {
        return Ok(None);
    }
    let no = |why: &str| format!("`{}` {why}", shown(line));
    let mut words = line.splitn(3, [' ', '\t']);
    let (Some(_), Some(length), Some(text)) = (words.next(), words.next(), words.next()) else {
        return Err(no("is no address, length and path"));
    };
    if length != "-" && length.parse::<u64>().is_err() {
        return Err(no("has no length"));
    }
    let text = match strict {
        true => path::decode(text),
        false => text.to_owned(),
    };
    match path::parse(text.trim_start()) {
        Ok((path, _)) if path::is_payload(&path) => Ok(Some(path)),
        _ => Err(no("names a path outside the payload")),
    }
}

/// A line as a message shows it: short, and without control characters.
fn shown(line: &str) -> String {
    let short: String = line.chars().take(200).collect();
    short.escape_debug().to_string()
}
