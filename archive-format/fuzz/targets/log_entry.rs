//! The target `log_entry`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive_format_fuzz::hold("log_entry", bytes));
