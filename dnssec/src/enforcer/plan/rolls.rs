//! The rolls in a plan: when each begins, when its DS is handed over, when the last trace of the
//! leaving key is gone. In: a plan and the life that it began with. Out: rolls by time.
//! What is under way when the plan begins counts as a roll that begins there.

use super::Plan;
use crate::Timestamp;
use crate::enforcer::history::KeyEvent;
use crate::enforcer::{DsAtParent, KeyLife, RecordKind, RecordState, ZoneLife};
use crate::key::{KeyId, KeyRole};
use std::collections::BTreeSet;

/// The roll of a role's keys, or the coming of its first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roll {
    /// Of which role.
    pub role: KeyRole,
    /// When a key comes, or one leaves and none comes.
    pub begins: Timestamp,
    /// Whether it had begun when the plan did.
    pub is_under_way: bool,
    /// When a DS is handed to the parent.
    pub ds: Option<Timestamp>,
    /// When the records of the coming keys are everywhere and those of the leaving ones nowhere;
    /// `None`: not within the plan.
    pub ends: Option<Timestamp>,
}

/// A roll with what is still to come to its place.
struct Rolling {
    roll: Roll,
    leaving: BTreeSet<KeyId>,
    open: BTreeSet<(KeyId, RecordKind)>,
}

/// The rolls of a plan, by the time when they begin.
pub fn rolls(life: &ZoneLife, plan: &Plan) -> Vec<Roll> {
    let mut rolling: Vec<Rolling> = Vec::new();
    for key in &life.keys {
        let kinds = moving(key);
        if !kinds.is_empty() {
            let one = find(&mut rolling, key.role, plan.from);
            one.roll.is_under_way = true;
            one.add(&key.id, kinds, !key.introducing);
        }
    }
    for (at, events) in &plan.moments {
        for (id, event) in events {
            let Some(name) = plan.names.iter().find(|name| name.id == *id) else { continue };
            match event {
                KeyEvent::Taken { .. } => {
                    let one = find(&mut rolling, name.role, *at);
                    one.roll.is_under_way = false;
                    one.add(id, kinds(name.role), false);
                }
                KeyEvent::Goal { introducing: false } => {
                    // What it had still to come to is of no interest any more.
                    rolling.iter_mut().for_each(|one| one.open.retain(|(key, _)| key != id));
                    let one = find(&mut rolling, name.role, *at);
                    one.roll.is_under_way = false;
                    one.add(id, kinds(name.role), true);
                }
                event => rolling.iter_mut().for_each(|one| one.follow(*at, id, event)),
            }
        }
        for one in rolling.iter_mut().filter(|one| one.open.is_empty()) {
            one.roll.ends = one.roll.ends.or(Some(*at));
        }
    }
    rolling.into_iter().map(|one| one.roll).collect()
}

/// The records of a key that are on their way.
fn moving(key: &KeyLife) -> Vec<RecordKind> {
    let is_moving = |kind: &RecordKind| {
        key.state(*kind).is_some_and(|state| !is_there(!key.introducing, state))
    };
    RecordKind::ALL.into_iter().filter(is_moving).collect()
}

fn kinds(role: KeyRole) -> Vec<RecordKind> {
    RecordKind::ALL.into_iter().filter(|kind| kind.applies_to(role)).collect()
}

fn is_there(is_leaving: bool, state: RecordState) -> bool {
    state == if is_leaving { RecordState::Hidden } else { RecordState::Omnipresent }
}

/// The roll of a role that begins at a moment.
fn find(rolling: &mut Vec<Rolling>, role: KeyRole, begins: Timestamp) -> &mut Rolling {
    let is_it = |one: &Rolling| (one.roll.role, one.roll.begins) == (role, begins);
    let place = rolling.iter().position(is_it).unwrap_or_else(|| {
        let roll = Roll { role, begins, is_under_way: false, ds: None, ends: None };
        rolling.push(Rolling { roll, leaving: BTreeSet::new(), open: BTreeSet::new() });
        rolling.len() - 1
    });
    &mut rolling[place]
}

impl Rolling {
    fn add(&mut self, id: &KeyId, kinds: Vec<RecordKind>, is_leaving: bool) {
        self.open.extend(kinds.into_iter().map(|kind| (id.clone(), kind)));
        if is_leaving {
            self.leaving.insert(id.clone());
        }
    }

    fn follow(&mut self, at: Timestamp, id: &KeyId, event: &KeyEvent) {
        if !self.open.iter().any(|(key, _)| key == id) {
            return;
        }
        match event {
            KeyEvent::Record { kind, to, .. } if is_there(self.leaving.contains(id), *to) => {
                self.open.remove(&(id.clone(), *kind));
            }
            KeyEvent::DsAtParent { to: DsAtParent::Submitted, .. } => {
                self.roll.ds = self.roll.ds.or(Some(at));
            }
            KeyEvent::Gone => self.open.retain(|(key, _)| key != id),
            _ => {}
        }
    }
}
