//! Paths as manifests, `fetch.txt` and tars write them.

/// Longer paths are none of a file system's.
pub(super) const PATH_BYTES_MAX: usize = 32 * 1024;

/// What is wrong with a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It is absolute, has `..`, or is empty.
    Outside,
}

/// A path below the bag, without a leading `./`, and whether it had one.
pub(super) fn parse(text: &str) -> Result<(String, bool), Flaw> {
    let rest = text.strip_prefix("./").unwrap_or(text);
    let inside = !rest.is_empty()
        && rest.len() <= PATH_BYTES_MAX
        && !rest.contains('\0')
        && rest.split('/').all(|part| !matches!(part, "" | "." | ".."));
    match inside {
        true => Ok((rest.to_owned(), rest.len() != text.len())),
        false => Err(Flaw::Outside),
    }
}

/// Whether it is one of the payload: below `data/`.
pub(super) fn is_payload(path: &str) -> bool {
    path.strip_prefix("data/")
        .is_some_and(|rest| !rest.is_empty())
}

/// RFC 8493 section 2.1.3: line feed, carriage return and `%` are written as `%0A`, `%0D` and `%25`, and nothing else is.
pub(super) fn decode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        decoded.push_str(before);
        let escaped = match from.get(1..3).map(str::to_ascii_uppercase).as_deref() {
            Some("0A") => Some('\n'),
            Some("0D") => Some('\r'),
            Some("25") => Some('%'),
            _ => None,
        };
        decoded.push(escaped.unwrap_or('%'));
        rest = &from[if escaped.is_some() { 3 } else { 1 }..];
    }
    decoded.push_str(rest);
    decoded
}

/// What is the same for a file system that knows no case, or writes accents in another way.
pub(super) fn folded(path: &str) -> String {
    let normal = icu_normalizer::ComposingNormalizerBorrowed::new_nfc();
    normal.normalize(&path.to_lowercase()).into_owned()
}

/// Files that an operating system makes and hides by itself.
pub(super) fn is_of_system(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let known = ["thumbs.db", "desktop.ini", ".ds_store"];
    known.iter().any(|known| name.eq_ignore_ascii_case(known)) || name.starts_with("._")
}
