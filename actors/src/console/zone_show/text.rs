//! `zone show` for people. In: a [`View`]. Out: lines.

use super::{View, Way, phase_word};
use crate::io::local_time::date_time;
use crate::settings::zone_text;
use crate::transfers::{
    AnsweredUpdate, NotifyStatus, OutboundStatus, SecondaryStatus, TRIES_MAX, UpdateTally,
};
use crate::zone::RefreshStatus;
use dnssec::transfer::watch::Standing;
use dnssec::{Serial, Timestamp};
use std::fmt::Write;

/// Lines about a zone.
pub(super) fn zone(view: &View) -> String {
    let (status, mut text) = (&view.status, String::new());
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{:<14}{value}", format!("{name}:"));
    };
    line("zone", &view.zone);
    line("policy", &view.policy);
    line("state", phase_word(status.phase));
    if let Some(failure) = &status.failure {
        line("failure", failure);
    }
    line("serial in", &serial(status.input_serial));
    line("serial out", &serial(status.output_serial));
    line("signed", &moment(status.signed_at));
    line("next run", &moment(status.next_run));
    line("records", &status.record_count.to_string());
    line("signatures", &status.signature_count.to_string());
    line("first expires", &moment(status.earliest_expiration));
    if let Some(refusal) = &status.gate.refusal {
        line("refused", &refusal.reason);
    }
    if let Some(held) = &status.held_input {
        line("held input", &held.to_string());
    }
    line("input", view.input.word());
    if let Some(refresh) = status.refresh.as_ref().filter(|_| view.input == Way::Dns) {
        masters(refresh, &mut text);
    }
    if let Some(tally) = &view.updates {
        updates(tally, &mut text);
    }
    let _ = writeln!(text, "{:<14}{}", "output:", view.output.word());
    if let Some(outbound) = &view.outbound {
        secondaries(outbound, view.now, &mut text);
    }
    if let Some(failure) = &status.notify_failure {
        let _ = writeln!(text, "  notify command: {failure}");
    }
    text
}

fn serial(serial: Option<Serial>) -> String {
    serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string())
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), date_time)
}

fn masters(refresh: &RefreshStatus, text: &mut String) {
    let last = refresh
        .transfer
        .as_ref()
        .map(|last| format!("serial {} from {}, {}", last.serial, last.from, date_time(last.at)));
    let next = match refresh.asking {
        Some(master) => format!("{master} is being asked"),
        None => moment(refresh.next_refresh),
    };
    let _ = writeln!(text, "  last transfer: {}", last.as_deref().unwrap_or("-"));
    let _ = writeln!(text, "  confirmed: {}", moment(refresh.confirmed_at));
    let _ = writeln!(text, "  next refresh: {next}");
    let _ = writeln!(text, "  expires: {}", moment(refresh.expires_at));
    for master in &refresh.masters {
        let answered = refresh.answered.iter().find(|(own, _)| own == master).map(|(_, at)| *at);
        let refusal = refresh.refusals.iter().find(|refusal| refusal.master == *master);
        let _ = match (refusal, answered) {
            (Some(refusal), answered) => writeln!(
                text,
                "  master {master}: {} (since {}; last success {})",
                refusal.reason,
                date_time(refusal.since),
                moment(answered)
            ),
            (None, Some(at)) => {
                writeln!(text, "  master {master}: well, last success {}", date_time(at))
            }
            (None, None) => writeln!(text, "  master {master}: not asked yet"),
        };
    }
}

/// Of this start of the daemon.
fn updates(tally: &UpdateTally, text: &mut String) {
    let last = |update: &Option<AnsweredUpdate>, name_rcode: bool| {
        let Some(AnsweredUpdate { at, from, key, rcode }) = update else { return String::new() };
        let rcode = if name_rcode { format!("{rcode} ") } else { String::new() };
        let key = key.as_ref().map(|key| format!(" with key {}", zone_text(key)));
        format!("; last {rcode}{} from {from}{}", date_time(*at), key.unwrap_or_default())
    };
    let _ = writeln!(text, "  updates: {} done{}", tally.done(), last(&tally.last_done, false));
    let refused: Vec<String> =
        tally.refused().map(|(rcode, count)| format!("{rcode} {count}")).collect();
    if !refused.is_empty() {
        let (refused, last) = (refused.join(", "), last(&tally.last_refused, true));
        let _ = writeln!(text, "  updates refused: {refused}{last}");
    }
}

fn secondaries(outbound: &OutboundStatus, now: Timestamp, text: &mut String) {
    let (steps, octets) = outbound.steps;
    let _ = writeln!(text, "  served: serial {}", serial(outbound.serial));
    let _ = writeln!(text, "  kept for IXFR: {steps} differences, {octets} octets");
    match outbound.lag_max {
        Some(limit) => {
            let _ = writeln!(text, "  alarm when behind for: {} s", limit.0);
        }
        None => text.push_str("  secondaries are not watched\n"),
    }
    for secondary in &outbound.secondaries {
        let _ = writeln!(text, "  secondary {}: {}", secondary.address, standing(secondary, now));
        if let Some((since, why)) = &secondary.failing {
            let _ = writeln!(text, "    shows no serial since {}: {why}", date_time(*since));
        }
        let _ = writeln!(text, "    NOTIFY: {}", notify(secondary));
        if let Some(at) = secondary.next_look {
            let _ = writeln!(text, "    looked at next: {}", date_time(at));
        }
    }
}

fn standing(secondary: &SecondaryStatus, now: Timestamp) -> String {
    let Some((serial, at)) = secondary.seen else { return "not seen yet".to_owned() };
    let seen = format!("has serial {serial}, seen {}", date_time(at));
    match secondary.standing {
        Standing::Behind { since } => format!("BEHIND for {} s, {seen}", now.since(since).0),
        Standing::Ahead => format!("AHEAD, {seen}: never published here"),
        Standing::Current | Standing::Unknown => format!("up to date, {seen}"),
    }
}

fn notify(secondary: &SecondaryStatus) -> String {
    let last = match secondary.last_acknowledged {
        Some((serial, at)) => format!("last acknowledged serial {serial}, {}", date_time(at)),
        None => "never acknowledged".to_owned(),
    };
    match &secondary.notify {
        None => "not told yet".to_owned(),
        Some(NotifyStatus::Acknowledged { serial, at }) => {
            format!("serial {serial} acknowledged {}", date_time(*at))
        }
        Some(NotifyStatus::Telling { serial, tries, next, why }) => {
            let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
            let next = next.map(|at| format!(", next try {}", date_time(at))).unwrap_or_default();
            let number = tries + 1;
            format!("telling of serial {serial}, try {number} of {TRIES_MAX}{why}{next}; {last}")
        }
        Some(NotifyStatus::GivenUp { serial, at, why }) => {
            let at = date_time(*at);
            format!("given up for serial {serial} {at}: {why}; {last}")
        }
    }
}
