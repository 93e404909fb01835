//! Refused candidates on disk: one of each zone, beside the snapshots, for inspection.
//! In: a refused candidate. Out: a snapshot and a text with the findings, in a folder that only
//! this program's user may read; and back. They are never published: nobody else reads there.
//! Limit: [`CANDIDATE_BYTES_MAX`]; a larger candidate leaves only its report.

use super::{Refused, Services};
use crate::io::folders::private_folder;
use crate::runtime::WorkerPool;
use crate::stages::publish::{RecoveryError, Stored, snapshot_version, write_stored};
use crate::zone::pipeline::RunOrder;
use dnssec::Name;
use std::io::Write;
use std::path::{Path, PathBuf};
use storage::snapshot::{remove_generation, snapshot_path, zone_file_stem};
use storage::{FileMode, ReplaceError, SnapshotError, replace_file};

/// No larger candidate is kept, in bytes of its chunks: 1 GiB.
const CANDIDATE_BYTES_MAX: usize = 1 << 30;
/// The folder, below that of the snapshots.
const FOLDER: &str = "refused";
/// Candidates have one generation.
pub(crate) const CANDIDATE_GENERATION: u64 = 1;
/// How the names of reports end.
pub(crate) const REPORT_SUFFIX: &str = ".report";
/// Mode of reports.
const REPORT_MODE: u32 = 0o600;

/// Why a candidate is not kept.
#[derive(Debug, thiserror::Error)]
enum KeepError {
    #[error("folder {0}: {1}")]
    Folder(PathBuf, #[source] std::io::Error),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Report(#[from] ReplaceError),
    #[error("it has {bytes} bytes, and no more than {CANDIDATE_BYTES_MAX} are kept")]
    TooLarge { bytes: usize },
}

/// A refused candidate that was kept.
pub struct Kept {
    /// The candidate.
    pub candidate: Stored,
    /// Its findings, for people.
    pub report: String,
}

impl Services {
    /// Keeps a refused candidate in place of the one before, and notes where.
    pub(super) async fn keep(&self, order: &RunOrder, refused: &mut Refused) {
        let (folder, zone) = (refused_folder(&self.snapshot_folder), order.settings.name.clone());
        let (candidate, report) = (refused.candidate.clone(), report_of(refused));
        let job = move || keep(&folder, &zone, &candidate, &report);
        let kept = match self.pool.run(job) {
            Ok(answer) => match answer.await {
                Ok(kept) => kept.map_err(|error| error.to_string()),
                Err(crashed) => Err(crashed.to_string()),
            },
            Err(busy) => Err(busy.to_string()),
        };
        refused.refusal.kept = kept;
    }
}

fn report_of(refused: &Refused) -> String {
    let mut text = format!("{}\n", refused.refusal.reason);
    let findings = &refused.refusal.verdict.findings;
    findings.iter().for_each(|finding| text.push_str(&format!("{finding}\n")));
    text
}

/// Where refused candidates are kept; `snapshots` is the folder of the snapshots.
pub(crate) fn refused_folder(snapshots: &Path) -> PathBuf {
    snapshots.join(FOLDER)
}

/// Where the report on a refused candidate is; `folder` is that of refused candidates.
pub(crate) fn report_path(folder: &Path, zone: &Name) -> PathBuf {
    folder.join(format!("{}{REPORT_SUFFIX}", zone_file_stem(zone)))
}

fn keep(
    folder: &Path,
    zone: &Name,
    candidate: &Stored,
    report: &str,
) -> Result<PathBuf, KeepError> {
    private_folder(folder).map_err(|cause| KeepError::Folder(folder.to_owned(), cause))?;
    replace_file(&report_path(folder, zone), FileMode::Exactly(REPORT_MODE), |file| {
        file.write_all(report.as_bytes())
    })?;
    let chunks = candidate.version.chunks().chain(candidate.unsigned.chunks());
    let bytes = chunks.map(|chunk| chunk.byte_count()).sum();
    // The one before is not this report's.
    remove_generation(folder, zone, CANDIDATE_GENERATION)?;
    if bytes > CANDIDATE_BYTES_MAX {
        return Err(KeepError::TooLarge { bytes });
    }
    write_stored(candidate, folder, CANDIDATE_GENERATION)?;
    Ok(snapshot_path(folder, zone, CANDIDATE_GENERATION))
}

/// Reads back the refused candidate of a zone; `None`: there is none. `snapshots` is the folder of
/// the snapshots. Blocks.
pub fn kept_candidate(
    pool: &WorkerPool,
    snapshots: &Path,
    zone: &Name,
) -> Result<Option<Kept>, RecoveryError> {
    let folder = refused_folder(snapshots);
    if !snapshot_path(&folder, zone, CANDIDATE_GENERATION).exists() {
        return Ok(None);
    }
    let candidate = snapshot_version(pool, &folder, zone, CANDIDATE_GENERATION)?;
    // Without its report the candidate is still worth a look.
    let report = crate::io::signed_files::beginning(&report_path(&folder, zone), REPORT_OCTETS_MAX);
    let report = String::from_utf8_lossy(&report.unwrap_or_default()).into_owned();
    Ok(Some(Kept { candidate, report }))
}

/// As much of a report is shown.
const REPORT_OCTETS_MAX: usize = 256 << 10;
