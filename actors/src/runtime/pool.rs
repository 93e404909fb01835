//! Worker pool for CPU-bound and blocking work, which never runs on an actor's thread.
//! In: jobs, through a bounded queue. Out: their results, or [`JobError`].
//! Never: a worker lost to a panicking job. Limits: those of [`PoolSpec`].
//!
//! actix's `SyncArbiter` is no replacement: its queue has no bound, and a panic costs a thread.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::task::{self, Poll};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded, never, select_biased};
use tokio::sync::oneshot;

use super::failure::{Panicked, caught, install_panic_hook};
use super::health::lock;
use super::progress::Progress;

/// How big a pool is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolSpec {
    /// Name of the pool and its threads.
    pub name: &'static str,
    /// Threads; at least one.
    pub workers: usize,
    /// Jobs that may wait for a worker.
    pub queue_bound: usize,
}

/// The queue is full, or the pool is closed; the job was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// Come again when a result is back.
    #[error("pool {pool} has {queue_bound} jobs waiting")]
    Overloaded {
        /// Name of the pool.
        pool: &'static str,
        /// Its bound.
        queue_bound: usize,
    },
    /// The pool has been closed.
    #[error("pool {pool} is closed")]
    Closed {
        /// Name of the pool.
        pool: &'static str,
    },
}

/// Why a job has no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The job panicked: a bug. The worker lives on.
    #[error("job failed by {0}")]
    Panicked(#[from] Panicked),
    /// The pool went away before the job was run.
    #[error("job was dropped unrun")]
    Dropped,
}

/// What a pool is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolObserved {
    /// Threads.
    pub workers: usize,
    /// Threads at work.
    pub busy: usize,
    /// Jobs that wait.
    pub queued: usize,
    /// Jobs that may wait.
    pub queue_bound: usize,
    /// Jobs done, those that panicked included.
    pub done: u64,
    /// Jobs that panicked.
    pub panicked: u64,
}

pub(super) type Job = Box<dyn FnOnce() + Send>;

/// The two queues: offers to share a parallel job go first, since a worker waits for them.
struct Queues {
    jobs: Sender<Job>,
    offers: Sender<Job>,
}

struct Shared {
    spec: PoolSpec,
    queues: RwLock<Option<Queues>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Counts {
    busy: AtomicUsize,
    done: AtomicU64,
    panicked: AtomicU64,
}

/// A pool of worker threads; clones mean the same pool, and count for the same piece of work.
#[derive(Clone)]
pub struct WorkerPool {
    shared: Arc<Shared>,
    progress: Arc<Progress>,
}

impl std::fmt::Debug for WorkerPool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("WorkerPool").field(&self.shared.spec.name).finish()
    }
}

impl WorkerPool {
    /// Starts the threads.
    pub fn start(spec: PoolSpec) -> io::Result<WorkerPool> {
        install_panic_hook();
        let workers = spec.workers.max(1);
        let (jobs, jobs_waiting) = bounded(spec.queue_bound);
        let (offers, offers_waiting) = bounded(workers * 4);
        let counts = Arc::new(Counts::default());
        let mut threads = Vec::new();
        for number in 0..workers {
            let (jobs, offers) = (jobs_waiting.clone(), offers_waiting.clone());
            let counts = counts.clone();
            let thread = std::thread::Builder::new().name(format!("{}-{number}", spec.name));
            threads.push(thread.spawn(move || work(jobs, offers, &counts))?);
        }
        let spec = PoolSpec { workers, ..spec };
        let queues = RwLock::new(Some(Queues { jobs, offers }));
        let shared = Shared { spec, queues, threads: Mutex::new(threads), counts };
        Ok(WorkerPool { shared: Arc::new(shared), progress: Arc::default() })
    }

    /// Queues `job`; `then` gets its result on the worker's thread. To answer an actor:
    /// `|result| recipient.do_send(Done { result })`.
    pub fn submit<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
        then: impl FnOnce(Result<T, JobError>) + Send + 'static,
    ) -> Result<(), SubmitError> {
        let counts = self.shared.counts.clone();
        self.queue(Box::new(move || {
            let result = caught(job);
            if result.is_err() {
                counts.panicked.fetch_add(1, Relaxed);
            }
            counts.done.fetch_add(1, Relaxed);
            then(result.map_err(JobError::Panicked));
        }))
    }

    /// Queues `job`; the future that this returns waits for its result. Dropping that future does
    /// not stop the job.
    pub fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<JobAnswer<T>, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.submit(job, move |result| {
            // The asker may have given up; the result is of no use then.
            let _ = reply.send(result);
        })?;
        Ok(JobAnswer(answer))
    }

    fn queue(&self, job: Job) -> Result<(), SubmitError> {
        let PoolSpec { name: pool, queue_bound, .. } = self.shared.spec;
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        let queues = queues.as_ref().ok_or(SubmitError::Closed { pool })?;
        queues.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => SubmitError::Overloaded { pool, queue_bound },
            TrySendError::Disconnected(_) => SubmitError::Closed { pool },
        })
    }

    /// Offers `job` to idle workers; `false` when there are offers enough or the pool is closed.
    pub(super) fn offer(&self, job: Job) -> bool {
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        queues.as_ref().is_some_and(|queues| queues.offers.try_send(job).is_ok())
    }

    /// The same pool for one piece of work, whose jobs count there how far they are.
    pub fn with_progress(&self, progress: Arc<Progress>) -> WorkerPool {
        WorkerPool { shared: self.shared.clone(), progress }
    }

    /// The counters of the piece of work at hand.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Number of threads.
    pub fn workers(&self) -> usize {
        self.shared.spec.workers
    }

    /// What the pool is doing.
    pub fn observe(&self) -> PoolObserved {
        let queues = self.shared.queues.read().unwrap_or_else(PoisonError::into_inner);
        PoolObserved {
            workers: self.workers(),
            busy: self.shared.counts.busy.load(Relaxed),
            queued: queues.as_ref().map_or(0, |queues| queues.jobs.len()),
            queue_bound: self.shared.spec.queue_bound,
            done: self.shared.counts.done.load(Relaxed),
            panicked: self.shared.counts.panicked.load(Relaxed),
        }
    }

    /// Takes no more jobs; those that wait are still done. Does not wait for that.
    pub fn close(&self) {
        *self.shared.queues.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Closes the pool and waits for its workers. Blocks: not for an actor's thread. Called by a
    /// worker, it waits for the others only.
    pub fn join(&self) {
        self.close();
        let threads = std::mem::take(&mut *lock(&self.shared.threads));
        let me = std::thread::current().id();
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != me) {
            // Workers catch all panics, so there is no payload to look at.
            let _ = thread.join();
        }
    }
}

/// The result of a job, to be awaited.
#[derive(Debug)]
pub struct JobAnswer<T>(oneshot::Receiver<Result<T, JobError>>);

impl<T> Future for JobAnswer<T> {
    type Output = Result<T, JobError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(JobError::Dropped)))
    }
}

fn work(jobs: Receiver<Job>, offers: Receiver<Job>, counts: &Counts) {
    let (never_jobs, never_offers) = (never(), never());
    let (mut jobs, mut offers) = (&jobs, &offers);
    let mut open = 2;
    while open > 0 {
        let job = select_biased! {
            recv(offers) -> job => job.map_err(|_| offers = &never_offers),
            recv(jobs) -> job => job.map_err(|_| jobs = &never_jobs),
        };
        let Ok(job) = job else {
            open -= 1;
            continue;
        };
        counts.busy.fetch_add(1, Relaxed);
        if let Err(panicked) = caught(job) {
            // The job itself is caught inside, so this came from whoever took its result.
            tracing::error!(%panicked, "the receiver of a job's result panicked");
        }
        counts.busy.fetch_sub(1, Relaxed);
    }
}
