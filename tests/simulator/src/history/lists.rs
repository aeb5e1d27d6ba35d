//! Several runs at once: by id, by query, the children of one.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::document::bad_request;
use super::query::{self, Wanted};
use super::routes::{find, object, shown};
use super::run::Run;
use super::scope::Scope;
use super::store::Filters;
use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Several runs by id.
pub(super) fn by_ids(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
) -> Answer {
    let body = object(call)?;
    let ids = body.get("runIds").and_then(Value::as_array);
    let mut runs = Map::new();
    let mut errors = Map::new();
    for run_id in ids.into_iter().flatten().filter_map(Value::as_str) {
        match find(state, scope, experiment, run_id) {
            Ok(run) => runs.insert(run_id.to_owned(), shown(call, state, scope, run)?),
            Err(refused) => errors.insert(run_id.to_owned(), refused.into_reply().body_json()),
        };
    }
    Ok(Reply::json(
        StatusCode::OK,
        &json!({"runs": runs, "errors": errors}),
    ))
}

/// The runs of an experiment that fit a filter.
pub(super) fn query(call: &Call, state: &State, scope: &Scope, experiment: Option<&str>) -> Answer {
    let body = if call.body.is_empty() {
        Map::new()
    } else {
        object(call)?
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let by_change = text("filter").is_some_and(|filter| filter.contains("LastModifiedUtc"));
    let filters = &scope.workspace(state)?.history.filters;
    let none = by_change && *filters == Filters::MatchNothing;
    let refused = match filters {
        Filters::Refused => by_change,
        Filters::Denied(name) => experiment == Some(name),
        Filters::Applied | Filters::Ignored | Filters::MatchNothing => false,
    };
    if refused {
        return Err(bad_request("The query is not understood."));
    }
    let ignored = by_change && *filters == Filters::Ignored;
    let wanted = Wanted {
        filter: text("filter").filter(|_| !none && !ignored),
        order: text("orderBy"),
        token: text("continuationToken"),
        top: body
            .get("top")
            .and_then(Value::as_u64)
            .map(|top| top as usize),
    };
    let history = &scope.workspace(state)?.history;
    if experiment.is_some_and(|name| history.experiment(name).is_none()) {
        return Err(Refusal::history(
            StatusCode::NOT_FOUND,
            "UserError",
            "Experiment not found.",
        ));
    }
    let runs = history
        .runs()
        .filter(|run| !none && !run.deleted && experiment.is_none_or(|name| name == run.experiment))
        .collect();
    list(call, state, scope, runs, &wanted, false)
}

/// The runs below one.
pub(super) fn children(
    call: &Call,
    state: &State,
    scope: &Scope,
    experiment: Option<&str>,
    run_id: &str,
) -> Answer {
    find(state, scope, experiment, run_id)?;
    let wanted = Wanted {
        filter: call.query.get("$filter"),
        order: call.query.get("$orderby"),
        token: call.query.get("$continuationtoken"),
        top: call.query.number("$top"),
    };
    let runs = scope.workspace(state)?.history.children(run_id);
    list(call, state, scope, runs, &wanted, true)
}

fn list(
    call: &Call,
    state: &State,
    scope: &Scope,
    runs: Vec<&Run>,
    wanted: &Wanted<'_>,
    links: bool,
) -> Answer {
    let (rows, token) = query::page(runs, wanted, state.settings.page)?;
    let rows = rows
        .into_iter()
        .map(|run| shown(call, state, scope, run))
        .collect::<Result<Vec<_>, _>>()?;
    let link = token.as_deref().filter(|_| links).map(|token| {
        format!(
            "{}{}?$continuationtoken={token}",
            state.cloud.data_url(&call.label),
            call.raw_path
        )
    });
    let body = json!({"value": rows, "continuationToken": token, "nextLink": link});
    Ok(Reply::json(StatusCode::OK, &body))
}
