//! YAML as text: block style, in a fixed order, and quoted wherever a reader could take a string for something else.
//!
//! What is written means the same to readers of YAML 1.1 (PyYAML, which the official SDK reads with) and of YAML 1.2. It
//! is never read back here: a folder is restored from the original documents.

use std::fmt::Write as _;

use serde_json::{Map, Number, Value};

/// Members that come first, in this order; the others follow by their names.
const FIRST: &[&str] = &[
    "$schema",
    "name",
    "version",
    "endpoint_name",
    "type",
    "task",
    "display_name",
    "experiment_name",
    "description",
    "tags",
];

/// Words that YAML 1.1 takes for truth values and nothing, in any letter case.
const RESERVED: &[&str] = &[
    "y", "yes", "n", "no", "on", "off", "true", "false", "null", "nan", "inf",
];

/// A longer key must be announced by a `?` (YAML 1.2, 7.4.2: 1,024 characters).
const PLAIN_KEY_MAX: usize = 1_000;

/// Writes a value as a document, with a line end behind it.
pub fn to_yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(members) if !members.is_empty() => object(&mut out, members, 0, false),
        Value::Array(items) if !items.is_empty() => array(&mut out, items, 0),
        other => {
            scalar(&mut out, other, 0);
            out.push('\n');
        }
    }
    out
}

/// Members by name, those of [`FIRST`] before all others.
fn ordered(members: &Map<String, Value>) -> Vec<(&String, &Value)> {
    let rank = |name: &str| {
        FIRST
            .iter()
            .position(|first| *first == name)
            .unwrap_or(FIRST.len())
    };
    let mut ordered: Vec<_> = members.iter().collect();
    ordered.sort_by(|(left, _), (right, _)| {
        (rank(left), left.as_str()).cmp(&(rank(right), right.as_str()))
    });
    ordered
}

/// `begun`: the first member stands on a line that is begun already, behind a `- `.
fn object(out: &mut String, members: &Map<String, Value>, depth: usize, begun: bool) {
    for (index, (name, value)) in ordered(members).into_iter().enumerate() {
        if index > 0 || !begun {
            indent(out, depth);
        }
        let key = quoted_on_one_line(name);
        if key.len() > PLAIN_KEY_MAX {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            indent(out, depth);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        below(out, value, depth);
    }
}

fn array(out: &mut String, items: &[Value], depth: usize) {
    for item in items {
        indent(out, depth);
        out.push('-');
        match item {
            Value::Object(members) if !members.is_empty() => {
                out.push(' ');
                object(out, members, depth + 1, true);
            }
            other => below(out, other, depth),
        }
    }
}

/// What stands behind a `:` or `-`.
fn below(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if !members.is_empty() => {
            out.push('\n');
            object(out, members, depth + 1, false);
        }
        Value::Array(items) if !items.is_empty() => {
            out.push('\n');
            array(out, items, depth + 1);
        }
        other => {
            out.push(' ');
            scalar(out, other, depth + 1);
            out.push('\n');
        }
    }
}

fn indent(out: &mut String, depth: usize) {
    (0..depth).for_each(|_| out.push_str("  "));
}

/// A value on one line, or a block of text without its last line end.
fn scalar(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number_text(number)),
        Value::String(text) if is_block(text) => block(out, text, depth),
        Value::String(text) => out.push_str(&quoted_on_one_line(text)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
}

/// YAML 1.1 takes a number with an exponent for one only where it has a point and a sign: `1.0e+5`.
fn number_text(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else {
        return text;
    };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) {
        ""
    } else {
        "+"
    };
    format!("{mantissa}{point}e{sign}{exponent}")
}

/// Whether a text can stand as a literal block: several lines, nothing that a reader would change or refuse, and a
/// first line that shows the block's indentation.
fn is_block(text: &str) -> bool {
    let mut lines = text.split('\n');
    text.contains('\n')
        && lines
            .next()
            .is_some_and(|first| !first.is_empty() && !first.starts_with([' ', '\t']))
        && text.chars().all(|c| c == '\n' || c == '\t' || is_plain(c))
}

fn block(out: &mut String, text: &str, depth: usize) {
    let (body, chomp) = match text.strip_suffix('\n') {
        None => (text, "|-"),
        Some(body) if body.ends_with('\n') => (body, "|+"),
        Some(body) => (body, "|"),
    };
    out.push_str(chomp);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            indent(out, depth);
            out.push_str(line);
        }
    }
}

/// A string on one line: bare where every reader takes it for that string, else quoted.
fn quoted_on_one_line(text: &str) -> String {
    if is_bare(text) {
        return text.to_owned();
    }
    if text.chars().all(is_plain) {
        return format!("'{}'", text.replace('\'', "''"));
    }
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if is_plain(c) => quoted.push(c),
            c => {
                let code = u32::from(c);
                // Writing into a string cannot fail.
                let _ = match code {
                    0..=0xff => write!(quoted, "\\x{code:02X}"),
                    0x100..=0xffff => write!(quoted, "\\u{code:04X}"),
                    _ => write!(quoted, "\\U{code:08X}"),
                };
            }
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that every reader takes as they are: printable, and neither a line end nor a mark of byte order.
fn is_plain(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}'
        | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn is_bare(text: &str) -> bool {
    let mut chars = text.chars();
    let first = chars.next();
    let begins = match first {
        Some(c) if c.is_ascii_alphabetic() => true,
        Some('/' | '_' | '$') => true,
        Some('.') => text.starts_with("./") || text.starts_with("../"),
        _ => false,
    };
    begins
        && text.chars().all(|c| matches!(c, ' '..='~'))
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.ends_with([' ', ':'])
        && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_stand_in_a_fixed_order_and_lists_below_their_names() {
        let value = json!({"version": "1", "zeta": [], "name": "churn", "inputs": {"a": {"type": "uri_file", "mode": "x"}},
            "jobs": [{"b": 1, "a": [true, null]}, "text", [1]]});
        assert_eq!(
            to_yaml(&value),
            "name: churn\nversion: '1'\ninputs:\n  a:\n    type: uri_file\n    mode: x\njobs:\n  - a:\n      - true\n      - null\n    b: 1\n  - text\n  -\n    - 1\nzeta: []\n"
        );
    }

    #[test]
    fn what_could_be_taken_for_something_else_is_quoted() {
        for text in [
            "",
            "1.0",
            "0o7",
            "yes",
            "No",
            "NULL",
            "~",
            "2026-01-01",
            "a: b",
            "a #b",
            "- a",
            "a ",
            ".5",
            "1:30",
            "{a}",
            "*x",
            "&x",
            "!x",
            "?",
            "%a",
            "@a",
            "`a",
            "'",
            "=",
            "<<",
            "key:",
        ] {
            let written = to_yaml(&json!(text));
            assert!(
                written.starts_with('\''),
                "{text:?} was written as {written}"
            );
        }
        for text in [
            "azureml:sklearn:1",
            "python train.py --lr ${{inputs.lr}}",
            "./files",
            "${{parent.inputs.a}}",
            "a'b",
        ] {
            assert_eq!(to_yaml(&json!(text)), format!("{text}\n"));
        }
    }

    #[test]
    fn several_lines_are_a_block_and_what_no_block_can_hold_is_escaped() {
        assert_eq!(
            to_yaml(&json!({"a": "one\n  two\n"})),
            "a: |\n  one\n    two\n"
        );
        assert_eq!(
            to_yaml(&json!({"a": "one\n\ntwo"})),
            "a: |-\n  one\n\n  two\n"
        );
        assert_eq!(to_yaml(&json!({"a": "one\n\n"})), "a: |+\n  one\n\n");
        assert_eq!(to_yaml(&json!({"a": " one\ntwo"})), "a: \" one\\ntwo\"\n");
        assert_eq!(
            to_yaml(&json!({"a": "one\r\ntwo"})),
            "a: \"one\\r\\ntwo\"\n"
        );
        assert_eq!(
            to_yaml(&json!("\u{7}\u{85}\u{2028}\u{feff}")),
            "\"\\x07\\x85\\u2028\\uFEFF\"\n"
        );
    }

    #[test]
    fn a_number_with_an_exponent_has_a_point_and_a_sign() {
        for (given, written) in [
            ("1e400", "1.0e+400\n"),
            ("-1.5e-7", "-1.5e-7\n"),
            ("0.10", "0.10\n"),
            ("7", "7\n"),
        ] {
            let value: Value = serde_json::from_str(given).unwrap_or_default();
            assert_eq!(to_yaml(&value), written);
        }
    }

    #[test]
    fn a_key_too_long_for_a_line_is_announced() {
        let key = "k".repeat(1_100);
        let mut members = Map::new();
        members.insert(key.clone(), json!({"a": 1}));
        assert_eq!(
            to_yaml(&Value::Object(members)),
            format!("? {key}\n:\n  a: 1\n")
        );
    }
}
