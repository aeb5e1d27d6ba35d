//! Generated content that comes back: a block that is a part of it is kept as seed and place, so that a blob of many
//! gigabytes is written without being held.

use std::collections::HashMap;

use bytes::Bytes;

use super::content::Content;

/// Parts are looked for at multiples of this.
const STEP: u64 = 1 << 20;
/// How many bytes tell a place.
const SIGN: usize = 16;

/// What is recognised.
#[derive(Clone, Debug, Default)]
pub(super) struct Known {
    contents: Vec<Content>,
    places: HashMap<[u8; SIGN], (usize, u64)>,
}

impl Known {
    /// Recognises parts of that content from now on.
    pub(super) fn add(&mut self, content: Content) {
        let number = self.contents.len();
        for start in (0..content.size()).step_by(STEP as usize) {
            let first = content.starting_at(start, SIGN as u64).to_bytes();
            if let Ok(sign) = <[u8; SIGN]>::try_from(first.as_ref()) {
                self.places.insert(sign, (number, start));
            }
        }
        self.contents.push(content);
    }

    /// Bytes as they are to be kept: by their place, where every one of them is as it would be generated there.
    pub(super) fn keep(&self, bytes: Bytes) -> Content {
        let sign = bytes
            .get(..SIGN)
            .and_then(|first| <[u8; SIGN]>::try_from(first).ok());
        let found = sign.and_then(|sign| self.places.get(&sign));
        let part = found.and_then(|(number, start)| {
            let part = self
                .contents
                .get(*number)?
                .starting_at(*start, bytes.len() as u64);
            (part.to_bytes() == bytes).then_some(part)
        });
        part.unwrap_or_else(|| bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Fill;

    #[test]
    fn parts_of_known_content_are_kept_by_their_place_and_others_as_they_are() {
        let whole = Content::generated(Fill::Cipher, 3, 5 << 20);
        let mut known = Known::default();
        known.add(whole.clone());
        let part = known.keep(whole.slice(2 << 20..5 << 20).to_bytes());
        assert_eq!(part.origin(), None, "it does not begin with the first byte");
        let first = known.keep(whole.slice(0..2 << 20).to_bytes());
        let both = Content::concat([first, part]);
        assert_eq!(both.origin(), Some((Fill::Cipher, 3)));
        let mut wrong = whole.slice(0..1 << 20).to_bytes().to_vec();
        wrong[77_777] ^= 1;
        assert_eq!(known.keep(wrong.into()).origin(), None);
    }
}
