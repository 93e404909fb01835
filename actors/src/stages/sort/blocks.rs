//! A zone file as packed parts, block by block.
//! In: an open file. Out: [`Parts`]. Two ways: in parallel, for blocks whose meaning does not
//! depend on what comes before them; and in order, which is always right.
//! Memory: a wave of blocks beside the packed parts.

use super::InputError;
use crate::io::zone_files::{self, SourceError, ZoneFile};
use crate::runtime::WorkerPool;
use crate::stages::StageError;
use dnssec::Name;
use dnssec::zone::load::{DnssecRecords, Limits, LoadError, Packed, Packer, Place};
use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, ReadError, Reader, RecordRef, Sink, State,
    Warning, cut_point, line_count, may_have_directive,
};
use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Bytes of a block.
const BLOCK_BYTES: usize = 1 << 20;
/// Blocks of a wave, per worker.
const WAVE_BLOCKS_PER_WORKER: usize = 4;
/// In order, a new part is begun after this many packed bytes.
const PART_BYTES: usize = 256 << 20;
/// Most warnings of the reader that are kept; the rest are counted.
const WARNING_COUNT_MAX: usize = 100;

/// A zone file, packed.
pub(super) struct Parts {
    pub(super) packed: Vec<Packed>,
    /// The files, by the numbers in places.
    pub(super) paths: Vec<PathBuf>,
    pub(super) warnings: Vec<String>,
    pub(super) warning_count: usize,
}

/// A block with what holds where it begins.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    state: State,
}

/// Reads a file with all workers. `None` when that is not possible, or something is wrong: then
/// it has to be read in order.
pub(super) fn read_blocks(
    pool: &WorkerPool,
    mut files: Files,
    file: &mut ZoneFile,
) -> Result<Option<Parts>, StageError> {
    let mut packed = Vec::new();
    let mut reader = Reader::new(State::new(Some(files.apex.clone()), 0));
    let mut cutter = Cutter { file, rest: Vec::new(), line: 1, is_done: false };
    let mut wave = Vec::new();
    while let Some((bytes, line)) = cutter.next()? {
        pool.progress().advance(bytes.len() as u64);
        // What an earlier block left over is not known here: a record that needs it is an error,
        // and the file is then read in order.
        let state = State { line, owner: None, last_ttl: None, ..reader.state.clone() };
        let in_order = may_have_directive(&bytes).then(|| (bytes.clone(), state.clone()));
        if in_order.is_none() {
            wave.push(Block { bytes, state });
        }
        let is_full = wave.len() >= pool.workers() * WAVE_BLOCKS_PER_WORKER;
        let flush = is_full || in_order.is_some();
        if flush && !parse_wave(pool, std::mem::take(&mut wave), &mut files, &mut packed)? {
            return Ok(None);
        }
        if let Some((bytes, state)) = in_order {
            reader.state = state;
            if reader.read_block(&bytes, BlockEnd::Final, &mut files).is_err() {
                return Ok(None);
            }
            packed.push(files.take_packed());
        }
    }
    if !parse_wave(pool, wave, &mut files, &mut packed)? {
        return Ok(None);
    }
    Ok(Some(files.parts(packed)))
}

/// Reads a file from its beginning to its end.
pub(super) fn read_in_order(mut files: Files, file: &mut ZoneFile) -> Result<Parts, StageError> {
    let mut packed = Vec::new();
    let mut reader = Reader::new(State::new(Some(files.apex.clone()), 0));
    let mut rest = Vec::new();
    loop {
        let is_end = file.read_block(BLOCK_BYTES, &mut rest)?;
        let end = if is_end { BlockEnd::Final } else { BlockEnd::More };
        let taken = reader.read_block(&rest, end, &mut files);
        let taken = taken.map_err(|error| StageError::Input(files.input_error(error)))?;
        rest.drain(..taken);
        if is_end || files.packer.byte_count() > PART_BYTES {
            packed.push(files.take_packed());
        }
        if is_end {
            return Ok(files.parts(packed));
        }
    }
}

/// Parses blocks on all workers; false when one is not right.
fn parse_wave(
    pool: &WorkerPool,
    wave: Vec<Block>,
    files: &mut Files,
    packed: &mut Vec<Packed>,
) -> Result<bool, StageError> {
    let own = files.begun_anew();
    let parse = move |_: usize, block: &Block| {
        let mut files = own.begun_anew();
        let mut reader = Reader::new(block.state.clone());
        reader.read_block(&block.bytes, BlockEnd::Final, &mut files).ok()?;
        let packed = files.take_packed();
        Some((packed, files.warnings, files.warning_count))
    };
    for parsed in pool.map(wave.into(), parse).map_err(super::crashed)? {
        let Some((part, warnings, count)) = parsed else { return Ok(false) };
        packed.push(part);
        files.take_warnings(warnings, count);
    }
    Ok(true)
}

/// Cuts a file into blocks that begin with a line that names its owner, or a directive.
struct Cutter<'a> {
    file: &'a mut ZoneFile,
    rest: Vec<u8>,
    /// Number of the first line in `rest`.
    line: u32,
    is_done: bool,
}

impl Cutter<'_> {
    /// The next block and the number of its first line.
    fn next(&mut self) -> Result<Option<(Vec<u8>, u32)>, SourceError> {
        while !self.is_done {
            self.rest.reserve(BLOCK_BYTES + BLOCK_BYTES / 4);
            self.is_done = self.file.read_block(BLOCK_BYTES, &mut self.rest)?;
            if self.is_done {
                break;
            }
            if let Some(at) = cut_point(&self.rest, self.rest.len()) {
                let rest = self.rest[at..].to_vec();
                let mut block = std::mem::replace(&mut self.rest, rest);
                block.truncate(at);
                return Ok(Some(self.counted(block)));
            }
        }
        let last = std::mem::take(&mut self.rest);
        Ok((!last.is_empty()).then(|| self.counted(last)))
    }

    fn counted(&mut self, block: Vec<u8>) -> (Vec<u8>, u32) {
        let line = self.line;
        self.line = line.saturating_add(line_count(&block));
        (block, line)
    }
}

/// Takes records into a packer, and knows which file is which.
pub(super) struct Files {
    apex: Name,
    limits: Limits,
    dnssec_records: DnssecRecords,
    paths: Vec<PathBuf>,
    packer: Packer,
    warnings: Vec<String>,
    warning_count: usize,
}

/// Why the receiver stops the reader.
pub(super) enum StopReason {
    Load(Box<LoadError>),
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
    /// Nothing read yet of the file at `path`.
    pub(super) fn new(
        apex: &Name,
        path: &Path,
        limits: Limits,
        dnssec_records: DnssecRecords,
    ) -> Files {
        Files {
            apex: apex.clone(),
            limits,
            dnssec_records,
            paths: vec![path.to_owned()],
            packer: Packer::new(apex, limits).with_dnssec_records(dnssec_records),
            warnings: Vec::new(),
            warning_count: 0,
        }
    }

    /// The same with nothing read yet.
    fn begun_anew(&self) -> Files {
        Files::new(&self.apex, &self.paths[0], self.limits, self.dnssec_records)
    }

    /// What was packed since the last call.
    fn take_packed(&mut self) -> Packed {
        let next = Packer::new(&self.apex, self.limits);
        let next = next.with_dnssec_records(self.dnssec_records);
        std::mem::replace(&mut self.packer, next).finish()
    }

    fn take_warnings(&mut self, warnings: Vec<String>, count: usize) {
        let room = WARNING_COUNT_MAX.saturating_sub(self.warnings.len());
        self.warnings.extend(warnings.into_iter().take(room));
        self.warning_count += count;
    }

    fn parts(self, packed: Vec<Packed>) -> Parts {
        let Files { paths, warnings, warning_count, .. } = self;
        Parts { packed, paths, warnings, warning_count }
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
                InputError::Zone { path: self.path(at.source), error }
            }
        }
    }
}

impl Sink for Files {
    type Error = StopReason;

    fn record(&mut self, record: RecordRef<'_>, at: Position) -> Result<(), StopReason> {
        let place = Place { source: at.source, line: at.line };
        self.packer
            .add(record.owner, record.rtype, record.ttl, record.rdata, place)
            .map_err(|error| StopReason::Load(Box::new(error)))
    }

    fn warning(&mut self, warning: Warning, at: Position) -> Result<(), StopReason> {
        let path = self.path(at.source);
        let text = format!("{}: line {}: {warning}", path.display(), at.line);
        self.take_warnings(vec![text], 1);
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
