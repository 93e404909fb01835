//! Which signatures of the last version stand in the next: OpenDNSSEC's rules (catalogue 5.2).
//! RFC 6781 §4.1.1.1 and RFC 7583 §3.2.1 (pre-publication roll), §3.2.2 (double signature).
//! In: a signing run, the RRset as the last version had it. Out: the signature to keep, or none.
//!
//! A signature is kept while it is not due and has begun, when it is by
//! * the active key that is asked for, published or not: a double-RRSIG roll signs before it
//!   publishes; or
//! * another published key of the same algorithm that could sign the RRset, when only one active
//!   key of that algorithm does, and that one has not signed the RRset yet. So a pre-publication
//!   roll replaces signatures as they come due; and at the end of a double-signature roll the old
//!   key's signature never outlives the time that the roll reckons with, which counts from when
//!   the new key began to sign.
//!
//! Two active keys of one algorithm are a double-signature roll. Its timing counts on each of them
//! signing everything at once (RFC 7583 §3.2.2), so nothing stands in for either; and once each
//! has signed, a third key's signature has nothing left to do.
//! What only keys sign whose token is away is kept beyond that ([`super::away`]).
//! Never for another key: SOA, DNSKEY, CDS and CDNSKEY at the apex. The SOA is new in every version
//! anyway, and the other three prove something about each key that signs them.

use super::away::is_left;
use super::plan::SigningRun;
use super::{Signer, SigningTimes, ZoneKey, signs};
use crate::key::KeyRole;
use crate::zone::chunk::{OwnerView, RrsetView, SignatureView};
use crate::{Algorithm, KeyTag, RrType, Timestamp};

/// A key whose DNSKEY is in the zone, active or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedKey {
    /// What it may sign.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its key tag.
    pub key_tag: KeyTag,
}

impl PublishedKey {
    /// The published among a zone's keys. Not those that are revoked: their signatures are good for
    /// nothing but their own revocation (RFC 5011 §2.1).
    pub fn of_keys(keys: &[ZoneKey]) -> Vec<PublishedKey> {
        let published = keys.iter().filter(|key| key.is_published && !key.is_revoked);
        let entry = |key: &ZoneKey| PublishedKey {
            role: key.role,
            algorithm: key.public_key.algorithm,
            key_tag: key.key_tag(),
        };
        published.map(entry).collect()
    }
}

/// How much of a chunk is signed anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Renewal {
    /// What is new or due.
    #[default]
    Due,
    /// Everything but signatures younger than the resign interval: the chunk is taken ahead of
    /// its time to spread the load ([`super::share`]), and comes due as a whole afterwards.
    Ahead,
}

impl SigningTimes {
    /// Whether a signature with this wire time was made less than a resign interval ago.
    pub fn is_young(&self, inception: u32) -> bool {
        let made = Timestamp::from_wire(inception, self.now).plus(self.policy.inception_offset);
        self.now < made.plus(self.policy.resign)
    }
}

/// The signature of the last version that this signer need not make again, if there is one.
pub(super) fn reusable<'a>(
    run: &SigningRun<'a>,
    owner: &OwnerView<'_>,
    signer: &Signer,
    old: Option<&RrsetView<'a>>,
) -> Option<SignatureView<'a>> {
    kept_signature(run, signer, old).or_else(|| stand_in(run, owner, signer, old?))
}

/// The signer's own signature of the last version, if it may be kept.
pub(super) fn kept_signature<'a>(
    run: &SigningRun<'a>,
    signer: &Signer,
    old: Option<&RrsetView<'a>>,
) -> Option<SignatureView<'a>> {
    old?.signatures().find(|signature| {
        signature.is_by(signer.algorithm, signer.key_tag)
            && (is_kept(run, signature) || is_left(run.times, signer, signature))
    })
}

fn is_kept(run: &SigningRun<'_>, signature: &SignatureView<'_>) -> bool {
    let (inception, expiration) = (signature.inception, signature.expiration);
    run.times.is_kept(inception, expiration)
        && (run.renewal == Renewal::Due || run.times.is_young(inception))
}

/// The signature of another key that does the signer's work until it comes due; of several the
/// one that lasts longest.
fn stand_in<'a>(
    run: &SigningRun<'a>,
    owner: &OwnerView<'_>,
    signer: &Signer,
    old: &RrsetView<'a>,
) -> Option<SignatureView<'a>> {
    let by_all = [RrType::SOA, RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY];
    if owner.key().is_empty() && by_all.contains(&old.rtype) {
        return None;
    }
    let is_peer = |other: &&Signer| {
        other.algorithm == signer.algorithm && signs(other.role, owner, old.rtype)
    };
    if run.signers.iter().filter(is_peer).count() > 1 {
        return None;
    }
    if old.signatures().any(|signature| signature.is_by(signer.algorithm, signer.key_tag)) {
        return None;
    }
    let is_by_published = |signature: &SignatureView<'_>| {
        run.published.iter().any(|key| {
            key.algorithm == signer.algorithm
                && signature.is_by(key.algorithm, key.key_tag)
                && signs(key.role, owner, old.rtype)
        })
    };
    let candidates = old.signatures().filter(|it| is_by_published(it) && is_kept(run, it));
    candidates.max_by_key(|it| Timestamp::from_wire(it.expiration, run.times.now))
}

#[cfg(test)]
mod tests;
