//! How many masters are asked at a time. One that hangs holds up its own zones only: each address
//! has a share of its own.
//! Limits: [`TOTAL_MAX`] asks at once, [`MASTER_MAX`] of one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Asks at once.
const TOTAL_MAX: usize = 256;
/// Asks at once of one address.
const MASTER_MAX: usize = 32;

/// The places for asks.
#[derive(Debug)]
pub struct TransferSlots {
    all: Arc<Semaphore>,
    masters: Mutex<HashMap<IpAddr, Weak<Semaphore>>>,
}

impl Default for TransferSlots {
    fn default() -> TransferSlots {
        let all = Arc::new(Semaphore::new(TOTAL_MAX));
        TransferSlots { all, masters: Mutex::new(HashMap::new()) }
    }
}

/// A place; it is free again when this is dropped.
#[derive(Debug)]
pub struct TransferSlot {
    // In the order in which they were taken.
    _of_all: Option<OwnedSemaphorePermit>,
    _of_master: Option<OwnedSemaphorePermit>,
}

impl TransferSlots {
    /// Waits for a place to ask this master from.
    pub async fn take(&self, master: IpAddr) -> TransferSlot {
        // The semaphores are never closed, so that there is always a permit in the end.
        let of_master = self.of_master(master).acquire_owned().await.ok();
        let of_all = self.all.clone().acquire_owned().await.ok();
        TransferSlot { _of_all: of_all, _of_master: of_master }
    }

    fn of_master(&self, master: IpAddr) -> Arc<Semaphore> {
        let mut masters = self.masters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = masters.get(&master).and_then(Weak::upgrade) {
            return known;
        }
        masters.retain(|_, semaphore| semaphore.strong_count() > 0);
        let new = Arc::new(Semaphore::new(MASTER_MAX));
        masters.insert(master, Arc::downgrade(&new));
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::net::Ipv4Addr;

    #[tokio::test]
    async fn a_master_that_hangs_holds_up_itself_only() {
        let slots = TransferSlots::default();
        let (bad, good) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from([192, 0, 2, 1]));
        let mut held = Vec::new();
        for _ in 0..MASTER_MAX {
            held.push(slots.take(bad).await);
        }
        assert!(slots.take(bad).now_or_never().is_none());
        assert!(slots.take(good).now_or_never().is_some());
        held.pop();
        assert!(slots.take(bad).now_or_never().is_some());
    }
}
