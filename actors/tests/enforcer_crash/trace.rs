//! What happened in a run, in the order in which it happened, beside the disk's own log. In: notes
//! by those who feel the enforcer's effects. Out: the same; complaints about effects whose cause
//! was not durable when they were felt.

use dnssec::Timestamp;
use dnssec::key::{KeyId, PublicKey};
use std::path::Path;
use std::sync::{Mutex, MutexGuard};
use storage::StateStore;
use storage::faults::{Fate, FaultDisk};

/// An effect of the enforcer, or of the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    /// A zone was told its keys.
    Told,
    /// A key came into the token.
    Made(KeyId, PublicKey),
    /// A key went out of the token.
    Destroyed(KeyId),
    /// A command gave a DS to the parent (`true`), or took it back.
    Parent(KeyId, bool),
    /// The operator has another policy.
    PolicyChanged,
}

/// An effect, and how many changes the disk's log had by then.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) change_count: usize,
    pub(crate) what: Happened,
}

/// What happened in a run.
pub(crate) struct Trace {
    pub(crate) disk: FaultDisk,
    events: Mutex<Vec<Event>>,
    /// The time, and how many changes the disk's log had when it came.
    times: Mutex<Vec<(usize, Timestamp)>>,
    complaints: Mutex<Vec<String>>,
}

impl Trace {
    pub(crate) fn new(disk: FaultDisk) -> Trace {
        let (events, times) = (Mutex::default(), Mutex::default());
        Trace { disk, events, times, complaints: Mutex::default() }
    }

    /// Notes an effect, which `is_covered` by what is durable now.
    pub(crate) fn note(&self, what: Happened, is_covered: impl FnOnce(&StateStore) -> bool) {
        let change_count = {
            let mut events = lock(&self.events);
            let change_count = self.disk.change_count();
            events.push(Event { change_count, what: what.clone() });
            change_count
        };
        let image = self.disk.after_power_cut(change_count, |_| Fate::Lost);
        if !is_covered(&open(&FaultDisk::with_content(image))) {
            self.complain(format!("at {change_count}: {what:?} was not durable"));
        }
    }

    pub(crate) fn note_time(&self, now: Timestamp) {
        lock(&self.times).push((self.disk.change_count(), now));
    }

    pub(crate) fn complain(&self, complaint: String) {
        lock(&self.complaints).push(complaint);
    }

    pub(crate) fn complaints(&self) -> Vec<String> {
        lock(&self.complaints).clone()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        lock(&self.events).clone()
    }

    /// The time when the log had so many changes.
    pub(crate) fn time_at(&self, change_count: usize) -> Timestamp {
        let times = lock(&self.times);
        let past = times.iter().rev().find(|(count, _)| *count <= change_count);
        past.or(times.first()).unwrap().1
    }
}

/// Opens the store on a disk.
pub(crate) fn open(disk: &FaultDisk) -> StateStore {
    StateStore::open_on(disk, Path::new("state"), Timestamp(0)).unwrap()
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
