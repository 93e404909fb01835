//! The running system: supervised actors, stages, worker pool, the only sockets and files.
//! In: configuration, zones, operators' commands. Out: signed, audited, published zones.
//! Never: rules of DNSSEC; those are pure functions in `dnssec` that actors call.

pub mod runtime;
