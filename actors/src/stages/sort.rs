//! Sort: from the bytes of a zone file to an unsigned zone version.
//! In: the file, the zone's name. Out: the version and what was odd about the file.
//! Included files are read here, since only the reader knows their names.

use super::fetch::Source;
use super::{Stage, StageError};
use crate::io::zone_files::{self, SourceError};
use crate::runtime::WorkerPool;
use dnssec::Name;
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{Limits, LoadError, LoadWarning, Loader, Place};
use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, ReadError, Reader, RecordRef, Sink, State,
    SyntaxError, Warning,
};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The sort stage.
pub struct Sort;

/// A ticket.
pub struct SortInput {
    /// The zone.
    pub apex: Name,
    /// Its file.
    pub source: Source,
    /// What it may have.
    pub limits: Limits,
}

/// A zone that was read.
pub struct Sorted {
    /// The zone, unsigned.
    pub version: Arc<ZoneVersion>,
    /// What was odd, for people: file, line, text. Not all when there were many.
    pub warnings: Vec<String>,
    /// How much was odd in all.
    pub warning_count: usize,
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

impl Stage for Sort {
    const NAME: &'static str = "sort";
    type Input = SortInput;
    type Output = Sorted;

    fn run(_: &WorkerPool, input: SortInput) -> Result<Sorted, StageError> {
        let SortInput { apex, source, limits } = input;
        let mut files = Files::new(source.path, Loader::new(&apex, limits));
        let mut reader = Reader::new(State::new(Some(apex), 0));
        let read = reader.read_block(&source.bytes, BlockEnd::Final, &mut files);
        drop(source.bytes);
        let result = match read {
            Ok(_) => files.finish(),
            Err(error) => Err(files.input_error(error)),
        };
        result.map_err(StageError::Input)
    }
}

/// Most warnings of the reader that are kept; the rest are counted.
const WARNING_COUNT_MAX: usize = 100;

/// Takes records into a loader, and knows which file is which.
struct Files {
    paths: Vec<PathBuf>,
    loader: Loader,
    warnings: Vec<String>,
    warning_count: usize,
}

/// Why the receiver stops the reader.
enum StopReason {
    Load(LoadError),
    Include(SourceError),
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::Load(error) => error.fmt(f),
            StopReason::Include(error) => error.fmt(f),
        }
    }
}

impl Files {
    fn new(path: PathBuf, loader: Loader) -> Files {
        Files { paths: vec![path], loader, warnings: Vec::new(), warning_count: 0 }
    }

    fn path(&self, source: u32) -> PathBuf {
        // Numbers come from this list; 0 is always there.
        self.paths.get(source as usize).unwrap_or(&self.paths[0]).clone()
    }

    fn input_error(&self, error: ReadError<StopReason>) -> InputError {
        match error {
            ReadError::Syntax(error) => {
                InputError::Syntax { path: self.path(error.at.source), error }
            }
            ReadError::Stopped { at, reason: StopReason::Include(error) } => {
                InputError::Include { path: self.path(at.source), at, error }
            }
            ReadError::Stopped { at, reason: StopReason::Load(error) } => {
                InputError::Zone { path: self.path(at.source), error: Box::new(error) }
            }
        }
    }

    fn finish(self) -> Result<Sorted, InputError> {
        let Files { paths, loader, mut warnings, warning_count } = self;
        let loaded = loader.finish().map_err(|error| {
            let source = error_place(&error).map_or(0, |place| place.source as usize);
            let path = paths.get(source).unwrap_or(&paths[0]).clone();
            InputError::Zone { path, error: Box::new(error) }
        })?;
        for warning in &loaded.warnings {
            let source = warning_place(warning).map_or(0, |place| place.source as usize);
            let path = paths.get(source).unwrap_or(&paths[0]);
            warnings.push(format!("{}: {warning}", path.display()));
        }
        Ok(Sorted {
            version: Arc::new(loaded.version),
            warnings,
            warning_count: warning_count + loaded.warning_count,
        })
    }
}

fn error_place(error: &LoadError) -> Option<Place> {
    match error {
        LoadError::SeveralSoas { place, .. }
        | LoadError::SoaBelowApex { place, .. }
        | LoadError::CnameAndOther { place, .. }
        | LoadError::SeveralAliases { place, .. }
        | LoadError::DsWithoutDelegation { place, .. }
        | LoadError::TypeRefused { place, .. } => Some(*place),
        LoadError::NoSoa { .. }
        | LoadError::LimitExceeded { .. }
        | LoadError::RrsetTooLarge { .. } => None,
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

impl Sink for Files {
    type Error = StopReason;

    fn record(&mut self, record: RecordRef<'_>, at: Position) -> Result<(), StopReason> {
        let place = Place { source: at.source, line: at.line };
        self.loader
            .add(record.owner, record.rtype, record.ttl, record.rdata, place)
            .map_err(StopReason::Load)
    }

    fn warning(&mut self, warning: Warning, at: Position) -> Result<(), StopReason> {
        self.warning_count += 1;
        if self.warnings.len() < WARNING_COUNT_MAX {
            let path = self.path(at.source);
            self.warnings.push(format!("{}: line {}: {warning}", path.display(), at.line));
        }
        Ok(())
    }

    fn include(&mut self, request: IncludeRequest<'_>) -> Result<Included, StopReason> {
        let named = Path::new(OsStr::from_bytes(request.path));
        let folder = self.path(request.including);
        // A relative path is relative to the folder of the file that includes it.
        let path = folder.parent().map_or(named.to_owned(), |folder| folder.join(named));
        let bytes = zone_files::read(&path).map_err(StopReason::Include)?;
        self.paths.push(path);
        Ok(Included { source: self.paths.len() as u32 - 1, bytes })
    }
}
