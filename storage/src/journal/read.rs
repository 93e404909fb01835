//! Reading one segment, record by record, so that a journal of any length takes the memory of
//! its longest entry. In: a file from our own folder. Out: its entries up to where it ends, the
//! next segment starts, the committed serial is reached, or something is wrong.
//! Never: changes a file; trusts a length before it was compared with that of the file.

use super::format::{
    self, FRAME_LENGTH, HEAD_LENGTH_MAX, Head, HeadProblem, PAYLOAD_LENGTH_MIN, PayloadProblem,
};
use super::search::next_record;
use super::segment::End;
use super::{DamageKind, JournalEntry, JournalError, JournalOperation, RECORD_LENGTH_MAX};
use super::{io_error, journal_path};
use dnssec::{Name, Serial};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Small records are read so many bytes at a time.
const READ_BUFFER_BYTES: usize = 64 << 10;

/// What is at a segment's place.
#[derive(Debug)]
pub(super) enum Found {
    /// Nothing.
    Missing,
    /// No head that can be read.
    Bad(DamageKind),
    /// A head of the right zone and generation.
    Sound(Segment),
}

/// A segment to read.
#[derive(Debug)]
pub(super) struct Segment {
    file: File,
    /// Of the version that the first entry starts from.
    pub(super) start: Serial,
    head_length: u64,
    /// Of the file, in bytes.
    pub(super) length: u64,
}

/// Why the reading stopped.
#[derive(Debug)]
pub(super) enum Stop {
    /// The committed serial is reached.
    Committed,
    /// The next segment starts here.
    Next,
    /// The file ends after a whole record.
    End,
    /// Something is wrong.
    Damage(DamageKind),
}

/// Where the reading is to stop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Goal {
    /// The committed serial.
    pub(super) committed: Option<Serial>,
    /// Where the next segment starts.
    pub(super) next_start: Option<Serial>,
}

impl Goal {
    /// Whether the goal is at `serial`.
    pub(super) fn stop_at(&self, serial: Serial) -> Option<Stop> {
        match serial {
            _ if self.committed == Some(serial) => Some(Stop::Committed),
            _ if self.next_start == Some(serial) => Some(Stop::Next),
            _ => None,
        }
    }
}

/// Looks at the segment of `zone` and `generation`.
pub(super) fn find(folder: &Path, zone: &Name, generation: u64) -> Result<Found, JournalError> {
    let path = journal_path(folder, zone, generation);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Found::Missing),
        Err(cause) => return Err(io_error(&path, JournalOperation::Open, cause)),
    };
    Ok(match read_head(file) {
        Ok((head, segment)) if head.zone == *zone && head.generation == generation => {
            Found::Sound(segment)
        }
        Ok(_) => Found::Bad(DamageKind::Head),
        Err(kind) => Found::Bad(kind),
    })
}

/// Whether the segment at `path`, whosever it is, has entries that lead to `serial`.
pub(super) fn leads_to(path: &Path, serial: Serial) -> bool {
    let Some((_, segment)) = File::open(path).ok().and_then(|file| read_head(file).ok()) else {
        return false;
    };
    let goal = Goal { committed: Some(serial), next_start: None };
    let (end, stop) = segment.read(goal, &mut |_| {});
    matches!(stop, Stop::Committed) && end.entry_count > 0
}

fn read_head(file: File) -> Result<(Head, Segment), DamageKind> {
    let mut bytes = Vec::with_capacity(HEAD_LENGTH_MAX);
    let read = (&file).take(HEAD_LENGTH_MAX as u64).read_to_end(&mut bytes);
    let length = read.and_then(|_| file.metadata()).map_err(DamageKind::Unreadable)?.len();
    let (head, head_length) = Head::decode(&bytes).map_err(|problem| match problem {
        HeadProblem::Malformed => DamageKind::Head,
        HeadProblem::Newer { version } => DamageKind::Newer { found: version },
    })?;
    let segment = Segment { file, start: head.start, head_length: head_length as u64, length };
    Ok((head, segment))
}

impl Segment {
    /// Whether there is anything after the head.
    pub(super) fn has_records(&self) -> bool {
        self.length > self.head_length
    }

    /// Reads entries in order until the goal, and gives them to `each`. Returns where the last
    /// of them ends, which is also where what is wrong begins.
    pub(super) fn read(&self, goal: Goal, each: &mut dyn FnMut(JournalEntry)) -> (End, Stop) {
        let mut end = End { serial: self.start, length: self.head_length, entry_count: 0 };
        let stop = self.read_from(&mut end, goal, each);
        (end, stop.unwrap_or_else(|cause| Stop::Damage(DamageKind::Unreadable(cause))))
    }

    fn read_from(
        &self,
        end: &mut End,
        goal: Goal,
        each: &mut dyn FnMut(JournalEntry),
    ) -> io::Result<Stop> {
        let mut reader = BufReader::with_capacity(READ_BUFFER_BYTES, &self.file);
        reader.seek(SeekFrom::Start(self.head_length))?;
        let mut payload = Vec::new();
        loop {
            if let Some(stop) = goal.stop_at(end.serial) {
                return Ok(stop);
            }
            let remaining = self.length.saturating_sub(end.length);
            if remaining == 0 {
                return Ok(Stop::End);
            }
            let Some(payload_max) = remaining.checked_sub(FRAME_LENGTH as u64) else {
                return Ok(Stop::Damage(DamageKind::Torn));
            };
            let mut frame = [0; FRAME_LENGTH];
            reader.read_exact(&mut frame)?;
            let (length, crc) = format::decode_frame(frame);
            let possible = PAYLOAD_LENGTH_MIN as u32..=RECORD_LENGTH_MAX;
            if !possible.contains(&length) || u64::from(length) > payload_max {
                return self.bad_record(end.length, length);
            }
            payload.resize(length as usize, 0);
            reader.read_exact(&mut payload)?;
            if format::record_crc(length, &payload) != crc {
                return self.bad_record(end.length, length);
            }
            let entry = match format::decode_payload(&payload) {
                Ok(entry) => entry,
                Err(PayloadProblem::Newer { version }) => {
                    return Ok(Stop::Damage(DamageKind::Newer { found: version.into() }));
                }
                Err(PayloadProblem::Malformed) => return self.bad_record(end.length, length),
            };
            // Only a step across it goes past a serial: a zone's serials may wrap (RFC 1982 §7).
            let past = |serial: Serial| serial.is_after(entry.from) && entry.to.is_after(serial);
            if entry.from != end.serial || goal.committed.is_some_and(past) {
                return Ok(Stop::Damage(DamageKind::NotNext { from: entry.from }));
            }
            end.serial = entry.to;
            end.length += FRAME_LENGTH as u64 + u64::from(length);
            end.entry_count += 1;
            each(entry);
        }
    }

    /// A record that is not as it was written: torn, or damaged with whole ones after it.
    fn bad_record(&self, offset: u64, stated: u32) -> io::Result<Stop> {
        let next = next_record(&self.file, offset, stated, self.length)?;
        let kind = next.map_or(DamageKind::Torn, |next| DamageKind::Record { next });
        Ok(Stop::Damage(kind))
    }
}
