//! `audit log`, `audit log verify`, `audit log export`: what the auditor said of which version, and
//! the proof that nobody changed it since. `audit status`, `audit selftest`, `audit trust`: the
//! auditor itself. In: words. Out: text or JSON. Never: a change of an entry.
//! Limits: [`SHOWN_MAX`] entries at a time.

use super::dispatch::{Handler, Handlers};
use super::listing::{Cell, lines, members};
use super::output::Output;
use super::site::Site;
use crate::audit::{AuditorMessage, VigilStatus, hex};
use crate::io::local_time::date_time;
use crate::runtime::Reply;
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::Name;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use std::time::Duration;
use storage::state::{
    ChainHash, ChainedEntry, Extent, Judged, Outcome, TestOutcome, Tested, User, VerdictEvent,
};

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[
    ("audit log", Handler::Later(log)),
    ("audit log verify", Handler::Later(verify)),
    ("audit log export", Handler::Later(export)),
    ("audit status", Handler::Later(status)),
    ("audit selftest", Handler::Later(selftest)),
    ("audit trust", Handler::Later(trust)),
];

/// Entries that `audit log` shows, unless told.
const SHOWN: usize = 20;
/// Entries that one command shows at most.
const SHOWN_MAX: usize = 100_000;
/// Entries that `audit log export` prints, unless told.
const EXPORTED: usize = 10_000;
/// Longest wait for a test with all kinds of changes, or for the watcher's words.
const DEADLINE: Duration = Duration::from_secs(50);

fn refused(text: impl std::fmt::Display) -> Output {
    Output::refused(format!("{text}\n"), 1)
}

/// An option's number.
fn number<T: std::str::FromStr>(
    invocation: &Invocation,
    option: &str,
    otherwise: T,
) -> Result<T, Output> {
    let Some(text) = invocation.value(option) else { return Ok(otherwise) };
    text.parse().map_err(|_| refused(format!("--{option} {text}: a number was expected")))
}

fn log(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        // Zones that were removed have entries too.
        let zone = match invocation.operands.first() {
            None => None,
            Some(typed) => match Name::parse(typed.as_bytes(), Some(&Name::root())) {
                Ok(zone) => Some(zone),
                Err(_) => return refused(format!("{typed} is no zone name")),
            },
        };
        let count = match number(&invocation, "number", SHOWN) {
            Ok(count) => count.min(SHOWN_MAX),
            Err(output) => return output,
        };
        match site.staff.zones.store().verdicts(zone.as_ref(), count).await {
            Ok(entries) if invocation.has("json") => {
                Output::done(lines(entries.iter().map(json).collect()))
            }
            Ok(entries) => Output::done(entries.iter().map(line).collect::<String>()),
            Err(error) => refused(error),
        }
    }
    .boxed_local()
}

fn export(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let first = number(&invocation, "from", 0);
        let count = number(&invocation, "number", EXPORTED);
        let (first, count) = match (first, count) {
            (Ok(first), Ok(count)) => (first, count.min(SHOWN_MAX)),
            (Err(output), _) | (_, Err(output)) => return output,
        };
        match site.staff.zones.store().verdicts_from(first, count).await {
            Ok(entries) => {
                let rest = match entries.last() {
                    Some(last) if entries.len() == count => {
                        format!("there may be more: go on with --from {}\n", last.number + 1)
                    }
                    _ => String::new(),
                };
                let stdout: String = entries.iter().map(|entry| json(entry) + "\n").collect();
                Output { stderr: rest, ..Output::done(stdout) }
            }
            Err(error) => refused(error),
        }
    }
    .boxed_local()
}

fn verify(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let known = match invocation.value("known").map(|text| (text, known(text))) {
            None => None,
            Some((_, Some(known))) => Some(known),
            Some((text, None)) => {
                return refused(format!("--known {text}: NUMBER:HASH was expected"));
            }
        };
        let proof = match site.staff.zones.store().verify_verdicts(known).await {
            Ok(proof) => proof,
            Err(error) => return refused(error),
        };
        let mut text = match proof.last {
            None => "the audit log is empty\n".to_owned(),
            Some((last, hash)) => format!(
                "entries {} to {last} ({} entries), the last hash is {last}:{}\n",
                proof.first,
                proof.count,
                hex(&hash)
            ),
        };
        if proof.faults.is_empty() {
            text.push_str("the chain is whole\n");
            return Output::done(text);
        }
        let faults: String = proof.faults.iter().map(|fault| format!("{fault}\n")).collect();
        Output { stdout: text, ..Output::refused(format!("THE CHAIN IS BROKEN\n{faults}"), 1) }
    }
    .boxed_local()
}

/// `NUMBER:HASH`.
fn known(text: &str) -> Option<(u64, ChainHash)> {
    let (number, digits) = text.split_once(':')?;
    let mut hash: ChainHash = [0; 32];
    if digits.len() != 2 * hash.len() || !digits.is_ascii() {
        return None;
    }
    for (octet, place) in hash.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(digits.get(place..place + 2)?, 16).ok()?;
    }
    Some((number.parse().ok()?, hash))
}

fn status(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        match site.staff.auditor.observe(DEADLINE).await {
            Ok(status) if invocation.has("json") => status_object(&status),
            Ok(status) => status_output(&status),
            Err(error) => refused(error),
        }
    }
    .boxed_local()
}

/// The same for programs; the exit code says whether there is an alarm.
fn status_object(status: &VigilStatus) -> Output {
    let test = status.last_test.as_ref();
    let names = &[
        "last_verdict",
        "verdicts",
        "last_passed_test",
        "last_test",
        "last_test_zone",
        "last_test_outcome",
        "process",
        "waiting",
        "silent_seconds",
        "distrusted",
    ];
    let row = [
        Cell::moment(status.last_verdict),
        Cell::Number(status.verdict_count),
        Cell::moment(status.last_caught),
        Cell::moment(test.map(|test| test.at)),
        Cell::maybe(test.map(|test| zone_text(&test.zone))),
        Cell::maybe(test.map(|test| test_word(test.outcome))),
        status.process_id.map_or(Cell::Nothing, |process| Cell::Number(u64::from(process))),
        Cell::Number(status.waiting as u64),
        status.silent_for.map_or(Cell::Nothing, |length| Cell::Number(length.as_secs())),
        Cell::maybe(status.distrusted.as_ref().map(ToString::to_string)),
    ];
    let is_alarm = status.silent_for.is_some() || status.distrusted.is_some();
    Output::said(members(names, &row) + "\n", u8::from(is_alarm))
}

fn status_output(status: &VigilStatus) -> Output {
    let at = |at: Option<dnssec::Timestamp>| at.map_or("none since the start".into(), date_time);
    let mut text = format!("last verdict: {}\n", at(status.last_verdict));
    text.push_str(&format!("verdicts since the start: {}\n", status.verdict_count));
    text.push_str(&format!("last test that it passed: {}\n", at(status.last_caught)));
    if let Some(test) = &status.last_test {
        let (zone, outcome) = (zone_text(&test.zone), test_word(test.outcome));
        text.push_str(&format!("last test: {}, zone {zone}: {outcome}\n", date_time(test.at)));
    }
    if let Some(process) = status.process_id {
        text.push_str(&format!("process: {process}\n"));
    }
    text.push_str(&format!("zones that wait for a verdict: {}\n", status.waiting));
    let mut alarms = String::new();
    if let Some(length) = status.silent_for {
        alarms.push_str(&format!("ALARM: no verdict for {} s\n", length.as_secs()));
    }
    if let Some(why) = &status.distrusted {
        alarms.push_str(&format!("ALARM: {why}\n"));
    }
    match alarms.is_empty() {
        true => Output::done(text),
        false => Output { stdout: text, ..Output::refused(alarms, 1) },
    }
}

fn selftest(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let typed = invocation.operands.first().map(String::as_str).unwrap_or_default();
        let Some(zone) = site.zone(typed) else {
            return refused(format!("zone {typed} is not known"));
        };
        let (reply, answer) = Reply::channel();
        let zone = zone.settings.name.clone();
        let auditor = site.staff.auditor.outbox();
        if let Err(undelivered) = auditor.tell(AuditorMessage::Test { zone, reply }) {
            return refused(undelivered.error);
        }
        match answer.within(auditor.to(), DEADLINE).await {
            Err(error) => refused(error),
            Ok(Err(reason)) => refused(format!("no test: {reason}")),
            Ok(Ok(reports)) => {
                let has_passed = reports.iter().all(|one| one.outcome == TestOutcome::Caught);
                let lines: String = reports.iter().map(test_line).collect();
                Output::said(lines, u8::from(!has_passed))
            }
        }
    }
    .boxed_local()
}

fn trust(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let Some(reason) = invocation.value("reason").map(str::to_owned) else {
            return refused("--reason is missing: whoever looks at this later has to know why");
        };
        let by = invocation.given_by.as_ref();
        let by = by.map(|user| User { id: user.id, name: user.name.clone() });
        let (reply, answer) = Reply::channel();
        let auditor = site.staff.auditor.outbox();
        if let Err(undelivered) = auditor.tell(AuditorMessage::Trust { by, reason, reply }) {
            return refused(undelivered.error);
        }
        match answer.within(auditor.to(), DEADLINE).await {
            Err(error) => refused(error),
            Ok(Err(error)) => refused(error),
            Ok(Ok(true)) => {
                Output::done("the auditor is trusted again; all zones are signed now\n")
            }
            Ok(Ok(false)) => Output::done("the auditor was trusted already\n"),
        }
    }
    .boxed_local()
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approve => "approve",
        Outcome::Hold => "hold",
        Outcome::Reject => "reject",
        Outcome::NoVerdict => "no verdict",
    }
}

fn test_word(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Caught => "refused, as it had to be",
        TestOutcome::OtherFinding => "refused for another reason",
        TestOutcome::Missed => "APPROVED, WHICH IS WRONG",
        TestOutcome::NoVerdict => "no verdict",
    }
}

fn extent_word(extent: Extent) -> &'static str {
    match extent {
        Extent::Whole => "whole",
        Extent::Difference => "difference",
    }
}

fn findings_text(findings: &[u16]) -> String {
    findings.iter().map(|number| format!(" A{number}")).collect()
}

fn test_line(tested: &Tested) -> String {
    format!(
        "{} ({}): {}{}\n",
        tested.mutation,
        extent_word(tested.extent),
        test_word(tested.outcome),
        findings_text(&tested.findings)
    )
}

/// An entry for people.
fn line(entry: &ChainedEntry) -> String {
    let what = match &entry.entry.event {
        VerdictEvent::Judged(judged) => judged_text(judged),
        VerdictEvent::Tested(tested) => {
            format!("{} self test: {}", zone_text(&tested.zone), test_line(tested).trim_end())
        }
        VerdictEvent::Trusted { by, reason } => {
            let by = by.as_ref().map_or(String::new(), |by| format!(" by {by}"));
            format!("auditor trusted again{by}: {reason}")
        }
        VerdictEvent::Pruned { through, .. } => {
            format!("entries up to {through} removed after their time")
        }
    };
    format!("{} {} {what}\n", entry.number, date_time(entry.entry.at))
}

fn judged_text(judged: &Judged) -> String {
    let serial = judged.serial.map_or("-".to_owned(), |serial| serial.to_string());
    let digest = judged.digest.map_or("-".to_owned(), |digest| hex(&digest[..8]));
    format!(
        "{} {serial} {} ({}) sha256 {digest}..., {} findings{}, {}",
        zone_text(&judged.zone),
        outcome_word(judged.outcome),
        extent_word(judged.extent),
        judged.finding_count,
        findings_text(&judged.findings),
        judged.auditor
    )
}

/// A text in JSON (RFC 8259 §7).
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            letter if u32::from(letter) < 0x20 => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(letter)));
            }
            letter => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// An entry as an object of JSON.
fn json(entry: &ChainedEntry) -> String {
    let numbers = |findings: &[u16]| {
        let numbers: Vec<String> = findings.iter().map(|number| format!("\"A{number}\"")).collect();
        numbers.join(",")
    };
    let serial = |serial: Option<dnssec::Serial>| {
        serial.map_or("null".to_owned(), |serial| serial.to_string())
    };
    let what = match &entry.entry.event {
        VerdictEvent::Judged(judged) => format!(
            "\"event\":\"verdict\",\"zone\":{},\"serial\":{},\"verdict\":\"{}\",\"extent\":\"{}\",\
             \"digest\":{},\"finding_count\":{},\"findings\":[{}],\"auditor\":{}",
            quoted(&judged.zone.to_string()),
            serial(judged.serial),
            outcome_word(judged.outcome),
            extent_word(judged.extent),
            judged.digest.map_or("null".to_owned(), |digest| quoted(&hex(&digest))),
            judged.finding_count,
            numbers(&judged.findings),
            quoted(&judged.auditor)
        ),
        VerdictEvent::Tested(tested) => format!(
            "\"event\":\"self test\",\"zone\":{},\"serial\":{},\"change\":{},\"extent\":\"{}\",\
             \"outcome\":\"{}\",\"findings\":[{}],\"auditor\":{}",
            quoted(&tested.zone.to_string()),
            serial(tested.serial),
            quoted(&tested.mutation),
            extent_word(tested.extent),
            match tested.outcome {
                TestOutcome::Caught => "caught",
                TestOutcome::OtherFinding => "other finding",
                TestOutcome::Missed => "missed",
                TestOutcome::NoVerdict => "no verdict",
            },
            numbers(&tested.findings),
            quoted(&tested.auditor)
        ),
        VerdictEvent::Trusted { by, reason } => format!(
            "\"event\":\"trusted\",\"by\":{},\"reason\":{}",
            by.as_ref().map_or("null".to_owned(), |by| quoted(&by.to_string())),
            quoted(reason)
        ),
        VerdictEvent::Pruned { through, hash } => {
            format!("\"event\":\"removed\",\"through\":{through},\"hash\":{}", quoted(&hex(hash)))
        }
    };
    format!(
        "{{\"number\":{},\"time\":{},{what},\"previous\":\"{}\",\"hash_of_entry\":\"{}\"}}",
        entry.number,
        entry.entry.at.0,
        hex(&entry.previous),
        hex(&entry.hash)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_hash_is_read() {
        let text = format!("12:{}", "ab".repeat(32));
        assert_eq!(known(&text), Some((12, [0xAB; 32])));
        for wrong in ["", "12", "12:", "12:ab", ":ab", &text[..66], &format!("{text}a"), "1:é"] {
            assert_eq!(known(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn texts_are_quoted_as_json() {
        assert_eq!(quoted("a\"b\\c\nd"), r#""a\"b\\c\u000ad""#);
    }
}
