//! Everything the storage actor can be told.

use super::StoreError;
use crate::runtime::{Message, Reply};
use dnssec::enforcer::ZoneLife;
use dnssec::key::{KeyId, PublicKey};
use dnssec::{Name, Seconds, Timestamp};
use std::path::PathBuf;
use storage::state::{
    BackupState, Cause, ChainHash, ChainProof, ChainedEntry, HeldInput, HistoryEntry, InputAnswer,
    KeyOwner, KeyRecord, NewKey, PolicyState, Refresh, Tidied, VerdictEntry, Waiver, ZoneState,
};

/// A change of what is remembered of a zone's keys ([`storage::state::LifeChange`]).
#[derive(Clone, Debug)]
pub struct NewLife {
    /// The zone.
    pub zone: Name,
    /// What is remembered from now on.
    pub life: ZoneLife,
    /// Keys that are the zone's alone from now on: repository and id.
    pub taken: Vec<(String, KeyId)>,
    /// When.
    pub at: Timestamp,
    /// Why.
    pub cause: Cause,
}

/// Everything the storage actor can be told.
pub enum StoreMessage {
    /// Command. What is remembered about a zone; one never seen is added.
    OpenZone {
        /// The zone.
        zone: Name,
        /// The policy of a new zone.
        policy: String,
        /// What is remembered.
        reply: Reply<Result<ZoneState, StoreError>>,
    },
    /// Command. Makes a version true: serial and generation rise. Answered when durable.
    CommitVersion {
        /// The zone.
        zone: Name,
        /// What is true now.
        state: ZoneState,
        /// The approving verdict, which becomes durable with it.
        verdict: Box<VerdictEntry>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Makes a version true whose difference to the last one is in the journal: the serial
    /// rises. Answered when durable.
    CommitDifference {
        /// The zone.
        zone: Name,
        /// What is true now; the generation is that of the store.
        state: ZoneState,
        /// The approving verdict, which becomes durable with it.
        verdict: Box<VerdictEntry>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Makes a snapshot of a version that was true already the one to begin with: the
    /// generation rises. Answered when durable.
    CommitSnapshot {
        /// The zone.
        zone: Name,
        /// Of the snapshot.
        generation: u64,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Saves what is true beside the version. Answered when durable.
    UpdateZone {
        /// The zone.
        zone: Name,
        /// What is true now; serial and generation are those of the store.
        state: ZoneState,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Appends to the log of verdicts. Answered when durable.
    AppendVerdict {
        /// The entry.
        entry: Box<VerdictEntry>,
        /// Its number and hash.
        reply: Reply<Result<(u64, ChainHash), StoreError>>,
    },
    /// Query. The last entries of the log of verdicts.
    Verdicts {
        /// Of this zone only.
        zone: Option<Name>,
        /// How many at most.
        count: usize,
        /// Oldest first.
        reply: Reply<Result<Vec<ChainedEntry>, StoreError>>,
    },
    /// Query. Entries of the log of verdicts, from one on.
    VerdictsFrom {
        /// Its number.
        first: u64,
        /// How many at most.
        count: usize,
        /// Oldest first.
        reply: Reply<Result<Vec<ChainedEntry>, StoreError>>,
    },
    /// Query. Whether the log of verdicts is whole.
    VerifyVerdicts {
        /// An entry's number and hash, noted earlier.
        known: Option<(u64, ChainHash)>,
        /// What the walk showed.
        reply: Reply<Result<ChainProof, StoreError>>,
    },
    /// Command. Moves older verdicts out of the way, and removes those whose time is over.
    TidyVerdicts {
        /// When.
        now: Timestamp,
        /// How long they are kept.
        keep: Seconds,
        /// What was done.
        reply: Reply<Result<Tidied, StoreError>>,
    },
    /// Query. What is remembered about a policy.
    Policy {
        /// Its name.
        policy: String,
        /// `None` for a policy never seen.
        reply: Reply<Result<Option<PolicyState>, StoreError>>,
    },
    /// Command. Saves what is to be remembered about a policy.
    SetPolicy {
        /// Its name.
        policy: String,
        /// What is to be remembered.
        state: PolicyState,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Query. The keys of a zone or a policy, by inception.
    KeysOf {
        /// Whose keys.
        owner: KeyOwner,
        /// In whatever state they are.
        reply: Reply<Result<Vec<KeyRecord>, StoreError>>,
    },
    /// Query. All keys there are, in whatever state.
    Keys {
        /// By repository and id.
        reply: Reply<Result<Vec<KeyRecord>, StoreError>>,
    },
    /// Query. What is remembered of a zone's keys.
    Life {
        /// The zone.
        zone: Name,
        /// `None` for a zone never enforced.
        reply: Reply<Result<Option<ZoneLife>, StoreError>>,
    },
    /// Query. The same of all zones.
    Lives {
        /// By zone.
        reply: Reply<Result<Vec<(Name, ZoneLife)>, StoreError>>,
    },
    /// Command. Changes what is remembered of a zone's keys, and appends to its history.
    CommitLife {
        /// The change.
        change: Box<NewLife>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Query. What happened to a zone's keys, oldest first.
    History {
        /// The zone.
        zone: Name,
        /// The entries.
        reply: Reply<Result<Vec<HistoryEntry>, StoreError>>,
    },
    /// Command. First step of a key's generation: its id is taken from now on.
    KeyIntent {
        /// The key to be made.
        key: NewKey,
        /// Its record.
        reply: Reply<Result<KeyRecord, StoreError>>,
    },
    /// Command. Last step of a key's generation: it is in the token.
    KeyPresent {
        /// Repository of the key.
        repository: String,
        /// Its id.
        id: KeyId,
        /// Its public half.
        public_key: PublicKey,
        /// When it was made.
        inception: Timestamp,
        /// Its record.
        reply: Reply<Result<KeyRecord, StoreError>>,
    },
    /// Command. First step of a key's removal: nobody uses it from now on.
    KeyRemoving {
        /// Repository of the key.
        repository: String,
        /// Its id.
        id: KeyId,
        /// Its record.
        reply: Reply<Result<KeyRecord, StoreError>>,
    },
    /// Command. Last step of a key's removal: it is not in the token.
    KeyRemoved {
        /// Repository of the key.
        repository: String,
        /// Its id.
        id: KeyId,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Takes a key out of the trash.
    KeyRestore {
        /// Repository of the key.
        repository: String,
        /// Its id.
        id: KeyId,
        /// Its record.
        reply: Reply<Result<KeyRecord, StoreError>>,
    },
    /// Command. Notes the backup of keys: all or, on an error, none.
    KeysSetBackup {
        /// Repository and id of each.
        keys: Vec<(String, KeyId)>,
        /// How it is now.
        backup: BackupState,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Query. What a zone's parent acknowledged last.
    Announced {
        /// The zone.
        zone: Name,
        /// Its digest.
        reply: Reply<Result<Option<[u8; 32]>, StoreError>>,
    },
    /// Command. Remembers what a zone's parent acknowledged.
    SetAnnounced {
        /// The zone.
        zone: Name,
        /// Its digest; `None`: nothing counts any more.
        digest: Option<[u8; 32]>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Query. The input that a zone's operator was asked about last.
    HeldInput {
        /// The zone.
        zone: Name,
        /// With the answer, where there is one.
        reply: Reply<Result<Option<HeldInput>, StoreError>>,
    },
    /// Command. Remembers an input that is held.
    HoldInput {
        /// The zone.
        zone: Name,
        /// In the place of the one before; `None`: none is held.
        input: Option<HeldInput>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Takes an operator's answer.
    AnswerInput {
        /// The zone.
        zone: Name,
        /// The input that is meant.
        digest: [u8; 32],
        /// The answer.
        answer: InputAnswer,
        /// Whether that one is held.
        reply: Reply<Result<bool, StoreError>>,
    },
    /// Query. What the masters of a zone said last.
    Refresh {
        /// The zone.
        zone: Name,
        /// The default where nothing is known.
        reply: Reply<Result<Refresh, StoreError>>,
    },
    /// Command. Remembers what the masters of a zone said.
    SetRefresh {
        /// The zone.
        zone: Name,
        /// In the place of what they said before.
        refresh: Refresh,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Query. The waivers of a zone; of all zones, if none is named.
    Waivers {
        /// The zone.
        zone: Option<Name>,
        /// Those that are over among them.
        reply: Reply<Result<Vec<(Name, Waiver)>, StoreError>>,
    },
    /// Command. Waives a finding.
    Waive {
        /// The zone.
        zone: Name,
        /// What, until when and why.
        waiver: Waiver,
        /// When.
        now: Timestamp,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Takes a waiver back.
    Unwaive {
        /// The zone.
        zone: Name,
        /// Number of the finding.
        finding: u16,
        /// Whether there was one.
        reply: Reply<Result<bool, StoreError>>,
    },
    /// Query. What caches may have of a zone's versions.
    Eras {
        /// The zone.
        zone: Name,
        /// As it was saved.
        reply: Reply<Result<Option<Vec<u8>>, StoreError>>,
    },
    /// Command. Remembers what caches may have of a zone's versions.
    SetEras {
        /// The zone.
        zone: Name,
        /// Octets.
        eras: Vec<u8>,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Forgets a zone and its keys' lives, all at once; its serial and history stay.
    RemoveZone {
        /// The zone.
        zone: Name,
        /// When.
        at: Timestamp,
        /// Why.
        cause: Cause,
        /// Durable, or not saved at all.
        reply: Reply<Result<(), StoreError>>,
    },
    /// Command. Puts a key of a policy's pool into the trash.
    KeyDiscard {
        /// The policy.
        policy: String,
        /// Repository of the key.
        repository: String,
        /// Its id.
        id: KeyId,
        /// When.
        at: Timestamp,
        /// Whether it was there; then it is durable.
        reply: Reply<Result<bool, StoreError>>,
    },
    /// Command. Writes a copy of the store.
    CopyTo {
        /// Where.
        path: PathBuf,
        /// When.
        now: Timestamp,
        /// The copy is there, and sound.
        reply: Reply<Result<(), StoreError>>,
    },
}

impl Message for StoreMessage {
    type Result = ();
}
