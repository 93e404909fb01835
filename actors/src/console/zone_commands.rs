//! Handlers of `zone add`, `zone delete` and `zone set-policy`, in OpenDNSSEC 2.1's words
//! (catalogue 1.5). In: options. Out: zonelist.xml, then zones that start, change and end.
//! The list is always written, with or without `--xml`: it is the one place where zones are.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers, wrong_arguments};
use super::key_change::cause;
use super::key_view::ask;
use super::output::Output;
use super::plan_commands::look;
use super::preview;
use super::site::Site;
use super::update::{NotStarted, delegated_keys, settings_of, settle};
use super::zone_files::{ListError, change_list};
use super::{zone_adapters, zonelist_commands};
use crate::enforcer::EnforcerMessage;
use crate::runtime::{JobError, SubmitError};
use crate::settings::zone_text;
use appliance_config::ZoneEntry;
use console_protocol::parse::Invocation;
use dnssec::Name;
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use storage::state::Cause;

pub(super) const HANDLERS: Handlers = &[
    ("zone add", Handler::Later(|site, words| add(site, words).boxed_local())),
    ("zone delete", Handler::Later(|site, words| delete(site, words).boxed_local())),
    ("zone set-policy", Handler::Later(|site, words| set_policy(site, words).boxed_local())),
    ("zonelist export", Handler::Later(export)),
    ("zonelist import", Handler::Later(import)),
    ("update zonelist", Handler::Later(import)),
];

fn export(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    zonelist_commands::export(site, invocation).boxed_local()
}

fn import(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    zonelist_commands::import(site, invocation).boxed_local()
}

/// Why a command changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error(transparent)]
    Busy(#[from] SubmitError),
    #[error(transparent)]
    Crashed(#[from] JobError),
    #[error(transparent)]
    List(#[from] ListError),
}

/// Changes zonelist.xml: `edit` gets the zones that are in it and says which shall be.
pub(super) async fn change(
    site: &Site,
    catalogue: &Catalogue,
    edit: impl FnOnce(Vec<ZoneEntry>) -> Vec<ZoneEntry> + Send + 'static,
) -> Result<(), ChangeError> {
    let file = catalogue.zone_list_file.clone();
    Ok(site.staff.desk.run(move || change_list(&file, edit))?.await??)
}

pub(super) fn typed_name(typed: &str) -> Option<Name> {
    Name::parse(typed.as_bytes(), Some(&Name::root())).ok()
}

/// Wrong arguments, with a line about them.
fn expected(invocation: &Invocation, what: &str) -> Output {
    let text = format!("expected {what}\n");
    wrong_arguments(invocation.command, &invocation.rest, String::new(), text)
}

pub(super) fn refused(text: impl std::fmt::Display) -> Output {
    Output::refused(format!("{text}\n"), 1)
}

async fn add(site: Arc<Site>, invocation: Invocation) -> Output {
    let Some(typed) = invocation.value("zone") else {
        return expected(&invocation, "option --zone <zone>");
    };
    let Some(name) = typed_name(typed) else {
        return refused(format!("Unable to add zone, {typed} is not a domain name!"));
    };
    if invocation.has("suspend") {
        return refused("Unable to add zone: a zone in the list is signed, so --suspend cannot be");
    }
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    if catalogue.zone(&name).is_some() {
        return refused("Unable to add zone, zone already exists!");
    }
    let policy = invocation.value("policy").unwrap_or("default");
    if catalogue.policy(policy).is_none() {
        return refused(format!("Unable to find policy {policy} needed for adding the zone!"));
    }
    let entry = match zone_adapters::entry(&site, &catalogue, &invocation, &name, policy) {
        Ok(entry) => entry,
        Err(text) => return refused(text),
    };
    let (new, own) = (entry.clone(), name.clone());
    let edit = move |mut zones: Vec<ZoneEntry>| {
        // What somebody wrote into the list and did not import is replaced.
        zones.retain(|zone| zone.name != own);
        zones.push(new);
        zones
    };
    if let Err(error) = change(&site, &catalogue, edit).await {
        return list_failed(&catalogue, &error);
    }
    let (mut stdout, mut stderr) = zone_adapters::said(typed, &entry);
    stdout += &format!("Zone {typed} added successfully\n");
    stdout += &list_updated(&catalogue, &invocation);
    catalogue.zones.push(entry);
    let settled = settle(&site, catalogue, None).await;
    stderr += &warnings(&settled.not_started, |zone| *zone == name);
    Output { stderr, ..Output::done(stdout) }
}

/// What `--xml` has said.
fn list_updated(catalogue: &Catalogue, invocation: &Invocation) -> String {
    match invocation.has("xml") {
        true => format!("Zonelist {} updated successfully\n", catalogue.zone_list_file.display()),
        false => String::new(),
    }
}

pub(super) fn list_failed(catalogue: &Catalogue, error: &ChangeError) -> Output {
    let file = catalogue.zone_list_file.display();
    refused(format!("Zonelist {file} update failed! {error}"))
}

/// Zones that are in the list and are not signed, or not by their new settings.
pub(super) fn warnings(
    not_started: &[(Name, NotStarted)],
    is_meant: impl Fn(&Name) -> bool,
) -> String {
    let meant = not_started.iter().filter(|(zone, _)| is_meant(zone));
    meant.map(|(zone, why)| format!("WARNING: zone {}: {why}\n", zone_text(zone))).collect()
}

async fn delete(site: Arc<Site>, invocation: Invocation) -> Output {
    let typed = invocation.value("zone");
    if typed.is_some() == invocation.has("all") {
        return expected(&invocation, "either --zone <zone> or --all");
    }
    let _alone = site.updating.lock().await;
    let catalogue = Catalogue::clone(&site.catalogue());
    let zones: Vec<Name> = match typed {
        None => catalogue.zones.iter().map(|zone| zone.name.clone()).collect(),
        Some(typed) => match typed_name(typed).filter(|name| catalogue.zone(name).is_some()) {
            Some(name) => vec![name],
            None => return refused(format!("Unable to delete zone, zone {typed} not found!")),
        },
    };
    if !invocation.has("force")
        && let Some(text) = delegated(&site, &catalogue, &zones).await
    {
        return Output::refused(text, 1);
    }
    let removed = remove(&site, catalogue.clone(), &zones, &cause(&invocation)).await;
    let (mut stdout, stderr, exit_code) = match removed {
        Ok((stdout, stderr)) => {
            let exit_code = u8::from(!stderr.is_empty());
            (stdout, stderr, exit_code)
        }
        Err(error) => return list_failed(&catalogue, &error),
    };
    if typed.is_none() && exit_code == 0 {
        stdout += "All zones deleted successfully\n";
    }
    stdout += &list_updated(&catalogue, &invocation);
    Output { stderr, exit_code, ..Output::done(stdout) }
}

/// Why zones are not deleted: their parents may still have a DS of theirs (guard W16).
pub(super) async fn delegated(
    site: &Site,
    catalogue: &Catalogue,
    zones: &[Name],
) -> Option<String> {
    let lives = match site.staff.zones.store().lives().await {
        Ok(lives) => lives,
        Err(error) => return Some(format!("Unable to delete zones: {error}\n")),
    };
    let wanted: BTreeSet<&Name> = zones.iter().collect();
    let mut text = String::new();
    for (zone, life) in lives.iter().filter(|(zone, _)| wanted.contains(zone)) {
        let policy = catalogue.zone(zone).and_then(|entry| catalogue.policy(&entry.policy));
        let keys = policy.map_or_else(Vec::new, |policy| delegated_keys(life, policy, site));
        if !keys.is_empty() {
            text += &format!(
                "Unable to delete zone, the DS of key {} of zone {} may still be at its parent or \
                 in caches: without signatures the zone would be bogus! Have the DS removed and \
                 say so with \"key ds-retract\" and \"key ds-gone\", or give --force.\n",
                keys.join(", "),
                zone_text(zone)
            );
        }
    }
    (!text.is_empty()).then_some(text)
}

/// Takes zones out of the list and ends them; what is remembered of their keys goes, and the keys
/// that nobody else uses go to the trash. What is to be said, on both streams.
pub(super) async fn remove(
    site: &Site,
    mut catalogue: Catalogue,
    zones: &[Name],
    cause: &Cause,
) -> Result<(String, String), ChangeError> {
    let gone: BTreeSet<Name> = zones.iter().cloned().collect();
    let files = signconf_files(&catalogue, &gone);
    catalogue.zones.retain(|zone| !gone.contains(&zone.name));
    change(site, &catalogue, move |mut zones| {
        zones.retain(|zone| !gone.contains(&zone.name));
        zones
    })
    .await?;
    settle(site, catalogue, None).await;
    let (mut stdout, mut stderr) = (String::new(), String::new());
    for zone in zones {
        let text = zone_text(zone);
        let now = site.staff.clock.now();
        match site.staff.zones.store().remove_zone(zone, now, cause).await {
            Ok(()) => {
                put_aside(site, zone, files.get(zone)).await;
                stdout += &format!("Deleted zone {text} successfully\n");
            }
            Err(error) => stderr += &format!("Unable to delete zone {text}: {error}\n"),
        }
    }
    Ok((stdout, stderr))
}

/// The signer configuration files of zones.
fn signconf_files(catalogue: &Catalogue, zones: &BTreeSet<Name>) -> BTreeMap<Name, PathBuf> {
    let meant = catalogue.zones.iter().filter(|zone| zones.contains(&zone.name));
    let folder = &catalogue.signer.working_directory;
    meant.map(|zone| (zone.name.clone(), folder.join(&zone.signer_configuration))).collect()
}

/// Has the signer configuration file of a zone that was deleted get another name, as OpenDNSSEC
/// has it. When that fails, the log says so, and it is tried again.
async fn put_aside(site: &Site, zone: &Name, file: Option<&PathBuf>) {
    let Some(file) = file.cloned() else { return };
    let order = |reply| EnforcerMessage::PutAside { zone: zone.clone(), file, reply };
    if let Err(error) = ask(site, order).await {
        tracing::error!(target: "enforcer", zone = %zone_text(zone),
            "the signer configuration file of zone {} was left: {error}", zone_text(zone));
    }
}

async fn set_policy(site: Arc<Site>, invocation: Invocation) -> Output {
    let Some(typed) = invocation.value("zone") else {
        return expected(&invocation, "option --zone <zone>");
    };
    let Some(policy) = invocation.value("policy") else {
        return expected(&invocation, "option --policy <policy>");
    };
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let Some(entry) = typed_name(typed).and_then(|name| catalogue.zone(&name)).cloned() else {
        return refused("Unable to update zone, zone does not exist!");
    };
    let Some(new) = catalogue.policy(policy).cloned() else {
        return refused("Unable to update zone, policy does not exist!");
    };
    if entry.policy == policy {
        return Output {
            stderr: "Policy same as before, not updating.\n".into(),
            ..Output::done("")
        };
    }
    if let Err(error) = settings_of(&site, &entry, &new, &catalogue) {
        return refused(format!("Unable to update zone: {error}"));
    }
    let old = catalogue.policy(&entry.policy).unwrap_or(&new);
    let asked = [old, &new].map(|policy| (entry.name.clone(), policy.clone()));
    let preview = match look(&site, asked.to_vec()).await {
        Ok(sights) => match preview::refusal(&sights) {
            Some(why) => return refused(format!("Unable to update zone: {why}")),
            None => preview::zone_lines(&sights),
        },
        Err(error) => return refused(format!("Unable to update zone: {error}")),
    };
    if invocation.has("dry-run") {
        return Output::done(preview);
    }
    let changed = ZoneEntry { policy: policy.to_owned(), ..entry };
    let own = catalogue.zones.iter_mut().filter(|zone| zone.name == changed.name);
    own.for_each(|zone| *zone = changed.clone());
    let edit = move |mut zones: Vec<ZoneEntry>| {
        let own = zones.iter_mut().filter(|zone| zone.name == changed.name);
        own.for_each(|zone| zone.policy.clone_from(&changed.policy));
        zones
    };
    if let Err(error) = change(&site, &catalogue, edit).await {
        return list_failed(&catalogue, &error);
    }
    let mut stdout = format!("Zone {typed} policy successfully set to {policy}\n");
    if invocation.has("xml") {
        let file = catalogue.zone_list_file.display();
        stdout += &format!("Exported zonelist to {file} successfully\n");
    }
    settle(&site, catalogue, Some(&cause(&invocation))).await;
    Output { stderr: preview, ..Output::done(stdout) }
}
