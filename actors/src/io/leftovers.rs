//! Clears away what a killed process left: snapshots of generations that were never committed,
//! temporary files beside signed zones; and what was kept for inspection of zones that are gone.
//! In: settings and the open store. Out: a cleaner disk, warnings. To be called once, before the
//! first file is written.

use crate::settings::Settings;
use crate::zone::gate::{CANDIDATE_GENERATION, REPORT_SUFFIX, refused_folder, report_path};
use crate::zone::{HELD_SUFFIX, RECEIVED_SUFFIX, held_path, received_path, updates_folder};
use dnssec::Name;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use storage::StateStore;
use storage::replace::remove_leftovers;
use storage::snapshot::cleanup_all;

/// Removes leftovers; what cannot be removed is logged and stays.
pub fn remove(settings: &Settings, store: &StateStore) {
    let folders: BTreeSet<&Path> =
        settings.zones.iter().filter_map(|zone| zone.output_file()?.parent()).collect();
    for folder in folders.into_iter().filter(|folder| folder.is_dir()) {
        if let Err(error) = remove_leftovers(folder) {
            tracing::warn!(folder = %folder.display(), %error, "leftovers were not removed");
        }
    }
    if !settings.snapshot_folder.is_dir() {
        return;
    }
    let zones = match store.zones() {
        Ok(zones) => zones,
        Err(error) => {
            tracing::warn!(%error, "old snapshots were not removed");
            return;
        }
    };
    let true_ones = zones.iter().map(|(zone, state)| (zone, state.generation));
    if let Err(error) = cleanup_all(&settings.snapshot_folder, true_ones) {
        tracing::warn!(%error, "old snapshots were not removed");
    }
    let names: BTreeSet<&Name> = zones.iter().map(|(zone, _)| zone).collect();
    remove_kept(settings, store, &names);
}

/// Removes what is kept for inspection of zones that are gone: inputs that were held, candidates
/// that were refused; and inputs that are held no more.
fn remove_kept(settings: &Settings, store: &StateStore, zones: &BTreeSet<&Name>) {
    // What cannot be told stays.
    let is_held = |zone: &&&Name| !matches!(store.held_input(zone), Ok(None));
    let held = zones.iter().filter(is_held).map(|zone| held_path(&settings.snapshot_folder, zone));
    remove_others(&settings.snapshot_folder, HELD_SUFFIX, &held.collect());
    let received = zones.iter().map(|zone| received_path(&settings.snapshot_folder, zone));
    remove_others(&settings.snapshot_folder, RECEIVED_SUFFIX, &received.collect());
    let updated = zones.iter().map(|zone| (*zone, 1));
    if let Err(error) = cleanup_all(&updates_folder(&settings.snapshot_folder), updated) {
        tracing::warn!(%error, "old journals of updates were not removed");
    }
    let folder = refused_folder(&settings.snapshot_folder);
    let reports = zones.iter().map(|zone| report_path(&folder, zone)).collect();
    remove_others(&folder, REPORT_SUFFIX, &reports);
    let candidates = zones.iter().map(|zone| (*zone, CANDIDATE_GENERATION));
    if let Err(error) = cleanup_all(&folder, candidates) {
        tracing::warn!(%error, "old refused candidates were not removed");
    }
}

/// Removes the files of a folder whose names end so, but for those that are kept.
fn remove_others(folder: &Path, suffix: &str, kept: &BTreeSet<PathBuf>) {
    // A folder that is not there has none.
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let is_meant =
            path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(suffix));
        if is_meant
            && !kept.contains(&path)
            && let Err(error) = super::zone_files::remove(&path)
        {
            tracing::warn!(path = %path.display(), %error, "a leftover was not removed");
        }
    }
}
