//! Shared helpers of the tests that need more than one crate, a process or a foreign tool.
//! In: the zones in `tests/zones`. Never: part of the product.
#![forbid(unsafe_code)]

pub mod daemon;
pub mod fault_module;
pub mod judges;
pub mod peers;
pub mod program;
pub mod signing;
pub mod zonegen;
