//! Everything the enforcer can be told, and what it answers.

use crate::runtime::{Message, Recipient};
use dnssec::policy::Policy;
use dnssec::signing::ZoneKey;
use dnssec::{Name, Timestamp};
use std::sync::Arc;

/// Everything the enforcer can be told.
pub enum EnforcerMessage {
    /// Command. See to the keys of a zone, and say which they are.
    KeysWanted(Wanted),
}

impl Message for EnforcerMessage {
    type Result = ();
}

/// A zone that wants its keys.
pub struct Wanted {
    /// The zone.
    pub zone: Name,
    /// Its policy.
    pub policy: Arc<Policy>,
    /// Where the answer goes.
    pub to: Recipient<KeysEvent>,
}

/// The enforcer's answer to a zone.
#[derive(Clone, Debug)]
pub enum KeysEvent {
    /// Event. The keys are in their tokens and on record.
    Ready(ZoneKeys),
    /// Event. They are not; the zone asks again later.
    Failed {
        /// Why.
        error: String,
    },
}

impl Message for KeysEvent {
    type Result = ();
}

/// What a zone signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneKeys {
    /// The keys, with the moment each was made.
    pub keys: Vec<(ZoneKey, Timestamp)>,
    /// The salt of the policy's NSEC3 chains.
    pub salt: Vec<u8>,
}
