//! Patterns of names and paths.

use super::text::{Mark, plain, split};

/// A pattern of one part: no slash in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part(Vec<Mark>);

impl Part {
    pub(super) fn new(marks: &[Mark]) -> Self {
        Self(marks.to_vec())
    }

    /// Whether it is `**`.
    fn is_any_parts(&self) -> bool {
        self.0 == [('*', false), ('*', false)]
    }

    /// The text, where nothing in it is a wildcard.
    pub(super) fn literal(&self) -> Option<String> {
        let wild = self.0.iter().any(|mark| matches!(mark, ('*' | '?', false)));
        (!wild).then(|| plain(&self.0))
    }

    /// Whether the whole of a text matches. Goes back to the last `*` only, so that its time is at most the product of
    /// the two lengths.
    pub(super) fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut read) = (0, 0);
        let mut last_star: Option<(usize, usize)> = None;
        while read < text.len() {
            match self.0.get(at) {
                Some(('*', false)) => {
                    last_star = Some((at, read));
                    at += 1;
                }
                Some((c, literal)) if (*c == '?' && !literal) || *c == text[read] => {
                    at += 1;
                    read += 1;
                }
                _ => match last_star {
                    Some((star, start)) => {
                        last_star = Some((star, start + 1));
                        at = star + 1;
                        read = start + 1;
                    }
                    None => return false,
                },
            }
        }
        self.0[at..].iter().all(|mark| *mark == ('*', false))
    }
}

/// A pattern of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    parts: Vec<Part>,
    has_empty_part: bool,
}

impl Parts {
    /// Reads a pattern; a slash at its end means nothing.
    pub(super) fn new(marks: &[Mark]) -> Self {
        let marks = match marks.split_last() {
            Some((('/', false), front)) => front,
            _ => marks,
        };
        // A literal slash is part of the name, and names are compared part by part too.
        let parts = marks.split(|(c, _)| *c == '/').map(Part::new).collect();
        Self {
            parts,
            has_empty_part: split(marks, '/').any(<[Mark]>::is_empty),
        }
    }

    /// The path, where nothing in it is a wildcard.
    pub(super) fn literal(&self) -> Option<String> {
        let parts: Option<Vec<String>> = self.parts.iter().map(Part::literal).collect();
        parts.map(|parts| parts.join("/"))
    }

    /// Whether a part of it is empty, which no path has.
    pub(super) fn has_empty_part(&self) -> bool {
        self.has_empty_part
    }

    /// Whether it takes every path.
    pub(super) fn is_everything(&self) -> bool {
        matches!(self.parts.as_slice(), [part] if part.is_any_parts())
    }

    /// Whether the whole of a path matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.reach(path, false)
    }

    /// Whether a path or a directory above it matches.
    pub(super) fn matches_at_or_above(&self, path: &str) -> bool {
        self.reach(path, true)
    }

    /// Walks the parts of the path with the set of places in the pattern that are reached, so that many `**` cost no more
    /// than the product of the two lengths.
    fn reach(&self, path: &str, above: bool) -> bool {
        let end = self.parts.len();
        let mut reached = vec![false; end + 1];
        reached[0] = true;
        self.skip(&mut reached);
        for part in path.split('/') {
            if above && reached[end] {
                return true;
            }
            let mut next = vec![false; end + 1];
            for (at, pattern) in self.parts.iter().enumerate().filter(|(at, _)| reached[*at]) {
                if pattern.is_any_parts() {
                    next[at] = true;
                } else if pattern.matches(part) {
                    next[at + 1] = true;
                }
            }
            self.skip(&mut next);
            reached = next;
        }
        reached[end]
    }

    /// `**` stands for no part too.
    fn skip(&self, reached: &mut [bool]) {
        for (at, pattern) in self.parts.iter().enumerate() {
            if reached[at] && pattern.is_any_parts() {
                reached[at + 1] = true;
            }
        }
    }
}
