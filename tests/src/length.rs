//! How long tests are: short for every change, long where `MLARK_TESTS_FULL` is set, as `tests/run.sh --full` does. What a
//! long form showed goes as a line of figures into the file that `MLARK_TESTS_FIGURES` names.

use std::io::Write;

/// Whether the long forms are asked for.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the long form is asked for by a variable"
)]
pub fn is_long() -> bool {
    std::env::var_os("MLARK_TESTS_FULL").is_some()
}

/// The first, or in the long form the second.
pub fn short_or_long<T>(short: T, long: T) -> T {
    if is_long() { long } else { short }
}

/// Prints figures, and keeps them where a file is named for them.
///
/// # Errors
///
/// That file cannot be written.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "figures are for whoever asked for the long form"
)]
pub fn figures(line: &str) -> std::io::Result<()> {
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
#[must_use]
pub fn grouped(number: u64) -> String {
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
