//! Handlers of `policy export`, `import`, `purge`, `resalt`, in OpenDNSSEC 2.1's words
//! (catalogue 1.5), and of `update`. In: kasp.xml. Out: the policies that the daemon goes by.
//! An import says first what it does to each zone's keys; with `--dry-run` that is all it does. A
//! kasp.xml with a fault, or without a policy that zones have, changes nothing.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers};
use super::key_change::cause;
use super::output::Output;
use super::plan_commands::look;
use super::policy_change::differences;
use super::preview;
use super::site::Site;
use super::update::settle;
use super::update_commands;
use super::zone_commands::{refused, warnings};
use crate::enforcer::EnforcerMessage;
use crate::runtime::{JobError, SubmitError};
use crate::settings::{SettingsError, read_policies, zone_text};
use crate::store::StoreError;
use appliance_config::write_kasp;
use console_protocol::parse::Invocation;
use dnssec::policy::{DenialPolicy, Policy};
use futures_util::FutureExt;
use std::sync::Arc;
use storage::state::{Cause, KeyOwner, KeyState, PolicyState};

pub(super) const HANDLERS: Handlers = &[
    ("policy export", Handler::Now(export)),
    ("policy import", Handler::Later(|site, words| import(site, words).boxed_local())),
    ("policy purge", Handler::Later(|site, _| purge(site).boxed_local())),
    ("policy resalt", Handler::Later(|site, words| resalt(site, words).boxed_local())),
    ("update conf", Handler::Later(|site, _| update_commands::conf(site).boxed_local())),
    (
        "update repositorylist",
        Handler::Later(|site, _| update_commands::repositories(site).boxed_local()),
    ),
    ("update all", Handler::Later(|site, words| update_commands::all(site, words).boxed_local())),
    ("update kasp", Handler::Later(|site, words| import(site, words).boxed_local())),
];

fn export(site: &Site, invocation: &Invocation) -> Output {
    let catalogue = site.catalogue();
    let policies = catalogue.policies.iter().map(Arc::as_ref);
    match (invocation.has("all"), invocation.value("policy")) {
        (true, _) => Output::done(write_kasp(policies)),
        (false, Some(name)) => match catalogue.policy(name) {
            Some(policy) => Output::done(write_kasp([policy.as_ref()])),
            None => refused(format!("Unable to find policy {name}!")),
        },
        (false, None) => refused("Either --all or --policy needs to be given!"),
    }
}

async fn import(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    let removes_missing = invocation.has("remove-missing-policies");
    let is_dry = invocation.has("dry-run");
    match import_policies(&site, removes_missing, is_dry, &cause(&invocation)).await {
        Ok(output) => output,
        Err(error @ ImportError::Settings(_)) => refused(format!(
            "Unable to validate the KASP XML, please run ods-kaspcheck for more details!\n{error}"
        )),
        Err(error) => refused(error),
    }
}

/// Why no policy was imported.
#[derive(Debug, thiserror::Error)]
pub(super) enum ImportError {
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the enforcer does not say what it sees of the zones: {0}")]
    Enforcer(String),
    #[error(
        "Duplicated Policy Key elements in KASP XML is not allowed!\nPolicy {0} has one key twice"
    )]
    KeyTwice(String),
    #[error(
        "Unable to delete policy {policy}, there are still zones using this policy!\nZone {zone} \
         has it; nothing was changed. Put the policy back into kasp.xml, or give the zone another \
         one with \"zone set-policy\"."
    )]
    InUse { policy: String, zone: String },
    #[error("{0}; nothing was changed")]
    Followed(String),
}

/// What becomes of the policies.
#[derive(Default)]
struct Changes {
    /// Those that the daemon goes by from now on.
    policies: Vec<Arc<Policy>>,
    /// Those that were known and are other ones now.
    updated: Vec<(Arc<Policy>, Arc<Policy>)>,
    /// A line about each.
    said: String,
}

/// Takes the policies of kasp.xml, because of `cause`; the caller has the right to change zones.
pub(super) async fn import_policies(
    site: &Arc<Site>,
    removes_missing: bool,
    is_dry: bool,
    cause: &Cause,
) -> Result<Output, ImportError> {
    let catalogue = Catalogue::clone(&site.catalogue());
    let conf_file = site.conf_file().to_owned();
    let read = site.staff.desk.run(move || read_policies(&conf_file))?.await??;
    if let Some(policy) = read.iter().find(|policy| has_key_twice(policy)) {
        return Err(ImportError::KeyTwice(policy.name.clone()));
    }
    let mut changes = compare(&catalogue, read, is_dry);
    let mut stderr = String::new();
    let is_missing =
        |policy: &&Arc<Policy>| !changes.policies.iter().any(|it| it.name == policy.name);
    let missing: Vec<Arc<Policy>> = catalogue.policies.iter().filter(is_missing).cloned().collect();
    for policy in missing {
        let name = policy.name.clone();
        if let Some(zone) = catalogue.zones.iter().find(|zone| zone.policy == name) {
            return Err(ImportError::InUse { policy: name, zone: zone_text(&zone.name) });
        }
        if !removes_missing {
            changes.policies.push(policy);
        } else if has_keys(site, &name).await? {
            stderr += &format!(
                "Unable to delete policy {name}, there are still hsm keys using this policy!\n"
            );
            changes.policies.push(policy);
        } else {
            changes.said += &match is_dry {
                true => format!("Policy {name} would be deleted\n"),
                false => format!("Deleted policy {name} successfully\n"),
            };
        }
    }
    let preview = previewed(site, &catalogue, &changes.updated).await?;
    if is_dry {
        return Ok(Output { stderr, ..Output::done(preview + &changes.said) });
    }
    let exit_code = u8::from(!stderr.is_empty());
    let catalogue = Catalogue { policies: changes.policies, ..catalogue };
    let settled = settle(site, catalogue, Some(cause)).await;
    let stderr = preview + &stderr + &warnings(&settled.not_started, |_| true);
    Ok(Output { stderr, exit_code, ..Output::done(changes.said) })
}

fn compare(catalogue: &Catalogue, read: Vec<Policy>, is_dry: bool) -> Changes {
    let mut changes = Changes::default();
    for policy in read {
        let (name, new) = (policy.name.clone(), Arc::new(policy));
        let (done, would) = match catalogue.policy(&name) {
            None => (format!("Created policy {name} successfully\n"), "created"),
            Some(old) if **old == *new => {
                changes.said += &format!("Policy {name} already up-to-date\n");
                // The very same, so that comparing costs nothing.
                changes.policies.push(old.clone());
                continue;
            }
            Some(old) => {
                changes.updated.push((old.clone(), new.clone()));
                (format!("Updated policy {name} successfully\n"), "updated")
            }
        };
        changes.said += &if is_dry { format!("Policy {name} would be {would}\n") } else { done };
        changes.policies.push(new);
    }
    changes
}

fn has_key_twice(policy: &Policy) -> bool {
    let keys = &policy.keys.keys;
    keys.iter().enumerate().any(|(at, key)| keys[..at].contains(key))
}

/// Whether keys were made for a policy.
async fn has_keys(site: &Site, policy: &str) -> Result<bool, StoreError> {
    let keys = site.staff.zones.store().keys_of(&KeyOwner::Policy(policy.to_owned())).await?;
    Ok(keys.iter().any(|key| matches!(key.state, KeyState::Present | KeyState::Intent)))
}

/// What differs in each policy, and what its zones are in for. Evaluations and plans run on a
/// worker.
async fn previewed(
    site: &Site,
    catalogue: &Catalogue,
    updated: &[(Arc<Policy>, Arc<Policy>)],
) -> Result<String, ImportError> {
    let mut text = String::new();
    for (old, new) in updated {
        text += &format!("Policy {} changes:\n{}", old.name, differences(old, new));
        let zones = catalogue.zones.iter().filter(|zone| zone.policy == old.name);
        let asked = zones.flat_map(|zone| [old, new].map(|one| (zone.name.clone(), one.clone())));
        let sights = look(site, asked.collect()).await.map_err(ImportError::Enforcer)?;
        preview::refusal(&sights).map_or(Ok(()), |why| Err(ImportError::Followed(why)))?;
        text += &site.staff.desk.run(move || preview::lines(&sights))?.await?;
    }
    Ok(text)
}

async fn purge(site: Arc<Site>) -> Output {
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let mut text = "Purging policies\n".to_owned();
    let zones = std::mem::take(&mut catalogue.zones);
    catalogue.policies.retain(|policy| {
        let has_zones = zones.iter().any(|zone| zone.policy == policy.name);
        if !has_zones {
            text += &format!("No zones on policy {}; purging...\n", policy.name);
        }
        has_zones
    });
    site.set_catalogue(Catalogue { zones, ..catalogue });
    Output::done(text)
}

/// All policies, or the one that is named, as in the development line of OpenDNSSEC.
async fn resalt(site: Arc<Site>, invocation: Invocation) -> Output {
    let catalogue = site.catalogue();
    let named = invocation.value("policy").filter(|_| !invocation.has("all"));
    if let Some(name) = named.filter(|name| catalogue.policy(name).is_none()) {
        return refused(format!("Unable to find policy {name}!"));
    }
    let is_meant = |policy: &&Arc<Policy>| named.is_none_or(|name| name == policy.name);
    for policy in catalogue.policies.iter().filter(is_meant) {
        let DenialPolicy::Nsec3(nsec3) = &policy.denial else { continue };
        let mut salt = vec![0; usize::from(nsec3.salt_length)];
        if salt.is_empty() {
            continue;
        }
        if getrandom::fill(&mut salt).is_err() {
            return refused("the system's random source failed; restart the machine");
        }
        let state = PolicyState { salt, salt_changed: site.staff.clock.now() };
        if let Err(error) = site.staff.zones.store().set_policy(&policy.name, state).await {
            return refused(error);
        }
    }
    match site.staff.enforcer.tell(EnforcerMessage::Enforce { zone: None }) {
        Ok(()) => Output::done(""),
        Err(undelivered) => refused(undelivered.error),
    }
}
