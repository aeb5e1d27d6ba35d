//! The filter of a run search: comparisons joined by `and`, as MLflow's search syntax has them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use super::answer::mlflow_status;
use super::error::invalid;
use crate::clock::unix_ms;
use crate::history::{Run, text_of};
use crate::metric::Metric;
use crate::reply::Refusal;

/// A parsed filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Term>);

#[derive(Debug, PartialEq, Eq)]
struct Term {
    of: String,
    key: String,
    operator: String,
    value: String,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let mut rest = text.trim();
        let mut terms = Vec::new();
        while !rest.is_empty() {
            let (term, after) = term(rest)
                .ok_or_else(|| invalid(format!("Invalid clause(s) in filter string: '{rest}'")))?;
            terms.push(term);
            rest = after.trim_start();
            if rest.is_empty() {
                break;
            }
            rest = match rest.get(..4) {
                Some(word) if word.eq_ignore_ascii_case("and ") => rest[4..].trim_start(),
                _ => {
                    return Err(invalid(format!(
                        "Invalid clause(s) in filter string: '{rest}'"
                    )));
                }
            };
        }
        Ok(Self(terms))
    }

    pub(super) fn holds(&self, run: &Run, metrics: Option<&BTreeMap<String, Metric>>) -> bool {
        self.0.iter().all(|term| term.holds(run, metrics))
    }
}

/// Reads one comparison from the front of a text.
fn term(text: &str) -> Option<(Term, &str)> {
    let end = text.find(['.', ' ', '=', '!', '<', '>'])?;
    let (of, mut rest) = (&text[..end], &text[end..]);
    let mut key = of;
    let mut of = of;
    if let Some(dotted) = rest.strip_prefix('.') {
        (key, rest) = name(dotted)?;
    } else {
        of = "attributes";
    }
    let rest = rest.trim_start();
    let (operator, rest) = [
        "!=", ">=", "<=", "=", ">", "<", "LIKE ", "like ", "ILIKE ", "ilike ",
    ]
    .into_iter()
    .find_map(|operator| Some((operator, rest.strip_prefix(operator)?)))?;
    let rest = rest.trim_start();
    let (value, rest) = match rest.chars().next()? {
        quote @ ('\'' | '"') => rest[1..].split_once(quote)?,
        _ => {
            let end = rest.find(' ').unwrap_or(rest.len());
            (&rest[..end], &rest[end..])
        }
    };
    let term = Term {
        of: of.to_ascii_lowercase(),
        key: key.to_owned(),
        operator: operator.trim().to_ascii_lowercase(),
        value: value.to_owned(),
    };
    Some((term, rest))
}

/// A key after the dot: bare, or in backticks or double quotes.
fn name(text: &str) -> Option<(&str, &str)> {
    match text.chars().next()? {
        quote @ ('`' | '"') => text[1..].split_once(quote),
        _ => {
            let end = text.find([' ', '=', '!', '<', '>'])?;
            Some((&text[..end], &text[end..]))
        }
    }
}

impl Term {
    fn holds(&self, run: &Run, metrics: Option<&BTreeMap<String, Metric>>) -> bool {
        let Some(found) = self.of(run, metrics) else {
            return false;
        };
        let ordering = match (found.parse::<f64>(), self.value.parse::<f64>()) {
            (Ok(found), Ok(wanted)) if self.is_number() => found.partial_cmp(&wanted),
            _ => Some(found.cmp(&self.value)),
        };
        match self.operator.as_str() {
            "=" => ordering == Some(Ordering::Equal),
            "!=" => ordering != Some(Ordering::Equal),
            ">" => ordering == Some(Ordering::Greater),
            ">=" => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            "<" => ordering == Some(Ordering::Less),
            "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            "like" => like(&found, &self.value),
            _ => like(&found.to_lowercase(), &self.value.to_lowercase()),
        }
    }

    fn is_number(&self) -> bool {
        matches!(self.of.as_str(), "metrics" | "metric")
            || matches!(self.key.as_str(), "start_time" | "end_time")
    }

    fn of(&self, run: &Run, metrics: Option<&BTreeMap<String, Metric>>) -> Option<String> {
        match self.of.as_str() {
            "tags" | "tag" => run.tags.get(&self.key).cloned(),
            "params" | "param" | "parameters" => run.parameters.get(&self.key).map(text_of),
            "metrics" | "metric" => {
                let last = metrics?.get(&self.key)?.points.last()?;
                last.data.get(&self.key).map(text_of)
            }
            _ => match self.key.as_str() {
                "run_id" => Some(run.run_id.clone()),
                "run_name" => run.display_name.clone(),
                "status" => Some(mlflow_status(&run.status).to_owned()),
                "start_time" => run.started.map(|at| unix_ms(at).to_string()),
                "end_time" => run.ended.map(|at| unix_ms(at).to_string()),
                _ => None,
            },
        }
    }
}

/// SQL's LIKE with `%` only.
fn like(text: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('%');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        if let Some(between) = last.replace(part) {
            match rest.find(between) {
                Some(at) => rest = &rest[at + between.len()..],
                None => return false,
            }
        }
    }
    last.map_or(rest.is_empty(), |last| rest.ends_with(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        let mut run = Run {
            run_id: "r".to_owned(),
            status: "Completed".to_owned(),
            ..Run::default()
        };
        run.tags
            .insert("origin.run".to_owned(), "it's a run".to_owned());
        run.tags
            .insert("team".to_owned(), "nlp and more".to_owned());
        run
    }

    #[test]
    fn quoted_keys_and_values_that_look_like_syntax_are_compared_as_they_are() {
        for (text, wanted) in [
            ("", true),
            ("tags.`origin.run` = \"it's a run\"", true),
            ("tags.\"origin.run\" = 'other'", false),
            (
                "tags.team = 'nlp and more' and attributes.status = 'FINISHED'",
                true,
            ),
            ("tags.team LIKE 'nlp%more'", true),
            ("tags.team like '%x%'", false),
            ("status != 'RUNNING'", true),
            ("params.lr = '1'", false),
        ] {
            let found = Filter::parse(text).map(|filter| filter.holds(&run(), None));
            assert_eq!(found.ok(), Some(wanted), "{text}");
        }
        assert!(Filter::parse("tags.team 'nlp'").is_err());
        assert!(Filter::parse("tags.team = 'a' or tags.team = 'b'").is_err());
    }
}
