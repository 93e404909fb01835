//! Orders from a supervisor to a child's guard: a side channel, so that control never queues
//! behind data. In: orders from any thread. Out: the same, in order, to the guard.
//! Limit: an order replaces those it makes pointless, so at most five are pending.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use futures_util::task::AtomicWaker;

use super::failure::Failure;
use super::health::lock;

/// What a supervisor tells a guard.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// Run, if held.
    Start,
    /// Stop running at once, reset, keep the mailbox.
    Hold,
    /// Let the actor finish, then hold; answered by `Held`.
    Pause,
    /// Let the actor finish, then end; answered by `Ended`.
    Stop,
    /// End at once; answered by `Ended`.
    Terminate,
    /// Count as failed: how a supervisor escalates.
    Fail(Failure),
}

#[derive(Debug, Default)]
pub(super) struct Orders {
    waiting: AtomicBool,
    pending: Mutex<Vec<Order>>,
    waker: AtomicWaker,
}

impl Orders {
    pub(super) fn give(&self, order: Order) {
        {
            let mut pending = lock(&self.pending);
            match order {
                Order::Hold => pending.retain(|o| !matches!(o, Order::Hold | Order::Start)),
                Order::Terminate => pending.clear(),
                _ => {
                    pending.retain(|o| std::mem::discriminant(o) != std::mem::discriminant(&order))
                }
            }
            pending.push(order);
        }
        self.waiting.store(true, Ordering::Release);
        self.waker.wake();
    }

    /// Takes what is pending, after arranging to be woken by what comes later.
    pub(super) fn take(&self, waker: &Waker) -> Vec<Order> {
        self.waker.register(waker);
        if !self.waiting.swap(false, Ordering::AcqRel) {
            return Vec::new();
        }
        std::mem::take(&mut *lock(&self.pending))
    }
}
