//! Stuck is not crashed: nothing in actix notices an arbiter in an endless loop. This thread does.
//! In: arbiters to watch. Out: [`ArbiterReport`]s to a callback, on the watchdog's thread.
//! Each arbiter has one errand at a time: a closure that raises its counter. Real time only, since
//! a stuck arbiter's own time stands still. The health table's `on_processor` names the culprit.
//! Never: ends anything; that is for the callback and the hardware watchdog behind it.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use actix_rt::ArbiterHandle;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};

use super::clock;
use super::failure::caught;
use super::health::lock;

/// News about an arbiter, told once each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ArbiterReport {
    /// It has not run a closure for longer than the watchdog's patience.
    Stuck {
        /// Name it is watched under.
        arbiter: Arc<str>,
        /// How long the closure has waited.
        waited: Duration,
    },
    /// It runs again after it was reported stuck.
    Recovered {
        /// Name it is watched under.
        arbiter: Arc<str>,
    },
    /// Its thread has ended; it is watched no longer.
    Gone {
        /// Name it is watched under.
        arbiter: Arc<str>,
    },
}

/// The watchdog; dropping it ends its thread.
#[derive(Debug)]
pub struct Watchdog {
    watched: Arc<Mutex<Vec<Watched>>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// One arbiter under watch.
#[derive(Debug)]
pub(super) struct Watched {
    name: Arc<str>,
    errands: Box<dyn Errands>,
    sent: u64,
    sent_at: Duration,
    done: Arc<AtomicU64>,
    reported: bool,
}

/// Where errands go: an arbiter, or a list in tests.
pub(super) trait Errands: std::fmt::Debug + Send {
    /// Has `errand` run soon; `false` when nothing will ever run again.
    fn send(&self, errand: Box<dyn FnOnce() + Send>) -> bool;
}

impl Errands for ArbiterHandle {
    fn send(&self, errand: Box<dyn FnOnce() + Send>) -> bool {
        self.alive() && self.spawn_fn(errand)
    }
}

impl Watchdog {
    /// Starts the thread. It looks every `interval` and calls `report` for an arbiter that has
    /// not answered for `patience`.
    pub fn start(
        interval: Duration,
        patience: Duration,
        report: impl Fn(ArbiterReport) + Send + 'static,
    ) -> io::Result<Watchdog> {
        let watched = Arc::new(Mutex::new(Vec::new()));
        let (stop, stopped) = bounded::<()>(0);
        let seen = watched.clone();
        let thread = std::thread::Builder::new().name("watchdog".into()).spawn(move || {
            let started = clock::real_instant();
            while stopped.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
                let reports = look(&mut lock(&seen), started.elapsed(), patience);
                for news in reports {
                    if let Err(panicked) = caught(|| report(news)) {
                        tracing::error!(%panicked, "the watchdog's callback panicked");
                    }
                }
            }
        })?;
        Ok(Watchdog { watched, stop: Some(stop), thread: Some(thread) })
    }

    /// Watches `arbiter` from now on.
    pub fn watch(&self, name: impl Into<Arc<str>>, arbiter: ArbiterHandle) {
        lock(&self.watched).push(Watched::new(name.into(), Box::new(arbiter)));
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.stop = None;
        let me = std::thread::current().id();
        if let Some(thread) = self.thread.take().filter(|thread| thread.thread().id() != me) {
            // The callback's panics are caught, so there is no payload to look at.
            let _ = thread.join();
        }
    }
}

impl Watched {
    pub(super) fn new(name: Arc<str>, errands: Box<dyn Errands>) -> Watched {
        let (sent_at, done) = (Duration::ZERO, Arc::default());
        Watched { name, errands, sent: 0, sent_at, done, reported: false }
    }
}

/// One round at `now`: who is stuck, who is back, who gets a new errand.
pub(super) fn look(
    watched: &mut Vec<Watched>,
    now: Duration,
    patience: Duration,
) -> Vec<ArbiterReport> {
    let mut reports = Vec::new();
    watched.retain_mut(|watched| {
        let arbiter = watched.name.clone();
        if watched.done.load(Relaxed) < watched.sent {
            let waited = now.saturating_sub(watched.sent_at);
            if waited > patience && !watched.reported {
                watched.reported = true;
                reports.push(ArbiterReport::Stuck { arbiter, waited });
            }
            return true;
        }
        if std::mem::take(&mut watched.reported) {
            reports.push(ArbiterReport::Recovered { arbiter: arbiter.clone() });
        }
        let done = watched.done.clone();
        (watched.sent, watched.sent_at) = (watched.sent + 1, now);
        let alive = watched.errands.send(Box::new(move || {
            done.fetch_add(1, Relaxed);
        }));
        if !alive {
            reports.push(ArbiterReport::Gone { arbiter });
        }
        alive
    });
    reports
}
