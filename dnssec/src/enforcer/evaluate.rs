//! One look at a zone's keys: what moves now, what is to be done, when to look again
//! (catalogue 4.2, `update()`). In: life, scene. Out: [`Evaluation`]. A second call at the same
//! moment changes nothing and lets nothing happen.

use super::deadlock;
use super::judgement::{judge, next_state};
use super::policy_pass::{Progress, RETRY, policy_pass, wanted_keys};
use super::scene::{Action, DsShown, Evaluation, Gate, Obstacle, Scene};
use super::state::{DsAtParent, KeyLife, RecordKind, RecordLife, RecordState, Terms, ZoneLife};
use super::timing::{remember_terms, sighting};
use super::{removal, revocation, successions};
use crate::key::KeyRole;
use crate::{Seconds, Timestamp};
use RecordState::{Hidden, Omnipresent, Rumoured, Unretentive};

/// The order in which a key's records are tried, as in 2.1: it matters where one move excludes
/// another.
const ORDER: [RecordKind; 4] =
    [RecordKind::Ds, RecordKind::Rrsig, RecordKind::Dnskey, RecordKind::RrsigDnskey];

/// Rounds of one evaluation. One is enough for most, and what is still possible after the last is
/// left for the next evaluation, soon after: a goal is given up only once, so each record moves a
/// few steps, and each round has to move one, to take a key, or to forget something.
const ROUNDS_MAX: usize = 64;

/// Passes over the records in one round; what is still possible then is left for the next round.
const PASSES_MAX: usize = 64;

/// Brings a zone's keys as far as policy, DNSSEC and time allow at `scene.now`: what one round
/// changes may let others happen, so rounds go on until one changes nothing.
pub fn evaluate(life: &ZoneLife, scene: &Scene<'_>) -> Evaluation {
    let mut progress = Progress { life: life.clone(), actions: Vec::new(), next: None };
    let mut obstacles = Vec::new();
    let mut happened = Vec::new();
    for round in 1..=ROUNDS_MAX {
        let before = progress.life.clone();
        obstacles = look(&mut progress, scene);
        let is_settled = progress.life == before;
        if is_settled || round == ROUNDS_MAX {
            if !is_settled {
                progress.look_again(scene.now.plus(RETRY));
            }
            break;
        }
        // What goes on to be so is said again by the next round.
        happened.extend(progress.actions.drain(..).filter(Action::is_event));
        progress.next = None;
    }
    let next_purge = removal::next_purge(&progress.life, scene);
    let Progress { life, actions, next } = progress;
    happened.extend(actions);
    Evaluation { life, actions: happened, obstacles, next, next_purge }
}

/// One round. Answers what is in the way of the records that are on theirs.
fn look(progress: &mut Progress, scene: &Scene<'_>) -> Vec<Obstacle> {
    remember_terms(&mut progress.life, scene);
    announce_rolls(progress, scene);
    policy_pass(progress, scene);
    revocation::remember_anchors(&mut progress.life, scene.policy);
    removal::purge(progress, scene);
    successions::forget_dead(&mut progress.life);
    hear_parent(progress, scene);
    for _ in 0..PASSES_MAX {
        if !move_records(progress, scene) && !resolve_deadlock(progress, scene) {
            break;
        }
    }
    // What was just published may be followed from now on.
    revocation::remember_anchors(&mut progress.life, scene.policy);
    speak_to_parent(progress, scene);
    let obstacles = explain(progress, scene);
    let next_purge = removal::next_purge(&progress.life, scene);
    for moment in [next_purge, next_announcement(&progress.life, scene)].into_iter().flatten() {
        progress.look_again(moment);
    }
    obstacles
}

/// Says that a roll by the clock is near (`<RolloverNotification>`): of KSKs, or else of CSKs.
fn announce_rolls(progress: &mut Progress, scene: &Scene<'_>) {
    let ahead = scene.rollover_notification;
    let next = &progress.life.next_roll;
    let ksk = next.ksk.map(|at| (KeyRole::Ksk, at));
    let first = ksk.or_else(|| next.csk.map(|at| (KeyRole::Csk, at)));
    if let Some((role, at)) = first
        && ahead.0 != 0
        && at > scene.now
        && at.minus(ahead) <= scene.now
    {
        progress.actions.push(Action::RollImpending { role, at });
    }
}

/// When the next roll is to be announced; without `<RolloverNotification>`, when it is.
fn next_announcement(life: &ZoneLife, scene: &Scene<'_>) -> Option<Timestamp> {
    let announced = |at: Timestamp| at.minus(scene.rollover_notification);
    let is_ahead = |at: &Timestamp| *at > scene.now;
    let of = |roll: Option<Timestamp>| roll.map(announced).filter(is_ahead);
    of(life.next_roll.ksk).or_else(|| of(life.next_roll.csk))
}

/// Takes what the parent's servers show for `ds-seen` and `ds-gone`. A DS that nobody has asked
/// back is not gone because it is not there: it may have been handed over and be on its way.
fn hear_parent(progress: &mut Progress, scene: &Scene<'_>) {
    for key in 0..progress.life.keys.len() {
        let Some(sighting) = sighting(scene, &progress.life, key) else { continue };
        let asked_back = asked_back_at(&progress.life, key, scene);
        let this = &mut progress.life.keys[key];
        let Some(ds) = &mut this.ds else { continue };
        let id = this.id.clone();
        let is_there = matches!(this.ds_at_parent, DsAtParent::Submit | DsAtParent::Submitted);
        let (at_parent, action) = match (sighting.shown, asked_back) {
            (DsShown::Everywhere, _) if is_there => (DsAtParent::Seen, Action::DsSeen { id }),
            (DsShown::Nowhere, Some(at)) if at <= scene.now => {
                (DsAtParent::Unsubmitted, Action::DsGone { id })
            }
            (DsShown::Nowhere, Some(at)) => {
                progress.look_again(at);
                continue;
            }
            _ => continue,
        };
        this.ds_at_parent = at_parent;
        this.ds_was_seen = at_parent == DsAtParent::Seen;
        ds.since = ds.since.max(sighting.since);
        progress.actions.push(action);
    }
}

/// From when on a leaving DS that is nowhere is gone; `None`: it was not asked back. Where CDS
/// says that it is to go, a parent may have read the CDS before the change was published, or read
/// it from a server that has not heard yet, and act on it for a while.
fn asked_back_at(life: &ZoneLife, key: usize, scene: &Scene<'_>) -> Option<Timestamp> {
    let key = &life.keys[key];
    let ds = key.ds?;
    let terms = life.terms.into_iter().chain(life.old_terms.iter().map(|old| old.terms));
    let delay = |terms: Terms| terms.zone_delay.0.saturating_add(terms.parent_delay.0);
    let delay = Seconds(terms.map(delay).max().unwrap_or_default());
    match key.ds_at_parent {
        DsAtParent::Retracted => Some(ds.since),
        DsAtParent::Retract if scene.publishes_cds => {
            let said = if scene.waits_for_publication { ds.confirmed? } else { ds.since };
            Some(said.max(ds.since).plus(delay))
        }
        _ => None,
    }
}

/// Moves each record at most one step. Whether one moved: then others may be able to.
fn move_records(progress: &mut Progress, scene: &Scene<'_>) -> bool {
    let before = &progress.life.successions.clone();
    let mut has_moved = false;
    for key in 0..progress.life.keys.len() {
        for kind in ORDER {
            let Some(wants) = next_state(&progress.life, key, kind) else { continue };
            let judgement = judge(&progress.life, before, key, kind, wants, scene);
            if judgement.allows() {
                move_record(progress, key, kind, wants, scene);
                has_moved = true;
            } else if judgement.is_to_be_revoked() && progress.life.keys[key].revoked.is_none() {
                let this = &mut progress.life.keys[key];
                revocation::revoke(this, scene.now);
                progress.actions.push(Action::Revoke { id: this.id.clone() });
                has_moved = true;
            }
        }
    }
    has_moved
}

/// Moves one record of a deadlock, if there is one. Whether it did.
fn resolve_deadlock(progress: &mut Progress, scene: &Scene<'_>) -> bool {
    let ripe = deadlock::ripe(&progress.life, scene);
    let Some(ripe) = ripe.into_iter().find(|ripe| ripe.judgement.allows()) else { return false };
    move_record(progress, ripe.key, ripe.kind, Omnipresent, scene);
    true
}

fn move_record(
    progress: &mut Progress,
    key: usize,
    kind: RecordKind,
    wants: RecordState,
    scene: &Scene<'_>,
) {
    let this = &mut progress.life.keys[key];
    let id = this.id.clone();
    let from = this.state(kind).unwrap_or_default();
    if let Some(record) = this.record_mut(kind) {
        *record = RecordLife { state: wants, since: scene.now, confirmed: None };
    }
    progress.actions.push(Action::Moved { id: id.clone(), kind, from, to: wants });
    if kind == RecordKind::Ds {
        this.ds_at_parent = tell_parent(this.ds_at_parent, wants, scene);
    }
    successions::mark(&mut progress.life, key, kind, wants);
}

/// What the parent is to be told when a DS moves (catalogue 4.3).
fn tell_parent(before: DsAtParent, wants: RecordState, scene: &Scene<'_>) -> DsAtParent {
    match (wants, before) {
        (Rumoured, DsAtParent::Unsubmitted | DsAtParent::Retracted) => DsAtParent::Submit,
        (Rumoured, DsAtParent::Retract) => DsAtParent::Submitted,
        // Never submitted; but a parent may have followed the CDS already (RFC 7344).
        (Unretentive, DsAtParent::Submit) if !scene.publishes_cds => DsAtParent::Unsubmitted,
        (Unretentive, DsAtParent::Submit | DsAtParent::Submitted | DsAtParent::Seen) => {
            DsAtParent::Retract
        }
        (Rumoured | Unretentive | Omnipresent | Hidden, before) => before,
    }
}

/// Says which DSs are to be handed over and taken back. None is taken back before the parent is
/// known to have another one, or else a parent that is quick with one and slow with the other
/// would leave the zone without any; unless it is to become unsigned.
fn speak_to_parent(progress: &mut Progress, scene: &Scene<'_>) {
    let keys = &progress.life.keys;
    let is_known = |key: &KeyLife| {
        let state = key.state(RecordKind::Ds);
        let is_seen = key.ds_at_parent == DsAtParent::Seen;
        state == Some(Omnipresent) || state == Some(Rumoured) && is_seen
    };
    let may_retract = wanted_keys(scene.policy).is_empty() || keys.iter().any(is_known);
    for key in keys {
        let id = key.id.clone();
        match key.ds_at_parent {
            DsAtParent::Submit => progress.actions.push(Action::SubmitDs { id }),
            DsAtParent::Retract if may_retract => progress.actions.push(Action::RetractDs { id }),
            _ => {}
        }
    }
}

/// Why the records that are on their way do not move, and when the next of them can.
fn explain(progress: &mut Progress, scene: &Scene<'_>) -> Vec<Obstacle> {
    let before = &progress.life.successions.clone();
    let timed = [Gate::Time, Gate::AddHoldDown, Gate::RemoveHoldDown];
    for ripe in deadlock::ripe(&progress.life, scene) {
        if let Some(at) = ripe.judgement.waits_until(&timed) {
            progress.look_again(at);
        }
    }
    let mut obstacles = Vec::new();
    for key in 0..progress.life.keys.len() {
        for kind in RecordKind::ALL {
            let Some(wants) = next_state(&progress.life, key, kind) else { continue };
            let judgement = judge(&progress.life, before, key, kind, wants, scene);
            let id = progress.life.keys[key].id.clone();
            if let Some(at) = judgement.waits_until(&timed) {
                progress.look_again(at);
            } else if judgement.waits_only_for_backup() {
                progress.look_again(scene.now.plus(RETRY));
                progress.actions.push(Action::BackupMissing { id: id.clone() });
            }
            obstacles.push(Obstacle { id, kind, wants, conditions: judgement.conditions });
        }
    }
    obstacles
}
