//! Repositories that get full (`<Capacity>`): all keys that plans want there, over all zones and
//! by time, against the places that are free. In: plans, free places. Out: entries in the plans.
//! Keys made ahead (`<AutomaticKeyGenerationPeriod>`) change nothing of it: they take the same
//! places, only earlier. Never: other repositories' room; keys of zones that are not planned.

use super::ZonePlan;
use super::calendar::{Actor, Entry, What};
use super::names::find;
use crate::enforcer::history::KeyEvent;
use crate::key::KeyId;
use crate::{Seconds, Timestamp};
use std::collections::BTreeMap;

/// Says in the plans where no key goes in any more. `free`: places by repository, those without a
/// limit left out; a key that leaves its zone gives its place back `trash` later.
pub fn fill_repositories(plans: &mut [ZonePlan], free: &BTreeMap<String, u64>, trash: Seconds) {
    let uses = plans.iter().enumerate().flat_map(|(zone, plan)| uses(zone, plan, trash));
    let mut changes: Vec<Use> = uses.collect();
    // At one moment keys leave before others come.
    changes.sort_by_key(|change| (change.at, change.is_taken));
    let mut free = free.clone();
    for change in changes {
        let Some(places) = free.get_mut(&change.repository) else { continue };
        match (change.is_taken, *places) {
            (false, _) => *places = places.saturating_add(1),
            // Somebody makes room for this one.
            (true, 0) => say(&mut plans[change.zone].plan.entries, change),
            (true, _) => *places -= 1,
        }
    }
}

/// A place that is taken or given back.
struct Use {
    at: Timestamp,
    is_taken: bool,
    zone: usize,
    repository: String,
    key: KeyId,
}

fn uses(zone: usize, plan: &ZonePlan, trash: Seconds) -> Vec<Use> {
    let plan = &plan.plan;
    let mut held: BTreeMap<&KeyId, &str> =
        plan.names.iter().map(|name| (&name.id, name.repository.as_str())).collect();
    let mut uses = Vec::new();
    for (at, events) in &plan.moments {
        for (key, event) in events {
            let Some(repository) = held.get(key).map(|name| (*name).to_owned()) else { continue };
            // Keys that are there have their places already.
            let is_made = find(&plan.names, key).is_some_and(|name| name.tag.is_none());
            let (at, is_taken) = match event {
                KeyEvent::Taken { .. } if is_made => (*at, true),
                KeyEvent::Gone => (at.plus(trash), false),
                _ => continue,
            };
            if !is_taken {
                held.remove(key);
            }
            uses.push(Use { at, is_taken, zone, repository, key: key.clone() });
        }
    }
    uses
}

/// Puts it in front of what happens at that moment.
fn say(entries: &mut Vec<Entry>, full: Use) {
    let place = entries.partition_point(|entry| entry.at < full.at);
    let what = What::NoRoom(full.repository);
    entries.insert(place, Entry { at: full.at, actor: Actor::You, key: Some(full.key), what });
}
