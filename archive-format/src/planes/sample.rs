//! Decides from a sample how an object is best stored.
//!
//! The sample is four windows of 8 KiB spread over the object. Plain bytes are estimated by the smaller of their
//! order-0 entropy and what zstd makes of them; planes by the same, plane by plane, and 1 % on top. Entropy alone cannot
//! decide: splitting never raises it, and would ruin text and programs.

use zstd::bulk::Compressor;

use super::{Encoding, split};

/// The level at which samples are compressed.
pub(crate) const LEVEL: i32 = 1;

const WINDOWS: usize = 4;
const WINDOW_BYTES: usize = 8 << 10;

/// What the sample says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// How the bytes are laid out.
    pub encoding: Encoding,
    /// Whether no layout makes it smaller, so that the fastest compression does.
    pub incompressible: bool,
}

/// Chooses a layout for an object.
pub fn choose(bytes: &[u8]) -> Choice {
    match Compressor::new(LEVEL) {
        Ok(mut compressor) => choose_with(&mut compressor, bytes),
        Err(_) => Choice {
            encoding: Encoding::Plain,
            incompressible: false,
        },
    }
}

/// The same with a compressor of this level, which remembers nothing of it.
pub(crate) fn choose_with(compressor: &mut Compressor<'_>, bytes: &[u8]) -> Choice {
    let sample = sample(bytes);
    let mut compressed = |part: &[u8], head: f64| {
        let by_zstd = compressor
            .compress(part)
            .map_or(f64::MAX, |bytes| bytes.len() as f64);
        by_zstd.min(entropy_bytes(part) + head)
    };
    let mut best = (Encoding::Plain, compressed(&sample, 100.0));
    let mut planes = Vec::with_capacity(sample.len());
    for encoding in [Encoding::Planes2, Encoding::Planes4, Encoding::Planes8] {
        planes.clear();
        split(encoding, &sample, &mut planes);
        let plane_bytes = (sample.len() / encoding.width()).max(1);
        let sum: f64 = planes
            .chunks(plane_bytes)
            .map(|plane| compressed(plane, 40.0))
            .sum();
        if sum * 1.01 < best.1 {
            best = (encoding, sum * 1.01);
        }
    }
    Choice {
        encoding: best.0,
        incompressible: best.0 == Encoding::Plain && best.1 > sample.len() as f64 * 0.985,
    }
}

/// Windows at multiples of 8 bytes, so that each begins at the same place within a word.
fn sample(bytes: &[u8]) -> Vec<u8> {
    if bytes.len() <= WINDOWS * WINDOW_BYTES {
        return bytes.to_vec();
    }
    let stride = (bytes.len() - WINDOW_BYTES) / (WINDOWS - 1) / 8 * 8;
    let windows = (0..WINDOWS).map(|window| &bytes[window * stride..][..WINDOW_BYTES]);
    windows.collect::<Vec<_>>().concat()
}

/// The order-0 entropy, in bytes.
fn entropy_bytes(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| f64::from(*count) * (total / f64::from(*count)).log2())
        .sum();
    bits / 8.0
}
