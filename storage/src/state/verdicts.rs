//! The log of verdicts: what the auditor said of which version, in a chain of SHA-256 hashes.
//! In: entries; those of versions come with the commit that makes the version true
//! (`commit_version_judged`), in its transaction, so that none is published without. Out: entries,
//! and the proof of the chain ([`ChainProof`]).
//! An entry's hash is SHA-256 over the hash of the one before, its number (u64, big endian) and its
//! value: who changes, removes or inserts one breaks every hash after it. The newest entries are in
//! the table; older ones are moved in blocks to files beside the store ([`archive`]), so that
//! opening the store costs the same after a year. What is removed after its time leaves an entry
//! that names the last hash removed.
//! Never: what a verdict means. Limits: [`FINDINGS_MAX`] numbers of findings in an entry.

mod archive;
mod proof;
#[cfg(test)]
mod tests;
mod values;

pub use archive::Tidied;
pub use proof::{ChainFault, ChainProof};

use super::StateStore;
use super::error::{Failure, StateError, ValueProblem};
use super::lives::User;
use super::tables::{VERDICT_CHAIN, VERDICTS};
use dnssec::{Name, Serial, Timestamp};
use redb::{ReadableTable, WriteTransaction};
use sha2::{Digest, Sha256};
use values::{decode_event, encode_event};

/// Most numbers of findings in one entry; how many findings there were is in it too.
pub const FINDINGS_MAX: usize = 32;
/// Octets of a hash.
const HASH_LENGTH: usize = 32;
/// A hash of the chain.
pub type ChainHash = [u8; HASH_LENGTH];

/// What somebody is to be told about later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerdictEntry {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: VerdictEvent,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerdictEvent {
    /// A candidate was judged, or should have been.
    Judged(Box<Judged>),
    /// The auditor was given a zone that is wrong.
    Tested(Box<Tested>),
    /// The auditor is trusted again after a test that it did not pass.
    Trusted {
        /// Who said so; `None`: it passed after a restart.
        by: Option<User>,
        /// Why.
        reason: String,
    },
    /// Older entries were removed after their time.
    Pruned {
        /// Number of the last of them.
        through: u64,
        /// Its hash.
        hash: ChainHash,
    },
}

/// How much the auditor looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole zone.
    Whole,
    /// How it differs from the version approved before.
    Difference,
}

/// What became of a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It may be published.
    Approve,
    /// Not until somebody has looked.
    Hold,
    /// It must not be.
    Reject,
    /// There was no verdict: not published.
    NoVerdict,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The zone.
    pub zone: Name,
    /// The candidate's serial.
    pub serial: Option<Serial>,
    /// SHA-256 of the records judged; of a difference, with the digest of the version before in
    /// front. `None`: there was no verdict.
    pub digest: Option<ChainHash>,
    /// How much was looked at.
    pub extent: Extent,
    /// The verdict.
    pub outcome: Outcome,
    /// Numbers of the findings, each once, [`FINDINGS_MAX`] at most.
    pub findings: Vec<u16>,
    /// How many findings there were.
    pub finding_count: u32,
    /// Which build of the auditor said so.
    pub auditor: String,
}

/// What became of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestOutcome {
    /// It rejected, for the right reason.
    Caught,
    /// It rejected, but not for what had been planted.
    OtherFinding,
    /// It approved.
    Missed,
    /// It did not answer.
    NoVerdict,
}

/// A test of the auditor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tested {
    /// The zone of which a version was changed.
    pub zone: Name,
    /// The serial of that version.
    pub serial: Option<Serial>,
    /// What was done to it.
    pub mutation: String,
    /// How it was asked.
    pub extent: Extent,
    /// What it said.
    pub outcome: TestOutcome,
    /// Numbers of the findings that it made, [`FINDINGS_MAX`] at most.
    pub findings: Vec<u16>,
    /// Which build of the auditor.
    pub auditor: String,
}

/// An entry in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainedEntry {
    /// Its number, from 0.
    pub number: u64,
    /// The hash of the one before; zeros before the first.
    pub previous: ChainHash,
    /// Its own.
    pub hash: ChainHash,
    /// What it says.
    pub entry: VerdictEntry,
}

/// A place in the chain: the number of the next entry, and the hash of the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Link {
    next: u64,
    previous: ChainHash,
}

impl Link {
    /// Before the first entry.
    const START: Link = Link { next: 0, previous: [0; HASH_LENGTH] };
}

/// After the last entry.
const HEAD: &str = "head";
/// Before the first one in the table; the others are in files.
const TAIL: &str = "tail";
/// Before the first one that was not removed.
const BASE: &str = "base";
/// The test that the auditor did not pass, while it is not trusted.
const DISTRUST: &str = "distrust";
const TABLE: &str = "verdicts";

/// The hash of an entry.
fn hash_of(link: &Link, value: &[u8]) -> ChainHash {
    let mut context = Sha256::new();
    context.update(link.previous);
    context.update(link.next.to_be_bytes());
    context.update(value);
    context.finalize().into()
}

/// The hash and the value in a row of the table or a file.
fn split(row: &[u8]) -> Option<(ChainHash, &[u8])> {
    let (hash, value) = row.split_at_checked(HASH_LENGTH)?;
    Some((hash.try_into().ok()?, value))
}

fn malformed() -> Failure {
    Failure::Value { table: TABLE, problem: ValueProblem::Malformed }
}

/// A place that is noted; `None`: it is not.
fn noted(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    name: &str,
) -> Result<Option<Link>, Failure> {
    let Some(row) = table.get(name)? else { return Ok(None) };
    let (next, previous) = row.value();
    let previous = previous.try_into().map_err(|_| malformed())?;
    Ok(Some(Link { next, previous }))
}

fn note(transaction: &WriteTransaction, name: &str, link: &Link) -> Result<(), Failure> {
    let mut table = transaction.open_table(VERDICT_CHAIN)?;
    table.insert(name, (link.next, link.previous.as_slice()))?;
    Ok(())
}

/// Appends an entry to the chain, in a transaction that may do more.
pub(super) fn append(
    transaction: &WriteTransaction,
    entry: &VerdictEntry,
) -> Result<(u64, ChainHash), Failure> {
    let value = encode_event(entry)?;
    let head = noted(&transaction.open_table(VERDICT_CHAIN)?, HEAD)?.unwrap_or(Link::START);
    let hash = hash_of(&head, &value);
    let row = [hash.as_slice(), &value].concat();
    transaction.open_table(VERDICTS)?.insert(head.next, row.as_slice())?;
    // 2^64 entries are never made.
    note(transaction, HEAD, &Link { next: head.next.saturating_add(1), previous: hash })?;
    match &entry.event {
        VerdictEvent::Tested(tested) if tested.outcome == TestOutcome::Missed => {
            note(transaction, DISTRUST, &Link { next: head.next, previous: hash })?;
        }
        VerdictEvent::Trusted { .. } => {
            transaction.open_table(VERDICT_CHAIN)?.remove(DISTRUST)?;
        }
        _ => {}
    }
    Ok((head.next, hash))
}

impl StateStore {
    /// Appends an entry; gives its number and hash.
    pub fn verdict_append(&self, entry: &VerdictEntry) -> Result<(u64, ChainHash), StateError> {
        self.write(|transaction| append(transaction, entry))
    }

    /// The number of the test since which the auditor is not trusted; `None`: it is.
    pub fn auditor_distrusted(&self) -> Result<Option<u64>, StateError> {
        self.read(|transaction| {
            let table = transaction.open_table(VERDICT_CHAIN)?;
            Ok(noted(&table, DISTRUST)?.map(|link| link.next))
        })
    }

    /// The last `count` entries, of one zone if one is named, oldest first. Looks from the end, so
    /// that the last entries of all zones cost no more than themselves.
    pub fn verdicts(
        &self,
        zone: Option<&Name>,
        count: usize,
    ) -> Result<Vec<ChainedEntry>, StateError> {
        let zone = zone.map(Name::to_lowercase);
        let mut found = Vec::new();
        self.walk_back(&mut |link, row| {
            if found.len() >= count {
                return Ok(false);
            }
            let entry = chained(link, row)?;
            if zone.is_none() || entry.entry.event.zone().map(Name::to_lowercase) == zone {
                found.push(entry);
            }
            Ok(found.len() < count)
        })?;
        found.reverse();
        Ok(found)
    }

    /// Entries from number `first` on, `count` at most, oldest first.
    pub fn verdicts_from(&self, first: u64, count: usize) -> Result<Vec<ChainedEntry>, StateError> {
        let mut found = Vec::new();
        let first = first.max(self.base()?.next);
        self.walk(first, &mut |link, row| {
            if found.len() < count && link.next >= first {
                found.push(chained(link, row)?);
            }
            Ok(found.len() < count)
        })?;
        Ok(found)
    }
}

fn chained(link: &Link, row: &[u8]) -> Result<ChainedEntry, Failure> {
    let (hash, value) = split(row).ok_or_else(malformed)?;
    let entry = decode_event(value)?;
    Ok(ChainedEntry { number: link.next, previous: link.previous, hash, entry })
}

impl VerdictEvent {
    /// The zone that it is about.
    pub fn zone(&self) -> Option<&Name> {
        match self {
            VerdictEvent::Judged(judged) => Some(&judged.zone),
            VerdictEvent::Tested(tested) => Some(&tested.zone),
            VerdictEvent::Trusted { .. } | VerdictEvent::Pruned { .. } => None,
        }
    }
}
