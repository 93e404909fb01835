//! Whether a record may move: by its roll type, and by what DNSSEC needs (catalogue 4.2; after
//! OpenDNSSEC 2.1). In: keys, successions, and one change that is only pretended.
//! Never: time.

use super::cache_eye::Begins::{self, AtAnchors};
use super::scene::Rule;
use super::state::{KeyLife, KeyUse, RecordKind, RecordState, Succession, ZoneLife};
use crate::Algorithm;
use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
use RecordState::{Hidden as H, Omnipresent as O, Rumoured as R, Unretentive as U};

/// States of DS, DNSKEY, RRSIGDNSKEY and RRSIG that a key is compared with; `None`: any.
type Mask = [Option<RecordState>; 4];

const fn chain(ds: RecordState, dnskey: RecordState, rrsig_dnskey: RecordState) -> Mask {
    [Some(ds), Some(dnskey), Some(rrsig_dnskey), None]
}

const fn signatures(dnskey: RecordState, rrsig: RecordState) -> Mask {
    [None, Some(dnskey), None, Some(rrsig)]
}

/// The keys of a zone, perhaps with one change that did not happen.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) keys: &'a [KeyLife],
    pub(super) successions: &'a [Succession],
    pub(super) pretended: Option<(usize, RecordKind, RecordState)>,
}

impl<'a> View<'a> {
    pub(super) fn of(life: &'a ZoneLife) -> View<'a> {
        View { keys: &life.keys, successions: &life.successions, pretended: None }
    }

    pub(super) fn state(&self, key: usize, kind: RecordKind) -> Option<RecordState> {
        match self.pretended {
            Some((changed, of, state)) if changed == key && of == kind => Some(state),
            _ => self.keys[key].state(kind),
        }
    }

    fn matches(&self, key: usize, mask: Mask) -> bool {
        let fits = |(kind, wanted): (RecordKind, Option<RecordState>)| {
            wanted.is_none() || self.state(key, kind) == wanted
        };
        RecordKind::ALL.into_iter().zip(mask).all(fits)
    }

    pub(super) fn of_algorithm(
        &self,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = usize> + use<'a> {
        let keys = self.keys;
        (0..keys.len()).filter(move |key| keys[*key].algorithm == algorithm)
    }

    pub(super) fn exists(&self, algorithm: Algorithm, mask: Mask) -> bool {
        self.of_algorithm(algorithm).any(|key| self.matches(key, mask))
    }

    /// Whether a key in `leaving` has a successor in `coming`.
    fn swaps(&self, algorithm: Algorithm, leaving: Mask, coming: Mask, kind: RecordKind) -> bool {
        let mut coming_keys = self.of_algorithm(algorithm).filter(|key| self.matches(*key, coming));
        coming_keys.any(|to| {
            let mut leaving_keys = self.of_algorithm(algorithm);
            leaving_keys.any(|from| {
                from != to && self.matches(from, leaving) && self.succeeds(to, from, kind)
            })
        })
    }

    /// Whether `to` takes over from `from`, perhaps by way of others that are where `from` is.
    fn succeeds(&self, to: usize, from: usize, kind: RecordKind) -> bool {
        // Only the first of a chain counts: a key that itself takes over is in between.
        let is_first = self.successions.iter().all(|one| one.to != self.keys[from].id);
        is_first && self.succeeds_by(to, from, kind)
    }

    /// Follows the chain from its first key: those in between are where the first one is, and each
    /// takes over from the one before. 2.1 does not compare their RRSIGDNSKEY, takes any pretended
    /// change for one that begins a succession, and takes keys in the same state for related.
    fn succeeds_by(&self, to: usize, from: usize, kind: RecordKind) -> bool {
        let keys = self.keys;
        let follows = |after: usize, before: usize| {
            let is_pair = |one: &Succession| {
                one.kind == kind && one.to == keys[after].id && one.from == keys[before].id
            };
            let is_leaving = self.pretended == Some((before, kind, U));
            self.successions.iter().any(is_pair)
                || is_leaving && self.may_succeed(after, before, kind)
        };
        let mut reached = vec![false; keys.len()];
        let mut pending = vec![from];
        while let Some(before) = pending.pop() {
            if follows(to, before) {
                return true;
            }
            for (between, is_reached) in reached.iter_mut().enumerate() {
                let is_beside = between != from && self.same_states(between, from);
                if !*is_reached && is_beside && follows(between, before) {
                    *is_reached = true;
                    pending.push(between);
                }
            }
        }
        false
    }

    fn same_states(&self, one: usize, other: usize) -> bool {
        RecordKind::ALL.into_iter().all(|kind| self.state(one, kind) == self.state(other, kind))
    }

    /// Whether `to` could take over the record from `from` now.
    pub(super) fn may_succeed(&self, to: usize, from: usize, kind: RecordKind) -> bool {
        if to == from
            || self.keys[to].algorithm != self.keys[from].algorithm
            || self.state(to, kind) != Some(R)
        {
            return false;
        }
        let both = |kind| self.state(from, kind) == Some(O) && self.state(to, kind) == Some(O);
        match kind {
            Ds | Rrsig => self.state(to, Dnskey) == Some(O),
            Dnskey => both(Ds) || both(Rrsig),
            RrsigDnskey => false,
        }
    }

    /// Whether each key whose DS may be seen somewhere can be followed by itself. 2.1 takes another
    /// key whose DS is in the same state for it; but a parent that has two to add or to remove
    /// keeps no order.
    fn is_safely_insecure(&self, algorithm: Algorithm) -> bool {
        self.of_algorithm(algorithm).all(|key| match self.state(key, Ds) {
            None | Some(H) => true,
            Some(ds) => self.matches(key, chain(ds, O, O)),
        })
    }

    /// Whether each key whose DNSKEY is somewhere has a signer beside it in the same state.
    fn is_safely_unsigned(&self, algorithm: Algorithm) -> bool {
        self.of_algorithm(algorithm).all(|key| match self.state(key, Dnskey) {
            None | Some(H) => true,
            Some(dnskey) => self.exists(algorithm, signatures(dnskey, O)),
        })
    }

    pub(super) fn has_no_ds(&self, algorithm: Algorithm) -> bool {
        self.of_algorithm(algorithm).all(|key| matches!(self.state(key, Ds), None | Some(H)))
    }

    pub(super) fn chain_exists(&self) -> bool {
        (0..self.keys.len()).any(|key| matches!(self.state(key, Ds), Some(O | R)))
    }

    /// A key that a resolver can follow from the DS to the DNSKEY set, or a swap under way.
    fn has_chain(&self, algorithm: Algorithm) -> bool {
        self.exists(algorithm, chain(O, O, O))
            || self.swaps(algorithm, chain(U, O, O), chain(R, O, O), Ds)
            || self.swaps(algorithm, chain(O, U, U), chain(O, R, R), Dnskey)
            || self.swaps(algorithm, chain(O, U, U), chain(O, O, R), Dnskey)
            || self.swaps(algorithm, chain(O, U, O), chain(O, R, R), Dnskey)
            || self.swaps(algorithm, chain(O, U, O), chain(O, O, R), Dnskey)
    }

    fn chain_is_valid(&self, algorithm: Algorithm) -> bool {
        self.has_chain(algorithm) || self.is_safely_insecure(algorithm)
    }

    /// A key whose signatures a resolver can check, or a swap under way.
    pub(super) fn has_signatures(&self, algorithm: Algorithm) -> bool {
        self.exists(algorithm, signatures(O, O))
            || self.swaps(algorithm, signatures(U, O), signatures(R, O), Dnskey)
            || self.swaps(algorithm, signatures(O, U), signatures(O, R), Rrsig)
    }

    fn signatures_are_valid(&self, algorithm: Algorithm) -> bool {
        self.has_signatures(algorithm)
            || self.is_safely_unsigned(algorithm)
            || self.has_no_ds(algorithm)
    }

    fn holds(&self, rule: Rule, algorithm: Algorithm) -> bool {
        match rule {
            Rule::ChainExists => self.chain_exists(),
            Rule::ChainValid => self.chain_is_valid(algorithm),
            Rule::SignaturesValid => self.signatures_are_valid(algorithm),
            Rule::EveryView => self.every_view_is_valid(algorithm, Begins::AtParent),
            Rule::SignedAtSource => true,
        }
    }

    /// Whether `rule` allows the change: it holds afterwards, or it does not hold now either. The
    /// rule of every view excuses only what adds to the zone, and leaves to time what follows
    /// from time.
    pub(super) fn allows(
        &self,
        rule: Rule,
        key: usize,
        kind: RecordKind,
        state: RecordState,
    ) -> bool {
        let algorithm = self.keys[key].algorithm;
        let after = View { pretended: Some((key, kind, state)), ..*self };
        let breaks_anchors = || {
            let is_valid = |view: &View<'_>| view.every_view_is_valid(algorithm, AtAnchors);
            is_valid(self) && !is_valid(&after)
        };
        let is_excused = match rule {
            Rule::SignedAtSource => return self.stays_signed_at_source(key, kind, state),
            Rule::EveryView if matches!(state, O | H) => return true,
            // A policy may call keys anchors that do not fit each other any more. What comes may
            // break them, too: a DS does not vouch for them.
            Rule::EveryView if kind != Ds && breaks_anchors() => return false,
            // Of signatures that were never everywhere, "going" and "coming" do not make a whole.
            Rule::EveryView if state == R && kind == Ds && self.has_no_ds(algorithm) => {
                return self.exists(algorithm, signatures(O, O)) && after.holds(rule, algorithm);
            }
            Rule::EveryView => state == R && kind != Ds,
            _ => true,
        };
        after.holds(rule, algorithm) || is_excused && !self.holds(rule, algorithm)
    }

    /// The record of the same key that has to be omnipresent (for a signature over the keys: that
    /// has to be there at all) before this one comes into the world, by the roll type.
    pub(super) fn waits_for(&self, key: usize, kind: RecordKind) -> Option<RecordKind> {
        let life = &self.keys[key];
        let is_out = |kind| matches!(life.state(kind), None | Some(O));
        if life.purpose == KeyUse::Standby && kind != RrsigDnskey {
            return None;
        }
        match kind {
            Ds if life.minimize.ds && !is_out(Dnskey) => Some(Dnskey),
            Dnskey if life.minimize.dnskey => self.dnskey_waits_for(key),
            RrsigDnskey if life.dnskey.state == H => Some(Dnskey),
            // Without another good key the signatures come first (RFC 6781 §4.1.4).
            Rrsig
                if life.minimize.rrsig
                    && !is_out(Dnskey)
                    && self.has_signatures(life.algorithm) =>
            {
                Some(Dnskey)
            }
            _ => None,
        }
    }

    fn dnskey_waits_for(&self, key: usize) -> Option<RecordKind> {
        let life = &self.keys[key];
        let algorithm = life.algorithm;
        let is_out = |kind| matches!(life.state(kind), None | Some(O));
        let is_ready =
            life.role.signs_zone() && is_out(Rrsig) || life.role.signs_keyset() && is_out(Ds);
        // Without another good key nothing is saved by waiting.
        let has_other = self.exists(algorithm, chain(O, O, O))
            || self.swaps(algorithm, chain(U, O, O), chain(R, O, O), Ds)
            || self.swaps(algorithm, chain(O, U, U), chain(O, R, R), Dnskey);
        (!is_ready && has_other).then_some(if life.role.signs_keyset() { Ds } else { Rrsig })
    }
}
