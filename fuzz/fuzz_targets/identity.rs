//! Foreign bytes into `startalk_identity::check`, which the tests run over a corpus and seeded mutations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| startalk_identity::check(bytes));
