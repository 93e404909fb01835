//! The digest of a whole zone (RFC 8976 §3.3.1) from the two lists of its state, which are read
//! side by side in canonical order. In: one state. Out: its digest. One walk over all records.

use ring::digest::Digest;

use crate::incremental::block::{Records, Slot};
use crate::incremental::view::View;
use crate::rdata;
use crate::wire::{self, Record};
use crate::zonemd::ZoneDigest;

/// The digest of one state by this hash algorithm.
pub(super) fn of(view: View<'_>, hash: u8) -> Digest {
    let mut digest = ZoneDigest::new(hash);
    let mut nsec3s = owners(view.nsec3s.slots()).peekable();
    for (owner, others) in owners(view.others.slots()) {
        while let Some((_, before)) =
            nsec3s.next_if(|(other, _)| wire::compare_names(other, owner).is_lt())
        {
            add(view, [before, &[]], &mut digest);
        }
        // A name of the zone may look like a hash, and then is the same owner.
        let same = nsec3s.next_if(|(other, _)| wire::equal_names(other, owner));
        add(view, [others, same.map_or(&[], |(_, records)| records)], &mut digest);
    }
    nsec3s.for_each(|(_, records)| add(view, [records, &[]], &mut digest));
    digest.finish()
}

/// All records of one owner name, from both lists.
fn add(view: View<'_>, parts: [&[u8]; 2], digest: &mut ZoneDigest) {
    let mut records: Vec<Record<'_>> =
        parts.into_iter().flat_map(|part| Records(part).map(|(_, record)| record)).collect();
    let Some(owner) = records.first().map(|record| record.owner) else { return };
    if !wire::is_at_or_below(owner, view.apex()) {
        return;
    }
    records.sort_by(|left, right| {
        let of_type = || rdata::compare(left.rtype, left.rdata, right.rdata);
        left.rtype.cmp(&right.rtype).then_with(of_type)
    });
    digest.owner(wire::equal_names(owner, view.apex()), records);
}

/// The owner names of a list, each with its records.
fn owners(slots: &[Slot]) -> impl Iterator<Item = (&[u8], &[u8])> {
    slots.iter().flat_map(Slot::owners)
}
