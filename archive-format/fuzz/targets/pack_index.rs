//! The target `pack_index`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive_format_fuzz::hold("pack_index", bytes));
