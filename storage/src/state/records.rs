//! What the state store holds, as callers see it. In: facts from the enforcer, the zones and the
//! slots. Out: the same. Never: secrets; the text of a policy (kasp.xml stays its only place).

use dnssec::key::{KeyId, KeyRole};
use dnssec::{Algorithm, Serial, Timestamp};

/// What is to be remembered about a policy beside its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyState {
    /// The current NSEC3 salt; empty when there is none (RFC 9276 §3.1).
    pub salt: Vec<u8>,
    /// When the salt was made.
    pub salt_changed: Timestamp,
}

/// How a version denies existence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// NSEC (RFC 4034 §4).
    Nsec,
    /// NSEC3 (RFC 5155).
    Nsec3 {
        /// Hash algorithm number.
        hash_algorithm: u8,
        /// Additional iterations.
        iterations: u16,
        /// Salt.
        salt: Vec<u8>,
        /// Whether insecure delegations were left out.
        opt_out: bool,
    },
}

/// What is to be remembered about a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneState {
    /// Name of its policy.
    pub policy: String,
    /// Serial of the unsigned input that the true version was made from.
    pub input_serial: Option<Serial>,
    /// Serial of the true version; of a zone that was removed and came back, its last one.
    pub output_serial: Option<Serial>,
    /// The true generation: which snapshot counts. 0: none yet.
    pub generation: u64,
    /// When the true version was signed.
    pub signed_at: Option<Timestamp>,
    /// How the true version denies existence; `None` for a version that is not signed.
    pub denial: Option<Denial>,
    /// When a version was last published.
    pub last_published: Option<Timestamp>,
}

/// Whose key it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyOwner {
    /// One zone's.
    Zone(Box<dnssec::Name>),
    /// A policy's: shared by its zones, or made in advance and not given to a zone yet.
    Policy(String),
}

/// Where a key is in its life in the token. Its life in the DNS is not kept here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// It may be in the token, or not: generation was about to be asked for.
    Intent,
    /// It is in the token.
    Present,
    /// It is not used any more; it may be in the token, or not: its destruction was about to be
    /// asked for.
    Removing,
    /// It is in the token and belongs to no zone any more; it is destroyed later, unless somebody
    /// wants it back.
    Trashed {
        /// Since when.
        since: Timestamp,
    },
}

/// Backup of a key's private half (catalogue 4.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackupState {
    /// Its repository does not require one.
    NotRequired,
    /// Required, not made.
    Required,
    /// `backup prepare` was given: the operator is making it.
    Requested,
    /// `backup commit` was given.
    Done,
}

/// A key to be generated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKey {
    /// CKA_ID, chosen by us.
    pub id: KeyId,
    /// Repository, by its name in conf.xml.
    pub repository: String,
    /// What it is for.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its length, in bits.
    pub bits: u16,
    /// DNSKEY flags (RFC 4034 §2.1.1).
    pub flags: u16,
    /// Whose it is.
    pub owner: KeyOwner,
    /// When it was asked for.
    pub inception: Timestamp,
    /// Whether a backup is required.
    pub backup: BackupState,
}

/// A key in the store; repository and id name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// CKA_ID.
    pub id: KeyId,
    /// Repository, by its name in conf.xml.
    pub repository: String,
    /// What it is for.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its length, in bits.
    pub bits: u16,
    /// DNSKEY flags (RFC 4034 §2.1.1).
    pub flags: u16,
    /// Key field of its DNSKEY; `None` as long as nobody has seen it.
    pub public_key: Option<Vec<u8>>,
    /// Whose it is.
    pub owner: KeyOwner,
    /// When it was generated; of an intent, when it was asked for.
    pub inception: Timestamp,
    /// Where it is in its life in the token.
    pub state: KeyState,
    /// Its backup.
    pub backup: BackupState,
}
