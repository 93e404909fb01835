//! Everything the watcher of parents can be told, and what it says.

use crate::runtime::{Message, Recipient};
use dnssec::Name;
use dnssec::parent::{ParentalAgents, Sightings, WatchedKey};
use std::sync::Arc;

/// Everything the watcher of parents can be told.
pub enum ParentMessage {
    /// Command. Ask about these keys of a zone, now and again, until told otherwise.
    Watch {
        /// The zone.
        zone: Name,
        /// Whom to ask, about what.
        order: Arc<WatchOrder>,
        /// Who hears of each round.
        to: Recipient<ParentEvent>,
    },
    /// Command. Ask no more about a zone.
    Forget {
        /// The zone.
        zone: Name,
    },
}

impl Message for ParentMessage {
    type Result = ();
}

/// Whom to ask, about what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchOrder {
    /// The servers, and how often.
    pub agents: ParentalAgents,
    /// Keys whose DS is on its way.
    pub keys: Vec<WatchedKey>,
}

/// Event. A round of questions about a zone ended.
#[derive(Clone, Debug)]
pub struct ParentEvent {
    /// The zone.
    pub zone: Name,
    /// What was asked.
    pub order: Arc<WatchOrder>,
    /// What the servers showed.
    pub sightings: Sightings,
}

impl Message for ParentEvent {
    type Result = ();
}
