//! Refusals in MLflow's own form: `{"error_code","message"}`.

use http::StatusCode;
use serde_json::json;

use crate::call::Call;
use crate::reply::{Refusal, Reply};

fn refusal(status: StatusCode, code: &str, message: &str) -> Refusal {
    let body = json!({"error_code": code, "message": message});
    Reply::json(status, &body).into()
}

/// A value that cannot be.
pub(super) fn invalid(message: impl AsRef<str>) -> Refusal {
    refusal(
        StatusCode::BAD_REQUEST,
        "INVALID_PARAMETER_VALUE",
        message.as_ref(),
    )
}

/// A thing in a state that does not allow what is asked.
pub(super) fn invalid_state(message: impl AsRef<str>) -> Refusal {
    refusal(StatusCode::BAD_REQUEST, "INVALID_STATE", message.as_ref())
}

/// Something that is not there.
pub(super) fn not_found(message: impl AsRef<str>) -> Refusal {
    refusal(
        StatusCode::NOT_FOUND,
        "RESOURCE_DOES_NOT_EXIST",
        message.as_ref(),
    )
}

/// Something that is there already.
pub(super) fn already_exists(message: impl AsRef<str>) -> Refusal {
    refusal(
        StatusCode::BAD_REQUEST,
        "RESOURCE_ALREADY_EXISTS",
        message.as_ref(),
    )
}

/// An operation that is none.
pub(super) fn no_endpoint(call: &Call) -> Refusal {
    refusal(
        StatusCode::NOT_FOUND,
        "ENDPOINT_NOT_FOUND",
        &format!("No API found for '{} {}'", call.method, call.raw_path),
    )
}
