#![expect(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::Value;

use super::{canonical, parse};

fn round(text: &str) -> String {
    String::from_utf8(canonical(&parse(text.as_bytes(), 1 << 20, "test").unwrap())).unwrap()
}

#[test]
fn numbers_stay_as_written() {
    let text = "[0,-0,1.0,1.50,1e5,1E+5,-2.5e-3,12345678901234567890123,0.1]";
    assert_eq!(round(text), text);
}

#[test]
fn keys_are_sorted_by_utf16_units() {
    // The example of RFC 8785, 3.2.3.
    let text = "{\"\\u20ac\":\"Euro Sign\",\"\\r\":\"Carriage Return\",\"\\ufb33\":\"Hebrew Letter Dalet With Dagesh\",\"1\":\"One\",\"\\ud83d\\ude00\":\"Emoji: Grinning Face\",\"\\u0080\":\"Control\",\"\\u00f6\":\"Latin Small Letter O With Diaeresis\"}";
    let sorted = round(text);
    let order = [
        "Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew",
    ];
    let places: Vec<_> = order
        .iter()
        .map(|word| sorted.find(word).unwrap())
        .collect();
    assert!(places.is_sorted(), "{sorted}");
}

#[test]
fn strings_are_escaped_as_rfc_8785_says() {
    assert_eq!(
        round(r#""\u000f\u0008\t\n\f\r\"\\\/\u007fé""#),
        "\"\\u000f\\b\\t\\n\\f\\r\\\"\\\\/\u{7f}é\""
    );
}

#[test]
fn duplicate_keys_are_refused() {
    let error = parse(br#"{"a":{"c":1,"\u0063":2}}"#, 99, "test").unwrap_err();
    assert!(matches!(error, crate::Error::Json { ref reason, .. } if reason.contains("duplicate")));
}

#[test]
fn what_is_not_json_is_refused() {
    for text in [
        "",
        " ",
        "01",
        "+1",
        ".5",
        "1.",
        "1e",
        "-",
        "nul",
        "[1,]",
        "{,}",
        "{\"a\"}",
        "[1 2]",
        "1 2",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"",
        "{\"a\":1,}",
        "NaN",
        "[",
        "{\"a\":",
    ] {
        assert!(parse(text.as_bytes(), 99, "test").is_err(), "{text}");
    }
    assert!(parse(b"\"\xff\"", 99, "test").is_err());
}

#[test]
fn depth_and_size_are_limited() {
    let deep = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(parse(deep(128).as_bytes(), 999, "test").is_ok());
    assert!(parse(deep(130).as_bytes(), 999, "test").is_err());
    assert!(parse(b"[1,2]", 4, "test").is_err());
}

#[test]
fn a_name_that_means_something_to_serde_json_alone_is_refused() {
    let more = |text: &str| -> Result<crate::Line, crate::Error> {
        let text = format!(r#"{{"kind":"jobs","name":"a","x":{text}}}"#);
        super::from_canonical(text.as_bytes(), 999, "test")
    };
    assert!(more(r#"{"$serde":1}"#).is_ok());
    // Each would come back as another value; the second from a text of its own, with levels of its own.
    for name in ["Number", "RawValue"] {
        let text = format!(r#"[{{"$serde_json::private::{name}":"1"}}]"#);
        assert!(
            matches!(more(&text), Err(crate::Error::Json { .. })),
            "{text}"
        );
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f32>().prop_map(|float| serde_json::json!(float)),
        ".*".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::btree_map(".*", inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_reads_back_the_same(value in any_json()) {
        let text = canonical(&value);
        let read = parse(&text, 1 << 20, "test").unwrap();
        prop_assert_eq!(&read, &value);
        prop_assert_eq!(canonical(&read), text);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let ours = parse(&bytes, 1 << 20, "test");
        let theirs = serde_json::from_slice::<Value>(&bytes);
        prop_assert!(ours.is_err() || theirs.is_ok());
    }
}
