//! JSON of any sort, and `repository.json`.

use serde_json::Value;

use super::Seed;
use super::scene::{self, SCENE};
use crate::magic::{JSON_DEPTH_MAX, RECORD_BYTES_MAX};
use crate::{Error, Record, json};

/// The bytes as JSON.
pub(super) fn json(bytes: &[u8]) -> Result<(), Error> {
    let value = json::parse(bytes, usize::MAX, "a text")?;
    assert!(depth(&value) <= JSON_DEPTH_MAX + 1);
    let text = json::canonical(&value);
    let again = json::parse_canonical(&text, text.len(), "a text")?;
    assert_eq!(again, value);
    if let Some(shorter) = text.len().checked_sub(1) {
        assert!(json::parse(&text, shorter, "a text").is_err());
    }
    // What is strict takes nothing that is no JSON; the other reader has a limit of levels that is one lower.
    if depth(&value) < 100 {
        assert!(serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok());
    }
    Ok(())
}

fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(values) => values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

pub(super) fn jsons() -> Result<Vec<Seed>, Error> {
    let levels = |levels: usize| ["[".repeat(levels), "]".repeat(levels)].concat();
    let texts = [
        (
            "values",
            r#"{"a":[true,false,null,"x"],"b":{"c":-12.50e+3,"d":0}}"#,
            true,
        ),
        (
            "escapes",
            r#""\"\\\/\b\f\n\r\t\u000f\u20ac\ud83d\ude00\u007f""#,
            true,
        ),
        ("space", " [ 1 , 2 ]\n", true),
        ("duplicate", r#"{"a":1,"\u0061":2}"#, false),
        ("half-a-pair", r#""\ud83d\u0041""#, false),
        ("half-a-pair-alone", r#""\ud83d""#, false),
        (
            "order",
            "{\"\u{20ac}\":1,\"\u{1f600}\":2,\"\u{fb33}\":3,\"\\r\":4}",
            true,
        ),
        ("two", "1 2", false),
        ("not-closed", r#"{"a":[1,2"#, false),
        ("no-member", "{,}", false),
        ("bad-escape", r#""\x""#, false),
        ("bad-number", "[01,1.,1e]", false),
        ("fraction", "[1.5,-0,1E-7]", true),
        ("no-digit", "1.", false),
        ("word", "nul", false),
        ("empty", "", false),
    ];
    let texts = texts.map(|(name, text, reads)| (name, text.as_bytes().to_vec(), reads));
    let mut seeds = Vec::from(texts);
    seeds.push(("levels-128", levels(JSON_DEPTH_MAX).into_bytes(), true));
    seeds.push(("levels-130", levels(JSON_DEPTH_MAX + 2).into_bytes(), false));
    seeds.push(("not-utf-8", b"\"\xff\"".to_vec(), false));
    seeds.push(("control", b"\"\x01\"".to_vec(), false));
    Ok(seeds)
}

/// The bytes as `repository.json`; mended, they are signed by the owners' key of the scene.
pub(super) fn record(bytes: &[u8]) -> Result<(), Error> {
    let read = one_record(bytes);
    if let Some(mut value) = scene::json(bytes)
        && let Some(members) = value.as_object_mut()
    {
        members.insert(
            "owners_signer".to_owned(),
            SCENE.owners.signer().to_string().into(),
        );
        let signed = scene::sign(value, crate::magic::RECORD_CONTEXT, &SCENE.owners);
        if let Err(Error::Forged { reason, .. }) = one_record(&signed) {
            panic!("a true signature is refused: {reason}");
        }
    }
    read
}

fn one_record(bytes: &[u8]) -> Result<(), Error> {
    let record = Record::from_bytes(bytes)?;
    assert!(bytes.len() as u64 <= RECORD_BYTES_MAX);
    assert!(record.flags.is_empty() && record.format == 1);
    // The signature covers times as they were spelled.
    let written = record.to_bytes()?;
    match Record::from_bytes(&written) {
        Ok(again) => assert_eq!(again, record),
        Err(error) => assert!(matches!(error, Error::Forged { .. }), "{error}"),
    }
    Ok(())
}

pub(super) fn records() -> Result<Vec<Seed>, Error> {
    let signed = |change: fn(&mut Record)| {
        let mut record = SCENE.record(true);
        change(&mut record);
        record.signature = hex::encode(SCENE.owners.sign(&record.signed_bytes()?));
        record.to_bytes()
    };
    let plain = signed(|record| record.encryption = None)?;
    let mut added = scene::json(&plain).unwrap_or_default();
    added["later"] = "a member that is not known".into();
    let unsigned = json::canonical(&added);
    let later = scene::sign(added, crate::magic::RECORD_CONTEXT, &SCENE.owners);
    Ok(vec![
        ("encrypted", signed(|_| ())?, true),
        ("unencrypted", plain, true),
        ("later-member", later, true),
        ("unsigned-member", unsigned, false),
        ("version-2", signed(|record| record.format = 2)?, false),
        (
            "flag",
            signed(|record| record.flags.push("differences".to_owned()))?,
            false,
        ),
        ("chunks", signed(|record| record.chunks.min = 3)?, false),
        (
            "no-key",
            signed(|record| record.owners_signer = crate::Signer::from_bytes([2; 32]))?,
            false,
        ),
        ("no-signature", SCENE.record(true).to_bytes()?, false),
        ("not-a-record", b"{\"format\":1}".to_vec(), false),
        ("no-version", b"{\"format\":\"1\"}".to_vec(), false),
    ])
}
