//! The outside world of one zone: what the zone's and the parent's servers show, what caches may
//! hold of it, and whether every mix of that validates (guards W5, W16; RFC 4035 §5, RFC 6840
//! §5.11, RFC 7583 §3).
//! In: what the enforcer has published, what the parent does, the time. Out: the first view that
//! does not validate. Never: a look at the enforcer's states or timing terms.
//!
//! A view is one DS set, one DNSKEY set and one RRset with its signatures, each as some cache may
//! hold it. The set of views grows only when a new version begins to be served, so only then is
//! there anything to check: the world jumps from event to event.

use super::anchors::{Anchors, Following};
use super::data::{Class, Line, Signers, negative_ttl};
use super::keys::{ALGORITHMS, Keys};
use super::versions::{KeySet, Versions};
use dnssec::Algorithm;
use dnssec::enforcer::{RecordKind, RecordState};
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;

/// A key as the zone shows it.
#[derive(Clone, Debug)]
pub(crate) struct ShownKey {
    pub(crate) id: KeyId,
    pub(crate) role: KeyRole,
    pub(crate) algorithm: Algorithm,
    pub(crate) is_revoked: bool,
    pub(crate) is_published: bool,
    pub(crate) signs_keyset: bool,
    pub(crate) signs_zone: bool,
    /// Whether it could be lost: its repository asks for a backup, and there is none.
    pub(crate) is_unbacked: bool,
}

/// A version of the DNSKEY RRset with its signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Keyset {
    pub(crate) keys: KeySet,
    pub(crate) signers: KeySet,
}

/// A view that does not validate, or another promise that is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No key of a DS's algorithm is in the DNSKEY set and signs it.
    Chain { at: u64, ds: String, keys: String, signers: String, is_bogus_to_all: bool },
    /// An RRset has no signature by a key of the DNSKEY set, in an algorithm of the DS set.
    Data {
        at: u64,
        class: Class,
        ds: String,
        keys: String,
        signatures: String,
        is_bogus_to_all: bool,
    },
    /// The zone's own servers show a DNSKEY of an algorithm that data is not signed with
    /// (RFC 4035 §2.2).
    Source { at: u64, class: Class, keys: String, signatures: String },
    /// A record is not where the enforcer believes it to be.
    Claim { at: u64, key: String, kind: RecordKind, state: RecordState },
    /// The parent shows no DS any more, although the zone is to stay signed.
    Insecure { at: u64 },
    /// A key was forgotten while caches or servers have records of it (W16).
    Removed { at: u64, key: String },
    /// Some view validates by a key only that could be lost.
    Unbacked { at: u64, keys: String },
    /// A validator that follows RFC 5011 has no way into this DNSKEY set, or to the data.
    Anchors { at: u64, anchors: String, keys: String, signers: String },
    /// A key that somebody may trust by RFC 5011 left without being revoked, or came back.
    Unrevoked { at: u64, key: String },
    /// A revoked key was to be seen this many seconds longer (RFC 5011 §2.4.2).
    RevokedTooShort { at: u64, key: String, needed: u64 },
    /// The zone asks its parent to remove the DS, although it is to stay signed.
    AsksForRemoval { at: u64 },
}

/// Whether the zone is to become unsigned.
pub(crate) fn is_leaving(policy: &Policy) -> bool {
    policy.passthrough || policy.keys.keys.is_empty()
}

/// One zone and everybody who looks at it.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) now: u64,
    policy: Policy,
    /// Whether servers get DNSKEY sets later than promised, by the policy's safety margins.
    pub(crate) are_servers_late: bool,
    /// Whether the zone, once signed, is never to be unsigned.
    pub(crate) is_signed_for_ever: bool,
    pub(crate) keys: Keys,
    pub(crate) ds: Versions<KeySet>,
    pub(crate) keysets: Versions<Keyset>,
    pub(crate) lines: Vec<Line>,
    /// Validators that follow RFC 5011.
    pub(crate) anchors: Anchors,
    /// Keys that could be lost; nothing may depend on them.
    unbacked: KeySet,
    /// When the next old signature is replaced; `None`: there is none.
    next_replaced: Option<u64>,
    /// How often the RFC 4035 §2.2 duty was broken in a mix of caches (not a fault: RFC 6840
    /// §5.11 tells validators not to insist).
    pub(crate) conservative_misses: u64,
    /// Views that were checked.
    pub(crate) views: u64,
}

impl World {
    /// A zone that has been unsigned since ever.
    pub(crate) fn unsigned(now: u64, policy: &Policy) -> World {
        World {
            now,
            policy: policy.clone(),
            are_servers_late: true,
            is_signed_for_ever: false,
            keys: Keys::default(),
            ds: Versions::since_ever(KeySet::EMPTY, policy.parent.ds_ttl.0),
            keysets: Versions::since_ever(Keyset::default(), negative_ttl(policy)),
            lines: Line::all(policy),
            anchors: Anchors::default(),
            unbacked: KeySet::EMPTY,
            next_replaced: None,
            conservative_misses: 0,
            views: 0,
        }
    }

    /// Time passes; signing runs go on.
    pub(crate) fn pass(&mut self, until: u64) {
        while let Some(at) = self.next_replaced.filter(|at| *at <= until) {
            self.now = self.now.max(at);
            for line in &mut self.lines {
                line.replace_due(self.now, &self.policy);
            }
            self.find_next_replaced();
        }
        self.now = self.now.max(until);
    }

    /// Time passes, and nothing of ours runs; the zone's servers show what they have.
    pub(crate) fn pass_off(&mut self, until: u64) {
        self.now = self.now.max(until);
    }

    /// When a signing run will replace the last old signature of some class.
    pub(crate) fn next_replaced(&self) -> Option<u64> {
        self.next_replaced
    }

    /// The zone's servers begin to show this; the policy in force is `policy` from now on.
    pub(crate) fn publish(&mut self, shown: &[ShownKey], policy: &Policy) -> Result<(), Fault> {
        let old = std::mem::replace(&mut self.policy, policy.clone());
        let numbers: Vec<usize> = shown
            .iter()
            .map(|key| self.keys.number(&key.id, key.is_revoked, key.algorithm))
            .collect();
        let set = |is_in: &dyn Fn(&ShownKey) -> bool| {
            let pairs = shown.iter().zip(&numbers).filter(|(key, _)| is_in(key));
            KeySet::of(&pairs.map(|(_, number)| *number).collect::<Vec<_>>())
        };
        let keyset = Keyset {
            keys: set(&|key| key.is_published),
            signers: set(&|key| key.is_published && key.signs_keyset),
        };
        let signers = set(&|key| key.signs_zone && !key.is_revoked);
        let may = set(&|key| key.is_published && key.role.signs_zone() && !key.is_revoked);
        self.unbacked = set(&|key| key.is_unbacked);
        self.publish_keyset(keyset);
        for line in &mut self.lines {
            let of = self.keys.of_algorithm(line.algorithm);
            let who = Signers { signers: signers.and(of), published: may.and(of) };
            line.publish(self.now, &old, &self.policy, who);
        }
        self.refresh_ds_ttl(&old);
        self.find_next_replaced();
        self.check_views()?;
        self.follow(shown, Following::of(policy), is_leaving(policy))?;
        self.check_source(keyset)
    }

    fn publish_keyset(&mut self, keyset: Keyset) {
        let policy = &self.policy;
        let ttl = match keyset.keys.is_empty() {
            true => negative_ttl(policy),
            false => policy.keys.ttl.0,
        };
        let is_wanted = |content: &Keyset, its: u64| its == ttl && *content == keyset;
        self.keysets.close(self.now, self.keyset_delay(), is_wanted);
        self.keysets.open(&keyset, ttl);
    }

    /// How long some server shows the old DNSKEY set after the new one is out. The safety margins
    /// of the policy exist for servers that are later than promised, so here they are, by as much
    /// as both margins allow.
    fn keyset_delay(&self) -> u64 {
        let keys = &self.policy.keys;
        let late = keys.publish_safety.0.min(keys.retire_safety.0);
        self.policy.zone.propagation_delay.0 + if self.are_servers_late { late } else { 0 }
    }

    /// All keys have a backup now.
    pub(crate) fn back_up(&mut self) {
        self.unbacked = KeySet::EMPTY;
    }

    /// The parent's first server shows this DS set from now on; the last follows after the
    /// parent's propagation delay.
    pub(crate) fn show_ds(&mut self, ds: KeySet) -> Result<(), Fault> {
        if self.is_signed_for_ever && ds.is_empty() && !self.ds_shown().is_empty() {
            return Err(Fault::Insecure { at: self.now });
        }
        let ttl = self.policy.parent.ds_ttl.0;
        let delay = self.policy.parent.propagation_delay.0;
        self.ds.close(self.now, delay, |content, its| its == ttl && *content == ds);
        if self.ds.open(&ds, ttl) { self.check_views() } else { Ok(()) }
    }

    /// The DS set that the parent's first server shows.
    pub(crate) fn ds_shown(&self) -> KeySet {
        self.ds.served().next().copied().unwrap_or_default()
    }

    fn refresh_ds_ttl(&mut self, old: &Policy) {
        let ttl = self.policy.parent.ds_ttl.0;
        let shown = self.ds_shown();
        // The parent changes its TTL at the moment of the edit.
        self.ds.close(self.now, old.parent.propagation_delay.0, |_, its| its == ttl);
        self.ds.open(&shown, ttl);
    }

    /// The keys that some RRset outside the DNSKEY set may be signed with now, and those that every
    /// one of them is signed with in any case.
    pub(crate) fn zone_signers(&self) -> (KeySet, KeySet) {
        let mut some = KeySet::EMPTY;
        let mut all = KeySet(u128::MAX);
        for line in &self.lines {
            let others = KeySet(!self.keys.of_algorithm(line.algorithm).0);
            for served in line.versions.served() {
                some = some.or(*served);
                all = all.and(served.or(others));
            }
        }
        (some, all)
    }

    fn find_next_replaced(&mut self) {
        let next = self.lines.iter().filter_map(|line| line.next_replaced(&self.policy));
        self.next_replaced = next.min();
    }

    /// The enforcer has forgotten all keys but these: no cache may have a DS or a DNSKEY of another
    /// (W16). Signatures of a forgotten key need nothing of it any more.
    pub(crate) fn check_removed(&mut self, kept: KeySet) -> Result<(), Fault> {
        let ds = self.ds.at(self.now).fold(KeySet::EMPTY, |set, it| set.or(*it));
        let sets = self.keysets.at(self.now);
        let needed = sets.fold(ds, |set, it| set.or(it.keys).or(it.signers));
        let lost = needed.without(kept);
        if !lost.is_empty() {
            return Err(Fault::Removed { at: self.now, key: self.keys.text(lost) });
        }
        let in_use = self.lines.iter().fold(needed, |set, line| set.or(line.keys(self.now)));
        self.keys.forget_all_but(in_use);
        Ok(())
    }

    /// Whether a record is where somebody believes it to be: hidden, and no cache has it;
    /// omnipresent, and each cache that has the RRset has it.
    pub(crate) fn check_claim(
        &self,
        number: usize,
        kind: RecordKind,
        state: RecordState,
    ) -> Result<(), Fault> {
        let is_false = |held: &KeySet| match state {
            RecordState::Hidden => held.has(number),
            RecordState::Omnipresent => !held.has(number),
            RecordState::Rumoured | RecordState::Unretentive => false,
        };
        let of_key = |line: &&Line| self.keys.of_algorithm(line.algorithm).has(number);
        let is_wrong = match kind {
            RecordKind::Ds => self.ds.at(self.now).any(is_false),
            RecordKind::Dnskey => self.keysets.at(self.now).any(|set| is_false(&set.keys)),
            RecordKind::RrsigDnskey => self.keysets.at(self.now).any(|set| is_false(&set.signers)),
            RecordKind::Rrsig => {
                let mut lines = self.lines.iter().filter(of_key);
                lines.any(|line| line.versions.at(self.now).any(is_false))
            }
        };
        let at = self.now;
        let key = self.keys.text(KeySet::of(&[number]));
        if is_wrong { Err(Fault::Claim { at, key, kind, state }) } else { Ok(()) }
    }

    fn check_source(&self, keyset: Keyset) -> Result<(), Fault> {
        let is_chained = self.ds.at(self.now).any(|ds| !ds.is_empty());
        // A revoked key signs nothing but its set (RFC 5011 §2.1).
        let keys = keyset.keys.without(self.keys.revoked());
        for line in self.lines.iter().filter(|_| is_chained) {
            let own = keys.and(self.keys.of_algorithm(line.algorithm));
            let broken = line.versions.served().find(|it| it.and(own).is_empty());
            if let Some(signatures) = broken.filter(|_| !own.is_empty()) {
                return Err(Fault::Source {
                    at: self.now,
                    class: line.class,
                    keys: self.keys.text(keyset.keys),
                    signatures: self.keys.text(*signatures),
                });
            }
        }
        Ok(())
    }

    /// Whether every mix of what caches may hold now validates, for validators that want each
    /// algorithm of the DS set to work (unbound's harden-algo-downgrade) and so for all others.
    fn check_views(&mut self) -> Result<(), Fault> {
        let sets: Vec<Keyset> = self.keysets.at(self.now).copied().collect();
        let all_ds: Vec<KeySet> = self.ds.at(self.now).copied().collect();
        for index in 0..ALGORITHMS.len() {
            let of = self.keys.of_algorithm(index);
            for ds in all_ds.iter().filter(|ds| !ds.and(of).is_empty()) {
                self.check_algorithm(index, *ds, &sets)?;
                self.check_backed(index, *ds, &sets)?;
            }
        }
        if all_ds.iter().any(|ds| !ds.is_empty()) {
            self.count_conservative_misses(&sets);
        }
        Ok(())
    }

    fn check_algorithm(&mut self, index: usize, ds: KeySet, sets: &[Keyset]) -> Result<(), Fault> {
        let of = self.keys.of_algorithm(index);
        for set in sets {
            if !validates_keyset(ds.and(of), set) {
                return Err(Fault::Chain {
                    at: self.now,
                    ds: self.keys.text(ds),
                    keys: self.keys.text(set.keys),
                    signers: self.keys.text(set.signers),
                    is_bogus_to_all: !self.has_other_path(index, ds, set, None),
                });
            }
            for line in self.lines.iter().filter(|line| line.algorithm == index) {
                for signatures in line.versions.at(self.now) {
                    self.views += 1;
                    if !signatures.and(set.keys).is_empty() {
                        continue;
                    }
                    return Err(Fault::Data {
                        at: self.now,
                        class: line.class,
                        ds: self.keys.text(ds),
                        keys: self.keys.text(set.keys),
                        signatures: self.keys.text(*signatures),
                        is_bogus_to_all: !self.has_other_path(index, ds, set, Some(line.class)),
                    });
                }
            }
        }
        Ok(())
    }

    /// Whether no view depends on a key that could be lost.
    fn check_backed(&self, index: usize, ds: KeySet, sets: &[Keyset]) -> Result<(), Fault> {
        if self.unbacked.is_empty() {
            return Ok(());
        }
        let ds = ds.and(self.keys.of_algorithm(index)).without(self.unbacked);
        let lines = || self.lines.iter().filter(|line| line.algorithm == index);
        let is_safe = |set: &Keyset| {
            let keys = set.keys.without(self.unbacked);
            let is_signed = |line: &Line| {
                line.versions.at(self.now).all(|signatures| !signatures.and(keys).is_empty())
            };
            validates_keyset(ds, set) && lines().all(is_signed)
        };
        match sets.iter().all(is_safe) {
            true => Ok(()),
            false => Err(Fault::Unbacked { at: self.now, keys: self.keys.text(self.unbacked) }),
        }
    }

    /// Whether a validator that is content with one path finds one by another algorithm
    /// (RFC 6840 §5.11).
    fn has_other_path(&self, index: usize, ds: KeySet, set: &Keyset, class: Option<Class>) -> bool {
        let works = |line: &&Line| {
            let versions = line.versions.at(self.now);
            versions.into_iter().all(|it| !it.and(set.keys).is_empty())
        };
        (0..ALGORITHMS.len()).filter(|other| *other != index).any(|other| {
            let mut lines = self.lines.iter().filter(|line| {
                line.algorithm == other && class.is_none_or(|class| class == line.class)
            });
            validates_keyset(ds.and(self.keys.of_algorithm(other)), set)
                && lines.all(|line| works(&line))
        })
    }

    fn count_conservative_misses(&mut self, sets: &[Keyset]) {
        let misses = |line: &Line| {
            let of = self.keys.of_algorithm(line.algorithm);
            let keys = sets.iter().map(|set| set.keys.and(of)).filter(|keys| !keys.is_empty());
            let mut keys = keys;
            keys.any(|keys| line.versions.at(self.now).any(|it| it.and(keys).is_empty()))
        };
        if self.lines.iter().any(misses) {
            self.conservative_misses += 1;
        }
    }
}

/// Whether one of these DS leads to a key of the set that signs it (RFC 4035 §5.2).
fn validates_keyset(ds: KeySet, set: &Keyset) -> bool {
    !ds.and(set.keys).and(set.signers).is_empty()
}
