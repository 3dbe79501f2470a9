#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| (kogia_fuzz::ANALYSE.run)(data));
