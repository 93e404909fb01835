//! Tests of whole zones: tampered ones that our own test signers make, ones that foreign signers
//! make, and differences between zones.

mod common;
mod foreign;
mod incremental;
mod key_states;
mod limits;
mod naive;
mod tampered;
