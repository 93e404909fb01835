//! What the walk over all RRsets leaves for the checks of the zone as a whole: who signs what, when
//! signatures expire, how long caches keep them. One walk carries it; nothing walks again.

use crate::signer_sets::{KeyId, SignerSets};
use crate::wire;

/// A moment, and the first name in canonical order that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Unix seconds.
    pub(crate) at: i64,
    pub(crate) owner: Box<[u8]>,
}

/// The earliest of some moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Earliest(pub(crate) Option<Moment>);

impl Earliest {
    /// Notes a moment; owner names come in canonical order.
    pub(crate) fn note(&mut self, at: i64, owner: &[u8]) {
        if self.0.as_ref().is_none_or(|known| at < known.at) {
            self.0 = Some(Moment { at, owner: owner.into() });
        }
    }

    /// Takes over the earliest of others.
    pub(crate) fn merge(&mut self, other: &Earliest) {
        let Some(theirs) = &other.0 else { return };
        let is_before = |ours: &Moment| {
            let by_name = || wire::compare_names(&theirs.owner, &ours.owner);
            theirs.at.cmp(&ours.at).then_with(by_name).is_lt()
        };
        if self.0.as_ref().is_none_or(is_before) {
            self.0 = Some(theirs.clone());
        }
    }
}

/// All of it, for some RRsets or for the zone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Of all signed RRsets but the DNSKEY RRset at the apex.
    pub(crate) signer_sets: SignerSets,
    /// Keys of good signatures over the DNSKEY RRset at the apex.
    pub(crate) keyset_signers: Vec<KeyId>,
    /// When the first signature expires.
    pub(crate) expiry: Earliest,
    /// When the first signature is so near to its expiry that a cache could keep it beyond:
    /// expiration less TTL.
    pub(crate) last_fetch: Earliest,
    /// Largest TTL of a signed RRset.
    pub(crate) largest_ttl: u32,
}

impl Facts {
    /// Notes when a signature expires, in Unix seconds, and the TTL of the RRset.
    pub(crate) fn note_signature(&mut self, expires_at: i64, ttl: u32, owner: &[u8]) {
        self.expiry.note(expires_at, owner);
        self.last_fetch.note(expires_at.saturating_sub(i64::from(ttl)), owner);
        self.largest_ttl = self.largest_ttl.max(ttl);
    }

    /// Takes over what is known of other RRsets.
    pub(crate) fn merge(&mut self, other: &Facts) {
        self.signer_sets.merge(&other.signer_sets);
        self.keyset_signers.extend(&other.keyset_signers);
        self.expiry.merge(&other.expiry);
        self.last_fetch.merge(&other.last_fetch);
        self.largest_ttl = self.largest_ttl.max(other.largest_ttl);
    }
}
