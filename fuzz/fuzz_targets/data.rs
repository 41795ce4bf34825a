#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| shipyard_fuzz::data(input));
