//! `zone input`: what the input breaker holds, and the operator's answer to it.
//! In: a zone, perhaps an answer. Out: text; the answer in the store, then an order to the zone.
//! An answer is to the input that is held at this moment, by its digest: another one that comes in
//! meanwhile is judged by itself.

use super::dispatch::{Handler, Handlers, wrong_arguments};
use super::key_change::cause;
use super::listing::{Cell, members};
use super::output::Output;
use super::site::Site;
use crate::io::local_time::date_time;
use crate::system::RunningZone;
use crate::zone::ZoneMessage;
use console_protocol::parse::Invocation;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::fmt::Write;
use std::sync::Arc;
use storage::state::{HeldInput, InputAnswer, InputChoice};

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[("zone input", Handler::Later(zone_input))];

/// Fewest digits that name a digest.
const DIGITS_LEAST: usize = 8;

fn zone_input(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let mut words = invocation.operands.iter().map(String::as_str);
        let (typed, choice, digest) = (words.next(), words.next(), words.next());
        let typed = typed.unwrap_or_default();
        let Some(zone) = site.zone(typed) else {
            return Output::refused(format!("zone {typed} is not known\n"), 1);
        };
        let choice = match choice {
            None => None,
            Some("accept") => Some(InputChoice::Accepted),
            Some("reject") => Some(InputChoice::Rejected),
            Some(other) => {
                let text = format!("Expecting accept or reject, got {other}.\n");
                return wrong_arguments(invocation.command, &invocation.rest, String::new(), text);
            }
        };
        let held = match site.staff.zones.store().held_input(&zone.settings.name).await {
            Ok(held) => held,
            Err(error) => return Output::refused(format!("{error}\n"), 1),
        };
        match (held, choice) {
            (held, None) if invocation.has("json") => {
                Output::done(object(&site, &zone, held.as_ref()) + "\n")
            }
            (None, None) => Output::done(format!("no input of zone {} is held\n", zone.text())),
            (None, Some(_)) => {
                Output::refused(format!("no input of zone {} is held\n", zone.text()), 1)
            }
            (Some(held), None) => Output::done(shown(&site, &zone, &held)),
            (Some(held), Some(choice)) => {
                answer(&site, &zone, &held, (choice, digest), &invocation).await
            }
        }
    }
    .boxed_local()
}

/// What is held, and why.
fn shown(site: &Site, zone: &RunningZone, held: &HeldInput) -> String {
    let serial = held.serial.map_or_else(|| "none".to_owned(), |serial| serial.to_string());
    let copy = site.staff.zones.held_path(&zone.settings.name);
    let mut text = format!(
        "{}\n  serial: {serial}\n  digest: {}\n  held since: {}\n",
        zone.text(),
        digits(held),
        date_time(held.held_at)
    );
    for reason in &held.reasons {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {reason}");
    }
    let _ = writeln!(text, "  kept in: {}", copy.display());
    let _ = match &held.answer {
        None => writeln!(text, "  answer: none yet; accept it or reject it"),
        Some(InputAnswer { choice, given_at, given_by }) => {
            let by = given_by.as_ref().map_or_else(String::new, |user| format!(" by {user}"));
            writeln!(text, "  answer: {}{by} at {}", word(*choice), date_time(*given_at))
        }
    };
    text
}

/// The same for programs; of nothing that is held, only the zone is not null.
fn object(site: &Site, zone: &RunningZone, held: Option<&HeldInput>) -> String {
    let answer = held.and_then(|held| held.answer.as_ref());
    let copy = held.map(|_| site.staff.zones.held_path(&zone.settings.name));
    let names = [
        "zone",
        "serial",
        "digest",
        "held_at",
        "reasons",
        "kept_in",
        "answer",
        "answered_at",
        "by",
    ];
    let row = [
        Cell::text(zone.text()),
        Cell::serial(held.and_then(|held| held.serial)),
        Cell::maybe(held.map(digits)),
        Cell::moment(held.map(|held| held.held_at)),
        Cell::Texts(held.map_or_else(Vec::new, |held| held.reasons.clone())),
        Cell::maybe(copy.as_ref().map(|path| path.to_string_lossy())),
        Cell::maybe(answer.map(|answer| word(answer.choice))),
        Cell::moment(answer.map(|answer| answer.given_at)),
        Cell::maybe(answer.and_then(|answer| answer.given_by.as_ref()).map(ToString::to_string)),
    ];
    members(&names, &row)
}

async fn answer(
    site: &Site,
    zone: &RunningZone,
    held: &HeldInput,
    (choice, digest): (InputChoice, Option<&str>),
    invocation: &Invocation,
) -> Output {
    let own = digits(held);
    let is_meant = |typed: &str| typed.len() >= DIGITS_LEAST && own.starts_with(typed);
    if !digest.is_none_or(is_meant) {
        let text = format!("the input that is held has the digest {own}; nothing was changed\n");
        return Output::refused(text, 1);
    }
    let given_at = site.staff.clock.now();
    let given = InputAnswer { choice, given_at, given_by: cause(invocation).by };
    let name = &zone.settings.name;
    match site.staff.zones.store().answer_input(name, held.digest, given).await {
        Ok(true) => {}
        Ok(false) => {
            let text = "meanwhile another input came in; nothing was changed\n";
            return Output::refused(text, 1);
        }
        Err(error) => return Output::refused(format!("{error}\n"), 1),
    }
    zone.tell(ZoneMessage::SignNow);
    let what = match choice {
        InputChoice::Accepted => "it is read and signed now",
        InputChoice::Rejected => "the last good one goes on being signed",
    };
    Output::done(format!("input of zone {} {}: {what}\n", zone.text(), word(choice)))
}

fn word(choice: InputChoice) -> &'static str {
    match choice {
        InputChoice::Accepted => "accepted",
        InputChoice::Rejected => "rejected",
    }
}

fn digits(held: &HeldInput) -> String {
    held.digest.iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    })
}
