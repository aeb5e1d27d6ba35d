//! Names in a workspace are written by anyone who can write there; on a terminal they could move the cursor, hide
//! lines or fake a prompt. Everything that is shown goes through here. JSON output has its own escapes.

use std::borrow::Cow;

/// Text for one line: control characters, line ends, and the characters that turn the direction of writing or hide,
/// are written as `\u{…}`.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if harmful(character) {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Text of several lines, such as a JSON document: line ends and tabs stay.
pub fn lines(text: &str) -> Cow<'_, str> {
    if !text
        .chars()
        .any(|c| harmful(c) && !matches!(c, '\n' | '\t'))
    {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if harmful(character) && !matches!(character, '\n' | '\t') {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Control characters (C0, DEL, C1), direction marks and overrides (Unicode UAX 9), line separators, invisible ones.
fn harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_commands_in_names_become_visible_text() {
        assert_eq!(line("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(line("a\u{9b}2J"), "a\\u{9b}2J");
        assert_eq!(line("gpj.\u{202e}exe"), "gpj.\\u{202e}exe");
        assert_eq!(line("one\ntwo"), "one\\u{a}two");
        assert_eq!(lines("one\n\ttwo\r"), "one\n\ttwo\\u{d}");
        assert!(matches!(line("модел/имя-名前"), Cow::Borrowed(_)));
    }
}
