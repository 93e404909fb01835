//! The signatures over everything but the DNSKEY RRset: for each class of RRsets and each
//! algorithm, which keys' signatures some RRset of the class may carry (catalogue 5.2).
//!
//! A signing run keeps a signature until it comes due, also one of a key that does not sign any
//! more, as long as that key is published and only one key of the algorithm signs, which has not
//! signed the RRset yet. Nothing says which RRset was signed when, so the worst is assumed: the
//! last signature of the key that left was made in its last second, with the longest validity and
//! the longest jitter, and the run that replaces it comes a whole resign interval after it is due.

use super::keys::ALGORITHMS;
use super::versions::{KeySet, Versions};
use dnssec::Seconds;
use dnssec::policy::{DenialPolicy, Policy};

/// RRsets that are treated alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Signed anew in each version of the zone.
    Soa,
    /// What the zone's owner put in; TTLs up to `MaxZoneTTL`.
    Data,
    /// NSEC or NSEC3.
    Denial,
    /// NSEC3PARAM.
    Nsec3Param,
}

pub(crate) const CLASSES: [Class; 4] = [Class::Soa, Class::Data, Class::Denial, Class::Nsec3Param];

/// `MaxZoneTTL` when a policy has none (catalogue 2.2).
const MAX_ZONE_TTL_DEFAULT: Seconds = Seconds(86_400);

impl Class {
    /// TTL of its RRsets, in seconds.
    pub(crate) fn ttl(self, policy: &Policy) -> u64 {
        match self {
            Class::Soa => policy.zone.soa_ttl.0,
            Class::Data => policy.signatures.max_zone_ttl.unwrap_or(MAX_ZONE_TTL_DEFAULT).0,
            Class::Denial => negative_ttl(policy),
            Class::Nsec3Param => match &policy.denial {
                DenialPolicy::Nsec => 0,
                DenialPolicy::Nsec3(nsec3) => nsec3.param_ttl.0,
            },
        }
    }

    /// Longest life of a signature made now.
    fn life_max(self, policy: &Policy) -> u64 {
        let signatures = &policy.signatures;
        let validity = match self {
            Class::Denial => signatures.validity_denial,
            _ => signatures.validity_default,
        };
        validity.0 + signatures.jitter.0
    }
}

/// How long "there is no such RRset" is cached (RFC 2308 §5, RFC 9077).
pub(crate) fn negative_ttl(policy: &Policy) -> u64 {
    policy.zone.soa_ttl.0.min(policy.zone.soa_minimum.0)
}

/// A key whose signatures RRsets of the class may carry.
#[derive(Clone, Debug)]
struct Hand {
    key: usize,
    is_signer: bool,
    /// Whether every RRset has one of its signatures: then nothing stands in for it.
    covers: bool,
    /// The latest expiration among its signatures, those of its current policy not counted.
    expires: u64,
}

/// One class and algorithm.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) class: Class,
    pub(crate) algorithm: usize,
    hands: Vec<Hand>,
    pub(crate) versions: Versions<KeySet>,
}

/// Who signs and who is published, of one algorithm.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signers {
    pub(crate) signers: KeySet,
    /// Published keys whose role lets them sign zone data.
    pub(crate) published: KeySet,
}

impl Line {
    /// All lines of a zone that has never been signed.
    pub(crate) fn all(policy: &Policy) -> Vec<Line> {
        let line = |class: Class, algorithm| Line {
            class,
            algorithm,
            hands: Vec::new(),
            versions: Versions::since_ever(KeySet::EMPTY, class.ttl(policy)),
        };
        let of_class = |class| (0..ALGORITHMS.len()).map(move |it| (class, it));
        let all = CLASSES.into_iter().flat_map(of_class);
        all.map(|(class, algorithm)| line(class, algorithm)).collect()
    }

    /// When the next signature of a key that does not sign any more has been replaced.
    pub(crate) fn next_replaced(&self, policy: &Policy) -> Option<u64> {
        let leaving = self.hands.iter().filter(|hand| !hand.is_signer);
        leaving.map(|hand| replaced(hand.expires, policy)).min()
    }

    /// Up to `now` all signatures were replaced that were due.
    pub(crate) fn replace_due(&mut self, now: u64, policy: &Policy) {
        self.hands.retain(|hand| hand.is_signer || replaced(hand.expires, policy) > now);
        self.serve(now, policy);
    }

    /// A version is published at `now` under `new`; up to now it was `old`'s turn.
    pub(crate) fn publish(&mut self, now: u64, old: &Policy, new: &Policy, who: Signers) {
        for hand in self.hands.iter_mut().filter(|hand| hand.is_signer) {
            let made_last = now + self.class.life_max(old);
            // Signatures of longer validity, made under an older policy, stay.
            hand.expires = hand.expires.max(made_last);
            hand.is_signer = who.signers.has(hand.key);
        }
        let covers = |hand: &Hand| who.signers.has(hand.key) && hand.covers;
        let only = who.signers.len() == 1 && !self.hands.iter().any(covers);
        let may_stand_in = |hand: &Hand| {
            only && self.class != Class::Soa
                && new.signatures.refresh.0 != 0
                && who.published.has(hand.key)
                && replaced(hand.expires, new) > now
        };
        self.hands.retain(|hand| who.signers.has(hand.key) || may_stand_in(hand));
        for key in who.signers.numbers() {
            match self.hands.iter_mut().find(|hand| hand.key == key) {
                Some(hand) => hand.is_signer = true,
                None => {
                    let hand = Hand { key, is_signer: true, covers: false, expires: 0 };
                    self.hands.push(hand);
                }
            }
        }
        self.serve(now, new);
    }

    fn serve(&mut self, now: u64, policy: &Policy) {
        let has_stand_ins = self.hands.iter().any(|hand| !hand.is_signer);
        for hand in &mut self.hands {
            hand.covers = hand.is_signer && (hand.covers || !has_stand_ins);
        }
        let ttl = self.class.ttl(policy);
        let signers = self.hands.iter().filter(|hand| hand.is_signer);
        let own = KeySet::of(&signers.map(|hand| hand.key).collect::<Vec<_>>());
        let stand_ins = self.hands.iter().filter(|hand| !hand.is_signer);
        let mut wanted: Vec<KeySet> = stand_ins.map(|hand| KeySet::of(&[hand.key])).collect();
        wanted.push(own);
        let is_wanted = |content: &KeySet, its: u64| its == ttl && wanted.contains(content);
        self.versions.close(now, policy.zone.propagation_delay.0, is_wanted);
        for content in &wanted {
            self.versions.open(content, ttl);
        }
    }

    /// The keys that some cache's signatures are by, or that may still sign.
    pub(crate) fn keys(&self, now: u64) -> KeySet {
        let hands = self.hands.iter().fold(KeySet::EMPTY, |set, it| set.or(KeySet::of(&[it.key])));
        self.versions.at(now).fold(hands, |set, it| set.or(*it))
    }
}

/// When the last run has replaced a signature of this expiration.
fn replaced(expires: u64, policy: &Policy) -> u64 {
    let signatures = &policy.signatures;
    (expires + signatures.resign.0).saturating_sub(signatures.refresh.0)
}
