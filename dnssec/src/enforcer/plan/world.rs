//! The world that a plan assumes: keys are made when they are wanted, each decision is published
//! at once, operators do at once what is theirs, the parent takes a stated delay.
//! In: what the core asked for. Out: what it sees next. Never: decisions of the core's.

use super::calendar::Note;
use super::forward::Run;
use crate::enforcer::{
    Action, Backup, DsAtParent, DsShown, DsSighting, KeyLife, PublishedKeys, RecordKind, SupplyKey,
    ZoneLife, ds_gone, ds_retract, ds_seen, ds_submit, published, roll_now,
};
use crate::first_keys::wanted_bits;
use crate::key::{KeyId, KeyRole};
use crate::{KeyTag, Seconds, Timestamp};

/// How long the keys last that somebody makes by hand (`key generate --duration`).
const MADE_BY_HAND_LAST: Seconds = Seconds(365 * 86_400);

impl Run<'_> {
    /// Whether a key of the supply is made up by the plan.
    pub(super) fn is_planned(&self, id: &KeyId) -> bool {
        !self.assumptions.scene.supply.iter().any(|key| key.id == *id)
    }

    /// Makes up the keys that the policy may want next, behind those that are there.
    pub(super) fn stock_up(&mut self) {
        let (life, given) = (&self.life, self.assumptions.scene.supply);
        self.supply.retain(|key| !life.keys.iter().any(|ours| ours.id == key.id));
        for wanted in &self.assumptions.scene.policy.keys.keys {
            let fits = |key: &&SupplyKey| {
                (key.role, key.algorithm, key.bits)
                    == (wanted.role, wanted.algorithm, wanted_bits(wanted))
                    && key.repository == wanted.repository
            };
            let is_made_up = |key: &&SupplyKey| !given.iter().any(|given| given.id == key.id);
            let needed = wanted.standby.min(8) as usize + 1;
            // A key that is there may have a tag that is taken; one that is made up has not.
            for _ in self.supply.iter().filter(fits).filter(is_made_up).count()..needed {
                self.made += 1;
                let bytes = [b"planned".as_slice(), &self.made.to_be_bytes()].concat();
                let Some(id) = KeyId::new(&bytes) else { continue };
                let needs_backup = self.assumptions.backed_up.contains(&wanted.repository);
                self.supply.push(SupplyKey {
                    id,
                    repository: wanted.repository.clone(),
                    role: wanted.role,
                    algorithm: wanted.algorithm,
                    bits: wanted_bits(wanted),
                    key_tag: free_tag(&self.life, &self.supply, self.made),
                    backup: if needs_backup { Backup::Missing } else { Backup::NotRequired },
                });
            }
        }
    }

    /// Does what the core asks of others.
    pub(super) fn heed(&mut self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::SubmitDs { id } => self.say(|life, now| ds_submit(life, id, now)),
                Action::RetractDs { id } => self.say(|life, now| ds_retract(life, id, now)),
                Action::BackupMissing { id } => self.back_up(id),
                Action::ManualRollDue { role, .. } if !self.life.roll_now.get(*role) => {
                    self.life = roll_now(&self.life, *role);
                    self.note(Note::RollByHand { role: *role });
                }
                Action::RollImpending { role, at } => {
                    self.note(Note::RollSoon { role: *role, at: *at });
                }
                Action::NoKeysConfigured => self.note(Note::GoesUnsigned),
                Action::TakeKey { id, policy_key, .. } if self.is_planned(id) => {
                    let wanted = self.assumptions.scene.policy.keys.keys.get(*policy_key);
                    if let Some(role) = wanted.map(|wanted| wanted.role) {
                        self.make_by_hand(role);
                    }
                }
                _ => {}
            }
        }
    }

    fn say<E>(&mut self, change: impl FnOnce(&ZoneLife, Timestamp) -> Result<ZoneLife, E>) {
        // What does not apply any more changes nothing.
        if let Ok(life) = change(&self.life, self.now) {
            self.life = life;
        }
    }

    fn back_up(&mut self, id: &KeyId) {
        for key in self.life.keys.iter_mut().filter(|key| key.id == *id) {
            key.backup = Backup::Done;
        }
    }

    /// Has somebody make keys for a year, unless that was done within the last one.
    fn make_by_hand(&mut self, role: KeyRole) {
        let lasts = |(at, note): &(Timestamp, Note)| {
            *note == Note::KeysByHand { role } && at.plus(MADE_BY_HAND_LAST) > self.now
        };
        if self.assumptions.keys_by_hand && !self.notes.iter().any(lasts) {
            self.notes.push((self.now, Note::KeysByHand { role }));
        }
    }

    /// Notes what the core says again at each look, once.
    fn note(&mut self, note: Note) {
        let is_same = |said: &(Timestamp, Note)| {
            let may_come_again = matches!(note, Note::RollByHand { .. });
            said.1 == note && (said.0 == self.now || !may_come_again)
        };
        if !self.notes.iter().any(is_same) {
            self.notes.push((self.now, note));
        }
    }

    /// Publishes what was decided: a whole version that shows each record's present state.
    pub(super) fn publish(&mut self) {
        if !self.assumptions.scene.waits_for_publication {
            return;
        }
        let shown = |kind: RecordKind| -> Vec<KeyId> {
            let is_shown = |key: &&KeyLife| key.state(kind).is_some_and(|state| state.is_served());
            self.life.keys.iter().filter(is_shown).map(|key| key.id.clone()).collect()
        };
        let signers = shown(RecordKind::Rrsig);
        let asks_for = self
            .life
            .keys
            .iter()
            .filter(|key| key.state(RecordKind::Ds).is_some_and(|state| state.is_served()));
        let revoked = self.life.keys.iter().filter(|key| key.revoked.is_some());
        let report = PublishedKeys {
            at: self.now,
            dnskeys: shown(RecordKind::Dnskey),
            keyset_signers: shown(RecordKind::RrsigDnskey),
            revoked: revoked.map(|key| key.id.clone()).collect(),
            named_to_parent: asks_for.map(|key| key.id.clone()).collect(),
            zone_signers_some: signers.clone(),
            zone_signers_all: signers,
        };
        self.life = published(&self.life, &report);
    }

    /// When the parent has done what it was told about a key; `None`: it was told nothing.
    fn parent_acts(&self, key: &KeyLife) -> Option<Timestamp> {
        let scene = &self.assumptions.scene;
        let is_told = match key.ds_at_parent {
            DsAtParent::Submitted | DsAtParent::Retracted => true,
            // A parent that follows CDS waits for no word (RFC 7344 §4.1).
            DsAtParent::Retract => scene.publishes_cds && scene.parent.is_some(),
            _ => false,
        };
        let since = key.ds.filter(|_| is_told)?.since;
        Some(since.plus(self.assumptions.parent_delay))
    }

    /// When the parent has done what it was told, for the next key.
    pub(super) fn parent_due(&self) -> Option<Timestamp> {
        let due = self.life.keys.iter().filter_map(|key| self.parent_acts(key));
        due.map(|at| at.max(self.now)).min()
    }

    /// Lets the parent act; where nobody asks its servers, operators say what they see.
    pub(super) fn hear_parent(&mut self) {
        let due: Vec<(KeyId, DsAtParent, Timestamp)> = self
            .life
            .keys
            .iter()
            .filter_map(|key| Some((key.id.clone(), key.ds_at_parent, self.parent_acts(key)?)))
            .filter(|(_, _, at)| *at <= self.now)
            .collect();
        for (id, at_parent, at) in due {
            let comes = at_parent == DsAtParent::Submitted;
            match (self.parent.is_some(), comes) {
                (true, _) => self.show(id, comes, at),
                (false, true) => self.say(|life, now| ds_seen(life, &id, now)),
                (false, false) => self.say(|life, now| ds_gone(life, &id, now)),
            }
        }
    }

    /// Has all of the parent's servers show the DS of a key, or no longer show it.
    fn show(&mut self, id: KeyId, comes: bool, at: Timestamp) {
        let Some(sightings) = &mut self.parent else { return };
        let shown = if comes { DsShown::Everywhere } else { DsShown::Nowhere };
        if sightings.iter().any(|one| one.id == id && one.shown == shown) {
            return;
        }
        sightings.retain(|one| one.id != id);
        let ttl = self.assumptions.scene.policy.parent.ds_ttl;
        sightings.push(DsSighting { id, shown, since: at, ttl });
    }
}

/// A key tag that no other key has or may get with the REVOKE bit (guard W3).
fn free_tag(life: &ZoneLife, supply: &[SupplyKey], number: u32) -> KeyTag {
    let taken: Vec<u16> = life
        .keys
        .iter()
        .map(|key| key.key_tag.0)
        .chain(supply.iter().map(|key| key.key_tag.0))
        .collect();
    let is_free = |tag: &u16| {
        let distance = |other: &u16| tag.wrapping_sub(*other).min(other.wrapping_sub(*tag));
        !taken.iter().any(|other| matches!(distance(other), 0 | 1 | 128 | 129))
    };
    // Spread, as those of real keys are.
    let first = number.wrapping_mul(40_503) as u16;
    let found = (0..u16::MAX).map(|step| first.wrapping_add(step)).find(is_free);
    KeyTag(found.unwrap_or(first))
}
