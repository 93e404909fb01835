//! `key list` in all its forms, and `rollover list` (catalogue 1.5, 1.5.1), in the columns of
//! OpenDNSSEC 2.1. In: a snapshot of the keys. Out: lists.
//! Other than 2.1: `-e a,b` takes several states (there it finds nothing).

use super::dispatch::wrong_arguments;
use super::key_view::{KeyView, Row, failed, parse_role};
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use super::text::columns;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{
    CompatibilityState, KeyLife, NextTransition, RecordKind, compatibility_state, next_transition,
};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// `key list`.
pub(super) fn key_list(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        if invocation.has("keystate") && invocation.has("all") {
            let text = "Error: --keystate and --all option cannot be given together\n";
            let (command, rest) = (invocation.command, &invocation.rest);
            return wrong_arguments(command, rest, text.to_owned(), String::new());
        }
        match KeyView::look(&site).await {
            Ok(view) => list(&view, &invocation),
            Err(error) => failed(error),
        }
    }
    .boxed_local()
}

fn list(view: &KeyView, invocation: &Invocation) -> Output {
    let rows = selected(view, invocation);
    if invocation.has("json") {
        return array(FACTS, rows.into_iter().map(|row| facts(view, row)));
    }
    let is_parsable = invocation.has("parsable");
    if invocation.has("full") {
        return Output::done(rows.iter().map(|row| full(view, *row)).collect::<String>());
    }
    let (form, head): (fn(&KeyView, Row<'_>) -> Vec<String>, _) = match () {
        () if invocation.has("debug") => (debug, DEBUG),
        () if invocation.has("verbose") => (verbose, VERBOSE),
        () => (plain, PLAIN),
    };
    if is_parsable && head.len() > PLAIN.len() {
        let lines = rows.iter().map(|row| form(view, *row).join(";") + "\n");
        return Output::done(lines.collect::<String>());
    }
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(head).map(|(cell, (_, width))| (*cell, *width));
        columns(&cells.collect::<Vec<_>>())
    };
    let titles: Vec<&str> = head.iter().map(|(title, _)| *title).collect();
    let mut text = format!("Keys:\n{}", line(&titles));
    for row in rows {
        let cells = form(view, row);
        text += &line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    let mut output = Output::done(text);
    if is_parsable {
        output.stderr = "-p option only available in combination with -v and -d.\n".to_owned();
    }
    output
}

/// The keys that were asked for.
fn selected<'v>(view: &'v KeyView, invocation: &Invocation) -> Vec<Row<'v>> {
    let mut rows = view.by_age();
    if let Some(typed) = invocation.value("zone") {
        let zone = view.zone(typed).map(|zone| &zone.name);
        rows.retain(|row| Some(&row.zone.name) == zone);
    }
    if let Some(typed) = invocation.value("keytype") {
        let role = parse_role(typed);
        rows.retain(|row| Some(row.key.role) == role);
    }
    if let Some(typed) = invocation.value("keystate") {
        let states: Vec<String> =
            typed.split(',').map(|state| state.trim().to_ascii_lowercase()).collect();
        rows.retain(|row| states.contains(&compatibility_state(row.key).to_string()));
    } else if !invocation.has("all") {
        rows.retain(|row| {
            let state = compatibility_state(row.key);
            !matches!(state, CompatibilityState::Generate | CompatibilityState::Dead)
        });
    }
    rows
}

/// What every form of the list tells, by its names for programs.
const FACTS: &[&str] = &[
    "zone",
    "type",
    "state",
    "next",
    "next_at",
    "bits",
    "algorithm",
    "cka_id",
    "repository",
    "key_tag",
    "ds",
    "dnskey",
    "rrsig_dnskey",
    "rrsig",
    "published",
    "active",
];

fn facts(view: &KeyView, row: Row<'_>) -> Vec<Cell> {
    let key = row.key;
    let next = next_transition(key, row.zone.next, view.now);
    let next_at = if let NextTransition::At(at) = next { Some(at) } else { None };
    let mut cells = vec![
        Cell::text(row.zone.text()),
        Cell::text(key.role.to_string()),
        Cell::text(compatibility_state(key).to_string()),
        Cell::text(view.transition(row)),
        Cell::moment(next_at),
        Cell::Number(u64::from(key.bits)),
        Cell::Number(u64::from(key.algorithm.number())),
        Cell::text(key.id.to_string()),
        Cell::text(&*key.repository),
        Cell::Number(u64::from(key.key_tag.0)),
    ];
    let states = RecordKind::ALL.iter().map(|kind| key.state(*kind));
    cells.extend(states.map(|state| Cell::maybe(state.map(|state| state.to_string()))));
    cells.push(Cell::Flag(key.is_published()));
    cells.push(Cell::Flag(key.signs_keyset() || key.signs_zone()));
    cells
}

type Head = &'static [(&'static str, usize)];

const PLAIN: Head =
    &[("Zone:", 31), ("Keytype:", 8), ("State:", 9), ("Date of next transition:", 0)];

fn plain(view: &KeyView, row: Row<'_>) -> Vec<String> {
    let state = compatibility_state(row.key).to_string();
    vec![row.zone.text(), row.key.role.to_string(), state, view.transition(row)]
}

const VERBOSE: Head = &[
    ("Zone:", 31),
    ("Keytype:", 8),
    ("State:", 9),
    ("Date of next transition:", 24),
    ("Size:", 5),
    ("Algorithm:", 10),
    ("CKA_ID:", 32),
    ("Repository:", 11),
    ("KeyTag:", 0),
];

fn verbose(view: &KeyView, row: Row<'_>) -> Vec<String> {
    let key = row.key;
    let mut cells = plain(view, row);
    cells.extend([
        key.bits.to_string(),
        key.algorithm.number().to_string(),
        key.id.to_string(),
        key.repository.clone(),
        key.key_tag.to_string(),
    ]);
    cells
}

const DEBUG: Head = &[
    ("Zone:", 31),
    ("Key role:", 13),
    ("DS:", 12),
    ("DNSKEY:", 12),
    ("RRSIGDNSKEY:", 12),
    ("RRSIG:", 12),
    ("Pub:", 4),
    ("Act:", 4),
    ("Id:", 0),
];

fn debug(_: &KeyView, row: Row<'_>) -> Vec<String> {
    let mut cells = vec![row.zone.text(), row.key.role.to_string()];
    cells.extend(records(row.key));
    cells.push(row.key.id.to_string());
    cells
}

/// The states of the four records, and whether the key is published and signs.
fn records(key: &KeyLife) -> Vec<String> {
    let states = RecordKind::ALL.iter().map(|kind| {
        let state = key.state(*kind);
        state.map_or_else(|| "NA".to_owned(), |state| state.to_string())
    });
    let flag = |is_so: bool| String::from(if is_so { "1" } else { "0" });
    let flags = [flag(key.is_published()), flag(key.signs_keyset() || key.signs_zone())];
    states.chain(flags).collect()
}

fn full(view: &KeyView, row: Row<'_>) -> String {
    let mut cells = plain(view, row);
    let next = cells.pop().unwrap_or_default();
    cells.extend([row.key.key_tag.to_string(), row.key.id.to_string()]);
    cells.extend(records(row.key));
    cells.push(next);
    let widths = [31, 8, 9, 5, 32, 12, 12, 12, 12, 4, 4, 0];
    let cells = cells.iter().map(String::as_str).zip(widths);
    columns(&cells.collect::<Vec<_>>())
}

/// `rollover list`.
pub(super) fn rollover_list(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        let line = |zone: &str, role: &str, expected: &str| {
            columns(&[(zone, 31), (role, 8), (expected, 30)])
        };
        let zone = match invocation.value("zone") {
            Some(typed) => match view.zone(typed) {
                Some(zone) => Some(&zone.name),
                None => return Output::said(format!("zone '{typed}' not found\n"), 1),
            },
            None => None,
        };
        let is_meant = |row: &Row<'_>| zone.is_none_or(|zone| *zone == row.zone.name);
        if invocation.has("json") {
            let rows = view.by_zone().filter(is_meant).map(|row| {
                let next = row.zone.life.next_roll.get(row.key.role);
                vec![
                    Cell::text(row.zone.text()),
                    Cell::text(row.key.role.to_string()),
                    Cell::Number(u64::from(row.key.key_tag.0)),
                    Cell::text(expected(&view, row)),
                    Cell::moment(*next),
                ]
            });
            return array(&["zone", "type", "key_tag", "expected", "rolls_at"], rows);
        }
        let mut text = "Keys:\n".to_owned() + &line("Zone:", "Keytype:", "Rollover expected:");
        for row in view.by_zone().filter(is_meant) {
            text += &line(&row.zone.text(), &row.key.role.to_string(), &expected(&view, row));
        }
        Output::done(text)
    }
    .boxed_local()
}

/// When a key rolls, or what it waits for.
fn expected(view: &KeyView, row: Row<'_>) -> String {
    let waiting = view.transition(row);
    if waiting.starts_with("waiting for ") {
        return waiting;
    }
    let next = row.zone.life.next_roll.get(row.key.role);
    next.map_or_else(|| "No roll scheduled".to_owned(), crate::io::local_time::date_time)
}
