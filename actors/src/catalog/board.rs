//! Where others meet the catalogs' actor: what they want of it, and what they may know.
//! In: NOTIFYs and operators' orders; views from the actor. Out: the same, to the actor and to
//! commands. It outlives restarts of the actor.
//! Limit: [`ORDERS_MAX`] orders wait; one more is dropped and logged.

use dnssec::{Name, Serial, Timestamp};
use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Orders that wait. The actor is behind only while it changes zones.
const ORDERS_MAX: usize = 1024;

/// What the actor can be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Event. A NOTIFY that was found to be allowed.
    Notified {
        /// The catalog.
        catalog: Name,
        /// Who sent it.
        from: IpAddr,
        /// The serial in it.
        serial: Option<Serial>,
    },
    /// Command. Fetches the whole catalog again.
    Retransfer {
        /// The catalog.
        catalog: Name,
    },
    /// Command. What is held goes through, if it still has this serial.
    Accept {
        /// The catalog.
        catalog: Name,
        /// What the operator saw.
        serial: Serial,
    },
}

/// What everybody may know of a catalog that zones come and go with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsumerView {
    /// Serial of what was received last.
    pub serial: Option<Serial>,
    /// When a master said last that it is the newest.
    pub confirmed_at: Option<Timestamp>,
    /// Why it is not in force.
    pub fault: Option<String>,
    /// Why its masters do not give it.
    pub refusal: Option<String>,
    /// Why it waits for an operator.
    pub held: Option<String>,
    /// Groups of each of its members.
    pub groups: BTreeMap<Name, Vec<String>>,
    /// Zones that are not as it says, and why.
    pub zone_faults: BTreeMap<Name, String>,
}

/// What everybody may know of a catalog that is made here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerView {
    /// Its serial.
    pub serial: Option<Serial>,
    /// Why it is not served.
    pub fault: Option<String>,
    /// Its members, each with its group, and since when they are in it.
    pub members: BTreeMap<Name, (String, Timestamp)>,
}

/// Orders and views.
#[derive(Debug, Default)]
pub struct CatalogBoard {
    orders: Mutex<VecDeque<Order>>,
    wake: Notify,
    consumers: Mutex<BTreeMap<Name, ConsumerView>>,
    producers: Mutex<BTreeMap<Name, ProducerView>>,
}

impl CatalogBoard {
    /// Tells the actor.
    pub fn tell(&self, order: Order) {
        let mut orders = lock(&self.orders);
        if orders.len() >= ORDERS_MAX {
            tracing::error!(target: "catalog", ?order, "the catalogs' actor was not told");
            return;
        }
        orders.push_back(order);
        drop(orders);
        self.wake.notify_one();
    }

    /// Waits for the next order.
    pub(super) async fn order(&self) -> Order {
        loop {
            if let Some(order) = lock(&self.orders).pop_front() {
                return order;
            }
            self.wake.notified().await;
        }
    }

    /// What may be known of a consumed catalog.
    pub fn consumer(&self, catalog: &Name) -> Option<ConsumerView> {
        lock(&self.consumers).get(catalog).cloned()
    }

    /// What may be known of a produced catalog.
    pub fn producer(&self, catalog: &Name) -> Option<ProducerView> {
        lock(&self.producers).get(catalog).cloned()
    }

    /// Shows something else of a consumed catalog.
    pub(super) fn show(&self, catalog: &Name, change: impl FnOnce(&mut ConsumerView)) {
        change(lock(&self.consumers).entry(catalog.clone()).or_default());
    }

    /// Shows a produced catalog.
    pub(super) fn show_produced(&self, catalog: &Name, view: ProducerView) {
        lock(&self.producers).insert(catalog.clone(), view);
    }

    /// A catalog is gone.
    pub(super) fn forget(&self, catalog: &Name) {
        lock(&self.consumers).remove(catalog);
        lock(&self.producers).remove(catalog);
    }
}

/// What is in there is whole after each call, so a panic elsewhere leaves it good.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
