//! `parent status`: what the parents of zones show and were told. In: what the watcher of parents
//! knows. Out: text, or rows for
//! programs. Never: questions to servers; those are asked in their own time.

use super::dispatch::{Handler, Handlers};
use super::key_view::ask;
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use crate::enforcer::EnforcerMessage;
use crate::io::local_time::date_time;
use crate::parent::{ParentStatus, WatchStatus};
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::Name;
use dnssec::enforcer::DsShown;
use dnssec::key::key_tag;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[("parent status", Handler::Later(parent_status))];

fn parent_status(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let zone = match invocation.value("zone") {
            None => None,
            Some(typed) => match site.zone(typed) {
                Some(_) => Name::parse(typed.as_bytes(), Some(&Name::root())).ok(),
                None => return Output::refused(format!("zone {typed} is not known\n"), 1),
            },
        };
        let is_one = zone.is_some();
        let zone = zone.map(|zone| zone.to_lowercase());
        match ask(&site, |reply| EnforcerMessage::Parents { zone, reply }).await {
            Ok(zones) if invocation.has("json") => {
                array(NAMES, zones.iter().flat_map(rows).collect::<Vec<_>>())
            }
            Ok(zones) if zones.is_empty() && is_one => {
                Output::done("nothing is on its way between the zone and its parent\n")
            }
            Ok(zones) if zones.is_empty() => {
                Output::done("nothing is on its way between any zone and its parent\n")
            }
            Ok(zones) => Output::done(zones.iter().map(text).collect::<String>()),
            Err(error) => Output::refused(format!("{error}\n"), 1),
        }
    }
    .boxed_local()
}

const NAMES: &[&str] = &[
    "zone",
    "servers",
    "validated",
    "asked_next",
    "disagreement",
    "notify_cds",
    "key_tag",
    "direction",
    "shown",
    "since",
];

/// A zone for programs: a row for each key whose DS is on its way.
fn rows(status: &ParentStatus) -> Vec<Vec<Cell>> {
    let watch = status.watch.as_ref();
    let servers = |watch: &WatchStatus| {
        Cell::Texts(watch.order.agents.addresses.iter().map(ToString::to_string).collect())
    };
    let begin = || {
        vec![
            Cell::text(zone_text(&status.zone)),
            watch.map_or(Cell::Nothing, servers),
            watch.map_or(Cell::Nothing, |watch| Cell::Flag(watch.order.agents.validates())),
            Cell::moment(watch.and_then(|watch| watch.next)),
            Cell::maybe(watch.and_then(|watch| watch.disagreement.as_ref()).map(text_of)),
            Cell::maybe(status.announced.as_ref().map(text_of)),
        ]
    };
    let keys = watch.map_or(&[][..], |watch| &watch.order.keys);
    let seen = |at: usize| watch.and_then(|watch| watch.seen.as_ref()?.of_keys.get(at));
    let of_key = keys.iter().enumerate().map(|(at, key)| {
        let sighting = seen(at);
        [
            Cell::Number(u64::from(key_tag(&key.dnskey).0)),
            Cell::text(way(key.comes)),
            Cell::maybe(sighting.map(|sighting| shown(sighting.shown))),
            Cell::moment(sighting.map(|sighting| sighting.since)),
        ]
    });
    let mut rows: Vec<Vec<Cell>> =
        of_key.map(|cells| begin().into_iter().chain(cells).collect()).collect();
    if rows.is_empty() {
        let nothing = std::iter::repeat_n(Cell::Nothing, NAMES.len());
        rows.push(begin().into_iter().chain(nothing).take(NAMES.len()).collect());
    }
    rows
}

fn text_of(text: &impl ToString) -> String {
    text.to_string()
}

fn way(comes: bool) -> &'static str {
    if comes { "comes" } else { "goes" }
}

fn shown(shown: DsShown) -> &'static str {
    match shown {
        DsShown::Everywhere => "on all of them",
        DsShown::Nowhere => "on none of them",
        DsShown::Somewhere => "not agreed on",
    }
}

fn text(status: &ParentStatus) -> String {
    let mut text = format!("{}\n", zone_text(&status.zone));
    if let Some(watch) = &status.watch {
        push_watch(watch, &mut text);
    }
    if let Some(announced) = &status.announced {
        text.push_str(&format!("  NOTIFY(CDS): {announced}\n"));
    }
    text
}

fn push_watch(watch: &WatchStatus, text: &mut String) {
    let agents = &watch.order.agents;
    let servers: Vec<String> = agents.addresses.iter().map(ToString::to_string).collect();
    let trust = if agents.validates() { "validated" } else { "not validated" };
    text.push_str(&format!("  servers: {} (answers are {trust})\n", servers.join(", ")));
    match watch.next {
        Some(next) => text.push_str(&format!("  asked next: {}\n", date_time(next))),
        None => text.push_str("  asked next: now\n"),
    }
    let Some(seen) = &watch.seen else { return };
    for (key, sighting) in watch.order.keys.iter().zip(&seen.of_keys) {
        let (tag, way, shown) = (key_tag(&key.dnskey), way(key.comes), shown(sighting.shown));
        let since = date_time(sighting.since);
        text.push_str(&format!("  DS of key tag {tag} ({way}): {shown} since {since}\n"));
    }
    match &watch.disagreement {
        Some(why) => text.push_str(&format!("  not settled: {why}\n")),
        None => text.push_str("  all servers answer alike\n"),
    }
}
