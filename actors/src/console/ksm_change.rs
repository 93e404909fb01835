//! `key rollover`, `key purge` and `key delete` of `ods-ksmutil` (catalogue 1.10), in OpenDNSSEC
//! 1.4's words. In: words. Out: orders to the enforcer, what came of them.
//! Other than there: a key that is in use is not deleted, not even with `--force`; one that a zone
//! of its policy may be about to take is not, either.

use super::key_change::{self, change};
use super::key_view::{
    CHANGE_DEADLINE, KeyView, ask_within, failed, known_id, parse_zone, policy_of, zones_of,
};
use super::ksm_commands::{complaint, optional_role, usage, zone_unknown};
use super::output::Output;
use super::site::Site;
use crate::enforcer::{EnforcerMessage, LifeEdit};
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::Name;
use dnssec::enforcer::{Scene, is_removable, roll_now};
use dnssec::key::{KeyId, KeyRole};
use std::sync::Arc;
use storage::state::{KeyOwner, KeyRecord, KeyState};

/// The zones that `--zone` or `--policy` name, and how to call them.
struct Target {
    zones: Vec<Name>,
    text: String,
}

fn target(site: &Site, invocation: &Invocation, neither: &str) -> Result<Target, Output> {
    match (invocation.value("zone"), invocation.value("policy")) {
        (Some(typed), None) => {
            let known = parse_zone(typed).filter(|zone| site.staff.zones.get(zone).is_some());
            let zone = known.ok_or_else(|| zone_unknown(typed))?;
            Ok(Target { text: format!("zone {typed}"), zones: vec![zone] })
        }
        (None, Some(name)) => match site.catalogue().policy(name) {
            Some(_) => Ok(Target { text: format!("policy {name}"), zones: zones_of(site, name) }),
            None => Err(complaint(format!(
                "Error: unable to find a policy named \"{name}\" in database"
            ))),
        },
        _ => Err(usage(invocation, neither)),
    }
}

/// `key rollover`.
pub(super) async fn rollover(site: Arc<Site>, invocation: Invocation) -> Output {
    let role = match optional_role(&invocation) {
        Ok(role) => role,
        Err(output) => return output,
    };
    if role.is_none() && !invocation.has("all") {
        let text = "Please specify either a keytype, KSK or ZSK, with the --keytype <type> option \
                    or use the --all option";
        return usage(&invocation, text);
    }
    let neither = "Please provide either a zone OR a policy to rollover";
    let mut target = match target(&site, &invocation, neither) {
        Ok(target) => target,
        Err(output) => return output,
    };
    let is_policy = invocation.has("policy");
    let policy = target.zones.first().and_then(|zone| policy_of(&site, zone));
    let shares = policy.as_ref().filter(|policy| policy.keys.share_keys);
    if !invocation.is_confirmed {
        if is_policy {
            let question = "*WARNING* This will roll all keys on the policy; are you sure? [y/N] ";
            return Output::ask("", question);
        }
        if shares.is_some() {
            let question = "*WARNING* This zone shares keys with others, all instances of the \
                            active key on this zone will be retired; are you sure? [y/N] ";
            return Output::ask("", question);
        }
    }
    if target.zones.is_empty() {
        return Output::done("No zones on policy; nothing to roll\n");
    }
    if let Some(policy) = shares {
        target.zones = zones_of(&site, &policy.name);
    }
    let mut stderr = String::new();
    for zone in &target.zones {
        if let Err(error) = roll(&site, &invocation, zone, role).await {
            stderr += &format!("zone {}: {error}\n", zone_text(zone));
        }
    }
    if !stderr.is_empty() {
        return Output::refused(stderr, 1);
    }
    let word = role.map_or("all".to_owned(), |role| role.to_string().to_lowercase());
    let text = format!("Manual key rollover for key type {word} on {} initiated", target.text);
    tracing::info!(target: "enforcer", "{text}");
    Output::done(if is_policy { format!("{text}\n") } else { format!("\n{text}\n") })
}

async fn roll(
    site: &Site,
    invocation: &Invocation,
    zone: &Name,
    role: Option<KeyRole>,
) -> Result<(), crate::enforcer::ChangeError> {
    let policy = policy_of(site, zone);
    let wanted = policy.iter().flat_map(|policy| &policy.keys.keys).map(|key| key.role);
    let roles: Vec<KeyRole> = wanted.filter(|own| role.is_none_or(|role| role == *own)).collect();
    let edit: LifeEdit = Box::new(move |life, _| {
        Ok(roles.iter().fold(life.clone(), |life, own| roll_now(&life, *own)))
    });
    change(site, zone, invocation, edit).await
}

/// `key purge`: dead keys go from the zones and from their tokens.
pub(super) async fn purge(site: Arc<Site>, invocation: Invocation) -> Output {
    let neither = "Please provide either a zone OR a policy to key purge";
    let target = match target(&site, &invocation, neither) {
        Ok(target) => target,
        Err(output) => return output,
    };
    let (mut purged, mut stderr) = (Vec::new(), String::new());
    for zone in &target.zones {
        match key_change::purge(&site, &invocation, zone).await {
            Ok(ids) => purged.extend(ids),
            Err(error) => stderr += &format!("zone {}: {error}\n", zone_text(zone)),
        }
    }
    if purged.is_empty() {
        let text = if stderr.is_empty() { "No keys to purge.\n" } else { "" };
        return Output { stderr, ..Output::said(text, 0) }.failing_if_told();
    }
    let (stdout, failed) = destroyed(&site, &purged).await;
    Output { stdout, stderr: stderr + &failed, ..Output::default() }.failing_if_told()
}

impl Output {
    /// What has something to complain about has failed.
    fn failing_if_told(self) -> Output {
        Output { exit_code: u8::from(!self.stderr.is_empty()), ..self }
    }
}

/// Destroys keys that are in the trash; what is to be said of each, and what went wrong.
async fn destroyed(site: &Site, keys: &[(String, KeyId)]) -> (String, String) {
    let order = |reply| EnforcerMessage::Destroy { keys: keys.to_vec(), reply };
    let result = ask_within(site, CHANGE_DEADLINE, order).await;
    let left = site.staff.zones.store().keys().await.unwrap_or_default();
    let is_left = |(place, id): &(String, KeyId)| {
        left.iter().any(|record| record.repository == *place && record.id == *id)
    };
    let (mut stdout, mut stderr) = (String::new(), String::new());
    for key in keys {
        match is_left(key) {
            false => stdout += &format!("Key remove successful: {}\n", key.1),
            true => {
                stdout += &format!("Key remove failed: {}\n", key.1);
                stderr += &format!("key {}: its removal from {} is tried again\n", key.1, key.0);
            }
        }
    }
    if let Err(error) = result {
        stderr += &format!("{error}\n");
    }
    (stdout, stderr)
}

/// `key delete`.
pub(super) async fn delete(site: Arc<Site>, invocation: Invocation) -> Output {
    let Some(typed) = invocation.value("cka_id") else {
        return usage(&invocation, "Please provide a CKA_ID for the key to delete");
    };
    match deleted(&site, &invocation, typed).await {
        Ok(output) | Err(output) => output,
    }
}

async fn deleted(site: &Site, invocation: &Invocation, typed: &str) -> Result<Output, Output> {
    let view = KeyView::look(site).await.map_err(failed)?;
    let records = site.staff.zones.store().keys().await.map_err(failed)?;
    let id = KeyId::from_hex(typed);
    let record = records.iter().find(|record| Some(&record.id) == id.as_ref());
    let (Some(id), Some(record)) = (id, record) else {
        return Err(complaint("Failed to determine the state of the key"));
    };
    if !matches!(record.state, KeyState::Present | KeyState::Trashed { .. }) {
        return Err(complaint("Failed to determine the state of the key"));
    }
    if invocation.has("no-hsm") {
        return Err(super::ksm_commands::not_kept(
            "--no-hsm",
            "a key that the daemon does not know any more would stay in its token for good. \
             \"ods-hsmutil\" shows and moves keys.",
        ));
    }
    if known_id(&view, typed).is_some() {
        for zone in view.zones.iter().filter(|zone| zone.rows().any(|row| row.key.id == id)) {
            forget_dead(site, invocation, &zone.name, &id).await?;
        }
    } else if record.state == KeyState::Present {
        discard(site, record).await?;
    }
    let (stdout, stderr) = destroyed(site, &[(record.repository.clone(), id)]).await;
    let text = match stderr.is_empty() {
        true => format!("Key delete successful: {typed}\n"),
        false => format!("{stdout}Key delete failed: {typed}\n"),
    };
    Ok(Output { stderr, ..Output::done(text) }.failing_if_told())
}

/// Has a zone forget a key that is dead; refuses one that is in use.
async fn forget_dead(
    site: &Site,
    invocation: &Invocation,
    zone: &Name,
    id: &KeyId,
) -> Result<(), Output> {
    let (own, policy) = (id.clone(), policy_of(site, zone));
    let unknown = || complaint("Failed to determine the state of the key");
    let policy = policy.ok_or_else(unknown)?;
    let edit: LifeEdit = Box::new(move |life, now| {
        if !is_removable(life, &own, &Scene::new(&policy, now, &[])) {
            return Err(dnssec::enforcer::CommandError::StillInUse { id: own }.into());
        }
        let mut life = life.clone();
        life.keys.retain(|key| key.id != own);
        life.successions.retain(|one| one.from != own && one.to != own);
        Ok(life)
    });
    change(site, zone, invocation, edit).await.map_err(|error| Output {
        stderr: format!("zone {}: {error}\n", zone_text(zone)),
        ..complaint("The enforcer believes that this key is in use, quitting...")
    })
}

/// Puts a key that was made ahead into the trash.
async fn discard(site: &Site, record: &KeyRecord) -> Result<(), Output> {
    let KeyOwner::Policy(policy) = &record.owner else {
        return Err(complaint("The enforcer believes that this key is in use, quitting..."));
    };
    let shares =
        |policy: &str| site.catalogue().policy(policy).is_some_and(|policy| policy.keys.share_keys);
    if shares(policy) {
        return Err(Output::refused(
            format!(
                "key {}: the zones of policy {policy} share keys, and one of them may be about to \
                 take it. Nothing was changed.\n",
                record.id
            ),
            1,
        ));
    }
    let now = site.staff.clock.now();
    let store = site.staff.zones.store();
    match store.key_discard(policy, &record.repository, &record.id, now).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(complaint("The enforcer believes that this key is in use, quitting...")),
        Err(error) => Err(failed(error)),
    }
}
