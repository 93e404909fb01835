//! Everything the enforcer can be told, and what it answers.

use super::sight::{Asked, Sights};
use crate::parent::ParentStatus;
use crate::runtime::{Message, Recipient, Reply};
use crate::store::StoreError;
use dnssec::enforcer::{CommandError, ImportError, PublishedKeys, ZoneLife};
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;
use dnssec::signing::ZoneKey;
use dnssec::signing::parent_sync::Delegation;
use dnssec::{Algorithm, Name, Seconds, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use storage::state::{Cause, NewKey};

/// Everything the enforcer can be told.
pub enum EnforcerMessage {
    /// Command. See to the keys of a zone from now on, and say which they are.
    KeysWanted(Wanted),
    /// Event. A command gives these zones another policy; told before they ask for their keys
    /// under it.
    PolicyGiven {
        /// The zones.
        zones: Vec<Name>,
        /// The command and who gave it, for the history of what follows at once.
        cause: Cause,
    },
    /// Event. A zone published a version: waits that count from there begin.
    Published {
        /// The zone.
        zone: Name,
        /// What the version shows of its keys.
        report: PublishedKeys,
    },
    /// Event. A zone published this for its parent, who may have to be told (RFC 9859).
    Announced {
        /// The zone.
        zone: Name,
        /// A digest of its CDS and CDNSKEY; `None`: there are none.
        digest: Option<[u8; 32]>,
        /// When it was published.
        at: Timestamp,
    },
    /// Command. Change what is remembered of a zone, then look at it again.
    Change(Change),
    /// Command. Look at zones now, whatever their time: one, or all.
    Enforce {
        /// The zone; `None`: all.
        zone: Option<Name>,
    },
    /// Command. A zone is gone: nothing is done about its keys any more.
    Forget {
        /// The zone.
        zone: Name,
        /// What was under way has ended.
        reply: Reply<()>,
    },
    /// Command. The same for a key that is in its token and gets its record first.
    Adopt {
        /// The key.
        key: Box<NewKey>,
        /// How the zone takes it.
        change: Change,
    },
    /// Command. Make keys ahead for a policy, or for all; they are made one at a time, whenever
    /// no zone of the policy wants anything.
    Generate {
        /// Its name; `None`: all that have zones.
        policy: Option<String>,
        /// How long the unused keys shall last; `None`: as conf.xml says.
        period: Option<Seconds>,
    },
    /// Command. Make so many keys ahead for a policy that so many zones of it need no other ones
    /// for a period.
    Stock {
        /// The policy; it need not have zones.
        policy: Arc<Policy>,
        /// How long the unused keys shall last.
        period: Seconds,
        /// How many zones; one where keys are shared.
        pools: usize,
    },
    /// Command. Destroy keys that are in the trash, without waiting for their time.
    Destroy {
        /// Repository and id of each.
        keys: Vec<(String, KeyId)>,
        /// How many are destroyed; the others are tried again.
        reply: Reply<usize>,
    },
    /// Command. Look at a zone and write its signer configuration file, unless that is as it should
    /// be.
    Signconf {
        /// The zone.
        zone: Name,
        /// The file is as it should be, or why not; then it is tried again.
        reply: Reply<Result<(), ChangeError>>,
    },
    /// Command. A zone was deleted: its signer configuration file gets another name.
    PutAside {
        /// The zone.
        zone: Name,
        /// The file.
        file: PathBuf,
        /// Done, or why not; then it is tried again.
        reply: Reply<Result<(), ChangeError>>,
    },
    /// Query. Zones as the enforcer sees them, each under its policy or a proposed one. Nobody's
    /// turn is waited for.
    Sights {
        /// Which.
        zones: Vec<Asked>,
        /// What is seen.
        reply: Reply<Result<Sights, StoreError>>,
    },
    /// Query. What is known of the parents of zones.
    Parents {
        /// The zone; `None`: all.
        zone: Option<Name>,
        /// What is known, by name.
        reply: Reply<Vec<ParentStatus>>,
    },
    /// Query. Zones that are in their turn, or wait for it.
    AtWork {
        /// By name.
        reply: Reply<Vec<Name>>,
    },
    /// Query. When which zone is looked at next.
    Agenda {
        /// By time, then by name; zones without a next time are left out.
        reply: Reply<Vec<(Timestamp, Name)>>,
    },
}

impl Message for EnforcerMessage {
    type Result = ();
}

/// A zone that wants its keys.
pub struct Wanted {
    /// The zone.
    pub zone: Name,
    /// Its policy.
    pub policy: Arc<Policy>,
    /// Where the answer goes, now and whenever the keys change.
    pub to: Recipient<KeysEvent>,
    /// Where its signer configuration file is to be; `None`: there is to be none.
    pub signconf: Option<PathBuf>,
}

/// What a command does to what is remembered of a zone: a pure function of it and the time.
pub type LifeEdit = Box<dyn FnOnce(&ZoneLife, Timestamp) -> Result<ZoneLife, ChangeError> + Send>;

/// A command about a zone's keys.
pub struct Change {
    /// The zone.
    pub zone: Name,
    /// What to do.
    pub edit: LifeEdit,
    /// Who wants it and why, for the history.
    pub cause: Cause,
    /// Durable, or refused and nothing changed.
    pub reply: Reply<Result<(), ChangeError>>,
}

/// Why a command about a zone's keys changed nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ChangeError {
    /// The enforcer does not have the zone.
    #[error("zone {0} is not known to the enforcer")]
    ZoneUnknown(Box<Name>),
    /// It does not apply.
    #[error(transparent)]
    Refused(#[from] CommandError),
    /// The key does not fit.
    #[error(transparent)]
    NotImported(#[from] ImportError),
    /// Nothing could be saved, or the enforcer is overloaded.
    #[error("{0}")]
    Failed(String),
}

/// The enforcer's answer to a zone.
#[derive(Clone, Debug)]
pub enum KeysEvent {
    /// Event. The keys are in their tokens and on record.
    Ready(ZoneKeys),
    /// Event. They are not; the zone asks again later.
    Failed {
        /// Why.
        error: String,
    },
}

impl Message for KeysEvent {
    type Result = ();
}

/// What a zone signs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneKeys {
    /// The keys, with the moment the zone took each.
    pub keys: Vec<(ZoneKey, Timestamp)>,
    /// The salt of the policy's NSEC3 chains.
    pub salt: Vec<u8>,
    /// What the parent has of them, and is to have.
    pub delegation: Delegation,
    /// DS RRsets that servers of the parent showed lately (RDATA), where they are asked.
    pub shown_ds: Vec<Vec<Vec<u8>>>,
    /// Keys that are to leave, which need not be of the policy any more.
    pub leaving: Vec<LeavingKey>,
}

/// The kind of a key that is to leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeavingKey {
    /// Its role.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its length, in bits.
    pub bits: u16,
}
