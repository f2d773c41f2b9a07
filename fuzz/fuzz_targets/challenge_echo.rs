//! The target `challenge_echo` under libFuzzer; what it is stands in `fuzz/targets`.

#![no_main]

use std::sync::LazyLock;

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<Box<dyn Target>> =
    LazyLock::new(|| fuzz::named("challenge_echo").expect("a target of this name"));

fuzz_target!(|octets: &[u8]| fuzz::meet(TARGET.as_ref(), octets));
