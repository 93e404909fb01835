//! A journal that no snapshot begins and nobody commits to: every whole entry of it counts.
//! In: a folder of such journals, a zone. Out: the entries in order, and the journal to go on with.
//! What was torn off by a crash was never acknowledged, and is cut off. Where an entry in the
//! middle is damaged, those before it come, and nothing more is appended.
//! Limits: one segment; all its entries are in memory at once.

use super::read::{Found, Goal, Stop, find};
use super::recover::cut;
use super::segment::Journal;
use super::{Damage, DamageKind, JournalEntry, JournalError, JournalOperation};
use super::{io_error, journal_path};
use dnssec::{Name, Serial};
use std::path::Path;

/// What is in a journal that stands alone.
#[derive(Debug, Default)]
pub struct Alone {
    /// The entries in order.
    pub entries: Vec<JournalEntry>,
    /// The journal to go on with; `None`: there is none, or it is damaged.
    pub journal: Option<Journal>,
    /// What is wrong with it.
    pub damage: Option<Damage>,
}

/// Reads the journal of `zone` and `generation`, and opens it.
pub fn read_alone(folder: &Path, zone: &Name, generation: u64) -> Result<Alone, JournalError> {
    let path = journal_path(folder, zone, generation);
    let damaged =
        |offset, known, kind| Damage { path: path.clone(), offset, known, committed: None, kind };
    let segment = match find(folder, zone, generation)? {
        Found::Missing => return Ok(Alone::default()),
        Found::Bad(kind) => {
            let damage = Some(damaged(0, Serial::default(), kind));
            return Ok(Alone { damage, ..Alone::default() });
        }
        Found::Sound(segment) => segment,
    };
    let mut entries = Vec::new();
    let goal = Goal { committed: None, next_start: None };
    let (end, stop) = segment.read(goal, &mut |entry| entries.push(entry));
    match stop {
        Stop::Damage(DamageKind::Torn) => {
            cut(&path, end.length)
                .map_err(|cause| io_error(&path, JournalOperation::Cut, cause))?;
        }
        Stop::Damage(kind) => {
            let damage = Some(damaged(end.length, end.serial, kind));
            return Ok(Alone { entries, journal: None, damage });
        }
        Stop::End | Stop::Committed | Stop::Next => {}
    }
    let journal = Some(Journal::open(path, generation, end)?);
    Ok(Alone { entries, journal, damage: None })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::Records;
    use dnssec::Timestamp;
    use std::fs;

    fn zone() -> Name {
        Name::parse(b"example.", None).unwrap()
    }

    fn entry(from: u32) -> JournalEntry {
        let source = Records { removed: vec![1; 40], added: vec![2; 50] };
        JournalEntry {
            from: Serial(from),
            to: Serial(from + 1),
            input_serial: None,
            signed_at: Timestamp(9),
            signed: Records::default(),
            source,
        }
    }

    #[test]
    fn whole_entries_come_back_wherever_the_last_one_is_torn() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let none = read_alone(at, &zone(), 1).unwrap();
        assert!(none.entries.is_empty() && none.journal.is_none() && none.damage.is_none());
        let mut journal = Journal::create(at, &zone(), 1, Serial(7)).unwrap();
        journal.append(&entry(7)).unwrap();
        let two = journal.length();
        journal.append(&entry(8)).unwrap();
        let bytes = fs::read(journal.path()).unwrap();
        for length in two..=bytes.len() as u64 {
            fs::write(journal.path(), &bytes[..length as usize]).unwrap();
            let read = read_alone(at, &zone(), 1).unwrap();
            let whole = if length == bytes.len() as u64 { 2 } else { 1 };
            assert_eq!(read.entries, [entry(7), entry(8)][..whole], "{length}");
            // What is appended follows what is there.
            let mut journal = read.journal.unwrap();
            journal.append(&entry(7 + whole as u32)).unwrap();
            let again = read_alone(at, &zone(), 1).unwrap();
            assert_eq!(again.entries.len(), whole + 1);
        }
    }

    #[test]
    fn what_is_damaged_in_the_middle_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let mut journal = Journal::create(at, &zone(), 1, Serial(7)).unwrap();
        journal.append(&entry(7)).unwrap();
        let two = journal.length() as usize;
        journal.append(&entry(8)).unwrap();
        journal.append(&entry(9)).unwrap();
        let mut bytes = fs::read(journal.path()).unwrap();
        bytes[two + 20] ^= 1;
        fs::write(journal.path(), &bytes).unwrap();
        let read = read_alone(at, &zone(), 1).unwrap();
        assert_eq!(read.entries, [entry(7)]);
        assert!(read.journal.is_none() && read.damage.is_some());
        fs::write(journal.path(), b"no head").unwrap();
        let read = read_alone(at, &zone(), 1).unwrap();
        assert!(read.entries.is_empty() && read.damage.is_some());
    }
}
