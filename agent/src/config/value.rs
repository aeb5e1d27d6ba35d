//! Values of the configuration that are checked when they are read: percentages and schedules. Sizes and lengths of
//! time are `workspace`'s, the same as in selectors.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

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
