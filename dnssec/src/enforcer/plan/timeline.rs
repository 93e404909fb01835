//! Where each record of each key was and will be: the history of a zone and its plan as spans.
//! In: life, history, plan. Out: [`Timeline`], which pictures are drawn from.
//! What a history does not tell, because it begins too late, is taken from the life.
//! Limit: 40 keys (`TRACKS_MAX`); the first ones that begin in the window are shown.

use super::calendar::Actor;
use super::names::{KeyName, find};
use super::{Moment, Plan};
use crate::Timestamp;
use crate::enforcer::history::KeyEvent;
use crate::enforcer::{DsAtParent, KeyLife, RecordKind, RecordState, ZoneLife};
use crate::key::{KeyId, KeyRole};

/// Most keys of one picture.
pub(super) const TRACKS_MAX: usize = 40;

/// Something that a person or the parent does about a DS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mark {
    /// It was handed over.
    Submitted,
    /// The parent shows it.
    Seen,
    /// The parent was asked to remove it.
    Retracted,
    /// The parent has removed it.
    Gone,
}

/// A record in one state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The state.
    pub state: RecordState,
    /// Since when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

/// One record's states, by time, without those when it is hidden.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordTrack {
    /// Which record.
    pub kind: RecordKind,
    /// Its states.
    pub spans: Vec<Span>,
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// Its name.
    pub name: KeyName,
    /// Its records.
    pub records: Vec<RecordTrack>,
    /// What is done about its DS, by time.
    pub marks: Vec<(Timestamp, Mark)>,
}

/// The keys of a zone over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// The zone.
    pub zone: String,
    /// Its policy.
    pub policy: String,
    /// Where the picture begins.
    pub from: Timestamp,
    /// The present: what is before has happened, what is after is planned.
    pub now: Timestamp,
    /// Where the picture ends, later than it begins.
    pub until: Timestamp,
    /// The keys that are anywhere in this time: KSKs, CSKs, ZSKs, each by time.
    pub tracks: Vec<Track>,
    /// Keys beyond those that are shown.
    pub left_out: usize,
    /// What operators have to do, by time.
    pub yours: Vec<(Timestamp, String)>,
}

/// What is known of one key so far.
struct Building {
    name: KeyName,
    changes: Vec<(Timestamp, RecordKind, RecordState)>,
    marks: Vec<(Timestamp, Mark)>,
}

/// Puts together what happened since `from` and what is planned.
pub fn timeline(
    (zone, policy): (&str, &str),
    life: &ZoneLife,
    past: &[Moment],
    plan: &Plan,
    from: Timestamp,
) -> Timeline {
    let mut keys: Vec<Building> = Vec::new();
    for (at, events) in past.iter().filter(|(at, _)| *at <= plan.from) {
        events.iter().for_each(|(id, event)| take(&mut keys, *at, id, event, &plan.names));
    }
    for key in &life.keys {
        complete(&mut keys, key);
    }
    for (at, events) in &plan.moments {
        events.iter().for_each(|(id, event)| take(&mut keys, *at, id, event, &plan.names));
    }
    let until = plan.until.max(Timestamp(from.0.saturating_add(60)));
    let window = (from.min(plan.from), until);
    let mut tracks: Vec<Track> = keys.into_iter().filter_map(|key| key.track(window)).collect();
    tracks.sort_by_key(|track| (track.name.role == KeyRole::Zsk, track.name.role, begins(track)));
    let left_out = tracks.len().saturating_sub(TRACKS_MAX);
    tracks.truncate(TRACKS_MAX);
    Timeline {
        zone: zone.to_owned(),
        policy: policy.to_owned(),
        from: window.0,
        now: plan.from,
        until,
        tracks,
        left_out,
        yours: yours(plan),
    }
}

/// What the plan has for operators.
fn yours(plan: &Plan) -> Vec<(Timestamp, String)> {
    let entries = plan.entries.iter().filter(|entry| entry.actor == Actor::You);
    let told = entries.map(|entry| {
        let name = entry.key.as_ref().and_then(|id| find(&plan.names, id));
        let name = name.map_or(String::new(), |name| format!("{}: ", name.text));
        (entry.at, format!("{name}{}", entry.text()))
    });
    told.collect()
}

fn begins(track: &Track) -> Timestamp {
    let spans = track.records.iter().flat_map(|record| &record.spans);
    spans.map(|span| span.from).min().unwrap_or_default()
}

fn take(keys: &mut Vec<Building>, at: Timestamp, id: &KeyId, event: &KeyEvent, names: &[KeyName]) {
    if let KeyEvent::Taken { role, algorithm, key_tag, .. } = event
        && !keys.iter().any(|key| key.name.id == *id)
    {
        let known = || KeyName::tagged(id.clone(), *role, *algorithm, *key_tag);
        let name = find(names, id).cloned().unwrap_or_else(known);
        keys.push(Building { name, changes: Vec::new(), marks: Vec::new() });
    }
    // What happened to a key before its history begins is not told.
    let Some(key) = keys.iter_mut().find(|key| key.name.id == *id) else { return };
    match event {
        KeyEvent::Record { kind, to, .. } => key.changes.push((at, *kind, *to)),
        KeyEvent::DsAtParent { to, .. } => {
            let mark = match to {
                DsAtParent::Submitted => Mark::Submitted,
                DsAtParent::Seen => Mark::Seen,
                DsAtParent::Retracted => Mark::Retracted,
                DsAtParent::Unsubmitted => Mark::Gone,
                DsAtParent::Submit | DsAtParent::Retract => return,
            };
            key.marks.push((at, mark));
        }
        KeyEvent::Gone => {
            let kinds = RecordKind::ALL.into_iter();
            key.changes.extend(kinds.map(|kind| (at, kind, RecordState::Hidden)));
        }
        _ => {}
    }
}

/// Adds what a key's history does not tell.
fn complete(keys: &mut Vec<Building>, life: &KeyLife) {
    if !keys.iter().any(|key| key.name.id == life.id) {
        let name = KeyName::known(life);
        keys.push(Building { name, changes: Vec::new(), marks: Vec::new() });
    }
    let Some(key) = keys.iter_mut().find(|key| key.name.id == life.id) else { return };
    for kind in RecordKind::ALL {
        let Some(record) = life.record(kind) else { continue };
        let last = key.changes.iter().rev().find(|(_, other, _)| *other == kind);
        if last.is_none_or(|(_, _, state)| *state != record.state) {
            key.changes.push((record.since, kind, record.state));
        }
    }
    key.changes.sort_by_key(|(at, ..)| *at);
}

impl Building {
    /// The key within the window; `None`: nobody sees it then.
    fn track(self, window: (Timestamp, Timestamp)) -> Option<Track> {
        let kinds = RecordKind::ALL.into_iter().filter(|kind| kind.applies_to(self.name.role));
        let records: Vec<RecordTrack> =
            kinds.map(|kind| RecordTrack { kind, spans: self.spans(kind, window) }).collect();
        let is_seen = records.iter().any(|record| !record.spans.is_empty());
        let is_inside = |(at, _): &(Timestamp, Mark)| *at >= window.0 && *at <= window.1;
        let marks = self.marks.into_iter().filter(is_inside).collect();
        is_seen.then_some(Track { name: self.name, records, marks })
    }

    fn spans(&self, kind: RecordKind, (from, until): (Timestamp, Timestamp)) -> Vec<Span> {
        let changes: Vec<(Timestamp, RecordState)> = self
            .changes
            .iter()
            .filter(|(_, other, _)| *other == kind)
            .map(|(at, _, state)| (*at, *state))
            .collect();
        let mut spans = Vec::new();
        for (index, (at, state)) in changes.iter().enumerate() {
            let end = changes.get(index + 1).map_or(until, |(next, _)| *next);
            let (begin, end) = ((*at).max(from), end.min(until));
            if *state != RecordState::Hidden && begin < end {
                spans.push(Span { state: *state, from: begin, until: end });
            }
        }
        spans
    }
}
