//! `zone list`, `repository list` and `rollover list` of `ods-ksmutil` (catalogue 1.10), in the
//! columns of OpenDNSSEC 1.4. In: the configuration, a snapshot of the keys. Out: lists.

use super::key_view::{KeyView, Row, failed};
use super::ksm_commands::{complaint, optional_zone, state_of};
use super::ksm_export;
use super::output::Output;
use super::site::Site;
use super::zone_files::read_list;
use crate::io::local_time::date_time;
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::enforcer::CompatibilityState;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

/// `zone list`: the zones of zonelist.xml, and those that are signed and are not in it.
pub(super) async fn zones(site: Arc<Site>) -> Output {
    let catalogue = site.catalogue();
    let file = catalogue.zone_list_file.clone();
    let mut text = format!("zonelist filename set to {}.\n", file.display());
    let listed = match site.staff.desk.run(move || read_list(&file)) {
        Ok(reading) => reading.await,
        Err(error) => return failed(error),
    };
    let listed = match listed {
        Ok(Ok(listed)) => listed,
        Ok(Err(error)) => {
            return Output { stdout: text + "couldn't read zonelist\n", ..failed(error) };
        }
        Err(error) => return failed(error),
    };
    if listed.is_empty() && catalogue.zones.is_empty() {
        return Output::done(text + "No zones in DB or zonelist.\n");
    }
    for zone in &listed {
        let known = catalogue.zone(&zone.name);
        let note = if known.is_some() { "" } else { " (zone not in database)" };
        text += &format!(
            "Found Zone: {}; on policy {}{note}\n",
            zone_text(&zone.name),
            known.map_or(&zone.policy, |known| &known.policy)
        );
    }
    let names: BTreeSet<_> = listed.iter().map(|zone| &zone.name).collect();
    for zone in catalogue.zones.iter().filter(|zone| !names.contains(&zone.name)) {
        text += &format!("Found zone {} in DB but not zonelist.\n", zone_text(&zone.name));
    }
    Output::done(text)
}

/// `repository list`, by name.
pub(super) fn repositories(site: &Site, _: &Invocation) -> Output {
    let mut text =
        "Repositories:\nName:                            Capacity:    RequireBackup:\n".to_owned();
    let catalogue = site.catalogue();
    let mut repositories: Vec<_> = catalogue.repositories.iter().collect();
    repositories.sort_by_key(|repository| &repository.name);
    for repository in repositories {
        let capacity = repository.capacity.map_or("unset".to_owned(), |count| count.to_string());
        let backup = if repository.require_backup { "Yes" } else { "No" };
        // Writing to a string never fails.
        let _ = writeln!(text, "{:<32} {capacity:<12} {backup}", repository.name);
    }
    Output::done(text + "\n")
}

/// `rollover list`.
pub(super) async fn rolls(site: Arc<Site>, invocation: Invocation) -> Output {
    let view = match KeyView::look(&site).await {
        Ok(view) => view,
        Err(error) => return failed(error),
    };
    let zone = match optional_zone(&view, &invocation) {
        Ok(zone) => zone,
        Err(output) => return output,
    };
    let mut text =
        "Rollovers:\nZone:                           Keytype:      Rollover expected:\n".to_owned();
    let is_meant = |row: &Row<'_>| zone.is_none_or(|zone| zone.name == row.zone.name);
    let mut waiting = Vec::new();
    for row in view.by_zone().filter(is_meant) {
        let expected = match state_of(row.key) {
            CompatibilityState::Active => {
                let next = row.zone.life.next_roll.get(row.key.role);
                let next = next.filter(|_| row.key.introducing);
                next.map_or("(not scheduled)".to_owned(), date_time)
            }
            CompatibilityState::Ready | CompatibilityState::DsSub
                if row.key.role.signs_keyset() =>
            {
                waiting.push(row);
                "waiting for ds-seen".to_owned()
            }
            _ => continue,
        };
        let role = row.key.role.to_string();
        let _ = writeln!(text, "{:<31} {role:<13} {expected}", row.zone.text());
    }
    text.push('\n');
    if invocation.has("verbose") {
        match ksm_export::ds_records(&site, &waiting).await {
            Ok(records) => text += &records,
            Err(error) => return complaint(error),
        }
    }
    Output::done(text)
}
