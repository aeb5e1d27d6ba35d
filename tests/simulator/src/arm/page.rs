//! Pages of a list: `value`, and a `nextLink` whose `$skip` is opaque.
//!
//! A list of more than two pages has an empty page after the second, because Azure's may have one and clients must not stop there.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// How many requests it takes to list `rows` rows in pages of `page`.
pub fn pages(rows: usize, page: usize) -> usize {
    let full = rows.div_ceil(page.max(1)).max(1);
    if full > 2 { full + 1 } else { full }
}

/// Where a page begins: after how many rows, at which page, counted from 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Mark {
    rows: usize,
    page: usize,
}

impl Mark {
    fn token(self) -> String {
        URL_SAFE_NO_PAD.encode(format!("page:{}:{}", self.page, self.rows))
    }

    fn parse(token: &str) -> Option<Self> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (page, rows) = text.strip_prefix("page:")?.split_once(':')?;
        Some(Self {
            rows: rows.parse().ok()?,
            page: page.parse().ok()?,
        })
    }
}

/// Cuts the page that a call asks for out of `rows` and shows each row with `show`.
pub(crate) fn answer<T>(
    call: &Call,
    state: &State,
    rows: &[T],
    most: Option<usize>,
    show: impl Fn(&T) -> Value,
) -> Answer {
    let mark = match call
        .query
        .get("$skip")
        .or_else(|| call.query.get("$skipToken"))
    {
        None => Mark::default(),
        Some(token) => Mark::parse(token).ok_or_else(|| {
            Refusal::arm(
                StatusCode::BAD_REQUEST,
                "UserError",
                "The continuation token in $skip is not valid.",
            )
        })?,
    };
    let size = most.unwrap_or(usize::MAX).min(state.settings.page).max(1);
    let rest = rows.get(mark.rows..).unwrap_or_default();
    let empty = mark.page == 2 && !rest.is_empty();
    let taken = if empty { 0 } else { rest.len().min(size) };
    let value: Vec<Value> = rest.iter().take(taken).map(show).collect();
    let mut body = json!({"value": value});
    if taken < rest.len() {
        let again = usize::from(state.settings.repeats && taken > 1);
        let next = Mark {
            rows: mark.rows + taken - again,
            page: mark.page + 1,
        };
        body["nextLink"] = json!(next_link(call, state, &next.token()));
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

fn next_link(call: &Call, state: &State, token: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in call
        .query
        .pairs()
        .filter(|(name, _)| !name.to_ascii_lowercase().starts_with("$skip"))
    {
        query.append_pair(name, value);
    }
    // Azure writes the dollar sign as it is.
    format!(
        "{}{}?{}&$skip={token}",
        state.cloud.arm_url(),
        call.raw_path,
        query.finish().replace("%24", "$")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_survive_their_token() {
        let mark = Mark { rows: 21, page: 4 };
        assert_eq!(Mark::parse(&mark.token()), Some(mark));
        assert_eq!(Mark::parse("nonsense"), None);
    }

    #[test]
    fn long_lists_have_an_empty_page() {
        assert_eq!(
            [
                pages(0, 7),
                pages(7, 7),
                pages(8, 7),
                pages(14, 7),
                pages(15, 7)
            ],
            [1, 1, 2, 2, 4]
        );
    }
}
