//! `zone add` and `zone delete` of `ods-ksmutil` (catalogue 1.10), in OpenDNSSEC 1.4's words.
//! In: options. Out: zonelist.xml, then zones that start and end.
//! Other than there: `--no-xml` is refused, since zonelist.xml is the one place where zones are;
//! a zone whose DS may be at its parent is deleted with `--force` only.

use super::catalogue::Catalogue;
use super::key_change::cause;
use super::ksm_commands::{complaint, not_kept, usage};
use super::output::Output;
use super::site::Site;
use super::update::settle;
use super::zone_adapters;
use super::zone_commands::{change, delegated, list_failed, remove, typed_name, warnings};
use crate::settings::zone_text;
use appliance_config::ZoneEntry;
use console_protocol::parse::Invocation;
use dnssec::Name;
use std::sync::Arc;

const NO_XML: &str = "zonelist.xml is the one place where zones are.";

fn list_is(catalogue: &Catalogue) -> String {
    format!("zonelist filename set to {}.\n", catalogue.zone_list_file.display())
}

/// `zone add`.
pub(super) async fn add(site: Arc<Site>, invocation: Invocation) -> Output {
    let Some(typed) = invocation.value("zone") else {
        let text = "Please specify a zone with the --zone option";
        return Output { exit_code: 1, ..usage(&invocation, text) };
    };
    if invocation.has("no-xml") {
        return not_kept("--no-xml", NO_XML);
    }
    for direction in ["in", "out"] {
        let kind = invocation.value(&format!("{direction}-type"));
        let is_known = |kind: &str| ["file", "dns"].contains(&&*kind.to_ascii_lowercase());
        if let Some(kind) = kind.filter(|kind| !is_known(kind)) {
            return complaint(format!(
                "Error: Unrecognised {direction}-type {kind}; should be one of DNS or File"
            ));
        }
    }
    let Some(name) = typed_name(typed) else {
        return complaint(format!("Failed to Import zone {typed}; it is not a domain name"));
    };
    let _alone = site.updating.lock().await;
    let mut catalogue = Catalogue::clone(&site.catalogue());
    let policy = invocation.value("policy").unwrap_or("default");
    if catalogue.policy(policy).is_none() {
        let text = format!("Error, can't find policy : {policy}\nFailed to update zones");
        return complaint(text);
    }
    if catalogue.zone(&name).is_some() {
        return complaint(format!("Failed to Import zone {typed}; it already exists"));
    }
    let entry = match zone_adapters::entry(&site, &catalogue, &invocation, &name, policy) {
        Ok(entry) => entry,
        Err(text) => return complaint(text),
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
    let missing = zone_adapters::said(typed, &entry).1;
    let stdout = format!("{}{missing}Imported zone: {typed}\n", list_is(&catalogue));
    catalogue.zones.push(entry);
    let settled = settle(&site, catalogue, None).await;
    let stderr = warnings(&settled.not_started, |zone| *zone == name);
    Output { stderr, ..Output::done(stdout) }
}

/// `zone delete`.
pub(super) async fn delete(site: Arc<Site>, invocation: Invocation) -> Output {
    let typed = match (invocation.value("zone"), invocation.has("all")) {
        (Some(_), true) => return complaint("can not use --all with --zone"),
        (None, false) => return complaint("please specify either --zone <zone> or --all"),
        (typed, _) => typed,
    };
    if invocation.has("no-xml") {
        return not_kept("--no-xml", NO_XML);
    }
    if typed.is_none() && !invocation.is_confirmed {
        let question = "*WARNING* This will remove all zones from OpenDNSSEC; are you sure? [y/N] ";
        return Output::ask("", question);
    }
    let _alone = site.updating.lock().await;
    let catalogue = Catalogue::clone(&site.catalogue());
    let zones: Vec<Name> = match typed {
        None => catalogue.zones.iter().map(|zone| zone.name.clone()).collect(),
        Some(typed) => match typed_name(typed).filter(|name| catalogue.zone(name).is_some()) {
            Some(name) => vec![name],
            None => {
                let text = format!("{}Couldn't find zone {typed}", list_is(&catalogue));
                return complaint(text);
            }
        },
    };
    if !invocation.has("force")
        && let Some(text) = delegated(&site, &catalogue, &zones).await
    {
        return Output::refused(text, 1);
    }
    let mut stdout = list_is(&catalogue);
    match remove(&site, catalogue.clone(), &zones, &cause(&invocation)).await {
        Ok((_, stderr)) if stderr.is_empty() => {
            for zone in &zones {
                stdout += &format!("zone {} deleted successfully\n", zone_text(zone));
            }
            Output::done(stdout)
        }
        Ok((_, stderr)) => Output { stdout, ..Output::refused(stderr, 1) },
        Err(error) => list_failed(&catalogue, &error),
    }
}
