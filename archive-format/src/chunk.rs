//! Cuts a stream of bytes into chunks by its content, so that an insertion changes the chunks around it alone.

use fastcdc::v2020::{FastCDC, Normalization};
use serde::{Deserialize, Serialize};

use crate::Error;

/// How files are cut: FastCDC (2020) with normalisation level 1 and the gear table of its reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkParameters {
    /// `fastcdc-2020`.
    pub algorithm: String,
    /// The smallest chunk but the last, in bytes.
    pub min: u32,
    /// The average wished for.
    pub average: u32,
    /// The largest chunk.
    pub max: u32,
    /// The level of normalisation.
    pub normalisation: u8,
}

impl Default for ChunkParameters {
    fn default() -> Self {
        Self {
            algorithm: "fastcdc-2020".to_owned(),
            min: 256 << 10,
            average: 1 << 20,
            max: 4 << 20,
            normalisation: 1,
        }
    }
}

impl ChunkParameters {
    /// Refuses what this crate cannot cut by.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = self.algorithm == "fastcdc-2020"
            && self.normalisation == 1
            && (64..=1 << 20).contains(&self.min)
            && (256..=4 << 20).contains(&self.average)
            && (1024..=16 << 20).contains(&self.max)
            && self.min <= self.average
            && self.average <= self.max
            && [self.min, self.average, self.max]
                .iter()
                .all(|size| size % 2 == 0);
        if fits {
            Ok(())
        } else {
            Err(Error::Json {
                what: "repository.json".to_owned(),
                reason: "its chunk parameters are not usable".to_owned(),
            })
        }
    }

    /// So many bytes hold the whole of nearly every chunk.
    pub(crate) fn usual_bytes(&self) -> usize {
        (self.average as usize * 2).min(self.max as usize)
    }

    /// The length of the first chunk of what is at hand. `None` asks for more, unless the stream ends here (`last`). Where
    /// a chunk ends does not depend on what follows it, so one that ends before the bytes at hand do is whole; they must
    /// only be no fewer than the average, which changes how the end is looked for.
    pub(crate) fn cut(&self, bytes: &[u8], last: bool) -> Option<usize> {
        if bytes.is_empty() || (!last && bytes.len() < self.usual_bytes()) {
            return None;
        }
        let window = &bytes[..bytes.len().min(self.max as usize)];
        let (min, average, max) = (self.min as usize, self.average as usize, self.max as usize);
        let cutter = FastCDC::with_level(window, min, average, max, Normalization::Level1);
        let length = cutter.cut(0, window.len()).1.clamp(1, window.len());
        (last || length < window.len() || length == max).then_some(length)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::ChunkParameters;

    fn noise(bytes: usize, mut state: u64) -> Vec<u8> {
        (0..bytes)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                state.to_le_bytes()[3]
            })
            .collect()
    }

    fn cut_all(mut bytes: &[u8]) -> Vec<usize> {
        let parameters = ChunkParameters::default();
        let mut sizes = Vec::new();
        while let Some(size) = parameters.cut(bytes, true) {
            sizes.push(size);
            bytes = &bytes[size..];
        }
        sizes
    }

    #[test]
    fn chunks_are_about_a_mebibyte_and_cover_the_stream() {
        let bytes = noise(24 << 20, 7);
        let sizes = cut_all(&bytes);
        assert_eq!(sizes.iter().sum::<usize>(), bytes.len());
        assert!(sizes.iter().all(|&size| size <= 4 << 20));
        assert!((12..48).contains(&sizes.len()), "{sizes:?}");
    }

    #[test]
    fn where_a_chunk_ends_does_not_depend_on_how_much_is_at_hand() {
        let parameters = ChunkParameters::default();
        // Chunks of every length, the greatest among them.
        let mut bytes = noise(40 << 20, 5);
        bytes[20 << 20..30 << 20].fill(7);
        let whole = cut_all(&bytes);
        assert!(whole.contains(&(4 << 20)));
        let (mut begin, mut end, mut waited) = (0, 0, 0);
        for expected in whole {
            let length = loop {
                match parameters.cut(&bytes[begin..end], end == bytes.len()) {
                    Some(length) => break length,
                    None => {
                        waited += usize::from(end - begin >= parameters.usual_bytes());
                        end = (end + (1 << 18)).min(bytes.len());
                    }
                }
            };
            assert_eq!(length, expected);
            begin += length;
        }
        assert!(waited > 5, "{waited}");
    }

    #[test]
    fn an_insertion_leaves_later_cuts_where_they_were() {
        let bytes = noise(16 << 20, 9);
        let mut longer = noise(1000, 3);
        longer.extend_from_slice(&bytes);
        let ends = |sizes: Vec<usize>, shift: usize| -> Vec<usize> {
            sizes
                .iter()
                .scan(0, |end, size| {
                    *end += size;
                    Some(*end - shift.min(*end))
                })
                .collect()
        };
        let (before, after) = (ends(cut_all(&bytes), 0), ends(cut_all(&longer), 1000));
        let same = before.iter().filter(|end| after.contains(end)).count();
        assert!(same * 10 >= before.len() * 8, "{before:?} {after:?}");
    }

    #[test]
    fn more_is_asked_for_until_the_window_is_full() {
        let parameters = ChunkParameters::default();
        assert_eq!(parameters.cut(&[1; 1000], false), None);
        assert_eq!(parameters.cut(&[1; 1000], true).unwrap(), 1000);
        assert_eq!(parameters.cut(&[], true), None);
    }
}
