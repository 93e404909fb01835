//! Power cuts at every point of the disk's log, full disks at every write, syncs that fail,
//! flipped bytes: the store is as before a step or as after it, never between, and what was
//! acknowledged stays. `SEED=n` repeats a failure of the random part.

use super::*;
use crate::faults::{DiskChange, DiskFault, Fate};
use dnssec::enforcer::ZoneLife;

type Step = fn(&StateStore) -> Result<(), StateError>;

/// A small life: a zone signed twice, a key made and another removed, a third begun; then the zone
/// goes, with its keys.
const STEPS: [Step; 12] = [
    |store| store.policy_put("default", &PolicyState { salt: vec![7; 8], salt_changed: NOW }),
    |store| match store.zone_add(&name("example."), "default") {
        Err(StateError::ZoneExists { .. }) => Ok(()),
        other => other.map(|_| ()),
    },
    |store| store.key_intent(&new_key(1, zone_owner(&name("example.")))).map(|_| ()),
    |store| store.key_present("SoftHSM", &key_id(1), &public_key(1), NOW).map(|_| ()),
    |store| store.commit_version(&name("example."), &version(10, 1)),
    |store| store.key_intent(&new_key(2, KeyOwner::Policy("default".into()))).map(|_| ()),
    |store| store.key_removing("SoftHSM", &key_id(2)).map(|_| ()),
    |store| store.commit_version(&name("example."), &version(11, 2)),
    |store| store.key_remove("SoftHSM", &key_id(2)),
    |store| store.key_intent(&new_key(3, zone_owner(&name("example.")))).map(|_| ()),
    |store| {
        let mut life = ZoneLife::default();
        life.roll_now.zsk = true;
        let cause = &Cause { text: "key rollover".into(), by: Some(User { id: 0, name: None }) };
        let zone = &name("example.");
        store.life_commit(&LifeChange { zone, life: &life, taken: &[], at: NOW, cause })
    },
    |store| store.zone_remove(&name("example."), NOW, &"zone delete".into()),
];

fn open(disk: &FaultDisk) -> Result<StateStore, StateError> {
    StateStore::open_on(disk, Path::new("disk"), NOW)
}

/// Everything the store says.
fn facts(store: &StateStore) -> String {
    let (policies, zones) = (store.policies().unwrap(), store.zones().unwrap());
    let (keys, owned) = (store.keys().unwrap(), store.keys_of_zone(&name("example.")).unwrap());
    let (lives, history) = (store.lives().unwrap(), store.history(&name("example.")).unwrap());
    format!("{policies:?} {zones:?} {keys:?} {owned:?} {lives:?} {history:?}")
}

/// The facts after the opening and after each step, and where the log stood then.
fn life(disk: &FaultDisk) -> Vec<(String, usize)> {
    let store = open(disk).unwrap();
    let mut life = vec![(facts(&store), disk.change_count())];
    for step in STEPS {
        step(&store).unwrap();
        life.push((facts(&store), disk.change_count()));
    }
    life
}

/// A small generator (xorshift64*): the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }
}

fn seed() -> u64 {
    std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}

#[test]
fn a_power_cut_anywhere_leaves_before_or_after() {
    let (disk, seed) = (FaultDisk::default(), seed());
    let life = life(&disk);
    let mut random = Random(seed.max(1));
    for cut in 0..=disk.change_count() {
        let acknowledged = life.iter().rposition(|(_, end)| *end <= cut);
        let before = acknowledged.unwrap_or(0);
        let after = acknowledged.map_or(0, |step| (step + 1).min(life.len() - 1));
        for round in 0..6 {
            let bytes = disk.after_power_cut(cut, |change| match (round, random.below(3)) {
                (0, _) => Fate::Kept,
                (1, _) => Fate::Lost,
                (_, 0) => Fate::Kept,
                (_, 1) => Fate::Lost,
                _ => Fate::Torn { kept_bytes: torn_at(change, &mut random) },
            });
            let what = format!("cut after {cut} changes, round {round}, SEED={seed}");
            let reopened = open(&FaultDisk::with_content(bytes));
            let store = reopened.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            let found = facts(&store);
            assert!(found == life[before].0 || found == life[after].0, "{what}: {found}");
            // And it is a store that works.
            STEPS[0](&store).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        }
    }
}

/// Disks tear between sectors.
fn torn_at(change: &DiskChange, random: &mut Random) -> usize {
    match change {
        DiskChange::Write { bytes, .. } => {
            random.below(bytes.len() as u64 / 512 + 1) as usize * 512
        }
        _ => 0,
    }
}

#[test]
fn a_full_disk_at_any_write_applies_nothing_and_heals() {
    let whole = FaultDisk::default();
    let life = life(&whole);
    for from in 0..life[life.len() - 1].1 {
        let disk = FaultDisk::default();
        disk.fail_from(from, DiskFault::Full);
        let opened = open(&disk);
        let store = match opened {
            Ok(store) => store,
            Err(error) => {
                assert!(error.is_disk_full(), "full from {from}: {error:?}");
                disk.heal();
                open(&disk).unwrap_or_else(|error| panic!("full from {from}: {error:?}"))
            }
        };
        let refused = STEPS.iter().position(|step| match step(&store) {
            Ok(()) => false,
            Err(error) if error.is_disk_full() => true,
            Err(error) => panic!("full from {from}: {error:?}"),
        });
        disk.heal();
        let Some(step) = refused else { continue };
        let found = facts(&store);
        let legal = found == life[step].0 || found == life[step + 1].0;
        assert!(legal, "full from {from}, step {step}: {found}");
        for step in &STEPS[step..] {
            step(&store).unwrap_or_else(|error| panic!("full from {from}: {error:?}"));
        }
        assert_eq!(facts(&store), life[STEPS.len()].0);
    }
}

#[test]
fn after_a_failed_sync_nothing_more_is_done() {
    let disk = FaultDisk::default();
    let store = open(&disk).unwrap();
    disk.fail_from(0, DiskFault::SyncFails);
    assert!(matches!(STEPS[0](&store), Err(StateError::SyncFailed { .. })));
    disk.heal();
    assert!(matches!(STEPS[0](&store), Err(StateError::SyncFailed { .. })));
    assert!(matches!(store.zones(), Err(StateError::SyncFailed { .. })));
    drop(store);
    // A new process starts from what the disk holds.
    STEPS[0](&open(&disk).unwrap()).unwrap();
}

/// Flipped bytes are found at the opening, or were in bytes that hold no fact.
#[test]
fn a_flipped_byte_is_an_error_or_harmless() {
    let disk = FaultDisk::default();
    let expected = life(&disk).pop().unwrap().0;
    let bytes = disk.content();
    let (mut refused_count, mut harmless_count) = (0, 0);
    // The first 512 bytes hold the header; beyond, a byte in every 61 meets every page.
    for position in (0..512).chain((512..bytes.len()).step_by(61)) {
        if position >= 512 && bytes[position] == 0 {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[position] ^= 0x10;
        let opened = std::panic::catch_unwind(|| open(&FaultDisk::with_content(flipped)));
        match opened.unwrap_or_else(|_| panic!("byte {position}: panic")) {
            Ok(store) => {
                assert_eq!(facts(&store), expected, "byte {position}");
                harmless_count += 1;
            }
            Err(StateError::Corrupt { .. } | StateError::Database { .. }) => refused_count += 1,
            Err(other) => panic!("byte {position}: {other:?}"),
        }
    }
    println!("{refused_count} refused, {harmless_count} harmless");
    assert!(refused_count > 0);
}
