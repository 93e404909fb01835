//! Handlers of `zonelist export` and `zonelist import`, in OpenDNSSEC 2.1's words (catalogue 1.5).
//! In: a list of zones. Out: the zones that are known, zonelist.xml. A list with a fault, or with
//! a policy that is not known, changes nothing.

use super::catalogue::Catalogue;
use super::key_change::cause;
use super::output::Output;
use super::site::Site;
use super::update::settle;
use super::zone_adapters;
use super::zone_commands::{
    ChangeError, change, delegated, list_failed, refused, remove, warnings,
};
use super::zone_files::read_list;
use crate::settings::zone_text;
use appliance_config::ZoneEntry;
use console_protocol::parse::Invocation;
use dnssec::Name;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use storage::state::Cause;

pub(super) async fn export(site: Arc<Site>, _: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    let catalogue = site.catalogue();
    let zones = catalogue.zones.clone();
    match change(&site, &catalogue, move |_| zones).await {
        Ok(()) => {
            let file = catalogue.zone_list_file.display();
            Output::done(format!("Exported zonelist to {file} successfully\n"))
        }
        Err(error) => {
            let file = catalogue.zone_list_file.display();
            refused(format!("Exported zonelist to {file} failed! {error}"))
        }
    }
}

pub(super) async fn import(site: Arc<Site>, invocation: Invocation) -> Output {
    let _alone = site.updating.lock().await;
    let file = invocation.value("file").map(PathBuf::from);
    let cause = cause(&invocation);
    let removes = invocation.has("remove-missing-zones").then_some(&cause);
    import_zones(&site, file, &cause, removes).await
}

/// What a list says of one zone.
enum Listed {
    Same,
    Other,
    New,
}

/// Takes the zones of a list, because of `cause`; the caller has the right to change zones.
/// `removes_missing`: those that it does not have go, because of this.
pub(super) async fn import_zones(
    site: &Arc<Site>,
    file: Option<PathBuf>,
    cause: &Cause,
    removes_missing: Option<&Cause>,
) -> Output {
    let catalogue = Catalogue::clone(&site.catalogue());
    let is_foreign = file.as_ref().is_some_and(|file| *file != catalogue.zone_list_file);
    let path = file.unwrap_or_else(|| catalogue.zone_list_file.clone());
    let listed = match read(site, path).await {
        Ok(listed) => listed,
        Err(error) => return refused(format!("Unable to validate the zonelist XML!\n{error}")),
    };
    if let Some(zone) = listed.iter().find(|zone| catalogue.policy(&zone.policy).is_none()) {
        return refused(format!(
            "Unable to update zone {} from XML, XML content may be invalid!\nIts policy {} is not \
             known; nothing was changed. Correct it, or import the policy first.",
            zone_text(&zone.name),
            zone.policy
        ));
    }
    let (known, missing) = compare(&catalogue, &listed);
    if removes_missing.is_some()
        && let Some(text) = delegated(site, &catalogue, &missing).await
    {
        return Output::refused(text, 1);
    }
    let (mut stdout, mut stderr) = (String::new(), String::new());
    for (zone, state) in listed.iter().zip(&known) {
        let text = zone_text(&zone.name);
        match state {
            Listed::Same => stdout += &format!("Zone {text} already up-to-date\n"),
            Listed::Other => stdout += &format!("Updated zone {text} successfully\n"),
            Listed::New => {
                stdout += &format!("Zone {text} created successfully\n");
                stderr += &zone_adapters::said(&text, zone).1;
            }
        }
    }
    let mut next = catalogue.clone();
    next.adapters.forget_all();
    let kept = catalogue.zones.iter().filter(|zone| missing.contains(&zone.name)).cloned();
    next.zones = listed.into_iter().chain(kept).collect();
    if is_foreign {
        let zones = next.zones.clone();
        if let Err(error) = change(site, &next, move |_| zones).await {
            return list_failed(&next, &error);
        }
    }
    let settled = settle(site, next.clone(), Some(cause)).await;
    stderr += &warnings(&settled.not_started, |_| true);
    if let Some(cause) = removes_missing
        && !missing.is_empty()
    {
        match remove(site, next, &missing, cause).await {
            Ok((said, failed)) => {
                stdout += &said;
                stderr += &failed;
            }
            Err(error) => return list_failed(&catalogue, &error),
        }
    } else if !is_foreign {
        for zone in &missing {
            stderr += &format!(
                "WARNING: zone {} is not in {}: it goes on until the next start or reload; \
                 run \"zonelist export\" to put it back, or \"zonelist import -r\".\n",
                zone_text(zone),
                catalogue.zone_list_file.display()
            );
        }
    }
    Output { stderr, ..Output::done(stdout) }
}

async fn read(site: &Site, path: PathBuf) -> Result<Vec<ZoneEntry>, ChangeError> {
    Ok(site.staff.desk.run(move || read_list(&path))?.await??)
}

/// What is known of each zone of the list, and the zones that it does not have.
fn compare(catalogue: &Catalogue, listed: &[ZoneEntry]) -> (Vec<Listed>, Vec<Name>) {
    let mut known: BTreeMap<&Name, &ZoneEntry> =
        catalogue.zones.iter().map(|zone| (&zone.name, zone)).collect();
    let states = listed.iter().map(|zone| match known.remove(&zone.name) {
        None => Listed::New,
        Some(old) if old == zone => Listed::Same,
        Some(_) => Listed::Other,
    });
    let states: Vec<Listed> = states.collect();
    (states, known.into_keys().cloned().collect())
}
