//! The gate before every service: who asks, with what proof, and whether they may.
//!
//! Strict as Azure: a token for another audience, an old one or none is refused before any handler looks at the call. The same
//! is true of a shared access signature that does not cover what is asked.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, StatusCode};

use crate::call::{Call, Service};
use crate::identity::{Claims, Identity};
use crate::reply::Refusal;
use crate::state::State;
use crate::{permission, sas, shared_key};

/// Audience of Azure ML's data plane in the public cloud; other clouds have `https://ml.azure.*`.
const DATA_AUDIENCE: &str = "https://ml.azure.";
/// Audience of the storage services.
const STORAGE_AUDIENCE: &str = "https://storage.azure.com";

/// Proves who asks, or refuses in the service's own words.
pub(crate) fn identify(call: &Call, state: &State) -> Result<Identity, Refusal> {
    match call.service {
        Service::Login | Service::Imds | Service::Control => Ok(Identity::Anonymous),
        Service::Arm if call.parts() == ["metadata", "endpoints"] => Ok(Identity::Anonymous),
        // A registry's is told to those who bring a token.
        Service::Data
            if call.parts().ends_with(&["discovery"])
                && call.segment(0) != "registrymanagement" =>
        {
            Ok(Identity::Anonymous)
        }
        Service::Arm | Service::Data => bearer(call, state).map(Identity::Bearer),
        Service::Blob | Service::File | Service::Dfs => storage(call, state),
    }
}

fn bearer(call: &Call, state: &State) -> Result<Claims, Refusal> {
    let authorization = call.header("authorization").unwrap_or_default();
    let Some(token) = strip_scheme(authorization, "Bearer") else {
        let text = "Authentication failed. The 'Authorization' header is missing.";
        return Err(unauthorized(call, state, "AuthenticationFailed", text));
    };
    let Some(claims) = state.directory.verify(token) else {
        return Err(unauthorized(
            call,
            state,
            "InvalidAuthenticationToken",
            "The access token is invalid.",
        ));
    };
    if claims.expires <= call.now {
        let text = format!(
            "The access token expiry UTC time '{}' is earlier than current UTC time '{}'.",
            claims.expires, call.now
        );
        return Err(unauthorized(
            call,
            state,
            "ExpiredAuthenticationToken",
            &text,
        ));
    }
    if call.service == Service::Arm && state.directory.took_back(&claims) {
        return Err(insufficient(call, state));
    }
    let arm = state.cloud.arm_url();
    let audience = claims.audience.trim_end_matches('/');
    let fits =
        audience == arm || (call.service == Service::Data && audience.starts_with(DATA_AUDIENCE));
    if !fits {
        let text = format!(
            "The access token has been obtained for wrong audience or resource '{}'. It should exactly match with one of the allowed audiences '{arm}','{arm}/'.",
            claims.audience
        );
        return Err(unauthorized(
            call,
            state,
            "InvalidAuthenticationTokenAudience",
            &text,
        ));
    }
    Ok(claims)
}

fn strip_scheme<'a>(authorization: &'a str, scheme: &str) -> Option<&'a str> {
    let (found, rest) = authorization.split_once(' ')?;
    found.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}

fn unauthorized(call: &Call, state: &State, code: &str, text: &str) -> Refusal {
    let challenge = format!(
        "Bearer authorization_uri=\"{}/{}\", error=\"invalid_token\", error_description=\"{code}\"",
        state.cloud.login_url(),
        state.directory.tenant
    );
    let refusal = match call.service {
        Service::Data => Refusal::history(StatusCode::UNAUTHORIZED, "UserError", text),
        _ => Refusal::arm(StatusCode::UNAUTHORIZED, code, text),
    };
    refusal.with("www-authenticate", challenge)
}

/// Continuous access evaluation: the token is good no longer, and the challenge says what the next one must have.
fn insufficient(call: &Call, state: &State) -> Refusal {
    let claims = serde_json::json!({"access_token": {"nbf": {
        "essential": true, "value": call.now.as_second().to_string(),
    }}});
    let challenge = format!(
        "Bearer realm=\"\", authorization_uri=\"{}/common/oauth2/authorize\", error=\"insufficient_claims\", claims=\"{}\"",
        state.cloud.login_url(),
        STANDARD.encode(claims.to_string())
    );
    let text = "Continuous access evaluation resulted in challenge with result: InteractionRequired and code: TokenIssuedBeforeRevocationTimestamp";
    Refusal::arm(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", text)
        .with("www-authenticate", challenge)
}

fn storage(call: &Call, state: &State) -> Result<Identity, Refusal> {
    let Some(account) = state.accounts.get(&call.label) else {
        // Azure has no such host name at all; a clear answer is the nearest thing.
        return Err(Refusal::storage(
            StatusCode::NOT_FOUND,
            "ResourceNotFound",
            "There is no storage account of this name.",
        ));
    };
    let authorization = call.header("authorization").unwrap_or_default();
    if let Some(token) = strip_scheme(authorization, "Bearer") {
        return storage_bearer(token, call, state);
    }
    if authorization.starts_with("SharedKey ") {
        return shared_key::verify(call, account).map(|()| Identity::SharedKey);
    }
    if call.query.get("sig").is_some() {
        let sas = sas::verify(call, account)?;
        sas::covers(&sas, call)?;
        return Ok(Identity::Sas(sas));
    }
    let challenge = format!(
        "Bearer authorization_uri={}/{}/oauth2/authorize resource_id={STORAGE_AUDIENCE}",
        state.cloud.login_url(),
        state.directory.tenant
    );
    let text = "Server failed to authenticate the request. Please refer to the information in the www-authenticate header.";
    Err(Refusal::storage(
        StatusCode::UNAUTHORIZED,
        "NoAuthenticationInformation",
        text,
    )
    .with("www-authenticate", challenge))
}

fn storage_bearer(token: &str, call: &Call, state: &State) -> Result<Identity, Refusal> {
    let failed =
        |text: &str| Refusal::storage(StatusCode::UNAUTHORIZED, "InvalidAuthenticationInfo", text);
    let claims = state
        .directory
        .verify(token)
        .ok_or_else(|| failed("Issuer validation failed. Issuer did not match."))?;
    if claims.expires <= call.now {
        return Err(failed("Lifetime validation failed. The token is expired."));
    }
    if claims.audience.trim_end_matches('/') != STORAGE_AUDIENCE {
        return Err(failed(
            "Audience validation failed. Audience did not match.",
        ));
    }
    if call
        .header("x-ms-version")
        .is_none_or(|version| version < "2017-11-09")
    {
        let text = "Authentication scheme Bearer is not supported in this version.";
        return Err(Refusal::storage(
            StatusCode::FORBIDDEN,
            "AuthenticationFailed",
            text,
        ));
    }
    let allows = |action: &&str| state.directory.allows(&claims.client_id, action);
    let closed = state
        .accounts
        .get(&call.label)
        .is_some_and(|it| it.of_service);
    if closed || !permission::of_storage(call).iter().all(allows) {
        let text =
            "This request is not authorized to perform this operation using this permission.";
        return Err(Refusal::storage(
            StatusCode::FORBIDDEN,
            "AuthorizationPermissionMismatch",
            text,
        ));
    }
    Ok(Identity::Bearer(claims))
}

/// Refuses an ARM or data-plane call whose principal lacks `action` over `scope`, with Azure's message.
pub(crate) fn demand(call: &Call, state: &State, action: &str, scope: &str) -> Result<(), Refusal> {
    let Some(claims) = call.identity.claims() else {
        return Ok(());
    };
    if state.directory.allows(&claims.client_id, action) {
        return Ok(());
    }
    let text = format!(
        "The client '{}' with object id '{}' does not have authorization to perform action '{action}' over scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
        claims.client_id, claims.object_id
    );
    Err(match call.service {
        Service::Data => Refusal::history(StatusCode::FORBIDDEN, "UserError", text),
        _ => Refusal::arm(StatusCode::FORBIDDEN, "AuthorizationFailed", text),
    })
}

/// Refuses a data-plane call whose principal lacks the action behind it.
pub(crate) fn demand_data(call: &Call, state: &State) -> Result<(), Refusal> {
    let of = match call.segment(0) {
        "artifact" => "metadata/artifacts",
        _ => "experiments/runs",
    };
    let last = call.segments.last().map_or("", String::as_str);
    let asks = [
        "runs:query",
        "experiments:query",
        "list",
        "sample",
        "full",
        "search",
        "runIds",
        "prefix",
    ]
    .contains(&last);
    let verb = if asks || matches!(call.method, Method::GET | Method::HEAD) {
        "read"
    } else {
        "write"
    };
    demand(
        call,
        state,
        &format!("{}/workspaces/{of}/{verb}", crate::PROVIDER),
        call.raw_path.as_str(),
    )
}

#[cfg(test)]
mod tests;
