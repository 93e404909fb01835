//! Sort: from what came in to an unsigned zone version.
//! In: the open file, or a transfer ([`transferred`]); the zone's name, the version before. Out:
//! the version, which owners changed, and what was odd about the input. Where little changed, the
//! version shares its chunks with the one before.
//! The file is read in blocks, and blocks without directives are parsed on all workers at once
//! ([`blocks`]); ranges of owners then become chunks on all workers.
//! A file that changed meanwhile is read again. Included files are read here, too, since only the
//! reader knows their names.

mod blocks;
mod compare;
mod digest;
mod held;
mod transferred;

pub use held::{Held, trips};
pub use transferred::TransferredFault;

use super::{Stage, StageError};
use crate::io::transfer_client::received::ReceivedError;
use crate::io::zone_files::{READ_ATTEMPT_COUNT, SourceError, ZoneFile};
use crate::runtime::{Panicked, WorkerPool};
use blocks::{Files, Parts, read_blocks, read_in_order};
use compare::compared;
use dnssec::Name;
use dnssec::breaker::TAIL_BYTES;
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{Assembly, DnssecRecords, Limits, LoadError, LoadWarning, Loaded, Place};
use dnssec::zonefile::{Position, SyntaxError};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The sort stage.
pub struct Sort;

/// A ticket.
pub struct SortInput {
    /// The zone.
    pub apex: Name,
    /// Where its records are.
    pub source: SortSource,
    /// What it may have.
    pub limits: Limits,
    /// What becomes of the DNSSEC records in it.
    pub dnssec_records: DnssecRecords,
    /// What the zone was before, to be compared with.
    pub previous: Option<Arc<ZoneVersion>>,
}

/// Where the records of a zone are.
pub enum SortSource {
    /// In a zone file.
    File(ZoneFile),
    /// In the messages of a transfer, which are in a file.
    Received(PathBuf),
    /// In a version that was made of the one before.
    Version(Arc<ZoneVersion>),
}

/// A zone that was read.
pub struct Sorted {
    /// The zone, unsigned.
    pub version: Arc<ZoneVersion>,
    /// How it differs from the version before.
    pub touched: Touched,
    /// What was odd, for people: file, line, text. Not all when there were many.
    pub warnings: Vec<String>,
    /// How much was odd in all.
    pub warning_count: usize,
    /// The end of the file, for the input breaker; `None`: it is no text.
    pub tail: Option<Vec<u8>>,
    /// What is wrong with the zone's digest, where the file has one.
    pub digest_fault: Option<String>,
}

/// Which owners of a version differ from the version before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// Those with these keys; none when it is the version before.
    Owners(BTreeSet<Vec<u8>>),
    /// There was none before, or so much changed that everything is made anew.
    Unknown,
}

/// What is wrong with a zone file.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A line that cannot be read.
    #[error("{}:{}:{}: {error}", path.display(), error.at.line, error.at.column)]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What and where.
        error: SyntaxError,
    },
    /// Records that do not make a zone.
    #[error("{}: {error}", path.display())]
    Zone {
        /// Which file.
        path: PathBuf,
        /// What and where.
        error: Box<LoadError>,
    },
    /// A received zone that cannot be read back.
    #[error(transparent)]
    Unreadable(#[from] ReceivedError),
    /// Records of a transfer that do not make a zone.
    #[error("the zone that was transferred: {0}")]
    Transferred(Box<TransferredFault>),
    /// A file named by `$INCLUDE` could not be read.
    #[error("{}:{}: $INCLUDE: {error}", path.display(), at.line)]
    Include {
        /// Which file has the directive.
        path: PathBuf,
        /// Where.
        at: Position,
        /// Why.
        error: SourceError,
    },
}

/// Ranges of owners per worker: small enough that none waits long for the last one.
const RANGES_PER_WORKER: usize = 8;

impl Stage for Sort {
    const NAME: &'static str = "sort";
    type Input = SortInput;
    type Output = Sorted;

    fn run(pool: &WorkerPool, input: SortInput) -> Result<Sorted, StageError> {
        let SortInput { apex, source, limits, dnssec_records, previous } = input;
        let files = (limits, dnssec_records);
        let mut file = match source {
            SortSource::File(file) => file,
            SortSource::Received(path) => {
                let sorted = transferred::sort_received(pool, &apex, &path, files)?;
                return compared_with(pool, previous, sorted);
            }
            SortSource::Version(version) => {
                return compared_with(pool, previous, transferred::unread(version));
            }
        };
        for _ in 0..READ_ATTEMPT_COUNT {
            pool.progress().begin(Self::NAME, file.length());
            // A file that is being written may look wrong: first see whether it is.
            let sorted = sort(pool, &apex, &mut file, files);
            if file.is_unchanged()? {
                return compared_with(pool, previous, sorted?);
            }
            file = ZoneFile::open(file.path())?;
        }
        Err(SourceError::Changing { path: file.path().to_owned() }.into())
    }
}

fn compared_with(
    pool: &WorkerPool,
    previous: Option<Arc<ZoneVersion>>,
    sorted: Sorted,
) -> Result<Sorted, StageError> {
    match &previous {
        Some(previous) => compared(pool, previous, sorted),
        None => Ok(sorted),
    }
}

fn crashed(panic: Panicked) -> StageError {
    StageError::Crashed { stage: Sort::NAME, cause: panic.to_string() }
}

fn sort(
    pool: &WorkerPool,
    apex: &Name,
    file: &mut ZoneFile,
    (limits, dnssec_records): (Limits, DnssecRecords),
) -> Result<Sorted, StageError> {
    let files = Files::new(apex, file.path(), limits, dnssec_records);
    let parts = match read_blocks(pool, files, file)? {
        Some(parts) => parts,
        // Something that depends on what comes before it, or an error: read again in order, for
        // the right result or the right words.
        None => {
            file.rewind()?;
            read_in_order(Files::new(apex, file.path(), limits, dnssec_records), file)?
        }
    };
    let Parts { packed, paths, mut warnings, warning_count } = parts;
    let zone_error = |error: LoadError| {
        let source = error_place(&error).map_or(0, |place| place.source as usize);
        let path = paths.get(source).unwrap_or(&paths[0]).clone();
        StageError::Input(InputError::Zone { path, error: Box::new(error) })
    };
    let assembly = Arc::new(Assembly::new(apex, packed, limits).map_err(zone_error)?);
    let loaded = build(pool, assembly, zone_error)?;
    for warning in &loaded.warnings.first {
        let source = warning_place(warning).map_or(0, |place| place.source as usize);
        let path = paths.get(source).unwrap_or(&paths[0]);
        warnings.push(format!("{}: {warning}", path.display()));
    }
    let digest_fault = match loaded.has_digest {
        true => digest::verified(apex, file, &mut warnings)?,
        false => None,
    };
    Ok(Sorted {
        version: Arc::new(loaded.version),
        touched: Touched::Unknown,
        warnings,
        warning_count: warning_count + loaded.warnings.count,
        tail: Some(file.tail(TAIL_BYTES)?),
        digest_fault,
    })
}

/// Makes the chunks of all ranges; the first error in the order of owners counts.
fn build(
    pool: &WorkerPool,
    assembly: Arc<Assembly>,
    zone_error: impl Fn(LoadError) -> StageError,
) -> Result<Loaded, StageError> {
    let ranges = assembly.ranges(pool.workers() * RANGES_PER_WORKER);
    let shared = assembly.clone();
    let built = pool
        .map(ranges.into(), move |_, range: &std::ops::Range<usize>| shared.build(range.clone()))
        .map_err(crashed)?;
    let built = built.into_iter().collect::<Result<Vec<_>, _>>().map_err(zone_error)?;
    // Never waits for the other copies to go: an offer that nobody has taken yet holds one, and
    // when every worker waits here, nobody ever takes it.
    Ok(assembly.finish(built))
}

fn error_place(error: &LoadError) -> Option<Place> {
    match error {
        LoadError::SeveralSoas { place, .. }
        | LoadError::SoaBelowApex { place, .. }
        | LoadError::CnameAndOther { place, .. }
        | LoadError::SeveralAliases { place, .. }
        | LoadError::DsWithoutDelegation { place, .. }
        | LoadError::TypeRefused { place, .. }
        | LoadError::RrsetTooLong { place, .. }
        | LoadError::RrsetTooLarge { place, .. } => Some(*place),
        LoadError::NoSoa { .. } | LoadError::LimitExceeded { .. } => None,
    }
}

fn warning_place(warning: &LoadWarning) -> Option<Place> {
    match warning {
        LoadWarning::OutOfZone { place, .. }
        | LoadWarning::DnssecData { place, .. }
        | LoadWarning::TtlMismatch { place, .. } => Some(*place),
        LoadWarning::NoApexNs { .. } => None,
    }
}
