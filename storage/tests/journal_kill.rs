//! SIGKILL at random moments of a zone that lives by its journal: a child appends differences as
//! fast as it can, each entry first, then the commit, then "acknowledged" on its standard output,
//! and compacts now and then on another thread. Whatever was acknowledged is there after the
//! kill, whole and in order.
//! The child is this very test program, started again with [`CHILD`] in its environment.

use dnssec::{Name, Serial, Timestamp};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use storage::journal::{JournalEntry, Records, recover};
use storage::snapshot::{SectionNumber, SnapshotHeader, SnapshotSection, cleanup_all};
use storage::state::ZoneState;
use storage::{Journal, StateError, StateStore, open_snapshot, write_snapshot};

const CHILD: &str = "STORAGE_JOURNAL_KILL_TEST_FOLDER";
const KILL_COUNT: u64 = 16;
/// Entries between two compactions.
const COMPACTION_INTERVAL: u32 = 7;
const NOW: Timestamp = Timestamp(1_800_000_000);

fn zone() -> Name {
    Name::parse(b"example.", None).unwrap()
}

/// What a version consists of; a difference replaces all of it.
fn content(serial: u32) -> Vec<u8> {
    serial.to_be_bytes().repeat(1_000)
}

fn entry(from: u32) -> JournalEntry {
    let records = Records { removed: content(from), added: content(from + 1) };
    JournalEntry {
        from: Serial(from),
        to: Serial(from + 1),
        input_serial: None,
        signed_at: NOW,
        signed: records,
        source: Records::default(),
    }
}

fn snapshot(folder: &Path, generation: u64, serial: u32) {
    let header = SnapshotHeader {
        zone: zone(),
        generation,
        serial: Serial(serial),
        record_count: 0,
        signature_count: 0,
    };
    let section = SnapshotSection { number: SectionNumber::OWNERS, chunks: &[&content(serial)] };
    write_snapshot(folder, &header, &[section]).unwrap();
}

/// A zone as it is after a start.
struct Life {
    store: StateStore,
    state: ZoneState,
    journal: Journal,
    serial: u32,
}

/// Restores the true version from what is in the folder, as a restart does.
fn restart(folder: &Path) -> Life {
    let store = StateStore::open(&folder.join("kasp.db.redb"), NOW).unwrap();
    match store.zone_add(&zone(), "default") {
        Ok(_) | Err(StateError::ZoneExists { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
    let mut state = store.zone(&zone()).unwrap().unwrap();
    let files = folder.join("snapshots");
    cleanup_all(&files, [(&zone(), state.generation)]).unwrap();
    if state.generation == 0 {
        snapshot(&files, 1, 1);
        state = ZoneState { output_serial: Some(Serial(1)), generation: 1, ..state };
        store.commit_version(&zone(), &state).unwrap();
    }
    let snapshot = open_snapshot(&files, &zone(), state.generation).unwrap();
    let mut serial = snapshot.header().serial.0;
    let mut version = snapshot.chunks(SectionNumber::OWNERS).next().unwrap().to_vec();
    let found = recover(&files, &zone(), state.generation, state.output_serial).unwrap();
    assert!(found.damage.is_none(), "{:?}", found.damage);
    for next in &found.entries {
        assert!(*next == entry(serial) && next.signed.removed == version, "after {serial}");
        (serial, version) = (next.to.0, next.signed.added.clone());
    }
    assert_eq!(state.output_serial, Some(Serial(serial)));
    assert!(version == content(serial), "another version's content");
    let journal = found.journal.unwrap_or_else(|| {
        Journal::create(&files, &zone(), found.generation, found.serial).unwrap()
    });
    Life { store, state, journal, serial }
}

fn sign_for_ever(folder: &Path) {
    let Life { store, mut state, mut journal, mut serial } = restart(folder);
    let files = &folder.join("snapshots");
    loop {
        // The snapshot is written while the journal goes on, and committed after all of that.
        let generation = journal.generation() + 1;
        journal = Journal::create(files, &zone(), generation, Serial(serial)).unwrap();
        let taken = serial;
        std::thread::scope(|scope| {
            let writer = scope.spawn(move || snapshot(files, generation, taken));
            for _ in 0..COMPACTION_INTERVAL {
                journal.append(&entry(serial)).unwrap();
                serial += 1;
                state.output_serial = Some(Serial(serial));
                store.commit_difference(&zone(), &state).unwrap();
                println!("acknowledged {serial}");
                std::io::stdout().flush().unwrap();
            }
            writer.join().unwrap();
        });
        store.commit_snapshot(&zone(), generation).unwrap();
        state.generation = generation;
        cleanup_all(files, [(&zone(), generation)]).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_loses_no_acknowledged_entry() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return sign_for_ever(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..KILL_COUNT {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_kill_at_any_moment_loses_no_acknowledged_entry", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let acknowledgement = |line: std::io::Result<String>| {
            let line = line.ok()?;
            line.split_once("acknowledged ")?.1.parse::<u32>().ok()
        };
        // The moment within the child's step is left to chance: a spin of a length that differs
        // by round, after a number of acknowledgements that differs too.
        let wanted = 1 + (round as usize * 5) % 17;
        let seen = lines.by_ref().filter_map(acknowledgement).take(wanted).last();
        for turn in 0..round * 100_000 {
            std::hint::black_box(turn);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = lines.filter_map(acknowledgement).last().or(seen);
        let acknowledged = acknowledged.expect("the child acknowledged nothing");
        let found = restart(folder.path()).serial;
        let legal = found == acknowledged || found == acknowledged + 1;
        assert!(legal, "round {round}: acknowledged {acknowledged}, found {found}");
        assert!(found > last);
        last = found;
    }
}
