//! Clears away what a killed process left: snapshots of generations that were never committed,
//! temporary files beside signed zones.
//! In: settings and the open store. Out: a cleaner disk, warnings. To be called once, before the
//! first file is written.

use crate::settings::Settings;
use std::collections::BTreeSet;
use std::path::Path;
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
}
