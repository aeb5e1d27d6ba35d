//! Masks what looks like a secret in a document: by the name of its field, and by its shape. It may mask too much,
//! never too little for the names that Azure uses; `--reveal` shows everything.

use serde_json::Value;

/// What stands in place of a masked value.
pub(super) const MASK: &str = "********";

/// Ends of field names (in lower case, without separators) whose values are secrets.
const NAMES: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "secrets",
    "clientsecret",
    "accountkey",
    "accesskey",
    "apikey",
    "primarykey",
    "secondarykey",
    "privatekey",
    "secretkey",
    "sharedkey",
    "storagekey",
    "subscriptionkey",
    "token",
    "sastoken",
    "accesstoken",
    "refreshtoken",
    "connectionstring",
    "credential",
    "pat",
];

/// Masks secret-looking values in a document, in place.
pub(crate) fn mask(document: &mut Value) {
    match document {
        Value::Object(fields) => {
            for (name, value) in fields {
                if is_secret_name(name) {
                    mask_all(value);
                } else {
                    mask(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask),
        Value::String(text) => {
            if let Some(masked) = masked_text(text) {
                *text = masked;
            }
        }
        _ => {}
    }
}

/// Everything below a field with a telling name; what kind of credential it is may be seen.
fn mask_all(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let tells_kind = name.ends_with("Type") || name.ends_with("type");
                if !tells_kind {
                    mask_all(value);
                }
            }
        }
        Value::Array(values) => values.iter_mut().for_each(mask_all),
        Value::String(text) if !text.is_empty() => MASK.clone_into(text),
        Value::Number(_) => *value = MASK.into(),
        _ => {}
    }
}

fn is_secret_name(name: &str) -> bool {
    let name: String = name
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | '.' | ' '))
        .collect::<String>()
        .to_ascii_lowercase();
    NAMES.iter().any(|secret| match *secret {
        // Short ones would be the end of harmless names.
        "pat" => name == "pat",
        secret => name.ends_with(secret),
    })
}

/// A signature in an address, a key in a connection string.
fn masked_text(text: &str) -> Option<String> {
    let mut masked = text.to_owned();
    let mut changed = false;
    for mark in [
        "sig=",
        "AccountKey=",
        "SharedAccessKey=",
        "Password=",
        "password=",
        "pwd=",
        "Pwd=",
    ] {
        let mut from = 0;
        while let Some(at) = masked[from..].find(mark) {
            let start = from + at + mark.len();
            let end = masked[start..]
                .find(|c: char| matches!(c, '&' | ';' | '"' | '\'') || c.is_whitespace())
                .map_or(masked.len(), |length| start + length);
            if end > start {
                masked.replace_range(start..end, MASK);
                changed = true;
                from = start + MASK.len();
            } else {
                from = start;
            }
        }
    }
    changed.then_some(masked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_that_look_like_secrets_are_masked_and_others_are_not() {
        let mut document = json!({
            "properties": {
                "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "hunter2"}},
                "environmentVariables": {"DB_PASSWORD": "hunter2", "EPOCHS": "3", "API_KEY": "hunter2"},
                "command": "curl 'https://a.blob.x/c?sv=1&sig=hunter2&se=2'",
                "connection": "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=hunter2;",
                "tags": {"keep": "yes", "primary_key_column": "id"},
                "isTokenized": true,
            },
        });
        mask(&mut document);
        let text = document.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert_eq!(
            document["properties"]["environmentVariables"]["EPOCHS"],
            "3"
        );
        assert_eq!(document["properties"]["tags"]["primary_key_column"], "id");
        assert_eq!(
            document["properties"]["credentials"]["secrets"]["secretsType"],
            "AccountKey"
        );
        assert!(
            text.contains("&se=2") && text.contains("AccountName=a"),
            "{text}"
        );
    }
}
