//! Commands that change keys: `key rollover`, `key generate`, `key purge`, `key import`
//! (catalogue 1.5, 4.4, 4.6, 4.9). In: words. Out: orders to the enforcer, what came of them.
//! Never: decisions about keys; what applies is decided in `dnssec::enforcer`.

use super::dispatch::wrong_arguments;
use super::key_view::{
    CHANGE_DEADLINE, ask_within, failed, parse_role, parse_zone, policy_of, zones_of,
};
use super::output::Output;
use super::site::Site;
use crate::enforcer::{Change, ChangeError, EnforcerMessage, LifeEdit};
use crate::settings::zone_text;
use appliance_config::parse_duration;
use console_protocol::parse::Invocation;
use dnssec::Name;
use dnssec::enforcer::{Scene, ZoneLife, removable_keys, roll_now};
use dnssec::key::{KeyId, KeyRole};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;
use storage::state::{Cause, User};
use tokio::sync::oneshot;

/// Has the enforcer change what is remembered of a zone, because of this command.
pub(super) async fn change(
    site: &Site,
    zone: &Name,
    invocation: &Invocation,
    edit: LifeEdit,
) -> Result<(), ChangeError> {
    let (zone, cause) = (zone.clone(), cause(invocation));
    let order = |reply| EnforcerMessage::Change(Change { zone, edit, cause, reply });
    let answer = ask_within(site, CHANGE_DEADLINE, order).await;
    answer.unwrap_or_else(|error| Err(ChangeError::Failed(error)))
}

/// A command as the history has it.
pub(super) fn cause(invocation: &Invocation) -> Cause {
    let given_by = invocation.given_by.clone();
    let by = given_by.map(|console_protocol::parse::User { id, name }| User { id, name });
    Cause { text: invocation.line(), by }
}

fn usage(invocation: &Invocation, stdout: &str, stderr: String) -> Output {
    wrong_arguments(invocation.command, &invocation.rest, stdout.to_owned(), stderr)
}

/// The zones that `--zone` or `--policy` name; exactly one of the two is to be there.
enum Target {
    Zones(Vec<Name>),
    Neither,
    Both,
    ZoneUnknown(String),
    PolicyUnknown(String),
}

fn target(site: &Site, invocation: &Invocation) -> Target {
    match (invocation.value("zone"), invocation.value("policy")) {
        (None, None) => Target::Neither,
        (Some(_), Some(_)) => Target::Both,
        (Some(typed), None) => {
            let known = parse_zone(typed).filter(|zone| site.staff.zones.get(zone).is_some());
            known.map_or_else(|| Target::ZoneUnknown(typed.to_owned()), |z| Target::Zones(vec![z]))
        }
        (None, Some(name)) => match is_policy(site, name) {
            true => Target::Zones(zones_of(site, name)),
            false => Target::PolicyUnknown(name.to_owned()),
        },
    }
}

fn is_policy(site: &Site, name: &str) -> bool {
    site.catalogue().policies.iter().any(|policy| policy.name == name)
}

/// `key rollover`.
pub(super) fn key_rollover(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let expected = "expected either --zone <zone> or --policy <policy> option\n";
        let zones = match target(&site, &invocation) {
            Target::Zones(zones) => zones,
            Target::Neither | Target::Both => {
                return usage(&invocation, expected, String::new());
            }
            Target::ZoneUnknown(zone) => {
                return Output::said(format!("zone {zone} not found\n"), 1);
            }
            Target::PolicyUnknown(policy) => {
                return usage(&invocation, "", format!("unknown policy {policy}\n"));
            }
        };
        let role = match invocation.value("keytype").map(|typed| (typed, parse_role(typed))) {
            None => None,
            Some((_, Some(role))) => Some(role),
            Some((typed, None)) => {
                return Output::said(format!("given keytype \"{typed}\" invalid\n"), 1);
            }
        };
        let mut output = Output::default();
        for zone in zones {
            roll(&site, &invocation, &zone, role, &mut output).await;
        }
        output
    }
    .boxed_local()
}

async fn roll(
    site: &Site,
    invocation: &Invocation,
    zone: &Name,
    role: Option<KeyRole>,
    output: &mut Output,
) {
    let text = zone_text(zone);
    let roles: Vec<KeyRole> = match role {
        Some(role) => vec![role],
        None => {
            let policy = policy_of(site, zone);
            let has = |role: &KeyRole| {
                let keys = policy.iter().flat_map(|policy| &policy.keys.keys);
                keys.into_iter().any(|key| key.role == *role)
            };
            [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk].into_iter().filter(has).collect()
        }
    };
    let rolled = roles.clone();
    let edit: LifeEdit = Box::new(move |life, _| {
        Ok(rolled.iter().fold(life.clone(), |life, role| roll_now(&life, *role)))
    });
    let word = role.map_or_else(|| "all keys".to_owned(), |role| role.to_string());
    match change(site, zone, invocation, edit).await {
        Ok(()) => {
            output.stdout += &format!("rolling {word} for zone {text}\n");
            for role in roles {
                tracing::info!(target: "enforcer", zone = %text,
                    "Manual rollover initiated for {role} on Zone: {text}");
            }
        }
        Err(error) => {
            output.stderr += &format!("zone {text}: {error}\n");
            output.exit_code = 1;
        }
    }
}

/// `key generate`.
pub(super) fn key_generate(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let policy = match (invocation.value("policy"), invocation.has("all")) {
            (_, true) => None,
            (Some(name), false) if is_policy(&site, name) => Some(name.to_owned()),
            (Some(name), false) => {
                return Output::refused(format!("Unable to find policy {name}!\n"), 1);
            }
            (None, false) => {
                return Output::refused("Either --all or --policy needs to be given!\n", 1);
            }
        };
        let period = match invocation.value("duration").map(parse_duration) {
            None => None,
            Some(Ok(period)) => Some(period),
            Some(Err(_)) => {
                return Output::refused("Error parsing the specified duration!\n", 1);
            }
        };
        let order = EnforcerMessage::Generate { policy, period };
        match site.staff.zones.enforcer().tell(order) {
            Ok(()) => Output::done("Key generation task scheduled.\n"),
            Err(undelivered) => failed(undelivered.error),
        }
    }
    .boxed_local()
}

/// `key purge`. Without `--delete` the keys stay in the trash for a while (`key restore`).
pub(super) fn key_purge(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let complain = |text: String| usage(&invocation, "", text);
        let zones = match target(&site, &invocation) {
            Target::Zones(zones) => zones,
            Target::Neither => return complain("expected either --zone or --policy \n".to_owned()),
            Target::Both => return complain("too many arguments\n".to_owned()),
            Target::ZoneUnknown(zone) => return complain(format!("unknown zone {zone}\n")),
            Target::PolicyUnknown(name) => return complain(format!("unknown policy {name}\n")),
        };
        let mut output = Output::default();
        let mut purged = Vec::new();
        for zone in zones {
            match purge(&site, &invocation, &zone).await {
                Ok(ids) if ids.is_empty() => {
                    output.stdout += &format!("No keys to purge for {} \n", zone_text(&zone));
                }
                Ok(ids) => {
                    for (_, id) in &ids {
                        output.stdout += &format!("deleting key: {id}\n");
                    }
                    purged.extend(ids);
                }
                Err(error) => {
                    output.stderr += &format!("zone {}: {error}\n", zone_text(&zone));
                    output.exit_code = 1;
                }
            }
        }
        if !invocation.has("delete") {
            output.stdout += "Refrained from deleting keys from HSM\n";
            return output;
        }
        let destroyed = match purged.is_empty() {
            true => Ok(0),
            false => {
                let order = |reply| EnforcerMessage::Destroy { keys: purged, reply };
                ask_within(&site, CHANGE_DEADLINE, order).await
            }
        };
        match destroyed {
            Ok(0) => output.stdout += "Found no keys to delete from HSM\n",
            Ok(count) => {
                output.stdout += &format!("Number of keys deleted from HSM is {count}\n");
            }
            Err(error) => {
                output.stderr += &format!("{error}\n");
                output.exit_code = 1;
            }
        }
        output
    }
    .boxed_local()
}

/// Has a zone forget its dead keys; answers which: repository and id.
pub(super) async fn purge(
    site: &Site,
    invocation: &Invocation,
    zone: &Name,
) -> Result<Vec<(String, KeyId)>, ChangeError> {
    let unknown = || ChangeError::ZoneUnknown(Box::new(zone.clone()));
    let policy = policy_of(site, zone).ok_or_else(unknown)?;
    let (sender, gone) = oneshot::channel();
    let edit: LifeEdit = Box::new(move |life, now| {
        let ids = removable_keys(life, &Scene::new(&policy, now, &[]));
        let leaves = |id: &KeyId| ids.contains(id);
        let (gone, keys) = life.keys.iter().cloned().partition(|key| leaves(&key.id));
        let gone: Vec<dnssec::enforcer::KeyLife> = gone;
        let gone: Vec<(String, KeyId)> =
            gone.into_iter().map(|key| (key.repository, key.id)).collect();
        // Whoever asked may have gone.
        let _ = sender.send(gone);
        let mut successions = life.successions.clone();
        successions.retain(|one| !leaves(&one.from) && !leaves(&one.to));
        Ok(ZoneLife { keys, successions, ..life.clone() })
    });
    change(site, zone, invocation, edit).await?;
    Ok(gone.await.unwrap_or_default())
}
