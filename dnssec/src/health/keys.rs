//! Checks of keys and of the DS at parents.
//! In: what the enforcer remembers of each zone, when it looks at it next, what parents show. Out:
//! rolls that are late, keys that wait for somebody, DS RRsets that match no key.
//! Never: decisions about keys. Limits: the constants below.

use super::snapshot::{KeysHealth, Snapshot, ZoneHealth, ZoneTerms};
use super::{
    Found, Measure, Moment, Question, Range, STALE_AFTER, State, Unit, fresh, is_settled, signed,
    span,
};
use crate::enforcer::{Backup, DsAtParent, KeyLife, RecordState, Terms, ZoneLife};
use crate::key::{KeyId, KeyRole};
use crate::{Seconds, Timestamp};
use std::collections::HashMap;

/// How late the enforcer may be at least.
const LATE_LEAST: Seconds = Seconds(300);
/// A DS that waits for somebody so long, beyond the parent's own delay, is worth a warning.
const DS_WAIT: Seconds = Seconds(3 * 86_400);
const ROLES: [KeyRole; 3] = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk];

/// The keys, when they were heard of lately.
fn heard<'s>(snapshot: &'s Snapshot, now: Moment, found: &mut Found) -> Option<&'s KeysHealth> {
    match fresh(snapshot.keys.as_ref()?, STALE_AFTER, now) {
        Ok(keys) => keys,
        Err(age) => {
            let text = format!("nothing was heard of the enforcer for {}", span(age));
            found.trouble(State::Critical, "enforcer", text, "see the log of the daemon");
            None
        }
    }
}

/// The zones that run and are looked at.
fn by_name<'s>(question: &'s Question, snapshot: &'s Snapshot) -> HashMap<&'s str, &'s ZoneHealth> {
    question.zones(snapshot).map(|zone| (zone.name.as_str(), zone)).collect()
}

/// `keys`.
pub(super) fn keys(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let zones = by_name(question, snapshot);
    let (mut due, mut waiting, mut unbacked, mut count) = (0, 0, 0, 0);
    if let Some(known) = heard(snapshot, now, &mut found) {
        for (name, life) in &known.lives {
            let Some(zone) = zones.get(name.as_str()) else { continue };
            count += life.keys.len();
            due += rolls(name, life, &zone.terms, now, &mut found);
            waiting += life.keys.iter().filter(|key| waits_for_parent(key)).count();
            unbacked += backups(name, life, now.wall, &mut found);
        }
        for (at, name) in &known.agenda {
            let Some(zone) = zones.get(name.as_str()) else { continue };
            let late = now.wall.since(*at);
            if late > zone.terms.resign.max(LATE_LEAST) && is_settled(now) {
                let text = format!("a step of its keys is late by {}", span(late));
                let next = "see the log of the daemon; say anchorite enforce";
                found.trouble(State::Critical, name, text, next);
            }
        }
    }
    // Each has its own verdict already; thresholds that are given go by their number.
    let by_number = question.judge(due, (None, None));
    found.trouble(by_number, "", format!("{due} rolls are due"), "see \"anchorite rollover list\"");
    found.summary = format!("{count} keys, {waiting} wait for the parent");
    found.measures = vec![
        Measure::new("due", Some(due), Unit::Count).within((question.warning, question.critical)),
        Measure::count("waiting_ds", waiting),
        Measure::count("unbacked", unbacked),
    ];
    found
}

/// Rolls whose day is over.
fn rolls(name: &str, life: &ZoneLife, terms: &ZoneTerms, now: Moment, found: &mut Found) -> i64 {
    let mut due = 0;
    for role in ROLES {
        let Some(at) = *life.next_roll.get(role) else { continue };
        let late = now.wall.since(at);
        // What was due while the daemon was away is done in its first minute.
        if late <= terms.resign.max(LATE_LEAST) || !is_settled(now) {
            continue;
        }
        due += 1;
        let text = format!("the roll of its {role} is late by {}", span(late));
        match *terms.rolled_by_hand.get(role) {
            true => {
                let next = format!("say \"anchorite key rollover --zone {name} --keytype {role}\"");
                found.trouble(State::Warning, name, text, next);
            }
            false => {
                let next = format!("see \"anchorite explain zone {name}\"");
                found.trouble(State::Critical, name, text, next);
            }
        }
    }
    due
}

/// Keys without the backup that their repository asks for.
fn backups(name: &str, life: &ZoneLife, now: Timestamp, found: &mut Found) -> usize {
    let missing = life.keys.iter().filter(|key| key.backup == Backup::Missing && key.introducing);
    let mut count = 0;
    for key in missing {
        count += 1;
        // Without the backup it would be everywhere by now.
        let wait = |terms: &Terms| Seconds(terms.dnskey_ttl.0.saturating_add(terms.zone_delay.0));
        let wait = life.terms.as_ref().map(wait).unwrap_or_default().max(LATE_LEAST);
        let is_held = key.dnskey.state == RecordState::Rumoured
            && key.dnskey.confirmed.is_some_and(|at| now.since(at) > wait);
        let state = if is_held { State::Critical } else { State::Warning };
        let text = format!("key {} has no backup", key.key_tag);
        let next = format!(
            "make a backup, then say \"anchorite backup commit --repository {}\"",
            key.repository
        );
        found.trouble(state, name, text, next);
    }
    count
}

/// Whether somebody has to see to a key's DS at the parent.
pub(super) fn waits_for_parent(key: &KeyLife) -> bool {
    match key.ds_at_parent {
        DsAtParent::Submit | DsAtParent::Submitted => true,
        DsAtParent::Retract | DsAtParent::Retracted => true,
        DsAtParent::Unsubmitted | DsAtParent::Seen => false,
    }
}

/// `ds`.
pub(super) fn ds(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let zones = by_name(question, snapshot);
    let (mut missing, mut longest, mut count) = (0, Seconds(0), 0);
    if let Some(known) = heard(snapshot, now, &mut found) {
        let lives: HashMap<&str, &ZoneLife> =
            known.lives.iter().map(|(name, life)| (name.as_str(), life)).collect();
        for (name, sets) in known.shown_ds.iter().filter(|(name, _)| zones.contains_key(&**name)) {
            let Some(life) = lives.get(name.as_str()) else { continue };
            let is_ours = |ds: &Vec<u8>| {
                let absent = known.absent_ds.iter().filter(|(zone, _)| zone == name);
                is_of(ds, life, &absent.map(|(_, key)| key).collect::<Vec<_>>())
            };
            if sets.iter().any(|set| !set.is_empty() && !set.iter().any(is_ours)) {
                missing += 1;
                let next = format!("hand the DS of \"anchorite key ds {name}\" to the parent NOW");
                let text = "the parent's DS match no key of the zone";
                found.trouble(State::Critical, name, text, next);
            }
        }
        for (name, why) in
            known.disagreements.iter().filter(|(name, _)| zones.contains_key(&**name))
        {
            let next = format!("see \"anchorite parent status --zone {name}\"");
            found.trouble(State::Warning, name, why.clone(), next);
        }
        for (name, life) in &known.lives {
            let Some(zone) = zones.get(name.as_str()) else { continue };
            count += 1;
            for key in life.keys.iter().filter(|key| waits_for_parent(key)) {
                let wait = now.wall.since(key.ds.map_or(key.inception, |ds| ds.since));
                longest = longest.max(wait);
                waiting(question, (name, zone), key, wait, &mut found);
            }
        }
    }
    found.summary = format!("{count} zones, longest wait for a parent {}", span(longest));
    found.measures = vec![
        Measure::new("wait_max", Some(signed(longest)), Unit::Seconds)
            .within((question.warning, question.critical)),
        Measure::count("ds_missing", missing),
    ];
    found
}

/// Whether a DS (RDATA) may be of a key that signs the zone's keys: by key tag and algorithm
/// (RFC 4034 §5.1), where its digest was not found to be another one.
fn is_of(ds: &[u8], life: &ZoneLife, absent: &[&KeyId]) -> bool {
    let [high, low, algorithm, ..] = ds else { return false };
    let tag = u16::from_be_bytes([*high, *low]);
    life.keys.iter().any(|key| {
        key.signs_keyset()
            && key.is_published()
            && key.key_tag.0 == tag
            && key.algorithm.number() == *algorithm
            && !absent.contains(&&key.id)
    })
}

fn waiting(
    question: &Question,
    (name, zone): (&str, &ZoneHealth),
    key: &KeyLife,
    wait: Seconds,
    found: &mut Found,
) {
    let limit = signed(Seconds(zone.terms.parent_delay.0.saturating_add(DS_WAIT.0)));
    let state = question.judge(signed(wait), (Some(Range::at_most(limit)), None));
    let (what, next) = match key.ds_at_parent {
        DsAtParent::Submit => ("is to be handed to the parent", "submit"),
        DsAtParent::Submitted => ("is not known to be at the parent", "seen"),
        DsAtParent::Retract => ("is to be taken from the parent", "retract"),
        _ => ("is not known to have left the parent", "gone"),
    };
    let text = format!("the DS of key {} {what}, for {}", key.key_tag, span(wait));
    found.lines.push(format!("{name}: {text}"));
    let tag = key.key_tag;
    let next = format!("say \"anchorite key ds-{next} --zone {name} --keytag {tag}\" when so");
    found.trouble(state, name, text, next);
}
