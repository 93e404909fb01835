//! Observing the parent: which keys' DS are looked for, what its servers' answers mean, and what
//! follows from one round of answers after the other (RFC 4035 §3.1.4.1; guard W6).
//! In: a zone's life, responses as they were decoded. Out: [`DsSighting`]s for the enforcer's
//! core, and words for people.
//! Where trust anchors are given, an answer that does not verify to one counts as none
//! (`validation`). And telling the parent: where NOTIFY(CDS) goes (`dsync`, RFC 9859).
//! Never: sockets, the clock, cryptography; trust in one server alone: all of them have to agree.
//! Limits: [`AGENTS_MAX`] servers, [`TTL_SEEN_MAX`]; those of `rrsig` and `dsync`.

mod anchor;
mod answer;
mod denial;
mod dsync;
mod rounds;
mod rrsig;
#[cfg(test)]
mod tests;
mod validation;

pub use anchor::{
    ANCHOR_TEXT_MAX, ANCHORS_MAX, AnchorError, AnchorProblem, TrustAnchor, read_anchors,
};
pub use answer::{AnswerRecord, Response, ShownDs, Unusable, read_response};
pub use denial::ITERATIONS_MAX;
pub use dsync::{
    Discovery, DiscoveryError, Lookup, NOTIFY_ATTEMPTS_MAX, NotifyPolicy, NotifyTarget,
    RESOLVERS_MAX, announced, pause_after,
};
pub use rounds::{Heard, Rounds, disagreement};
pub use rrsig::{Bogus, Judge, VERIFICATIONS_MAX, Verify};
pub use validation::{ParentKeys, anchored_parent, proven_ds, proven_keys};

use crate::enforcer::{DsAtParent, DsSighting, RecordKind, RecordState, ZoneLife};
use crate::key::KeyId;
use crate::{Seconds, Timestamp};
use std::net::SocketAddr;

/// Most servers that are asked for one zone.
pub const AGENTS_MAX: usize = 16;
/// How often they are asked, unless `<Interval>` says otherwise.
pub const INTERVAL_DEFAULT: Seconds = Seconds(600);
/// Shortest `<Interval>`.
pub const INTERVAL_MIN: Seconds = Seconds(1);
/// The port of DNS servers (RFC 1035 §4.2).
pub const DNS_PORT: u16 = 53;
/// A TTL that was seen counts as this at most, as caches see to it (RFC 8767 §4): a server that
/// lies must not stop a roll for years. A longer `<DS><TTL>` of the policy counts in full.
pub const TTL_SEEN_MAX: Seconds = Seconds(604_800);
/// What was seen counts for so many intervals, when nothing is heard after it.
const FRESH_INTERVALS: u64 = 3;
/// What was seen counts at least so long: a round with servers that do not answer takes its time.
const FRESH_LEAST: Seconds = Seconds(60);

/// `<Agents>`: the parent's servers that are asked, of which every one must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentalAgents {
    /// Their addresses and ports, each once.
    pub addresses: Vec<SocketAddr>,
    /// How often they are asked while a DS is on its way.
    pub interval: Seconds,
    /// `<TrustAnchor>`: keys of the parent, to which answers have to verify.
    pub anchors: Vec<TrustAnchor>,
    /// `<TrustAnchorFile>`: a file with more of them, read anew for each round.
    pub anchor_file: Option<String>,
}

impl ParentalAgents {
    /// Whether answers have to verify.
    pub fn validates(&self) -> bool {
        !self.anchors.is_empty() || self.anchor_file.is_some()
    }
}

/// A key whose DS is on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchedKey {
    /// The key.
    pub id: KeyId,
    /// RDATA of its DNSKEY, of which the parent has digests.
    pub dnskey: Vec<u8>,
    /// Whether it is to be there (`true`) or to be gone. What was seen while it was to come says
    /// nothing of its leaving, and the other way round.
    pub comes: bool,
}

/// What the servers showed in the last round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sightings {
    /// When the round ended.
    pub at: Timestamp,
    /// Of each key that was looked for.
    pub of_keys: Vec<DsSighting>,
    /// The DS RRsets (RDATA, sorted) that servers showed, each once.
    pub sets: Vec<Vec<Vec<u8>>>,
}

impl Sightings {
    /// Whether they still count at `now`.
    pub fn are_fresh(&self, interval: Seconds, now: Timestamp) -> bool {
        let length = Seconds(interval.0.saturating_mul(FRESH_INTERVALS)).max(FRESH_LEAST);
        self.at.plus(length) >= now
    }
}

/// The keys of a zone whose DS are on their way. `dnskey_of` gives the RDATA of a key's DNSKEY
/// without its REVOKE bit; keys that have none are left out.
pub fn watched_keys(
    life: &ZoneLife,
    dnskey_of: impl Fn(&KeyId) -> Option<Vec<u8>>,
) -> Vec<WatchedKey> {
    let mut watched = Vec::new();
    for key in life.keys.iter().filter(|key| key.role.signs_keyset()) {
        let comes = match (key.state(RecordKind::Ds), key.ds_at_parent) {
            (Some(RecordState::Rumoured), _) => true,
            (Some(RecordState::Unretentive), _) => false,
            (_, DsAtParent::Submit | DsAtParent::Submitted) => true,
            (_, DsAtParent::Retract | DsAtParent::Retracted) => false,
            (_, DsAtParent::Unsubmitted | DsAtParent::Seen) => continue,
        };
        let dnskey = dnskey_of(&key.id);
        watched.extend(dnskey.map(|dnskey| WatchedKey { id: key.id.clone(), dnskey, comes }));
    }
    watched
}
