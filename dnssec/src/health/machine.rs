//! Checks of what all zones share: tokens, the clock, the actors; and the summary of everything.
//! In: slots and actors as they show themselves. Out: what is wrong.
//! Limits: the constants below.

use super::snapshot::{Heard, SlotHealth, Snapshot};
use super::{
    Check, Found, Limits, Measure, Moment, Question, Range, State, Trouble, Unit, age, fresh,
    signed, span, verdict,
};
use crate::{Seconds, Timestamp};

/// A slot that says nothing for so long is stuck: it answers from memory.
const SLOT_SILENT_AFTER: Seconds = Seconds(15);
/// A request that takes longer is stuck, and so is one for signatures beyond the time for them.
const REQUEST_MAX: Seconds = Seconds(5);
/// The slowest token makes so many signatures a second.
const SIGNATURES_LEAST: u64 = 20;
/// A token that is full sooner than this is worth a warning.
const FULL_SOON: Seconds = Seconds(90 * 86_400);
/// A step of the clock of more than this is worth a warning, in seconds, for [`STEP_KNOWN`].
const STEP_MAX: i64 = 5;
/// How long a step is remembered.
const STEP_KNOWN: Seconds = Seconds(3600);
/// How far a version may have been signed in the future before the clock is taken to be wrong.
const AHEAD_MAX: Seconds = Seconds(60);
/// No clock is right that shows less: 2025-01-01.
const LEAST_TIME: Timestamp = Timestamp(1_735_689_600);

/// `hsm`.
pub(super) fn hsm(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let (mut slowest, mut free, mut errors, mut good, mut count) = (None, None, 0, 0, 0);
    for (name, heard) in snapshot.slots.iter().filter(|(name, _)| question.means(name)) {
        count += 1;
        let before = found.troubles.len();
        let Some(slot) = slot_heard(name, heard, now, &mut found) else { continue };
        errors += signed(Seconds(slot.requests_failed));
        slowest = slowest.max(slot.answered_in_ms.map(|ms| signed(Seconds(ms))));
        if let Some((used, capacity)) = slot.room {
            let percent = 100 - (100 * used).checked_div(capacity).unwrap_or(100).min(100);
            let percent = signed(Seconds(percent));
            free = Some(free.map_or(percent, |least: i64| least.min(percent)));
        }
        slot_troubles(question, name, slot, &mut found);
        good += usize::from(found.troubles.len() == before);
        let last = match slot.last_good {
            Some(at) => format!("signed {} ago", span(now.wall.since(at))),
            None => "has not signed yet".to_owned(),
        };
        let made = slot.signatures_made;
        found.lines.push(format!("{name}: {last}, {made} signatures since it was opened"));
    }
    found.summary = format!("{good} of {count} repositories sign");
    found.measures = vec![
        Measure::new("probe", slowest, Unit::Milliseconds)
            .within((question.warning, question.critical)),
        Measure::new("free", free, Unit::Percent),
        Measure::new("errors", Some(errors), Unit::Counter),
    ];
    // What is not known is no value of a plugin's graph.
    found.measures.retain(|measure| measure.value.is_some());
    found
}

/// Whether a slot is open, heard of, and answers its requests.
pub(super) fn is_up(heard: &Heard<SlotHealth>, now: Moment) -> bool {
    let slot = fresh(heard, SLOT_SILENT_AFTER, now).ok().flatten();
    slot.is_some_and(|slot| slot.failure.is_none() && !slot.under_way.iter().any(is_stuck))
}

/// Whether a request takes longer than it may.
fn is_stuck((length, signatures): &(Seconds, u64)) -> bool {
    length.0 > REQUEST_MAX.0.saturating_add(signatures / SIGNATURES_LEAST)
}

/// What a slot said, unless it is stuck.
fn slot_heard<'s>(
    name: &str,
    heard: &'s Heard<SlotHealth>,
    now: Moment,
    found: &mut Found,
) -> Option<&'s SlotHealth> {
    match fresh(heard, SLOT_SILENT_AFTER, now) {
        Ok(Some(slot)) => Some(slot),
        // The first opening may take a moment.
        Ok(None) => {
            let text = format!("is being opened for {}", span(age(heard.at, now)));
            found.lines.push(format!("{name}: {text}"));
            None
        }
        Err(age) => {
            let text = format!("does not answer for {}: its module hangs, or opens", span(age));
            let next = "see to the HSM and the way there; its process is ended after a while";
            found.trouble(State::Critical, name, text, next);
            None
        }
    }
}

fn slot_troubles(question: &Question, name: &str, slot: &SlotHealth, found: &mut Found) {
    if let Some(failure) = &slot.failure {
        let next = "see to the HSM; when the log says that it waits for you, say anchorite reload";
        found.trouble(State::Critical, name, failure.clone(), next);
    }
    if let Some((length, _)) = slot.under_way.iter().filter(|it| is_stuck(it)).max() {
        let text = format!("has not answered a request for {}", span(*length));
        let next = "see to the HSM and the way there; its process is ended after a while";
        found.trouble(State::Critical, name, text, next);
    }
    if let Some(ms) = slot.answered_in_ms {
        let state = question.judge(signed(Seconds(ms)), (None, None));
        found.trouble(state, name, format!("took {ms} ms to sign"), "see to the HSM's load");
    }
    let away = slot.members_away.len();
    if let Some((member, why)) = slot.members_away.first() {
        let text = format!("{away} of {} members away: {member}: {why}", slot.members);
        found.trouble(State::Warning, name, text, "mend the member; the others do its work");
    }
    room_troubles(name, slot, found);
}

fn room_troubles(name: &str, slot: &SlotHealth, found: &mut Found) {
    let Some((used, capacity)) = slot.room else { return };
    let text = format!("{used} keys of {capacity}");
    let next = "purge dead keys, or raise <Capacity> in conf.xml if the token has room";
    if used >= capacity {
        found.trouble(State::Critical, name, format!("full: {text}"), next);
    } else if slot.is_too_small {
        let text = format!("{text}; its zones need more to be rolled");
        found.trouble(State::Critical, name, text, next);
    } else if let Some(time) = slot.full_in.filter(|time| *time < FULL_SOON) {
        let text = format!("{text}, full in {}", span(time));
        found.trouble(State::Warning, name, text, next);
    }
}

/// `clock`.
pub(super) fn clock(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let step = snapshot.clock.step.filter(|(_, at)| age(*at, now) <= STEP_KNOWN);
    let offset = step.map_or(0, |(seconds, _)| seconds);
    let limits: Limits = (Some(symmetric(STEP_MAX)), None);
    let next = "see to NTP; signatures are dated by this clock";
    if let Some((seconds, at)) = step {
        let length = span(age(at, now));
        let text = format!("was set by {seconds:+} s {length} ago");
        found.trouble(question.judge(offset, limits), "clock", text, next);
    }
    if now.wall < LEAST_TIME {
        let text = format!("shows {} s after 1970, which is long over", now.wall.0);
        found.trouble(State::Critical, "clock", text, next);
    }
    let ahead = snapshot
        .zones
        .iter()
        .filter_map(|zone| Some((zone.signed_at?, zone)))
        .max_by_key(|it| it.0);
    if let Some((at, zone)) = ahead.filter(|(at, _)| *at > now.wall.plus(AHEAD_MAX)) {
        let text = format!("{} was signed {} from now", zone.name, span(at.since(now.wall)));
        found.trouble(State::Critical, "clock", text, next);
    }
    found.summary = match offset {
        0 => "no step in the last hour".to_owned(),
        seconds => format!("a step of {seconds:+} s in the last hour"),
    };
    found.measures =
        vec![Measure::new("offset", Some(offset), Unit::Seconds).within(question.limits(limits))];
    found
}

/// Up to so many seconds in either direction.
fn symmetric(most: i64) -> Range {
    Range::between(-most, most)
}

/// `health`: the worst of everything.
pub(super) fn health(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let of_parts = Question { only: question.only.clone(), ..Question::default() };
    let of_all = Question::default();
    for check in Check::ALL.into_iter().filter(|check| *check != Check::Health) {
        let is_of_zones = check.scope() == super::Scope::Zone;
        if question.only.is_some() && !is_of_zones {
            continue;
        }
        let asked = if is_of_zones { &of_parts } else { &of_all };
        let report = verdict(check, asked, snapshot, now);
        let (word, state) = (check.word(), report.state.word());
        found.lines.push(match report.troubles.first() {
            None => format!("{word} {state}: {}", report.summary),
            Some(trouble) => format!("{word} {state}: {}: {}", trouble.what, trouble.text),
        });
        let named = |trouble: Trouble| {
            let what = match trouble.what.as_str() {
                "" => word.to_owned(),
                what => format!("{word} {what}"),
            };
            Trouble { what, ..trouble }
        };
        found.troubles.extend(report.troubles.into_iter().map(named));
    }
    if question.only.is_none() {
        actors(snapshot, &mut found);
    }
    let count = |state| found.troubles.iter().filter(|it| it.state == state).count();
    let (critical, warning) = (count(State::Critical), count(State::Warning));
    let zones = question.zones(snapshot).count();
    let uptime = span(now.uptime);
    found.summary = format!("{zones} zones, {} repositories, up {uptime}", snapshot.slots.len());
    found.measures = vec![
        Measure::count("zones", zones),
        Measure::count("crit", critical),
        Measure::count("warn", warning),
        Measure::new("uptime", Some(signed(now.uptime)), Unit::Seconds),
    ];
    found
}

fn actors(snapshot: &Snapshot, found: &mut Found) {
    for actor in &snapshot.actors {
        let why = actor.failure.as_deref().unwrap_or("no reason is known");
        let state = match () {
            () if actor.is_given_up => State::Critical,
            () if actor.is_pausing => State::Warning,
            () => State::Ok,
        };
        let what = if actor.is_given_up { "was given up" } else { "failed, and is started again" };
        let text = format!("{what} after {} restarts: {why}", actor.restarts);
        let next = "this is a bug: send the log; restart the daemon";
        found.trouble(state, &actor.path, text, next);
    }
}
