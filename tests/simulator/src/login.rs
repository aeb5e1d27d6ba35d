//! The token endpoint of the tenant and the metadata service of a virtual machine.
//!
//! Client secrets are compared. An assertion of the application itself is checked whole, with the signature of a registered
//! certificate; a federated one for form, subject, audience and time, since the key of its issuer is not known here.

use http::{Method, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::call::{Call, Query};
use crate::certificate::{self, Wrong};
use crate::directory::{Principal, TOKEN_LIFE, decode};
use crate::reply::{Answer, Refusal, Reply};
use crate::state::State;

/// Value of `X-IDENTITY-HEADER` (App Service) and `secret` (Azure ML compute) that the identity endpoint expects.
pub const IDENTITY_HEADER: &str = "simulated-identity-header";

/// Answers a call to `login.SUFFIX`.
pub(crate) fn handle(call: &Call, state: &mut State) -> Answer {
    let parts = call.parts();
    match (&call.method, parts.as_slice()) {
        (
            &Method::GET,
            [tenant, ".well-known", "openid-configuration"]
            | [tenant, "v2.0", ".well-known", "openid-configuration"],
        ) => {
            check_tenant(tenant, call, state)?;
            Ok(Reply::json(StatusCode::OK, &openid(state, tenant)))
        }
        (&Method::GET, ["common", "discovery", "instance"]) => {
            let endpoint = format!(
                "{}/{}/v2.0/.well-known/openid-configuration",
                state.cloud.login_url(),
                state.directory.tenant
            );
            let body = json!({"tenant_discovery_endpoint": endpoint, "api-version": "1.1", "metadata": []});
            Ok(Reply::json(StatusCode::OK, &body))
        }
        (&Method::POST, [tenant, "oauth2", "v2.0", "token"]) => {
            check_tenant(tenant, call, state)?;
            token(call, state)
        }
        _ => Err(Reply::empty(StatusCode::NOT_FOUND).into()),
    }
}

fn openid(state: &State, tenant: &str) -> Value {
    let base = format!("{}/{tenant}", state.cloud.login_url());
    json!({
        "token_endpoint": format!("{base}/oauth2/v2.0/token"),
        "authorization_endpoint": format!("{base}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/oauth2/v2.0/devicecode"),
        "jwks_uri": format!("{base}/discovery/v2.0/keys"),
        "issuer": format!("{base}/v2.0"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "tenant_region_scope": "EU", "cloud_instance_name": "simulated",
    })
}

fn check_tenant(tenant: &str, call: &Call, state: &mut State) -> Result<(), Refusal> {
    if tenant.eq_ignore_ascii_case(&state.directory.tenant) {
        return Ok(());
    }
    let text = format!(
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the correct cloud."
    );
    Err(refuse(
        state,
        call.now,
        StatusCode::BAD_REQUEST,
        "invalid_request",
        90002,
        &text,
    ))
}

fn token(call: &Call, state: &mut State) -> Answer {
    let form = Query::parse(&String::from_utf8_lossy(&call.body));
    if form.get("grant_type") != Some("client_credentials") {
        let text = "The app requested an unsupported grant type.";
        return Err(refuse(
            state,
            call.now,
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70003,
            text,
        ));
    }
    let principal = authenticate(&form, call, state)?;
    let scope = form.get("scope").unwrap_or_default();
    let Some(audience) = scope
        .split(' ')
        .find_map(|one| one.strip_suffix("/.default"))
    else {
        let text = format!(
            "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with /.default suffixed to the resource identifier (application ID URI)."
        );
        return Err(refuse(
            state,
            call.now,
            StatusCode::BAD_REQUEST,
            "invalid_scope",
            1002012,
            &text,
        ));
    };
    if let Some(claims) = form.get("claims") {
        state.directory.claims.push(claims.to_owned());
    }
    let token = state.directory.token(&principal, audience, call.now);
    let life = TOKEN_LIFE.as_secs();
    let body = json!({"token_type": "Bearer", "expires_in": life, "ext_expires_in": life, "access_token": token});
    Ok(Reply::json(StatusCode::OK, &body).with("cache-control", "no-store, no-cache"))
}

fn authenticate(form: &Query, call: &Call, state: &mut State) -> Result<Principal, Refusal> {
    let client_id = form.get("client_id").unwrap_or_default();
    let Some(principal) = state.directory.principal(client_id).cloned() else {
        let text = format!(
            "Application with identifier '{client_id}' was not found in the directory '{}'. This can happen if the application has not been installed by the administrator of the tenant or consented to by any user in the tenant.",
            state.directory.tenant
        );
        return Err(refuse(
            state,
            call.now,
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            &text,
        ));
    };
    if let Some(secret) = form.get("client_secret") {
        if principal.secret.as_deref() == Some(secret) {
            return Ok(principal);
        }
        let text = format!(
            "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '{client_id}'."
        );
        return Err(refuse(
            state,
            call.now,
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_215,
            &text,
        ));
    }
    let bearer = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    match form.get("client_assertion") {
        Some(assertion) if form.get("client_assertion_type") == Some(bearer) => {
            match check_assertion(assertion, &principal, call.now, state) {
                Ok(()) => Ok(principal),
                Err((code, text)) => Err(refuse(
                    state,
                    call.now,
                    StatusCode::UNAUTHORIZED,
                    "invalid_client",
                    code,
                    &text,
                )),
            }
        }
        _ => {
            let text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.";
            Err(refuse(
                state,
                call.now,
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                7_000_218,
                text,
            ))
        }
    }
}

/// A certificate's assertion names the client as issuer and subject and the token endpoint as audience (RFC 7523); a federated
/// one has the subject that was registered and the audience of token exchange.
fn check_assertion(
    assertion: &str,
    principal: &Principal,
    now: Timestamp,
    state: &State,
) -> Result<(), (u32, String)> {
    let parts: Vec<&str> = assertion.trim().split('.').collect();
    let malformed = || (50027, "JWT token is invalid or malformed.".to_owned());
    let [header, payload, _signature] = parts.as_slice() else {
        return Err(malformed());
    };
    let (Some(header), Some(claims)) = (decode(header), decode(payload)) else {
        return Err(malformed());
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let endpoint = format!("{}/{}/", state.cloud.login_url(), state.directory.tenant);
    let own = text("iss") == principal.client_id && text("sub") == principal.client_id;
    let subject = principal.subject.as_deref().unwrap_or(&principal.client_id);
    let federated = text("sub") == subject && text("aud") == "api://AzureADTokenExchange";
    if !principal.assertion || !(own || federated) {
        return Err((
            70021,
            "No matching federated identity record found for presented assertion.".to_owned(),
        ));
    }
    if claims
        .get("exp")
        .and_then(Value::as_i64)
        .is_none_or(|exp| exp <= now.as_second())
    {
        return Err((
            700_024,
            "Client assertion is not within its valid time range.".to_owned(),
        ));
    }
    if !own {
        return Ok(());
    }
    if !text("aud").starts_with(&endpoint) {
        let text = "Client assertion audience claim does not match Realm issuer. Review the documentation at https://learn.microsoft.com/entra/identity-platform/certificate-credentials.";
        return Err((700_023, text.to_owned()));
    }
    certificate::check(assertion.trim(), &header, &principal.certificates).map_err(|wrong| {
        match wrong {
            Wrong::Header => malformed(),
            Wrong::Unknown(thumbprint) => (
                700_027,
                format!("The certificate with identifier used to sign the client assertion is not registered on application. [Reason - The key was not found., Thumbprint of key used by client: '{thumbprint}']"),
            ),
            Wrong::Signature(thumbprint) => (
                700_027,
                format!("Client assertion contains an invalid signature. [Reason - The provided signature value did not match the expected signature value., Thumbprint of key used by client: '{thumbprint}']"),
            ),
        }
    })
}

fn refuse(
    state: &mut State,
    now: Timestamp,
    status: StatusCode,
    error: &str,
    code: u32,
    text: &str,
) -> Refusal {
    let (trace, correlation) = (state.guid(), state.guid());
    let time = now.strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let body = json!({
        "error": error,
        "error_description": format!("AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {time}"),
        "error_codes": [code], "timestamp": time, "trace_id": trace, "correlation_id": correlation,
        "error_uri": format!("{}/error?code={code}", state.cloud.login_url()),
    });
    Reply::json(status, &body).into()
}

/// The places whose machines give tokens, each with parameters and answers of its own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Host {
    /// A virtual machine's metadata service.
    Machine,
    /// App Service and Container Apps: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`.
    AppService,
    /// Azure ML compute: `MSI_ENDPOINT` and `MSI_SECRET`.
    Compute,
}

/// Answers a call to the machine's metadata service, or to the identity endpoint of App Service and Azure ML compute.
pub(crate) fn imds(call: &Call, state: &mut State) -> Answer {
    let parts = call.parts();
    let version = call.query.get("api-version");
    let host = match (parts.as_slice(), version) {
        (["metadata", "identity", "oauth2", "token"], _) => Host::Machine,
        (["msi", "token"], Some("2017-09-01")) => Host::Compute,
        (["msi", "token"], _) => Host::AppService,
        _ => return Err(Reply::empty(StatusCode::NOT_FOUND).into()),
    };
    let proven = match host {
        Host::Machine => call
            .header("metadata")
            .is_some_and(|value| value.eq_ignore_ascii_case("true")),
        Host::AppService => call.header("x-identity-header") == Some(IDENTITY_HEADER),
        Host::Compute => call.header("secret") == Some(IDENTITY_HEADER),
    };
    if call.method != Method::GET {
        return Err(Reply::empty(StatusCode::METHOD_NOT_ALLOWED).into());
    }
    if !proven {
        return Err(imds_refusal("Required metadata header not specified"));
    }
    if call.header("x-forwarded-for").is_some() {
        return Err(imds_refusal("Request contains an X-Forwarded-For header"));
    }
    let versions: &[&str] = match host {
        Host::Machine => &["2018-02-01", "2019-08-01", "2019-11-01", "2021-02-01"],
        Host::AppService => &["2019-08-01"],
        Host::Compute => &["2017-09-01"],
    };
    if version.is_none_or(|version| !versions.contains(&version)) {
        return Err(imds_refusal(
            "Required api-version parameter is missing or not supported",
        ));
    }
    let Some(resource) = call
        .query
        .get("resource")
        .filter(|value| !value.is_empty() && !value.ends_with("/.default"))
    else {
        return Err(imds_refusal(
            "Required resource parameter is missing or malformed",
        ));
    };
    let wanted = call.query.get(match host {
        Host::Machine | Host::AppService => "client_id",
        Host::Compute => "clientid",
    });
    let found = state.directory.principals.iter().find(|known| {
        known.managed && wanted.is_none_or(|id| known.client_id.eq_ignore_ascii_case(id))
    });
    let Some(principal) = found else {
        return Err(imds_refusal("Identity not found"));
    };
    let token = state.directory.token(principal, resource, call.now);
    let expires = call.now.as_second() + i64::try_from(TOKEN_LIFE.as_secs()).unwrap_or_default();
    let mut body = json!({
        "access_token": token, "client_id": principal.client_id, "expires_on": expires.to_string(),
        "resource": resource, "token_type": "Bearer",
    });
    if host != Host::Compute {
        body["not_before"] = json!(call.now.as_second().to_string());
    }
    if host == Host::Machine {
        for name in ["expires_in", "ext_expires_in"] {
            body[name] = json!(TOKEN_LIFE.as_secs().to_string());
        }
    }
    Ok(Reply::json(StatusCode::OK, &body))
}

fn imds_refusal(text: &str) -> Refusal {
    Reply::json(
        StatusCode::BAD_REQUEST,
        &json!({"error": "invalid_request", "error_description": text}),
    )
    .into()
}

#[cfg(test)]
mod tests;
