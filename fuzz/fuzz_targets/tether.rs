//! Foreign bytes into `startalk_tether::check`, which the tests run over a corpus and seeded mutations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| startalk_tether::check(bytes));
