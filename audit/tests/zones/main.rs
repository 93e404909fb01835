//! Tests of whole zones: tampered ones that our own test signer makes, ones that foreign
//! signers make.

mod common;
mod foreign;
mod incremental;
mod limits;
mod naive;
mod tampered;
