//! The enforcer's core: when each key comes, signs and leaves, by policy and by what caches may
//! still hold (RFC 6781 §4, RFC 7583; OpenDNSSEC 2.x semantics, catalogue section 4).
//! In: what is remembered of a zone, its policy, the supply of keys, the time. Out: what is to be
//! remembered from now on, what is to be done, and when to look again. Production, plans and
//! simulations call the same function.
//! Never: a clock, I/O, randomness, private keys.

pub mod history;
mod state;

pub use state::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, OldTerms, PerRole, RecordKind, RecordLife,
    RecordState, Succession, SupplyKey, Terms, WaitTerm, ZoneLife,
};
