//! The running system: supervised actors that carry out what the pure core decides.
//!
//! In: settings, files, HSM slots, the time. Out: signed, audited, published zones.
//! [`system`] builds the tree; [`tree`] is the tree as data; [`runtime`] is supervision, and the
//! only place that names actix.
//! Never: DNSSEC rules. No `match` on record types, no timing arithmetic.
#![forbid(unsafe_code)]

pub mod audit;
pub mod catalog;
pub mod console;
pub mod enforcer;
pub mod health;
pub mod io;
pub mod logging;
pub mod parent;
pub mod runtime;
pub mod settings;
pub mod slot;
pub mod stages;
pub mod store;
pub mod system;
pub mod transfers;
pub mod tree;
pub mod zone;
