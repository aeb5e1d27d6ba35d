//! Conditions in brackets: `experiment=exp-*`, `ended<90d`, `size<5GiB`, `archived`.

use jiff::{SignedDuration, Timestamp};

use super::pattern::Part;
use super::text::{Mark, plain};
use super::{AttributeName, AttributeValue, Attributes};
use crate::quantity::{ByteSize, Period};
use crate::{Error, ItemId};

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

/// What it is compared with.
#[derive(Clone, Debug, PartialEq)]
enum Operand {
    Pattern(Part),
    Age(Period),
    Time(Timestamp),
    Size(ByteSize),
    Flag(bool),
}

/// One condition.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Condition {
    attribute: AttributeName,
    operator: Operator,
    operand: Operand,
}

impl Condition {
    /// Reads a condition; `text` is the selector that it stands in, for errors.
    pub(super) fn parse(marks: &[Mark], text: &str) -> Result<Self, Error> {
        let refused = |reason| Error::Selector {
            text: text.to_owned(),
            reason,
        };
        let at = marks
            .iter()
            .position(|mark| matches!(mark, ('=' | '<' | '>' | '!', false)))
            .unwrap_or(marks.len());
        let attribute: AttributeName = plain(&marks[..at]).trim().parse()?;
        let sign: String = marks[at..]
            .iter()
            .take(2)
            .take_while(|mark| matches!(mark, ('=' | '<' | '>' | '!', false)))
            .map(|(c, _)| c)
            .collect();
        let operator = match sign.as_str() {
            "=" | "==" | "" => Operator::Equal,
            "!=" => Operator::Unequal,
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::More,
            ">=" => Operator::MoreOrEqual,
            _ => return Err(refused("a condition is compared by =, !=, <, <=, > or >=")),
        };
        let value = trim(&marks[at + sign.chars().count()..]);
        let operand = match attribute {
            AttributeName::Archived | AttributeName::Anonymous => flag(value, &sign),
            _ if sign.is_empty() => None,
            AttributeName::Created
            | AttributeName::Modified
            | AttributeName::Started
            | AttributeName::Ended => moment(&plain(value)),
            AttributeName::Size => plain(value).parse().ok().map(Operand::Size),
            _ => Some(Operand::Pattern(Part::new(value))),
        }
        .ok_or_else(|| refused("a condition compares with no fitting value"))?;
        let ordered = !matches!(operator, Operator::Equal | Operator::Unequal);
        match operand {
            Operand::Pattern(_) | Operand::Flag(_) if ordered => {
                Err(refused("only times and sizes are more or less"))
            }
            Operand::Age(_) | Operand::Time(_) if !ordered => {
                Err(refused("a time is compared by <, <=, > or >="))
            }
            _ => Ok(Self {
                attribute,
                operator,
                operand,
            }),
        }
    }

    /// Whether it holds; `None` where that is not known yet.
    pub(super) fn holds(
        &self,
        id: &ItemId,
        attributes: &dyn Attributes,
        now: Timestamp,
    ) -> Option<bool> {
        let value = match self.attribute {
            AttributeName::Name => AttributeValue::Text(id.name.clone()),
            AttributeName::Version => id
                .version
                .clone()
                .map_or(AttributeValue::Absent, AttributeValue::Text),
            _ => attributes.attribute(&self.attribute)?,
        };
        Some(match (&self.operand, value) {
            (Operand::Pattern(pattern), AttributeValue::Text(text)) => {
                pattern.matches(&text) == (self.operator == Operator::Equal)
            }
            (Operand::Flag(wanted), AttributeValue::Flag(flag)) => {
                (flag == *wanted) == (self.operator == Operator::Equal)
            }
            (Operand::Size(wanted), AttributeValue::Size(size)) => {
                self.operator.holds(&size, &wanted.bytes())
            }
            (Operand::Time(wanted), AttributeValue::Time(time)) => {
                self.operator.holds(&time, wanted)
            }
            (Operand::Age(wanted), AttributeValue::Time(time)) => {
                let wanted = SignedDuration::try_from(wanted.duration()).ok()?;
                self.operator.holds(&now.duration_since(time), &wanted)
            }
            _ => self.operator == Operator::Unequal,
        })
    }
}

impl Operator {
    fn holds<T: Ord>(self, left: &T, right: &T) -> bool {
        match self {
            Self::Equal => left == right,
            Self::Unequal => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::More => left > right,
            Self::MoreOrEqual => left >= right,
        }
    }
}

fn trim(mut marks: &[Mark]) -> &[Mark] {
    while let [(' ', false), rest @ ..] | [rest @ .., (' ', false)] = marks {
        marks = rest;
    }
    marks
}

/// `archived` alone means yes.
fn flag(value: &[Mark], sign: &str) -> Option<Operand> {
    match (plain(value).to_ascii_lowercase().as_str(), sign) {
        ("", "") | ("true" | "yes", "=" | "!=" | "==") => Some(Operand::Flag(true)),
        ("false" | "no", "=" | "!=" | "==") => Some(Operand::Flag(false)),
        _ => None,
    }
}

/// An age (`90d`), a day (`2026-01-31`, its start in UTC) or a moment in RFC 3339.
fn moment(text: &str) -> Option<Operand> {
    if let Ok(age) = text.parse() {
        return Some(Operand::Age(age));
    }
    let time = match text.parse::<jiff::civil::Date>() {
        Ok(day) if !text.contains(['T', 't', ':']) => {
            day.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
        }
        _ => text.parse().ok()?,
    };
    Some(Operand::Time(time))
}
