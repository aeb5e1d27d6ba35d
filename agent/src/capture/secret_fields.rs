//! Takes credentials out of documents: a stored document never holds one. What was taken is put elsewhere or dropped;
//! the document keeps `null` in its place.
//!
//! Only kinds that have credentials are looked at: a field named `password` of a job is the user's own text.

use serde_json::Value;
use workspace::Kind;
use workspace::pointer::Pointer;

/// A credential that a service returned inside a document.
pub(super) struct Taken {
    /// Where it stood.
    pub(super) pointer: String,
    /// What stood there.
    pub(super) value: Value,
}

/// How the names of fields end that hold a credential wherever they stand (ARM's and Azure Storage's names, in lower
/// case): `adminUserPassword`, `databricksAccessToken`, `relayConnectionString`.
const ALWAYS: &[&str] = &[
    "accesstoken",
    "accountkey",
    "apikey",
    "clientsecret",
    "connectionstring",
    "developertoken",
    "password",
    "primarykey",
    "privatekeydata",
    "refreshtoken",
    "sastoken",
    "secondarykey",
    "secretaccesskey",
];

/// Fields that hold one below a field of this name.
const BELOW: &str = "credentials";
/// Members that only say who somebody is.
const NO_SECRET: &[&str] = &["clientid", "tenantid", "resourceid", "authurl"];
const WITHIN: &[&str] = &[
    "certificate",
    "key",
    "key1",
    "key2",
    "pat",
    "sas",
    "secret",
    "securitytoken",
    "token",
    "value",
];

/// Takes the credentials out of a document of this kind, in the document's order.
pub(super) fn take(kind: &Kind, document: &mut Value) -> Vec<Taken> {
    let mut taken = Vec::new();
    if kind.may_hold_secrets() {
        let secrets = kind.secrets.filter(|secrets| (secrets.has_any)(document));
        let place = secrets.map(|secrets| secrets.pointer);
        walk(document, &mut Pointer::root(), &mut |at, value| {
            if holds_secret(at, value, place, kind.free_text) {
                taken.push(Taken {
                    pointer: at.to_string(),
                    value: value.take(),
                });
            }
        });
    }
    taken
}

fn holds_secret(at: &Pointer, value: &Value, place: Option<&str>, free_text: &[&str]) -> bool {
    let Value::String(text) = value else {
        return false;
    };
    if text.is_empty() || at.matches_any(free_text) {
        return false;
    }
    let field = at.field().to_ascii_lowercase();
    // `secretsType` and `credentialsType` say which sort of credential it is.
    if field.ends_with("type") || NO_SECRET.contains(&field.as_str()) {
        return false;
    }
    let pointer = at.to_string();
    let in_place = place
        .and_then(|place| pointer.strip_prefix(place))
        .is_some_and(|rest| rest.starts_with('/'));
    let below = at
        .parts()
        .iter()
        .any(|part| part.eq_ignore_ascii_case(BELOW));
    in_place
        || ALWAYS.iter().any(|end| field.ends_with(end))
        || (below && WITHIN.contains(&field.as_str()))
        || is_connection_string(text)
}

/// Whether a text is a connection string with its key, or an address that carries a signature.
fn is_connection_string(text: &str) -> bool {
    [
        "AccountKey=",
        "SharedAccessKey=",
        "SharedAccessSignature=",
        "&sig=",
        "?sig=",
    ]
    .iter()
    .any(|mark| text.contains(mark))
}

fn walk(value: &mut Value, at: &mut Pointer, visit: &mut dyn FnMut(&Pointer, &mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                at.push(name.as_str());
                walk(member, at, visit);
                at.pop();
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                at.push(index.to_string());
                walk(item, at, visit);
                at.pop();
            }
        }
        Value::String(_) => visit(at, value),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails where an unwrap fails")]
mod tests {
    use serde_json::json;

    use super::*;

    fn datastores() -> &'static Kind {
        Kind::find("datastores").unwrap()
    }

    #[test]
    fn a_key_inside_a_datastore_is_taken_and_null_stays() {
        let mut document = json!({
            "name": "store",
            "properties": {
                "accountName": "stprod",
                "credentials": {
                    "credentialsType": "AccountKey",
                    "secrets": {"secretsType": "AccountKey", "key": "Zm9v"}
                },
                "tags": {"key": "a tag", "password": "none"}
            }
        });
        let taken = take(datastores(), &mut document);
        assert_eq!(taken.len(), 1);
        assert_eq!(taken[0].pointer, "/properties/credentials/secrets/key");
        assert_eq!(taken[0].value, json!("Zm9v"));
        assert_eq!(
            document.pointer("/properties/credentials/secrets"),
            Some(&json!({"secretsType": "AccountKey", "key": null}))
        );
        assert_eq!(document["properties"]["tags"]["key"], "a tag");
        assert_eq!(document["properties"]["accountName"], "stprod");
    }

    #[test]
    fn a_connection_string_is_taken_wherever_it_stands() {
        let text = "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=Zm9v";
        let mut document = json!({"properties": {"target": text}});
        assert_eq!(take(datastores(), &mut document).len(), 1);
        assert_eq!(document, json!({"properties": {"target": null}}));
    }

    #[test]
    fn credentials_inside_computes_are_taken() {
        let mut document = json!({"properties": {
            "computeType": "Databricks",
            "properties": {
                "databricksAccessToken": "dapi0",
                "workspaceUrl": "https://adb.example",
                "relayConnectionString": "Endpoint=sb://x/;SharedAccessKeyName=n",
                "serviceBusConnectionString": "Endpoint=sb://y/",
                "userAccountCredentials": {"adminUserName": "u", "adminUserPassword": "p", "adminUserSshPublicKey": "ssh-rsa A"},
                "administratorAccount": {"username": "u", "privateKeyData": "-----BEGIN"}
            }
        }});
        let taken = take(Kind::find("computes").unwrap(), &mut document);
        let pointers: Vec<&str> = taken.iter().map(|taken| taken.pointer.as_str()).collect();
        let of = |name: &str| format!("/properties/properties/{name}");
        assert_eq!(
            pointers,
            [
                of("administratorAccount/privateKeyData"),
                of("databricksAccessToken"),
                of("relayConnectionString"),
                of("serviceBusConnectionString"),
                of("userAccountCredentials/adminUserPassword"),
            ]
        );
        let text = document.to_string();
        assert!(
            !["dapi0", "sb://", "BEGIN"]
                .iter()
                .any(|part| text.contains(part)),
            "{text}"
        );
        assert!(text.contains("ssh-rsa A") && text.contains("https://adb.example"));
    }

    #[test]
    fn kinds_without_credentials_keep_their_text() {
        let mut document = json!({"properties": {"environmentVariables": {"PASSWORD": "x"}}});
        let before = document.clone();
        assert!(take(Kind::find("jobs").unwrap(), &mut document).is_empty());
        assert_eq!(document, before);
    }
}
