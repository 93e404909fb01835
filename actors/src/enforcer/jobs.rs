//! Jobs of the enforcer: one turn of one zone. In: what is wanted. Out: what the zone signs with
//! from now on, and when to look again.

use super::keys::KeysError;
use super::messages::{ChangeError, LifeEdit, ZoneKeys};
use super::submission::Submission;
use crate::runtime::Reply;
use dnssec::enforcer::{DsSighting, PublishedKeys};
use dnssec::parent::WatchedKey;
use dnssec::policy::Policy;
use dnssec::{Name, Timestamp};
use std::sync::Arc;
use storage::state::{Cause, NewKey};

/// One turn of one zone.
pub(super) struct Job {
    pub(super) zone: Name,
    pub(super) policy: Arc<Policy>,
    pub(super) task: Task,
    /// What the parent shows; `None`: nobody asks.
    pub(super) parent: Option<Vec<DsSighting>>,
    /// The command that gave the zone its policy, in the first turn under it.
    pub(super) given: Option<Cause>,
}

/// What the turn is for; each ends with a look at the zone.
pub(super) enum Task {
    /// The zone wants its keys.
    Keys,
    /// Its time has come.
    Look,
    /// It published a version.
    Published(PublishedKeys),
    /// A command.
    Change {
        edit: LifeEdit,
        cause: Cause,
        /// A key in its token that gets its record before the zone takes it.
        adopts: Option<Box<NewKey>>,
        reply: Reply<Result<(), ChangeError>>,
    },
}

impl Task {
    /// Ends a task that cannot be done.
    pub(super) fn refuse(self, error: ChangeError) {
        if let Task::Change { reply, .. } = self {
            reply.send(Err(error));
        }
    }
}

/// What came of a look at a zone.
pub(super) struct Looked {
    /// What it signs with.
    pub(super) keys: ZoneKeys,
    /// What its signer configuration file is to say.
    pub(super) signconf: String,
    /// When to look again; `None`: nothing is scheduled.
    pub(super) next: Option<Timestamp>,
    /// What is to be told to its parent.
    pub(super) submissions: Vec<Submission>,
    /// Keys whose DS is on its way.
    pub(super) watched: Vec<WatchedKey>,
    /// Whether it took keys.
    pub(super) has_taken: bool,
    /// Whether keys went into the trash.
    pub(super) has_purged: bool,
}

/// What came of a job.
pub(super) struct JobEnd {
    pub(super) zone: Name,
    /// Name of the policy, whose next job may begin.
    pub(super) policy: String,
    /// Whether the zone waits for the keys.
    pub(super) is_asked: bool,
    /// The keys, and what follows.
    pub(super) result: Result<Looked, KeysError>,
    /// As in its job.
    pub(super) given: Option<Cause>,
}
