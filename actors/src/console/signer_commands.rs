//! Handlers of `ods-signer`'s commands, in OpenDNSSEC 2.1's words (catalogue 1.7).
//! In: the zones' states. Out: lists, orders to zones.
//! As there, everything is said on standard output.

use super::dispatch::{Handler, Handlers, wrong_arguments};
use super::enforcer_commands::{reload, running};
use super::key_schedule::{TASK, task};
use super::listing::{Cell, array};
use super::output::{Output, Wish};
use super::site::Site;
use super::update::{Updated, update_adapters, update_zones};
use crate::io::local_time::ctime;
use crate::zone::{Phase, ZoneMessage};
use console_protocol::help;
use console_protocol::messages::FrontEnd;
use console_protocol::parse::Invocation;
use dnssec::serial::enforce_serial;
use dnssec::{Serial, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

pub(super) const HANDLERS: Handlers = &[
    ("zones", Handler::Now(zones)),
    ("sign", Handler::Now(sign)),
    ("clear", Handler::Now(clear)),
    ("retransfer", Handler::Now(retransfer)),
    ("queue", Handler::Now(queue)),
    ("flush", Handler::Now(flush)),
    ("update", Handler::Later(update)),
    ("start", Handler::Now(start)),
    ("running", Handler::Now(running)),
    ("reload", Handler::Now(reload)),
    ("stop", Handler::Now(stop)),
    ("verbosity", Handler::Now(verbosity)),
    ("help", Handler::Now(help)),
];

fn zones(site: &Site, invocation: &Invocation) -> Output {
    let zones = site.staff.zones.all();
    if invocation.has("json") {
        return array(&["zone"], zones.iter().map(|zone| vec![Cell::Text(zone.text())]));
    }
    let lines = zones.iter().map(|zone| format!("- {}\n", zone.text()));
    let lines: String = lines.collect();
    Output::done(format!("There are {} zones configured\n{lines}", zones.len()))
}

/// The operand, as it was typed.
fn typed(invocation: &Invocation) -> &str {
    invocation.operands.first().map_or("", String::as_str)
}

fn sign(site: &Site, invocation: &Invocation) -> Output {
    let zone = typed(invocation);
    if invocation.has("all") {
        if !zone.is_empty() {
            let text = format!("Error: Expecting <zone> or --all, got {}.\n", invocation.rest);
            return wrong_arguments(invocation.command, &invocation.rest, text, String::new());
        }
        site.staff.sign_all();
        return Output::done("All zones scheduled for immediate re-sign.\n");
    }
    let wrong = |what| wrong_arguments(invocation.command, &invocation.rest, what, String::new());
    if invocation.operands.len() > 1 {
        return wrong(format!("Error: Expecting <zone> --serial <nr>, got {}.\n", invocation.rest));
    }
    let serial = match invocation.value("serial").map(|typed| (typed, typed.parse::<u32>())) {
        Some((typed, Err(_))) => return wrong(format!("Error: Expecting serial, got {typed}.\n")),
        Some((_, Ok(serial))) => Some(Serial(serial)),
        None => None,
    };
    let Some(running) = site.zone(zone) else {
        return Output::said(format!("Error: Zone {zone} not found.\n"), 1);
    };
    let last = running.status.borrow().output_serial;
    let (message, refusal) = match serial {
        Some(serial) if enforce_serial(serial, last).is_ok() => {
            (ZoneMessage::SignWith { serial }, String::new())
        }
        // It is signed all the same, with the serial of the policy.
        Some(Serial(serial)) => {
            let text = format!("Error: Unable to enforce serial {serial} for zone {zone}.\n");
            (ZoneMessage::SignNow, text)
        }
        None => (ZoneMessage::SignNow, String::new()),
    };
    running.tell(message);
    Output::done(format!("{refusal}Zone {zone} scheduled for immediate re-sign.\n"))
}

fn clear(site: &Site, invocation: &Invocation) -> Output {
    let zone = typed(invocation);
    match site.zone(zone) {
        Some(running) => {
            running.tell(ZoneMessage::Clear);
            Output::done(format!("Internal zone information about {zone} cleared"))
        }
        // Success, and without a line end: so it is there.
        None => Output::done(format!("Cannot clear zone {zone}, zone not found")),
    }
}

fn retransfer(site: &Site, invocation: &Invocation) -> Output {
    let zone = typed(invocation);
    let Some(running) = site.zone(zone) else {
        // Success, as there.
        return Output::done(format!("Error: Zone {zone} not found.\n"));
    };
    if running.status.borrow().refresh.is_none() {
        let text = format!("Error: Zone {zone} not configured to use DNS input adapter.\n");
        return Output::done(text);
    }
    running.tell(ZoneMessage::Retransfer);
    Output::done(format!("Zone {zone} being re-transfered.\n"))
}

pub(super) fn queue(site: &Site, invocation: &Invocation) -> Output {
    let now = site.staff.clock.now();
    let (mut working, mut at_work, mut tasks) = (String::new(), Vec::new(), Vec::new());
    for zone in site.staff.zones.all() {
        let (phase, next) = {
            let status = zone.status.borrow();
            (status.phase, status.next_run)
        };
        match phase {
            Phase::Running => {
                at_work.push(task(now, "being signed", zone.text()));
                working += &format!("Working with task [sign] on zone {}\n", zone.text());
            }
            // Whose masters are asked; nothing is to be done here.
            Phase::WaitingForTransfer => {}
            Phase::Loading | Phase::WaitingForKeys => tasks.push((now, "configure", zone.text())),
            Phase::Idle | Phase::Failed | Phase::Quarantined => {
                tasks.push((next.unwrap_or(now), "sign", zone.text()));
            }
        }
    }
    tasks.sort_by_key(|(at, _, _): &(Timestamp, _, _)| *at);
    if invocation.has("json") {
        let waiting = tasks.into_iter().map(|(at, what, zone)| task(at, what, zone));
        return array(TASK, at_work.into_iter().chain(waiting));
    }
    let lines = tasks
        .iter()
        .map(|(at, task, zone)| format!("On {} I will [{task}] zone {zone}\n", ctime(*at)));
    let lines: String = lines.collect();
    Output::done(format!(
        "It is now {}\n{working}\nThere are {} tasks scheduled.\n{lines}",
        ctime(now),
        tasks.len()
    ))
}

pub(super) fn flush(site: &Site, _: &Invocation) -> Output {
    for zone in site.staff.zones.all() {
        zone.tell(ZoneMessage::RunNow);
    }
    Output::done("All tasks scheduled immediately.\n")
}

fn update(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = typed(&invocation);
        if invocation.has("all") {
            return update_all(&site).await;
        }
        if let Some(running) = site.zone(zone) {
            update_adapters(&site, &running.settings.name).await;
            running.tell(ZoneMessage::RunNow);
            return Output::done(format!("Zone {zone} config being updated.\n"));
        }
        let all = update_all(&site).await;
        Output::said(format!("Error: Zone {zone} not found.\n{}", all.stdout), 1)
    }
    .boxed_local()
}

async fn update_all(site: &Arc<Site>) -> Output {
    match update_zones(site).await {
        Ok(counts) => {
            for zone in site.staff.zones.all() {
                zone.tell(ZoneMessage::RunNow);
            }
            Output::done(match counts {
                Updated { removed: 0, added: 0, updated: 0 } => {
                    "Zone list has not changed. Signer configurations updated.\n".to_owned()
                }
                Updated { removed, added, updated } => format!(
                    "Zone list updated: {removed} removed, {added} added, {updated} updated.\n"
                ),
            })
        }
        Err(error) => {
            tracing::error!(target: "config", "the zone list stays as it was: {error}");
            Output { stderr: format!("{error}\n"), ..Output::done("Zone list has errors.\n") }
        }
    }
}

fn start(_: &Site, _: &Invocation) -> Output {
    Output::done("Engine already running.\n")
}

fn stop(_: &Site, _: &Invocation) -> Output {
    Output::done("Engine shut down.").then(Wish::Stop)
}

fn verbosity(_: &Site, invocation: &Invocation) -> Output {
    let level = match invocation.operands.first().map(|word| word.parse::<u32>()) {
        None => return Output::done(current_verbosity()),
        Some(Err(_)) => {
            let text = "Error: Expecting a number.\n".to_owned();
            return wrong_arguments(invocation.command, &invocation.rest, text, String::new());
        }
        Some(Ok(level)) => level,
    };
    crate::logging::set_verbosity(u64::from(level));
    Output::done(format!("Verbosity level set to {level}.\n"))
}

fn current_verbosity() -> String {
    format!("Current verbosity is set to {}.\n", crate::logging::verbosity())
}

fn help(_: &Site, _: &Invocation) -> Output {
    Output::done(format!("Commands:\n{}", help::list(FrontEnd::Signer)))
}
