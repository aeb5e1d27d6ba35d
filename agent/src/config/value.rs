//! Values of the configuration that are checked when they are read: percentages, schedules, rates and numbers of requests.
//! Sizes and lengths of time are `workspace`'s, the same as in selectors.

use std::num::NonZero;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};
use workspace::ByteSize;
use workspace::azure::bandwidth::Rate;

/// A share of a whole, written `20%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(pub u8);

impl TryFrom<String> for Percent {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.trim()
            .strip_suffix('%')
            .and_then(|number| number.trim().parse::<u8>().ok())
            .filter(|number| *number <= 100)
            .map(Self)
            .ok_or_else(|| format!("`{text}` is no share; write it like \"20%\""))
    }
}

impl From<Percent> for String {
    fn from(percent: Percent) -> Self {
        format!("{}%", percent.0)
    }
}

/// The lowest rate: below it the requests that are under way together would take longer than services wait for them.
const RATE_LEAST: u64 = 256 << 10;

/// The most requests at once to a service that may be asked for, as many as mlark ever sends by itself.
const CONCURRENCY_MOST: u8 = 32;

const UNLIMITED: &str = "unlimited";
const AUTO: &str = "auto";

/// Bytes a second, written `10 MiB/s`, or `unlimited`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ByteRate(Rate);

impl ByteRate {
    /// As a number.
    pub fn rate(self) -> Rate {
        self.0
    }
}

impl TryFrom<String> for ByteRate {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text.trim() == UNLIMITED {
            return Ok(Self(None));
        }
        let size = text.trim().strip_suffix("/s").map(str::trim);
        let bytes = size
            .and_then(|size| size.parse::<ByteSize>().ok())
            .map(ByteSize::bytes)
            .ok_or_else(|| {
                format!("`{text}` is no rate; write it like \"10 MiB/s\", or \"unlimited\"")
            })?;
        if bytes < RATE_LEAST {
            return Err(format!(
                "the rate `{text}` is refused: below 256 KiB/s requests would outlive the time that services give them"
            ));
        }
        Ok(Self(NonZero::new(bytes)))
    }
}

impl From<ByteRate> for String {
    fn from(rate: ByteRate) -> Self {
        match rate.0 {
            Some(bytes) => format!("{}/s", ByteSize::from_bytes(bytes.get())),
            None => UNLIMITED.to_owned(),
        }
    }
}

/// How many requests to one service are under way at once: at most so many, or `auto`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Concurrency(Option<u8>);

/// A number, or a word.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(i64),
    Word(String),
}

impl Concurrency {
    /// The most, where that is said.
    pub fn most(self) -> Option<usize> {
        self.0.map(usize::from)
    }
}

impl TryFrom<Written> for Concurrency {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let number = match &written {
            Written::Word(word) if word == AUTO => return Ok(Self(None)),
            Written::Word(word) => word.parse().ok(),
            Written::Number(number) => u8::try_from(*number).ok(),
        };
        let number = number.filter(|number| (1..=CONCURRENCY_MOST).contains(number));
        number.map(|number| Self(Some(number))).ok_or_else(|| {
            format!("the number of requests at once is \"auto\", or from 1 to {CONCURRENCY_MOST}")
        })
    }
}

impl From<Concurrency> for Written {
    fn from(concurrency: Concurrency) -> Self {
        match concurrency.0 {
            Some(number) => Self::Number(number.into()),
            None => Self::Word(AUTO.to_owned()),
        }
    }
}

/// A cron pattern of five fields in a time zone, known to come again.
#[derive(Clone, Debug)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
    pattern: String,
}

impl Schedule {
    /// Reads a pattern; one that never comes (31 February) is refused here, not at three in the morning.
    pub fn new(pattern: &str, zone: Option<&str>, now: Timestamp) -> Result<Self, String> {
        if pattern.split_whitespace().count() != 5 {
            return Err(format!(
                "`{pattern}` has not five fields: minute, hour, day of month, month, day of week"
            ));
        }
        let zone = match zone {
            None => TimeZone::UTC,
            Some(name) => TimeZone::get(name).map_err(|_| {
                format!("the time zone `{name}` is not known; write it like \"Europe/Sofia\"")
            })?,
        };
        let cron = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build()
            .parse(pattern)
            .map_err(|error| format!("`{pattern}` is no cron pattern: {error}"))?;
        let schedule = Self {
            cron,
            zone,
            pattern: pattern.to_owned(),
        };
        if schedule.next_after(now).is_none() {
            return Err(format!("`{pattern}` never comes"));
        }
        Ok(schedule)
    }

    /// The first moment after this one.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let from: Zoned = moment.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&from, false).ok()?;
        Some(next.timestamp())
    }

    /// The last moment not after this one.
    pub fn last_before(&self, moment: Timestamp) -> Option<Timestamp> {
        let from: Zoned = moment.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&from, true).ok()?;
        Some(last.timestamp())
    }

    /// The pattern as it was written.
    pub fn pattern(&self) -> &str {
        &self.pattern
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a failed test says where")]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_up_to_all() {
        assert_eq!(
            Percent::try_from("20%".to_owned()).map(|share| share.0),
            Ok(20)
        );
        for text in ["20", "101%", "-1%", "x%"] {
            assert!(Percent::try_from(text.to_owned()).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_size_a_second_and_not_too_low() {
        let rate = |text: &str| ByteRate::try_from(text.to_owned());
        for (text, bytes) in [("10 MiB/s", 10 << 20), ("256KiB/s", 256 << 10)] {
            let read = rate(text).unwrap();
            assert_eq!(read.rate().map(NonZero::get), Some(bytes), "{text}");
            assert_eq!(rate(&String::from(read)), Ok(read));
        }
        assert_eq!(rate("unlimited"), Ok(ByteRate::default()));
        for text in ["10 MiB", "10", "fast", "-1 MiB/s", "0 B/s", "100 KiB/s", ""] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn requests_at_once_are_a_number_or_left_to_mlark() {
        let read = |text: &str| {
            let read: Result<toml::Table, _> = toml::from_str(text);
            read.unwrap().remove("n").unwrap().try_into::<Concurrency>()
        };
        for (text, most) in [
            ("n = \"auto\"", None),
            ("n = 1", Some(1)),
            ("n = \"32\"", Some(32)),
        ] {
            assert_eq!(read(text).unwrap().most(), most, "{text}");
        }
        for text in [
            "n = 0",
            "n = -1",
            "n = 33",
            "n = 300",
            "n = \"many\"",
            "n = true",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_schedule_that_never_comes_is_refused_when_it_is_read() {
        let now: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
        let refused = Schedule::new("0 2 31 2 *", None, now).unwrap_err();
        assert!(refused.contains("never comes"), "{refused}");
        assert!(
            Schedule::new("0 0 2 * * *", None, now)
                .unwrap_err()
                .contains("five fields")
        );
        assert!(
            Schedule::new("0 2 * * *", Some("Europe/Sophia"), now)
                .unwrap_err()
                .contains("time zone")
        );
    }

    #[test]
    fn a_night_schedule_runs_once_on_the_days_when_clocks_change() {
        let start: Timestamp = "2027-03-27T12:00:00Z".parse().unwrap();
        let schedule = Schedule::new("30 3 * * *", Some("Europe/Sofia"), start).unwrap();
        // On 28 March 2027 Sofia's clocks go from 03:00 to 04:00: 03:30 does not exist, the run comes at 04:00 or 04:30.
        let first = schedule.next_after(start).unwrap();
        let second = schedule.next_after(first).unwrap();
        assert!(first < "2027-03-28T12:00:00Z".parse().unwrap());
        assert_eq!(second, "2027-03-29T00:30:00Z".parse().unwrap());
        let autumn: Timestamp = "2027-10-30T12:00:00Z".parse().unwrap();
        let first = schedule.next_after(autumn).unwrap();
        let second = schedule.next_after(first).unwrap();
        assert!(
            second.duration_since(first).as_hours() >= 23,
            "{first} {second}"
        );
    }
}
