//! Byte planes: floats compress better when their bytes are grouped by position.
//!
//! Planes of width w of n bytes are, for k in 0..w, the bytes k, k+w, k+2w, … of the first n − n mod w bytes, then the
//! rest as it is. Whether that helps is found out from a sample; the wrong choice costs space, never correctness.

mod sample;

pub use sample::{Choice, choose};
pub(crate) use sample::{LEVEL as SAMPLE_LEVEL, choose_with};

/// How the bytes of an object lie in its tar member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// As they are.
    Plain,
    /// In 2 planes.
    Planes2,
    /// In 4 planes.
    Planes4,
    /// In 8 planes.
    Planes8,
}

impl Encoding {
    /// The number in a pack's table.
    pub fn code(self) -> u8 {
        match self {
            Self::Plain => 0,
            Self::Planes2 => 2,
            Self::Planes4 => 4,
            Self::Planes8 => 8,
        }
    }

    /// Reads the number; others are reserved (16: the difference to a base object).
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Plain),
            2 => Some(Self::Planes2),
            4 => Some(Self::Planes4),
            8 => Some(Self::Planes8),
            _ => None,
        }
    }

    /// What follows the address in a member's name.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Planes2 => ".planes2",
            Self::Planes4 => ".planes4",
            Self::Planes8 => ".planes8",
        }
    }

    /// How many planes there are.
    pub fn width(self) -> usize {
        match self {
            Self::Plain => 1,
            planes => usize::from(planes.code()),
        }
    }
}

/// Words are taken in blocks of this number, so that the compiler turns the loops over a block into vector code.
const BLOCK: usize = 32;

macro_rules! word_loops {
    ($split:ident, $join:ident, $word:ty, $width:literal) => {
        fn $split(body: &[u8], out: &mut [u8]) {
            let count = body.len() / $width;
            for (number, block) in body.chunks(BLOCK * $width).enumerate() {
                let mut words = [0 as $word; BLOCK];
                for (word, bytes) in words.iter_mut().zip(block.chunks_exact($width)) {
                    *word = <$word>::from_le_bytes(bytes.try_into().unwrap_or_default());
                }
                let length = block.len() / $width;
                for plane in 0..$width {
                    let begin = plane * count + number * BLOCK;
                    for (byte, word) in out[begin..begin + length].iter_mut().zip(&words) {
                        *byte = (word >> (8 * plane)) as u8;
                    }
                }
            }
        }

        fn $join(planes: &[u8], out: &mut [u8]) {
            let count = planes.len() / $width;
            for (number, block) in out.chunks_mut(BLOCK * $width).enumerate() {
                let mut words = [0 as $word; BLOCK];
                let length = block.len() / $width;
                for plane in 0..$width {
                    let begin = plane * count + number * BLOCK;
                    for (word, byte) in words.iter_mut().zip(&planes[begin..begin + length]) {
                        *word |= <$word>::from(*byte) << (8 * plane);
                    }
                }
                for (bytes, word) in block.chunks_exact_mut($width).zip(&words) {
                    bytes.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
    };
}

word_loops!(split2, join2, u16, 2);
word_loops!(split4, join4, u32, 4);
word_loops!(split8, join8, u64, 8);

/// Writes the planes of `bytes` over `out`, which has their length.
pub(crate) fn split_over(encoding: Encoding, bytes: &[u8], out: &mut [u8]) {
    let (body, rest) = bytes.split_at(bytes.len() - bytes.len() % encoding.width());
    let (target, end) = out.split_at_mut(body.len());
    match encoding {
        Encoding::Plain => target.copy_from_slice(body),
        Encoding::Planes2 => split2(body, target),
        Encoding::Planes4 => split4(body, target),
        Encoding::Planes8 => split8(body, target),
    }
    end.copy_from_slice(rest);
}

/// Writes the bytes that these planes were made of over `out`, which has their length.
pub(crate) fn join_over(encoding: Encoding, planes: &[u8], out: &mut [u8]) {
    let (body, rest) = planes.split_at(planes.len() - planes.len() % encoding.width());
    let (target, end) = out.split_at_mut(body.len());
    match encoding {
        Encoding::Plain => target.copy_from_slice(body),
        Encoding::Planes2 => join2(body, target),
        Encoding::Planes4 => join4(body, target),
        Encoding::Planes8 => join8(body, target),
    }
    end.copy_from_slice(rest);
}

/// Appends the planes of `bytes` to `out`. The length is the same.
pub fn split(encoding: Encoding, bytes: &[u8], out: &mut Vec<u8>) {
    let begin = out.len();
    out.resize(begin + bytes.len(), 0);
    split_over(encoding, bytes, &mut out[begin..]);
}

/// Appends the bytes that these planes were made of to `out`.
pub fn join(encoding: Encoding, planes: &[u8], out: &mut Vec<u8>) {
    if encoding == Encoding::Plain {
        return out.extend_from_slice(planes);
    }
    let begin = out.len();
    out.resize(begin + planes.len(), 0);
    join_over(encoding, planes, &mut out[begin..]);
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;

    use super::{Choice, Encoding, choose, join, split};

    const ALL: [Encoding; 4] = [
        Encoding::Plain,
        Encoding::Planes2,
        Encoding::Planes4,
        Encoding::Planes8,
    ];

    #[test]
    fn planes_lie_as_the_format_says() {
        let mut planes = Vec::new();
        split(
            Encoding::Planes4,
            &[1, 2, 3, 4, 11, 12, 13, 14, 99],
            &mut planes,
        );
        assert_eq!(planes, [1, 11, 2, 12, 3, 13, 4, 14, 99]);
    }

    #[test]
    fn weights_are_stored_by_their_width_and_text_plainly() {
        let floats = |scale: f64| {
            (0..200_000_u64)
                .map(move |n| ((n.wrapping_mul(2_654_435_761) % 10_007) as f64 - 5000.0) * scale)
        };
        let f32s: Vec<u8> = floats(1e-5)
            .flat_map(|x| (x as f32).to_le_bytes())
            .collect();
        let f64s: Vec<u8> = floats(1e-5).flat_map(f64::to_le_bytes).collect();
        let bf16: Vec<u8> = floats(1e-5)
            .flat_map(|x| [(x as f32).to_le_bytes()[2], (x as f32).to_le_bytes()[3]])
            .collect();
        let words = [
            "epoch",
            "loss",
            "of",
            "the",
            "model",
            "accuracy",
            "batch",
            "is",
            "saved",
            "rate",
            "\n",
            "to",
            "validation",
        ];
        let mut state = 7_usize;
        let text: Vec<u8> = (0..100_000)
            .flat_map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                format!("{} ", words[(state >> 33) % words.len()]).into_bytes()
            })
            .collect();
        assert_eq!(choose(&f32s).encoding, Encoding::Planes4);
        assert_eq!(choose(&f64s).encoding, Encoding::Planes8);
        assert_ne!(choose(&bf16).encoding, Encoding::Plain);
        assert_eq!(
            choose(&text),
            Choice {
                encoding: Encoding::Plain,
                incompressible: false
            }
        );
    }

    #[test]
    fn noise_is_found_incompressible() {
        let mut noise = vec![0; 1 << 20];
        getrandom::fill(&mut noise).unwrap();
        assert_eq!(
            choose(&noise),
            Choice {
                encoding: Encoding::Plain,
                incompressible: true
            }
        );
    }

    proptest! {
        #[test]
        fn joined_planes_are_the_bytes_again(bytes in proptest::collection::vec(any::<u8>(), 0..3000)) {
            for encoding in ALL {
                let (mut planes, mut back) = (Vec::new(), Vec::new());
                split(encoding, &bytes, &mut planes);
                join(encoding, &planes, &mut back);
                prop_assert_eq!(&back, &bytes);
                let width = encoding.width();
                let body = bytes.len() - bytes.len() % width;
                let naive: Vec<u8> = (0..width).flat_map(|k| bytes[..body].iter().skip(k).step_by(width).copied().collect::<Vec<_>>())
                    .chain(bytes[body..].iter().copied()).collect();
                prop_assert_eq!(planes, naive);
            }
        }
    }
}
