//! What the tests of several crates share: how long they are, where figures go, and processes whose memory is measured.
//! It knows none of our crates, so that each of them may use it in its tests.

pub mod apart;
pub mod length;
