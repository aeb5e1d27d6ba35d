//! Pieces and nodes of manifests that were read lately, parsed and checked. A run looks items up one by one in nearly
//! the manifest's order, many at once, and would read the same 64 KiB for each of its lines otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use crate::manifest::root::Node;
use crate::{Address, Line};

/// What is kept of both together, in bytes as they are stored before compression. Parsed they take some three times that.
const KEPT_BYTES: usize = 4 << 20;

/// So many different objects are read at once.
const TURNS: usize = 16;

/// A part of a manifest.
#[derive(Clone, Debug)]
pub(crate) enum Parsed {
    /// The lines of a piece.
    Piece(Arc<Vec<Line>>),
    /// A list of pieces or of lists.
    Node(Arc<Node>),
}

#[derive(Debug)]
struct Kept {
    address: Address,
    bytes: usize,
    parsed: Parsed,
}

/// The newest use last.
#[derive(Debug, Default)]
pub(crate) struct ReadLately {
    kept: Mutex<VecDeque<Kept>>,
    turns: [tokio::sync::Mutex<()>; TURNS],
}

impl ReadLately {
    /// Waits while another reads this object: who holds a turn asks [`ReadLately::get`] once more before reading.
    pub(crate) async fn turn(&self, address: &Address) -> tokio::sync::MutexGuard<'_, ()> {
        let [first, ..] = address.as_bytes();
        let [turn, ..] = &self.turns;
        let turn = self.turns.get(usize::from(*first) % TURNS).unwrap_or(turn);
        turn.lock().await
    }

    /// What was kept of an object.
    pub(crate) fn get(&self, address: &Address) -> Option<Parsed> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let place = kept.iter().rposition(|kept| kept.address == *address)?;
        let found = kept.remove(place)?;
        let parsed = found.parsed.clone();
        kept.push_back(found);
        Some(parsed)
    }

    /// Keeps an object of so many bytes, unless it is too large to be kept beside others.
    pub(crate) fn put(&self, address: Address, bytes: usize, parsed: Parsed) {
        if bytes > KEPT_BYTES / 2 {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(Kept {
            address,
            bytes,
            parsed,
        });
        let mut sum: usize = kept.iter().map(|kept| kept.bytes).sum();
        while sum > KEPT_BYTES {
            sum -= kept.pop_front().map_or(sum, |kept| kept.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_BYTES, Parsed, ReadLately};
    use crate::Address;

    #[test]
    fn what_was_used_longest_ago_goes_first() {
        let lately = ReadLately::default();
        let piece = || Parsed::Piece(Vec::new().into());
        let addresses: Vec<Address> = (0..5_u8).map(|byte| Address::of(&[byte])).collect();
        for address in &addresses[..4] {
            lately.put(*address, KEPT_BYTES / 4, piece());
        }
        assert!(lately.get(&addresses[0]).is_some());
        lately.put(addresses[4], KEPT_BYTES / 4, piece());
        assert!(lately.get(&addresses[0]).is_some());
        assert!(lately.get(&addresses[1]).is_none());
        lately.put(addresses[1], KEPT_BYTES, piece());
        assert!(lately.get(&addresses[1]).is_none());
    }
}
