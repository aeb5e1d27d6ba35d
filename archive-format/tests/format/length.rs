//! How long tests are: short for every change, long where `MLARK_TESTS_FULL` is set, as `tests/run.sh --full` does. What a
//! long form showed goes as a line of figures into the file that `MLARK_TESTS_FIGURES` names.

use std::io::Write;

/// The first, or in the long form the second.
#[expect(
    clippy::disallowed_methods,
    reason = "the long form is asked for by a variable"
)]
pub(crate) fn short_or_long<T>(short: T, long: T) -> T {
    match std::env::var_os("MLARK_TESTS_FULL") {
        None => short,
        Some(_) => long,
    }
}

/// Prints figures, and keeps them where a file is named for them.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "figures are for whoever asked for the long form"
)]
pub(crate) fn figures(line: &str) -> std::io::Result<()> {
    println!("{line}");
    let Some(path) = std::env::var_os("MLARK_TESTS_FIGURES") else {
        return Ok(());
    };
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.create(true).append(true).open(path)?;
    // One write, so that tests side by side do not mix their lines.
    file.write_all(format!("{line}\n").as_bytes())
}

/// A number with its thousands apart.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
