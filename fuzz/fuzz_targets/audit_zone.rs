//! The whole audit on any octets; see `shared/audit_zone.rs`.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../shared/audit_zone.rs"]
mod audit_zone;

fuzz_target!(|data: &[u8]| audit_zone::judge(data));
