//! Removal of snapshots and journal segments that are no longer, or never became, true. In: what
//! the state store says is true. Out: the rest is gone, the number of files removed is returned.
//! Segments of later generations than the true one stay, they may hold what was committed since:
//! which of them do is `journal::recover`'s to see, and it removes the others.
//! Never: removes a file that is neither of these nor a temporary file of one.
//! A removed file stays mapped where it is mapped. Removals are not synced: one that a power cut
//! undoes is made again at the next start.

use super::names::{FileKind, journal_path, parse_file_name, snapshot_path, zone_file_stem};
use super::{SnapshotError, SnapshotOperation};
use crate::replace::{TEMPORARY_SUFFIX, is_temporary_of, remove_leftovers};
use dnssec::Name;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

/// Removes one generation of a zone, snapshot and journal segment; does nothing where they are
/// not there. The cheap way after a commit: it does not list the folder.
pub fn remove_generation(folder: &Path, zone: &Name, generation: u64) -> Result<(), SnapshotError> {
    remove(&snapshot_path(folder, zone, generation))?;
    remove(&journal_path(folder, zone, generation)).map(|_| ())
}

/// Removes all files of `zone` but the snapshot of `keep_generation` and the journal segments
/// from there on: other generations and temporary files. To be called when no snapshot of the
/// zone is being written. Lists the whole folder.
pub fn cleanup(folder: &Path, zone: &Name, keep_generation: u64) -> Result<usize, SnapshotError> {
    let stem = zone_file_stem(zone);
    remove_where(folder, |name| match name.to_str().and_then(parse_file_name) {
        Some((found, generation, kind)) => {
            found == stem && !is_kept(kind, generation, keep_generation)
        }
        // The name of a temporary file starts with the name of its target.
        None => is_temporary_of(name, &format!("{stem}.")) && temporary_stem(name) == Some(&stem),
    })
}

/// Removes, in one pass at the start, what [`cleanup`] would for each zone in `keep`, all files
/// of other zones, and the temporary files of dead processes. A folder that does not exist is
/// clean.
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
    let file_count = remove_where(folder, |name| {
        let parsed = name.to_str().and_then(parse_file_name);
        parsed.is_some_and(|(stem, generation, kind)| {
            !keep.get(stem).is_some_and(|keep| is_kept(kind, generation, *keep))
        })
    })?;
    Ok(temporary_count + file_count)
}

/// Whether a file of `generation` may be needed when `truth` is the true one; 0 is none.
fn is_kept(kind: FileKind, generation: u64, truth: u64) -> bool {
    match kind {
        FileKind::Snapshot => generation == truth,
        FileKind::Journal => truth != 0 && generation >= truth,
    }
}

/// The stem of the snapshot or segment that a temporary file was for:
/// `.<stem>.<generation>.snapshot.<process>-<number>.anchorite-tmp`.
fn temporary_stem(name: &OsStr) -> Option<&str> {
    let (target, _) = name.to_str()?.strip_suffix(TEMPORARY_SUFFIX)?.rsplit_once('.')?;
    parse_file_name(target.strip_prefix('.')?).map(|(stem, _, _)| stem)
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
