//! A segment that is appended to. In: entries. Out: records, each durable when `append` returns.
//! An entry costs one write and one sync. When either fails the file is cut back to the end of
//! the entry before: a record that is half there would hide those after it. The cut is synced,
//! so that nothing whose state the failed sync left open is built upon.
//! Never: reads what it wrote.

use super::format::{self, Head, PAYLOAD_FIXED_LENGTH_MAX};
use super::medium::Medium;
use super::read::leads_to;
use super::{JournalEntry, JournalError, JournalOperation, RECORD_LENGTH_MAX, io_error};
use crate::replace::{FileMode, make_folder, replace_file};
use crate::snapshot::journal_path;
use dnssec::{Name, Serial};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Permission bits of a segment.
const SEGMENT_MODE: u32 = 0o600;
/// A buffer that a large entry has made longer than this is given back, in bytes.
const BUFFER_KEPT_BYTES_MAX: usize = 1 << 20;

/// A segment that is open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    generation: u64,
    medium: Box<dyn Medium>,
    /// Up to the end of the last entry; so long is the file, unless `closed`.
    end: End,
    /// The end before the last `append`, until it is used to take that back.
    before: Option<End>,
    closed: bool,
    buffer: Vec<u8>,
}

/// Where a segment ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// Serial that it leads to.
    pub(super) serial: Serial,
    /// Its length, in bytes.
    pub(super) length: u64,
    /// Entries up to there.
    pub(super) entry_count: u64,
}

impl Journal {
    /// Begins the segment of `zone` and `generation`, whose first entry will start at `start`.
    /// When this returns, it survives a power cut. A leftover segment of that generation is
    /// replaced; one that has entries which lead to `start` is none, and stays.
    pub fn create(
        folder: &Path,
        zone: &Name,
        generation: u64,
        start: Serial,
    ) -> Result<Journal, JournalError> {
        let path = journal_path(folder, zone, generation);
        if leads_to(&path, start) {
            return Err(JournalError::InUse { path, start });
        }
        make_folder(folder)
            .map_err(|cause| io_error(folder, JournalOperation::CreateFolder, cause))?;
        let head = Head { zone: zone.clone(), generation, start }.encode();
        replace_file(&path, FileMode::Exactly(SEGMENT_MODE), |out| out.write_all(&head))?;
        let end = End { serial: start, length: head.len() as u64, entry_count: 0 };
        Journal::open(path, generation, end)
    }

    /// Opens a segment in place; the caller sees to it that it ends there.
    pub(super) fn open(path: PathBuf, generation: u64, end: End) -> Result<Journal, JournalError> {
        let file = OpenOptions::new().write(true).open(&path);
        let file = file.map_err(|cause| io_error(&path, JournalOperation::Open, cause))?;
        Ok(Journal::on(Box::new(file), path, generation, end))
    }

    /// A segment on any medium.
    pub(super) fn on(medium: Box<dyn Medium>, path: PathBuf, generation: u64, end: End) -> Journal {
        Journal { path, generation, medium, end, before: None, closed: false, buffer: Vec::new() }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its generation.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The serial that it leads to, which the next entry starts from.
    pub fn serial(&self) -> Serial {
        self.end.serial
    }

    /// Length of the segment, in bytes.
    pub fn length(&self) -> u64 {
        self.end.length
    }

    /// Entries in the segment.
    pub fn entry_count(&self) -> u64 {
        self.end.entry_count
    }

    /// Whether an earlier failure has closed it for good ([`JournalError::Closed`]).
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Appends an entry, which starts at [`Journal::serial`]. When this returns, it survives a
    /// power cut; it counts once its serial is committed. After an error the journal is as
    /// before and may be used again, unless [`Journal::is_closed`].
    pub fn append(&mut self, entry: &JournalEntry) -> Result<(), JournalError> {
        self.check(entry)?;
        let mut buffer = std::mem::take(&mut self.buffer);
        format::encode_record(entry, &mut buffer);
        let written = self.write(&buffer);
        let length = buffer.len() as u64;
        if buffer.capacity() <= BUFFER_KEPT_BYTES_MAX {
            self.buffer = buffer;
        }
        written?;
        self.before = Some(self.end);
        self.end = End {
            serial: entry.to,
            length: self.end.length + length,
            entry_count: self.end.entry_count + 1,
        };
        Ok(())
    }

    /// Takes the last appended entry off again: its commit has failed, nobody has seen it. When
    /// nothing was appended since the journal was opened or the last retraction, nothing happens
    /// and `false` is returned.
    pub fn retract(&mut self) -> Result<bool, JournalError> {
        if self.closed {
            return Err(JournalError::Closed { path: self.path.clone() });
        }
        let Some(before) = self.before.take() else { return Ok(false) };
        self.end = before;
        self.cut()?;
        Ok(true)
    }

    fn check(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let (path, last) = (|| self.path.clone(), self.end.serial);
        if self.closed {
            return Err(JournalError::Closed { path: path() });
        }
        let (from, to) = (entry.from, entry.to);
        if from != last || !to.is_after(from) {
            return Err(JournalError::NotNext { path: path(), last, from, to });
        }
        let lists = [&entry.signed, &entry.source].map(|records| {
            // Lengths of what is in memory: their sum is far below 2^64.
            (records.removed.len() + records.added.len()) as u64
        });
        let length = PAYLOAD_FIXED_LENGTH_MAX + lists[0] + lists[1];
        if length > u64::from(RECORD_LENGTH_MAX) {
            return Err(JournalError::TooLarge { path: path(), to, length });
        }
        Ok(())
    }

    fn write(&mut self, record: &[u8]) -> Result<(), JournalError> {
        let written = match self.medium.write_at(record, self.end.length) {
            Ok(()) => self.medium.sync().map_err(|cause| (JournalOperation::Sync, cause)),
            Err(cause) => Err((JournalOperation::Write, cause)),
        };
        written.map_err(|(operation, cause)| {
            // The first failure is the one to report; `closed` tells of this one.
            let _ = self.cut();
            io_error(&self.path, operation, cause)
        })
    }

    /// Cuts the file back to its end, durably; closes the journal when that fails.
    fn cut(&mut self) -> Result<(), JournalError> {
        let cut = self.medium.cut(self.end.length).and_then(|()| self.medium.sync());
        cut.map_err(|cause| {
            self.closed = true;
            io_error(&self.path, JournalOperation::Cut, cause)
        })
    }
}
