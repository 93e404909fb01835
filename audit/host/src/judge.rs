//! The side that asks: starts the process, sends tickets, waits for verdicts, and starts another
//! process when that one is gone.
//!
//! The thread that starts the process reads its answers and lives exactly as long, since a child's
//! death signal comes when the *thread* that started it ends. A host from which nothing is heard
//! for too long ([`HostProgram::silence`]) is killed. Whatever was in flight then ends with a
//! [`Fault`]: no verdict is no approval.
//! Blocking: to be called on threads that may wait.

use crate::connection::Connection;
use crate::frames::Part;
use crate::messages::{Answer, Changes, Copy, CopyPlace, Question, Ticket, Verdict, Whole};
use crate::service::{Job, Service, array};
use crate::{SILENCE_MAX, TICKETS_MAX};
use ring::digest;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

/// Pause before the next start of a host when the last one ended without a single verdict; doubles
/// with each.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// Why there is no verdict. Nothing may be published then.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The process cannot be started.
    #[error("the audit host {program} cannot be started: {cause}")]
    Unavailable {
        /// What was to be started.
        program: String,
        /// Why not.
        cause: String,
    },
    /// It was started too often in vain, and waits.
    #[error("the audit host ended {count} times without a verdict; it is started again soon")]
    Resting {
        /// How often.
        count: u32,
    },
    /// The process ended with the ticket.
    #[error("the audit host ended before its verdict: {cause}")]
    Ended {
        /// How.
        cause: String,
    },
    /// It was killed, since it said nothing.
    #[error("the audit host said nothing for {} s; no verdict is no approval", .waited.as_secs())]
    Silent {
        /// For so long.
        waited: Duration,
    },
    /// Too many tickets.
    #[error("the audit host has {TICKETS_MAX} tickets already")]
    Busy,
    /// A difference that only a full audit can judge.
    #[error("the difference cannot be judged by itself: {0}")]
    NotIncremental(String),
    /// The auditor was called wrongly.
    #[error("the zone cannot be audited: {0}")]
    Impossible(String),
    /// What was judged is not what was sent.
    #[error("the audit host judged other records than it was sent")]
    OtherRecords,
}

/// How a host is started. It gets its socket as standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostProgram {
    /// The program.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// Longest time in which nothing may be heard of it while somebody waits.
    pub silence: Duration,
}

impl HostProgram {
    /// This very program, as `anchorite audit-host`, also when its file has been replaced by an
    /// update meanwhile.
    #[must_use]
    pub fn of_this_program() -> HostProgram {
        HostProgram {
            path: "/proc/self/exe".into(),
            arguments: vec!["audit-host".into()],
            silence: SILENCE_MAX,
        }
    }
}

/// What is known of the auditor, for health.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JudgeStatus {
    /// The process, while there is one.
    pub process_id: Option<u32>,
    /// How many processes there were before.
    pub restart_count: u64,
    /// Verdicts in all.
    pub verdict_count: u64,
    /// When the last verdict came, in uptime.
    pub last_verdict: Option<Duration>,
    /// Tickets without a verdict yet.
    pub waiting_count: usize,
}

/// Asks an auditor.
pub struct Judge {
    place: Place,
    uptime: Box<dyn Fn() -> Duration + Send + Sync>,
    /// Held by all who ask; exclusively by one who asks alone.
    alone: RwLock<()>,
    verdicts: Mutex<(u64, Option<Duration>)>,
}

enum Place {
    /// In this process: tests, and programs that judge one zone.
    Here(Here),
    Host {
        program: HostProgram,
        state: Mutex<HostState>,
    },
}

struct Here {
    service: Arc<Service>,
    number: u64,
    last: AtomicU64,
}

#[derive(Default)]
struct HostState {
    connection: Option<Arc<Connection>>,
    start_count: u64,
    /// Hosts in a row that ended without a verdict.
    vain_count: u32,
    rests_until: Duration,
}

impl Judge {
    /// An auditor in this process. `uptime` is a clock that only goes forward.
    #[must_use]
    pub fn here(threads: usize, uptime: impl Fn() -> Duration + Send + Sync + 'static) -> Judge {
        let service = Arc::new(Service::new(threads));
        let here = Here { service, number: next_host(), last: AtomicU64::new(0) };
        Judge::at(Place::Here(here), Box::new(uptime))
    }

    /// An auditor in a process of its own, which is started when it is first asked.
    #[must_use]
    pub fn in_host(
        program: HostProgram,
        uptime: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Judge {
        Judge::at(Place::Host { program, state: Mutex::default() }, Box::new(uptime))
    }

    fn at(place: Place, uptime: Box<dyn Fn() -> Duration + Send + Sync>) -> Judge {
        Judge { place, uptime, alone: RwLock::new(()), verdicts: Mutex::default() }
    }

    /// Has a ticket judged; `tell` hears how many parts of how many are done.
    ///
    /// # Errors
    /// [`Fault`]; after [`Fault::NotIncremental`] the whole zone can be judged, after
    /// [`Fault::Ended`] the same ticket [alone](Judge::judge_alone).
    pub fn judge(
        &self,
        ticket: Ticket<'_>,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Verdict, Fault> {
        let _together = self.alone.read().unwrap_or_else(PoisonError::into_inner);
        self.judge_now(ticket, tell)
    }

    /// The same while nobody else's ticket is in flight, so that a host that ends again ended
    /// because of this one.
    ///
    /// # Errors
    /// As [`Judge::judge`].
    pub fn judge_alone(
        &self,
        ticket: Ticket<'_>,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Verdict, Fault> {
        let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
        self.judge_now(ticket, tell)
    }

    /// What is known of the auditor.
    pub fn status(&self) -> JudgeStatus {
        let (verdict_count, last_verdict) = *self.verdicts();
        let mut status = JudgeStatus { verdict_count, last_verdict, ..JudgeStatus::default() };
        if let Place::Host { state, .. } = &self.place {
            let state = lock(state);
            status.restart_count = state.start_count.saturating_sub(1);
            let connection = state.connection.as_ref();
            status.process_id = connection.and_then(|connection| connection.process_id());
            status.waiting_count = connection.map_or(0, |connection| connection.waiting_count());
        }
        status
    }

    fn verdicts(&self) -> MutexGuard<'_, (u64, Option<Duration>)> {
        lock(&self.verdicts)
    }

    fn judge_now(
        &self,
        ticket: Ticket<'_>,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Verdict, Fault> {
        let sender = match &self.place {
            Place::Here(here) => Lane::Here(here),
            Place::Host { program, state } => {
                Lane::Host(connection(program, &mut lock(state), (self.uptime)())?)
            }
        };
        let verdict = match ticket {
            Ticket::Whole(whole) => sender.whole(whole, tell),
            Ticket::Changes(changes) => sender.changes(&changes, tell),
        }?;
        let now = (self.uptime)();
        let mut verdicts = self.verdicts();
        *verdicts = (verdicts.0 + 1, Some(now));
        Ok(verdict)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host that runs, or a new one. One that ended without a verdict is followed by another only
/// after a pause.
fn connection(
    program: &HostProgram,
    state: &mut HostState,
    now: Duration,
) -> Result<Arc<Connection>, Fault> {
    if let Some(connection) = &state.connection {
        if connection.is_alive() {
            return Ok(connection.clone());
        }
        match connection.verdict_count() {
            0 => {
                state.vain_count = state.vain_count.saturating_add(1);
                let doublings = state.vain_count.saturating_sub(1).min(16);
                let pause = PAUSE_FIRST.saturating_mul(1 << doublings).min(PAUSE_MAX);
                state.rests_until = now.saturating_add(pause);
            }
            _ => state.vain_count = 0,
        }
        state.connection = None;
    }
    if state.vain_count > 0 && now < state.rests_until {
        return Err(Fault::Resting { count: state.vain_count });
    }
    state.start_count += 1;
    let started = Connection::start(program, next_host()).map_err(|cause| {
        let program = program.path.display().to_string();
        Fault::Unavailable { program, cause: cause.to_string() }
    })?;
    let connection = Arc::new(started);
    state.connection = Some(connection.clone());
    Ok(connection)
}

/// The way that one ticket takes.
enum Lane<'j> {
    Here(&'j Here),
    Host(Arc<Connection>),
}

/// A number for an auditor that no other one in this process has: a copy is of use only where it
/// is.
fn next_host() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

impl Lane<'_> {
    fn whole(self, whole: Whole<'_>, tell: &(dyn Fn(u64, u64) + Sync)) -> Result<Verdict, Fault> {
        let question = Question::Whole {
            expectations: whole.expectations.clone(),
            has_source: whole.source.is_some(),
            keeps_copy: whole.keeps_copy,
        };
        let mut sent = digest::Context::new(&digest::SHA256);
        let mut candidate = whole.candidate.map(|block| {
            sent.update(&block);
            (Part::Candidate, block)
        });
        let source = whole.source.into_iter().flatten().map(|block| (Part::Source, block));
        let answered = self.answer(question, &mut candidate.by_ref().chain(source), tell)?;
        drop(candidate);
        self.verdict(answered, array(sent.finish()))
    }

    fn changes(
        self,
        changes: &Changes<'_>,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<Verdict, Fault> {
        let here = match &self {
            Lane::Here(here) => here.number,
            Lane::Host(connection) => connection.number,
        };
        let follows = &changes.follows.0;
        if follows.host != here {
            let reason = "the auditor's copy went with its process".to_owned();
            return Err(Fault::NotIncremental(reason));
        }
        let question = Question::Changes {
            expectations: changes.expectations.clone(),
            follows: follows.number,
        };
        let difference = &changes.difference;
        let parts = [
            (Part::Removed, difference.removed),
            (Part::Candidate, difference.added),
            (Part::SourceRemoved, difference.source_removed),
            (Part::Source, difference.source_added),
        ];
        let mut sent = digest::Context::new(&digest::SHA256);
        sent.update(&follows.digest);
        sent.update(difference.removed);
        sent.update(difference.added);
        let mut parts = parts.into_iter().map(|(part, records)| (part, records.to_vec()));
        let answered = self.answer(question, &mut parts, tell)?;
        self.verdict(answered, array(sent.finish()))
    }

    /// Sends a question and its records, and waits. With the answer comes the ticket's number.
    fn answer(
        &self,
        question: Question,
        records: &mut dyn Iterator<Item = (Part, Vec<u8>)>,
        tell: &(dyn Fn(u64, u64) + Sync),
    ) -> Result<(u64, Answer), Fault> {
        match self {
            Lane::Host(connection) => {
                let way = connection.ask(&question)?;
                for (part, block) in records {
                    way.records(part, &block)?;
                }
                Ok((way.ticket, way.answer(tell)?))
            }
            Lane::Here(here) => {
                let ticket = here.last.fetch_add(1, Ordering::Relaxed) + 1;
                let mut job: Job = here.service.begin(ticket, question);
                for (part, block) in records {
                    job.take(part, block);
                }
                Ok((
                    ticket,
                    here.service.judge(job, &|progress| tell(progress.done, progress.total)),
                ))
            }
        }
    }

    fn verdict(&self, (number, answer): (u64, Answer), sent: [u8; 32]) -> Result<Verdict, Fault> {
        let (report, digest, has_copy) = match answer {
            Answer::Judged { report, digest, has_copy } => (*report, digest, has_copy),
            Answer::NotIncremental(reason) => return Err(Fault::NotIncremental(reason)),
            Answer::Impossible(reason) => return Err(Fault::Impossible(reason)),
        };
        if digest != sent {
            return Err(Fault::OtherRecords);
        }
        let (host, unwanted) = match self {
            Lane::Here(here) => (here.number, Unwanted::Here(Arc::downgrade(&here.service))),
            Lane::Host(connection) => (connection.number, Unwanted::Host(connection.unwanted())),
        };
        let place = CopyPlace { host, number, digest, unwanted };
        Ok(Verdict { report, digest, copy: has_copy.then(|| Copy(Arc::new(place))) })
    }
}

/// Who is told when nobody wants a copy any more.
pub(crate) enum Unwanted {
    Here(std::sync::Weak<Service>),
    Host(Sender<u64>),
}

impl Unwanted {
    pub(crate) fn tell(&self, number: u64) {
        match self {
            Unwanted::Here(service) => {
                if let Some(service) = service.upgrade() {
                    service.forget(number);
                }
            }
            // Where the process is gone, so is the copy.
            Unwanted::Host(sender) => drop(sender.send(number)),
        }
    }
}
