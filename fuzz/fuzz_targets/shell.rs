//! A shell with whatever is typed and answered; see `shared/shell.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../shared/shell.rs"]
mod shell;

fuzz_target!(|data: &[u8]| shell::run(data));
