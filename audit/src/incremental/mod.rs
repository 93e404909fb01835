//! Incremental audit: judges the difference between an approved zone and the next version of it,
//! at a cost by the size of the difference.
//!
//! In: the auditor's own copy of what it approved ([`Approved`]), the differences of candidate
//! and source as wire records, the expectations. Out: a [`Judgement`], or [`NotIncremental`],
//! after which only a full audit can tell. The verdict is that of a full audit of the whole new
//! zone: the same checks run on a small zone that is made of the names concerned and of what the
//! checks ask about them (`select`).
//!
//! Never: a walk over the zone, but for one over the summaries of its blocks, and one for the
//! digest of a zone that has a ZONEMD (RFC 8976), which is made of all records. Limits: owner names
//! touched ([`Approved::judge`]), names in walks below one name (`view`).

mod approval;
mod block;
mod digest;
mod edit;
mod keys;
mod select;
mod source;
mod view;

use crate::expectations::{Denial, Expectations};
use crate::finding::RecordType;
use crate::prepared::{AuditError, Known, Prepared, Zones};
use crate::report::{Counts, Report, Verdict};
use crate::wire::{self, Record, rtype};

pub use approval::{Approval, ApprovedError};
pub(crate) use edit::ChangedRrsets;
pub use edit::Side;

use approval::SourceState;
use block::{At, List};
use view::View;

/// A difference may always touch so many owner names; beyond that, a quarter of the zone's.
const TOUCHED_NAMES_MIN: usize = 1024;

/// The auditor's own copy of a zone that it approved. Copies share their blocks.
#[derive(Debug, Clone)]
pub struct Approved {
    others: List,
    /// NSEC3 records and the RRSIGs over them.
    nsec3s: List,
    /// The expectations it was approved with last.
    expectations: Expectations,
    source: Option<SourceState>,
    counts: Counts,
}

/// How the next version differs from the approved one. Each part is a sequence of uncompressed
/// wire records, in any order. A changed record is removed in its old form and added in its new.
#[derive(Debug, Clone, Copy, Default)]
pub struct Difference<'d> {
    /// Records of the signed zone that go.
    pub removed: &'d [u8],
    /// Records of the signed zone that come.
    pub added: &'d [u8],
    /// Records of the source that go. Not looked at if the zone was approved without a source.
    pub source_removed: &'d [u8],
    /// Records of the source that come.
    pub source_added: &'d [u8],
}

/// Result of an incremental audit.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The verdict. Its counts are those of this audit: `names` are the names that were checked,
    /// `records` those looked at, `signatures_verified` those that nobody had verified before.
    /// Warnings about names that the difference does not concern are not repeated.
    /// `soonest_expiration` is that of the whole zone.
    pub report: Report,
    /// The next version, if the report approves.
    pub approved: Option<Approved>,
}

/// Why a difference cannot be judged by itself; a full audit can tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIncremental {
    /// Only the moment, the published serial and the refresh interval may differ.
    #[error("the expectations differ from those that the zone was approved with")]
    OtherExpectations,
    /// Records were judged for a later moment before.
    #[error("the moment {now} lies before {last}, for which the zone was approved")]
    TimeWentBack {
        /// The moment asked for, in Unix seconds.
        now: u64,
        /// The moment of the last approval.
        last: u64,
    },
    /// The source repeats records or has RRsets with several TTLs.
    #[error("the source repeats records, or has RRsets with several TTLs")]
    IrregularSource,
    /// The zone's own denial is the source's, of which no copy is kept.
    #[error("the zone has the DNSSEC records of its source")]
    SourceDenial,
    /// The difference is not a sequence of wire records.
    #[error("unreadable record at offset {offset} of the records {side}")]
    Damaged {
        /// Which part.
        side: Side,
        /// Where.
        offset: usize,
    },
    /// The difference is not one to the approved state.
    #[error("a record {side} at {} does not fit the approved zone", wire::NameText(owner))]
    Misfit {
        /// Which part.
        side: Side,
        /// Owner name in wire form.
        owner: Vec<u8>,
    },
    /// A change at the apex that concerns every name.
    #[error("the {record_type} RRset at the apex changes")]
    ApexChanged {
        /// NSEC3PARAM; SOA, if the TTL of denial records (RFC 9077) changes.
        record_type: RecordType,
    },
    /// Records outside the zone, or signatures and NSEC records at a name without data.
    #[error("stray records at {}", wire::NameText(owner))]
    StrayRecords {
        /// Owner name in wire form.
        owner: Vec<u8>,
    },
    /// An NSEC3 came, went, or got another bitmap, and none of the changed names explains it.
    #[error("no changed name explains the change of the NSEC3 at {}", wire::NameText(owner))]
    UnexplainedNsec3 {
        /// Owner name in wire form.
        owner: Vec<u8>,
    },
    /// The data of candidate and source did not change in the same way.
    #[error("data of candidate and source change differently at {}", wire::NameText(owner))]
    SourceDiffers {
        /// Owner name in wire form.
        owner: Vec<u8>,
    },
    /// A full audit is the better way.
    #[error("{names} names concerned, limit {limit}")]
    TooMuch {
        /// How many, as far as counted.
        names: usize,
        /// The limit.
        limit: usize,
    },
}

impl Approved {
    /// Counts of the whole zone, as a full audit of it would report them.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Moment of the last approval, in Unix seconds.
    #[must_use]
    pub fn judged_at(&self) -> u64 {
        self.expectations.now
    }

    /// All records of the zone, for comparisons: blocks of wire records, grouped by owner name in
    /// canonical order, first all others, then NSEC3 records with their signatures.
    pub fn blocks(&self) -> impl Iterator<Item = &[u8]> {
        let slots = self.others.slots().iter().chain(self.nsec3s.slots());
        slots.map(|slot| slot.bytes())
    }

    /// Judges the next version by how it differs. The difference may touch a quarter of the
    /// zone's owner names, but always 1024.
    ///
    /// # Errors
    /// [`NotIncremental`] if only a full audit can tell.
    pub fn judge(
        &self,
        difference: &Difference<'_>,
        expectations: &Expectations,
    ) -> Result<Judgement, NotIncremental> {
        let expectations = self.check_expectations(expectations)?;
        let removed = edit::read(Side::Removed, difference.removed)?;
        let added = edit::read(Side::Added, difference.added)?;
        self.check_apex(removed.iter().chain(&added).map(|(_, record)| record))?;

        let mut counts = self.counts;
        let source = match &self.source {
            None => None,
            Some(source) => {
                let source_removed = edit::read(Side::Removed, difference.source_removed)?;
                let source_added = edit::read(Side::Added, difference.source_added)?;
                let sides = (&source_removed[..], &source_added[..]);
                source::compare((&removed, &added), sides, &expectations)?;
                counts.source_records += source_added.len() as u64;
                counts.source_records -= (source_removed.len() as u64).min(counts.source_records);
                Some(source::apply(source, sides.0, sides.1, &expectations.apex)?)
            }
        };
        // At most 2^32 owner names, as the zone has at most that many records.
        let limit = (self.counts.names as usize / 4).max(TOUCHED_NAMES_MIN);
        let lists = (&self.others, &self.nsec3s);
        let apex = &expectations.apex;
        let at = At { now: expectations.now, apex };
        let mut edited = edit::apply(lists, &removed, &added, counts, at, limit)?;

        let old = View::new(&self.others, &self.nsec3s, apex);
        let new = View::new(&edited.others, &edited.nsec3s, apex);
        if let Some(ttl) = new.denial_ttl()
            && Some(ttl) != old.denial_ttl()
        {
            return Err(NotIncremental::ApexChanged { record_type: RecordType(rtype::SOA) });
        }
        let lists = (&edited.others, &edited.nsec3s);
        let before = (old, &self.expectations);
        let of_keys = keys::concerned(before, (new, &expectations), lists, limit)?;
        edited.changed.extend(&of_keys);
        let selection = select::select(old, new, &edited, &of_keys, &expectations)?;
        let report = audit_small_zone(new, &selection, source.as_ref(), &edited, &expectations);
        // The apex is a name, so the fault can only be that there is too much.
        let names = selection.names.len();
        let report = report.map_err(|_| NotIncremental::TooMuch { names, limit })?;
        let approved = (report.verdict() == Verdict::Approve).then_some(Approved {
            others: edited.others,
            nsec3s: edited.nsec3s,
            expectations,
            source,
            counts: edited.counts,
        });
        Ok(Judgement { report, approved })
    }

    /// Only what concerns the moment may differ. Gives the expectations in the form they are kept.
    fn check_expectations(&self, given: &Expectations) -> Result<Expectations, NotIncremental> {
        let mut ours = self.expectations.clone();
        let mut theirs = given.clone();
        theirs.apex.make_ascii_lowercase();
        let judged = theirs.clone();
        ours.now = theirs.now;
        ours.published_serial = theirs.published_serial;
        ours.refresh_seconds = theirs.refresh_seconds;
        ours.keyset_refresh_seconds = theirs.keyset_refresh_seconds;
        // What these say is checked of the zone as a whole, at each audit.
        ours.served_serials.clone_from(&theirs.served_serials);
        ours.parent.clone_from(&theirs.parent);
        ours.history.clone_from(&theirs.history);
        ours.propagation_seconds = theirs.propagation_seconds;
        ours.horizon = theirs.horizon;
        ours.key_rules.clone_from(&theirs.key_rules);
        // A sample may be another one, and may follow a whole audit; not the other way round.
        if theirs.sampling.is_some() {
            ours.sampling = theirs.sampling;
        }
        // What these say is checked at the apex; what it means for signatures elsewhere, `keys`
        // finds.
        ours.dnskeys.clone_from(&theirs.dnskeys);
        ours.signing.clone_from(&theirs.signing);
        ours.parent_sync.clone_from(&theirs.parent_sync);
        ours.dnskey_ttl = theirs.dnskey_ttl;
        ours.soa_ttl = theirs.soa_ttl;
        ours.soa_minimum = theirs.soa_minimum;
        if ours != theirs {
            return Err(NotIncremental::OtherExpectations);
        }
        if judged.denial == Denial::Source {
            return Err(NotIncremental::SourceDenial);
        }
        let last = self.expectations.now;
        if judged.now < last {
            return Err(NotIncremental::TimeWentBack { now: judged.now, last });
        }
        if self.source.as_ref().is_some_and(|source| source.is_irregular) {
            return Err(NotIncremental::IrregularSource);
        }
        Ok(judged)
    }

    /// A change of the chain's parameters concerns every name.
    fn check_apex<'r>(
        &self,
        mut records: impl Iterator<Item = &'r Record<'r>>,
    ) -> Result<(), NotIncremental> {
        let found = records.find(|record| {
            record.rtype == rtype::NSEC3PARAM
                && wire::equal_names(record.owner, &self.expectations.apex)
        });
        found.map_or(Ok(()), |record| {
            Err(NotIncremental::ApexChanged { record_type: RecordType(record.rtype) })
        })
    }
}

/// Runs the checks of the full audit on the names selected.
fn audit_small_zone(
    new: View<'_>,
    selection: &select::Selection,
    source: Option<&SourceState>,
    edited: &edit::Edited,
    expectations: &Expectations,
) -> Result<Report, AuditError> {
    let mut candidate = Vec::new();
    for name in selection.names.keys() {
        new.records(name).for_each(|(bytes, _)| candidate.extend_from_slice(bytes));
    }
    let soas = source.map(|source| source.soas.concat());
    let soa_blocks = soas.as_deref().map(|soas| [soas]);
    let candidate_blocks = [candidate.as_slice()];
    let zones = Zones {
        candidate: &candidate_blocks,
        source: soa_blocks.as_ref().map(|blocks| &blocks[..]),
    };
    let mut facts = edited.others.facts();
    facts.merge(&edited.nsec3s.facts());
    let prepared = Prepared::new(zones, expectations)?;
    Ok(prepared.verify_names(
        |owner| selection.names.get(owner) == Some(&true),
        |hash| selection.hashes.contains(hash),
        &edited.changed,
        Known { facts, digest_of: &|hash| digest::of(new, hash) },
    ))
}
