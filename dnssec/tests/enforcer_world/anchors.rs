//! Validators that follow the zone by RFC 5011: what the slowest of them trusts, and whether it
//! still validates the zone. In: each version of the DNSKEY set as it is published. Out: the first
//! promise that is broken. Never: a look at the enforcer's states or hold-downs.
//!
//! One validator is enough, because it is the worst in each regard: it has known the zone for the
//! longest time, looks at the last moment its timer lets it (§2.3) before and after the add
//! hold-down, so that it comes to trust a key later than all others, and hears of a revocation
//! from the fastest server, or from the slowest. Validators that came later trust more keys.

use super::data::CLASSES;
use super::keys::ALGORITHMS;
use super::versions::KeySet;
use super::world::{Fault, Keyset, ShownKey, World};
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
/// RFC 5011 §2.4.1 and §2.4.2.
const HOLD_DOWN: u64 = 30 * DAY;

/// A KSK in the DNSKEY set, without REVOKE.
#[derive(Clone, Copy, Debug)]
struct Watch {
    first_shown: u64,
    /// From when on no cache has a set without it.
    everywhere: u64,
    /// Largest TTL of the sets it was in.
    ttl_max: u64,
    /// Whether somebody may have begun with it: every cache had it and its DS, for days.
    is_chained: bool,
}

impl Watch {
    /// When the slowest validator trusts it: a look at the latest after it is everywhere, the
    /// hold-down, and one more look.
    fn trusted_at(&self) -> u64 {
        self.everywhere + HOLD_DOWN.max(self.ttl_max) + 2 * between_looks(self.ttl_max)
    }

    /// Whether the hold-down of one who looked at once is over.
    fn is_old(&self, now: u64) -> bool {
        self.first_shown + HOLD_DOWN <= now
    }
}

/// How long the slowest validator does not look (§2.3; signatures live for days here).
fn between_looks(ttl: u64) -> u64 {
    (ttl / 2).clamp(HOUR, 15 * DAY)
}

/// What the slowest validator knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Anchors {
    watched: BTreeMap<KeyId, Watch>,
    trusted: BTreeSet<KeyId>,
    /// Revoked keys that are in the set, and when the slowest validator has seen it for the remove
    /// hold-down (§2.4.2).
    revoked: BTreeMap<KeyId, u64>,
    /// All that were ever revoked.
    gone: BTreeSet<KeyId>,
    /// Whether there is such a validator yet.
    is_configured: bool,
    /// Whether the zone was to become unsigned since: then all anchors may be revoked.
    may_end: bool,
    /// Keys that it came to trust by itself, and keys seen to be revoked, over all time.
    pub(crate) learnt: u64,
    pub(crate) revocations: u64,
}

/// Whether a policy says that validators follow the zone's KSKs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Following {
    Yes,
    /// Whoever followed them is given up.
    No,
    /// It has no such keys: as before.
    Unsaid,
}

impl Following {
    pub(crate) fn of(policy: &Policy) -> Following {
        let mut keys = policy.keys.keys.iter().filter(|key| key.role.signs_keyset());
        match (keys.clone().next().is_none(), keys.any(|key| key.rfc5011)) {
            (true, _) => Following::Unsaid,
            (false, true) => Following::Yes,
            (false, false) => Following::No,
        }
    }
}

impl World {
    /// A version was published that shows these keys. `is_leaving`: the zone is to become unsigned.
    pub(crate) fn follow(
        &mut self,
        shown: &[ShownKey],
        following: Following,
        is_leaving: bool,
    ) -> Result<(), Fault> {
        let is_followed = match following {
            Following::Yes => true,
            Following::No => false,
            Following::Unsaid => self.anchors.is_configured,
        };
        if !is_followed {
            let revoked = shown.iter().filter(|key| key.is_revoked).map(|key| key.id.clone());
            self.anchors.gone.extend(revoked);
            self.give_up();
            return Ok(());
        }
        self.anchors.may_end |= is_leaving;
        self.note_revoked(shown)?;
        self.note_gone(shown)?;
        self.note_shown(shown)?;
        self.configure();
        self.check_anchors()
    }

    /// The operator says who follows the zone and what becomes of it: with an edit, whether or not
    /// a version can be published then.
    pub(crate) fn hear_operator(&mut self, following: Following, is_leaving: bool) {
        match following {
            Following::No => self.give_up(),
            Following::Yes | Following::Unsaid => self.anchors.may_end |= is_leaving,
        }
    }

    /// Nobody follows the zone any more; what was revoked stays so.
    fn give_up(&mut self) {
        let Anchors { learnt, revocations, .. } = self.anchors;
        let gone = std::mem::take(&mut self.anchors.gone);
        self.anchors = Anchors { learnt, revocations, gone, ..Anchors::default() };
    }

    /// The largest TTL of a DNSKEY RRset that some cache has. "There is none" is no such RRset:
    /// whoever has heard that has nothing to look at again (§2.3 goes by the RRset's TTL).
    fn keyset_ttl_max(&self) -> u64 {
        let live = self.keysets.live(self.now).filter(|it| !it.content.keys.is_empty());
        live.map(|version| version.ttl).max().unwrap_or(0)
    }

    /// From when on no cache has a set without this key.
    fn everywhere(&self, number: usize) -> u64 {
        let live = self.keysets.live(self.now).filter(|it| !it.content.keys.has(number));
        live.map(|version| version.gone.unwrap_or(u64::MAX)).max().unwrap_or(self.now)
    }

    /// From when on no cache has a DNSKEY RRset without this revoked key. Whoever has in his cache
    /// that there is none has not seen the key before, or long ago, and does not trust it.
    fn heard_everywhere(&self, number: usize) -> u64 {
        let live = self.keysets.live(self.now).filter(|it| !it.content.keys.is_empty());
        let without = live.filter(|it| !it.content.keys.has(number));
        without.map(|version| version.gone.unwrap_or(u64::MAX)).max().unwrap_or(self.now)
    }

    fn note_revoked(&mut self, shown: &[ShownKey]) -> Result<(), Fault> {
        let now = self.now;
        let ttl = self.keyset_ttl_max();
        for key in shown.iter().filter(|key| key.is_revoked && key.is_published) {
            // Nobody cares for one that was revoked before anybody followed the zone.
            if !self.anchors.gone.contains(&key.id) {
                let number = self.keys.number(&key.id, true, key.algorithm);
                let seen = self.heard_everywhere(number).saturating_add(between_looks(ttl));
                self.anchors.revoked.insert(key.id.clone(), seen.saturating_add(HOLD_DOWN));
                self.anchors.gone.insert(key.id.clone());
                self.anchors.watched.remove(&key.id);
                self.anchors.revocations += 1;
            }
        }
        let is_shown = |id: &KeyId| {
            shown.iter().any(|key| key.id == *id && key.is_revoked && key.is_published)
        };
        let left = self.anchors.revoked.iter().filter(|(id, _)| !is_shown(id));
        for (id, until) in left {
            if now < *until {
                let needed = until - now;
                return Err(Fault::RevokedTooShort { at: now, key: id.to_string(), needed });
            }
        }
        let anchors = &mut self.anchors;
        anchors.revoked.retain(|id, _| is_shown(id));
        let is_over = |id: &KeyId| anchors.gone.contains(id) && !anchors.revoked.contains_key(id);
        let over: Vec<KeyId> = anchors.trusted.iter().filter(|id| is_over(id)).cloned().collect();
        anchors.trusted.retain(|id| !over.contains(id));
        Ok(())
    }

    /// Keys that left the set as they were: nobody may have trusted them.
    fn note_gone(&mut self, shown: &[ShownKey]) -> Result<(), Fault> {
        let now = self.now;
        let is_shown = |id: &KeyId| {
            shown.iter().any(|key| key.id == *id && !key.is_revoked && key.is_published)
        };
        let anchors = &mut self.anchors;
        let left = anchors.watched.iter().find(|(id, watch)| {
            let is_learnt = anchors.is_configured && watch.is_old(now);
            let is_trusted = anchors.trusted.contains(*id) || watch.is_chained || is_learnt;
            !is_shown(id) && is_trusted
        });
        if let Some((id, _)) = left {
            return Err(Fault::Unrevoked { at: now, key: id.to_string() });
        }
        anchors.watched.retain(|id, _| is_shown(id));
        Ok(())
    }

    fn note_shown(&mut self, shown: &[ShownKey]) -> Result<(), Fault> {
        let now = self.now;
        let ttl = self.keyset_ttl_max();
        let keys = shown.iter().filter(|key| key.role.signs_keyset() && !key.is_revoked);
        for key in keys.filter(|key| key.is_published) {
            if self.anchors.gone.contains(&key.id) {
                return Err(Fault::Unrevoked { at: now, key: key.id.to_string() });
            }
            let number = self.keys.number(&key.id, false, key.algorithm);
            let everywhere = self.everywhere(number);
            let fresh = Watch { first_shown: now, everywhere, ttl_max: ttl, is_chained: false };
            let watch = self.anchors.watched.entry(key.id.clone()).or_insert(fresh);
            watch.ttl_max = watch.ttl_max.max(ttl);
            let is_delegated = self.ds.at(now).all(|ds| ds.has(number));
            // Whoever begins by hand has seen it for a while.
            watch.is_chained |= is_delegated && watch.everywhere + 2 * DAY <= now;
        }
        let anchors = &mut self.anchors;
        let known = anchors.trusted.len();
        let is_accepted = |watch: &Watch| watch.trusted_at() <= now;
        let accepted = anchors.watched.iter().filter(|(_, watch)| is_accepted(watch));
        let accepted: Vec<KeyId> = accepted.map(|(id, _)| id.clone()).collect();
        if anchors.is_configured {
            anchors.trusted.extend(accepted);
            anchors.learnt += (anchors.trusted.len() - known) as u64;
        }
        Ok(())
    }

    /// Somebody begins to follow the zone: he trusts all KSKs that everybody sees signing.
    fn configure(&mut self) {
        let has_chain = self.ds.at(self.now).all(|ds| !ds.is_empty());
        if self.anchors.is_configured || !has_chain {
            return;
        }
        let all = self
            .keysets
            .at(self.now)
            .fold(KeySet(u128::MAX), |all, set| all.and(set.keys).and(set.signers));
        let is_seen = |id: &KeyId| self.keys.find(id, false).is_some_and(|it| all.has(it));
        let seen: Vec<KeyId> =
            self.anchors.watched.keys().filter(|id| is_seen(id)).cloned().collect();
        self.anchors.is_configured = !seen.is_empty();
        self.anchors.may_end = false;
        self.anchors.trusted.extend(seen);
    }

    /// The validator that has heard of every revocation, and the one that has heard of those in
    /// the set it looks at.
    fn check_anchors(&mut self) -> Result<(), Fault> {
        if !self.anchors.is_configured {
            return Ok(());
        }
        let sets: Vec<Keyset> = self.keysets.at(self.now).copied().collect();
        let trusted = &self.anchors.trusted;
        let number = |id: &KeyId, is_revoked| self.keys.find(id, is_revoked);
        for set in &sets {
            let has =
                |id: &KeyId, is_revoked| number(id, is_revoked).is_some_and(|it| set.keys.has(it));
            let fast = trusted.iter().filter(|id| !self.anchors.gone.contains(*id));
            let slow = trusted.iter().filter(|id| !has(id, true));
            for anchors in [fast.collect::<Vec<_>>(), slow.collect()] {
                if anchors.is_empty() && self.anchors.may_end {
                    continue;
                }
                let numbers = anchors.iter().filter_map(|id| number(id, false));
                let numbers = KeySet::of(&numbers.collect::<Vec<_>>());
                let is_signed = !numbers.and(set.keys).and(set.signers).is_empty();
                if !is_signed || !self.is_data_signed(set) {
                    return Err(Fault::Anchors {
                        at: self.now,
                        anchors: format!("{anchors:?}"),
                        keys: self.keys.text(set.keys),
                        signers: self.keys.text(set.signers),
                    });
                }
            }
        }
        let all_gone = trusted.iter().all(|id| self.anchors.gone.contains(id));
        let is_heard = self.anchors.revoked.values().all(|at| *at <= self.now);
        if all_gone && is_heard {
            // Everybody has heard that all are revoked: the zone is no trust point (§5).
            self.anchors.is_configured = false;
            self.anchors.trusted.clear();
        }
        Ok(())
    }

    /// Whether in each class every RRset has a signature by a key of the set, of one algorithm at
    /// least (RFC 6840 §5.11).
    fn is_data_signed(&self, set: &Keyset) -> bool {
        CLASSES.into_iter().all(|class| {
            (0..ALGORITHMS.len()).any(|index| {
                let line =
                    self.lines.iter().find(|line| line.class == class && line.algorithm == index);
                let versions = line.into_iter().flat_map(|line| line.versions.at(self.now));
                let own = set.keys.and(self.keys.of_algorithm(index));
                !own.is_empty() && versions.into_iter().all(|it| !it.and(own).is_empty())
            })
        })
    }
}
