//! What is known of the running system at one moment: what verdicts and metrics are made of.
//! In: what actors show of themselves. Out: nothing; plain values. Never: handles, locks, waits.

use crate::enforcer::{PerRole, ZoneLife};
use crate::key::KeyId;
use crate::policy::Policy;
use crate::{Seconds, Serial, Timestamp};

/// A moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moment {
    /// The wall clock.
    pub wall: Timestamp,
    /// Time since the daemon's start, which no setting of the wall clock changes.
    pub uptime: Seconds,
}

/// What somebody said, and when he did last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard<T> {
    /// What he said; `None`: nothing yet.
    pub value: Option<T>,
    /// The uptime then; of somebody who never said anything, when he was first asked.
    pub at: Seconds,
}

/// Everything.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// When it was taken; `None`: never yet.
    pub taken: Option<Moment>,
    /// The daemon's version.
    pub version: &'static str,
    /// The zones, by name.
    pub zones: Vec<ZoneHealth>,
    /// The repositories, by name.
    pub slots: Vec<(String, Heard<SlotHealth>)>,
    /// The zones' keys.
    pub keys: Option<Heard<KeysHealth>>,
    /// The auditor.
    pub auditor: Option<Heard<AuditorHealth>>,
    /// Actors that do not run as they should, or were restarted.
    pub actors: Vec<ActorHealth>,
    /// The wall clock.
    pub clock: ClockHealth,
    /// Jobs that wait for a worker.
    pub jobs_waiting: u64,
    /// Of the transfer server: transfers sent to their end, and connections that got no place.
    pub transfers_out: Option<(u64, u64)>,
}

/// What of a zone's policy its health is measured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneTerms {
    /// `<Refresh>`; zero: all signatures are made anew in each run.
    pub refresh: Seconds,
    /// `<Resign>`.
    pub resign: Seconds,
    /// The shortest `<Validity>`, less `<Jitter>`.
    pub validity: Seconds,
    /// Until a DS is at the parent: registration and propagation.
    pub parent_delay: Seconds,
    /// Somebody else signs the zone, or nobody.
    pub is_passed_through: bool,
    /// Whose keys an operator rolls.
    pub rolled_by_hand: PerRole<bool>,
}

impl ZoneTerms {
    /// The terms of a policy.
    pub fn of(policy: &Policy) -> ZoneTerms {
        let signatures = &policy.signatures;
        let keyset = signatures.validity_keyset.filter(|it| it.0 > 0);
        let shortest = [signatures.validity_default, signatures.validity_denial]
            .into_iter()
            .chain(keyset)
            .min()
            .unwrap_or_default();
        let parent = &policy.parent;
        let mut rolled_by_hand = PerRole::default();
        for key in policy.keys.keys.iter().filter(|key| key.manual_rollover) {
            *rolled_by_hand.get_mut(key.role) = true;
        }
        ZoneTerms {
            rolled_by_hand,
            refresh: signatures.refresh,
            resign: signatures.resign,
            validity: Seconds(shortest.0.saturating_sub(signatures.jitter.0)),
            parent_delay: Seconds(
                parent.registration_delay.0.saturating_add(parent.propagation_delay.0),
            ),
            is_passed_through: policy.passthrough,
        }
    }
}

/// What a zone is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZonePhase {
    /// Begins, or waits for its first keys or its first transfer.
    #[default]
    Beginning,
    /// Is read, signed, audited or published.
    Running,
    /// Waits for its next run.
    Idle,
    /// The last run failed; it waits for the next one.
    Failed,
    /// Runs crashed again and again.
    Quarantined,
}

/// A zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneHealth {
    /// Its name, as users write it.
    pub name: String,
    /// What it is measured by.
    pub terms: ZoneTerms,
    /// What it is doing.
    pub phase: ZonePhase,
    /// Since when this daemon knows it.
    pub known_since: Timestamp,
    /// Serial of the input that is signed.
    pub input_serial: Option<Serial>,
    /// Serial of the published version; `None`: there is none.
    pub output_serial: Option<Serial>,
    /// When that was signed.
    pub signed_at: Option<Timestamp>,
    /// When a run last ended well, whether there was anything to do or not.
    pub ended_well: Option<Timestamp>,
    /// When the next run is due.
    pub next_run: Option<Timestamp>,
    /// When the first signature expires.
    pub earliest_expiration: Option<Timestamp>,
    /// Why the last run failed, or why the input could not be read.
    pub failure: Option<String>,
    /// Why the input could not be read when that was last tried.
    pub input_failure: Option<String>,
    /// Failed runs in a row.
    pub failures: u32,
    /// The refusal that stands.
    pub refusal: Option<RefusalHealth>,
    /// The input that waits for an operator's word.
    pub held: Option<HeldHealth>,
    /// When the DNSKEY RRset expires that is due and that no token signs.
    pub keyset_expires: Option<Timestamp>,
    /// Its masters; `None`: it comes from a file.
    pub inbound: Option<InboundHealth>,
    /// Its secondaries; `None`: it goes to a file.
    pub output: Option<OutputHealth>,
    /// How many updates were answered with each RCODE; empty: nobody may send any.
    pub updates: Vec<(String, u64)>,
    /// What the notify command said, when it failed.
    pub notify_failure: Option<String>,
}

/// A refusal by the auditor or a checker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalHealth {
    /// Serial of the candidate.
    pub serial: Option<Serial>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: String,
}

/// An input that the breaker holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeldHealth {
    /// An operator has rejected it.
    pub is_rejected: bool,
    /// What is odd about it.
    pub reason: String,
}

/// How a zone comes in by transfer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InboundHealth {
    /// How many masters it has.
    pub masters: usize,
    /// The one that is being asked.
    pub asking: Option<String>,
    /// Time from a good answer to the next question (the SOA's).
    pub refresh: Seconds,
    /// Time from a failure to the next try (the SOA's).
    pub retry: Seconds,
    /// When one of them last said that we have the newest version.
    pub confirmed_at: Option<Timestamp>,
    /// When the zone expires if none says so again.
    pub expires_at: Option<Timestamp>,
    /// Masters that do not give us the zone: who, since when, why.
    pub refusals: Vec<(String, Timestamp, String)>,
    /// The newest serial that a master was heard of with.
    pub serial: Option<Serial>,
}

/// How the secondaries of a zone are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputHealth {
    /// How many there are.
    pub secondaries: usize,
    /// Those with an older version than the published one.
    pub behind: usize,
    /// Those of them that are so for too long.
    pub late: usize,
    /// Those that do not say which version they have.
    pub unseen: usize,
    /// Those that say they have a newer version than was ever published.
    pub ahead: usize,
    /// Those that did not acknowledge the last NOTIFY, and are not told again before the next
    /// version.
    pub unacknowledged: usize,
    /// The longest time that one of them is behind.
    pub lag_max: Seconds,
}

/// A repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SlotHealth {
    /// Why it is not open; `None`: it is.
    pub failure: Option<String>,
    /// When it last made a signature that verified.
    pub last_good: Option<Timestamp>,
    /// Requests under way: how long, and how many signatures each wants.
    pub under_way: Vec<(Seconds, u64)>,
    /// How long its last request took, in milliseconds.
    pub answered_in_ms: Option<u64>,
    /// Signatures that it made since it was opened.
    pub signatures_made: u64,
    /// Requests that it failed since it was opened.
    pub requests_failed: u64,
    /// Keys in the token, and how many may be.
    pub room: Option<(u64, u64)>,
    /// When it will be full; `None`: never, or not known.
    pub full_in: Option<Seconds>,
    /// Its zones need more keys than it may have.
    pub is_too_small: bool,
    /// Members of a group that are not in, with why.
    pub members_away: Vec<(String, String)>,
    /// How many members the group has; 0: it is none.
    pub members: usize,
}

/// The keys of all zones; zones by their names as users write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeysHealth {
    /// What the enforcer remembers of each zone.
    pub lives: Vec<(String, ZoneLife)>,
    /// When the enforcer looks at which zone next.
    pub agenda: Vec<(Timestamp, String)>,
    /// DS RRsets (RDATA) that servers of parents show, where they are asked.
    pub shown_ds: Vec<(String, Vec<Vec<Vec<u8>>>)>,
    /// Keys whose DS those servers were found not to have, its digest included.
    pub absent_ds: Vec<(String, KeyId)>,
    /// Zones whose parent's servers do not agree, or are not believed.
    pub disagreements: Vec<(String, String)>,
}

/// The auditor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditorHealth {
    /// Why nothing is published.
    pub distrusted: Option<String>,
    /// For how long there has been no verdict while zones waited.
    pub silent_for: Option<Seconds>,
    /// Verdicts since the start.
    pub verdicts: u64,
    /// Zones that wait for one.
    pub waiting: usize,
    /// Findings that operators waived and that count now: zone, finding, until when.
    pub waived: Vec<(String, u16, Timestamp)>,
}

/// An actor that was restarted, or does not run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActorHealth {
    /// Its path in the tree.
    pub path: String,
    /// It was restarted too often, and is left alone.
    pub is_given_up: bool,
    /// It pauses after a failure.
    pub is_pausing: bool,
    /// Times it was started again.
    pub restarts: u32,
    /// Its last failure.
    pub failure: Option<String>,
}

/// The wall clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClockHealth {
    /// The last step that was larger than a second: by how many seconds, and when (uptime).
    pub step: Option<(i64, Seconds)>,
}
