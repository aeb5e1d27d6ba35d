//! Text inside the XML that the storage services answer with.

use std::fmt::Write as _;

/// Escapes text for an element or an attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// `<name>text</name>`, or `<name />` where there is no text, as Azure Storage writes it.
pub(crate) fn element(to: &mut String, name: &str, text: &str) {
    // Writing to a String cannot fail.
    let _ = if text.is_empty() {
        write!(to, "<{name} />")
    } else {
        write!(to, "<{name}>{}</{name}>", escape(text))
    };
}
