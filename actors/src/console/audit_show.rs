//! `zone audit`, `zone diff`: what the gate said of a zone, and what a refused candidate would
//! change. In: the zone's status, its published version, the candidate on disk. Out: text, or
//! JSON.
//! Limits: [`RECORDS_SHOWN`] records of a difference, unless all are asked for, and then
//! [`DIFFERENCE_BYTES_MAX`] of text.

use super::audit_waivers;
use super::dispatch::{Handler, Handlers};
use super::listing::{Cell, members};
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
use storage::state::Waiver;

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
        let waivers = match standing(&site, &zone).await {
            Ok(waivers) => waivers,
            Err(error) => return Output::refused(format!("{error}\n"), 1),
        };
        if invocation.has("json") {
            return Output::said(object(&zone, &waivers) + "\n", exit_code);
        }
        push_status(&site, &zone, &mut text);
        for waiver in &waivers {
            text.push_str(&format!("  {}\n", audit_waivers::line(waiver)));
        }
        Output::said(text, exit_code)
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

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Approved => "approved",
        Outcome::Held => "held",
        Outcome::Rejected => "rejected",
    }
}

/// The same facts for programs.
fn object(zone: &RunningZone, waivers: &[Waiver]) -> String {
    let status = zone.status.borrow();
    let gate = &status.gate;
    let (last, refusal) = (gate.last.as_ref(), gate.refusal.as_ref());
    let findings = last.iter().flat_map(|verdict| &verdict.findings).map(ToString::to_string);
    let waived = |waiver: &Waiver| {
        members(audit_waivers::WAIVER, &audit_waivers::row(&zone.settings.name, waiver))
    };
    let kept = refusal.and_then(|refusal| refusal.kept.as_ref().ok());
    let names = &[
        "zone",
        "published",
        "verdict",
        "verdict_serial",
        "verdict_at",
        "by_difference",
        "finding_count",
        "findings",
        "full_audit_at",
        "full_audit_due",
        "refused_serial",
        "refused_at",
        "refused",
        "candidate",
        "held_input",
        "waivers",
    ];
    let row = [
        Cell::text(zone.text()),
        Cell::serial(status.output_serial),
        Cell::maybe(last.map(|verdict| word(verdict.outcome))),
        Cell::serial(last.and_then(|verdict| verdict.serial)),
        Cell::moment(last.map(|verdict| verdict.at)),
        last.map_or(Cell::Nothing, |verdict| Cell::Flag(verdict.is_by_difference)),
        last.map_or(Cell::Nothing, |verdict| Cell::Number(verdict.finding_count as u64)),
        Cell::Texts(findings.collect()),
        Cell::moment(gate.whole_at),
        Cell::moment(gate.whole_due()),
        Cell::serial(refusal.and_then(|refusal| refusal.verdict.serial)),
        Cell::moment(refusal.map(|refusal| refusal.verdict.at)),
        Cell::maybe(refusal.map(|refusal| &*refusal.reason)),
        Cell::maybe(kept.map(|path| path.to_string_lossy())),
        Cell::maybe(status.held_input.as_ref().map(ToString::to_string)),
        Cell::Objects(waivers.iter().map(waived).collect()),
    ];
    members(names, &row)
}

fn push_verdict(verdict: &LastVerdict, text: &mut String) {
    let outcome = word(verdict.outcome);
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

/// The waivers that have not ended.
async fn standing(site: &Site, zone: &RunningZone) -> Result<Vec<Waiver>, String> {
    let now = site.staff.clock.now();
    let waivers = site.staff.zones.store().waivers(Some(&zone.settings.name)).await;
    let waivers = waivers.map_err(|error| error.to_string())?.into_iter();
    Ok(waivers.map(|(_, waiver)| waiver).filter(|waiver| waiver.until > now).collect())
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
        let is_json = invocation.has("json");
        let job = move || match kept_candidate(&pool, &folder, &name) {
            Ok(Some(kept)) if is_json => {
                Output::done(diff_object(&kept, published.as_ref(), count) + "\n")
            }
            Ok(Some(kept)) => Output::done(shown(&kept, published.as_ref(), count)),
            Ok(None) => Output::refused("no refused candidate is kept\n", 1),
            Err(error) => Output::refused(format!("{error}\n"), 1),
        };
        match site.staff.desk.run(job) {
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
    let report: String = kept.report.lines().map(|line| format!("; {line}\n")).collect();
    let mut text = format!("{report}; candidate: serial {}\n", serial(&kept.candidate));
    let Some(published) = published else {
        text.push_str("; nothing is published to compare it with\n");
        return text;
    };
    text.push_str(&format!("; published: serial {}\n", serial(published)));
    let difference = Difference::of(kept, published, count);
    let (removed, added) = (difference.removed, difference.added);
    text.push_str(&format!("; {removed} records removed, {added} added\n"));
    for (sign, line) in &difference.lines {
        text.push(if *sign == REMOVED { '-' } else { '+' });
        text.push_str(line);
    }
    let left = removed + added - difference.lines.len();
    if left > 0 {
        text.push_str(&format!("; {left} more records; --all shows all\n"));
    }
    text
}

/// The same for programs.
fn diff_object(kept: &Kept, published: Option<&Stored>, count: usize) -> String {
    let difference = published.map(|published| Difference::of(kept, published, count));
    let number = |of: fn(&Difference) -> usize| {
        difference.as_ref().map_or(Cell::Nothing, |found| Cell::Number(of(found) as u64))
    };
    let record = |(change, line): &(&str, String)| {
        members(&["change", "record"], &[Cell::text(*change), Cell::text(line.trim_end())])
    };
    let records = difference.iter().flat_map(|found| &found.lines).map(record).collect();
    let row = [
        Cell::Number(u64::from(serial(&kept.candidate))),
        published.map_or(Cell::Nothing, |published| Cell::Number(u64::from(serial(published)))),
        Cell::Texts(kept.report.lines().map(str::to_owned).collect()),
        number(|found| found.removed),
        number(|found| found.added),
        number(|found| found.removed + found.added - found.lines.len()),
        Cell::Objects(records),
    ];
    let names = ["candidate", "published", "report", "removed", "added", "left_out", "records"];
    members(&names, &row)
}

fn serial(stored: &Stored) -> u32 {
    stored.version.serial().map_or(0, |serial| serial.0)
}

const REMOVED: &str = "removed";

/// What a candidate would change, as far as it is shown.
struct Difference {
    removed: usize,
    added: usize,
    /// The change and the record, with its line end.
    lines: Vec<(&'static str, String)>,
}

impl Difference {
    /// `count` records at most.
    fn of(kept: &Kept, published: &Stored, count: usize) -> Difference {
        let difference = difference(&published.version, &kept.candidate.version);
        let (removed, added) = (texts(&difference.removed), texts(&difference.added));
        let counts = (removed.len(), added.len());
        let lines = removed.into_iter().map(|line| (REMOVED, line));
        let lines = lines.chain(added.into_iter().map(|line| ("added", line)));
        let mut octets = 0;
        let fits = |(_, line): &(&str, String)| {
            octets += line.len();
            octets <= DIFFERENCE_BYTES_MAX
        };
        let lines = lines.take(count).take_while(fits).collect();
        Difference { removed: counts.0, added: counts.1, lines }
    }
}
