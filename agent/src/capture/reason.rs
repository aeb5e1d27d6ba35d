//! Why something could not be saved, in plain words: the text of a gap.

/// An error and its causes in one line.
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = error.source();
    }
    shortened(text)
}

/// A gap's reason stands in a manifest line, which has a limit.
const REASON_BYTES_MAX: usize = 1_000;

fn shortened(mut text: String) -> String {
    if text.len() > REASON_BYTES_MAX {
        let end = (0..=REASON_BYTES_MAX)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or_default();
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Why a place, item or file could not be had.
pub(super) fn of(error: &workspace::Error) -> String {
    if error.is_not_found() {
        return format!("It was listed and is gone: {}", words(error));
    }
    if error.is_forbidden() {
        return format!("Permission is missing: {}", words(error));
    }
    words(error)
}
