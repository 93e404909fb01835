//! The enforcer's schedule: `enforce`, `queue`, `flush`, `time leap` (catalogue 1.5, Daemon
//! control). In: the enforcer's table of times, the clock. Out: lists, orders.
//! Other than 2.1: `enforce` says when there is no such zone; `time leap -t` leaps to that very
//! time, or not at all when it is past.

use super::dispatch::wrong_arguments;
use super::key_import::parse_time;
use super::key_view::{agenda, ask, failed, parse_zone};
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use super::{show_commands, signer_commands};
use crate::enforcer::EnforcerMessage;
use crate::io::local_time::ctime;
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::Timestamp;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// `enforce`.
pub(super) fn enforce(site: &Site, invocation: &Invocation) -> Output {
    let zone = match invocation.value("zone") {
        None => None,
        Some(typed) => {
            let known = parse_zone(typed).filter(|zone| site.staff.zones.get(zone).is_some());
            if known.is_none() {
                return Output::refused(format!("zone {typed} not found\n"), 1);
            }
            known
        }
    };
    order(site, EnforcerMessage::Enforce { zone }, "")
}

/// `flush`.
pub(super) fn flush(site: &Site, _: &Invocation) -> Output {
    order(site, EnforcerMessage::Enforce { zone: None }, "All tasks scheduled immediately.\n")
}

/// `flush` of both, as `anchorite` has it.
pub(super) fn flush_all(site: &Site, invocation: &Invocation) -> Output {
    signer_commands::flush(site, invocation);
    flush(site, invocation)
}

fn order(site: &Site, message: EnforcerMessage, words: &str) -> Output {
    match site.staff.zones.enforcer().tell(message) {
        Ok(()) => Output::done(words),
        Err(undelivered) => failed(undelivered.error),
    }
}

/// A moment twice, as 2.1 has it.
fn moment(at: Timestamp) -> String {
    format!("{} ({} seconds since epoch)", ctime(at), at.0)
}

/// `queue`.
pub(super) fn queue(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        match invocation.has("json") {
            true => {
                let tasks = agenda(&site).await.into_iter();
                array(TASK, tasks.map(|(at, zone)| task(at, "enforce", zone_text(&zone))))
            }
            false => Output::done(tasks(&site).await),
        }
    }
    .boxed_local()
}

/// What is told of a task.
pub(super) const TASK: &[&str] = &["at", "task", "zone"];

/// A task for programs.
pub(super) fn task(at: Timestamp, what: &str, zone: String) -> Vec<Cell> {
    vec![Cell::Moment(at), Cell::text(what), Cell::Text(zone)]
}

/// `queue` of both, as `anchorite` has it.
pub(super) fn queue_all(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        if invocation.has("json") {
            return show_commands::tasks(site, invocation).await;
        }
        let signer = signer_commands::queue(&site, &invocation).stdout;
        Output::done(format!("Keys:\n{}\nSigning:\n{signer}", tasks(&site).await))
    }
    .boxed_local()
}

async fn tasks(site: &Site) -> String {
    let working = ask(site, |reply| EnforcerMessage::AtWork { reply }).await;
    let tasks = agenda(site).await;
    let now = site.staff.clock.now();
    let mut text = match working.map(|zones| zones.len()) {
        Ok(0) => "All worker threads idle.\n".to_owned(),
        Ok(count) => format!("{count} zones are in their turn.\n"),
        Err(error) => format!("{error}\n"),
    };
    text += &match tasks.len() {
        1 => "There is 1 task scheduled.\n".to_owned(),
        count => format!("There are {count} tasks scheduled.\n"),
    };
    text += &format!("It is now {}\n", moment(now));
    match tasks.first() {
        Some((at, _)) if *at > now => text += &format!("Next task scheduled {}\n", moment(*at)),
        Some(_) => text += "Next task scheduled immediately\n",
        None => {}
    }
    for (at, zone) in tasks {
        text += &format!("On {} I will enforce zone {}\n", ctime(at), zone_text(&zone));
    }
    text
}

/// When a zone is signed next: keys that wait for a version of their zone go on then.
fn next_signing(site: &Site) -> Option<Timestamp> {
    site.staff.zones.all().iter().filter_map(|zone| zone.status.borrow().next_run).min()
}

/// `time leap`: to the next task about keys, or else to the next signing.
pub(super) fn time_leap(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let clock = &site.staff.clock;
        if !clock.may_be_set() {
            return Output::refused(
                "time leap is for tests: it makes signatures and keys of the future. A daemon \
                 that is started with \"anchorite run --set-time now\" allows it.\n",
                1,
            );
        }
        let (mut text, mut wanted) = (String::new(), None);
        if let Some(typed) = invocation.value("time") {
            wanted = parse_time(typed);
            if wanted.is_none() {
                let complaint = format!(
                    "Time leap: Error - could not convert '{typed}' to a time. Format is \
                     YYYY-MM-DD-HH:MM:SS \n"
                );
                let (command, rest) = (invocation.command, &invocation.rest);
                return wrong_arguments(command, rest, String::new(), complaint);
            }
            text = format!("Using {typed} parameter value as time to leap to\n");
        }
        let tasks = agenda(&site).await;
        let now = clock.now();
        text += &format!("There are {} tasks scheduled.\n", tasks.len());
        text += &format!("It is now       {}\n", moment(now));
        let next = tasks.first().map(|(at, _)| *at).or_else(|| next_signing(&site));
        let next = next.map(|at| at.max(now));
        let Some(to) = wanted.or(next) else {
            return Output::done(text + "No tasks in queue. Not able to leap.\n");
        };
        if let Err(error) = clock.leap_to(to) {
            return Output { stdout: text, ..Output::refused(format!("{error}\n"), 1) };
        }
        tracing::info!(target: "cmdhandler", "Time leap: Leaping to time {}", ctime(to));
        text += &format!("Leaping to time {}\n", moment(to));
        if !invocation.has("attach") {
            text += "Waking up workers\n";
        }
        Output::done(text)
    }
    .boxed_local()
}
