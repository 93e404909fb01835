//! SIGKILL at random moments (fault R1 in small): a child signs versions of a zone as fast as it
//! can, snapshot first, then the commit, then "acknowledged" on its standard output. Whatever
//! was acknowledged is there after the kill, and the true generation opens.
//! The child is this very test program, started again with [`CHILD`] in its environment.

use dnssec::{Name, Serial, Timestamp};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use storage::snapshot::{
    SectionNumber, SnapshotHeader, SnapshotSection, cleanup_all, remove_generation,
};
use storage::state::ZoneState;
use storage::{StateError, StateStore, open_snapshot, write_snapshot};

const CHILD: &str = "STORAGE_KILL_TEST_FOLDER";
const KILL_COUNT: u64 = 12;
const NOW: Timestamp = Timestamp(1_800_000_000);

fn zone() -> Name {
    Name::parse(b"example.", None).unwrap()
}

fn chunk(serial: u32) -> Vec<u8> {
    serial.to_be_bytes().repeat(20_000)
}

fn sign_for_ever(folder: &Path) {
    let store = StateStore::open(&folder.join("kasp.db.redb"), NOW).unwrap();
    match store.zone_add(&zone(), "default") {
        Ok(_) | Err(StateError::ZoneExists { .. }) => {}
        Err(error) => panic!("{error:?}"),
    }
    let mut state = store.zone(&zone()).unwrap().unwrap();
    loop {
        let serial = state.output_serial.map_or(1, |serial| serial.0 + 1);
        let next = ZoneState {
            output_serial: Some(Serial(serial)),
            generation: state.generation + 1,
            ..state.clone()
        };
        let header = SnapshotHeader {
            zone: zone(),
            generation: next.generation,
            serial: Serial(serial),
            record_count: 0,
            signature_count: 0,
        };
        let section = SnapshotSection { number: SectionNumber::OWNERS, chunks: &[&chunk(serial)] };
        write_snapshot(&folder.join("snapshots"), &header, &[section]).unwrap();
        store.commit_version(&zone(), &next).unwrap();
        println!("acknowledged {serial}");
        std::io::stdout().flush().unwrap();
        remove_generation(&folder.join("snapshots"), &zone(), state.generation).unwrap();
        state = next;
    }
}

/// Checks the folder as a restart does; returns the serial that is true.
fn recover(folder: &Path) -> u32 {
    let store = StateStore::open(&folder.join("kasp.db.redb"), NOW).unwrap();
    let Some(state) = store.zone(&zone()).unwrap() else { return 0 };
    let Some(serial) = state.output_serial else { return 0 };
    let snapshots = folder.join("snapshots");
    cleanup_all(&snapshots, [(&zone(), state.generation)]).unwrap();
    let snapshot = open_snapshot(&snapshots, &zone(), state.generation).unwrap();
    assert_eq!(snapshot.header().serial, serial);
    let chunks: Vec<_> = snapshot.chunks(SectionNumber::OWNERS).collect();
    assert_eq!(chunks.len(), 1);
    assert!(chunks[0].as_ref() == chunk(serial.0), "another version's bytes");
    assert_eq!(std::fs::read_dir(&snapshots).unwrap().count(), 1, "leftovers");
    serial.0
}

#[test]
fn a_kill_at_any_moment_loses_nothing_acknowledged() {
    if let Some(folder) = std::env::var_os(CHILD) {
        return sign_for_ever(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut last = 0;
    for round in 0..KILL_COUNT {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_kill_at_any_moment_loses_nothing_acknowledged", "--nocapture"])
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
        let wanted = 1 + round as usize % 4;
        let seen = lines.by_ref().filter_map(acknowledgement).take(wanted).last();
        for turn in 0..round * 150_000 {
            std::hint::black_box(turn);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let acknowledged = lines.filter_map(acknowledgement).last().or(seen);
        let acknowledged = acknowledged.expect("the child acknowledged nothing");
        let found = recover(folder.path());
        let legal = found == acknowledged || found == acknowledged + 1;
        assert!(legal, "round {round}: acknowledged {acknowledged}, found {found}");
        assert!(found > last);
        last = found;
    }
}
