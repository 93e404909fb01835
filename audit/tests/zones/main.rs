//! Tests of whole zones: tampered ones that our own test signer makes, and ones that foreign
//! signers make.

mod common;
mod foreign;
mod tampered;
