//! MLflow's REST interface over the same runs.:

use http::StatusCode;

use crate::call::Call;
use crate::reply::{Answer, Refusal};
use crate::state::State;

/// What a workspace keeps of this.
#[derive(Debug, Default)]
pub struct Mlflow;

/// Answers a call to the data plane below `/mlflow/`.
pub fn handle(_call: &Call, _state: &mut State) -> Answer {
    Err(Refusal::history(
        StatusCode::NOT_FOUND,
        "NotFound",
        "No such route",
    ))
}
