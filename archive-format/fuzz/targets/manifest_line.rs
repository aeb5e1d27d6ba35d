//! The target `manifest_line`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive_format_fuzz::hold("manifest_line", bytes));
