//! Who a connection is, as its own token says. The token itself is never told.
//!
//! The claims are read and not proven: the service that the token goes to does that. Their names are those of Microsoft's
//! page "Access token claims reference" (versions 1.0 and 2.0).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::answer::shortened;
use super::connection::Connection;
use super::credential::source::Origin;
use crate::Error;

/// The longest claim that is told.
const CHARS_MAX: usize = 200;

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhoAmI {
    /// Which link of the chain of credentials gave the token, and why those before it gave none.
    pub origin: Option<Origin>,
    /// The tenant (`tid`).
    pub tenant: Option<String>,
    /// The application or managed identity (`appid`, `azp`).
    pub client: Option<String>,
    /// The object to which roles are assigned (`oid`).
    pub object: Option<String>,
    /// A person's name (`upn`, `preferred_username`, `unique_name`), where it is a person.
    pub user: Option<String>,
}

impl Connection {
    /// Asks for a token for Resource Manager, if none is at hand, and reads whose it is.
    ///
    /// # Errors
    /// [`Error::Credential`] where nobody gives one, [`Error::Unreachable`] where the login service does not answer.
    pub async fn who_am_i(&self) -> Result<WhoAmI, Error> {
        let token = self.arm_token().await?;
        let claims = claims(token.secret());
        let text = |names: &[&str]| {
            let found = names.iter().find_map(|name| claims.get(name)?.as_str());
            found
                .map(|text| shortened(text, CHARS_MAX))
                .filter(|text| !text.is_empty())
        };
        Ok(WhoAmI {
            origin: self.credential_origin(),
            tenant: text(&["tid"]),
            client: text(&["appid", "azp"]),
            object: text(&["oid"]),
            user: text(&["upn", "preferred_username", "unique_name"]),
        })
    }
}

/// The claims of a JWT (RFC 7519); `Null` for a token that is none.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('='));
    bytes
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_no_jwt_says_nothing() {
        for token in ["", "opaque", "a.b.c", "a.e30.c"] {
            assert!(claims(token).get("oid").is_none(), "{token}");
        }
        let payload = URL_SAFE_NO_PAD.encode(r#"{"oid":"me"}"#);
        assert_eq!(claims(&format!("x.{payload}.y"))["oid"], "me");
    }
}
