//! Words for a shell.

/// A word for a POSIX shell, whatever is in it.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_stays_one_word_of_the_shell() {
        assert_eq!(quoted("a b$(x)"), "'a b$(x)'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
    }
}
