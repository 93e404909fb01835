//! The members of a catalog zone come and go by the same door as those of `zone add` and `zone
//! delete`: zonelist.xml first, in one write, then the zones that run, then the state. RFC 9432
//! §5.2 to §5.6.
//! In: a catalog in force. Out: zones added, changed, removed; what was not done, and why.
//! A zone of the list that has no mark of the catalog is never touched. What a kill leaves half
//! done is done with the next plan; for state that was to be removed there is a note on the disk.

use super::catalogue::Catalogue;
use super::site::Site;
use super::update::{delegated_keys, settle};
use super::zone_commands::{ChangeError, change, remove};
use crate::catalog::kept::{self, KeepError};
use crate::catalog::settings::ConsumerSettings;
use crate::runtime::{JobError, SubmitError};
use crate::settings::zone_text;
use crate::store::StoreError;
use appliance_config::{Adapter, CatalogMark, ZONE_PLACEHOLDER, ZoneEntry};
use dnssec::transfer::catalog::plan::{Bounds, Excess, Membership, Plan, excess, plan};
use dnssec::transfer::catalog::{Catalog, Member};
use dnssec::{Name, Serial};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::state::Cause;

/// A catalog in force.
pub(crate) struct InForce<'a> {
    pub(crate) settings: &'a ConsumerSettings,
    pub(crate) catalog: &'a Catalog,
    pub(crate) serial: Serial,
    /// The other catalogs in force.
    pub(crate) others: &'a BTreeMap<Name, &'a Catalog>,
    /// An operator has seen what goes beyond the limits.
    pub(crate) is_accepted: bool,
}

/// Why a zone is not as its catalog says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ZoneFault {
    #[error("is in zonelist.xml without this catalog, and stays as it is there")]
    Manual,
    #[error("belongs to catalog {0}, which does not give it to this one")]
    OfAnother(Box<Name>),
    #[error("is a catalog zone")]
    IsCatalog,
    #[error("its policy {0} is not known")]
    Policy(String),
    #[error("its name cannot be the name of a file")]
    FileName,
    #[error(
        "is to go, but the DS of its key {0} may still be at its parent or in caches: it goes when \
         that is over, or by \"zone delete --zone {1} --force\""
    )]
    Delegated(String, String),
}

/// Why nothing was brought in line.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BringError {
    #[error(transparent)]
    Change(#[from] ChangeError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Keep(#[from] KeepError),
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
}

/// What came of a catalog.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// It goes beyond the limits: nothing was done.
    pub(crate) held: Option<Excess>,
    /// Zones that are not as it says.
    pub(crate) faults: BTreeMap<Name, ZoneFault>,
    /// Whether some of them will be in time, without anybody doing anything.
    pub(crate) waits: bool,
}

/// Brings the zones in line with a catalog.
pub(crate) async fn bring(site: &Site, own: &InForce<'_>) -> Result<Outcome, BringError> {
    let _alone = site.updating.lock().await;
    let catalogue = Catalogue::clone(&site.catalogue());
    let zones = memberships(&catalogue);
    let mut plan = plan(own.catalog, &zones, own.others);
    let entry = &own.settings.entry;
    let bounds = Bounds {
        member_count_max: usize::try_from(entry.members_max).unwrap_or(usize::MAX),
        removal_percent_max: entry.removal_percent_max,
        removal_count_free: usize::try_from(entry.removal_count_free).unwrap_or(usize::MAX),
    };
    let mut outcome = Outcome::default();
    if !own.is_accepted
        && let Some(excess) = excess(own.catalog, &plan, &bounds)
    {
        outcome.held = Some(excess);
        return Ok(outcome);
    }
    for (zone, owner) in std::mem::take(&mut plan.clashes) {
        let fault = owner.map_or(ZoneFault::Manual, |owner| ZoneFault::OfAnother(Box::new(owner)));
        outcome.faults.insert(zone, fault);
    }
    if !entry.removes_delegated {
        hold_delegated(site, &catalogue, &mut plan, &mut outcome).await?;
    }
    let leaving: Vec<Name> =
        [&plan.remove, &plan.reset, &plan.take_over_anew].into_iter().flatten().cloned().collect();
    let cause = format!("catalog {} serial {}", zone_text(&entry.name), own.serial);
    let cause = Cause::from(cause.as_str());
    let wanted = wanted(site, &catalogue, own, &plan, &mut outcome);
    if !leaving.is_empty() {
        take_out(site, catalogue, &leaving, &cause).await?;
    }
    if !wanted.is_empty() {
        put_in(site, wanted, &cause).await?;
    }
    if !leaving.is_empty() {
        clear(site).await;
    }
    Ok(outcome)
}

/// Whom each zone of the list belongs to.
fn memberships(catalogue: &Catalogue) -> BTreeMap<Name, Option<Membership>> {
    let owner = |mark: &CatalogMark| Membership {
        catalog: mark.name.clone(),
        label: mark.member.labels().next().unwrap_or_default().to_ascii_lowercase(),
    };
    let zones = catalogue.zones.iter();
    zones.map(|zone| (zone.name.clone(), zone.catalog.as_ref().map(owner))).collect()
}

/// Zones whose DS may still be seen stay, with their keys: without signatures they would be bogus
/// (guard W16).
async fn hold_delegated(
    site: &Site,
    catalogue: &Catalogue,
    plan: &mut Plan,
    outcome: &mut Outcome,
) -> Result<(), BringError> {
    if plan.remove.is_empty() && plan.reset.is_empty() && plan.take_over_anew.is_empty() {
        return Ok(());
    }
    let lives: BTreeMap<Name, _> = site.staff.zones.store().lives().await?.into_iter().collect();
    let mut stays = |zone: &Name| {
        let policy = catalogue.zone(zone).and_then(|entry| catalogue.policy(&entry.policy));
        let keys = match (lives.get(zone), policy) {
            (Some(life), Some(policy)) => delegated_keys(life, policy, site),
            _ => Vec::new(),
        };
        if keys.is_empty() {
            return false;
        }
        let fault = ZoneFault::Delegated(keys.join(", "), zone_text(zone));
        outcome.faults.insert(zone.clone(), fault);
        outcome.waits = true;
        true
    };
    for list in [&mut plan.remove, &mut plan.reset, &mut plan.take_over_anew] {
        list.retain(|zone| !stays(zone));
    }
    Ok(())
}

/// The entries of the list that are new, or other than they were.
fn wanted(
    site: &Site,
    catalogue: &Catalogue,
    own: &InForce<'_>,
    plan: &Plan,
    outcome: &mut Outcome,
) -> Vec<ZoneEntry> {
    let now = site.staff.clock.now().0;
    let known: BTreeMap<&Name, &ZoneEntry> =
        catalogue.zones.iter().map(|zone| (&zone.name, zone)).collect();
    let anew = [&plan.add, &plan.reset, &plan.take_over_anew].into_iter().flatten();
    let on = plan.take_over.iter().chain(&plan.keep);
    let mut wanted = Vec::new();
    for (zone, is_new) in anew.map(|zone| (zone, true)).chain(on.map(|zone| (zone, false))) {
        // The plan is of its members.
        let Some(member) = own.catalog.members.get(zone) else { continue };
        let old = known.get(zone).filter(|_| !is_new);
        let since = old.and_then(|old| old.catalog.as_ref()).map_or(now, |mark| mark.since);
        let entry = match entry_of(catalogue, own.settings, (zone, member), since) {
            Ok(entry) if catalogue.catalogs.has(zone) => Err((entry.name, ZoneFault::IsCatalog)),
            Ok(entry) if catalogue.policy(&entry.policy).is_none() => {
                Err((entry.name, ZoneFault::Policy(entry.policy)))
            }
            Ok(entry) => Ok(entry),
            Err(fault) => Err((zone.clone(), fault)),
        };
        match entry {
            Ok(entry) if old.is_some_and(|old| **old == entry) => {}
            Ok(entry) => {
                let (text, catalog) = (zone_text(zone), zone_text(&own.settings.entry.name));
                let what = if old.is_some() { "changed" } else { "added" };
                tracing::info!(target: "catalog", zone = %text,
                    "zone {text} {what}: catalog {catalog}, policy {}", entry.policy);
                wanted.push(entry);
            }
            Err((zone, fault)) => drop(outcome.faults.insert(zone, fault)),
        }
    }
    wanted
}

/// What zonelist.xml is to have of a member.
fn entry_of(
    catalogue: &Catalogue,
    settings: &ConsumerSettings,
    (zone, member): (&Name, &Member),
    since: u64,
) -> Result<ZoneEntry, ZoneFault> {
    let (text, entry) = (zone_text(zone), &settings.entry);
    if text.contains('/') {
        return Err(ZoneFault::FileName);
    }
    let has = |group: &str| member.groups.iter().any(|known| known == group.as_bytes());
    let of_group = entry.groups.iter().find(|(group, _)| has(group));
    let adapter = |template: &Adapter| match template {
        Adapter::Dns(path) => Adapter::Dns(path.clone()),
        Adapter::File(path) => {
            Adapter::File(PathBuf::from(path.to_string_lossy().replace(ZONE_PLACEHOLDER, &text)))
        }
    };
    let mut wire = vec![member.label.len() as u8];
    wire.extend(&member.label);
    wire.push(0);
    // A label of a name is one that a name can have.
    let label = Name::from_wire(&wire).map_or_else(|_| Name::root(), |(label, _)| label);
    let beside = catalogue.signer.working_directory.parent().unwrap_or(Path::new("/"));
    Ok(ZoneEntry {
        name: zone.clone(),
        policy: of_group.map_or(&entry.policy, |(_, policy)| policy).clone(),
        signer_configuration: beside.join("signconf").join(format!("{text}.xml")),
        input: adapter(&entry.input),
        output: adapter(&entry.output),
        catalog: Some(CatalogMark { name: entry.name.clone(), member: label, since }),
    })
}

/// Takes zones out, with their state; what is begun here is noted, to be ended after a kill.
async fn take_out(
    site: &Site,
    catalogue: Catalogue,
    leaving: &[Name],
    cause: &Cause,
) -> Result<(), BringError> {
    let (folder, zones) = (site.staff.zones.snapshot_folder().to_owned(), leaving.to_vec());
    site.staff.desk.run(move || kept::write_removing(&folder, &zones))?.await??;
    let (_, failed) = remove(site, catalogue, leaving, cause).await?;
    for zone in leaving {
        let text = zone_text(zone);
        tracing::info!(target: "catalog", zone = %text, "zone {text} removed: {}", cause.text);
    }
    for line in failed.lines() {
        tracing::error!(target: "catalog", "{line}");
    }
    Ok(())
}

async fn put_in(site: &Site, wanted: Vec<ZoneEntry>, cause: &Cause) -> Result<(), BringError> {
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let new = wanted.clone();
    change(site, &catalogue, move |zones| merged(zones, new)).await?;
    catalogue.zones = merged(catalogue.zones, wanted);
    let settled = settle(site, catalogue, Some(cause)).await;
    for (zone, why) in settled.not_started {
        let text = zone_text(&zone);
        tracing::error!(target: "catalog", zone = %text, "zone {text}: {why}");
    }
    Ok(())
}

/// Zones with others in place of those of the same names, and new ones last.
fn merged(mut zones: Vec<ZoneEntry>, wanted: Vec<ZoneEntry>) -> Vec<ZoneEntry> {
    let mut wanted: BTreeMap<Name, ZoneEntry> =
        wanted.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
    for zone in &mut zones {
        if let Some(entry) = wanted.remove(&zone.name) {
            *zone = entry;
        }
    }
    zones.extend(wanted.into_values());
    zones
}

async fn clear(site: &Site) {
    let folder = site.staff.zones.snapshot_folder().to_owned();
    let cleared = match site.staff.desk.run(move || kept::clear_removing(&folder)) {
        Ok(clearing) => clearing.await,
        Err(error) => return tracing::warn!(target: "catalog", %error, "a note was left"),
    };
    match cleared {
        Ok(Ok(())) => {}
        // Left, it is read after a restart, and its zones are gone already.
        Ok(Err(error)) => tracing::warn!(target: "catalog", %error, "a note was left"),
        Err(error) => tracing::warn!(target: "catalog", %error, "a note was left"),
    }
}

/// Ends the removals that a kill has left half done.
pub(crate) async fn finish_removals(site: &Arc<Site>) -> Result<(), BringError> {
    let _alone = site.updating.lock().await;
    let folder = site.staff.zones.snapshot_folder().to_owned();
    let zones = site.staff.desk.run(move || kept::read_removing(&folder))?.await?;
    if zones.is_empty() {
        return Ok(());
    }
    let catalogue = site.catalogue();
    let listed: BTreeSet<&Name> = catalogue.zones.iter().map(|zone| &zone.name).collect();
    let cause = Cause::from("removal by a catalog, ended after a restart");
    for zone in zones.iter().filter(|zone| !listed.contains(zone)) {
        let now = site.staff.clock.now();
        site.staff.zones.store().remove_zone(zone, now, &cause).await?;
        let text = zone_text(zone);
        tracing::info!(target: "catalog", zone = %text, "zone {text} removed: {}", cause.text);
    }
    clear(site).await;
    Ok(())
}
