//! Times as Azure Files writes them: seven digits after the second, `2024-01-02T03:04:05.1234567Z`.

use jiff::Timestamp;

/// The same time without what is finer than 100 ns, the tick of the service's file system.
pub fn whole_ticks(at: Timestamp) -> Timestamp {
    let nanoseconds = at.as_nanosecond();
    Timestamp::from_nanosecond(nanoseconds - nanoseconds.rem_euclid(100)).unwrap_or(at)
}

/// A time as a header or query states it; `None` where it is none.
pub fn parse(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().map(whole_ticks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::iso;

    #[test]
    fn ticks_survive_a_round_trip() {
        for text in [
            "2024-01-02T03:04:05.1234567Z",
            "1601-01-01T00:00:00.0000001Z",
        ] {
            assert_eq!(parse(text).map(iso).as_deref(), Some(text));
        }
    }
}
