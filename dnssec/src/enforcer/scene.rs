//! What an evaluation is given besides the zone's life, and what it answers.
//! In and out: nothing; types only. Never: decisions.

use super::state::{DsAtParent, KeyUse, RecordKind, RecordState, SupplyKey, WaitTerm, ZoneLife};
use crate::key::{KeyId, KeyRole};
use crate::policy::Policy;
use crate::{Seconds, Timestamp};

/// The scene of one evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// The zone's policy as it is now.
    pub policy: &'a Policy,
    /// The time.
    pub now: Timestamp,
    /// Keys that the zone may take, in order of preference. With `<ShareKeys>`: those that other
    /// zones of the policy use, newest first, then the pool.
    pub supply: &'a [SupplyKey],
    /// `<RolloverNotification>`; zero: none.
    pub rollover_notification: Seconds,
    /// Whether the waits that a publication begins count from the moment when
    /// [`published`](super::published) confirmed it (production, guard W6), or from the decision
    /// (plans, comparison with OpenDNSSEC).
    pub waits_for_publication: bool,
    /// Whether the zone publishes CDS and CDNSKEY (RFC 7344): then a parent may have taken a DS
    /// that nobody submitted.
    pub publishes_cds: bool,
    /// What the parent's servers showed last, where somebody asks them: then no step of a DS goes
    /// by the clock alone (guard W6). `None`: nobody asks.
    pub parent: Option<&'a [DsSighting]>,
}

impl<'a> Scene<'a> {
    /// A scene where nothing is observed.
    pub fn new(policy: &'a Policy, now: Timestamp, supply: &'a [SupplyKey]) -> Scene<'a> {
        Scene {
            policy,
            now,
            supply,
            rollover_notification: Seconds(0),
            waits_for_publication: false,
            publishes_cds: policy.parent.publishes_cds,
            parent: None,
        }
    }
}

/// What the parent's servers show of a key's DS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsSighting {
    /// The key.
    pub id: KeyId,
    /// On how many of the servers it is.
    pub shown: DsShown,
    /// Since when, without a contrary answer between.
    pub since: Timestamp,
    /// Largest TTL of the DS RRset seen at the parent.
    pub ttl: Seconds,
}

/// On how many of the parent's servers a DS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DsShown {
    /// On all, and all answered.
    Everywhere,
    /// On some, or not all answered.
    Somewhere,
    /// On none, and all answered.
    Nowhere,
}

/// What an evaluation answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// What is to be remembered from now on.
    pub life: ZoneLife,
    /// What is to be done or logged, in order.
    pub actions: Vec<Action>,
    /// Why records that are on their way do not move now.
    pub obstacles: Vec<Obstacle>,
    /// When to look again; `None`: nothing is scheduled.
    pub next: Option<Timestamp>,
    /// When the next dead key is purged (`<Purge>`); part of `next`.
    pub next_purge: Option<Timestamp>,
}

/// Something to be done or logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The policy has no keys (or `<Passthrough/>`): the zone becomes unsigned, step by step.
    NoKeysConfigured,
    /// A roll by the clock will begin soon (`<RolloverNotification>`).
    RollImpending {
        /// Of which role.
        role: KeyRole,
        /// When.
        at: Timestamp,
    },
    /// A key is past its lifetime, and its policy rolls by hand only.
    ManualRollDue {
        /// Of which role.
        role: KeyRole,
        /// Since when.
        since: Timestamp,
    },
    /// A key is to leave.
    KeyLeaves {
        /// Which.
        id: KeyId,
        /// Why.
        why: Leaving,
    },
    /// The zone takes this key from the supply.
    TakeKey {
        /// Which.
        id: KeyId,
        /// For which key of the policy, by index.
        policy_key: usize,
        /// What for.
        purpose: KeyUse,
    },
    /// A standby key becomes a regular one.
    CallStandby {
        /// Which.
        id: KeyId,
        /// For which key of the policy, by index.
        policy_key: usize,
    },
    /// A roll begins.
    RollStarted {
        /// Of which role.
        role: KeyRole,
        /// The keys that leave.
        from: Vec<KeyId>,
        /// The key that comes.
        to: KeyId,
    },
    /// The supply has no key that fits; one should be generated.
    KeyWanted {
        /// For which key of the policy, by index.
        policy_key: usize,
        /// What for.
        purpose: KeyUse,
    },
    /// A roll would take longer than the key lives: no key is taken.
    LifetimeTooShort {
        /// For which key of the policy, by index.
        policy_key: usize,
        /// Its lifetime.
        lifetime: Seconds,
        /// The TTL that a roll waits for besides that of the keys: of the DS or of the zone's data.
        ttl: LimitingTtl,
        /// TTL of the DNSKEY RRset.
        keys_ttl: Seconds,
    },
    /// A record went on to its next state.
    Moved {
        /// Of which key.
        id: KeyId,
        /// Which record.
        kind: RecordKind,
        /// Where it was.
        from: RecordState,
        /// Where it is.
        to: RecordState,
    },
    /// A record could go on, but its key is not backed up.
    BackupMissing {
        /// Which key.
        id: KeyId,
    },
    /// The DS is to be handed to the parent. Said again at each evaluation until
    /// [`ds_submit`](super::ds_submit) says that it was.
    SubmitDs {
        /// Of which key.
        id: KeyId,
    },
    /// The DS is to be taken back. Said as `SubmitDs` is, and not before the parent is known to
    /// have another DS: OpenDNSSEC 2.1 says it with the other one's `SubmitDs`.
    RetractDs {
        /// Of which key.
        id: KeyId,
    },
    /// The parent's servers show the DS: as if `ds-seen` was said.
    DsSeen {
        /// Of which key.
        id: KeyId,
    },
    /// The parent's servers do not show the DS any more: as if `ds-gone` was said.
    DsGone {
        /// Of which key.
        id: KeyId,
    },
    /// The key is revoked (RFC 5011 §2.1): its DNSKEY carries the REVOKE bit from now on.
    Revoke {
        /// Which.
        id: KeyId,
    },
    /// The zone forgot a dead key; where no other zone uses it, it may leave its token.
    Purge {
        /// Which.
        id: KeyId,
    },
}

impl Action {
    /// Whether it happened in this evaluation; else it is how things stand, and is said again by
    /// each until they stand otherwise.
    pub fn is_event(&self) -> bool {
        match self {
            Action::NoKeysConfigured
            | Action::RollImpending { .. }
            | Action::ManualRollDue { .. }
            | Action::KeyWanted { .. }
            | Action::LifetimeTooShort { .. }
            | Action::BackupMissing { .. }
            | Action::SubmitDs { .. }
            | Action::RetractDs { .. } => false,
            Action::KeyLeaves { .. }
            | Action::TakeKey { .. }
            | Action::CallStandby { .. }
            | Action::RollStarted { .. }
            | Action::Moved { .. }
            | Action::DsSeen { .. }
            | Action::DsGone { .. }
            | Action::Revoke { .. }
            | Action::Purge { .. } => true,
        }
    }
}

/// Why a key is to leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// No key of the policy has its role, algorithm, length and repository any more.
    NotInPolicy,
    /// Another one takes over.
    Rolled,
    /// The policy wants fewer standby keys.
    SpareStandby,
}

/// The TTL that makes a lifetime too short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitingTtl {
    /// Of the DS at the parent.
    ParentDs(Seconds),
    /// `<MaxZoneTTL>`.
    MaxZone(Seconds),
}

/// A record that is on its way and does not move now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// Of which key.
    pub id: KeyId,
    /// Which record.
    pub kind: RecordKind,
    /// The state it is to come to next.
    pub wants: RecordState,
    /// All that has to be true; at least one is not.
    pub conditions: Vec<Condition>,
}

/// One thing that has to be true before a record moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What.
    pub gate: Gate,
    /// Whether it is.
    pub is_met: bool,
    /// When it became or becomes true, where that is known.
    pub at: Option<Timestamp>,
    /// What a wait is made of, by today's policy.
    pub terms: Vec<WaitTerm>,
}

/// What has to be true before a record moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// The roll type lets this record of the same key come first.
    RollType(RecordKind),
    /// A rule of DNSSEC holds afterwards, or does not hold now either.
    Rule(Rule),
    /// Caches have forgotten what was there before.
    Time,
    /// A published version of the zone shows the record's present state.
    Published,
    /// The parent is known to have this state of the DS.
    DsAtParent(DsAtParent),
    /// The parent's servers show this.
    ParentShows(DsShown),
    /// The key is backed up.
    Backup,
    /// The key is revoked before it leaves, and no trust anchor depends on it any more: another
    /// key has been there for the add hold-down time (RFC 5011 §2.4.1).
    AddHoldDown,
    /// The key was published as revoked for the remove hold-down time (RFC 5011 §2.4.2).
    RemoveHoldDown,
}

/// The rules of DNSSEC approval: the three of catalogue 4.2, and one that is enough by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Some key has a DS.
    ChainExists,
    /// For each algorithm: whichever DS and DNSKEY sets a cache holds, they fit.
    ChainValid,
    /// For each algorithm: whichever DNSKEY set and signatures a cache holds, they fit.
    SignaturesValid,
    /// For each algorithm: whatever mix of sets and signatures a cache holds, it validates, taking
    /// from the states only what they say (guard W5).
    EveryView,
    /// The zone as it is served has signatures of each algorithm that has a DNSKEY in it
    /// (RFC 4035 §2.2).
    SignedAtSource,
}
