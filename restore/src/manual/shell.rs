//! Words for a shell.

/// A word for a POSIX shell, whatever is in it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// The same, without quotes where no shell needs them: options and plain names.
pub fn word(text: &str) -> String {
    let plain = |sign: char| sign.is_ascii_alphanumeric() || matches!(sign, '-' | '_' | '.' | '/');
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    quoted(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_word_of_the_shell() {
        assert_eq!(quoted("a b$(x)"), "'a b$(x)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(word("--name"), "--name");
        for odd in ["", "a b", "$(x)", "it's", "~", "a=b", "*", "a\nb"] {
            assert_eq!(word(odd), quoted(odd));
        }
    }
}
