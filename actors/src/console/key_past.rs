//! What happened to keys, and what can be undone: `key history`, `key trash`, `key restore`; all
//! three are ours. In: the store's append-only history, records of keys. Out: lists; a key that is
//! not destroyed. Texts that came from outside are shown without control characters.

use super::key_view::{failed, parse_zone};
use super::listing::{Cell, array};
use super::output::Output;
use super::site::Site;
use super::text::columns;
use crate::enforcer::TRASH_PERIOD;
use crate::io::local_time::date_time;
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::key::KeyId;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use storage::state::{Cause, HistoryEntry, KeyOwner, KeyRecord, KeyState};

/// What the history calls the enforcer's own doing.
const ENFORCER: &str = "enforcer";
/// The exit code of our own commands for wrong words.
const WRONG: u8 = 2;

/// `key history`.
pub(super) fn key_history(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let typed = invocation.value("zone").or(invocation.operands.first().map(String::as_str));
        let Some(typed) = typed else {
            return Output::refused("key history needs the name of a zone\n", WRONG);
        };
        let id = match invocation.value("cka_id").map(|typed| (typed, KeyId::from_hex(typed))) {
            None => None,
            Some((_, Some(id))) => Some(id),
            Some((typed, None)) => {
                return Output::refused(format!("{} is no CKA_ID\n", printable(typed)), WRONG);
            }
        };
        let Some(zone) = parse_zone(typed) else {
            return Output::refused(format!("{} is no zone\n", printable(typed)), WRONG);
        };
        let entries = match site.staff.zones.store().history(&zone).await {
            Ok(entries) => entries,
            Err(error) => return failed(error),
        };
        if entries.is_empty() {
            return Output::refused(format!("zone {} has no history\n", zone_text(&zone)), 1);
        }
        if invocation.has("json") {
            return history_rows(&entries, id.as_ref());
        }
        let mut text = String::new();
        for entry in entries {
            let is_meant = |of: &KeyId| id.as_ref().is_none_or(|id| id == of);
            let mut events = entry.events.iter().filter(|(of, _)| is_meant(of)).peekable();
            // Without events: what a command is going to do; or what the enforcer noted for itself.
            let is_command =
                entry.events.is_empty() && entry.cause.text != ENFORCER && id.is_none();
            if events.peek().is_none() && !is_command {
                continue;
            }
            text += &format!("{} {}\n", date_time(entry.at), printable(&why(&entry.cause)));
            for (id, event) in events {
                text += &format!("    {id} {event}\n");
            }
        }
        Output::done(text)
    }
    .boxed_local()
}

/// The history for programs: a row for each event; a command without one has a row, too.
fn history_rows(entries: &[HistoryEntry], id: Option<&KeyId>) -> Output {
    let mut rows = Vec::new();
    for entry in entries {
        let begin = || {
            let by = entry.cause.by.as_ref().map(ToString::to_string);
            vec![Cell::Moment(entry.at), Cell::text(&*entry.cause.text), Cell::maybe(by)]
        };
        let row = |cells: [Cell; 2]| begin().into_iter().chain(cells).collect::<Vec<Cell>>();
        let is_meant = |of: &KeyId| id.is_none_or(|id| id == of);
        let events = entry.events.iter().filter(|(of, _)| is_meant(of));
        rows.extend(
            events.map(|(of, event)| row([of.to_string(), event.to_string()].map(Cell::Text))),
        );
        if entry.events.is_empty() && entry.cause.text != ENFORCER && id.is_none() {
            rows.push(row([Cell::Nothing, Cell::Nothing]));
        }
    }
    array(&["at", "cause", "by", "cka_id", "event"], rows)
}

/// The command and who gave it.
fn why(cause: &Cause) -> String {
    match &cause.by {
        Some(user) => format!("{} (by {user})", cause.text),
        None => cause.text.clone(),
    }
}

/// The same text with `?` for what a terminal might act upon.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '?' } else { char }).collect()
}

/// `key trash`.
pub(super) fn key_trash(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let keys = match site.staff.zones.store().keys().await {
            Ok(keys) => keys,
            Err(error) => return failed(error),
        };
        let trashed = |key: &KeyRecord| match key.state {
            KeyState::Trashed { since } => Some(since.plus(TRASH_PERIOD)),
            _ => None,
        };
        if invocation.has("json") {
            let rows = keys.iter().filter_map(|key| {
                let (role, id) = (key.role.to_string(), key.id.to_string());
                let texts = [owner(key), role, key.repository.clone(), id].map(Cell::Text);
                Some(texts.into_iter().chain([Cell::Moment(trashed(key)?)]).collect())
            });
            return array(&["zone", "type", "repository", "cka_id", "destroyed_at"], rows);
        }
        let line = |zone: &str, role: &str, place: &str, since: &str, id: &str| {
            columns(&[(zone, 31), (role, 8), (place, 11), (since, 19), (id, 0)])
        };
        let mut text = line("Zone:", "Keytype:", "Repository:", "Destroyed at:", "CKA_ID:");
        for key in keys {
            let Some(at) = trashed(&key).map(date_time) else { continue };
            let (role, id) = (key.role.to_string(), key.id.to_string());
            text += &line(&owner(&key), &role, &key.repository, &at, &id);
        }
        Output::done(text)
    }
    .boxed_local()
}

fn owner(key: &KeyRecord) -> String {
    match &key.owner {
        KeyOwner::Zone(zone) => zone_text(zone),
        KeyOwner::Policy(policy) => format!("(policy {policy})"),
    }
}

/// `key restore`: the key is not destroyed. It stays out of its zone until it is imported.
pub(super) fn key_restore(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let typed = invocation.value("cka_id").or(invocation.operands.first().map(String::as_str));
        let Some(id) = typed.and_then(KeyId::from_hex) else {
            return Output::refused("key restore needs the CKA_ID of a key\n", WRONG);
        };
        let store = site.staff.zones.store();
        let keys = match store.keys().await {
            Ok(keys) => keys,
            Err(error) => return failed(error),
        };
        let is_meant = |key: &&KeyRecord| {
            let place = invocation.value("repository");
            let is_there = place.is_none_or(|place| place == key.repository);
            is_there && key.id == id && matches!(key.state, KeyState::Trashed { .. })
        };
        let found: Vec<&KeyRecord> = keys.iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => Output::refused(format!("key {id} is not in the trash\n"), 1),
            [key] if matches!(key.owner, KeyOwner::Policy(_)) => Output::refused(
                format!(
                    "key {id} was shared by several zones: it would be taken for a fresh one\n"
                ),
                1,
            ),
            [key] => match store.key_restore(&key.repository, &id).await {
                Ok(_) => Output::done(format!(
                    "key {id} stays in repository {}; \"key import\" brings it back into zone {}\n",
                    key.repository,
                    owner(key)
                )),
                Err(error) => failed(error),
            },
            several => {
                let places: Vec<&str> = several.iter().map(|key| key.repository.as_str()).collect();
                let text = format!("key {id} is in {}: name one (-r)\n", places.join(", "));
                Output::refused(text, 1)
            }
        }
    }
    .boxed_local()
}
