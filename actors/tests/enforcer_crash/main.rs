//! Crash safety of the enforcer (DESIGN section 4: save, then send): one roll of each type, an
//! algorithm roll, a zone that becomes unsigned and two zones with keys made ahead are played
//! once; then the program dies at each step of the disk, and before and after each effect, and
//! what is left is played on to the end. Two kinds of death: the process is killed (what it
//! wrote is there), the power fails (only what was synced is). A third way: the disk refuses
//! everything from a step on, and the program goes on for a while.
//! Here some steps of each story are tried; `ENFORCER_CRASH=all` tries all of them (of the third
//! way every fifth).

mod checks;
mod outside;
mod play;
mod story;
mod token;
mod trace;

use checks::check_state;
use dnssec::enforcer::DsAtParent;
use dnssec::key::KeyRole;
use dnssec::policy::RollType;
use dnssec::{Algorithm, Timestamp};
use play::{Played, Start, play, zones};
use storage::faults::{Fate, FaultDisk};
use story::Story;
use token::Keys;
use trace::{Event, Happened, open};

/// 2026-01-01.
const BEGIN: Timestamp = Timestamp(1_767_225_600);
/// Deaths of each story that every run of the tests tries.
const DEATHS: usize = 18;
/// The same of disks that refuse.
const REFUSALS: usize = 3;

/// A moment at which the program dies.
struct Death {
    change_count: usize,
    /// Effects that came before.
    event_count: usize,
}

/// Every moment that leaves something else behind.
fn deaths(played: &Played) -> Vec<Death> {
    let events = played.trace.events();
    let mut deaths = Vec::new();
    for change_count in 0..=played.trace.disk.change_count() {
        let before = events.iter().filter(|event| event.change_count < change_count).count();
        deaths.push(Death { change_count, event_count: before });
        let now = events.iter().enumerate().skip(before);
        let now = now.take_while(|(_, event)| event.change_count == change_count);
        let felt = now.filter(|(_, event)| event.what != Happened::Told);
        deaths.extend(felt.map(|(place, _)| Death { change_count, event_count: place + 1 }));
    }
    deaths
}

/// What a death at the end of `events` leaves, with this on the disk.
fn left(first: &Start, events: &[Event], content: Vec<u8>, now: Timestamp) -> Start {
    let mut left = Start { content, now, fails_from: None, ..first.clone() };
    for event in events {
        match &event.what {
            Happened::Made(id, key) => drop(left.keys.insert(id.clone(), key.clone())),
            Happened::Destroyed(id) => drop(left.keys.remove(id)),
            Happened::PolicyChanged => left.has_policy_changed = true,
            Happened::Told | Happened::Parent(..) => {}
        }
    }
    left
}

/// Every `n`-th, so that there are about `count`; when all are wanted, every `step_of_all`-th.
fn share<T>(all: Vec<T>, count: usize, step_of_all: usize) -> Vec<T> {
    let is_all = std::env::var("ENFORCER_CRASH").is_ok_and(|wanted| wanted == "all");
    let step = if is_all { step_of_all } else { (all.len() / count).max(1) };
    let start = (step / 2).min(all.len().saturating_sub(1));
    all.into_iter().skip(start).step_by(step).collect()
}

fn made(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event.what, Happened::Made(..))).count()
}

/// What a story ends with: zone by zone, role and algorithm of each key.
type Ending = Vec<Vec<(KeyRole, Algorithm)>>;

/// Holds a story that was played to its end against the rules.
fn check_end(story: &Story, played: &Played) -> Ending {
    assert_eq!(played.trace.complaints(), Vec::<String>::new());
    assert!(played.has_ended);
    let store = open(&FaultDisk::with_content(played.trace.disk.content()));
    check_state(&store, &zones(story), &played.keys);
    assert_eq!(store.keys().unwrap().len(), played.keys.len(), "records without keys");
    let ending = |zone| {
        let life = store.life(&zone).unwrap().unwrap_or_default();
        let mut keys: Vec<_> = life.keys.iter().map(|key| (key.role, key.algorithm)).collect();
        keys.sort();
        keys
    };
    zones(story).into_iter().map(ending).collect()
}

/// Plays on after a death. `before`: how many keys had been made.
fn check_recovery(story: &Story, left: Start, before: usize, wanted: (&Ending, usize)) {
    let store = open(&FaultDisk::with_content(left.content.clone()));
    check_state(&store, &zones(story), &left.keys);
    let histories: Vec<_> = zones(story).iter().map(|zone| store.history(zone).unwrap()).collect();
    let lives = store.lives().unwrap();
    drop(store);
    let played = play(story, left);
    let events = played.trace.events();
    assert_eq!(check_end(story, &played), *wanted.0);
    if story.keys_ahead.is_none() {
        assert_eq!(before + made(&events), wanted.1, "keys made twice, or for nothing");
    }
    let store = open(&FaultDisk::with_content(played.trace.disk.content()));
    for (zone, history) in zones(story).iter().zip(histories) {
        let longer = store.history(zone).unwrap();
        assert!(longer.starts_with(&history), "history was changed");
    }
    for key in lives.iter().flat_map(|(_, life)| &life.keys) {
        let comes = match key.ds_at_parent {
            DsAtParent::Submit => true,
            DsAtParent::Retract => false,
            _ => continue,
        };
        let again = Happened::Parent(key.id.clone(), comes);
        assert!(events.iter().any(|event| event.what == again), "not run again: {again:?}");
    }
}

#[track_caller]
fn check(story: Story) {
    let first = Start {
        content: Vec::new(),
        keys: Keys::new(),
        now: BEGIN,
        has_policy_changed: false,
        fails_from: None,
    };
    let whole = play(&story, first.clone());
    let ending = check_end(&story, &whole);
    let events = whole.trace.events();
    let wanted = (&ending, made(&events));
    let disk = &whole.trace.disk;

    let mut tried = 0;
    for Death { change_count, event_count } in share(deaths(&whole), DEATHS, 1) {
        for fate in [Fate::Kept, Fate::Lost] {
            let content = disk.after_power_cut(change_count, |_| fate);
            let events = &events[..event_count];
            let now = whole.trace.time_at(change_count);
            check_recovery(&story, left(&first, events, content, now), made(events), wanted);
            tried += 1;
        }
    }
    let mut refused = 0;
    for change_count in share((0..disk.change_count()).collect(), REFUSALS, 5) {
        let cut = play(&story, Start { fails_from: Some(change_count), ..first.clone() });
        assert_eq!(cut.trace.complaints(), Vec::<String>::new(), "refused from {change_count}");
        let changes = cut.trace.disk.change_count();
        let content = cut.trace.disk.after_power_cut(changes, |_| Fate::Lost);
        let events = cut.trace.events();
        let left = left(&first, &events, content, cut.trace.time_at(changes));
        assert_eq!(left.keys, cut.keys);
        check_recovery(&story, left, made(&events), wanted);
        refused += 1;
    }
    eprintln!("{} steps: {tried} deaths, {refused} refusals", disk.change_count());
}

#[test]
fn ksk_double_rrset() {
    check(Story::roll(RollType::KskDoubleRrset));
}

#[test]
fn ksk_double_ds() {
    check(Story::roll(RollType::KskDoubleDs));
}

#[test]
fn ksk_double_signature() {
    check(Story::roll(RollType::KskDoubleSignature));
}

#[test]
fn zsk_double_signature() {
    check(Story::roll(RollType::ZskDoubleSignature));
}

#[test]
fn zsk_pre_publication() {
    check(Story::roll(RollType::ZskPrePublication));
}

#[test]
fn zsk_double_rrsig() {
    check(Story::roll(RollType::ZskDoubleRrsig));
}

#[test]
fn csk_double_rrset() {
    check(Story::roll(RollType::CskDoubleRrset));
}

#[test]
fn csk_single_signature() {
    check(Story::roll(RollType::CskSingleSignature));
}

#[test]
fn csk_double_ds() {
    check(Story::roll(RollType::CskDoubleDs));
}

#[test]
fn csk_double_signature() {
    check(Story::roll(RollType::CskDoubleSignature));
}

#[test]
fn csk_pre_publication() {
    check(Story::roll(RollType::CskPrePublication));
}

#[test]
fn an_algorithm_roll() {
    check(Story::algorithm());
}

#[test]
fn a_zone_becomes_unsigned() {
    check(Story::unsigned());
}

#[test]
fn two_zones_take_keys_made_ahead() {
    check(Story::pool());
}
