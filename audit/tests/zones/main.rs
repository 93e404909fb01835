//! Tests of whole zones: tampered ones that our own test signers make, ones that foreign signers
//! make, and differences between zones.

mod caches;
mod common;
mod corpus;
mod foreign;
mod foreign_changes;
mod hostile;
mod incremental;
mod key_changes;
mod key_states;
mod limits;
mod manual;
mod naive;
mod tampered;
mod test_keys;
mod text;
mod verdicts;
mod zonemd;
