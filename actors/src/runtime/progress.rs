//! How far a long piece of work is: counters that workers raise and anybody may read.
//! In: the name of the step, how much there is to do, what is done. Out: [`ProgressView`].
//! Never: locks on a hot path (the step's name changes a few times a run), time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::health::lock;

/// Counters of one piece of work.
#[derive(Debug, Default)]
pub struct Progress {
    step: Mutex<&'static str>,
    total: AtomicU64,
    done: AtomicU64,
    signatures: AtomicU64,
}

/// What the counters say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgressView {
    /// Name of the step at work; empty before the first.
    pub step: &'static str,
    /// How much the step has to do, in units of its own; 0 when that is not known.
    pub total: u64,
    /// How much of it is done.
    pub done: u64,
    /// Signatures made so far, in all steps.
    pub signatures: u64,
}

impl Progress {
    /// A step begins, with so much to do.
    pub fn begin(&self, step: &'static str, total: u64) {
        let mut current = lock(&self.step);
        *current = step;
        self.total.store(total, Relaxed);
        self.done.store(0, Relaxed);
    }

    /// So much more is done.
    pub fn advance(&self, by: u64) {
        self.done.fetch_add(by, Relaxed);
    }

    /// So many more signatures are made.
    pub fn signed(&self, count: u64) {
        self.signatures.fetch_add(count, Relaxed);
    }

    /// What the counters say now. Read one after the other: a step that begins meanwhile may show
    /// the last one's count for a moment.
    pub fn view(&self) -> ProgressView {
        let step = *lock(&self.step);
        let total = self.total.load(Relaxed);
        let done = self.done.load(Relaxed).min(total);
        ProgressView { step, total, done, signatures: self.signatures.load(Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_counts_from_zero_and_never_beyond_its_end() {
        let progress = Progress::default();
        assert_eq!(progress.view(), ProgressView::default());
        progress.begin("sort", 10);
        progress.advance(25);
        progress.signed(3);
        let view = ProgressView { step: "sort", total: 10, done: 10, signatures: 3 };
        assert_eq!(progress.view(), view);
        progress.begin("sign", 4);
        assert_eq!(
            progress.view(),
            ProgressView { step: "sign", total: 4, done: 0, signatures: 3 }
        );
    }
}
