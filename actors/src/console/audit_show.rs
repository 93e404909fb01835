//! `zone audit`, `zone diff`: what the gate said of a zone, and what a refused candidate would
//! change. In: the zone's status, its published version, the candidate on disk. Out: text.
//! Limits: [`RECORDS_SHOWN`] records of a difference, unless all are asked for, and then
//! [`DIFFERENCE_BYTES_MAX`] of text.

use super::dispatch::{Handler, Handlers};
use super::output::Output;
use super::site::Site;
use crate::io::local_time::date_time;
use crate::runtime::Reply;
use crate::stages::publish::Stored;
use crate::system::RunningZone;
use crate::zone::ZoneMessage;
use crate::zone::gate::{Kept, LastVerdict, Outcome, Refusal, kept_candidate};
use console_protocol::parse::Invocation;
use dnssec::zone::diff::difference;
use dnssec::zone::texts::texts;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use std::time::Duration;

pub(super) const HANDLERS: Handlers =
    &[("zone audit", Handler::Later(zone_audit)), ("zone diff", Handler::Later(zone_diff))];

/// Records of a difference that are shown.
const RECORDS_SHOWN: usize = 200;
/// No more text of a difference is shown, in bytes.
const DIFFERENCE_BYTES_MAX: usize = 64 << 20;
/// Findings of a verdict that are shown.
const FINDINGS_SHOWN: usize = 20;
/// Longest wait for a zone's answer out of its memory.
const ZONE_DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait for an audit; the command itself ends then.
const AUDIT_DEADLINE: Duration = Duration::from_secs(55);

fn zone_audit(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = match running(&site, &invocation) {
            Ok(zone) => zone,
            Err(output) => return output,
        };
        let mut text = String::new();
        let mut exit_code = 0;
        if invocation.has("now") {
            match ask(&zone, AUDIT_DEADLINE, |reply| ZoneMessage::JudgeWhole { reply }).await {
                Ok(Ok(verdict)) => exit_code = u8::from(verdict.outcome != Outcome::Approved),
                Ok(Err(error)) | Err(error) => {
                    return Output::refused(format!("no verdict: {error}\n"), 1);
                }
            }
        }
        push_status(&site, &zone, &mut text);
        match push_waivers(&site, &zone, &mut text).await {
            Ok(()) => Output::said(text, exit_code),
            Err(error) => Output::refused(format!("{error}\n"), 1),
        }
    }
    .boxed_local()
}

/// The zone that is named.
pub(super) fn running(site: &Site, invocation: &Invocation) -> Result<Arc<RunningZone>, Output> {
    let typed = invocation.operands.first().map_or("", String::as_str);
    let unknown = || Output::refused(format!("zone {typed} is not known\n"), 1);
    site.zone(typed).ok_or_else(unknown)
}

async fn ask<T>(
    zone: &RunningZone,
    deadline: Duration,
    message: impl FnOnce(Reply<T>) -> ZoneMessage,
) -> Result<T, String> {
    let (reply, answer) = Reply::channel();
    let outbox = zone.actor.outbox();
    outbox.tell(message(reply)).map_err(|undelivered| undelivered.error.to_string())?;
    answer.within(outbox.to(), deadline).await.map_err(|error| error.to_string())
}

fn push_status(site: &Site, zone: &RunningZone, text: &mut String) {
    let status = zone.status.borrow();
    let gate = &status.gate;
    text.push_str(&format!("{}\n", zone.text()));
    match status.output_serial {
        Some(serial) => text.push_str(&format!("  published: serial {serial}\n")),
        None => text.push_str("  published: nothing yet\n"),
    }
    match &gate.last {
        Some(verdict) => push_verdict(verdict, text),
        None => text.push_str("  last verdict: none since the start of the daemon\n"),
    }
    match (gate.whole_at, gate.whole_due()) {
        (Some(at), Some(due)) => text.push_str(&format!(
            "  full audit: passed at {}; the next at {} or before\n",
            date_time(at),
            date_time(due.max(site.staff.clock.now()))
        )),
        _ => text.push_str("  full audit: none since the start of the daemon\n"),
    }
    match &gate.refusal {
        Some(refusal) => push_refusal(&zone.text(), refusal, text),
        None => text.push_str("  refused: nothing\n"),
    }
    if let Some(held) = &status.held_input {
        text.push_str(&format!("  input: {held}\n"));
    }
}

fn push_verdict(verdict: &LastVerdict, text: &mut String) {
    let outcome = match verdict.outcome {
        Outcome::Approved => "approved",
        Outcome::Held => "held",
        Outcome::Rejected => "rejected",
    };
    let extent = if verdict.is_by_difference { "by its difference" } else { "all of it" };
    let serial = verdict.serial.map_or("without serial".into(), |one| format!("serial {one}"));
    let at = date_time(verdict.at);
    text.push_str(&format!("  last verdict: {serial} {outcome} at {at}, {extent}\n"));
    verdict
        .findings
        .iter()
        .take(FINDINGS_SHOWN)
        .for_each(|finding| text.push_str(&format!("    {finding}\n")));
    if let Some(more) = verdict.finding_count.checked_sub(FINDINGS_SHOWN).filter(|more| *more > 0) {
        text.push_str(&format!("    and {more} more findings\n"));
    }
}

fn push_refusal(zone: &str, refusal: &Refusal, text: &mut String) {
    let serial = refusal.verdict.serial.map_or("none".into(), |serial| serial.to_string());
    let at = date_time(refusal.verdict.at);
    text.push_str(&format!("  refused: serial {serial} at {at}: {}\n", refusal.reason));
    match &refusal.kept {
        Ok(path) => text.push_str(&format!(
            "  candidate: {} (\"anchorite zone diff {zone}\")\n",
            path.display()
        )),
        Err(why) => text.push_str(&format!("  candidate: not kept: {why}\n")),
    }
}

async fn push_waivers(site: &Site, zone: &RunningZone, text: &mut String) -> Result<(), String> {
    let now = site.staff.clock.now();
    let waivers = site.staff.zones.store().waivers(Some(&zone.settings.name)).await;
    for (_, waiver) in waivers.map_err(|error| error.to_string())? {
        if waiver.until > now {
            text.push_str(&format!("  {}\n", super::audit_waivers::line(&waiver)));
        }
    }
    Ok(())
}

fn zone_diff(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = match running(&site, &invocation) {
            Ok(zone) => zone,
            Err(output) => return output,
        };
        let published = ask(&zone, ZONE_DEADLINE, |reply| ZoneMessage::Published { reply }).await;
        let published = match published {
            Ok(published) => published,
            Err(error) => return Output::refused(format!("{error}\n"), 1),
        };
        let (pool, name) = (site.staff.pool.clone(), zone.settings.name.clone());
        let folder = site.staff.zones.snapshot_folder().to_owned();
        let count = if invocation.has("all") { usize::MAX } else { RECORDS_SHOWN };
        let job = move || match kept_candidate(&pool, &folder, &name) {
            Ok(Some(kept)) => Output::done(shown(&kept, published.as_ref(), count)),
            Ok(None) => Output::refused("no refused candidate is kept\n", 1),
            Err(error) => Output::refused(format!("{error}\n"), 1),
        };
        match site.staff.pool.run(job) {
            Ok(answer) => {
                answer.await.unwrap_or_else(|error| Output::refused(format!("{error}\n"), 1))
            }
            Err(busy) => Output::refused(format!("{busy}\n"), 1),
        }
    }
    .boxed_local()
}

/// The difference as text: what the candidate would remove and add.
fn shown(kept: &Kept, published: Option<&Stored>, count: usize) -> String {
    let candidate = &kept.candidate.version;
    let serial = |stored: &Stored| stored.version.serial().map_or(0, |serial| serial.0);
    let report: String = kept.report.lines().map(|line| format!("; {line}\n")).collect();
    let mut text = format!("{report}; candidate: serial {}\n", serial(&kept.candidate));
    let Some(published) = published else {
        text.push_str("; nothing is published to compare it with\n");
        return text;
    };
    text.push_str(&format!("; published: serial {}\n", serial(published)));
    let difference = difference(&published.version, candidate);
    let removed = texts(&difference.removed);
    let added = texts(&difference.added);
    text.push_str(&format!("; {} records removed, {} added\n", removed.len(), added.len()));
    let lines = removed.iter().map(|line| ('-', line)).chain(added.iter().map(|line| ('+', line)));
    let mut left = removed.len() + added.len();
    for (sign, line) in lines.take(count) {
        if text.len() + line.len() > DIFFERENCE_BYTES_MAX {
            break;
        }
        text.push(sign);
        text.push_str(line);
        left -= 1;
    }
    if left > 0 {
        text.push_str(&format!("; {left} more records; --all shows all\n"));
    }
    text
}
