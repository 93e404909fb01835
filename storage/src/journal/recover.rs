//! From a snapshot to the committed version: replays the journal over its segments.
//! In: the generation and the serial that the state store says are true. Out: the entries from
//! the snapshot's serial to that one, and the journal to go on with; entries after it were never
//! published and are cut off. When the way there is broken: what there is before, and where it
//! ends ([`Damage`]). A segment with damage stays as it is; the journal goes on in the next one.
//! Never: a panic or an error because of what is in a file.

use super::read::{self, Found, Goal, Segment, Stop};
use super::segment::{End, Journal};
use super::{Damage, DamageKind, JournalEntry, JournalError, JournalOperation};
use super::{io_error, journal_path};
use crate::replace::sync_folder;
use crate::snapshot::read_header;
use dnssec::{Name, Serial};
use std::fs::{self, OpenOptions};
use std::io;
use std::path::Path;

/// Where a segment's head has the serial that it starts at (`FORMAT.md`).
const START_OFFSET: u64 = 24;

/// What came after a snapshot.
#[derive(Debug)]
pub struct Recovered {
    /// The entries in order, over all segments. [`recover_each`] gives them to its caller
    /// instead, and leaves this empty.
    pub entries: Vec<JournalEntry>,
    /// Serial that they lead to: the committed one, unless there is damage.
    pub serial: Serial,
    /// The journal to go on with. `None`: there is no segment to go on in, the first entry needs
    /// [`Journal::create`] with `generation` and `serial`.
    pub journal: Option<Journal>,
    /// Generation of that journal, also when it is yet to be created.
    pub generation: u64,
    /// Bytes cut off from the journal, which held what was never committed.
    pub dropped_length: u64,
    /// Why the committed serial was not reached.
    pub damage: Option<Damage>,
}

/// Replays the journal after the snapshot of `zone` and `generation`, up to the `committed`
/// serial; with `None`, as far as it goes, and then a torn end counts as damage too. All entries
/// are in memory at once.
pub fn recover(
    folder: &Path,
    zone: &Name,
    generation: u64,
    committed: Option<Serial>,
) -> Result<Recovered, JournalError> {
    let mut entries = Vec::new();
    let each = |entry| entries.push(entry);
    let recovered = recover_each(folder, zone, generation, committed, each)?;
    Ok(Recovered { entries, ..recovered })
}

/// [`recover`], with one entry in memory at a time: each is given to `each` when it is read.
/// What it is given stands, whatever comes after.
pub fn recover_each(
    folder: &Path,
    zone: &Name,
    generation: u64,
    committed: Option<Serial>,
    mut each: impl FnMut(JournalEntry),
) -> Result<Recovered, JournalError> {
    let serial = read_header(folder, zone, generation)?.serial;
    let found = read::find(folder, zone, generation)?;
    let mut place = Place { folder, zone, generation, serial, found };
    loop {
        // A power cut may have left one that was begun and never used: it does not count.
        let next = match place.generation.checked_add(1) {
            Some(generation) => read::find(folder, zone, generation)?,
            None => Found::Missing,
        };
        let next_start = match &next {
            Found::Sound(segment) if segment.has_records() => Some(segment.start),
            _ => None,
        };
        let (end, stop) = place.read(Goal { committed, next_start }, &mut each);
        place.serial = end.map_or(place.serial, |end| end.serial);
        let damage = match stop {
            Stop::Next => {
                place.generation += 1;
                place.found = next;
                continue;
            }
            Stop::Committed => None,
            Stop::Damage(kind) => Some(place.damage(end, committed, kind)),
            Stop::End => place.damage_after_end(end, committed, next),
        };
        return match damage {
            None => place.finish(end),
            Some(damage) => place.finish_damaged(damage),
        };
    }
}

/// How far the replay has come: in front of a segment, or at the end of one.
struct Place<'a> {
    folder: &'a Path,
    zone: &'a Name,
    generation: u64,
    serial: Serial,
    found: Found,
}

impl Place<'_> {
    /// Reads the segment; without one that starts here there is no end.
    fn read(&mut self, goal: Goal, each: &mut dyn FnMut(JournalEntry)) -> (Option<End>, Stop) {
        let kind = match &mut self.found {
            Found::Sound(segment) if segment.start == self.serial => {
                let (end, stop) = segment.read(goal, each);
                return (Some(end), stop);
            }
            Found::Sound(Segment { start, .. }) => DamageKind::NotNext { from: *start },
            Found::Bad(kind) => std::mem::replace(kind, DamageKind::Head),
            Found::Missing if goal.committed.is_none() => return (None, Stop::End),
            Found::Missing => DamageKind::Missing,
        };
        (None, goal.stop_at(self.serial).unwrap_or(Stop::Damage(kind)))
    }

    fn damage(&self, end: Option<End>, committed: Option<Serial>, kind: DamageKind) -> Damage {
        let path = journal_path(self.folder, self.zone, self.generation);
        let offset = match (end, &kind) {
            (Some(end), _) => end.length,
            (None, DamageKind::NotNext { .. }) => START_OFFSET,
            (None, _) => 0,
        };
        Damage { path, offset, known: self.serial, committed, kind }
    }

    /// What is wrong when a segment just ends; nothing, when no serial has to be reached.
    fn damage_after_end(
        &self,
        end: Option<End>,
        committed: Option<Serial>,
        next: Found,
    ) -> Option<Damage> {
        let (offset, kind) = match next {
            Found::Sound(next) if next.start == self.serial && committed.is_some() => {
                (next.length, DamageKind::EndsEarly)
            }
            Found::Bad(kind) => (0, kind),
            Found::Sound(next) if next.has_records() && !next.start.is_after(self.serial) => {
                (START_OFFSET, DamageKind::NotNext { from: next.start })
            }
            Found::Missing if committed.is_none() => return None,
            Found::Sound(next) if committed.is_none() && !next.has_records() => return None,
            _ => return Some(self.damage(end, committed, DamageKind::EndsEarly)),
        };
        let path = journal_path(self.folder, self.zone, self.generation.saturating_add(1));
        Some(Damage { path, offset, known: self.serial, committed, kind })
    }

    /// All is well: what was never committed leaves the disk, for good, so that it can never be
    /// taken for something else.
    fn finish(self, end: Option<End>) -> Result<Recovered, JournalError> {
        remove_after(self.folder, self.zone, self.generation)?;
        let (mut journal, mut dropped_length) = (None, 0);
        if let (Some(end), Found::Sound(segment)) = (end, &self.found) {
            let path = journal_path(self.folder, self.zone, self.generation);
            dropped_length = segment.length - end.length;
            if dropped_length > 0 {
                cut(&path, end.length)
                    .map_err(|cause| io_error(&path, JournalOperation::Cut, cause))?;
            }
            journal = Some(Journal::open(path, self.generation, end)?);
        }
        Ok(self.recovered(journal, dropped_length, None))
    }

    /// The next segment starts where this one is good to, so this one ends there and can stay.
    fn finish_damaged(mut self, damage: Damage) -> Result<Recovered, JournalError> {
        self.generation = self.generation.saturating_add(1);
        remove_after(self.folder, self.zone, self.generation)?;
        Ok(self.recovered(None, 0, Some(damage)))
    }

    fn recovered(
        self,
        journal: Option<Journal>,
        dropped_length: u64,
        damage: Option<Damage>,
    ) -> Recovered {
        let Place { generation, serial, .. } = self;
        Recovered { entries: Vec::new(), serial, journal, generation, dropped_length, damage }
    }
}

pub(super) fn cut(path: &Path, length: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path)?;
    file.set_len(length)?;
    file.sync_data()
}

/// Removes, for good, the segments of the generations after `last`.
fn remove_after(folder: &Path, zone: &Name, last: u64) -> Result<(), JournalError> {
    let mut removed = false;
    for generation in (last..=u64::MAX).skip(1) {
        let path = journal_path(folder, zone, generation);
        match fs::remove_file(&path) {
            Ok(()) => removed = true,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => break,
            Err(cause) => return Err(io_error(&path, JournalOperation::Remove, cause)),
        }
    }
    if removed {
        let synced = sync_folder(folder);
        return synced.map_err(|cause| io_error(folder, JournalOperation::Remove, cause));
    }
    Ok(())
}
