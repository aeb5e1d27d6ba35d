//! Reading a text piece by piece from its front, keeping what was read.

use super::{Form, Part, Reference, Slot};

/// What is still to be read, and the pieces so far.
#[derive(Clone, Debug)]
pub(super) struct Scan<'a> {
    rest: &'a str,
    parts: Vec<Part>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text,
            parts: Vec::new(),
        }
    }

    pub(super) fn rest(&self) -> &'a str {
        self.rest
    }

    pub(super) fn is_done(&self) -> bool {
        self.rest.is_empty()
    }

    /// Whether this text comes next, in any letter case.
    pub(super) fn sees(&self, text: &str) -> bool {
        self.rest
            .get(..text.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(text))
    }

    /// Takes fixed text where it comes next, in any letter case, and keeps its spelling.
    pub(super) fn fixed(&mut self, text: &str) -> Option<()> {
        self.sees(text).then(|| self.take(text.len(), Slot::Fixed))
    }

    /// Takes what is left up to the next of these characters: at least one character, none of them blank.
    pub(super) fn name(&mut self, slot: Slot, until: &[char]) -> Option<()> {
        let length = self.rest.find(until).unwrap_or(self.rest.len());
        let text = &self.rest[..length];
        let good = !text.is_empty()
            && text != "."
            && text != ".."
            && !text.chars().any(|c| c.is_whitespace() || c.is_control());
        good.then(|| self.take(length, slot))
    }

    /// Takes one part of a path.
    pub(super) fn segment(&mut self, slot: Slot) -> Option<()> {
        self.name(slot, &['/', '?', '#'])
    }

    /// Takes `length` bytes, which the caller found to be a character boundary.
    pub(super) fn take(&mut self, length: usize, slot: Slot) {
        let (text, rest) = self.rest.split_at(length);
        self.rest = rest;
        match self.parts.last_mut() {
            Some(last) if slot == Slot::Fixed && last.slot == Slot::Fixed => {
                last.text.push_str(text)
            }
            _ if text.is_empty() => {}
            _ => self.parts.push(Part {
                slot,
                text: text.to_owned(),
            }),
        }
    }

    /// Takes the pieces that another scan made of the next `length` bytes.
    pub(super) fn adopt(&mut self, other: Self, length: usize) {
        self.rest = &self.rest[length..];
        self.parts.extend(other.parts);
    }

    /// Takes all that is left as one piece.
    pub(super) fn remainder(&mut self, slot: Slot) {
        self.take(self.rest.len(), slot);
    }

    /// The reference, if everything was read.
    pub(super) fn finish(self, form: Form) -> Option<Reference> {
        self.rest.is_empty().then_some(Reference {
            form,
            parts: self.parts,
            assumed: None,
        })
    }
}
