//! The watchdog: its rounds at given times, and its thread against an arbiter that is stuck.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_rt::{Arbiter, System};
use crossbeam_channel::{bounded, unbounded};

use crate::runtime::watchdog::{Errands, Watched, look};
use crate::runtime::{ArbiterReport, Watchdog};

type Errand = Box<dyn FnOnce() + Send>;

/// Errands that run when the test says so; `None` when the thread has ended.
#[derive(Clone, Default)]
struct List(Arc<Mutex<Option<Vec<Errand>>>>);

impl std::fmt::Debug for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("List")
    }
}

impl Errands for List {
    fn send(&self, errand: Errand) -> bool {
        self.0.lock().unwrap().as_mut().map(|list| list.push(errand)).is_some()
    }
}

#[test]
fn rounds_report_stuck_once_recovered_once_and_gone() {
    let list = List(Arc::new(Mutex::new(Some(Vec::new()))));
    let arbiter: Arc<str> = "main".into();
    let mut watched = vec![Watched::new(arbiter.clone(), Box::new(list.clone()))];
    let patience = Duration::from_secs(5);
    let mut at = |seconds| look(&mut watched, Duration::from_secs(seconds), patience);
    assert_eq!(at(0), []);
    assert_eq!(at(5), []);
    let waited = Duration::from_secs(6);
    assert_eq!(at(6), [ArbiterReport::Stuck { arbiter: arbiter.clone(), waited }]);
    assert_eq!(at(60), []);
    let errands = std::mem::take(list.0.lock().unwrap().as_mut().unwrap());
    assert_eq!(errands.len(), 1, "one errand at a time");
    errands.into_iter().for_each(|errand| errand());
    assert_eq!(at(61), [ArbiterReport::Recovered { arbiter: arbiter.clone() }]);
    let errands = list.0.lock().unwrap().take().unwrap();
    errands.into_iter().for_each(|errand| errand());
    assert_eq!(at(62), [ArbiterReport::Gone { arbiter }]);
    assert_eq!(at(63), []);
}

#[test]
fn thread_reports_an_arbiter_that_is_stuck_and_its_recovery() {
    System::new().block_on(async {
        let arbiter = Arbiter::new();
        let (reports, came) = unbounded();
        let tick = Duration::from_millis(1);
        let dog = Watchdog::start(tick, tick, move |report| {
            let _ = reports.send(report);
        })
        .unwrap();
        let (release, wait) = bounded::<()>(0);
        arbiter.spawn_fn(move || {
            let _ = wait.recv();
        });
        dog.watch("busy", arbiter.handle());
        let arbiter_name: Arc<str> = "busy".into();
        let first = came.recv().unwrap();
        assert!(matches!(first, ArbiterReport::Stuck { arbiter, .. } if arbiter == arbiter_name));
        release.send(()).unwrap();
        assert_eq!(came.recv().unwrap(), ArbiterReport::Recovered { arbiter: arbiter_name });
        drop(dog);
        arbiter.stop();
    });
}
