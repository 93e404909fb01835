//! The enforcer's core: when each key comes, signs and leaves, by policy and by what caches may
//! still hold (RFC 6781 §4, RFC 7583; OpenDNSSEC 2.x semantics, catalogue section 4).
//! In: what is remembered of a zone, its policy, the supply of keys, the time. Out: what is to be
//! remembered from now on, what is to be done, and when to look again. Production, plans and
//! simulations call the same function.
//! Never: a clock, I/O, randomness, private keys.

mod approval;
mod commands;
mod demand;
mod evaluate;
pub mod history;
mod import;
mod judgement;
mod policy_pass;
mod publication;
mod removal;
mod revocation;
mod scene;
mod standby;
mod state;
mod successions;
mod timing;
#[cfg(test)]
mod tests;
mod words;

pub use commands::{
    CommandError, ds_gone, ds_retract, ds_seen, ds_submit, is_waiting, ksk_retire, revoke, roll_now,
};
pub use demand::supply_demand;
pub use evaluate::evaluate;
pub use import::{ImportError, ImportState, import_key};
pub use publication::{PublishedKeys, published};
pub use removal::{ds_may_be_seen, is_removable, removable_keys};
pub use revocation::{ADD_HOLD_DOWN, REMOVE_HOLD_DOWN};
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
