//! `input`: whether zones come in. What masters do not give, what could not be read, what the
//! breaker holds.
//! In: zones as they show themselves, the time. Out: what is wrong, by whom it is mended.
//! A zone that comes by transfer is measured by the timers of its SOA (RFC 1035 §3.3.13): one of
//! its masters has to confirm it when the refresh timer ends, which a master that only takes
//! connections does not. It is an alarm on the way to the moment from which on nobody may serve it.
//! Limits: the constants below.

use super::snapshot::{HeldHealth, InboundHealth, Snapshot, ZoneHealth};
use super::zones::first_line;
use super::{Found, Limits, Measure, Moment, Question, Range, State, Unit, signed, span};
use crate::{Seconds, Timestamp};

/// A refresh is overdue when the retry timer ended too, but never sooner than this: a question
/// with a lost datagram takes five seconds.
const MARGIN_LEAST: Seconds = Seconds(10);
/// And never later: a transfer that is under way for so long is worth a look.
const MARGIN_MOST: Seconds = Seconds(900);
/// A zone that is asked for the first time may take so long.
const FIRST_TRANSFER_MAX: Seconds = Seconds(60);
/// Who acts next.
const NEXT: &str = "see to the master, or to the way there; it is asked again by itself";

/// `input`.
pub(super) fn input(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let (mut count, mut oldest, mut lag) = (0, None, 0);
    for zone in question.zones(snapshot) {
        count += 1;
        if let Some(held) = &zone.held {
            held_trouble(zone, held, &mut found);
        }
        if let Some(failure) = &zone.input_failure {
            let next = match &zone.inbound {
                Some(_) => "mend the zone at its master; it is fetched again by itself".to_owned(),
                None => format!("mend the zone file, then say \"anchorite sign {}\"", zone.name),
            };
            let text = format!("cannot be read: {}", first_line(failure));
            found.trouble(State::Critical, &zone.name, text, next);
        }
        let Some(inbound) = &zone.inbound else { continue };
        let age = inbound.confirmed_at.map(|at| signed(now.wall.since(at)));
        oldest = oldest.max(age);
        let behind = inbound.serial.zip(zone.input_serial);
        lag += usize::from(behind.is_some_and(|(theirs, ours)| theirs.is_after(ours)));
        match inbound.confirmed_at {
            Some(at) => confirmed(question, (zone, inbound), at, now.wall, &mut found),
            None => never_received((zone, inbound), now.wall, &mut found),
        }
    }
    found.summary = format!("all {count} zones come in");
    found.measures = vec![
        Measure::count("serial_lag", lag),
        Measure::new("last_ok", oldest.or(Some(0)), Unit::Seconds)
            .within((question.warning, question.critical)),
    ];
    found
}

fn held_trouble(zone: &ZoneHealth, held: &HeldHealth, found: &mut Found) {
    let (state, next) = match held.is_rejected {
        true => (State::Warning, "mend the input; it was rejected by an operator".to_owned()),
        false => (State::Critical, format!("say \"anchorite zone input {} accept\"", zone.name)),
    };
    let next = format!("{next} (or reject)");
    found.trouble(state, &zone.name, format!("input held: {}", first_line(&held.reason)), next);
}

/// How much later than the refresh timer says a master may confirm the zone.
fn margin(inbound: &InboundHealth) -> Seconds {
    inbound.retry.clamp(MARGIN_LEAST, MARGIN_MOST)
}

/// When it is too long ago that a master confirmed the zone: the refresh is overdue; half of the
/// time is over that the zone lives without, or all of it where the refresh timer is that long.
fn limits(inbound: &InboundHealth, confirmed: Timestamp) -> Limits {
    let overdue = inbound.refresh.0.saturating_add(margin(inbound).0);
    let life = inbound.expires_at.map(|at| at.since(confirmed).0);
    let critical = life.map(|life| (life / 2).max(overdue).min(life));
    let most = |length| Range::at_most(signed(Seconds(length)));
    (Some(most(overdue)), critical.map(most))
}

/// A zone that a master confirmed at some time.
fn confirmed(
    question: &Question,
    (zone, inbound): (&ZoneHealth, &InboundHealth),
    at: Timestamp,
    now: Timestamp,
    found: &mut Found,
) {
    let age = now.since(at);
    // Right after a start the masters are only being asked.
    let is_asked_long = now.since(zone.known_since) > margin(inbound);
    let limits = if is_asked_long { limits(inbound, at) } else { (None, None) };
    let state = match question.judge(signed(age), limits) {
        _ if inbound.expires_at.is_some_and(|at| at <= now) => State::Critical,
        state if inbound.refusals.is_empty() => state,
        state => state.max(State::Warning),
    };
    let asking = asking(inbound);
    found.lines.push(format!("{}: confirmed by a master {} ago{asking}", zone.name, span(age)));
    let text = match inbound.refusals.is_empty() {
        true => format!("not confirmed for {}{asking}", span(age)),
        false => refused(inbound, now),
    };
    found.trouble(state, &zone.name, text, NEXT);
}

/// A zone of which nothing came yet.
fn never_received(
    (zone, inbound): (&ZoneHealth, &InboundHealth),
    now: Timestamp,
    found: &mut Found,
) {
    let state = match inbound.refusals.len() {
        0 if now.since(zone.known_since) <= FIRST_TRANSFER_MAX => State::Ok,
        count if count >= inbound.masters => State::Critical,
        _ => State::Warning,
    };
    let why = match inbound.refusals.is_empty() {
        true => format!("no answer yet{}", asking(inbound)),
        false => refused(inbound, now),
    };
    let text = format!("never received: {why}");
    found.lines.push(format!("{}: {text}", zone.name));
    found.trouble(state, &zone.name, text, NEXT);
}

fn asking(inbound: &InboundHealth) -> String {
    inbound.asking.as_ref().map_or_else(String::new, |master| format!(", asking {master}"))
}

/// What is wrong with the masters, in the words of the first.
fn refused(inbound: &InboundHealth, now: Timestamp) -> String {
    let Some((master, since, why)) = inbound.refusals.first() else { return String::new() };
    let more = if inbound.refusals.len() > 1 { " and others" } else { "" };
    format!("master {master}{more} since {}: {}", span(now.since(*since)), first_line(why))
}
