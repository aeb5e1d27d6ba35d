//! The conformance suite of all stores, on a container of the simulated cloud that an identity opens: the very file that the
//! local store, the memory and Azurite are held against.

use simulator::state::CLIENT_SECRET;
use simulator::{Settings, Simulator};

use super::Store;

#[path = "../../../archive-format/tests/format/conformance/suite.rs"]
mod suite;

#[path = "../../../archive-format/tests/format/conformance/streaming.rs"]
mod streaming;

/// What a test ends with.
type Tested<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Bytes without a pattern.
pub(super) fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..bytes).map(next).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_cloud_conforms() -> Tested {
    let store = Store::of(Simulator::new(Settings::default()));
    let storage = store.open("mlark", CLIENT_SECRET).await.unwrap();
    suite::conforms(&storage).await?;
    store.never_too_early();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_simulated_cloud_takes_streams() -> Tested {
    let store = Store::of(Simulator::new(Settings::default()));
    let storage = store.open_streaming("mlark", CLIENT_SECRET).await.unwrap();
    streaming::conforms(&storage).await?;
    store.never_too_early();
    Ok(())
}
