//! `zone show --json` and `zone list --json` (RFC 8259): the facts of the text, one object a zone;
//! those of the list are flat.

use super::super::audit_log::quoted;
use super::{View, phase_word};
use crate::settings::zone_text;
use crate::transfers::{
    AnsweredUpdate, NotifyStatus, OutboundStatus, SecondaryStatus, UpdateTally,
};
use crate::zone::RefreshStatus;
use dnssec::health::snapshot::OutputHealth;
use dnssec::transfer::watch::Standing;
use dnssec::{Serial, Timestamp};
use std::fmt::Display;

/// A zone as an object.
pub(super) fn zone(view: &View) -> String {
    let status = &view.status;
    object(&[
        ("zone", quoted(&view.zone)),
        ("policy", quoted(&view.policy)),
        ("state", quoted(phase_word(status.phase))),
        ("failure", maybe(status.failure.as_ref().map(|text| quoted(text)))),
        ("serial_in", serial(status.input_serial)),
        ("serial_out", serial(status.output_serial)),
        ("signed_at", moment(status.signed_at)),
        ("next_run", moment(status.next_run)),
        ("records", status.record_count.to_string()),
        ("signatures", status.signature_count.to_string()),
        ("first_expiration", moment(status.earliest_expiration)),
        ("refused", maybe(status.gate.refusal.as_ref().map(|refusal| quoted(&refusal.reason)))),
        ("held_input", maybe(status.held_input.as_ref().map(|held| quoted(&held.to_string())))),
        ("input", quoted(view.input.word())),
        ("refresh", maybe(status.refresh.as_ref().map(refresh))),
        ("updates", maybe(view.updates.as_ref().map(updates))),
        ("output", quoted(view.output.word())),
        ("outbound", maybe(view.outbound.as_ref().map(|it| outbound(it, view.now)))),
        ("notify_command_failure", maybe(status.notify_failure.as_ref().map(|it| quoted(it)))),
    ])
}

/// A zone of the list: as `zone show` has it, without what is in lists.
pub(super) fn row(view: &View) -> String {
    let (status, health) = (&view.status, view.outbound.as_ref().map(|it| it.health(view.now)));
    let refresh = status.refresh.as_ref();
    object(&[
        ("zone", quoted(&view.zone)),
        ("policy", quoted(&view.policy)),
        ("state", quoted(phase_word(status.phase))),
        ("serial_in", serial(status.input_serial)),
        ("serial_out", serial(status.output_serial)),
        ("signed_at", moment(status.signed_at)),
        ("first_expiration", moment(status.earliest_expiration)),
        ("input", quoted(view.input.word())),
        ("masters", maybe(refresh.map(|it| it.masters.len()))),
        ("masters_failing", maybe(refresh.map(|it| it.refusals.len()))),
        ("expires_at", moment(refresh.and_then(|it| it.expires_at))),
        ("output", quoted(view.output.word())),
        ("secondaries", maybe(health.map(|it| it.secondaries))),
        ("behind", maybe(health.map(|it| it.behind))),
        ("late", maybe(health.map(|it| it.late))),
        ("unseen", maybe(health.map(|it| it.unseen))),
        ("ahead", maybe(health.map(|it| it.ahead))),
        ("unacknowledged", maybe(health.map(|it| it.unacknowledged))),
        ("lag_max_seconds", maybe(health.map(|it| it.lag_max.0))),
        ("failure", maybe(status.failure.as_ref().map(|text| quoted(text)))),
    ])
}

fn refresh(refresh: &RefreshStatus) -> String {
    let master = |master: &std::net::SocketAddr| {
        let answered = refresh.answered.iter().find(|(own, _)| own == master).map(|(_, at)| *at);
        let refusal = refresh.refusals.iter().find(|refusal| refusal.master == *master);
        object(&[
            ("address", quoted(&master.to_string())),
            ("last_success", moment(answered)),
            ("refusal", maybe(refusal.map(|refusal| quoted(&refusal.reason)))),
            ("refused_since", moment(refusal.map(|refusal| refusal.since))),
        ])
    };
    let transfer = refresh.transfer.as_ref().map(|last| {
        object(&[
            ("serial", last.serial.to_string()),
            ("from", quoted(&last.from.to_string())),
            ("at", last.at.0.to_string()),
        ])
    });
    object(&[
        ("serial", serial(refresh.serial)),
        ("last_transfer", maybe(transfer)),
        ("confirmed_at", moment(refresh.confirmed_at)),
        ("asking", maybe(refresh.asking.map(|master| quoted(&master.to_string())))),
        ("next_refresh", moment(refresh.next_refresh)),
        ("expires_at", moment(refresh.expires_at)),
        ("masters", list(refresh.masters.iter().map(master))),
    ])
}

fn updates(tally: &UpdateTally) -> String {
    let last = |update: &AnsweredUpdate| {
        object(&[
            ("at", update.at.0.to_string()),
            ("from", quoted(&update.from.to_string())),
            ("key", maybe(update.key.as_ref().map(|key| quoted(&zone_text(key))))),
            ("rcode", quoted(&update.rcode.to_string())),
        ])
    };
    let refused: Vec<(String, String)> =
        tally.refused().map(|(rcode, count)| (rcode.to_string(), count.to_string())).collect();
    let refused: Vec<(&str, String)> =
        refused.iter().map(|(rcode, count)| (rcode.as_str(), count.clone())).collect();
    object(&[
        ("done", tally.done().to_string()),
        ("last_done", maybe(tally.last_done.as_ref().map(last))),
        ("refused", object(&refused)),
        ("last_refused", maybe(tally.last_refused.as_ref().map(last))),
    ])
}

fn outbound(outbound: &OutboundStatus, now: Timestamp) -> String {
    let health = outbound.health(now);
    let OutputHealth { behind, late, unseen, ahead, unacknowledged, lag_max, .. } = health;
    object(&[
        ("serial", serial(outbound.serial)),
        ("ixfr_differences", outbound.steps.0.to_string()),
        ("ixfr_octets", outbound.steps.1.to_string()),
        ("lag_alarm_seconds", maybe(outbound.lag_max.map(|limit| limit.0))),
        ("behind", behind.to_string()),
        ("late", late.to_string()),
        ("unseen", unseen.to_string()),
        ("ahead", ahead.to_string()),
        ("unacknowledged", unacknowledged.to_string()),
        ("lag_max_seconds", lag_max.0.to_string()),
        ("secondaries", list(outbound.secondaries.iter().map(|it| secondary(it, now)))),
    ])
}

fn secondary(secondary: &SecondaryStatus, now: Timestamp) -> String {
    let (standing, lag) = match secondary.standing {
        Standing::Unknown => ("unknown", None),
        Standing::Current => ("current", Some(0)),
        Standing::Behind { since } => ("behind", Some(now.since(since).0)),
        Standing::Ahead => ("ahead", None),
    };
    object(&[
        ("address", quoted(&secondary.address.to_string())),
        ("standing", quoted(standing)),
        ("lag_seconds", maybe(lag)),
        ("serial", serial(secondary.seen.map(|(serial, _)| serial))),
        ("seen_at", moment(secondary.seen.map(|(_, at)| at))),
        ("failing_since", moment(secondary.failing.as_ref().map(|(since, _)| *since))),
        ("failing", maybe(secondary.failing.as_ref().map(|(_, why)| quoted(why)))),
        ("next_look", moment(secondary.next_look)),
        ("notify", maybe(secondary.notify.as_ref().map(notify))),
        ("last_acknowledged", serial(secondary.last_acknowledged.map(|(serial, _)| serial))),
        ("last_acknowledged_at", moment(secondary.last_acknowledged.map(|(_, at)| at))),
    ])
}

fn notify(notify: &NotifyStatus) -> String {
    let (state, serial, at, tries, why) = match notify {
        NotifyStatus::Telling { serial, tries, next, why } => {
            ("telling", serial, *next, Some(*tries), why.as_ref())
        }
        NotifyStatus::Acknowledged { serial, at } => {
            ("acknowledged", serial, Some(*at), None, None)
        }
        NotifyStatus::GivenUp { serial, at, why } => {
            ("given up", serial, Some(*at), None, Some(why))
        }
    };
    let name = if tries.is_some() { "next_try" } else { "at" };
    object(&[
        ("state", quoted(state)),
        ("serial", serial.to_string()),
        (name, moment(at)),
        ("tries", maybe(tries)),
        ("failure", maybe(why.map(|why| quoted(why)))),
    ])
}

fn object(members: &[(&str, String)]) -> String {
    let member = |(name, value): &(&str, String)| format!("\"{name}\":{value}");
    format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
}

/// A list of values.
pub(super) fn list(values: impl Iterator<Item = String>) -> String {
    format!("[{}]", values.collect::<Vec<_>>().join(","))
}

fn maybe(value: Option<impl Display>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

fn serial(serial: Option<Serial>) -> String {
    maybe(serial)
}

fn moment(at: Option<Timestamp>) -> String {
    maybe(at.map(|at| at.0))
}
