//! RDATA tests.
