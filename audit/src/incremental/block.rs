//! Records of one approved zone in blocks: owner names in canonical order (RFC 4034 §6.1), all
//! records of an owner name together, in any order among themselves.
//!
//! Blocks are immutable and shared: a changed list has new blocks only where something changed.
//! Memory: 4 octets an owner name and about 100 a block, beside the records themselves.
//! Not done: small blocks that deletions leave behind are not merged.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::facts::Facts;
use crate::rdata;
use crate::signer_sets::{KeyId, SignersDigest};
use crate::wire::{self, Record, rtype};

/// Octets in a block that is made here.
pub(super) const BLOCK_SIZE: usize = 32 * 1024;
/// A block of more than one owner name and more octets is split.
pub(super) const BLOCK_SIZE_MAX: usize = 96 * 1024;

/// The records in `bytes`, each with its own octets. Ends at the end or at the first damage.
pub(super) struct Records<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (&'a [u8], Record<'a>);

    fn next(&mut self) -> Option<Self::Item> {
        let (record, length) = wire::read_record(self.0)?;
        let (bytes, rest) = self.0.split_at(length);
        self.0 = rest;
        Some((bytes, record))
    }
}

/// The type that a record is about: for an RRSIG the type covered.
pub(super) fn type_concerned(record: &Record<'_>) -> u16 {
    if record.rtype == rtype::RRSIG {
        wire::u16_at(record.rdata, 0).unwrap_or(rtype::RRSIG)
    } else {
        record.rtype
    }
}

/// Whether a record belongs into the list of NSEC3 records and their signatures.
pub(super) fn is_nsec3(record: &Record<'_>) -> bool {
    type_concerned(record) == rtype::NSEC3
}

/// When the signatures in some records are valid, in Unix seconds. The 32-bit times of an RRSIG
/// (RFC 4034 §3.1.5) are taken as those nearest to the moment of the audit that approved them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    soonest_expiration: i64,
    oldest_inception: i64,
}

impl Window {
    pub(super) const EMPTY: Self =
        Self { soonest_expiration: i64::MAX, oldest_inception: i64::MAX };

    /// Narrows the window by a record, if it is an RRSIG.
    pub(super) fn note(&mut self, record: &Record<'_>, now: u64) {
        if record.rtype != rtype::RRSIG {
            return;
        }
        // Malformed RRSIGs are never approved.
        let Some(rrsig) = rdata::rrsig(record.rdata) else { return };
        let (expiration, inception) =
            (nearest(rrsig.expiration, now), nearest(rrsig.inception, now));
        self.soonest_expiration = self.soonest_expiration.min(expiration);
        self.oldest_inception = self.oldest_inception.min(inception);
    }

    /// Whether a signature may no longer do at `now`: it expires before the next refresh, or its
    /// inception is so long ago that serial arithmetic takes it for the future.
    pub(super) fn is_left(self, now: u64, refresh_seconds: u32) -> bool {
        let now = now.cast_signed();
        self.soonest_expiration <= now
            || self.soonest_expiration < now.saturating_add(i64::from(refresh_seconds))
            || now.saturating_sub(self.oldest_inception) >= 1 << 31
    }
}

/// The moment in Unix seconds that a 32-bit time stands for.
fn nearest(time: u32, now: u64) -> i64 {
    // Truncation is what serial arithmetic asks for.
    let from_now = time.wrapping_sub(now as u32).cast_signed();
    now.cast_signed().saturating_add(i64::from(from_now))
}

/// What blocks are made for: the moment of the audit, and the apex in lower case.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) now: u64,
    pub(super) apex: &'a [u8],
}

/// Sums up the records of one owner name after the other.
pub(super) struct Sum<'a> {
    at: At<'a>,
    pub(super) window: Window,
    pub(super) facts: Facts,
    /// Types covered, and keys, of the signatures at this owner name.
    signatures: Vec<(u16, KeyId)>,
    keys: Vec<KeyId>,
}

impl<'a> Sum<'a> {
    pub(super) fn new(at: At<'a>) -> Self {
        let (window, facts) = (Window::EMPTY, Facts::default());
        Sum { at, window, facts, signatures: Vec::new(), keys: Vec::new() }
    }

    pub(super) fn note(&mut self, record: &Record<'_>) {
        if record.rtype != rtype::RRSIG {
            return;
        }
        self.window.note(record, self.at.now);
        // Malformed RRSIGs are never approved.
        let Some(rrsig) = rdata::rrsig(record.rdata) else { return };
        let expires_at = nearest(rrsig.expiration, self.at.now);
        self.facts.note_signature(expires_at, record.ttl, record.owner);
        self.signatures.push((type_concerned(record), rrsig.key_id()));
    }

    /// After all records of an owner name.
    pub(super) fn end_owner(&mut self, owner: &[u8]) {
        self.signatures.sort_unstable();
        for of_one in self.signatures.chunk_by(|left, right| left.0 == right.0) {
            if of_one[0].0 == rtype::DNSKEY && wire::equal_names(owner, self.at.apex) {
                continue;
            }
            self.keys.clear();
            self.keys.extend(of_one.iter().map(|(_, key)| *key));
            self.facts.signer_sets.note(&mut self.keys, owner);
        }
        self.signatures.clear();
    }
}

/// One block.
pub(super) struct Block {
    bytes: Vec<u8>,
    /// Where the records of each owner name start.
    starts: Vec<u32>,
    /// Who signs what in it, and for how long; without who signs the keys.
    pub(super) facts: Facts,
}

/// Only sizes: a zone is too much for a log line.
impl std::fmt::Debug for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Block({} octets, {} names)", self.bytes.len(), self.starts.len())
    }
}

impl Block {
    pub(super) fn len(&self) -> usize {
        self.starts.len()
    }

    /// Owner name of the first record; searches ask for it so often that it pays to look nowhere
    /// else.
    fn first_owner(&self) -> &[u8] {
        &self.bytes[..wire::name_length(&self.bytes).unwrap_or(0)]
    }

    fn owner(&self, at: usize) -> &[u8] {
        let bytes = &self.bytes[self.starts[at] as usize..];
        &bytes[..wire::name_length(bytes).unwrap_or(0)]
    }

    fn end(&self, at: usize) -> usize {
        self.starts.get(at + 1).map_or(self.bytes.len(), |&start| start as usize)
    }

    fn records(&self, at: usize) -> &[u8] {
        &self.bytes[self.starts[at] as usize..self.end(at)]
    }
}

/// One block of a list, and the summary of its signatures. What each audit asks of every block is
/// here and not in the block, so that a zone of thousands of blocks is summed up without a look
/// into them.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    block: Arc<Block>,
    pub(super) window: Window,
    /// Of the block's facts: when the first signature is too old to be fetched, the largest TTL,
    /// and a digest of the signer sets.
    last_fetch: i64,
    largest_ttl: u32,
    signers: SignersDigest,
}

impl Slot {
    fn new(bytes: Vec<u8>, Outline { starts, window, facts }: Outline) -> Self {
        let last_fetch = facts.last_fetch.0.as_ref().map_or(i64::MAX, |moment| moment.at);
        let (largest_ttl, signers) = (facts.largest_ttl, facts.signer_sets.digest());
        let block = Arc::new(Block { bytes, starts, facts });
        Slot { block, window, last_fetch, largest_ttl, signers }
    }

    /// Who signs what in the block.
    pub(super) fn facts(&self) -> &Facts {
        &self.block.facts
    }

    /// The owner names of the block in order, each with its records.
    pub(super) fn owners(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let block = &self.block;
        (0..block.len()).map(|at| (block.owner(at), block.records(at)))
    }

    /// All records of the block.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.block.bytes
    }
}

/// Which owner name of a list: block, and number in the block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Position {
    slot: usize,
    at: usize,
}

/// All records of an owner name after a change; none: the name goes.
#[derive(Debug)]
pub(super) struct Edit {
    pub(super) owner: Vec<u8>,
    pub(super) records: Vec<u8>,
}

/// An ordered list of owner names with their records.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    slots: Vec<Slot>,
}

impl List {
    /// Appends whole blocks of records, which must come after all that is there.
    pub(super) fn push(&mut self, slot: Slot) {
        self.slots.push(slot);
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Facts of all blocks together. Looks into one block for each sum that differs.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::default();
        let first = |key: fn(&Slot) -> i64| self.slots.iter().min_by_key(|slot| key(slot));
        if let Some(slot) = first(|slot| slot.window.soonest_expiration) {
            facts.expiry.merge(&slot.facts().expiry);
        }
        if let Some(slot) = first(|slot| slot.last_fetch) {
            facts.last_fetch.merge(&slot.facts().last_fetch);
        }
        facts.largest_ttl = self.slots.iter().map(|slot| slot.largest_ttl).max().unwrap_or(0);
        let mut seen: Vec<&SignersDigest> = Vec::new();
        for slot in &self.slots {
            // Mostly the one before; there are a few at most.
            if !seen.iter().rev().any(|known| **known == slot.signers) {
                seen.push(&slot.signers);
                facts.signer_sets.merge(&slot.facts().signer_sets);
            }
            if facts.signer_sets.are_too_many {
                break;
            }
        }
        facts
    }

    /// The first owner name.
    pub(super) fn first_owner(&self) -> Option<&[u8]> {
        self.slots.first().map(|slot| slot.block.first_owner())
    }

    /// The last owner name.
    pub(super) fn last_owner(&self) -> Option<&[u8]> {
        let block = &self.slots.last()?.block;
        Some(block.owner(block.len().checked_sub(1)?))
    }

    /// First owner name of which `is_before` is not true; it must be true up to some name only.
    pub(super) fn partition(&self, is_before: impl Fn(&[u8]) -> bool) -> Position {
        let after = self.slots.partition_point(|slot| is_before(slot.block.first_owner()));
        let Some(slot) = after.checked_sub(1) else { return Position { slot: 0, at: 0 } };
        let at = first_not(&self.slots[slot].block, is_before);
        if at == self.slots[slot].block.len() {
            Position { slot: after, at: 0 }
        } else {
            Position { slot, at }
        }
    }

    /// First owner name that is `name` or comes after it.
    pub(super) fn at_or_after(&self, name: &[u8]) -> Position {
        self.partition(|owner| wire::compare_names(owner, name).is_lt())
    }

    /// The position of `name`, if it is there.
    pub(super) fn find(&self, name: &[u8]) -> Option<Position> {
        let position = self.at_or_after(name);
        self.owner(position).filter(|owner| wire::equal_names(owner, name)).map(|_| position)
    }

    /// Records of `name`; empty if it is not there.
    pub(super) fn records_of(&self, name: &[u8]) -> &[u8] {
        self.find(name).map_or(&[], |position| self.records(position))
    }

    /// The owner name at `position`; none at the end.
    pub(super) fn owner(&self, position: Position) -> Option<&[u8]> {
        self.slots.get(position.slot).map(|slot| slot.block.owner(position.at))
    }

    /// Records at a position that is not the end.
    pub(super) fn records(&self, position: Position) -> &[u8] {
        self.slots[position.slot].block.records(position.at)
    }

    /// The position after one that is not the end.
    pub(super) fn next(&self, Position { slot, at }: Position) -> Position {
        if at + 1 < self.slots[slot].block.len() {
            Position { slot, at: at + 1 }
        } else {
            Position { slot: slot + 1, at: 0 }
        }
    }

    /// The position before, unless it is the first.
    pub(super) fn previous(&self, Position { slot, at }: Position) -> Option<Position> {
        if let Some(at) = at.checked_sub(1) {
            return Some(Position { slot, at });
        }
        let slot = slot.checked_sub(1)?;
        Some(Position { slot, at: self.slots[slot].block.len() - 1 })
    }

    /// Owner names with a signature whose window is left, at most `limit`; found by summaries.
    pub(super) fn names_out_of_window(
        &self,
        now: u64,
        refresh_seconds: u32,
        limit: usize,
    ) -> Vec<&[u8]> {
        let is_left = |records: &[u8]| {
            let mut window = Window::EMPTY;
            Records(records).for_each(|(_, record)| window.note(&record, now));
            window.is_left(now, refresh_seconds)
        };
        let left = self.slots.iter().filter(|slot| slot.window.is_left(now, refresh_seconds));
        left.flat_map(|slot| (0..slot.block.len()).map(|at| (&slot.block, at)))
            .filter(|(block, at)| is_left(block.records(*at)))
            .map(|(block, at)| block.owner(at))
            .take(limit)
            .collect()
    }

    /// The list with some owner names changed; `edits` are in canonical order.
    pub(super) fn with(&self, edits: &[Edit], at: At<'_>) -> Self {
        let mut slots = Vec::with_capacity(self.slots.len() + edits.len());
        let mut done = 0;
        let mut rest = edits;
        while let Some(first) = rest.first() {
            let is_up_to =
                |owner: &[u8], name: &[u8]| wire::compare_names(owner, name) != Ordering::Greater;
            let after =
                self.slots.partition_point(|s| is_up_to(s.block.first_owner(), &first.owner));
            let slot = after.saturating_sub(1);
            let next = self.slots.get(slot + 1).map(|next| next.block.first_owner());
            let here = rest.partition_point(|edit| {
                next.is_none_or(|next| wire::compare_names(&edit.owner, next).is_lt())
            });
            let (edits_here, edits_after) = rest.split_at(here);
            slots.extend_from_slice(&self.slots[done..slot]);
            let old = self.slots.get(slot).map(|slot| &*slot.block);
            rebuild(old, edits_here, at, &mut slots);
            done = (slot + 1).min(self.slots.len());
            rest = edits_after;
        }
        slots.extend_from_slice(&self.slots[done..]);
        List { slots }
    }
}

fn first_not(block: &Block, is_before: impl Fn(&[u8]) -> bool) -> usize {
    let (mut low, mut high) = (0, block.len());
    while low < high {
        let middle = low.midpoint(high);
        if is_before(block.owner(middle)) { low = middle + 1 } else { high = middle }
    }
    low
}

/// The block with its owner names changed, in as many blocks as it takes.
fn rebuild(old: Option<&Block>, edits: &[Edit], at: At<'_>, slots: &mut Vec<Slot>) {
    let added: usize = edits.iter().map(|edit| edit.records.len()).sum();
    let mut bytes = Vec::with_capacity(old.map_or(0, |old| old.bytes.len()) + added);
    let mut copied = 0;
    for edit in edits {
        if let Some(old) = old {
            let place = first_not(old, |owner| wire::compare_names(owner, &edit.owner).is_lt());
            let start = old.starts.get(place).map_or(old.bytes.len(), |&start| start as usize);
            bytes.extend_from_slice(&old.bytes[copied..start]);
            let is_there = place < old.len() && wire::equal_names(old.owner(place), &edit.owner);
            copied = if is_there { old.end(place) } else { start };
        }
        bytes.extend_from_slice(&edit.records);
    }
    bytes.extend_from_slice(old.map_or(&[], |old| &old.bytes[copied..]));
    push_blocks(bytes, at, slots);
}

/// Makes blocks of records that are grouped by owner name and in order.
pub(super) fn push_blocks(bytes: Vec<u8>, at: At<'_>, slots: &mut Vec<Slot>) {
    let outline = Outline::of(&bytes, at);
    push_outlined(bytes, outline, at, slots);
}

/// As [`push_blocks`], if the outline of the records is known.
pub(super) fn push_outlined(bytes: Vec<u8>, outline: Outline, at: At<'_>, slots: &mut Vec<Slot>) {
    let starts = &outline.starts;
    if starts.is_empty() {
        return;
    }
    if bytes.len() <= BLOCK_SIZE_MAX || starts.len() == 1 {
        return slots.push(Slot::new(bytes, outline));
    }
    let mut from = 0;
    for name in 1..=starts.len() {
        let end = starts.get(name).map_or(bytes.len(), |&start| start as usize);
        let next_end = starts.get(name + 1).map_or(bytes.len(), |&start| start as usize);
        if name == starts.len() || next_end - from > BLOCK_SIZE {
            let part = bytes[from..end].to_vec();
            let outline = Outline::of(&part, at);
            slots.push(Slot::new(part, outline));
            from = end;
        }
    }
}

/// Where owner names start, and the window of all signatures.
pub(super) struct Outline {
    pub(super) starts: Vec<u32>,
    pub(super) window: Window,
    pub(super) facts: Facts,
}

impl Outline {
    fn of(bytes: &[u8], at: At<'_>) -> Self {
        let (mut starts, mut sum) = (Vec::new(), Sum::new(at));
        let mut previous: Option<&[u8]> = None;
        let mut offset = 0;
        for (record_bytes, record) in Records(bytes) {
            if previous.is_none_or(|previous| !wire::equal_names(previous, record.owner)) {
                if let Some(previous) = previous {
                    sum.end_owner(previous);
                }
                // A zone is audited only if its blocks are smaller than 2^32 octets.
                starts.push(offset as u32);
                previous = Some(record.owner);
            }
            sum.note(&record);
            offset += record_bytes.len();
        }
        if let Some(previous) = previous {
            sum.end_owner(previous);
        }
        Outline { starts, window: sum.window, facts: sum.facts }
    }
}
