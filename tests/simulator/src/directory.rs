//! The directory of the tenant: principals, their secrets, what they may not do, and the tokens that prove them.
//!
//! Tokens look like JWTs, because SDKs read their claims, and are signed with a key of this simulator alone.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::Sha256;

use crate::certificate::Certificate;
use crate::clock::later;
use crate::identity::Claims;
use crate::permission::Grant;

/// How long a token lives, as Entra ID's do.
pub const TOKEN_LIFE: Duration = Duration::from_secs(3599);

/// Somebody who may ask.
#[derive(Debug, Clone)]
pub struct Principal {
    /// Application (client) id.
    pub client_id: String,
    /// Object id, which messages of refusal name.
    pub object_id: String,
    /// Client secret, where it has one.
    pub secret: Option<String>,
    /// Whether it may present a client assertion whose subject is itself or `subject`.
    pub assertion: bool,
    /// Subject of its federated assertions; the client id where none is said.
    pub subject: Option<String>,
    /// Certificates with which it may sign assertions.
    pub certificates: Vec<Certificate>,
    /// Tokens from before this moment are taken back: services that evaluate access continuously refuse them.
    pub revoked: Option<Timestamp>,
    /// Whether the metadata service of the machine hands out its tokens.
    pub managed: bool,
    /// Patterns of actions it lacks: `schedules/read`, `Microsoft.MachineLearningServices/workspaces/jobs/read`, `*/write`.
    pub denied: Vec<String>,
    /// What its roles grant; `None` for everything.
    pub granted: Option<Grant>,
}

impl Principal {
    /// A principal with a client secret and every permission.
    pub fn with_secret(
        client_id: impl Into<String>,
        object_id: impl Into<String>,
        secret: impl Into<String>,
    ) -> Self {
        Self {
            client_id: client_id.into(),
            object_id: object_id.into(),
            secret: Some(secret.into()),
            assertion: true,
            subject: None,
            certificates: Vec::new(),
            revoked: None,
            managed: true,
            denied: Vec::new(),
            granted: None,
        }
    }
}

/// All principals of the tenant.
#[derive(Debug)]
pub struct Directory {
    /// Tenant id.
    pub tenant: String,
    /// Who is known, by client id.
    pub principals: Vec<Principal>,
    /// The `claims` that token requests carried, in their order.
    pub claims: Vec<String>,
    key: [u8; 32],
}

impl Directory {
    /// A tenant without principals; `key` signs its tokens.
    pub fn new(tenant: impl Into<String>, key: [u8; 32]) -> Self {
        Self {
            tenant: tenant.into(),
            principals: Vec::new(),
            claims: Vec::new(),
            key,
        }
    }

    /// The principal of a client id.
    pub fn principal(&self, client_id: &str) -> Option<&Principal> {
        self.principals
            .iter()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id))
    }

    /// The same, to change it.
    pub fn principal_mut(&mut self, client_id: &str) -> Option<&mut Principal> {
        self.principals
            .iter_mut()
            .find(|known| known.client_id.eq_ignore_ascii_case(client_id))
    }

    /// Whether a token was taken back after it was given.
    pub fn took_back(&self, claims: &Claims) -> bool {
        self.principal(&claims.client_id)
            .and_then(|known| known.revoked)
            .is_some_and(|moment| claims.issued < moment)
    }

    /// Whether a principal has `action` (`Microsoft.MachineLearningServices/workspaces/jobs/read`,
    /// `Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read`): what is granted and not denied.
    pub fn allows(&self, client_id: &str, action: &str) -> bool {
        self.principal(client_id).is_some_and(|known| {
            let granted = known.granted.as_ref();
            let denied = known.denied.iter();
            granted.is_none_or(|grant| grant.covers(action))
                && !denied
                    .into_iter()
                    .any(|pattern| matches_action(pattern, action))
        })
    }

    /// A token for `audience` (no `/.default`), valid from `now` on.
    pub fn token(&self, principal: &Principal, audience: &str, now: Timestamp) -> String {
        let expires = later(now, TOKEN_LIFE);
        let header = json!({"typ": "JWT", "alg": "HS256"});
        let payload = json!({
            "aud": audience, "iss": format!("https://sts.windows.net/{}/", self.tenant),
            "iat": now.as_second(), "nbf": now.as_second(), "exp": expires.as_second(),
            "appid": principal.client_id, "oid": principal.object_id, "sub": principal.object_id,
            "tid": self.tenant, "idtyp": "app", "ver": "1.0",
        });
        let signed = format!("{}.{}", encode(&header), encode(&payload));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// The claims of a token that this directory signed, whatever their age; `None` for any other string.
    pub fn verify(&self, token: &str) -> Option<Claims> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        if signature != self.sign(signed.as_bytes()) {
            return None;
        }
        let payload = decode(signed.split_once('.')?.1)?;
        let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Claims {
            audience: text("aud")?,
            client_id: text("appid")?,
            object_id: text("oid")?,
            tenant: text("tid")?,
            issued: Timestamp::from_second(payload.get("iat")?.as_i64()?).ok()?,
            expires: Timestamp::from_second(payload.get("exp")?.as_i64()?).ok()?,
        })
    }

    fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        hmac_sha256(&self.key, bytes)
    }
}

/// HMAC-SHA256, for tokens and shared access signatures.
pub(crate) fn hmac_sha256(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    let mut mac = match <Hmac<Sha256> as KeyInit>::new_from_slice(key) {
        Ok(mac) => mac,
        Err(_) => return Vec::new(), // HMAC takes keys of every length
    };
    mac.update(bytes);
    mac.finalize().into_bytes().to_vec()
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// One part of a JWT.
pub(crate) fn decode(part: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// Whether a pattern of denial covers an action: whole, as its end after a `/`, with `*` for anything, in any case.
fn matches_action(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_ascii_lowercase(), action.to_ascii_lowercase());
    match pattern.split_once('*') {
        Some((head, tail)) => {
            action.len() >= head.len() + tail.len()
                && action.starts_with(head)
                && action.ends_with(tail)
        }
        None => action == pattern || action.ends_with(&format!("/{pattern}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> Directory {
        let mut directory = Directory::new("tenant", [7; 32]);
        let mut principal = Principal::with_secret("app", "object", "secret");
        principal.denied = vec![
            "schedules/read".to_owned(),
            "Microsoft.Storage/*".to_owned(),
        ];
        directory.principals.push(principal);
        directory
    }

    #[test]
    fn token_is_verified_and_a_forged_one_is_not() {
        let directory = directory();
        let token = directory.token(
            &directory.principals[0],
            "https://aud",
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(
            directory.verify(&token).map(|claims| claims.audience),
            Some("https://aud".to_owned())
        );
        let forged = Directory::new("tenant", [8; 32]).token(
            &directory.principals[0],
            "https://aud",
            Timestamp::UNIX_EPOCH,
        );
        assert_eq!(directory.verify(&forged), None);
    }

    #[test]
    fn denied_actions_are_refused_and_others_are_not() {
        let directory = directory();
        let allows = |action| directory.allows("app", action);
        assert!(!allows(
            "Microsoft.MachineLearningServices/workspaces/schedules/read"
        ));
        assert!(!allows("Microsoft.Storage/storageAccounts/x/read"));
        assert!(allows(
            "Microsoft.MachineLearningServices/workspaces/jobs/read"
        ));
        assert!(!directory.allows("stranger", "anything/read"));
    }
}
