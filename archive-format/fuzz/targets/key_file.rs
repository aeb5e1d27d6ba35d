//! The target `key_file`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive_format_fuzz::hold("key_file", bytes));
