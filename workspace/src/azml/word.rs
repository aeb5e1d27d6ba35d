//! Words and durations: ARM's `PascalCase` and `camelCase` into the YAML's `snake_case`, ISO 8601 durations into numbers.

use serde_json::{Value, json};

/// The SDK's own rule: `AUCWeighted` is `auc_weighted`, `R2Score` is `r2_score`, `instanceCount` is `instance_count`.
pub(super) fn snake(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len() + 8);
    for (index, c) in chars.iter().copied().enumerate() {
        if index > 0 && c.is_ascii_uppercase() {
            let before = chars[index - 1];
            let ends_capitals =
                chars.get(index + 1).is_some_and(char::is_ascii_lowercase) && before != '_';
            if before.is_ascii_lowercase() || before.is_ascii_digit() || ends_capitals {
                out.push('_');
            }
        }
        out.extend(c.to_lowercase());
    }
    out
}

/// The word of a table, in any letter case; others become snake case.
pub(super) fn word(text: &str, words: &[(&str, &str)]) -> String {
    words
        .iter()
        .find(|(from, _)| from.eq_ignore_ascii_case(text))
        .map_or_else(|| snake(text), |(_, to)| (*to).to_owned())
}

/// An ISO 8601 duration as a whole number of a unit of so many milliseconds; `None` where it is none, or has months or
/// years, whose length varies.
pub(super) fn duration(text: &str, unit_ms: u64) -> Option<Value> {
    let rest = text.strip_prefix('P')?;
    let (days, time) = rest.split_once('T').unwrap_or((rest, ""));
    let date = sum(days, &[('W', 604_800_000), ('D', 86_400_000)])?;
    let time = sum(time, &[('H', 3_600_000), ('M', 60_000), ('S', 1_000)])?;
    let total = date.checked_add(time)?;
    Some(json!(total / unit_ms))
}

fn sum(mut text: &str, units: &[(char, u64)]) -> Option<u64> {
    let mut total = 0_u64;
    while !text.is_empty() {
        let end = text.find(|c: char| c.is_ascii_alphabetic())?;
        let unit = text[end..].chars().next()?;
        let (_, ms) = units.iter().find(|(name, _)| *name == unit)?;
        total = total.checked_add(product(&text[..end], *ms)?)?;
        text = &text[end + 1..];
    }
    Some(total)
}

fn product(number: &str, ms: u64) -> Option<u64> {
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().ok()?;
    let mut total = whole.checked_mul(ms)?;
    let mut scale = ms;
    for digit in part.chars() {
        scale /= 10;
        total = total.checked_add(u64::from(digit.to_digit(10)?).checked_mul(scale)?)?;
    }
    Some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_what_the_sdk_makes_of_them() {
        for (given, expected) in [
            ("AUCWeighted", "auc_weighted"),
            ("R2Score", "r2_score"),
            (
                "NormalizedRootMeanSquaredError",
                "normalized_root_mean_squared_error",
            ),
            ("instanceCount", "instance_count"),
            ("TextNER", "text_ner"),
            ("already_snake", "already_snake"),
            ("AADToken", "aad_token"),
            ("LightGBM", "light_gbm"),
        ] {
            assert_eq!(snake(given), expected);
        }
    }

    #[test]
    fn durations_become_numbers_and_months_do_not() {
        assert_eq!(duration("PT2H", 1_000), Some(json!(7_200)));
        assert_eq!(duration("P1DT1M30.5S", 1_000), Some(json!(86_490)));
        assert_eq!(duration("PT90S", 1), Some(json!(90_000)));
        assert_eq!(duration("PT0.25S", 1), Some(json!(250)));
        for none in ["P1M", "2 hours", "PT", "PT5", "P1H", ""] {
            let none = duration(none, 1);
            assert!(none.is_none() || none == Some(json!(0)));
        }
    }
}
