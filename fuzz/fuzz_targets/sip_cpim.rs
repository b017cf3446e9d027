#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| subrosa_fuzz::run("sip_cpim", bytes));
