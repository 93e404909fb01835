//! `look-ahead`: the next steps of one zone's keys, and what its parent is told and shows
//! meanwhile, in the words of OpenDNSSEC's development line (catalogue 1.5).
//! In: what the enforcer sees of the zone. Out: a table for each step. What happens when is the
//! core's plan (`plan` says the same in other words, for longer); here it is only drawn.
//! Limits: [`STEPS_MAX`] steps, [`HORIZON`].

use super::dispatch::wrong_arguments;
use super::key_view::{failed, parse_zone, policy_of};
use super::output::Output;
use super::plan_commands::{Wish, assumptions, look};
use super::site::Site;
use crate::enforcer::{Sight, Sights};
use crate::io::local_time::{ctime, date_time};
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::enforcer::history::KeyEvent;
use dnssec::enforcer::plan::{Assumptions, Moment, Plan, plan};
use dnssec::enforcer::{DsAtParent, KeyLife, RecordKind, RecordState};
use dnssec::key::{KeyId, KeyRole};
use dnssec::{Seconds, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// Steps when nobody says how many.
const STEPS_DEFAULT: usize = 10;
/// Most steps.
const STEPS_MAX: usize = 1000;
/// How far ahead the steps may be: keys may live for years.
const HORIZON: Seconds = Seconds(20 * 365 * 86_400);

/// `look-ahead`.
pub(super) fn look_ahead(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let wrong = |complaint: String| {
            let (command, rest) = (invocation.command, &invocation.rest);
            wrong_arguments(command, rest, String::new(), complaint)
        };
        let Some(typed) = invocation.value("zone") else {
            return wrong("--zone required\n".to_owned());
        };
        let steps = match invocation.value("steps").map(|typed| (typed, typed.parse())) {
            None => STEPS_DEFAULT,
            Some((_, Ok(steps))) if steps <= STEPS_MAX => steps,
            Some((typed, _)) => {
                return wrong(format!("{typed} is no number of steps up to {STEPS_MAX}\n"));
            }
        };
        let known = parse_zone(typed).and_then(|zone| Some((policy_of(&site, &zone)?, zone)));
        let Some((policy, zone)) = known else {
            return Output::refused(format!("Could not find zone {typed} in database\n"), 1);
        };
        let sights = match look(&site, vec![(zone, policy)]).await {
            Ok(sights) => sights,
            Err(error) => return failed(error),
        };
        let text = move || sights.zones.first().map(|sight| picture(sight, &sights, steps));
        match site.staff.desk.run(text) {
            Err(error) => failed(error),
            Ok(answer) => match answer.await {
                Err(error) => failed(error),
                Ok(text) => Output::done(text.unwrap_or_default()),
            },
        }
    }
    .boxed_local()
}

/// The zone as it is, and after each step.
fn picture(sight: &Sight, sights: &Sights, steps: usize) -> String {
    let wish = Wish::year(sight.now);
    let until = sight.now.plus(HORIZON);
    let plan =
        plan(&sight.life, &Assumptions { until, ..assumptions(sight, &sights.settings, &wish) });
    let mut rows: Vec<Row> = sight.life.keys.iter().map(Row::of).collect();
    let mut text = format!("Current state:\n{}", table(&rows, &plan, sight.now));
    let zone = zone_text(&sight.zone);
    for (at, events) in plan.moments.iter().take(steps) {
        let used = uses(&rows);
        let mut said = String::new();
        for (id, event) in events {
            said += happen(&mut rows, id, event);
        }
        text += &format!("\non {} zone {zone} will look like:\n", ctime(*at));
        text += &format!("{}\n{said}", table(&rows, &plan, *at));
        if uses(&rows) != used {
            text += " - Writing signconf.\n";
        }
    }
    if plan.moments.is_empty() && steps > 0 {
        text += &format!("\non {} zone {zone} will look like:\n", ctime(sight.now));
        text += " - No changes to zone.\n";
    }
    text
}

/// A key in the picture.
struct Row {
    id: KeyId,
    role: KeyRole,
    /// As [`RecordKind::ALL`] has them; `None`: there is none.
    records: [Option<RecordState>; 4],
    at_parent: DsAtParent,
}

impl Row {
    fn of(key: &KeyLife) -> Row {
        let records = RecordKind::ALL.map(|kind| key.state(kind));
        Row { id: key.id.clone(), role: key.role, records, at_parent: key.ds_at_parent }
    }

    /// One that was just taken.
    fn new(id: &KeyId, role: KeyRole) -> Row {
        let hidden = |kind: RecordKind| kind.applies_to(role).then_some(RecordState::Hidden);
        let records = RecordKind::ALL.map(hidden);
        Row { id: id.clone(), role, records, at_parent: DsAtParent::Unsubmitted }
    }

    fn is_out(&self, kind: RecordKind) -> bool {
        let of_kind = RecordKind::ALL.into_iter().zip(self.records).find(|(one, _)| *one == kind);
        let state = of_kind.and_then(|(_, state)| state);
        matches!(state, Some(RecordState::Rumoured | RecordState::Omnipresent))
    }

    /// Whether its DNSKEY is published, whether it signs the keys, whether the rest.
    fn uses(&self) -> [bool; 3] {
        [RecordKind::Dnskey, RecordKind::RrsigDnskey, RecordKind::Rrsig]
            .map(|kind| self.is_out(kind))
    }
}

/// What the signer does with which key.
fn uses(rows: &[Row]) -> Vec<(KeyId, [bool; 3])> {
    let all = rows.iter().map(|row| (row.id.clone(), row.uses()));
    all.filter(|(_, uses)| uses.contains(&true)).collect()
}

/// Has an event happen; what is to be said of it.
fn happen(rows: &mut Vec<Row>, id: &KeyId, event: &KeyEvent) -> &'static str {
    if let KeyEvent::Taken { role, .. } = event {
        rows.push(Row::new(id, *role));
        return "";
    }
    let Some(place) = rows.iter().position(|row| row.id == *id) else { return "" };
    match event {
        KeyEvent::Record { kind, to, .. } => {
            let records = RecordKind::ALL.into_iter().zip(&mut rows[place].records);
            records.filter(|(one, _)| one == kind).for_each(|(_, state)| *state = Some(*to));
            ""
        }
        KeyEvent::DsAtParent { from, to } => {
            rows[place].at_parent = *to;
            match (from, to) {
                (_, DsAtParent::Submitted) => " - Submitting DS to parent zone.\n",
                (_, DsAtParent::Retracted) => " - Removing DS from parent zone.\n",
                (_, DsAtParent::Seen) => " - Marking DS as seen.\n",
                (DsAtParent::Retracted, DsAtParent::Unsubmitted) => " - Marking DS as gone.\n",
                _ => "",
            }
        }
        KeyEvent::Gone => {
            rows.remove(place);
            ""
        }
        _ => "",
    }
}

/// The keys at a moment, in the development line's columns.
fn table(rows: &[Row], plan: &Plan, at: Timestamp) -> String {
    let mut text =
        "Key role:     DS:          DNSKEY:      RRSIGDNSKEY: RRSIG:       Time:          \
                    \x20      Pub: Act: Id:\n"
            .to_owned();
    for row in rows {
        let state = |state: Option<RecordState>| match state {
            Some(state) => state.to_string(),
            None => "NA".to_owned(),
        };
        let [ds, dnskey, rrsig_dnskey, rrsig] = row.records.map(state);
        let [is_published, signs_keyset, signs_zone] = row.uses().map(u8::from);
        let (role, is_active) = (row.role.to_string(), signs_keyset | signs_zone);
        text += &format!(
            "{role:<13} {ds:<12} {dnskey:<12} {rrsig_dnskey:<12} {rrsig:<12} {:<21} \
             {is_published} {is_active:>4}    {}\n",
            next(row, &plan.moments, at),
            id_text(row, plan)
        );
    }
    text
}

/// A key that is not made yet has no id: what the plan calls it.
fn id_text(row: &Row, plan: &Plan) -> String {
    match plan.names.iter().find(|name| name.id == row.id) {
        Some(name) if name.tag.is_none() => format!("({})", name.text),
        _ => row.id.to_string(),
    }
}

/// What a key waits for, or when it goes on.
fn next(row: &Row, moments: &[Moment], at: Timestamp) -> String {
    let word = match row.at_parent {
        DsAtParent::Submit => "waiting for ds-submit",
        DsAtParent::Submitted => "waiting for ds-seen",
        DsAtParent::Retract => "waiting for ds-retract",
        DsAtParent::Retracted => "waiting for ds-gone",
        DsAtParent::Unsubmitted | DsAtParent::Seen => {
            let concerns =
                |events: &[(KeyId, KeyEvent)]| events.iter().any(|(id, _)| *id == row.id);
            let later = moments.iter().filter(|(when, _)| *when > at);
            let first = later.into_iter().find(|(_, events)| concerns(events));
            return first.map_or_else(|| "-".to_owned(), |(when, _)| date_time(*when));
        }
    };
    word.to_owned()
}
