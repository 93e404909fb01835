//! Older entries of the log: files beside the store, in a folder of its name with `.verdicts`.
//! In: the table. Out: files of [`BLOCK`] entries each, which never change; and the walk over files
//! and table in the order of the chain.
//! A block is written and synced, then one transaction takes its entries out of the table. What a
//! crash leaves is in both, and the table counts. Removal after its time is the other way about:
//! first the transaction that notes where the chain begins now, then the files.
//! Never: time by itself. Limits: the table keeps [`TABLE_ENTRIES`] to twice as many entries.

use super::super::StateStore;
use super::super::error::{Failure, StateError, StateOperation};
use super::super::tables::{VERDICT_CHAIN, VERDICTS};
use super::values::decode_event;
use super::{
    BASE, ChainHash, HASH_LENGTH, HEAD, Link, TAIL, VerdictEntry, VerdictEvent, append, malformed,
    note, noted, split,
};
use crate::replace::{FileMode, ReplaceError, is_disk_full, make_folder, remove_leftovers};
use crate::replace_file;
use dnssec::{Seconds, Timestamp};
use redb::ReadableTable;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLockReadGuard};

/// Entries in a file.
const BLOCK: usize = 4096;
/// Entries that stay in the table.
const TABLE_ENTRIES: usize = 4096;
const MAGIC: [u8; 8] = [0x89, b'A', b'Z', b'V', 0x0D, 0x0A, 0x1A, 0x0A];
const FORMAT: u32 = 1;
/// Octets before the first entry: magic, format, count, number of the first, hash before it.
const HEAD_LENGTH: usize = 8 + 4 + 4 + 8 + HASH_LENGTH;
const SUFFIX: &str = ".verdicts";

/// What tidying did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Entries moved to files.
    pub moved: u64,
    /// Entries removed after their time.
    pub removed: u64,
}

/// Takes a row; `false`: no more.
pub(super) type Take<'t> = &'t mut dyn FnMut(&Link, &[u8]) -> Result<bool, Failure>;

/// Rows in a file or in the table, with the place of the first.
struct Rows {
    start: Link,
    rows: Vec<(u64, Vec<u8>)>,
}

impl Rows {
    /// Each row with its place: the hash of the row before is what that row says.
    fn linked(&self) -> impl DoubleEndedIterator<Item = (Link, &[u8])> {
        let before = |index: usize| match index.checked_sub(1).and_then(|at| self.rows.get(at)) {
            Some((_, row)) => split(row).map_or([0; HASH_LENGTH], |(hash, _)| hash),
            None => self.start.previous,
        };
        let rows = self.rows.iter().enumerate();
        rows.map(move |(index, (number, row))| {
            (Link { next: *number, previous: before(index) }, row.as_slice())
        })
    }

    /// The place after the last row.
    fn end(&self) -> Option<Link> {
        let (number, row) = self.rows.last()?;
        let (hash, _) = split(row)?;
        Some(Link { next: number.saturating_add(1), previous: hash })
    }
}

impl StateStore {
    /// The files' folder.
    fn verdict_folder(&self) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(SUFFIX);
        PathBuf::from(path)
    }

    fn link(&self, name: &'static str) -> Result<Link, StateError> {
        self.read(|transaction| {
            Ok(noted(&transaction.open_table(VERDICT_CHAIN)?, name)?.unwrap_or(Link::START))
        })
    }

    /// Before the first entry there is.
    pub(super) fn base(&self) -> Result<Link, StateError> {
        self.link(BASE)
    }

    /// After the last one.
    pub(super) fn head(&self) -> Result<Link, StateError> {
        self.link(HEAD)
    }

    /// The rows of the table.
    fn table_rows(&self) -> Result<Rows, StateError> {
        self.read(|transaction| {
            let start = noted(&transaction.open_table(VERDICT_CHAIN)?, TAIL)?;
            let mut rows = Vec::new();
            for entry in transaction.open_table(VERDICTS)?.iter()? {
                let (number, row) = entry?;
                rows.push((number.value(), row.value().to_vec()));
            }
            Ok(Rows { start: start.unwrap_or(Link::START), rows })
        })
    }

    /// The files that count, by their first number.
    pub(super) fn files(&self, before: u64) -> Result<Vec<(u64, PathBuf)>, StateError> {
        let folder = self.verdict_folder();
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(cause) => return Err(io_error(folder, StateOperation::Read, cause)),
        };
        let mut files = Vec::new();
        for entry in listed {
            let entry =
                entry.map_err(|cause| io_error(folder.clone(), StateOperation::Read, cause))?;
            let name = entry.file_name();
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            // A file of what the table still has is what a crash left.
            if let Some(number) = number.filter(|number| *number < before) {
                files.push((number, entry.path()));
            }
        }
        files.sort_unstable();
        Ok(files)
    }

    fn still(&self) -> RwLockReadGuard<'_, ()> {
        self.verdict_files.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `take` for each row from number `first` on, and perhaps for some before.
    pub(super) fn walk(&self, first: u64, take: Take<'_>) -> Result<(), StateError> {
        let _still = self.still();
        let table = self.table_rows()?;
        let files = self.files(table.start.next)?;
        // The last file that begins at or before it has it.
        let from = files.partition_point(|(number, _)| *number <= first).saturating_sub(1);
        for (_, path) in files.iter().skip(from) {
            let rows = read_file(path)?;
            for (link, row) in rows.linked() {
                if !self.taken(take(&link, row))? {
                    return Ok(());
                }
            }
        }
        for (link, row) in table.linked() {
            if !self.taken(take(&link, row))? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The same for all rows from the last one back to the first.
    pub(super) fn walk_back(&self, take: Take<'_>) -> Result<(), StateError> {
        let _still = self.still();
        let table = self.table_rows()?;
        for (link, row) in table.linked().rev() {
            if !self.taken(take(&link, row))? {
                return Ok(());
            }
        }
        let base = self.base()?;
        for (_, path) in self.files(table.start.next)?.iter().rev() {
            let rows = read_file(path)?;
            for (link, row) in rows.linked().rev() {
                if link.next < base.next || !self.taken(take(&link, row))? {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn taken(&self, result: Result<bool, Failure>) -> Result<bool, StateError> {
        result.map_err(|failure| failure.into_state_error(&self.path, StateOperation::Read))
    }

    /// Moves older entries to files, and removes those whose time is over.
    pub fn verdicts_tidy(&self, now: Timestamp, keep: Seconds) -> Result<Tidied, StateError> {
        self.tidy_by(now, keep, (TABLE_ENTRIES, BLOCK))
    }

    /// The same with other sizes.
    pub(super) fn tidy_by(
        &self,
        now: Timestamp,
        keep: Seconds,
        (stay, block): (usize, usize),
    ) -> Result<Tidied, StateError> {
        let _alone = self.verdict_files.write().unwrap_or_else(PoisonError::into_inner);
        let mut moved = 0;
        let mut table = self.table_rows()?;
        while table.rows.len() >= stay.saturating_add(block) {
            let rest = table.rows.split_off(block);
            let Some(end) = table.end() else { break };
            self.write_file(&table)?;
            self.write(|transaction| {
                transaction.open_table(VERDICTS)?.retain_in(..end.next, |_, _| false)?;
                note(transaction, TAIL, &end)
            })?;
            moved += table.rows.len() as u64;
            table = Rows { start: end, rows: rest };
        }
        let removed = self.prune(now, keep, &table)?;
        Ok(Tidied { moved, removed })
    }

    fn write_file(&self, rows: &Rows) -> Result<(), StateError> {
        let folder = self.verdict_folder();
        make_folder(&folder)
            .map_err(|cause| io_error(folder.clone(), StateOperation::Commit, cause))?;
        // A file that is not removed now is removed another time.
        let _ = remove_leftovers(&folder);
        let path = folder.join(format!("{:020}{SUFFIX}", rows.start.next));
        let written = replace_file(&path, FileMode::Exactly(0o400), |out| {
            out.write_all(&MAGIC)?;
            out.write_all(&FORMAT.to_le_bytes())?;
            // A block has a few thousand.
            out.write_all(&(rows.rows.len() as u32).to_le_bytes())?;
            out.write_all(&rows.start.next.to_le_bytes())?;
            out.write_all(&rows.start.previous)?;
            for (_, row) in &rows.rows {
                out.write_all(&(row.len() as u32).to_le_bytes())?;
                out.write_all(row)?;
            }
            Ok(())
        });
        written.map_err(|error| replace_error(path, error))
    }

    /// Writes a file of the first rows of the table, and goes no further, as in a crash.
    #[cfg(test)]
    pub(super) fn write_first_rows(&self, count: usize) {
        let mut rows = self.table_rows().unwrap();
        rows.rows.truncate(count);
        self.write_file(&rows).unwrap();
    }

    /// Removes whole files of which every entry is older than `keep`, and then, where there is no
    /// file left, such entries of the table.
    fn prune(&self, now: Timestamp, keep: Seconds, table: &Rows) -> Result<u64, StateError> {
        let limit = now.0.saturating_sub(keep.0);
        let is_over = |row: &[u8]| {
            let entry = split(row).and_then(|(_, value)| decode_event(value).ok());
            entry.is_some_and(|entry| entry.at.0 < limit)
        };
        let base = self.base()?;
        let (mut end, mut gone, mut has_file_left) = (base, Vec::new(), false);
        for (number, path) in self.files(table.start.next)? {
            if number < base.next {
                // Left by a crash.
                gone.push(path);
                continue;
            }
            let rows = read_file(&path)?;
            let is_whole = rows.rows.iter().all(|(_, row)| is_over(row));
            let Some(after) = rows.end().filter(|_| is_whole) else {
                has_file_left = true;
                break;
            };
            end = after;
            gone.push(path);
        }
        if !has_file_left {
            let over = table.linked().take_while(|(_, row)| is_over(row));
            let last = over.filter_map(|(link, row)| Some((link.next, split(row)?.0))).last();
            if let Some((number, hash)) = last {
                end = Link { next: number.saturating_add(1), previous: hash };
            }
        }
        if end != base {
            self.forget(now, &end)?;
        }
        for path in gone {
            match std::fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(io_error(path, StateOperation::Commit, cause));
                }
                _ => {}
            }
        }
        Ok(end.next.saturating_sub(base.next))
    }

    /// Notes that the chain begins at `end` now.
    fn forget(&self, now: Timestamp, end: &Link) -> Result<(), StateError> {
        self.write(|transaction| {
            transaction.open_table(VERDICTS)?.retain_in(..end.next, |_, _| false)?;
            let tail = noted(&transaction.open_table(VERDICT_CHAIN)?, TAIL)?;
            if tail.unwrap_or(Link::START).next < end.next {
                note(transaction, TAIL, end)?;
            }
            note(transaction, BASE, end)?;
            let (through, hash): (u64, ChainHash) = (end.next.saturating_sub(1), end.previous);
            let event = VerdictEvent::Pruned { through, hash };
            append(transaction, &VerdictEntry { at: now, event }).map(|_| ())
        })
    }
}

/// Reads a file. What cannot be told apart any more is left out: the walk misses it.
fn read_file(path: &Path) -> Result<Rows, StateError> {
    let bytes = std::fs::read(path)
        .map_err(|cause| io_error(path.to_owned(), StateOperation::Read, cause))?;
    parse(&bytes).ok_or_else(|| malformed().into_state_error(path, StateOperation::Read))
}

/// `None`: the head is not one.
fn parse(bytes: &[u8]) -> Option<Rows> {
    let (head, mut rest) = bytes.split_at_checked(HEAD_LENGTH)?;
    let (magic, head) = head.split_at(MAGIC.len());
    let format = u32::from_le_bytes(head.get(..4)?.try_into().ok()?);
    if magic != MAGIC || format != FORMAT {
        return None;
    }
    let count = u32::from_le_bytes(head.get(4..8)?.try_into().ok()?);
    let first = u64::from_le_bytes(head.get(8..16)?.try_into().ok()?);
    let start = Link { next: first, previous: head.get(16..)?.try_into().ok()? };
    let mut rows = Vec::new();
    for index in 0..u64::from(count) {
        let Some((length, after)) = rest.split_first_chunk::<4>() else { break };
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let Some((row, after)) = after.split_at_checked(length) else { break };
        rows.push((first.saturating_add(index), row.to_vec()));
        rest = after;
    }
    Some(Rows { start, rows })
}

fn io_error(path: PathBuf, operation: StateOperation, cause: io::Error) -> StateError {
    match is_disk_full(&cause) {
        true => StateError::DiskFull { path, cause },
        false => StateError::Io { path, operation, cause },
    }
}

fn replace_error(path: PathBuf, error: ReplaceError) -> StateError {
    match error {
        ReplaceError::DiskFull { cause, .. } => StateError::DiskFull { path, cause },
        error => {
            let cause = io::Error::other(error);
            StateError::Io { path, operation: StateOperation::Commit, cause }
        }
    }
}
