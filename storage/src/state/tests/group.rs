//! Changes of a group: all are durable, or none, whatever ends it.

use super::*;
use crate::faults::DiskFault;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn store_on(disk: &FaultDisk) -> StateStore {
    StateStore::open_on(disk, Path::new("disk"), NOW).unwrap()
}

fn add(store: &StateStore, zone: &str) -> bool {
    store.zone_add(&name(zone), "default").is_ok()
}

fn zones_after_reopening(disk: &FaultDisk) -> usize {
    store_on(&FaultDisk::with_content(disk.content())).zones().unwrap().len()
}

#[test]
fn a_group_is_durable_as_a_whole_in_one_commit() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    add(&store, "first.example.");
    let one = disk.change_count();
    add(&store, "second.example.");
    let per_commit = disk.change_count() - one;
    let all = || (0..20).all(|number| add(&store, &format!("z{number}.example.")));
    assert!(store.together(all).unwrap());
    assert!(disk.change_count() - one - per_commit < 5 * per_commit);
    assert_eq!(zones_after_reopening(&disk), 22);
}

#[test]
fn a_group_with_a_change_that_is_refused_leaves_nothing() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    let all = || add(&store, "a.example.") && add(&store, "a.example.");
    assert!(!store.together(all).unwrap());
    assert_eq!(zones_after_reopening(&disk), 0);
    assert!(add(&store, "a.example."));
    assert_eq!(zones_after_reopening(&disk), 1);
}

#[test]
fn a_group_that_panics_leaves_nothing_and_the_store_goes_on() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    let work = || {
        add(&store, "a.example.");
        panic!("a bug in a change")
    };
    assert!(catch_unwind(AssertUnwindSafe(|| store.together(work))).is_err());
    assert!(add(&store, "b.example."));
    assert_eq!(zones_after_reopening(&disk), 1);
}

#[test]
fn a_disk_that_fails_within_a_group_ends_it_and_heals() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    disk.fail_from(disk.change_count(), DiskFault::Full);
    let all = || (0..400).all(|number| add(&store, &format!("z{number}.example.")));
    assert!(!store.together(all).is_ok_and(|is_durable| is_durable));
    disk.heal();
    assert!(add(&store, "a.example."));
    let durable = zones_after_reopening(&disk);
    // A commit whose end was not seen may have been made all the same, as a whole.
    assert!(durable == 1 || durable == 401, "{durable}");
}

#[test]
fn another_thread_waits_for_the_end_of_a_group() {
    let disk = FaultDisk::default();
    let store = store_on(&disk);
    std::thread::scope(|scope| {
        let (begun, wait) = std::sync::mpsc::channel();
        let own = &store;
        let other = scope.spawn(move || {
            wait.recv().unwrap();
            add(own, "other.example.")
        });
        let given_up = store.together(|| {
            begun.send(()).unwrap();
            // Whatever the other thread does meanwhile, it is not in this group.
            add(&store, "a.example.");
            false
        });
        assert!(!given_up.unwrap());
        assert!(other.join().unwrap());
    });
    assert_eq!(zones_after_reopening(&disk), 1);
}
