//! The configuration, read again while the daemon runs: zones come, go and change; policies
//! change. In: a [`Catalogue`], or the files it is read from. Out: zones started, changed, ended.
//!
//! The files are the one truth: what a command changes is written there first, and then every
//! zone is brought in line with it here, one change at a time. A file with a fault changes nothing.
//! A zone that is gone from the list is no longer signed; its state, its keys and its signed file
//! stay, so that it goes on where it was when it comes back (`zone delete` has them removed). A
//! zone whose DS may still be at its parent is not stopped for that: it would become bogus when
//! its signatures run out (guard W16).
//! Repositories are opened at the start of the daemon: a zone that needs another one waits for it.

use super::catalogue::Catalogue;
use super::site::{Configuration, ConfigurationError, Site};
use crate::enforcer::EnforcerMessage;
use crate::runtime::{AddError, AskError, JobError, Reply, SubmitError, TellError};
use crate::settings::{LeftOut, ZoneSettings, zone_settings, zone_text};
use appliance_config::ZoneEntry;
use dnssec::Name;
use dnssec::enforcer::{Scene, ZoneLife, ds_may_be_seen};
use dnssec::key::KeyRole;
use dnssec::policy::Policy;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use storage::state::Cause;

/// Longest wait until what is under way about the keys of a zone that goes has ended.
const FORGET_DEADLINE: Duration = Duration::from_secs(30);

/// What the history says of what follows from files that are read again. Who has that done is not
/// known: a signal has no sender.
const READ_AGAIN: &str = "configuration read again (SIGHUP, reload)";

/// What an update did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Updated {
    pub(super) removed: usize,
    pub(super) added: usize,
    pub(super) updated: usize,
}

/// Why the list of zones stayed as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpdateError {
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
}

/// Why a zone of the list is not signed, or not by its new settings.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotStarted {
    #[error("its policy {0} is not known; run \"ods-enforcer policy import\"")]
    PolicyUnknown(String),
    #[error(
        "it needs the repository {0}, which is opened at the next start of the daemon; restart it"
    )]
    Repository(String),
    #[error(transparent)]
    LeftOut(#[from] LeftOut),
    #[error(transparent)]
    Twice(#[from] AddError),
}

/// What came of bringing zones in line.
#[derive(Debug, Default)]
pub(super) struct Settled {
    pub(super) counts: Updated,
    pub(super) not_started: Vec<(Name, NotStarted)>,
}

/// What is read of the configuration for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Policies {
    /// The known ones stay; those of new names are taken.
    Known,
    /// Those of kasp.xml.
    Read,
}

/// Reads the configuration and brings the zones in line with it; policies that the daemon knows
/// stay as they are until they are imported.
pub(super) async fn update_zones(site: &Arc<Site>) -> Result<Updated, UpdateError> {
    read_and_settle(site, Policies::Known).await
}

/// What SIGHUP and `reload` do: policies and the list of zones, then every zone's input. When the
/// configuration has a fault, the zones that run go on, and read their input.
pub async fn reload(site: &Arc<Site>) {
    match read_and_settle(site, Policies::Read).await {
        Ok(Updated { removed: 0, added: 0, updated: 0 }) => {}
        Ok(Updated { removed, added, updated }) => tracing::info!(target: "engine",
            "zone list updated: {removed} removed, {added} added, {updated} updated"),
        Err(error) => {
            tracing::error!(target: "config", "the configuration stays as it was: {error}");
        }
    }
    site.staff.sign_all();
}

async fn read_and_settle(site: &Arc<Site>, policies: Policies) -> Result<Updated, UpdateError> {
    let _alone = site.updating.lock().await;
    let own = site.clone();
    let reading = site.staff.desk.run(move || own.read_configuration())?;
    let Configuration { notices, mut catalogue } = reading.await??;
    for notice in notices.iter().filter(|notice| notice.is_error() && !notice.is_about_a_zone()) {
        tracing::error!(target: "config", "{notice}");
    }
    keep_what_is_equal(&site.catalogue(), &mut catalogue, policies);
    keep_delegated(site, &mut catalogue).await;
    let file = catalogue.zone_list_file.clone();
    let cause = Cause::from(READ_AGAIN);
    let settled = settle(site, catalogue, Some(&cause)).await;
    for (zone, reason) in &settled.not_started {
        let text = zone_text(zone);
        tracing::error!(target: "config", zone = %text,
            "{}: zone {text} is left out: {reason}", file.display());
    }
    Ok(settled.counts)
}

/// A policy that did not change stays the very same, so that comparing costs nothing.
fn keep_what_is_equal(old: &Catalogue, new: &mut Catalogue, policies: Policies) {
    for policy in &mut new.policies {
        if let Some(known) = old.policy(&policy.name)
            && (policies == Policies::Known || known == policy)
        {
            *policy = known.clone();
        }
    }
    if policies == Policies::Known {
        let is_gone = |known: &&Arc<Policy>| !new.policies.iter().any(|it| it.name == known.name);
        let gone: Vec<Arc<Policy>> = old.policies.iter().filter(is_gone).cloned().collect();
        new.policies.extend(gone);
    }
}

/// Zones that run and are gone from the list, but not from their parents, stay.
async fn keep_delegated(site: &Site, catalogue: &mut Catalogue) {
    let (old, listed) = (site.catalogue(), names(&catalogue.zones));
    for zone in site.staff.zones.all() {
        let name = &zone.settings.name;
        if listed.contains(name) {
            continue;
        }
        let keys = match site.staff.zones.store().life(name).await {
            Ok(life) => delegated_keys(&life.unwrap_or_default(), &zone.settings.policy, site),
            // Not known to be safe.
            Err(error) => vec![error.to_string()],
        };
        let Some(entry) = old.zone(name).filter(|_| !keys.is_empty()) else { continue };
        tracing::error!(target: "config", zone = %zone.text(),
            "zone {0} is gone from {1}, but the DS of its key {2} may still be at its parent: it \
             goes on being signed; put it back, or run \"ods-enforcer zone delete -z {0} --force\"",
            zone.text(), catalogue.zone_list_file.display(), keys.join(", "));
        if catalogue.policy(&entry.policy).is_none() {
            catalogue.policies.push(zone.settings.policy.clone());
        }
        catalogue.zones.push(entry.clone());
    }
}

/// The key tags of the keys of a zone whose DS may still be seen somewhere.
pub(super) fn delegated_keys(life: &ZoneLife, policy: &Policy, site: &Site) -> Vec<String> {
    let scene = Scene::new(policy, site.staff.clock.now(), &[]);
    let is_seen = |role: KeyRole, id| role.signs_keyset() && ds_may_be_seen(life, id, &scene);
    let keys = life.keys.iter().filter(|key| is_seen(key.role, &key.id));
    keys.map(|key| key.key_tag.0.to_string()).collect()
}

fn names(zones: &[ZoneEntry]) -> BTreeSet<Name> {
    zones.iter().map(|zone| zone.name.clone()).collect()
}

/// Reads what the DNS adapters of zones say that are not known yet.
async fn read_adapters(site: &Site, catalogue: &mut Catalogue) {
    if catalogue.adapters.know(&catalogue.signer, &catalogue.zones) {
        return;
    }
    let (mut adapters, signer) = (catalogue.adapters.clone(), catalogue.signer.clone());
    let zones = catalogue.zones.clone();
    let read = move || {
        let mut notices = Vec::new();
        adapters.read_more(&signer, &zones, &mut notices);
        (adapters, notices)
    };
    let read = match site.staff.desk.run(read) {
        Ok(reading) => reading.await.map_err(UpdateError::from),
        Err(error) => Err(error.into()),
    };
    match read {
        Ok((adapters, notices)) => {
            catalogue.adapters = adapters;
            for notice in notices {
                tracing::warn!(target: "config", "{}", notice.summary());
            }
        }
        Err(error) => tracing::error!(target: "config", "adapter files were not read: {error}"),
    }
}

/// Reads what the DNS adapters of one zone say again.
pub(super) async fn update_adapters(site: &Site, zone: &Name) {
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let Some(entry) = catalogue.zone(zone).cloned() else { return };
    catalogue.adapters.forget(&catalogue.signer, &entry);
    if catalogue.adapters.know(&catalogue.signer, std::slice::from_ref(&entry)) {
        // It has none.
        return;
    }
    let settled = settle(site, catalogue, None).await;
    for (zone, reason) in settled.not_started.iter().filter(|(name, _)| name == zone) {
        let text = zone_text(zone);
        tracing::error!(target: "config", zone = %text, "zone {text} goes on as it was: {reason}");
    }
}

/// Brings the running zones in line with a catalogue, which is what is known from then on.
/// `cause`: why zones have other policies by it, where a command has it so.
pub(super) async fn settle(
    site: &Site,
    mut catalogue: Catalogue,
    cause: Option<&Cause>,
) -> Settled {
    read_adapters(site, &mut catalogue).await;
    let mut settled = Settled::default();
    let zones = &site.staff.zones;
    let wanted = wanted(site, &catalogue, &mut settled.not_started);
    for zone in zones.all() {
        if !wanted.contains_key(&zone.settings.name) {
            stop(site, &zone.settings.name).await;
            settled.counts.removed += 1;
        }
    }
    if let Some(cause) = cause {
        tell_why(site, &wanted, cause);
    }
    for zone in wanted.into_values() {
        match zones.get(&zone.name) {
            Some(running) if is_same(&running.settings, &zone) => {}
            Some(_) => settled.counts.updated += usize::from(zones.change(&zone)),
            None => match zones.add(&zone) {
                Ok(()) => settled.counts.added += 1,
                Err(error) => settled.not_started.push((zone.name, error.into())),
            },
        }
    }
    site.set_catalogue(catalogue);
    settled
}

/// Tells the enforcer why zones get another policy, before they do.
fn tell_why(site: &Site, wanted: &BTreeMap<Name, ZoneSettings>, cause: &Cause) {
    let gets_another = |zone: &&ZoneSettings| {
        let running = site.staff.zones.get(&zone.name);
        running.is_some_and(|running| !is_same_policy(&running.settings, zone))
    };
    let zones: Vec<Name> =
        wanted.values().filter(gets_another).map(|zone| zone.name.clone()).collect();
    if zones.is_empty() {
        return;
    }
    let message = EnforcerMessage::PolicyGiven { zones, cause: cause.clone() };
    if let Err(undelivered) = site.staff.enforcer.tell(message) {
        // What follows happens all the same.
        tracing::error!(error = %undelivered.error,
            "the history of keys will not say which command changed the policy");
    }
}

/// What the zones of the list are signed by. One that runs, and cannot run by its new settings,
/// goes on by the old ones.
fn wanted(
    site: &Site,
    catalogue: &Catalogue,
    not_started: &mut Vec<(Name, NotStarted)>,
) -> BTreeMap<Name, ZoneSettings> {
    let policies: BTreeMap<&str, &Arc<Policy>> =
        catalogue.policies.iter().map(|policy| (policy.name.as_str(), policy)).collect();
    let mut wanted = BTreeMap::new();
    for entry in &catalogue.zones {
        let settings = match policies.get(entry.policy.as_str()) {
            Some(policy) => settings_of(site, entry, policy, catalogue),
            None => Err(NotStarted::PolicyUnknown(entry.policy.clone())),
        };
        match settings {
            Ok(settings) => drop(wanted.insert(entry.name.clone(), settings)),
            Err(reason) => {
                if let Some(running) = site.staff.zones.get(&entry.name) {
                    wanted.insert(entry.name.clone(), running.settings.clone());
                }
                not_started.push((entry.name.clone(), reason));
            }
        }
    }
    wanted
}

/// What a zone of the list is signed by.
pub(super) fn settings_of(
    site: &Site,
    entry: &ZoneEntry,
    policy: &Arc<Policy>,
    catalogue: &Catalogue,
) -> Result<ZoneSettings, NotStarted> {
    let has_slot = |name: &str| site.staff.zones.has_slot(name);
    if let Some(key) = policy.keys.keys.iter().find(|key| !has_slot(&key.repository)) {
        return Err(NotStarted::Repository(key.repository.clone()));
    }
    Ok(zone_settings(entry, policy, &catalogue.signer, &catalogue.adapters, &has_slot)?)
}

fn is_same_policy(one: &ZoneSettings, other: &ZoneSettings) -> bool {
    Arc::ptr_eq(&one.policy, &other.policy) || one.policy == other.policy
}

fn is_same(one: &ZoneSettings, other: &ZoneSettings) -> bool {
    is_same_policy(one, other)
        && one.input == other.input
        && one.output == other.output
        && one.signconf == other.signconf
        && one.limits == other.limits
}

/// Ends a zone: first its actor, then what the enforcer does about it.
async fn stop(site: &Site, zone: &Name) {
    site.staff.zones.remove(zone).await;
    if let Err(error) = forget(site, zone).await {
        tracing::error!(%error, "the enforcer does not say that a zone is forgotten");
    }
}

/// Why the enforcer may still be at a zone.
#[derive(Debug, thiserror::Error)]
enum ForgetError {
    #[error(transparent)]
    Untold(#[from] TellError),
    #[error(transparent)]
    Unanswered(#[from] AskError),
}

/// Nobody sees to the keys of a zone that is not signed.
async fn forget(site: &Site, zone: &Name) -> Result<(), ForgetError> {
    let (reply, answer) = Reply::channel();
    let enforcer = &site.staff.enforcer;
    let message = EnforcerMessage::Forget { zone: zone.clone(), reply };
    enforcer.tell(message).map_err(TellError::from)?;
    Ok(answer.within(enforcer.to(), FORGET_DEADLINE).await?)
}
