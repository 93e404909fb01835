//! A difference applied to the approved state: the next state's lists, what was touched, counts.
//!
//! Records are matched octet by octet: what is removed must be there, what is added must not.

use std::collections::{BTreeMap, BTreeSet};

use crate::incremental::NotIncremental;
use crate::incremental::block::{At, Edit, List, Records, is_nsec3, type_concerned};
use crate::report::Counts;
use crate::wire::{self, Record, rtype};

/// RRsets of which a record or a signature came or went, by owner in lower case and type.
#[derive(Debug, Default)]
pub(crate) struct ChangedRrsets(BTreeSet<(Vec<u8>, u16)>);

impl ChangedRrsets {
    /// Adds RRsets whose signatures are to be verified anew.
    pub(super) fn extend(&mut self, rrsets: &[(Vec<u8>, u16)]) {
        self.0.extend(rrsets.iter().cloned());
    }

    /// Whether the RRset or a signature over it changed. The letter case of the owner is the same
    /// in signed data, so it does not matter.
    pub(crate) fn contains(&self, owner: &[u8], record_type: u16) -> bool {
        self.0.contains(&(owner.to_ascii_lowercase(), record_type))
    }
}

/// Which side of a difference, in errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The records that go.
    Removed,
    /// The records that come.
    Added,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Removed => "removed",
            Self::Added => "added",
        })
    }
}

/// The records of one side, each with its octets.
pub(super) fn read(side: Side, bytes: &[u8]) -> Result<Vec<(&[u8], Record<'_>)>, NotIncremental> {
    let records: Vec<_> = Records(bytes).collect();
    let offset: usize = records.iter().map(|(bytes, _)| bytes.len()).sum();
    if offset == bytes.len() { Ok(records) } else { Err(NotIncremental::Damaged { side, offset }) }
}

/// The next state, not yet judged.
pub(super) struct Edited {
    pub(super) others: List,
    pub(super) nsec3s: List,
    /// Owner names in lower case of which something other than NSEC3 changed.
    pub(super) touched: Vec<Vec<u8>>,
    /// Owner names in lower case of which NSEC3 records or their signatures changed.
    pub(super) touched_nsec3s: Vec<Vec<u8>>,
    pub(super) changed: ChangedRrsets,
    pub(super) counts: Counts,
}

/// What comes and goes at one owner name.
#[derive(Default)]
struct Changes<'d> {
    removed: Vec<&'d [u8]>,
    added: Vec<&'d [u8]>,
}

type ByOwner<'d> = BTreeMap<Vec<u8>, Changes<'d>>;

/// Applies the two sides of a difference; `limit` is the number of owner names it may touch.
pub(super) fn apply(
    (others, nsec3s): (&List, &List),
    removed: &[(&[u8], Record<'_>)],
    added: &[(&[u8], Record<'_>)],
    counts: Counts,
    at: At<'_>,
    limit: usize,
) -> Result<Edited, NotIncremental> {
    let mut changed = ChangedRrsets::default();
    let (mut of_others, mut of_nsec3s) = (ByOwner::new(), ByOwner::new());
    for (side, records) in [(Side::Removed, removed), (Side::Added, added)] {
        for (bytes, record) in records {
            let owner = record.owner.to_ascii_lowercase();
            changed.0.insert((owner.clone(), type_concerned(record)));
            let list = if is_nsec3(record) { &mut of_nsec3s } else { &mut of_others };
            let changes = list.entry(owner).or_default();
            match side {
                Side::Removed => changes.removed.push(bytes),
                Side::Added => changes.added.push(bytes),
            }
        }
    }
    let names = of_others.len() + of_nsec3s.len();
    if names > limit {
        return Err(NotIncremental::TooMuch { names, limit });
    }
    let mut counts = count(counts, removed, added);
    let other_edits = edits(others, of_others, &mut counts)?;
    let nsec3_edits = edits(nsec3s, of_nsec3s, &mut counts)?;
    let next = (others.with(&other_edits, at), nsec3s.with(&nsec3_edits, at));
    count_names((others, nsec3s), (&next.0, &next.1), [&other_edits, &nsec3_edits], &mut counts);
    let owners = |edits: Vec<Edit>| edits.into_iter().map(|edit| edit.owner).collect();
    Ok(Edited {
        others: next.0,
        nsec3s: next.1,
        touched: owners(other_edits),
        touched_nsec3s: owners(nsec3_edits),
        changed,
        counts,
    })
}

/// The new records of each owner name, in canonical order of names.
fn edits(
    list: &List,
    by_owner: ByOwner<'_>,
    counts: &mut Counts,
) -> Result<Vec<Edit>, NotIncremental> {
    let mut edits = Vec::with_capacity(by_owner.len());
    for (owner, changes) in by_owner {
        let before = list.records_of(&owner);
        let mut present: BTreeSet<&[u8]> = Records(before).map(|(bytes, _)| bytes).collect();
        let misfit = |side| NotIncremental::Misfit { side, owner: owner.clone() };
        for record in changes.removed {
            if !present.remove(record) {
                return Err(misfit(Side::Removed));
            }
        }
        for record in changes.added {
            if !present.insert(record) {
                return Err(misfit(Side::Added));
            }
        }
        let records: Vec<u8> = present.into_iter().collect::<Vec<_>>().concat();
        counts.rrsets += rrsets(&records);
        counts.rrsets -= rrsets(before).min(counts.rrsets);
        edits.push(Edit { owner, records });
    }
    edits.sort_by(|left, right| wire::compare_names(&left.owner, &right.owner));
    Ok(edits)
}

/// RRsets at one owner name, without those of type RRSIG.
fn rrsets(records: &[u8]) -> u64 {
    let types = Records(records).map(|(_, record)| record.rtype).filter(|&t| t != rtype::RRSIG);
    types.collect::<BTreeSet<_>>().len() as u64
}

/// Counts of records. Removed ones were there, so the numbers cannot fall below zero.
fn count(
    mut counts: Counts,
    removed: &[(&[u8], Record<'_>)],
    added: &[(&[u8], Record<'_>)],
) -> Counts {
    let of = |records: &[(&[u8], Record<'_>)], wanted: u16| {
        records.iter().filter(|(_, record)| record.rtype == wanted).count() as u64
    };
    let changed = |count: u64, added: u64, removed: u64| (count + added).saturating_sub(removed);
    counts.records = changed(counts.records, added.len() as u64, removed.len() as u64);
    for (count, wanted) in [
        (&mut counts.nsec_records, rtype::NSEC),
        (&mut counts.nsec3_records, rtype::NSEC3),
        (&mut counts.signatures_verified, rtype::RRSIG),
    ] {
        *count = changed(*count, of(added, wanted), of(removed, wanted));
    }
    counts
}

/// Counts owner names that came and went; a name may be in both lists.
fn count_names(old: (&List, &List), new: (&List, &List), edits: [&[Edit]; 2], counts: &mut Counts) {
    let is_in = |lists: (&List, &List), name: &[u8]| {
        lists.0.find(name).is_some() || lists.1.find(name).is_some()
    };
    let owners: BTreeSet<&[u8]> =
        edits.into_iter().flatten().map(|edit| edit.owner.as_slice()).collect();
    for owner in owners {
        match (is_in(old, owner), is_in(new, owner)) {
            (false, true) => counts.names += 1,
            (true, false) => counts.names = counts.names.saturating_sub(1),
            _ => {}
        }
    }
}
