//! Which key takes over from which (catalogue 4.2, "markSuccessors"). In: a transition that
//! happens. Out: the zone's successions. Never: whether it may happen.

use super::approval::View;
use super::state::{RecordKind, RecordState, Succession, ZoneLife};
use RecordKind::{Dnskey, Ds, Rrsig, RrsigDnskey};
use RecordState::{Hidden, Omnipresent, Unretentive};

/// Records who takes over when a record of `key` leaves, and forgets what is done when one is
/// there.
pub(super) fn mark(life: &mut ZoneLife, key: usize, kind: RecordKind, state: RecordState) {
    let id = life.keys[key].id.clone();
    if state == Omnipresent {
        life.successions.retain(|one| one.to != id || one.kind != kind);
    }
    if state != Unretentive || !can_be_succeeded(life, key, kind) {
        return;
    }
    let view = View::of(life);
    let heirs = (0..life.keys.len()).filter(|to| view.may_succeed(*to, key, kind));
    let pair = |to: usize| Succession { from: id.clone(), to: life.keys[to].id.clone(), kind };
    let pairs: Vec<Succession> = heirs.map(pair).collect();
    for pair in pairs {
        if !life.successions.contains(&pair) {
            life.successions.push(pair);
        }
    }
}

fn can_be_succeeded(life: &ZoneLife, key: usize, kind: RecordKind) -> bool {
    let key = &life.keys[key];
    match kind {
        Ds | Rrsig => key.dnskey.state == Omnipresent,
        Dnskey => key.state(Ds) == Some(Omnipresent) || key.state(Rrsig) == Some(Omnipresent),
        RrsigDnskey => false,
    }
}

/// Whether a key is out of the world for good.
pub(super) fn is_dead(key: &super::state::KeyLife) -> bool {
    let is_hidden = |kind| matches!(key.state(kind), None | Some(Hidden));
    !key.introducing && RecordKind::ALL.into_iter().all(is_hidden)
}

/// Forgets what dead keys handed over, and what concerns keys that are not the zone's any more.
/// 2.1 does so only for policies with `<Purge>`, and without it rolls that overlap can stop.
pub(super) fn forget_dead(life: &mut ZoneLife) {
    let keys = &life.keys;
    let is_alive = |id: &crate::key::KeyId| keys.iter().any(|key| key.id == *id && !is_dead(key));
    let is_known = |id: &crate::key::KeyId| keys.iter().any(|key| key.id == *id);
    life.successions.retain(|one| is_alive(&one.from) && is_known(&one.to));
}
