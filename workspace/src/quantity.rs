//! Lengths of time and sizes as people write them: `90d`, `64 MiB`. One type each for configuration and selectors.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A length of time: a whole number and one of `s`, `m`, `h`, `d`, `w`, `y` (365 days).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Duration);

const PERIODS: &[(&str, u64)] = &[
    ("y", 365 * 24 * 60 * 60),
    ("w", 7 * 24 * 60 * 60),
    ("d", 24 * 60 * 60),
    ("h", 60 * 60),
    ("m", 60),
    ("s", 1),
];

/// A size in bytes: a number, with a fraction if wished, and one of `B`, `KiB`, `MiB`, `GiB`, `TiB`, `PiB` (powers of
/// 1024) or `kB`, `MB`, `GB`, `TB`, `PB` (powers of 1000). A number alone is bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteSize(u64);

const SIZES: &[(&str, u64)] = &[
    ("PiB", 1 << 50),
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("PB", 1_000_000_000_000_000),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Period {
    /// A period of so many seconds.
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// A period of so many days.
    pub const fn from_days(days: u32) -> Self {
        Self::from_seconds(days as u64 * 24 * 60 * 60)
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        self.0
    }
}

impl ByteSize {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Period {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Name {
            text: text.to_owned(),
            what: "a length of time such as `24h`, `30d` or `2w`",
        };
        let (number, unit) = split(text).ok_or_else(refused)?;
        let seconds = PERIODS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(refused)?
            .1;
        let number: u64 = number.parse().map_err(|_| refused())?;
        let seconds = number.checked_mul(seconds).ok_or_else(refused)?;
        // Beyond what a clock can be moved by.
        if seconds > 100_000 * 365 * 24 * 60 * 60 {
            return Err(refused());
        }
        Ok(Self::from_seconds(seconds))
    }
}

impl FromStr for ByteSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refused = || Error::Name {
            text: text.to_owned(),
            what: "a size such as `64 MiB`, `5GiB` or `1000`",
        };
        let (number, unit) = split(text).ok_or_else(refused)?;
        let unit = match unit {
            "" => 1,
            unit => {
                SIZES
                    .iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(unit))
                    .ok_or_else(refused)?
                    .1
            }
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole: u64 = whole.parse().map_err(|_| refused())?;
        let mut bytes = whole.checked_mul(unit).ok_or_else(refused)?;
        if !fraction.is_empty() {
            if fraction.len() > 6 {
                return Err(refused());
            }
            let scale = 10u128.pow(u32::try_from(fraction.len()).unwrap_or_default());
            let part: u128 = fraction.parse().map_err(|_| refused())?;
            let part = u64::try_from(u128::from(unit) * part / scale).map_err(|_| refused())?;
            bytes = bytes.checked_add(part).ok_or_else(refused)?;
        }
        Ok(Self(bytes))
    }
}

/// The number at the front and the unit behind it.
fn split(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (!number.is_empty()).then_some((number, unit.trim_start()))
}

/// Writes the largest unit that divides it: `90d`, `36h`.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        // Weeks and years are for reading only; days say the same to everyone.
        let unit = PERIODS[2..]
            .iter()
            .find(|(_, unit)| seconds != 0 && seconds.is_multiple_of(*unit));
        match unit {
            Some((name, unit)) => write!(f, "{}{name}", seconds / unit),
            None => write!(f, "{seconds}s"),
        }
    }
}

/// Writes the largest binary unit that divides it: `64 MiB`, `1000 B`.
impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = SIZES[..5]
            .iter()
            .find(|(_, unit)| self.0 != 0 && self.0.is_multiple_of(*unit));
        match unit {
            Some((name, unit)) => write!(f, "{} {name}", self.0 / unit),
            None => write!(f, "{} B", self.0),
        }
    }
}

impl TryFrom<String> for Period {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> Self {
        period.to_string()
    }
}

impl TryFrom<String> for ByteSize {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<ByteSize> for String {
    fn from(size: ByteSize) -> Self {
        size.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_are_read_and_written() -> Result<(), Error> {
        assert_eq!("90d".parse::<Period>()?, Period::from_days(90));
        assert_eq!("24 h".parse::<Period>()?.to_string(), "1d");
        assert_eq!("36h".parse::<Period>()?.to_string(), "36h");
        assert_eq!("0s".parse::<Period>()?.to_string(), "0s");
        assert_eq!("2w".parse::<Period>()?, Period::from_days(14));
        Ok(())
    }

    #[test]
    fn sizes_are_read_and_written() -> Result<(), Error> {
        assert_eq!("64 MiB".parse::<ByteSize>()?.bytes(), 64 << 20);
        assert_eq!("5gib".parse::<ByteSize>()?.to_string(), "5 GiB");
        assert_eq!("1.5 KiB".parse::<ByteSize>()?.bytes(), 1536);
        assert_eq!("1000".parse::<ByteSize>()?.to_string(), "1000 B");
        assert_eq!("2GB".parse::<ByteSize>()?.bytes(), 2_000_000_000);
        Ok(())
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in [
            "",
            "d",
            "-1d",
            "1.5d",
            "1x",
            "99999999999999999999d",
            "9999999999w",
        ] {
            assert!(text.parse::<Period>().is_err(), "{text}");
        }
        for text in [
            "",
            "MiB",
            "-1",
            "1.2.3",
            "1 XiB",
            "99999999999999 PiB",
            "1.12345678 B",
        ] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }
}
