//! Everything the watcher of parents can be told, and what it says.

use super::announcing::{Announced, Announcement};
use crate::runtime::{Message, Recipient, Reply};
use dnssec::parent::{ParentalAgents, Sightings, WatchedKey};
use dnssec::{Name, Timestamp};
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
    /// Event. A zone published this for its parent, who is told unless he acknowledged the same.
    Announce {
        /// The zone.
        zone: Name,
        /// What, and how to tell.
        announcement: Announcement,
    },
    /// Command. A zone is gone: ask nobody about it, and tell nobody of it.
    Leave {
        /// The zone.
        zone: Name,
    },
    /// Query. What is known of the parents of zones, by name.
    Status {
        /// The zone; `None`: all about whose parents there is something to say.
        zone: Option<Name>,
        /// What is known.
        reply: Reply<Vec<ParentStatus>>,
    },
}

/// What is known of one zone's parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentStatus {
    /// The zone.
    pub zone: Name,
    /// What its servers are asked, when a DS is on its way.
    pub watch: Option<WatchStatus>,
    /// Where the last change of CDS stands, when it is to be told.
    pub announced: Option<Announced>,
}

/// How the watch of one zone's parent stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchStatus {
    /// Who is asked, about what.
    pub order: Arc<WatchOrder>,
    /// When the last round ended, and what it showed.
    pub seen: Option<Sightings>,
    /// Why the servers' answers do not let the keys go on.
    pub disagreement: Option<String>,
    /// When they are asked next; `None`: now.
    pub next: Option<Timestamp>,
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
    /// Nothing waits for the answers: nobody is told when servers do not agree.
    pub is_calm: bool,
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
