//! The files named `MLTable` of data assets: YAML whose `paths` lead to data, relative to the file or by an address. Where
//! an address leads to the source workspace, the file is written with the address in the target.
//!
//! Bytes are kept: the scalars are found where they stand, and only one that is a reference as a whole is replaced. No YAML
//! is written anew. What is not read with certainty (scalars over several lines or with escapes) stays as it is, and the
//! caller is told.

use std::ops::Range;

use workspace::reference::{Reference, Rewriter};

/// The name of the file, whatever the folder.
const NAME: &str = "MLTable";
/// A larger file is no list of paths.
pub(crate) const BYTES_MAX: u64 = 1 << 20;

/// Whether a path is one of such a file.
pub(crate) fn is_named(path: &str) -> bool {
    path.rsplit('/').next() == Some(NAME)
}

/// What becomes of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The file's text in the target.
    pub(crate) text: String,
    /// How many addresses were replaced.
    pub(crate) replaced: usize,
    /// Addresses that still lead to the source, with the reason.
    pub(crate) left: Vec<(String, &'static str)>,
    /// Names of the source that the text mentions all the same.
    pub(crate) mentioned: Vec<String>,
    /// Whether a part of it was not read with certainty.
    pub(crate) unread: bool,
}

/// Rewrites the addresses of a file; `None` where it is no text.
pub(crate) fn rewrite(bytes: &[u8], rewriter: &Rewriter) -> Option<Written> {
    let text = std::str::from_utf8(bytes).ok()?;
    let scan = Scan::of(text);
    let mut written = Written {
        unread: scan.unread,
        ..Written::default()
    };
    let mut at = 0;
    for scalar in &scan.scalars {
        let own = &text[scalar.at.clone()];
        let Some(reference) = Reference::parse(own) else {
            continue;
        };
        let outcome = rewriter.map(&reference);
        if let Some(reason) = outcome.left {
            written.left.push((own.to_owned(), reason));
        }
        if outcome.text == own {
            continue;
        }
        if !scalar.style.takes(&outcome.text) {
            written.unread = true;
            continue;
        }
        written.text.push_str(&text[at..scalar.at.start]);
        written.text.push_str(&outcome.text);
        at = scalar.at.end;
        written.replaced += 1;
    }
    written.text.push_str(&text[at..]);
    if written.left.is_empty() {
        written.mentioned = rewriter.mentioned_in(&written.text);
    }
    Some(written)
}

/// The references of a file.
pub(crate) fn references(bytes: &[u8]) -> Vec<Reference> {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Vec::new();
    };
    let scalars = Scan::of(text).scalars.into_iter();
    scalars
        .filter_map(|scalar| Reference::parse(&text[scalar.at]))
        .collect()
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Plain,
    PlainInFlow,
    Single,
    Double,
}

impl Style {
    /// Whether a text can stand in place of another without quoting it anew.
    fn takes(self, text: &str) -> bool {
        match self {
            Self::Single => !text.contains('\''),
            Self::Double => !text.contains(['"', '\\']),
            Self::Plain => !text.contains(": ") && !text.contains(" #") && !text.ends_with(':'),
            Self::PlainInFlow => {
                Self::Plain.takes(text) && !text.contains([',', '[', ']', '{', '}'])
            }
        }
    }
}

/// A scalar that is a value and stands on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scalar {
    at: Range<usize>,
    style: Style,
}

/// Where the scalars of a text stand.
#[derive(Debug, Default)]
struct Scan {
    scalars: Vec<Scalar>,
    unread: bool,
    /// How many flow collections (`[`, `{`) are open.
    depth: usize,
    /// The quote of a scalar that goes on over the line's end.
    open: Option<char>,
    /// Lines further in than this column belong to a block scalar.
    block: Option<usize>,
    /// Whether a key or a dash stood last, so that a scalar on the next line is its value.
    expecting: bool,
    /// Whether a plain scalar stood last, which the next line may go on.
    plain_last: bool,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self::default();
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let mark = if start == 0 && content.starts_with('\u{feff}') {
                '\u{feff}'.len_utf8()
            } else {
                0
            };
            scan.line(&content[mark..], start + mark);
            start += line.len();
        }
        scan.unread |= scan.open.is_some() || scan.depth > 0;
        scan
    }

    /// Reads one line, which begins at a byte of the text.
    fn line(&mut self, line: &str, start: usize) {
        let bare = line.trim_start_matches(' ');
        let indent = line.len() - bare.len();
        if let Some(column) = self.block {
            if bare.trim().is_empty() || indent > column {
                return;
            }
            self.block = None;
        }
        let mut at = indent;
        if let Some(quote) = self.open {
            // Where quotes may be escaped, its end is not looked for.
            let end = line.find(quote);
            let escapes = line.contains('\\') || line.contains("''");
            let Some(end) = end.filter(|_| !escapes) else {
                return;
            };
            self.open = None;
            at = end + quote.len_utf8();
        } else if bare.trim().is_empty() || bare.starts_with('#') {
            return;
        } else if self.depth == 0 && (bare.starts_with("---") || bare.starts_with("...")) {
            self.expecting = false;
            self.plain_last = false;
            return;
        }
        Line {
            scan: self,
            line,
            start,
            at,
            column: indent,
            is_value: false,
        }
        .read();
    }
}

/// A line that is being read.
struct Line<'s, 't> {
    scan: &'s mut Scan,
    line: &'t str,
    start: usize,
    at: usize,
    /// Where the innermost key or dash stands.
    column: usize,
    /// Whether a key or a dash stood before on this line.
    is_value: bool,
}

impl Line<'_, '_> {
    fn rest(&self) -> &str {
        &self.line[self.at..]
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    /// Whether nothing, or nothing but a comment, follows.
    fn is_done(&self) -> bool {
        let blank_before = self.at == 0 || self.line[..self.at].ends_with([' ', '\t']);
        self.rest().is_empty() || (blank_before && self.rest().starts_with('#'))
    }

    fn read(mut self) {
        let plain_before = std::mem::take(&mut self.scan.plain_last);
        let expected = std::mem::take(&mut self.scan.expecting);
        let first = self.scan.scalars.len();
        let in_block = self.scan.depth == 0 && self.at == self.column;
        loop {
            self.skip_blanks();
            if self.is_done() || self.scan.open.is_some() || self.scan.block.is_some() {
                break;
            }
            if !self.structure() {
                self.node();
            }
        }
        // A line without a key and a dash goes on with the scalar before it.
        if in_block && !self.is_value && !expected {
            self.scan.scalars.truncate(first);
            if plain_before {
                self.scan.scalars.pop();
            }
            self.scan.plain_last = false;
        }
    }

    /// Takes a mark that belongs to the structure; says whether one stood here.
    fn structure(&mut self) -> bool {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else {
            return false;
        };
        let after = rest[first.len_utf8()..].chars().next();
        let alone = after.is_none_or(|c| c == ' ' || c == '\t');
        let in_flow = self.scan.depth > 0;
        match first {
            // What follows is a key of its own sort, and no value.
            '?' if alone => {
                self.scan.unread = true;
                self.is_value = true;
                self.at = self.line.len();
                return true;
            }
            '-' | ':' if alone => self.value_follows(self.at),
            '[' | '{' => {
                self.scan.depth += 1;
                self.is_value = true;
                self.scan.expecting = false;
            }
            ']' | '}' if in_flow => self.scan.depth -= 1,
            ',' | ':' if in_flow => {}
            '&' | '!' | '*' => {
                let length = rest.find([' ', '\t', ',', ']', '}']).unwrap_or(rest.len());
                self.at += length.max(1);
                return true;
            }
            '|' | '>' if !in_flow => {
                self.scan.block = Some(self.column);
                self.scan.expecting = false;
                self.at = self.line.len();
                return true;
            }
            _ => return false,
        }
        self.at += first.len_utf8();
        true
    }

    fn value_follows(&mut self, column: usize) {
        if self.scan.depth == 0 {
            self.column = column;
        }
        self.is_value = true;
        self.scan.expecting = true;
    }

    /// Takes a scalar: a key, or a value.
    fn node(&mut self) {
        let column = self.at;
        let scalar = match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted(quote),
            _ => self.plain(),
        };
        let blank = self.rest().len() - self.rest().trim_start_matches([' ', '\t']).len();
        let rest = &self.rest()[blank..];
        let after = rest.strip_prefix(':').map(|after| after.chars().next());
        let quoted = scalar
            .as_ref()
            .is_some_and(|scalar| matches!(scalar.style, Style::Single | Style::Double));
        let is_key = after.is_some_and(|after| {
            after.is_none_or(|c| c == ' ' || c == '\t') || (quoted && self.scan.depth > 0)
        });
        if is_key {
            self.at += blank + 1;
            self.value_follows(column);
            return;
        }
        self.scan.expecting = false;
        if let Some(scalar) = scalar {
            self.scan.plain_last = scalar.style == Style::Plain;
            self.scan.scalars.push(scalar);
        }
    }

    /// A quoted scalar, without its quotes; `None` where it is not read.
    fn quoted(&mut self, quote: char) -> Option<Scalar> {
        let from = self.at + 1;
        let text = &self.line[from..];
        let (mut end, mut escaped) = (None, false);
        let mut chars = text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            match c {
                '\\' if quote == '"' => {
                    escaped = true;
                    chars.next();
                }
                '\'' if quote == '\'' && chars.peek().is_some_and(|(_, c)| *c == '\'') => {
                    escaped = true;
                    chars.next();
                }
                c if c == quote => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
        }
        let Some(end) = end else {
            self.scan.open = Some(quote);
            self.scan.unread = true;
            self.at = self.line.len();
            return None;
        };
        self.at = from + end + 1;
        let style = if quote == '"' {
            Style::Double
        } else {
            Style::Single
        };
        self.scan.unread |= escaped && text[..end].contains('/');
        (!escaped).then(|| Scalar {
            at: self.start + from..self.start + from + end,
            style,
        })
    }

    /// A scalar without quotes.
    fn plain(&mut self) -> Option<Scalar> {
        let text = self.rest();
        let in_flow = self.scan.depth > 0;
        let mut end = text.len();
        let mut before = ' ';
        for (at, c) in text.char_indices() {
            let next = text[at + c.len_utf8()..].chars().next();
            let closes = in_flow && matches!(c, ',' | '[' | ']' | '{' | '}');
            let is_key = c == ':'
                && next.is_none_or(|c| {
                    c == ' ' || c == '\t' || (in_flow && matches!(c, ',' | '[' | ']' | '{' | '}'))
                });
            let comment = c == '#' && (before == ' ' || before == '\t');
            if closes || is_key || comment {
                end = at;
                break;
            }
            before = c;
        }
        let length = text[..end].trim_end().len();
        let from = self.start + self.at;
        // At least one character, so that every turn takes something.
        self.at += end.max(1).min(text.len());
        while !self.line.is_char_boundary(self.at) {
            self.at += 1;
        }
        let style = if in_flow {
            Style::PlainInFlow
        } else {
            Style::Plain
        };
        Some(Scalar {
            at: from..from + length,
            style,
        })
    }
}

#[cfg(test)]
mod tests;
