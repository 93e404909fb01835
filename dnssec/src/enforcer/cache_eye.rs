//! Whether every mix of DS, DNSKEY and RRSIG sets that caches may hold validates after a move
//! (guard W5; RFC 4035 §5, RFC 6840 §5.11). In: states of records, one change that is pretended.
//! Never: time, successions.
//!
//! Catalogue 4.2's rules 2 and 3 are not enough where rolls overlap or parents do not answer: "the
//! rule does not hold now either" lets go what caches need, and two DS that are both rumoured say
//! nothing about each other. This rule takes from a state only what it says: hidden, nobody has
//! it; omnipresent, everybody who has the RRset has it; else some have it and some do not. It is
//! kept for each algorithm of which some cache may have a DS:
//! * Chain: some key is omnipresent in DS, DNSKEY and its signature; or each key with a DS is
//!   in every DNSKEY set and signs it; or each key in any DNSKEY set is in every DS set.
//! * Signatures: some key is omnipresent in DNSKEY and signatures; or each key with signatures is
//!   in every DNSKEY set; or each key in any DNSKEY set has signatures everywhere.
//! * Something of each kind is served.
//!
//! Moves that take nothing away (R to O, U to H: time approves those) keep each of these true.

//!
//! Validators that follow the zone by RFC 5011 look at their trust anchors where others look at
//! the DS set. An anchor counts as long as it is omnipresent and not revoked: what becomes of it
//! then, and when, is [`super::revocation`]'s.

use super::approval::View;
use super::state::{RecordKind, RecordState};
use crate::Algorithm;
use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};

/// Where a validator begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// With the DS set.
    AtParent,
    /// With keys of the zone that it trusts (RFC 5011).
    AtAnchors,
}

impl View<'_> {
    /// Whether whatever a cache may hold of this algorithm validates.
    pub(super) fn every_view_is_valid(&self, algorithm: Algorithm, begins: Begins) -> bool {
        let begins_nowhere = |key| matches!(self.begin(key, begins), None | Some(Hidden));
        self.of_algorithm(algorithm).all(begins_nowhere)
            || self.every_chain_is_valid(algorithm, begins)
                && self.every_signature_is_valid(algorithm)
                && self.serves_each_kind(algorithm)
    }

    /// Where the record is that a validator begins with.
    fn begin(&self, key: usize, begins: Begins) -> Option<RecordState> {
        if begins == Begins::AtParent {
            return self.state(key, Ds);
        }
        // An anchor that is withdrawn was revoked before.
        let life = &self.keys[key];
        let is_trusted = life.is_anchor && life.revoked.is_none();
        let is_there = self.state(key, Dnskey) == Some(Omnipresent);
        (is_trusted && is_there).then_some(Omnipresent)
    }

    fn every_chain_is_valid(&self, algorithm: Algorithm, begins: Begins) -> bool {
        let is = |key, kind, state| self.state(key, kind) == Some(state);
        let begins_everywhere = |key| self.begin(key, begins) == Some(Omnipresent);
        let signs = |key| is(key, Dnskey, Omnipresent) && is(key, RrsigDnskey, Omnipresent);
        let all = |is_so: &dyn Fn(usize) -> bool| self.of_algorithm(algorithm).all(is_so);
        self.of_algorithm(algorithm).any(|key| begins_everywhere(key) && signs(key))
            || all(&|key| matches!(self.begin(key, begins), None | Some(Hidden)) || signs(key))
            || all(&|key| {
                let is_chained = begins_everywhere(key);
                is_chained || !self.may_be_seen(key, RrsigDnskey) || !self.may_be_seen(key, Dnskey)
            })
    }

    fn every_signature_is_valid(&self, algorithm: Algorithm) -> bool {
        let is = |key, kind, state| self.state(key, kind) == Some(state);
        let all = |is_so: &dyn Fn(usize) -> bool| self.of_algorithm(algorithm).all(is_so);
        self.of_algorithm(algorithm)
            .any(|key| is(key, Dnskey, Omnipresent) && is(key, Rrsig, Omnipresent))
            || all(&|key| !self.may_be_seen(key, Rrsig) || is(key, Dnskey, Omnipresent))
            || all(&|key| {
                let signs = is(key, Rrsig, Omnipresent);
                signs || !self.keys[key].role.signs_zone() || !self.may_be_seen(key, Dnskey)
            })
    }

    fn serves_each_kind(&self, algorithm: Algorithm) -> bool {
        let serves = |key, kind| matches!(self.state(key, kind), Some(Rumoured | Omnipresent));
        let any = |is_so: &dyn Fn(usize) -> bool| self.of_algorithm(algorithm).any(is_so);
        any(&|key| serves(key, Dnskey) && serves(key, RrsigDnskey))
            && any(&|key| serves(key, Dnskey) && self.keys[key].role.signs_zone())
            && any(&|key| serves(key, Rrsig))
    }

    fn is_served(&self, key: usize, kind: RecordKind) -> bool {
        self.state(key, kind).is_some_and(RecordState::is_served)
    }

    /// Whether the zone, as it is served, goes on having signatures of each algorithm that has a
    /// DNSKEY in it (RFC 4035 §2.2): the last signer of an algorithm stops after the last DNSKEY
    /// went, and no DNSKEY comes before a signer. Validators do not insist; auditors do. A revoked
    /// DNSKEY signs nothing but its set and does not count (RFC 5011 §2.1).
    pub(super) fn stays_signed_at_source(
        &self,
        key: usize,
        kind: RecordKind,
        wants: RecordState,
    ) -> bool {
        let algorithm = self.keys[key].algorithm;
        let others = || self.of_algorithm(algorithm).filter(|other| *other != key);
        let counts = |key: usize| self.is_served(key, Dnskey) && self.keys[key].revoked.is_none();
        let another_does =
            |kind| others().any(|other| self.is_served(other, kind) && counts(other));
        let has_another_dnskey = || others().any(counts);
        match (wants, kind) {
            (Unretentive, Rrsig) => !has_another_dnskey() && !counts(key) || another_does(kind),
            (Unretentive, RrsigDnskey) => {
                let is_last = !has_another_dnskey() && !self.is_served(key, Dnskey);
                is_last || another_does(kind)
            }
            // The KSK's goes first, and then that of the signer.
            (Unretentive, Dnskey) if self.is_served(key, Rrsig) => {
                !has_another_dnskey() || another_does(Rrsig)
            }
            // A signer whose DNSKEY left stops as soon as it may.
            (Rumoured, Dnskey) => self.is_served(key, Rrsig) || another_does(Rrsig),
            _ => true,
        }
    }

    fn may_be_seen(&self, key: usize, kind: RecordKind) -> bool {
        matches!(self.state(key, kind), Some(Rumoured | Omnipresent | Unretentive))
    }
}
