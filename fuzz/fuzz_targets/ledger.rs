#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    recard_fuzz::ledger(bytes);
});
