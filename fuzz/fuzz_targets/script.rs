#![cfg_attr(fuzzing, no_main)]

#[cfg(fuzzing)]
libfuzzer_sys::fuzz_target!(|input: &[u8]| shipyard_fuzz::script(input));

#[cfg(not(fuzzing))]
fn main() {}
