//! From an approving full audit to the auditor's own copy of the approved zone.
//!
//! In: the proof that [`Prepared::finish_with_approval`] gives, and the very blocks that were
//! audited, by value. Blocks of one sort of records in order are taken as they are: one
//! comparison an owner name. Anything else is copied and sorted.

use crate::expectations::Expectations;
use crate::incremental::Approved;
use crate::incremental::block::{
    At, BLOCK_SIZE, List, Outline, Records, Slot, Sum, is_nsec3, push_blocks, push_outlined,
};
use crate::prepared::Prepared;
use crate::report::{Counts, Report, Verdict};
use crate::wire::{self, rtype};

/// Proof that a full audit approved certain blocks: which blocks, and as what.
#[derive(Debug)]
pub struct Approval {
    expectations: Expectations,
    counts: Counts,
    source: Option<SourceState>,
    /// Address and length of each block of the candidate.
    blocks: Vec<(usize, usize)>,
}

/// What is kept of the source: all its other data are the candidate's.
#[derive(Debug, Clone)]
pub(super) struct SourceState {
    /// The SOA records at the apex, as wire records.
    pub(super) soas: Vec<Vec<u8>>,
    /// Whether the source has repeated records or RRsets with several TTLs, so that the
    /// candidate's data are not simply the source's.
    pub(super) is_irregular: bool,
}

/// Why there is no [`Approved`] zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApprovedError {
    /// Only the blocks that were audited are approved, in the same order and the same memory.
    #[error("block {block} is not the one that was audited")]
    OtherBlocks {
        /// Number of the first block that differs, from 0.
        block: usize,
    },
}

impl Approval {
    /// A proof for the zone, if the report about it approves.
    pub(crate) fn of(prepared: &Prepared<'_>, report: &Report) -> Option<Self> {
        if report.verdict() != Verdict::Approve {
            return None;
        }
        let source = prepared.source.as_ref().map(|source| {
            let apex = &prepared.expectations.apex;
            let start = source
                .entries
                .partition_point(|&entry| wire::compare_names(source.owner(entry), apex).is_lt());
            let soas = source.entries[start..]
                .iter()
                .take_while(|&&entry| wire::equal_names(source.owner(entry), apex))
                .filter(|entry| entry.rtype == rtype::SOA)
                .map(|&entry| wire::record_bytes(&source.record(entry)))
                .collect();
            SourceState { soas, is_irregular: prepared.is_source_irregular }
        });
        let blocks = prepared.zone.index.blocks().iter();
        Some(Approval {
            expectations: prepared.expectations.clone(),
            counts: report.counts,
            source,
            blocks: blocks.map(|block| identity(block)).collect(),
        })
    }
}

fn identity(block: &[u8]) -> (usize, usize) {
    (block.as_ptr().addr(), block.len())
}

impl Approved {
    /// The auditor's own copy of a zone that a full audit approved, made of the audited blocks
    /// themselves. Costs one walk over all records, and no copy if each block has either only
    /// NSEC3 records with their signatures or none of them, and owner names in canonical order
    /// within and across the blocks of a sort.
    ///
    /// # Errors
    /// [`ApprovedError::OtherBlocks`] if these are not the blocks that were audited.
    pub fn new(approval: Approval, candidate: Vec<Vec<u8>>) -> Result<Self, ApprovedError> {
        let given = candidate.iter().map(|block| identity(block));
        if !given.clone().eq(approval.blocks.iter().copied()) {
            let block = given.zip(&approval.blocks).take_while(|(l, r)| l == *r).count();
            return Err(ApprovedError::OtherBlocks { block });
        }
        let at = At { now: approval.expectations.now, apex: &approval.expectations.apex };
        let (others, nsec3s) = match lists_of(candidate, at) {
            Ok(lists) => lists,
            Err(unordered) => sorted_lists(&unordered, at),
        };
        Ok(Approved {
            others,
            nsec3s,
            expectations: approval.expectations,
            source: approval.source,
            counts: approval.counts,
        })
    }
}

/// The two lists, made of the blocks themselves; or the blocks back, if they are not in order.
fn lists_of(blocks: Vec<Vec<u8>>, at: At<'_>) -> Result<(List, List), Vec<Vec<u8>>> {
    let (mut last_other, mut last_nsec3) = (None, None);
    let mut outlines = Vec::with_capacity(blocks.len());
    for block in &blocks {
        let is_of_nsec3 = Records(block).next().is_some_and(|(_, first)| is_nsec3(&first));
        let last = if is_of_nsec3 { &mut last_nsec3 } else { &mut last_other };
        match outline_in_order(block, is_of_nsec3, last, at) {
            Some(outline) => outlines.push((is_of_nsec3, outline)),
            None => return Err(blocks),
        }
    }
    let (mut others, mut nsec3s) = (List::default(), List::default());
    for (mut block, (is_of_nsec3, outline)) in blocks.into_iter().zip(outlines) {
        if block.capacity() - block.len() > block.len() / 4 {
            block.shrink_to_fit();
        }
        let mut slots: Vec<Slot> = Vec::new();
        push_outlined(block, outline, at, &mut slots);
        let list = if is_of_nsec3 { &mut nsec3s } else { &mut others };
        slots.into_iter().for_each(|slot| list.push(slot));
    }
    Ok((others, nsec3s))
}

/// The outline of a block, if it has records of one sort only and its owner names follow those
/// before in canonical order, up to `last`.
fn outline_in_order<'b>(
    block: &'b [u8],
    is_of_nsec3: bool,
    last: &mut Option<&'b [u8]>,
    at: At<'_>,
) -> Option<Outline> {
    let (mut starts, mut sum) = (Vec::new(), Sum::new(at));
    let mut offset = 0;
    for (bytes, record) in Records(block) {
        if is_nsec3(&record) != is_of_nsec3 {
            return None;
        }
        // An owner name must not go on in the next block.
        let is_same = |last| offset > 0 && wire::equal_names(last, record.owner);
        if !last.is_some_and(is_same) {
            if last.is_some_and(|last| !wire::compare_names(last, record.owner).is_lt()) {
                return None;
            }
            if let Some(last) = last.filter(|_| offset > 0) {
                sum.end_owner(last);
            }
            *last = Some(record.owner);
            // A zone is audited only if its blocks are smaller than 2^32 octets.
            starts.push(offset as u32);
        }
        sum.note(&record);
        offset += bytes.len();
    }
    if let Some(last) = last.filter(|_| offset > 0) {
        sum.end_owner(last);
    }
    Some(Outline { starts, window: sum.window, facts: sum.facts })
}

/// Copies all records into new blocks, in order.
fn sorted_lists(blocks: &[Vec<u8>], at: At<'_>) -> (List, List) {
    let mut records: Vec<_> = blocks.iter().flat_map(|block| Records(block)).collect();
    records.sort_by(|(_, left), (_, right)| wire::compare_names(left.owner, right.owner));
    let (mut others, mut nsec3s) = (List::default(), List::default());
    let (mut other_bytes, mut nsec3_bytes) = (Vec::new(), Vec::new());
    for group in records.chunk_by(|(_, l), (_, r)| wire::equal_names(l.owner, r.owner)) {
        for (list, bytes) in [(&mut others, &mut other_bytes), (&mut nsec3s, &mut nsec3_bytes)] {
            if bytes.len() >= BLOCK_SIZE {
                append(std::mem::take(bytes), at, list);
            }
        }
        for (bytes, record) in group {
            let out = if is_nsec3(record) { &mut nsec3_bytes } else { &mut other_bytes };
            out.extend_from_slice(bytes);
        }
    }
    append(other_bytes, at, &mut others);
    append(nsec3_bytes, at, &mut nsec3s);
    (others, nsec3s)
}

fn append(bytes: Vec<u8>, at: At<'_>, list: &mut List) {
    let mut slots: Vec<Slot> = Vec::new();
    push_blocks(bytes, at, &mut slots);
    slots.into_iter().for_each(|slot| list.push(slot));
}
