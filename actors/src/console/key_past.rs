//! What happened to keys, and what can be undone: `key history`, `key trash`, `key restore`; all
//! three are ours. In: the store's append-only history, records of keys. Out: lists; a key that is
//! not destroyed. Texts that came from outside are shown without control characters.

use super::key_view::{failed, parse_zone};
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
use storage::state::{Cause, KeyOwner, KeyRecord, KeyState};

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
pub(super) fn key_trash(site: Arc<Site>, _: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let keys = match site.staff.zones.store().keys().await {
            Ok(keys) => keys,
            Err(error) => return failed(error),
        };
        let line = |zone: &str, role: &str, place: &str, since: &str, id: &str| {
            columns(&[(zone, 31), (role, 8), (place, 11), (since, 19), (id, 0)])
        };
        let mut text = line("Zone:", "Keytype:", "Repository:", "Destroyed at:", "CKA_ID:");
        for key in keys {
            let KeyState::Trashed { since } = key.state else { continue };
            let at = date_time(since.plus(TRASH_PERIOD));
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
