//! `catalog list`, `catalog show`, `catalog accept` and `catalog retransfer`: catalog zones
//! (RFC 9432). In: what the catalogs' actor shows, the list of zones. Out: text, orders to it.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers};
use super::listing::{self, Cell, array};
use super::output::Output;
use super::site::Site;
use super::text::columns;
use super::zone_commands::typed_name;
use crate::catalog::board::{ConsumerView, Order, ProducerView};
use crate::io::local_time::date_time;
use crate::settings::zone_text;
use appliance_config::ZoneEntry;
use console_protocol::parse::Invocation;
use dnssec::{Name, Serial, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[
    ("catalog list", Handler::Now(list)),
    ("catalog show", Handler::Now(show)),
    ("catalog accept", Handler::Now(accept)),
    ("catalog retransfer", Handler::Now(retransfer)),
];

/// What a catalog is here.
enum Known {
    Consumer(ConsumerView),
    Producer(ProducerView),
}

/// Every catalog of the configuration, consumed ones first.
fn known(site: &Site, catalogue: &Catalogue) -> Vec<(Name, Known)> {
    let board = site.staff.zones.catalogs();
    let consumers = catalogue.catalogs.consumers.iter().map(|settings| {
        let name = settings.entry.name.clone();
        let view = board.consumer(&name).unwrap_or_default();
        (name, Known::Consumer(view))
    });
    let producers = catalogue.catalogs.producers.iter().map(|settings| {
        let name = settings.entry.name.clone();
        let mut view = board.producer(&name).unwrap_or_default();
        // What is wrong with the configuration of either is shown in one place.
        view.fault = view.fault.or(board.consumer(&name).and_then(|view| view.fault));
        (name, Known::Producer(view))
    });
    consumers.chain(producers).collect()
}

/// The zones of the list that a catalog brought.
fn members<'c>(catalogue: &'c Catalogue, catalog: &Name) -> Vec<&'c ZoneEntry> {
    let is_its = |zone: &&ZoneEntry| zone.catalog.as_ref().is_some_and(|it| it.name == *catalog);
    catalogue.zones.iter().filter(is_its).collect()
}

fn serial_text(serial: Option<Serial>) -> String {
    serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string())
}

fn consumer_state(view: &ConsumerView) -> &'static str {
    match view {
        ConsumerView { fault: Some(_), .. } => "broken",
        ConsumerView { held: Some(_), .. } => "held",
        ConsumerView { refusal: Some(_), .. } => "refused",
        ConsumerView { serial: None, .. } => "waits for a master",
        ConsumerView { zone_faults, .. } if !zone_faults.is_empty() => "with zone faults",
        _ => "in force",
    }
}

fn list(site: &Site, invocation: &Invocation) -> Output {
    let catalogue = site.catalogue();
    let known = known(site, &catalogue);
    if invocation.has("json") {
        let rows = known.iter().map(|(name, known)| row(&catalogue, name, known));
        return array(LIST, rows);
    }
    if known.is_empty() {
        return Output::done("no catalogs: conf.xml has none in <CatalogList>\n");
    }
    let widths = [31, 9, 11, 8];
    let line = |cells: [&str; 4], last: &str| {
        let cells = cells.into_iter().zip(widths).chain([(last, 0)]);
        columns(&cells.collect::<Vec<_>>())
    };
    let mut text = line(["Catalog:", "Role:", "Serial:", "Members:"], "State:");
    for (name, known) in known {
        let (role, serial, count, state) = standing(&catalogue, &name, &known);
        let (serial, count) = (serial_text(serial), count.to_string());
        text += &line([&zone_text(&name), role, &serial, &count], state);
    }
    Output::done(text)
}

/// Its role, serial, count of members and state.
fn standing(
    catalogue: &Catalogue,
    name: &Name,
    known: &Known,
) -> (&'static str, Option<Serial>, usize, &'static str) {
    match known {
        Known::Consumer(view) => {
            let count = members(catalogue, name).len();
            ("consumer", view.serial, count, consumer_state(view))
        }
        Known::Producer(view) => {
            let state = if view.fault.is_some() { "broken" } else { "served" };
            ("producer", view.serial, view.members.len(), state)
        }
    }
}

const LIST: &[&str] = &["catalog", "role", "serial", "members", "state"];

fn row(catalogue: &Catalogue, name: &Name, known: &Known) -> Vec<Cell> {
    let (role, serial, count, state) = standing(catalogue, name, known);
    vec![
        Cell::text(zone_text(name)),
        Cell::text(role),
        Cell::serial(serial),
        Cell::Number(count as u64),
        Cell::text(state),
    ]
}

/// The catalog that an operator named.
fn named(site: &Site, invocation: &Invocation) -> Result<(Name, Known), Output> {
    let typed = invocation.operands.first().map(String::as_str).unwrap_or_default();
    let catalogue = site.catalogue();
    let found = typed_name(typed)
        .and_then(|name| known(site, &catalogue).into_iter().find(|(catalog, _)| *catalog == name));
    found.ok_or_else(|| Output::refused(format!("catalog {typed} is not in <CatalogList>\n"), 1))
}

fn show(site: &Site, invocation: &Invocation) -> Output {
    let catalogue = site.catalogue();
    match named(site, invocation) {
        Ok((name, known)) if invocation.has("json") => {
            Output::done(object(&catalogue, &name, &known) + "\n")
        }
        Ok((name, Known::Consumer(view))) => Output::done(consumer(&catalogue, &name, &view)),
        Ok((name, Known::Producer(view))) => Output::done(producer(&name, &view)),
        Err(refused) => refused,
    }
}

/// A catalog and its members for programs.
fn object(catalogue: &Catalogue, name: &Name, known: &Known) -> String {
    let nothing = ConsumerView::default();
    let (fault, view) = match known {
        Known::Consumer(view) => (&view.fault, view),
        Known::Producer(view) => (&view.fault, &nothing),
    };
    let member = |zone: &Name, groups: Vec<String>, policy: &str, since: Timestamp| {
        let row = [
            Cell::text(zone_text(zone)),
            Cell::Texts(groups),
            Cell::text(policy),
            Cell::Moment(since),
        ];
        listing::members(&["zone", "groups", "policy", "since"], &row)
    };
    let members = match known {
        Known::Consumer(view) => members(catalogue, name)
            .into_iter()
            .map(|entry| {
                let groups = view.groups.get(&entry.name).cloned().unwrap_or_default();
                let since = entry.catalog.as_ref().map_or(0, |mark| mark.since);
                member(&entry.name, groups, &entry.policy, Timestamp(since))
            })
            .collect(),
        Known::Producer(view) => {
            let members = view.members.iter();
            members
                .map(|(zone, (group, since))| member(zone, vec![group.clone()], group, *since))
                .collect()
        }
    };
    let fault_of = |(zone, fault): (&Name, &String)| {
        let row = [Cell::text(zone_text(zone)), Cell::text(&**fault)];
        listing::members(&["zone", "fault"], &row)
    };
    let mut row = row(catalogue, name, known);
    row[3] = Cell::Objects(members);
    row.extend([
        Cell::moment(view.confirmed_at),
        Cell::maybe(fault.as_deref()),
        Cell::maybe(view.held.as_deref()),
        Cell::maybe(view.refusal.as_deref()),
        Cell::Objects(view.zone_faults.iter().map(fault_of).collect()),
    ]);
    let more = ["confirmed_at", "broken", "held", "refused", "zone_faults"];
    listing::members(&[LIST, &more].concat(), &row)
}

const MEMBER_WIDTHS: [usize; 3] = [31, 15, 15];

fn member_line(cells: [&str; 3], last: &str) -> String {
    let cells = cells.into_iter().zip(MEMBER_WIDTHS).chain([(last, 0)]);
    columns(&cells.collect::<Vec<_>>())
}

fn consumer(catalogue: &Catalogue, name: &Name, view: &ConsumerView) -> String {
    let mut text = format!("{} (consumer): {}\n", zone_text(name), consumer_state(view));
    let confirmed = view.confirmed_at.map_or_else(|| "never".to_owned(), date_time);
    // Writing to a string does not fail.
    let _ = writeln!(text, "  serial: {}, confirmed: {confirmed}", serial_text(view.serial));
    let what = [("broken", &view.fault), ("held", &view.held), ("refused", &view.refusal)];
    for (word, fault) in what {
        if let Some(fault) = fault {
            let _ = writeln!(text, "  {word}: {fault}");
        }
    }
    for (zone, fault) in &view.zone_faults {
        let _ = writeln!(text, "  zone {} {fault}", zone_text(zone));
    }
    text += &member_line(["Member:", "Group:", "Policy:"], "Since:");
    let zones: BTreeMap<&Name, &ZoneEntry> =
        members(catalogue, name).into_iter().map(|zone| (&zone.name, zone)).collect();
    for (zone, entry) in zones {
        let groups = view.groups.get(zone).map(|groups| groups.join(","));
        let group = groups.filter(|text| !text.is_empty()).unwrap_or_else(|| "-".to_owned());
        let since = entry.catalog.as_ref().map_or(0, |mark| mark.since);
        let since = date_time(Timestamp(since));
        text += &member_line([&zone_text(zone), &group, &entry.policy], &since);
    }
    text
}

fn producer(name: &Name, view: &ProducerView) -> String {
    let state = if view.fault.is_some() { "broken" } else { "served" };
    let mut text = format!("{} (producer): {state}\n", zone_text(name));
    let _ = writeln!(text, "  serial: {}", serial_text(view.serial));
    if let Some(fault) = &view.fault {
        let _ = writeln!(text, "  broken: {fault}");
    }
    text += &member_line(["Member:", "Group:", "Policy:"], "Since:");
    for (zone, (group, since)) in &view.members {
        text += &member_line([&zone_text(zone), group, group], &date_time(*since));
    }
    text
}

fn accept(site: &Site, invocation: &Invocation) -> Output {
    let (catalog, view) = match named(site, invocation) {
        Ok((catalog, Known::Consumer(view))) => (catalog, view),
        Ok((catalog, _)) => {
            let text = format!("catalog {} is made here\n", zone_text(&catalog));
            return Output::refused(text, 1);
        }
        Err(refused) => return refused,
    };
    let text = zone_text(&catalog);
    let (Some(held), Some(serial)) = (view.held, view.serial) else {
        return Output::refused(format!("catalog {text} is not held\n"), 1);
    };
    let typed = invocation.operands.get(1);
    if typed.is_some_and(|typed| *typed != serial.to_string()) {
        let text = format!("catalog {text} has serial {serial} now; nothing was changed\n");
        return Output::refused(text, 1);
    }
    site.staff.zones.catalogs().tell(Order::Accept { catalog, serial });
    Output::done(format!("catalog {text} serial {serial} accepted: {held}\n"))
}

fn retransfer(site: &Site, invocation: &Invocation) -> Output {
    match named(site, invocation) {
        Ok((catalog, Known::Consumer(_))) => {
            let text = format!("catalog {} is fetched again\n", zone_text(&catalog));
            site.staff.zones.catalogs().tell(Order::Retransfer { catalog });
            Output::done(text)
        }
        Ok((catalog, Known::Producer(_))) => {
            Output::refused(format!("catalog {} is made here\n", zone_text(&catalog)), 1)
        }
        Err(refused) => refused,
    }
}
