//! Values of the configuration that are checked when they are read: sizes, lengths of time, percentages, schedules.

use std::fmt;
use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

/// A size in bytes, written `64 MiB`; decimal units (`MB`) are powers of 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Text", into = "String")]
pub struct Size(pub u64);

/// A length of time, written `30d`, `24h`, `15m`, `10s` or `2w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

/// A share of a whole, written `20%`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Percent(pub u8);

/// A number or text: sizes may be written as bytes without a unit.
#[derive(Deserialize)]
#[serde(untagged)]
enum Text {
    Number(u64),
    Words(String),
}

impl TryFrom<Text> for Size {
    type Error = String;

    fn try_from(text: Text) -> Result<Self, String> {
        match text {
            Text::Number(bytes) => Ok(Self(bytes)),
            Text::Words(words) => words.parse(),
        }
    }
}

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split(text);
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "k" | "kib" => 1 << 10,
            "m" | "mib" => 1 << 20,
            "g" | "gib" => 1 << 30,
            "t" | "tib" => 1 << 40,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "tb" => 1_000_000_000_000,
            _ => return Err(format!("`{text}` is no size; write it like \"64 MiB\"")),
        };
        let number: f64 = number
            .parse()
            .map_err(|_| format!("`{text}` is no size; write it like \"64 MiB\""))?;
        let bytes = number * factor as f64;
        if !(0.0..=9.0e18).contains(&bytes) {
            return Err(format!("`{text}` is too large for a size"));
        }
        Ok(Self(bytes as u64))
    }
}

impl From<Size> for String {
    fn from(size: Size) -> Self {
        size.to_string()
    }
}

/// Writes the largest binary unit that leaves nothing over.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, name) in [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")] {
            if self.0 > 0 && self.0.trailing_zeros() >= unit {
                return write!(f, "{} {name}", self.0 >> unit);
            }
        }
        write!(f, "{}", self.0)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (number, unit) = split(&text);
        let seconds: u64 = match unit {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 7 * 86_400,
            _ => {
                return Err(format!(
                    "`{text}` is no length of time; write it like \"30d\" or \"24h\""
                ));
            }
        };
        number
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(seconds))
            .filter(|seconds| *seconds <= 100 * 366 * 86_400)
            .map(|seconds| Self(Duration::from_secs(seconds)))
            .ok_or_else(|| format!("`{text}` is no length of time up to 100 years"))
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let seconds = span.0.as_secs();
        for (unit, name) in [(86_400, "d"), (3_600, "h"), (60, "m")] {
            if seconds > 0 && seconds.is_multiple_of(unit) {
                return format!("{}{name}", seconds / unit);
            }
        }
        format!("{seconds}s")
    }
}

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

fn split(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim())
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
    fn sizes_and_spans_are_read_and_written_alike() {
        for text in ["64 MiB", "50 GiB", "1000", "1 TiB"] {
            let size: Size = text.parse().unwrap();
            assert_eq!(String::from(size), text);
        }
        assert_eq!("1.5 KiB".parse::<Size>().unwrap(), Size(1536));
        assert!("64 mibs".parse::<Size>().is_err() && "-1 MiB".parse::<Size>().is_err());
        for text in ["30d", "24h", "90m", "1s"] {
            let span = Span::try_from(text.to_owned()).unwrap();
            let again = Span::try_from(String::from(span)).unwrap();
            assert_eq!(span, again);
        }
        assert!(Span::try_from("30".to_owned()).is_err());
        assert!(Span::try_from("99999999999d".to_owned()).is_err());
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
