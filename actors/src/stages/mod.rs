//! The pipeline stages: fetch, sort, denial, sign, audit, publish. Each is one actor that hands
//! tickets to the worker pool, as many at a time as it grants credits, and answers to the reply
//! in the ticket.
//! In: [`Work`]. Out: the stage's output, or [`StageError`].
//! Never: DNSSEC rules (they are in `dnssec`), retries (they are the zone's), state that matters:
//! a stage that is restarted has forgotten nothing but its counters.
//! Tickets that wait for something outside (a slot) wait in a [`Lane`] with credits and workers of
//! its own: a module that hangs holds up nobody who can do without it.
//! Limits: so many tickets at work in a lane as the stage grants credits, and
//! [`QUEUE_LENGTH_MAX`] waiting in all lanes together; as many lanes as there are sets of
//! repositories that zones have their keys in.

pub mod audit;
pub mod denial;
pub mod fetch;
pub mod publish;
pub mod sign;
pub mod sort;

use crate::runtime::{
    Actor, AsyncContext, Child, Context, Handler, JobError, Message, PoolSpec, Progress, Recipient,
    Reply, SubmitError, Supervised, WorkerPool,
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Tickets that may wait at one stage; one per zone is enough.
pub const QUEUE_LENGTH_MAX: usize = 100_000;

/// Why a stage has no output.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The zone file could not be read.
    #[error(transparent)]
    Source(#[from] crate::io::zone_files::SourceError),
    /// The zone file is not right: where, and what to do.
    #[error("{0}")]
    Input(sort::InputError),
    /// The input differs too much from the last one.
    #[error("{0}")]
    Held(Box<sort::Held>),
    /// Two names share a hash.
    #[error(transparent)]
    Collision(#[from] dnssec::denial::nsec3::HashCollision),
    /// The version has no SOA; cannot be, since sort refuses such zones.
    #[error(transparent)]
    NoSoa(#[from] dnssec::signing::apex::NoSoa),
    /// A slot did not sign.
    #[error("{error}")]
    Slot {
        /// Name of its repository.
        repository: String,
        /// Why.
        #[source]
        error: hsm::SlotError,
    },
    /// A slot returned too few signatures.
    #[error(transparent)]
    SignatureCount(#[from] dnssec::signing::plan::SignatureCountWrong),
    /// A key's repository is not among those leased.
    #[error("repository {repository} of a key is not configured; add it to conf.xml")]
    RepositoryMissing {
        /// Its name.
        repository: String,
    },
    /// There is no next serial.
    #[error(transparent)]
    Serial(#[from] dnssec::serial::SerialError),
    /// The auditor refused.
    #[error("{0}")]
    Rejected(Box<audit::Rejection>),
    /// The auditor gave no verdict.
    #[error("{0}; nothing was published")]
    NoVerdict(#[source] audit_host::Fault),
    /// The snapshot could not be written.
    #[error(transparent)]
    Snapshot(#[from] storage::SnapshotError),
    /// The journal could not be written.
    #[error("{error}{}", cause_text(.error))]
    Journal {
        /// Which file, and why.
        #[from]
        error: storage::journal::JournalError,
    },
    /// A bug: no version is journalled without its difference to the one before.
    #[error("a version without a difference to the one before cannot be journalled")]
    NoDifference,
    /// The signed file could not be written.
    #[error("{error}{}", cause_text(.error))]
    Output {
        /// Which file, and why.
        error: storage::ReplaceError,
    },
    /// A bug: the job panicked.
    #[error("the {stage} stage crashed: {cause}")]
    Crashed {
        /// Which stage.
        stage: &'static str,
        /// The panic.
        cause: String,
    },
    /// Too much work at once.
    #[error("the {stage} stage is overloaded ({cause})")]
    Overloaded {
        /// Which stage.
        stage: &'static str,
        /// What is full.
        cause: String,
    },
}

/// The system's words behind an error of `storage`, which its own text leaves out.
fn cause_text(error: &dyn std::error::Error) -> String {
    error.source().map_or(String::new(), |cause| format!(" ({cause})"))
}

/// Names of repositories. Tickets with the same names share credits and workers.
pub type Lane = BTreeSet<String>;

/// A kind of stage.
pub trait Stage: Sized + Send + Unpin + 'static {
    /// Its name in the tree.
    const NAME: &'static str;
    /// What a ticket brings.
    type Input: Send + Unpin + 'static;
    /// What it yields.
    type Output: Send + Unpin + 'static;

    /// The repositories whose slots the ticket may have to wait for; none: it only computes.
    fn lane(_: &Self::Input) -> Lane {
        Lane::new()
    }

    /// The work of one ticket, on a worker thread.
    fn run(pool: &WorkerPool, input: Self::Input) -> Result<Self::Output, StageError>;
}

/// Command: one ticket.
pub struct Work<S: Stage> {
    /// What to work on.
    pub input: S::Input,
    /// Where it is counted how far the work is.
    pub progress: Arc<Progress>,
    /// Where the output goes.
    pub reply: Reply<Result<S::Output, StageError>>,
}

impl<S: Stage> Message for Work<S> {
    type Result = ();
}

/// Event: a ticket is done, and its credit free again.
struct Finished {
    lane: Lane,
    failed: bool,
}

impl Message for Finished {
    type Result = ();
}

/// What a stage is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StageObserved {
    /// Tickets at work.
    pub running: usize,
    /// Tickets waiting for a credit.
    pub waiting: usize,
    /// Tickets done since the last restart, failures included.
    pub done: u64,
    /// Tickets that failed since the last restart.
    pub failed: u64,
}

/// The actor of a stage.
pub struct StageActor<S: Stage> {
    pool: WorkerPool,
    credits: usize,
    lanes: BTreeMap<Lane, Queue<S>>,
    done: u64,
    failed: u64,
}

/// The tickets of one lane.
struct Queue<S: Stage> {
    pool: WorkerPool,
    waiting: VecDeque<Work<S>>,
    running: usize,
}

impl<S: Stage> StageActor<S> {
    /// A stage that works on `credits` tickets at a time in each lane. `pool` is for those that
    /// only compute.
    pub fn new(pool: WorkerPool, credits: usize) -> StageActor<S> {
        StageActor { pool, credits, lanes: BTreeMap::new(), done: 0, failed: 0 }
    }

    fn waiting(&self) -> usize {
        self.lanes.values().map(|queue| queue.waiting.len()).sum()
    }

    fn start_next(&mut self, lane: &Lane, me: &Recipient<Finished>) {
        let Some(queue) = self.lanes.get_mut(lane) else { return };
        while queue.running < self.credits {
            let Some(work) = queue.waiting.pop_front() else { return };
            if work.reply.is_unwanted() {
                continue;
            }
            queue.start(lane, work, me.clone());
        }
    }
}

/// The workers of a lane: as many as the stage's own, of which a hanging slot shall hold none.
fn workers_of(lane: &Lane, stage: &'static str, own: &WorkerPool) -> WorkerPool {
    if lane.is_empty() {
        return own.clone();
    }
    let spec = PoolSpec { name: stage, workers: own.workers(), queue_bound: LANE_JOBS_MAX };
    WorkerPool::start(spec).unwrap_or_else(|error| {
        tracing::error!(target: "engine", %error,
            "no threads of its own for what repositories {} sign: a module that hangs delays \
             other zones; raise the limit of processes",
            lane.iter().map(String::as_str).collect::<Vec<_>>().join(", "));
        own.clone()
    })
}

/// Jobs that may wait in a lane's pool: its tickets at work, which are few.
const LANE_JOBS_MAX: usize = 1024;

impl<S: Stage> Queue<S> {
    fn start(&mut self, lane: &Lane, work: Work<S>, me: Recipient<Finished>) {
        let Work { input, progress, reply } = work;
        let pool = self.pool.with_progress(progress);
        let (answer, ticket) = (Arc::new(std::sync::Mutex::new(Some(reply))), input);
        let (kept, lane) = (answer.clone(), lane.clone());
        let then = move |result: Result<Result<S::Output, StageError>, JobError>| {
            let result = result.unwrap_or_else(|error| {
                Err(StageError::Crashed { stage: S::NAME, cause: error.to_string() })
            });
            let failed = result.is_err();
            respond(&answer, result);
            me.do_send(Finished { lane, failed });
        };
        match self.pool.submit(move || S::run(&pool, ticket), then) {
            Ok(()) => self.running += 1,
            Err(full @ (SubmitError::Overloaded { .. } | SubmitError::Closed { .. })) => {
                let cause = full.to_string();
                respond(&kept, Err(StageError::Overloaded { stage: S::NAME, cause }));
            }
        }
    }
}

type SharedReply<O> = Arc<std::sync::Mutex<Option<Reply<Result<O, StageError>>>>>;

/// Answers once; the pool may refuse a job after having taken its closure.
fn respond<O>(reply: &SharedReply<O>, result: Result<O, StageError>) {
    let mut reply = reply.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(reply) = reply.take() {
        reply.send(result);
    }
}

impl<S: Stage> Actor for StageActor<S> {
    type Context = Context<StageActor<S>>;
}

impl<S: Stage> Supervised for StageActor<S> {
    /// Tickets that waited are dropped: their zones hear of it at once and derive them again.
    fn restarting(&mut self, _: &mut Context<StageActor<S>>) {
        // Their threads stay: a job of the earlier life may still hang there.
        self.lanes.values_mut().for_each(|queue| {
            queue.waiting.clear();
            queue.running = 0;
        });
        (self.done, self.failed) = (0, 0);
    }
}

impl<S: Stage> Child for StageActor<S> {
    type Observed = StageObserved;

    fn observe(&self) -> StageObserved {
        let running = self.lanes.values().map(|queue| queue.running).sum();
        let (waiting, done, failed) = (self.waiting(), self.done, self.failed);
        StageObserved { running, waiting, done, failed }
    }
}

impl<S: Stage> Handler<Work<S>> for StageActor<S> {
    type Result = ();

    fn handle(&mut self, work: Work<S>, ctx: &mut Context<StageActor<S>>) {
        if self.waiting() >= QUEUE_LENGTH_MAX {
            let cause = format!("{QUEUE_LENGTH_MAX} tickets wait");
            work.reply.send(Err(StageError::Overloaded { stage: S::NAME, cause }));
            return;
        }
        let lane = S::lane(&work.input);
        let own = &self.pool;
        let queue = self.lanes.entry(lane.clone()).or_insert_with(|| Queue {
            pool: workers_of(&lane, S::NAME, own),
            waiting: VecDeque::new(),
            running: 0,
        });
        queue.waiting.push_back(work);
        self.start_next(&lane, &ctx.address().recipient());
    }
}

impl<S: Stage> Handler<Finished> for StageActor<S> {
    type Result = ();

    fn handle(&mut self, event: Finished, ctx: &mut Context<StageActor<S>>) {
        // A job of an earlier life may still come in after a restart.
        if let Some(queue) = self.lanes.get_mut(&event.lane) {
            queue.running = queue.running.saturating_sub(1);
        }
        self.done += 1;
        self.failed += u64::from(event.failed);
        self.start_next(&event.lane, &ctx.address().recipient());
    }
}
