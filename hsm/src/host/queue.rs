//! The work of a host: requests in the order of their coming, signing requests cut into slices so
//! that every session has something to do.
//!
//! How many workers run at once follows the module: one whose calls compute (SoftHSM) gets as
//! many as there are cores, since more only get into each other's way; one whose calls wait (for a
//! network HSM) gets more and more, up to its sessions. The kernel's count of a thread's
//! voluntary waits tells the two apart; no clock is needed.
//! Limits: [`REQUESTS_MAX`] waiting requests (then the socket is not read on),
//! [`super::width::SLICE_MAX`].

use super::width::{Spent, Width};
use crate::error::{Cause, Place, SlotError};
use crate::packed::Packed;
use crate::protocol::{Answer, Request};
use dnssec::Algorithm;
use dnssec::key::KeyId;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// Most requests that wait; the socket holds back the rest.
const REQUESTS_MAX: usize = 1024;

/// A signing request, worked on by several workers.
pub(super) struct SignJob {
    pub(super) id: u64,
    pub(super) key: KeyId,
    pub(super) algorithm: Algorithm,
    pub(super) inputs: Packed,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    parts: Vec<(usize, Packed)>,
    finished_count: usize,
    failure: Option<SlotError>,
}

impl SignJob {
    /// Takes the result of a slice; the answer, when it was the last one.
    pub(super) fn finish(
        &self,
        place: &Place,
        range: &Range<usize>,
        result: Result<Packed, SlotError>,
    ) -> Option<Answer> {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.finished_count += range.len();
        match result {
            Ok(signatures) => progress.parts.push((range.start, signatures)),
            Err(error) => progress.failure = progress.failure.take().or(Some(error)),
        }
        if progress.finished_count < self.inputs.len() {
            return None;
        }
        if let Some(error) = progress.failure.take() {
            return Some(Answer::Failed(error));
        }
        let mut parts = std::mem::take(&mut progress.parts);
        parts.sort_by_key(|(start, _)| *start);
        let mut signatures = Packed::default();
        for (_, part) in &parts {
            if !signatures.append(part) {
                let (place, key) = (place.clone(), self.key.clone());
                let cause = Cause::of("its signatures are too long");
                return Some(Answer::Failed(SlotError::SignFailed { place, key, cause }));
            }
        }
        Some(Answer::Signatures(signatures))
    }
}

/// What a worker is to do.
pub(super) enum Claim {
    /// A request that is one piece.
    Whole(u64, Request),
    /// Some messages of a signing request.
    Slice(Arc<SignJob>, Range<usize>),
}

enum Waiting {
    Whole(u64, Request),
    Sign(Arc<SignJob>, usize),
}

/// The queue of one host.
pub(super) struct Queue {
    state: Mutex<State>,
    work: Condvar,
    space: Condvar,
}

struct State {
    waiting: VecDeque<Waiting>,
    /// Workers that are in a call.
    active_count: usize,
    width: Width,
}

impl Queue {
    /// A queue for as many workers as there are sessions.
    pub(super) fn new(core_count: usize, session_count: usize) -> Queue {
        let width = Width::new(core_count, session_count);
        let state = State { waiting: VecDeque::new(), active_count: 0, width };
        Queue { state: Mutex::new(state), work: Condvar::new(), space: Condvar::new() }
    }

    /// Appends a request; waits while the queue is full.
    pub(super) fn push(&self, id: u64, request: Request) {
        let waiting = match request {
            Request::Sign { key, algorithm, inputs } => {
                let progress = Mutex::default();
                Waiting::Sign(Arc::new(SignJob { id, key, algorithm, inputs, progress }), 0)
            }
            request => Waiting::Whole(id, request),
        };
        let mut state = self.lock();
        while state.waiting.len() >= REQUESTS_MAX {
            state = self.space.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting.push_back(waiting);
        let is_taken = state.active_count < state.width.now;
        drop(state);
        if is_taken {
            self.work.notify_one();
        }
    }

    /// Whether the queue has use for what becomes of the workers' time.
    pub(super) fn learns(&self) -> bool {
        !self.lock().width.is_fixed()
    }

    /// The first piece of work of a worker; waits for one.
    pub(super) fn first(&self) -> Claim {
        self.claim(self.lock())
    }

    /// Gives a piece of work back as done, for signatures with what became of the time, and takes
    /// the next; waits for one. In one step, so that a worker goes on by itself and no other is
    /// woken for nothing.
    pub(super) fn next(&self, spent: Option<Spent>) -> Claim {
        let mut state = self.lock();
        state.active_count -= 1;
        // With nothing left to do no width would have been too small.
        if let Some(spent) = spent
            && !state.waiting.is_empty()
        {
            state.width.learn(spent);
        }
        self.claim(state)
    }

    fn claim(&self, mut state: MutexGuard<'_, State>) -> Claim {
        loop {
            if state.active_count < state.width.now
                && let Some(claim) = state.take()
            {
                state.active_count += 1;
                let has_more = !state.waiting.is_empty() && state.active_count < state.width.now;
                let has_space = state.waiting.len() < REQUESTS_MAX;
                drop(state);
                if has_more {
                    self.work.notify_one();
                }
                if has_space {
                    self.space.notify_one();
                }
                return claim;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    // A poisoned lock means that a worker panicked, and then the process aborts.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn take(&mut self) -> Option<Claim> {
        let Width { now: width, slice, .. } = self.width;
        let Some(Waiting::Sign(job, next)) = self.waiting.front_mut() else {
            return match self.waiting.pop_front() {
                Some(Waiting::Whole(id, request)) => Some(Claim::Whole(id, request)),
                _ => None,
            };
        };
        let (job, start) = (Arc::clone(job), *next);
        let rest = job.inputs.len() - start;
        let end = start + (rest / (2 * width)).clamp(1, slice).min(rest);
        *next = end;
        if end == job.inputs.len() {
            self.waiting.pop_front();
        }
        Some(Claim::Slice(job, start..end))
    }
}

#[cfg(test)]
mod tests {
    use super::super::width::SLICE_MAX;
    use super::*;

    fn sign_request(count: usize) -> Request {
        let inputs = (0..count).map(|_| b"x".as_slice()).collect();
        let key = KeyId::new(b"k").unwrap();
        Request::Sign { key, algorithm: Algorithm::Ed25519, inputs }
    }

    fn place() -> Place {
        Place { repository: "main".to_owned(), token: "Anchor".to_owned() }
    }

    #[test]
    fn slices_cover_the_request_once_and_in_order() {
        for (count, cores, sessions) in [(1, 1, 1), (64, 2, 64), (64, 2, 2), (7, 4, 3)] {
            let queue = Queue::new(cores, sessions);
            queue.push(9, sign_request(count));
            let mut answer = None;
            let mut next = 0;
            let mut claim = queue.first();
            while let Claim::Slice(job, range) = claim {
                assert!(range.start == next && range.end > next && range.len() <= SLICE_MAX);
                next = range.end;
                let text = |position: usize| position.to_string().into_bytes();
                let mut signatures = Packed::default();
                for position in range.clone() {
                    assert!(signatures.push(&text(position)));
                }
                assert!(answer.is_none());
                answer = job.finish(&place(), &range, Ok(signatures));
                if next == count {
                    queue.push(10, Request::Info);
                }
                claim = queue.next(None);
            }
            assert!(matches!(claim, Claim::Whole(10, Request::Info)) && next == count);
            let Some(Answer::Signatures(signatures)) = answer else { panic!("no answer") };
            let all: Vec<_> = signatures.iter().map(<[u8]>::to_vec).collect();
            let expected: Vec<_> = (0..count).map(|n| n.to_string().into_bytes()).collect();
            assert_eq!(all, expected);
        }
    }

    #[test]
    fn a_failed_slice_fails_the_request_once() {
        let queue = Queue::new(1, 1);
        queue.push(9, sign_request(2));
        let place = place();
        let error = SlotError::PinMissing { place: place.clone() };
        let Claim::Slice(job, range) = queue.first() else { panic!("no slice") };
        assert_eq!(job.finish(&place, &range, Err(error.clone())), None);
        let Claim::Slice(job, range) = queue.next(None) else { panic!("no slice") };
        let answer = job.finish(&place, &range, Ok(Packed::default()));
        assert_eq!(answer, Some(Answer::Failed(error)));
    }
}
