//! One job over many items, shared by the workers: parsing, hashing and signing of chunk lists.
//! In: shared items and a function. Out: the results in the items' order.
//! The caller takes part itself and waits only for items that someone has already begun, so a
//! call from inside a worker, or inside another call, never waits for a free worker.
//! Never: on an actor's thread, since it blocks. Limit: the memory of the results.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::failure::{Panicked, caught};
use super::health::lock;
use super::pool::WorkerPool;

struct Sharing<I, O, F> {
    items: Arc<[I]>,
    function: F,
    /// The next item that nobody has begun.
    next: AtomicUsize,
    tally: Mutex<Tally<O>>,
    all_idle: Condvar,
}

struct Tally<O> {
    /// Helpers that have begun and not yet handed in their results.
    helpers: usize,
    /// The caller has taken the results: helpers come too late.
    closed: bool,
    results: Vec<(usize, O)>,
    panicked: Option<Panicked>,
}

impl WorkerPool {
    /// `function(index, item)` for every item, on the calling thread and on workers that are
    /// free. Results are in the items' order. The first panic ends it: items not begun by then
    /// are left out, and the pool lives on.
    pub fn map<I, O, F>(&self, items: Arc<[I]>, function: F) -> Result<Vec<O>, Panicked>
    where
        I: Send + Sync + 'static,
        O: Send + 'static,
        F: Fn(usize, &I) -> O + Send + Sync + 'static,
    {
        let count = items.len();
        let tally = Tally { helpers: 0, closed: false, results: Vec::new(), panicked: None };
        let sharing = Arc::new(Sharing {
            items,
            function,
            next: AtomicUsize::new(0),
            tally: Mutex::new(tally),
            all_idle: Condvar::new(),
        });
        // The caller takes part, so one helper fewer than items is enough.
        for _ in 1..count.min(self.workers() + 1) {
            let helper = sharing.clone();
            if !self.offer(Box::new(move || helper.help())) {
                break;
            }
        }
        let own = sharing.work();
        let mut tally = lock(&sharing.tally);
        tally.take(own);
        while tally.helpers > 0 {
            tally = sharing.all_idle.wait(tally).unwrap_or_else(PoisonError::into_inner);
        }
        tally.closed = true;
        if let Some(panicked) = tally.panicked.take() {
            return Err(panicked);
        }
        Ok(in_order(std::mem::take(&mut tally.results), count))
    }
}

impl<I, O, F: Fn(usize, &I) -> O> Sharing<I, O, F> {
    /// Does items until none is left. A panic leaves none for the others.
    fn work(&self) -> (Vec<(usize, O)>, Option<Panicked>) {
        let mut results = Vec::new();
        let end = caught(|| {
            loop {
                let index = self.next.fetch_add(1, Relaxed);
                let Some(item) = self.items.get(index) else { return };
                results.push((index, (self.function)(index, item)));
            }
        });
        if end.is_err() {
            self.next.store(self.items.len(), Relaxed);
        }
        (results, end.err())
    }

    fn help(&self) {
        {
            let mut tally = lock(&self.tally);
            if tally.closed || self.next.load(Relaxed) >= self.items.len() {
                return;
            }
            tally.helpers += 1;
        }
        let done = self.work();
        let mut tally = lock(&self.tally);
        tally.take(done);
        tally.helpers -= 1;
        if tally.helpers == 0 {
            self.all_idle.notify_one();
        }
    }
}

impl<O> Tally<O> {
    fn take(&mut self, (results, panicked): (Vec<(usize, O)>, Option<Panicked>)) {
        if self.results.is_empty() {
            self.results = results;
        } else {
            self.results.extend(results);
        }
        self.panicked = self.panicked.take().or(panicked);
    }
}

fn in_order<O>(results: Vec<(usize, O)>, count: usize) -> Vec<O> {
    let mut slots: Vec<Option<O>> = Vec::new();
    slots.resize_with(count, || None);
    for (index, result) in results {
        slots[index] = Some(result);
    }
    let ordered: Vec<O> = slots.into_iter().flatten().collect();
    assert_eq!(ordered.len(), count, "each item is claimed once and handed in before the end");
    ordered
}
