//! The pure core of Anchorite: what DNSSEC says, and nothing that touches the world.
//!
//! In: bytes, names, policies, key descriptions, signatures and the time, all as arguments.
//! Out: zones, denial chains, signing plans, and decisions. Terms follow RFC 9499.
//! Never: async, threads, files, sockets, clocks, random sources, `unsafe`.
#![forbid(unsafe_code)]

pub mod algorithm;
pub mod breaker;
pub mod denial;
pub mod enforcer;
pub mod first_keys;
pub mod health;
pub mod key;
pub mod key_room;
pub mod mutation;
pub mod name;
pub mod outlook;
pub mod parent;
pub mod policy;
pub mod rdata;
pub mod rrtype;
pub mod serial;
pub mod signing;
pub mod transfer;
pub mod units;
pub mod zone;
pub mod zonefile;
pub mod zonemd;

pub use algorithm::Algorithm;
pub use name::Name;
pub use rrtype::RrType;
pub use units::{KeyTag, Seconds, Serial, Timestamp, Ttl};
