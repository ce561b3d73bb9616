//! Foreign bytes into `startalk_search::check` (a search as typed, its cutting and folding), which the tests run over a corpus and
//! seeded mutations.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| startalk_search::check(bytes));
