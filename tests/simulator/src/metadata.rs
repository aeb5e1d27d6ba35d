//! What the cloud says of itself: `/metadata/endpoints`.

use http::StatusCode;
use serde_json::{Value, json};

use crate::call::Call;
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// `GET /metadata/endpoints?api-version=2022-09-01`: a list of one cloud, as the public clouds answer with that version.
pub(crate) fn endpoints(call: &Call, state: &State) -> Answer {
    let cloud = &state.cloud;
    let login = cloud.login_url();
    let mut document = json!({
        "portal": cloud.portal_url(),
        "authentication": {
            "loginEndpoint": login, "audiences": [cloud.arm_url()],
            "tenant": state.directory.tenant, "identityProvider": "AAD",
        },
        "media": null, "graphAudience": format!("{login}/graph"), "graph": format!("{login}/graph"),
        "name": "Simulated",
        "suffixes": {"storage": cloud.storage_suffix(), "keyVaultDns": format!("vault.{}", cloud.suffix())},
        "resourceManager": cloud.arm_url(),
        "microsoftGraphResourceId": format!("{login}/graph"),
    });
    match call.query.get("api-version") {
        Some(version) if version >= "2020-06-01" => {}
        Some(_) => {
            return Err(Refusal::arm(
                StatusCode::BAD_REQUEST,
                "InvalidApiVersionParameter",
                "The api-version is not supported here.",
            ));
        }
        None => return Err(crate::arm::missing_api_version()),
    }
    if state.settings.metadata_object {
        return Ok(Reply::json(StatusCode::OK, &document));
    }
    Ok(Reply::json(
        StatusCode::OK,
        &Value::Array(vec![document.take()]),
    ))
}
