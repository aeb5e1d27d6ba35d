//! The tar header of an object: a plain ustar entry with fixed owner, time and mode.

use crate::planes::Encoding;
use crate::{Address, Error};

/// A header's length, and what every member is padded to.
pub(crate) const BLOCK: usize = 512;

/// How much padding follows a member of this length.
pub(crate) fn padding(length: usize) -> usize {
    (BLOCK - length % BLOCK) % BLOCK
}

/// The header of an object's member.
pub(crate) fn header(address: &Address, encoding: Encoding, length: usize) -> [u8; BLOCK] {
    let mut header = [0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, format!("{address}{}", encoding.suffix()).as_bytes());
    put(100, b"0000444\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{length:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

/// Reads a header: whose it is, how it is stored, how long. All zeros, the end of the tar, are none.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<(Address, Encoding, usize)>, Error> {
    let refused = |reason: &str| Error::Json {
        what: "a member's header".to_owned(),
        reason: reason.to_owned(),
    };
    let bytes = bytes.get(..BLOCK).ok_or_else(|| refused("it is cut off"))?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let name = bytes[..100]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let name = std::str::from_utf8(name).map_err(|_| refused("its name is not text"))?;
    let (address, suffix) = name
        .split_at_checked(64)
        .ok_or_else(|| refused("its name is too short"))?;
    let encoding = [0, 2, 4, 8]
        .into_iter()
        .filter_map(Encoding::from_code)
        .find(|encoding| encoding.suffix() == suffix)
        .ok_or_else(|| refused("its name has an unknown suffix"))?;
    let address: Address = address.parse()?;
    let length = std::str::from_utf8(&bytes[124..135])
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 8).ok())
        .ok_or_else(|| refused("its length is no number"))?;
    if header(&address, encoding, length) != bytes {
        return Err(refused("it is not as the format writes it"));
    }
    Ok(Some((address, encoding, length)))
}
