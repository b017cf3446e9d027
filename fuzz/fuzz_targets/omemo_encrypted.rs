#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subrosa_fuzz::run("omemo_encrypted", bytes));
