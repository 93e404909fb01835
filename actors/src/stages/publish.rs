//! Publish: makes an audited version durable, then visible.
//! In: an [`AuditedZone`], nothing less. Out: a snapshot on disk, or an entry in the journal; then,
//! after the commit that the zone asks of the store in between, the signed file in its place.
//! Save, then send: a [`Durable`] version is made by writing it, whole or as a difference, and only
//! such a one is delivered.

mod journal;
mod recovery;

pub use journal::ZoneJournal;
pub use recovery::{Recovered, RecoveryError, recovered, snapshot_version};

use super::audit::AuditedZone;
use super::{Stage, StageError};
use crate::io::signed_files;
use crate::runtime::WorkerPool;
use audit_host::Copy;
use dnssec::zone::chunk::Chunk;
use dnssec::zone::diff::Difference;
use dnssec::zone::{ChunkList, ZoneVersion, render};
use dnssec::{Serial, Timestamp};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use storage::snapshot::{SectionNumber, SnapshotHeader, SnapshotSection};
use storage::{FileMode, SnapshotError, replace_file, write_snapshot};

/// Section of the unsigned version's names; the signed one's are storage's own numbers.
const UNSIGNED: SectionNumber = SectionNumber(2);
/// Mode of a signed file that was not there before.
const OUTPUT_MODE: u32 = 0o644;

/// As much of a signed file is looked at to see which version it is.
const COMPARED_BYTES_MAX: usize = 4096;

/// The publish stage.
pub struct Publish;

/// A ticket: one of the two steps.
pub enum PublishInput {
    /// Write the snapshot.
    Save {
        /// What is to be published.
        zone: AuditedZone,
        /// Folder of the snapshots.
        folder: PathBuf,
        /// Generation of the version.
        generation: u64,
    },
    /// Write the difference to the version before into the journal; the zone has one.
    Append {
        /// What is to be published.
        zone: AuditedZone,
        /// Folder of the journals.
        folder: PathBuf,
        /// Generation of the snapshot that the journal follows, should it have to be begun.
        generation: u64,
        /// The journal.
        journal: ZoneJournal,
        /// When the version was signed.
        signed_at: Timestamp,
    },
    /// Replace the signed file.
    Deliver {
        /// What is to be published; its commit is done.
        zone: Durable,
        /// Path of the signed file.
        output: PathBuf,
    },
}

/// An audited version that is on disk.
pub struct Durable {
    zone: AuditedZone,
}

impl Durable {
    /// An audited version that came from the disk in the first place.
    pub fn from_disk(zone: AuditedZone, _: &Stored) -> Durable {
        Durable { zone }
    }

    /// The version.
    pub fn version(&self) -> &Arc<ZoneVersion> {
        self.zone.version()
    }

    /// What leads to it, and from which serial, where that is known.
    pub fn change(&self) -> Option<(Serial, &Difference)> {
        self.zone.change().map(|change| (change.from, &change.signed))
    }

    /// The auditor's copy of it, where there is one.
    pub fn into_approved(self) -> Option<Copy> {
        self.zone.into_approved()
    }
}

impl Stage for Publish {
    const NAME: &'static str = "publish";
    type Input = PublishInput;
    type Output = Durable;

    fn run(pool: &WorkerPool, input: PublishInput) -> Result<Durable, StageError> {
        match input {
            PublishInput::Save { zone, folder, generation } => {
                let stored = Stored::of(&zone);
                write_stored(&stored, &folder, generation)?;
                Ok(Durable { zone })
            }
            PublishInput::Append { zone, folder, generation, journal, signed_at } => {
                journal.append(&zone, &folder, generation, signed_at)?;
                Ok(Durable { zone })
            }
            PublishInput::Deliver { zone, output } => {
                write_zone_file(pool, zone.zone.version(), &output)?;
                Ok(zone)
            }
        }
    }
}

/// Writes a version that was audited as a snapshot.
pub fn write_stored(stored: &Stored, folder: &Path, generation: u64) -> Result<(), SnapshotError> {
    let version = &stored.version;
    let header = SnapshotHeader {
        zone: version.apex.clone(),
        generation,
        // An audited version has its SOA.
        serial: version.serial().unwrap_or(Serial(0)),
        record_count: (version.record_count() + version.signature_count()) as u64,
        signature_count: version.signature_count() as u64,
    };
    let bytes = |list: &ChunkList| list.iter().map(Arc::clone).collect::<Vec<_>>();
    let lists = [
        (SectionNumber::OWNERS, bytes(&version.names)),
        (SectionNumber::NSEC3, bytes(&version.hashes)),
        (UNSIGNED, bytes(&stored.unsigned.names)),
    ];
    let slices: Vec<(SectionNumber, Vec<&[u8]>)> = lists
        .iter()
        .map(|(number, chunks)| (*number, chunks.iter().map(|chunk| chunk.as_bytes()).collect()))
        .collect();
    let sections: Vec<SnapshotSection<'_>> =
        slices.iter().map(|(number, chunks)| SnapshotSection { number: *number, chunks }).collect();
    write_snapshot(folder, &header, &sections).map(|_| ())
}

/// Chunks rendered before they are written: bounds the text held in memory.
const RENDERED_CHUNK_COUNT: usize = 256;

/// Writes a version as a zone file, which replaces the old one as a whole.
pub fn write_zone_file(
    pool: &WorkerPool,
    version: &Arc<ZoneVersion>,
    output: &Path,
) -> Result<(), StageError> {
    let chunks: Vec<Arc<Chunk>> = version.chunks().cloned().collect();
    pool.progress().begin(Publish::NAME, chunks.len() as u64);
    let mut crashed = None;
    let written = replace_file(output, FileMode::PreservedOr(OUTPUT_MODE), |file| {
        for group in chunks.chunks(RENDERED_CHUNK_COUNT) {
            let apex = version.apex.clone();
            let texts = pool.map(group.into(), move |_, chunk: &Arc<Chunk>| {
                let mut text = Vec::new();
                render::text(&apex, chunk, &mut text);
                text
            });
            pool.progress().advance(group.len() as u64);
            match texts {
                Ok(texts) => texts.iter().try_for_each(|text| file.write_all(text))?,
                Err(panic) => {
                    crashed = Some(panic.to_string());
                    return Err(std::io::Error::other("rendering crashed"));
                }
            }
        }
        Ok(())
    });
    match (crashed, written) {
        (Some(cause), _) => Err(StageError::Crashed { stage: Publish::NAME, cause }),
        (None, written) => written.map_err(|error| StageError::Output { error }),
    }
}

/// Whether the file at `output` is this version, as far as its beginning shows: there is the SOA
/// record, and one serial never has two contents.
pub fn is_in_place(version: &ZoneVersion, output: &Path) -> bool {
    let Some(first) = version.names.first() else { return false };
    let mut wanted = Vec::new();
    render::text(&version.apex, first, &mut wanted);
    wanted.truncate(COMPARED_BYTES_MAX);
    matches!(signed_files::beginning(output, wanted.len()), Ok(found) if found == wanted)
}

/// A version that was published, and what it was made from.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The signed version.
    pub version: Arc<ZoneVersion>,
    /// The unsigned version.
    pub unsigned: Arc<ZoneVersion>,
}

impl Stored {
    fn of(zone: &AuditedZone) -> Stored {
        Stored { version: zone.version().clone(), unsigned: zone.unsigned().clone() }
    }
}
