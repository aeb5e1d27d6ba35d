//! Periods of the calendar, as people count them where the workspace is: days end at midnight there, weeks on Sunday.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A period of which one snapshot is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Every {
    /// Each snapshot is a period of its own.
    One,
    /// The hour on the clock.
    Hour,
    /// The day.
    Day,
    /// The week from Monday to Sunday (ISO 8601).
    Week,
    /// The month.
    Month,
    /// The year.
    Year,
}

/// The number of a period: equal for two moments in the same one.
pub(super) type Period = (i64, i64);

impl Every {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::One,
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Year,
    ];

    /// The word of the configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::One => "last",
            Self::Hour => "hourly",
            Self::Day => "daily",
            Self::Week => "weekly",
            Self::Month => "monthly",
            Self::Year => "yearly",
        }
    }

    /// The period in which a moment lies; `number` is the snapshot's place, newest first.
    pub(super) fn period(self, moment: Timestamp, zone: &TimeZone, number: usize) -> Period {
        let local = moment.to_zoned(zone.clone());
        let year = i64::from(local.year());
        let day = i64::from(local.day_of_year());
        match self {
            Self::One => (i64::try_from(number).unwrap_or(i64::MAX), 0),
            Self::Hour => (year, day * 24 + i64::from(local.hour())),
            Self::Day => (year, day),
            Self::Week => {
                let week = local.date().iso_week_date();
                (i64::from(week.year()), i64::from(week.week()))
            }
            Self::Month => (year, i64::from(local.month())),
            Self::Year => (year, 0),
        }
    }
}
