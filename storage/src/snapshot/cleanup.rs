//! Removal of snapshots that are no longer, or never became, true. In: what the state store
//! says is true. Out: the rest is gone, the number of files removed is returned.
//! Never: removes a file that is neither a snapshot nor a temporary file of one.
//! A removed file stays mapped where it is mapped. Removals are not synced: one that a power cut
//! undoes is made again at the next start.

use super::names::{parse_file_name, snapshot_path, zone_file_stem};
use super::{SnapshotError, SnapshotOperation};
use crate::replace::{is_temporary_of, remove_leftovers};
use dnssec::Name;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Removes one generation of a zone; does nothing when it is not there. The cheap way after a
/// commit: it does not list the folder.
pub fn remove_generation(folder: &Path, zone: &Name, generation: u64) -> Result<(), SnapshotError> {
    remove(&snapshot_path(folder, zone, generation)).map(|_| ())
}

/// Removes all files of `zone` but those of `keep_generation`: other generations and temporary
/// files. To be called when no snapshot of the zone is being written. Lists the whole folder.
pub fn cleanup(folder: &Path, zone: &Name, keep_generation: u64) -> Result<usize, SnapshotError> {
    let stem = zone_file_stem(zone);
    remove_where(folder, |name| match name.to_str().and_then(parse_file_name) {
        Some((found, generation)) => found == stem && generation != keep_generation,
        // The name of a temporary file starts with the name of its snapshot.
        None => is_temporary_of(name, &format!("{stem}.")) && temporary_stem(name) == Some(&stem),
    })
}

/// Removes, in one pass at the start, every snapshot that is not among `keep` and the temporary
/// files of dead processes. A folder that does not exist is clean.
pub fn cleanup_all<'a>(
    folder: &Path,
    keep: impl IntoIterator<Item = (&'a Name, u64)>,
) -> Result<usize, SnapshotError> {
    if !folder.exists() {
        return Ok(0);
    }
    let keep: HashMap<String, u64> =
        keep.into_iter().map(|(zone, generation)| (zone_file_stem(zone), generation)).collect();
    let temporary_count = remove_leftovers(folder).map_err(list_error(folder))?;
    let snapshot_count = remove_where(folder, |name| {
        let parsed = name.to_str().and_then(parse_file_name);
        parsed.is_some_and(|(stem, generation)| keep.get(stem) != Some(&generation))
    })?;
    Ok(temporary_count + snapshot_count)
}

/// The stem of the snapshot that a temporary file was for:
/// `.<stem>.<generation>.snapshot.<process>-<number>.anchorite-tmp`.
fn temporary_stem(name: &OsStr) -> Option<&str> {
    let (snapshot, _) = name.to_str()?.strip_prefix('.')?.rsplit_once(".snapshot.")?;
    snapshot.rsplit_once('.').map(|(stem, _)| stem)
}

fn remove_where(folder: &Path, unwanted: impl Fn(&OsStr) -> bool) -> Result<usize, SnapshotError> {
    let mut removed_count = 0;
    for entry in fs::read_dir(folder).map_err(list_error(folder))? {
        let entry = entry.map_err(list_error(folder))?;
        if unwanted(&entry.file_name()) {
            removed_count += usize::from(remove(&entry.path())?);
        }
    }
    Ok(removed_count)
}

/// Whether the file was there to remove.
fn remove(path: &Path) -> Result<bool, SnapshotError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(cause) => Err(SnapshotError::Io {
            path: path.to_owned(),
            operation: SnapshotOperation::Remove,
            cause,
        }),
    }
}

fn list_error(folder: &Path) -> impl Fn(io::Error) -> SnapshotError + '_ {
    |cause| SnapshotError::Io { path: folder.to_owned(), operation: SnapshotOperation::List, cause }
}
