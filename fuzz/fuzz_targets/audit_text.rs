//! The auditor's reader of zone files on any octets; see `shared/audit_text.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../shared/audit_text.rs"]
mod audit_text;

fuzz_target!(|data: &[u8]| audit_text::read(data));
