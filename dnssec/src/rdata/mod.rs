//! RDATA of every type.
