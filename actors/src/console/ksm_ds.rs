//! `key ds-seen`, `ds-gone`, `ksk-retire` and `ksk-revoke` of `ods-ksmutil` (catalogue 1.10), in
//! OpenDNSSEC 1.4's words. In: which key of which zone. Out: changes of zones; exit code 255: no
//! key matches, or more than one, and nothing changed.
//! Other than there: the old KSK leaves when caches have the new DS, and `ds-gone`, which 1.x does
//! not have, says that the old DS is gone; the enforcer sees all of it at once.

use super::dispatch::SYNTAX;
use super::key_change::change;
use super::key_view::{KeyView, Row, failed, policy_of};
use super::ksm_commands::{complaint, not_kept, optional_zone, state_of, usage};
use super::output::Output;
use super::site::Site;
use crate::enforcer::{ChangeError, LifeEdit};
use console_protocol::parse::Invocation;
use dnssec::KeyTag;
use dnssec::enforcer::{
    CommandError, CompatibilityState, DsAtParent, ds_gone, ds_retract, ds_seen, ds_submit,
    ksk_retire, revoke as revoke_key, stay,
};
use dnssec::key::KeyId;
use std::collections::BTreeSet;
use std::sync::Arc;

const LAST_ACTIVE: &str =
    "Error: completing this action would leave no active keys on zone, quitting...";
const MORE_THAN_ONE: &str = "More than one key matched your parameters, please include more \
                             information from the above keys";

/// The KSKs that the words name, of those that can be told something, and what is said of them.
struct Named<'v> {
    rows: Vec<Row<'v>>,
    text: String,
}

/// The KSKs of `--zone`, `--keytag` and `--cka_id`; there is one at most, in however many zones.
fn named<'v>(view: &'v KeyView, invocation: &Invocation) -> Result<Named<'v>, Output> {
    let zone = optional_zone(view, invocation)?;
    let tag = invocation.value("keytag").map(key_tag).transpose()?;
    let id = invocation.value("cka_id");
    let is_meant = |row: &Row<'_>| {
        row.key.role.signs_keyset()
            && can_be_told(*row)
            && zone.is_none_or(|zone| zone.name == row.zone.name)
            && tag.is_none_or(|tag| row.key.key_tag == tag)
            && id.is_none_or(|typed| KeyId::from_hex(typed).as_ref() == Some(&row.key.id))
    };
    let rows: Vec<Row<'v>> = view.by_zone().filter(is_meant).collect();
    let ids: BTreeSet<&KeyId> = rows.iter().map(|row| &row.key.id).collect();
    let text: String = ids.iter().map(|id| format!("Found key with CKA_ID {id}\n")).collect();
    if ids.len() > 1 {
        return Err(Output::said(format!("{text}{MORE_THAN_ONE}\n"), SYNTAX));
    }
    Ok(Named { rows, text })
}

fn key_tag(typed: &str) -> Result<KeyTag, Output> {
    if typed.is_empty() || !typed.bytes().all(|octet| octet.is_ascii_digit()) {
        let text = format!("Error: keytag \"{typed}\"; should be numeric only");
        return Err(complaint(text));
    }
    typed.parse().map(KeyTag).map_err(|_| {
        complaint(format!("Error: Unable to convert keytag \"{typed}\"; to an integer"))
    })
}

fn is_awaited(row: Row<'_>) -> bool {
    matches!(row.key.ds_at_parent, DsAtParent::Submit | DsAtParent::Submitted)
}

fn can_be_told(row: Row<'_>) -> bool {
    use CompatibilityState::*;
    is_awaited(row) || matches!(state_of(row.key), Ready | Active | DsSub | Retire)
}

/// Nothing changed, and this is why.
fn nothing(text: &str, why: &str) -> Output {
    Output::said(format!("{text}{why}\n"), SYNTAX)
}

/// The core does not allow it.
fn not_allowed(text: &str, error: &ChangeError) -> Output {
    let stderr = format!("{error}\n");
    match error {
        ChangeError::Refused(CommandError::OnlyKey { .. }) => {
            Output { stderr, ..nothing(text, LAST_ACTIVE) }
        }
        _ => Output { stderr, ..Output::said(text, SYNTAX) },
    }
}

/// `key ds-seen`.
pub(super) async fn seen(site: Arc<Site>, invocation: Invocation) -> Output {
    if invocation.value("keytag").is_none() && invocation.value("cka_id").is_none() {
        let text = "Please provide a keytag or a CKA_ID for the key (CKA_ID will be used if both \
                    are provided)";
        return usage(&invocation, text);
    }
    if invocation.value("zone").is_none() {
        return usage(&invocation, "Please specify a zone using the --zone flag");
    }
    let view = match KeyView::look(&site).await {
        Ok(view) => view,
        Err(error) => return failed(error),
    };
    let Named { rows, text } = match named(&view, &invocation) {
        Ok(named) => named,
        Err(output) => return output,
    };
    match rows.first() {
        Some(row) if is_awaited(*row) => say_seen(&site, &invocation, *row, text).await,
        Some(row) if state_of(row.key) == CompatibilityState::Active => {
            nothing(&text, "Key is already active")
        }
        _ => nothing(
            &text,
            "No keys in the READY state matched your parameters, please check the parameters",
        ),
    }
}

async fn say_seen(site: &Site, invocation: &Invocation, row: Row<'_>, mut text: String) -> Output {
    let is_standby = state_of(row.key) == CompatibilityState::DsSub;
    let is_old = |one: &Row<'_>| one.key.id != row.key.id && has_ds(*one);
    let old: Vec<Row<'_>> = row.zone.rows().filter(is_old).collect();
    let stays = invocation.has("no-retire") && !is_standby;
    let (id, policy) = (row.key.id.clone(), policy_of(site, &row.zone.name));
    let staying: Vec<KeyId> = match stays {
        true => old.iter().map(|one| one.key.id.clone()).collect(),
        false => Vec::new(),
    };
    let edit: LifeEdit = Box::new(move |life, now| {
        // Here nobody says ds-submit.
        let life = ds_submit(life, &id, now).unwrap_or_else(|_| life.clone());
        let life = ds_seen(&life, &id, now)?;
        let policy = policy.as_ref();
        Ok(staying.iter().try_fold(life, |life, old| match policy {
            Some(policy) => stay(&life, old, policy, now),
            None => Ok(life),
        })?)
    });
    if let Err(error) = change(site, &row.zone.name, invocation, edit).await {
        return not_allowed(&text, &error);
    }
    let made = if is_standby { "into standby" } else { "active" };
    let line = format!("Key {} made {made}", row.key.id);
    tracing::info!(target: "enforcer", "{line}");
    text += &format!("{line}\n");
    let mut stderr = String::new();
    if stays {
        text += "Old key NOT retired\n";
        // Called off before anybody saw it.
        let is_unseen =
            |one: &&Row<'_>| one.key.ds_at_parent == DsAtParent::Retract && !one.key.ds_was_seen;
        for one in old.iter().filter(is_unseen) {
            stderr += &format!(
                "NOTE: nobody has seen the DS of key {} at the parent yet: when it is there, say \
                 so with \"key ds-seen --zone {} --keytag {}\".\n",
                one.key.id,
                one.zone.text(),
                one.key.key_tag
            );
        }
    } else if !is_standby && !old.is_empty() {
        text += "Old key retired\n";
        for one in &old {
            stderr += &format!(
                "NOTE: when the parent does not show the DS of key {} any more, say so with \"key \
                 ds-gone --zone {} --keytag {}\".\n",
                one.key.id,
                one.zone.text(),
                one.key.key_tag
            );
        }
    }
    if invocation.has("no-notify") {
        stderr += "NOTE: --no-notify: the enforcer has seen it already.\n";
    } else {
        text += "Performed a HUP ods-enforcerd\n";
    }
    Output { stderr, ..Output::done(text) }
}

/// Whether a key works, or leaves and may have its DS at the parent still.
fn has_ds(row: Row<'_>) -> bool {
    let is_leaving = matches!(row.key.ds_at_parent, DsAtParent::Retract | DsAtParent::Retracted);
    row.key.role.signs_keyset() && (is_leaving || state_of(row.key) == CompatibilityState::Active)
}

/// `key ds-gone`: what 2.x calls ds-retract and ds-gone.
pub(super) async fn gone(site: Arc<Site>, invocation: Invocation) -> Output {
    if invocation.value("zone").is_none() {
        return usage(&invocation, "Please specify a zone using the --zone flag");
    }
    let view = match KeyView::look(&site).await {
        Ok(view) => view,
        Err(error) => return failed(error),
    };
    let Named { rows, text } = match named(&view, &invocation) {
        Ok(named) => named,
        Err(output) => return output,
    };
    let is_leaving = |row: &&Row<'_>| {
        matches!(row.key.ds_at_parent, DsAtParent::Retract | DsAtParent::Retracted)
    };
    let Some(row) = rows.iter().find(is_leaving) else {
        let why = "No keys that wait for ds-gone matched your parameters, please check the \
                   parameters";
        return nothing(&text, why);
    };
    let id = row.key.id.clone();
    let edit: LifeEdit = Box::new(move |life, now| {
        let life = ds_retract(life, &id, now).unwrap_or_else(|_| life.clone());
        Ok(ds_gone(&life, &id, now)?)
    });
    match change(&site, &row.zone.name, &invocation, edit).await {
        Ok(()) => Output::done(format!("{text}DS of key {} is gone\n", row.key.id)),
        Err(error) => not_allowed(&text, &error),
    }
}

/// The key that is meant, and its zones; without words about it, the oldest that is in `state`.
fn meant<'v>(
    view: &'v KeyView,
    invocation: &Invocation,
    state: CompatibilityState,
    none: &str,
) -> Result<Named<'v>, Output> {
    let is_named = invocation.value("keytag").is_some() || invocation.value("cka_id").is_some();
    let is_in_state = |row: &Row<'_>| row.key.revoked.is_none() && state_of(row.key) == state;
    if is_named {
        let mut named = named(view, invocation)?;
        named.rows.retain(is_in_state);
        if named.rows.is_empty() {
            let word = state.to_string().to_uppercase();
            let why = format!(
                "No keys in the {word} state matched your parameters, please check the parameters"
            );
            return Err(nothing(&named.text, &why));
        }
        return Ok(named);
    }
    let Some(zone) = optional_zone(view, invocation)? else {
        return Err(usage(invocation, "Please provide a zone or details of the key to roll"));
    };
    let ours = zone.rows().filter(|row| row.key.role.signs_keyset()).filter(is_in_state);
    match ours.min_by_key(|row| row.key.inception) {
        Some(row) => Ok(Named { rows: vec![row], text: String::new() }),
        None => Err(nothing("", none)),
    }
}

/// `key ksk-retire`.
pub(super) async fn retire(site: Arc<Site>, invocation: Invocation) -> Output {
    if !invocation.is_confirmed {
        let question = "*WARNING* This will retire the currently active KSK; are you sure? [y/N] ";
        return Output::ask("", question);
    }
    let view = match KeyView::look(&site).await {
        Ok(view) => view,
        Err(error) => return failed(error),
    };
    let active = CompatibilityState::Active;
    let Named { rows, mut text } = match meant(&view, &invocation, active, LAST_ACTIVE) {
        Ok(named) => named,
        Err(output) => return output,
    };
    for row in &rows {
        let id = row.key.id.clone();
        let edit: LifeEdit = Box::new(move |life, _| Ok(ksk_retire(life, &id)?));
        if let Err(error) = change(&site, &row.zone.name, &invocation, edit).await {
            return not_allowed(&text, &error);
        }
    }
    text += &done(&rows, &text, "retired");
    Output::done(text)
}

/// `key ksk-revoke`.
pub(super) async fn revoke(site: Arc<Site>, invocation: Invocation) -> Output {
    if invocation.has("tdead") {
        let why = "the key dies when no trust anchor depends on it any more (RFC 5011 section \
                   2.4.2).";
        return not_kept("--tdead", why);
    }
    let view = match KeyView::look(&site).await {
        Ok(view) => view,
        Err(error) => return failed(error),
    };
    let none = "Error: Could not find a key to retire, quitting...";
    let state = CompatibilityState::Retire;
    let Named { rows, mut text } = match meant(&view, &invocation, state, none) {
        Ok(named) => named,
        Err(output) => return output,
    };
    for row in &rows {
        let id = row.key.id.clone();
        let edit: LifeEdit = Box::new(move |life, now| Ok(revoke_key(life, &id, now)?));
        if let Err(error) = change(&site, &row.zone.name, &invocation, edit).await {
            return not_allowed(&text, &error);
        }
    }
    text += &done(&rows, &text, "revoked");
    Output::done(text + "Performed a HUP ods-enforcerd\n")
}

/// What 1.4 says of a key that was named, and of one that was not.
fn done(rows: &[Row<'_>], found: &str, what: &str) -> String {
    match rows.first() {
        Some(row) if !found.is_empty() => format!("Key {} {what}\n", row.key.id),
        _ => format!("Old key {what}\n"),
    }
}
