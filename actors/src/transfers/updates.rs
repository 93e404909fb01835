//! DNS UPDATE in: what waits for each zone, and who waits for its answer. RFC 2136 §3.
//! In: updates whose sender may do so. Out: the same, many at a time, to the zone; answers.
//! A zone takes all that waits at once, so that a thousand updates are a few versions. What nobody
//! waits for any more is not done.
//! Never: what an update means.
//! Limits: [`WAITING_MAX`] updates and [`WAITING_OCTETS_MAX`] octets for each zone, [`WAIT_MAX`].

use super::publications::Publications;
use super::tally::AnsweredUpdate;
use crate::runtime::{self, Clock, Reply};
use dnssec::Name;
use dnssec::transfer::Rcode;
use dnssec::transfer::message::{Answer, Request};
use dnssec::transfer::tsig::Signer;
use dnssec::transfer::wire::MESSAGE_OCTETS_MAX;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Most updates that wait for one zone.
pub const WAITING_MAX: usize = 1000;
/// Most octets of them.
pub const WAITING_OCTETS_MAX: usize = 8 << 20;
/// Longest time until an update is answered; then it is not done, unless it was begun.
pub const WAIT_MAX: Duration = Duration::from_secs(30);
/// A zone that does not come for what waits is told again.
const TOLD_AGAIN: Duration = Duration::from_secs(1);

/// Tells a zone that updates wait. `false`: there is no such zone.
pub type Tell = Arc<dyn Fn(&Name, &Arc<UpdateQueue>) -> bool + Send + Sync>;

/// An update that may be done.
#[derive(Debug)]
pub struct UpdateJob {
    /// The whole request.
    pub message: Vec<u8>,
    /// Who sent it.
    pub from: IpAddr,
    /// The key that it was signed with.
    pub key: Name,
    /// What is answered, once it is durable.
    pub reply: Reply<Rcode>,
}

/// What waits for one zone.
#[derive(Default)]
pub struct UpdateQueue(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<UpdateJob>,
    octets: usize,
    /// When the zone was told last, unless it has come since.
    told_at: Option<Duration>,
}

/// Without what is in it, which may be long.
impl fmt::Debug for UpdateQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UpdateQueue")
    }
}

/// There is no room for another update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many updates wait")]
pub struct Full;

impl UpdateQueue {
    /// Whether the zone is to be told.
    fn put(&self, job: UpdateJob, now: Duration) -> Result<bool, Full> {
        let mut waiting = self.lock();
        let octets = waiting.octets + job.message.len();
        if waiting.jobs.len() >= WAITING_MAX || octets > WAITING_OCTETS_MAX {
            return Err(Full);
        }
        waiting.jobs.push_back(job);
        waiting.octets = octets;
        let is_due = waiting.told_at.is_none_or(|at| now.saturating_sub(at) >= TOLD_AGAIN);
        if is_due {
            waiting.told_at = Some(now);
        }
        Ok(is_due)
    }

    /// All that waits, in the order in which it came.
    pub fn take(&self) -> Vec<UpdateJob> {
        let Waiting { jobs, .. } = std::mem::take(&mut *self.lock());
        jobs.into()
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // What waits is whole after each call, so a panic elsewhere leaves it good.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What waits for all zones.
pub struct Updates {
    tell: Tell,
    clock: Clock,
    zones: Mutex<BTreeMap<Name, Arc<UpdateQueue>>>,
}

impl Updates {
    /// Nothing yet; zones are told by `tell`.
    pub fn new(tell: Tell, clock: Clock) -> Updates {
        Updates { tell, clock, zones: Mutex::default() }
    }

    /// Has an update wait for its zone.
    pub(super) fn put(&self, zone: &Name, job: UpdateJob) -> Result<(), Full> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner);
        let queue = zones.entry(zone.clone()).or_default().clone();
        if queue.put(job, self.clock.uptime())? && !(self.tell)(zone, &queue) {
            // Gone meanwhile: what waits is dropped, and answered by that.
            zones.remove(zone);
        }
        Ok(())
    }
}

/// An answer that is yet to come.
#[derive(Debug)]
pub struct PendingUpdate {
    pub(super) request: Request,
    pub(super) signer: Signer,
    pub(super) answer: runtime::Answer<Rcode>,
    pub(super) clock: Clock,
    /// Where the answer is noted, and of whom.
    pub(super) publications: Arc<Publications>,
    pub(super) from: IpAddr,
}

impl PendingUpdate {
    /// Waits until the update is done or not, and says so.
    pub async fn message(mut self) -> Vec<u8> {
        let to = "the zone".into();
        let rcode = self.answer.within(&to, WAIT_MAX).await.unwrap_or_else(|error| {
            tracing::warn!(target: "query", "an update is answered SERVFAIL: {error}");
            Rcode::SERVFAIL
        });
        let (at, key) = (self.clock.now(), Some(self.signer.key().name().clone()));
        let answered = AnsweredUpdate { at, from: self.from, key, rcode };
        self.publications.note_update(&self.request.question.name, answered);
        let mut message = Answer::new(&self.request, rcode).finish(MESSAGE_OCTETS_MAX);
        self.signer.sign(&mut message, self.clock.now());
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    fn job(octets: usize) -> (UpdateJob, runtime::Answer<Rcode>) {
        let (reply, answer) = Reply::channel();
        let (from, key) = (Ipv4Addr::LOCALHOST.into(), Name::root());
        (UpdateJob { message: vec![0; octets], from, key, reply }, answer)
    }

    #[tokio::test(start_paused = true)]
    async fn a_zone_is_told_once_and_takes_all() {
        let told = Arc::new(AtomicUsize::default());
        let counted = told.clone();
        let queues = Arc::new(Mutex::new(None));
        let kept = queues.clone();
        let tell: Tell = Arc::new(move |_, queue| {
            counted.fetch_add(1, Relaxed);
            *kept.lock().unwrap() = Some(queue.clone());
            true
        });
        let clock = Clock::virtual_at(dnssec::Timestamp(0));
        let updates = Updates::new(tell, clock);
        let answers: Vec<_> = (0..WAITING_MAX)
            .map(|_| {
                let (job, answer) = job(100);
                updates.put(&Name::root(), job).unwrap();
                answer
            })
            .collect();
        assert_eq!(told.load(Relaxed), 1);
        assert_eq!(updates.put(&Name::root(), job(1).0), Err(Full));
        let queue = queues.lock().unwrap().clone().unwrap();
        assert_eq!(queue.take().len(), WAITING_MAX);
        drop(answers);
        updates.put(&Name::root(), job(WAITING_OCTETS_MAX).0).unwrap();
        assert_eq!(told.load(Relaxed), 2);
        assert_eq!(updates.put(&Name::root(), job(1).0), Err(Full));
        assert!(queue.take()[0].reply.is_unwanted());
    }
}
