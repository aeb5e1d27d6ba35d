//! Lists of runs: filters, order and pages.
//!
//! Filters are those that clients of run history send: `status eq 'Completed'`, `tags/team eq 'nlp'`,
//! `StartTimeUtc ge 2026-01-01`, `LastModifiedUtc ge 2026-01-01T00:00:00Z`, joined by `and`. Pages are small and their tokens opaque.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;

use super::document::bad_request;
use super::run::{Run, text_of};
use crate::reply::Refusal;

/// What a list is asked for.
#[derive(Debug, Default)]
pub(crate) struct Wanted<'a> {
    /// The filter's text.
    pub(crate) filter: Option<&'a str>,
    /// `createdUtc desc` and the like.
    pub(crate) order: Option<&'a str>,
    /// Where the page before ended.
    pub(crate) token: Option<&'a str>,
    /// Rows of a page.
    pub(crate) top: Option<usize>,
}

/// One page of the runs that fit, and the token of the next one. `page` limits what `top` asks for.
pub(crate) fn page<'a>(
    mut runs: Vec<&'a Run>,
    wanted: &Wanted<'_>,
    page: usize,
) -> Result<(Vec<&'a Run>, Option<String>), Refusal> {
    let terms = parse(wanted.filter.unwrap_or_default())?;
    runs.retain(|run| terms.iter().all(|term| term.holds(run)));
    sort(&mut runs, wanted.order.unwrap_or("createdUtc desc"));
    let start = wanted
        .token
        .filter(|it| !it.is_empty())
        .map_or(Ok(0), from_token)?;
    let rows = wanted.top.filter(|top| *top > 0).unwrap_or(page).min(page);
    let next = (start + rows < runs.len()).then(|| to_token(start + rows));
    Ok((runs.into_iter().skip(start).take(rows).collect(), next))
}

/// An opaque token for a position.
pub(crate) fn to_token(position: usize) -> String {
    URL_SAFE_NO_PAD.encode(format!("{{\"position\":{position}}}"))
}

/// The position of a token that [`to_token`] made.
pub(crate) fn from_token(token: &str) -> Result<usize, Refusal> {
    let text = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    text.as_deref()
        .and_then(|text| text.strip_prefix("{\"position\":"))
        .and_then(|text| text.strip_suffix('}'))
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| bad_request("The continuation token is invalid."))
}

fn sort(runs: &mut [&Run], order: &str) {
    let descends = order.to_ascii_lowercase().trim_end().ends_with("desc");
    let by_start = order
        .to_ascii_lowercase()
        .trim_start()
        .starts_with("starttime");
    runs.sort_by(|a, b| {
        let key = |run: &Run| {
            let at = if by_start { run.started } else { run.created };
            (at, run.number)
        };
        if descends {
            key(b).cmp(&key(a))
        } else {
            key(a).cmp(&key(b))
        }
    });
}

/// One comparison of a filter.
#[derive(Debug)]
struct Term {
    field: String,
    operator: String,
    value: String,
}

fn parse(filter: &str) -> Result<Vec<Term>, Refusal> {
    let mut rest = filter.trim();
    let mut terms = Vec::new();
    while !rest.is_empty() {
        let invalid = || bad_request(format!("The filter is not understood: {filter}"));
        let (field, after) = rest
            .trim_start_matches('(')
            .split_once(' ')
            .ok_or_else(invalid)?;
        let (operator, after) = after.trim_start().split_once(' ').ok_or_else(invalid)?;
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('\'') {
            Some(quoted) => quoted.split_once('\'').ok_or_else(invalid)?,
            None => after.split_once(' ').unwrap_or((after, "")),
        };
        terms.push(Term {
            field: field.to_owned(),
            operator: operator.to_ascii_lowercase(),
            value: value.trim_end_matches(')').to_owned(),
        });
        let after = after.trim_start_matches(')').trim_start();
        rest = match after.get(..4) {
            None if after.is_empty() => "",
            Some(word) if word.eq_ignore_ascii_case("and ") => after[4..].trim_start(),
            _ => return Err(invalid()),
        };
    }
    Ok(terms)
}

impl Term {
    fn holds(&self, run: &Run) -> bool {
        let found = self.of(run);
        let ordering = match (&found, self.value.parse::<Timestamp>()) {
            (None, _) => None,
            (Some(found), Ok(wanted)) => found.parse::<Timestamp>().ok().map(|at| at.cmp(&wanted)),
            (Some(found), Err(_)) => Some(found.as_str().cmp(self.value.as_str())),
        };
        match self.operator.as_str() {
            "eq" => ordering == Some(Ordering::Equal),
            "ne" => ordering != Some(Ordering::Equal),
            "gt" => ordering == Some(Ordering::Greater),
            "ge" => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
            "lt" => ordering == Some(Ordering::Less),
            "le" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
            _ => false,
        }
    }

    fn of(&self, run: &Run) -> Option<String> {
        let (field, name) = match self.field.split_once('/') {
            Some((field, name)) => (field, name),
            None => (self.field.as_str(), ""),
        };
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        match field.to_ascii_lowercase().as_str() {
            "runid" => Some(run.run_id.clone()),
            "parentrunid" => run.parent.clone(),
            "status" => Some(run.status.clone()),
            "runtype" => Some(run.run_type.clone()),
            "hidden" => Some(run.hidden.to_string()),
            "createdutc" => time(run.created),
            "starttimeutc" => time(run.started),
            "endtimeutc" => time(run.ended),
            "lastmodifiedutc" => time(run.modified.or(run.created)),
            "tags" => run.tags.get(name).cloned(),
            "properties" => run.properties.get(name).cloned(),
            "parameters" => run.parameters.get(name).map(text_of),
            _ => None,
        }
    }
}
