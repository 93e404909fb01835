//! Writes changes to the store, as many in one transaction as wait: each commit waits for the disk,
//! and ten thousand zones with something to remember wait together.
//! In: changes with those who asked. Out: their answers, when the transaction is durable.
//! A change that is refused takes nobody with it: the group is given up, and each is made by
//! itself. Limits: [`GROUP_MAX`] changes in a transaction.

use super::StoreError;
use crate::runtime::{JobError, Reply, SubmitError, WorkerPool};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::{StateError, StateStore};

/// Changes in one transaction: what comes later waits no longer than some ten milliseconds.
const GROUP_MAX: usize = 512;

/// A change, and who waits for it. Made again when its group is given up.
trait Change: Send {
    /// Makes the change; `false`: it was refused.
    fn make(&mut self, store: &StateStore) -> bool;
    /// Answers with what came of it, or with the failure of its transaction.
    fn answer(self: Box<Self>, failure: Option<StoreError>);
}

struct Asked<T, M> {
    make: M,
    result: Option<Result<T, StateError>>,
    reply: Reply<Result<T, StoreError>>,
}

impl<T, M> Change for Asked<T, M>
where
    T: Send,
    M: Fn(&StateStore) -> Result<T, StateError> + Send,
{
    fn make(&mut self, store: &StateStore) -> bool {
        self.result.insert((self.make)(store)).is_ok()
    }

    fn answer(self: Box<Self>, failure: Option<StoreError>) {
        let own = |error| StoreError::State(Arc::new(error));
        match (failure, self.result) {
            (Some(failure), _) => self.reply.send(Err(failure)),
            (None, Some(result)) => self.reply.send(result.map_err(own)),
            // The asker hears that there is no answer.
            (None, None) => {}
        }
    }
}

type Waiting = VecDeque<Box<dyn Change>>;

/// Changes that wait, and whether somebody makes them.
#[derive(Default)]
struct Queue {
    waiting: Waiting,
    is_at_work: bool,
}

/// Makes changes, on one thread at a time.
#[derive(Clone)]
pub(super) struct Writer {
    store: Arc<StateStore>,
    pool: WorkerPool,
    queue: Arc<Mutex<Queue>>,
}

impl Writer {
    pub(super) fn new(store: Arc<StateStore>, pool: WorkerPool) -> Writer {
        Writer { store, pool, queue: Arc::default() }
    }

    /// Takes a change.
    pub(super) fn take<T: Send + 'static>(
        &self,
        reply: Reply<Result<T, StoreError>>,
        make: impl Fn(&StateStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<(), SubmitError> {
        let mut queue = lock(&self.queue);
        queue.waiting.push_back(Box::new(Asked { make, result: None, reply }));
        match std::mem::replace(&mut queue.is_at_work, true) {
            true => Ok(()),
            false => {
                drop(queue);
                self.start()
            }
        }
    }

    /// Has the waiting changes made. When the pool takes no job they are dropped, and with them
    /// their replies, which who asked hears at once.
    fn start(&self) -> Result<(), SubmitError> {
        let (store, queue, own) = (self.store.clone(), self.queue.clone(), self.clone());
        let ended = move |result: Result<(), JobError>| {
            // A change panicked: its group has heard of it, and the others go on.
            if result.is_err()
                && let Err(error) = own.start()
            {
                tracing::error!(%error, "storage requests were not taken");
            }
        };
        let submitted = self.pool.submit(move || work(&store, &queue), ended);
        submitted.inspect_err(|_| *lock(&self.queue) = Queue::default())
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes what waits, until nothing does.
fn work(store: &StateStore, queue: &Mutex<Queue>) {
    loop {
        let mut open = lock(queue);
        let count = open.waiting.len().min(GROUP_MAX);
        if count == 0 {
            open.is_at_work = false;
            return;
        }
        let group: Vec<_> = open.waiting.drain(..count).collect();
        drop(open);
        make_all(store, group);
    }
}

fn make_all(store: &StateStore, mut group: Vec<Box<dyn Change>>) {
    if group.len() > 1 {
        let made = store.together(|| group.iter_mut().all(|change| change.make(store)));
        if let Ok(true) = made {
            return group.into_iter().for_each(|change| change.answer(None));
        }
    }
    for mut change in group {
        change.make(store);
        change.answer(None);
    }
}
