//! The target `address_list`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| archive_format_fuzz::hold("address_list", bytes));
