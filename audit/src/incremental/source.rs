//! Data in = data out (guard W10), for differences. No copy of the source is kept: its data were
//! the candidate's when the last version was approved, so the differences of the data must be the
//! same. The SOA is compared field by field, by the full audit's own check.

use std::collections::BTreeMap;

use crate::compare::{is_data, lowered};
use crate::expectations::Expectations;
use crate::incremental::approval::SourceState;
use crate::incremental::{NotIncremental, Side};
use crate::wire::{self, Record, rtype};

/// Records of one part of a difference, each with its octets.
type Part<'d> = [(&'d [u8], Record<'d>)];

/// Owner in lower case, type, TTL and RDATA: what must be the same in candidate and source.
type Datum<'d> = (Vec<u8>, u16, u32, &'d [u8]);

/// The source's state after its difference.
pub(super) fn apply(
    source: &SourceState,
    removed: &Part<'_>,
    added: &Part<'_>,
    apex: &[u8],
) -> Result<SourceState, NotIncremental> {
    let is_soa =
        |record: &Record<'_>| record.rtype == rtype::SOA && wire::equal_names(record.owner, apex);
    let mut next = source.clone();
    for (bytes, record) in removed.iter().filter(|(_, record)| is_soa(record)) {
        let position = next.soas.iter().position(|soa| soa.eq_ignore_ascii_case(bytes));
        match position {
            Some(position) => drop(next.soas.remove(position)),
            None => {
                let owner = record.owner.to_vec();
                return Err(NotIncremental::Misfit { side: Side::Removed, owner });
            }
        }
    }
    let came = added.iter().filter(|(_, record)| is_soa(record));
    next.soas.extend(came.map(|(bytes, _)| bytes.to_vec()));
    Ok(next)
}

/// Whether the data of the candidate changed as those of the source did.
pub(super) fn compare(
    candidate: (&Part<'_>, &Part<'_>),
    source: (&Part<'_>, &Part<'_>),
    expectations: &Expectations,
) -> Result<(), NotIncremental> {
    let apex = &expectations.apex;
    // How much more often the candidate's difference adds a record than the source's.
    let mut surplus: BTreeMap<Datum<'_>, i64> = BTreeMap::new();
    let policy = expectations.ttl_maximum;
    for (records, weight, maximum) in [
        (candidate.0, -1, None),
        (candidate.1, 1, None),
        (source.0, 1, policy),
        (source.1, -1, policy),
    ] {
        for (_, record) in records {
            let is_apex = wire::equal_names(record.owner, apex);
            if wire::is_at_or_below(record.owner, apex)
                && is_data(&expectations.denial, record.rtype, is_apex)
            {
                let owner = record.owner.to_ascii_lowercase();
                let key = (owner, record.rtype, lowered(record.ttl, maximum), record.rdata);
                *surplus.entry(key).or_default() += weight;
            }
        }
    }
    match surplus.into_iter().find(|(_, surplus)| *surplus != 0) {
        None => Ok(()),
        Some(((owner, ..), _)) => Err(NotIncremental::SourceDiffers { owner }),
    }
}
