//! Text with `\` before characters that are meant literally, and the names of items written so.

use std::fmt;

use crate::{Error, ItemId, Kind};

/// A character, and whether it was written after a `\`.
pub(super) type Mark = (char, bool);

/// Reads the escapes of a text.
pub(super) fn marks(text: &str) -> Result<Vec<Mark>, Error> {
    let mut marks = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            let literal = chars.next().ok_or_else(|| Error::Selector {
                text: text.to_owned(),
                reason: "nothing follows its last `\\`",
            })?;
            marks.push((literal, true));
        } else {
            marks.push((c, false));
        }
    }
    Ok(marks)
}

/// The characters without their marks.
pub(super) fn plain(marks: &[Mark]) -> String {
    marks.iter().map(|(c, _)| c).collect()
}

/// The parts between special characters `at`.
pub(super) fn split(marks: &[Mark], at: char) -> impl Iterator<Item = &[Mark]> {
    marks.split(move |mark| *mark == (at, false))
}

/// The first two special slashes in a row: what follows is the path of a file.
pub(super) fn file_mark(marks: &[Mark]) -> Option<usize> {
    marks
        .windows(2)
        .position(|pair| pair == [('/', false), ('/', false)])
}

/// Whether a kind's items have versions, so that a `:` separates one. A kind that the table does not have may.
pub(super) fn may_have_versions(kind: &str) -> bool {
    Kind::find(kind).is_none_or(|row| row.versioned)
}

/// Writes a part of an item's name such that selectors take it back literally.
pub(crate) struct Escaped<'a> {
    /// The part.
    pub(crate) text: &'a str,
    /// Whether it could be taken for `NAME:VERSION`.
    pub(crate) colon: bool,
    /// Whether it could be taken for `NAME/SEGMENT/NAME`.
    pub(crate) slash: bool,
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut after_slash = true;
        let mut chars = self.text.chars().peekable();
        while let Some(c) = chars.next() {
            let special = match c {
                '\\' | '*' | '?' | '[' => true,
                ':' => self.colon,
                // Two in a row, at the front or at the end would be taken for the mark before a file's path.
                '/' => self.slash || after_slash || chars.peek().is_none(),
                _ => false,
            };
            if special {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
            after_slash = c == '/';
        }
        Ok(())
    }
}

/// Reads the name of one item: no patterns, no conditions.
pub(crate) fn read_item(text: &str) -> Result<ItemId, Error> {
    let refused = |reason| Error::Selector {
        text: text.to_owned(),
        reason,
    };
    let marks = marks(text)?;
    if marks
        .iter()
        .any(|mark| matches!(mark, ('*' | '?' | '[', false)))
    {
        return Err(refused("it is a pattern, where one item is wanted"));
    }
    let slash = marks
        .iter()
        .position(|mark| *mark == ('/', false))
        .ok_or_else(|| refused("it is not KIND/NAME"))?;
    let (kind, name) = (plain(&marks[..slash]), &marks[slash + 1..]);
    if file_mark(&marks).is_some() {
        return Err(refused("it names a file, where an item is wanted"));
    }
    let colon = name
        .iter()
        .position(|mark| *mark == (':', false))
        .filter(|_| may_have_versions(&kind));
    let (name, version) = match colon {
        Some(colon) => (plain(&name[..colon]), Some(plain(&name[colon + 1..]))),
        None => (plain(name), None),
    };
    if version.is_none()
        && let Some(nested) = nested(&kind, &marks[slash + 1..])
    {
        return Ok(nested);
    }
    if kind.is_empty() || name.is_empty() || version.as_ref().is_some_and(String::is_empty) {
        return Err(refused("a part of it is empty"));
    }
    Ok(ItemId {
        kind,
        name,
        version,
    })
}

/// What lies below another item: `NAME/SEGMENT/NAME`.
fn nested(kind: &str, name: &[Mark]) -> Option<ItemId> {
    let mut parts = split(name, '/').map(plain);
    let (above, segment, name) = (parts.next()?, parts.next()?, parts.next()?);
    let below = Kind::find(kind)?.below_by(&segment)?;
    let whole = parts.next().is_none() && !above.is_empty() && !name.is_empty();
    whole.then(|| ItemId::new(kind, above).with_below(below, &name))
}
