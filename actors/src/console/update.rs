//! The list of zones, read again: zones come, go, and move. In: the configuration's files.
//! Out: zones started and ended; how many.
//!
//! A zone that is gone from the list is no longer signed; its state and its signed file stay, so
//! that it goes on where it was when it comes back. Policies that the daemon knows stay as they
//! are until they are imported; a policy of a new name is taken from kasp.xml.
//! Repositories are opened at the start of the daemon: a zone that needs another one waits for it.

use super::site::{Configuration, ConfigurationError, Site};
use crate::enforcer::EnforcerMessage;
use crate::runtime::{JobError, Reply, SubmitError};
use crate::settings::{ZoneSettings, zone_text};
use dnssec::Name;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

/// Reads the configuration and brings the zones in line with it.
pub(super) async fn update_zones(site: &Arc<Site>) -> Result<Updated, UpdateError> {
    let _alone = site.updating.lock().await;
    let own = site.clone();
    let reading = site.staff.pool.run(move || own.read_configuration())?;
    let Configuration { settings, notices, catalogue } = reading.await??;
    for notice in notices.iter().filter(|notice| notice.is_error()) {
        tracing::error!(target: "config", "{notice}");
    }
    let wanted: Vec<ZoneSettings> =
        settings.zones.into_iter().map(|zone| with_known_policy(site, zone)).collect();
    let names: BTreeSet<&Name> = wanted.iter().map(|zone| &zone.name).collect();
    let mut counts = Updated::default();
    for zone in site.staff.zones.all() {
        if !names.contains(&zone.settings.name) {
            site.staff.zones.remove(&zone.settings.name).await;
            forget(site, &zone.settings.name);
            counts.removed += 1;
        }
    }
    for zone in &wanted {
        match site.staff.zones.get(&zone.name) {
            Some(running) if is_same(&running.settings, zone) => continue,
            Some(_) => {
                site.staff.zones.remove(&zone.name).await;
                counts.updated += usize::from(add(site, zone));
            }
            None => counts.added += usize::from(add(site, zone)),
        }
    }
    site.set_catalogue(catalogue);
    Ok(counts)
}

/// What SIGHUP and `reload` do: the list of zones, then every zone's input. When the
/// configuration has a fault, the zones that run go on, and read their input.
pub async fn reload(site: &Arc<Site>) {
    match update_zones(site).await {
        Ok(Updated { removed: 0, added: 0, updated: 0 }) => {}
        Ok(Updated { removed, added, updated }) => tracing::info!(target: "engine",
            "zone list updated: {removed} removed, {added} added, {updated} updated"),
        Err(error) => {
            tracing::error!(target: "config", "the zone list stays as it was: {error}");
        }
    }
    site.staff.sign_all();
}

/// The zone with the policy that the daemon has under that name.
fn with_known_policy(site: &Site, zone: ZoneSettings) -> ZoneSettings {
    let known: BTreeMap<_, _> = site
        .staff
        .zones
        .all()
        .iter()
        .map(|running| (running.settings.policy.name.clone(), running.settings.policy.clone()))
        .collect();
    match known.get(&zone.policy.name) {
        Some(policy) => ZoneSettings { policy: policy.clone(), ..zone },
        None => zone,
    }
}

/// Nobody sees to the keys of a zone that is not signed.
fn forget(site: &Site, zone: &Name) {
    let message = EnforcerMessage::Forget { zone: zone.clone(), reply: Reply::channel().0 };
    if let Err(undelivered) = site.staff.enforcer.tell(message) {
        tracing::error!(error = %undelivered.error, "the enforcer did not hear that a zone went");
    }
}

fn is_same(one: &ZoneSettings, other: &ZoneSettings) -> bool {
    one.policy.name == other.policy.name
        && one.input == other.input
        && one.output == other.output
        && one.limits == other.limits
}

fn add(site: &Site, zone: &ZoneSettings) -> bool {
    let text = zone_text(&zone.name);
    let keys = &zone.policy.keys.keys;
    if let Some(key) = keys.iter().find(|key| !site.staff.zones.has_slot(&key.repository)) {
        tracing::error!(target: "config", zone = %text,
            "zone {text} needs the repository {}, which is opened at the next start of the daemon",
            key.repository);
        return false;
    }
    match site.staff.zones.add(zone) {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(target: "config", zone = %text, %error, "zone {text} was not started");
            false
        }
    }
}
