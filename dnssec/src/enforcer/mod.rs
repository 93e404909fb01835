//! The enforcer's core: when each key comes, signs and leaves, by policy and by what caches may
//! still hold (RFC 6781 §4, RFC 7583; OpenDNSSEC 2.x semantics, catalogue section 4).
//! In: what is remembered of a zone, its policy, the supply of keys, the time. Out: what is to be
//! remembered from now on, what is to be done, and when to look again. Production, plans and
//! simulations call the same function.
//! Never: a clock, I/O, randomness, private keys.
//!
//! Other than OpenDNSSEC 2.1's `update()`, on purpose (file in brackets):
//! * What was published under an earlier policy lives by its TTLs, delays and lives of
//!   signatures. 2.1 remembers part of the TTLs. (timing)
//! * The TTLs of SOA and denial records count, where larger than `MaxZoneTTL`. 2.1 forgets them.
//!   (timing)
//! * The first DNSKEY waits for the negative TTL, too. 2.1 means to, and does not. (timing)
//! * One-by-one replacement of signatures is waited for even when the old DNSKEY goes. 2.1 stops.
//!   (timing)
//! * Waits can count from the publication, and DSs from what the parent shows (W6). (timing,
//!   judgement)
//! * No DS is vouched for by another key's DS in the same state: a parent keeps no order.
//!   (approval)
//! * Every mix of what caches may hold has to validate, taking from the states only what they
//!   say. 2.1's rules let go what caches need, where rolls overlap or parents do not answer.
//!   (cache_eye)
//! * An algorithm's last signatures go after its last DNSKEY, and come before its first.
//!   (cache_eye)
//! * With waits that count from publication, no roll begins by the clock before the last one's key
//!   works: in an outage keys would pile up. (policy_pass)
//! * In a chain of successors each takes over from the one before. 2.1 lets some stand aside.
//!   (approval)
//! * Where every record waits for another one, what is half-way in goes on to be everywhere. 2.1
//!   stops. (deadlock)
//! * What dead keys handed over is forgotten. 2.1 does it with `<Purge>` only, and gets stuck.
//!   (successions)
//! * `<Lifetime>` zero is never rolled; 2.1 never makes such a key. (policy_pass)
//! * A lifetime too short for a roll does not matter to keys that roll by hand. (policy_pass)
//! * Keys put into the policy again are made at once, not after the lifetime of the old ones.
//!   (policy_pass)
//! * `key rollover` of a role rolls its keys of all algorithms, not the first only. (policy_pass)
//! * `<Passthrough>`: the keys leave in order first. (policy_pass)
//! * Key tags, also with the REVOKE bit, are unique in a zone (W3). (policy_pass)
//! * Roll dates of roles that left the policy are forgotten; the end of a lifetime wakes a zone
//!   that rolls by hand. (policy_pass)
//! * `<Standby>` and `<RFC5011>` work. (standby, revocation)
//! * A purge is scheduled when a key dies, and does not stop all else for 60 s. (removal)
//! * No key is removed whose DS may be seen (W16). (removal)
//! * A DS is taken back only when the parent is known to have another. (evaluate)
//! * An imported CSK has a DS. (import)

mod approval;
mod cache_eye;
mod commands;
mod commands_1x;
mod deadlock;
mod demand;
mod evaluate;
pub mod history;
mod import;
mod judgement;
pub mod plan;
mod policy_pass;
mod publication;
mod removal;
mod revocation;
mod scene;
mod standby;
mod state;
mod successions;
#[cfg(test)]
mod tests;
mod timing;
mod words;

pub use commands::{
    CommandError, ds_gone, ds_retract, ds_seen, ds_submit, is_waiting, ksk_retire, revoke, roll_now,
};
pub use commands_1x::stay;
pub use demand::supply_demand;
pub use evaluate::evaluate;
pub use import::{ImportError, ImportState, import_key};
pub use publication::{PublishedKeys, published};
pub use removal::{ds_may_be_seen, is_removable, removable_keys};
pub use revocation::{ADD_HOLD_DOWN, REMOVE_HOLD_DOWN, bars_from_unsigned};
pub use scene::{
    Action, Condition, DsShown, DsSighting, Evaluation, Gate, Leaving, LimitingTtl, Obstacle, Rule,
    Scene,
};
pub use state::{
    Backup, DsAtParent, KeyLife, KeyUse, Minimize, OldTerms, PerRole, RecordKind, RecordLife,
    RecordState, Succession, SupplyKey, Terms, WaitTerm, ZoneLife,
};
pub use words::{
    CompatibilityState, NextTransition, compatibility_state, next_transition, state_word_1x,
};
