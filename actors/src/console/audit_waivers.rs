//! `audit waive`, `audit unwaive`, `audit waivers`: which findings of which zones do not stop
//! publication, until when and why. In: words. Out: waivers that are durable before they count.
//! Limits: a waiver lasts for [`WAIVER_SECONDS_MAX`], its reason has [`REASON_LENGTH_MAX`].

use super::audit_show::running;
use super::dispatch::{Handler, Handlers};
use super::key_import::parse_time;
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use crate::io::local_time::date_time;
use crate::settings::zone_text;
use crate::zone::ZoneMessage;
use ::audit::{FindingId, Severity};
use console_protocol::parse::Invocation;
use dnssec::{Name, Seconds, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use storage::state::{User, Waiver};

pub(super) const HANDLERS: Handlers = &[
    ("audit waive", Handler::Later(waive)),
    ("audit unwaive", Handler::Later(unwaive)),
    ("audit waivers", Handler::Later(waivers)),
];

/// A waiver lasts no longer, in seconds: a year.
const WAIVER_SECONDS_MAX: u64 = 366 * 86_400;
/// A reason is no longer, in octets.
const REASON_LENGTH_MAX: usize = 500;

/// Why nothing was waived.
#[derive(Debug, thiserror::Error)]
enum WaiveError {
    #[error(transparent)]
    Finding(#[from] ::audit::NoFinding),
    #[error("{0} is a warning, which stops nothing; there is nothing to waive")]
    Warning(FindingId),
    #[error(
        "{0} cannot be waived: the zone would be bogus for every validator, or its secondaries \
         would not follow ({title}); remedy: {remedy}", title = .0.title(), remedy = .0.remedy()
    )]
    Fatal(FindingId),
    #[error("--until is missing: a waiver has an end, as --until 2030-01-31")]
    NoEnd,
    #[error("{0} is no date; write YYYY-MM-DD or YYYY-MM-DD-HH:MM:SS")]
    End(String),
    #[error("--until is not in the future")]
    Past,
    #[error("--until is more than a year ahead")]
    TooLong,
    #[error("--reason is missing: whoever looks at this later has to know why")]
    NoReason,
    #[error("the reason has more than {REASON_LENGTH_MAX} octets")]
    LongReason,
}

/// One waiver in a list.
pub(super) fn line(waiver: &Waiver) -> String {
    let giver = waiver.given_by.as_ref().map_or("nobody known".to_owned(), |by| by.to_string());
    let title = FindingId::try_from(waiver.finding).map_or("", FindingId::title);
    format!(
        "waived: A{} until {}, by {giver} at {}: {} ({title})",
        waiver.finding,
        date_time(waiver.until),
        date_time(waiver.given_at),
        waiver.reason
    )
}

fn waive(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = match running(&site, &invocation) {
            Ok(zone) => zone,
            Err(output) => return output,
        };
        let now = site.staff.clock.now();
        let (id, waiver) = match read(&invocation, now) {
            Ok(waiver) => waiver,
            Err(error) => return Output::refused(format!("{error}\n"), 1),
        };
        let said = line(&waiver);
        if let Err(error) = site.staff.zones.store().waive(&zone.settings.name, waiver, now).await {
            return Output::refused(format!("{error}\n"), 1);
        }
        let name = zone.text();
        tracing::warn!(target: "audit", zone = %name, finding = %id, "zone {name}: {said}");
        // What was held for it can pass now.
        zone.tell(ZoneMessage::SignNow);
        Output::done(format!("{name}: {said}\n"))
    }
    .boxed_local()
}

/// What the words say.
fn read(invocation: &Invocation, now: Timestamp) -> Result<(FindingId, Waiver), WaiveError> {
    let id = finding(invocation)?;
    if id.severity() == Severity::Warn {
        return Err(WaiveError::Warning(id));
    }
    if !id.can_be_waived() {
        return Err(WaiveError::Fatal(id));
    }
    let typed = invocation.value("until").ok_or(WaiveError::NoEnd)?;
    let until = end(typed).ok_or_else(|| WaiveError::End(typed.to_owned()))?;
    if until <= now {
        return Err(WaiveError::Past);
    }
    if until > now.plus(Seconds(WAIVER_SECONDS_MAX)) {
        return Err(WaiveError::TooLong);
    }
    let reason = invocation.value("reason").map(str::trim).unwrap_or_default();
    if reason.is_empty() {
        return Err(WaiveError::NoReason);
    }
    if reason.len() > REASON_LENGTH_MAX {
        return Err(WaiveError::LongReason);
    }
    let given_by = invocation.given_by.as_ref();
    let waiver = Waiver {
        finding: id.code(),
        until,
        reason: reason.chars().filter(|character| !character.is_control()).collect(),
        given_at: now,
        given_by: given_by.map(|user| User { id: user.id, name: user.name.clone() }),
    };
    Ok((id, waiver))
}

fn finding(invocation: &Invocation) -> Result<FindingId, ::audit::NoFinding> {
    invocation.operands.get(1).map_or("", String::as_str).parse()
}

/// A date, at its first second, or a moment, in this machine's time zone.
fn end(text: &str) -> Option<Timestamp> {
    parse_time(text).or_else(|| parse_time(&format!("{text}-00:00:00")))
}

fn unwaive(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = match running(&site, &invocation) {
            Ok(zone) => zone,
            Err(output) => return output,
        };
        let id = match finding(&invocation) {
            Ok(id) => id,
            Err(error) => return Output::refused(format!("{error}\n"), 1),
        };
        let name = zone.text();
        match site.staff.zones.store().unwaive(&zone.settings.name, id.code()).await {
            Ok(true) => {
                tracing::warn!(target: "audit", zone = %name, finding = %id,
                    "zone {name}: {id} is not waived any more");
                Output::done(format!("{name}: {id} is not waived any more\n"))
            }
            Ok(false) => Output::refused(format!("{name}: {id} is not waived\n"), 1),
            Err(error) => Output::refused(format!("{error}\n"), 1),
        }
    }
    .boxed_local()
}

/// The names of a waiver's facts.
pub(super) const WAIVER: &[&str] =
    &["zone", "finding", "title", "until", "reason", "given_at", "given_by"];

/// One waiver for programs.
pub(super) fn row(zone: &Name, waiver: &Waiver) -> Vec<Cell> {
    let title = FindingId::try_from(waiver.finding).map_or("", FindingId::title);
    vec![
        Cell::text(zone_text(zone)),
        Cell::text(format!("A{}", waiver.finding)),
        Cell::text(title),
        Cell::Moment(waiver.until),
        Cell::text(&*waiver.reason),
        Cell::Moment(waiver.given_at),
        Cell::maybe(waiver.given_by.as_ref().map(ToString::to_string)),
    ]
}

fn waivers(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let now = site.staff.clock.now();
        match site.staff.zones.store().waivers(None).await {
            Ok(all) => {
                let standing = all.iter().filter(|(_, waiver)| waiver.until > now);
                if invocation.has("json") {
                    return array(WAIVER, standing.map(|(zone, waiver)| row(zone, waiver)));
                }
                let text: String = standing
                    .map(|(zone, waiver)| format!("{}: {}\n", zone_text(zone), line(waiver)))
                    .collect();
                match text.is_empty() {
                    true => Output::done("nothing is waived\n"),
                    false => Output::done(text),
                }
            }
            Err(error) => Output::refused(format!("{error}\n"), 1),
        }
    }
    .boxed_local()
}
