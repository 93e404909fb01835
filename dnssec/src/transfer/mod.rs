//! Zone transfers: what their messages are and what they mean. RFC 5936 (AXFR), RFC 1995 (IXFR),
//! RFC 1996 (NOTIFY), RFC 8945 (TSIG).
//! In: octets, keys, zone versions and the time, as arguments. Out: octets and decisions.
//! Never: sockets, clocks, random ids (the caller brings them).

pub mod catalog;
pub mod ixfr;
pub mod message;
pub mod packing;
pub mod peers;
pub mod rcode;
pub mod reception;
pub mod schedule;
pub mod serving;
pub mod tsig;
pub mod update;
pub mod watch;
pub mod wire;

pub use rcode::Rcode;
