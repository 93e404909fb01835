//! The three steps of an audit: prepare, verify ranges of owner names, finish.
//!
//! In: blocks of records in uncompressed wire form, one after the other:
//! `owner type(2) class(2) ttl(4) rdlength(2) rdata`. Their order does not matter. Limits: blocks
//! of less than 4 GiB, at most 2^32 - 2 records in a zone.

use std::ops::Range;

use ring::digest::Digest;

use crate::apex;
use crate::expectations::{Denial, Expectations};
use crate::facts::Facts;
use crate::finding::FindingId;
use crate::history::{self, PublishedKeys};
use crate::incremental::{Approval, ChangedRrsets};
use crate::index::{Index, Zone};
use crate::keys::ZoneKey;
use crate::nsec3::{Hash, Nsec3Table};
use crate::report::{Findings, PartialReport, Report};
use crate::signer_sets::SIGNER_SETS_MAX;
use crate::signers::Signers;
use crate::wire;
use crate::work::Worker;
use crate::{chain, continuity, horizon, zonemd};

/// The zones to audit, as blocks of wire records.
#[derive(Debug, Clone, Copy)]
pub struct Zones<'a> {
    /// The signed candidate.
    pub candidate: &'a [&'a [u8]],
    /// The unsigned source; without it, data are not compared.
    pub source: Option<&'a [&'a [u8]]>,
}

/// A fault of the caller. A fault of the zone is a finding instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    /// The apex in the expectations is not an uncompressed wire name.
    #[error("the apex of {length} octets is not an uncompressed wire name")]
    BadApex {
        /// Octets given.
        length: usize,
    },
    /// A block is too large for 32-bit offsets.
    #[error("block {block} has {length} octets; at most {} are possible", u32::MAX)]
    BlockTooLarge {
        /// Number of the block, from 0.
        block: usize,
        /// Its octets.
        length: usize,
    },
    /// More records or blocks than 32-bit numbers can count.
    #[error("a zone has {count} records or blocks; fewer than {} are possible", u32::MAX)]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The partial reports leave a gap or overlap; there is no verdict on a part of a zone.
    #[error("partial reports do not cover owner name {at} of {owner_count} exactly once")]
    NotCovered {
        /// First owner name with no report, or with two.
        at: usize,
        /// Owner names in the candidate.
        owner_count: usize,
    },
}

/// Which chain of denial is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chain {
    /// None, or what is there is so different from the policy that checks of details would say
    /// nothing.
    Unusable,
    Nsec,
    Nsec3,
}

/// What an incremental audit knows of the whole zone, of which only some names are prepared.
pub(crate) struct Known<'k> {
    pub(crate) facts: Facts,
    /// The digest of the whole zone by a hash algorithm of RFC 8976.
    pub(crate) digest_of: &'k dyn Fn(u8) -> Digest,
}

/// A candidate that was read, ordered and classified, ready for verification on any threads.
#[derive(Debug)]
pub struct Prepared<'a> {
    pub(crate) zone: Zone<'a>,
    pub(crate) source: Option<Index<'a>>,
    pub(crate) expectations: Expectations,
    pub(crate) keys: Vec<ZoneKey>,
    /// Algorithms of zone keys: each RRset must have a signature of each of them.
    pub(crate) algorithms: Vec<u8>,
    /// Who has to sign what.
    pub(crate) signers: Signers,
    pub(crate) chain: Chain,
    pub(crate) nsec3: Nsec3Table,
    /// TTL of the denial records (RFC 9077), if the apex has one SOA.
    pub(crate) denial_ttl: Option<u32>,
    /// Serial and EXPIRE of that SOA.
    pub(crate) serial: Option<u32>,
    pub(crate) soa_expire_seconds: Option<u32>,
    whole_zone: PartialReport,
    /// Known when the partial reports have been put together.
    pub(crate) is_source_irregular: bool,
}

impl<'a> Prepared<'a> {
    /// Reads, orders and classifies the zones, and checks what concerns the zone as a whole.
    ///
    /// # Errors
    /// [`AuditError`] if the apex is no name, or blocks or records are too many or too large.
    pub fn new(zones: Zones<'a>, expectations: &Expectations) -> Result<Self, AuditError> {
        let mut expectations = expectations.clone();
        let apex_length = expectations.apex.len();
        if wire::name_length(&expectations.apex) != Some(apex_length) {
            return Err(AuditError::BadApex { length: apex_length });
        }
        expectations.apex.make_ascii_lowercase();

        let index = read(zones.candidate)?;
        let source = zones.source.map(read).transpose()?;
        let zone = Zone::new(index, &expectations.apex);
        let mut report = PartialReport::new(0..0, expectations.limits.findings);
        report.counts.records = zone.index.entries.len() as u64;
        report.counts.source_records = source.as_ref().map_or(0, |s| s.entries.len() as u64);
        report.counts.names = zone.nodes.len() as u64;
        let nsec3 = Nsec3Table::new(&zone, &expectations.apex);
        let mut prepared = Prepared {
            zone,
            source,
            expectations,
            keys: Vec::new(),
            algorithms: Vec::new(),
            signers: Signers::default(),
            chain: Chain::Unusable,
            nsec3,
            denial_ttl: None,
            serial: None,
            soa_expire_seconds: None,
            whole_zone: report,
            is_source_irregular: false,
        };
        prepared.report_damage();
        apex::check(&mut prepared);
        Ok(prepared)
    }

    /// Owner names in the candidate, which is what ranges are counted in.
    #[must_use]
    pub fn owner_count(&self) -> usize {
        self.zone.nodes.len()
    }

    /// Splits the work into at most `parts` ranges of about equal size that cover it exactly.
    pub fn ranges(&self, parts: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let count = self.owner_count();
        let size = count.div_ceil(parts.max(1)).max(1);
        (0..count).step_by(size).map(move |start| start..count.min(start + size))
    }

    /// Audits a range of owner names: structure, signatures, denial, comparison with the source.
    #[must_use]
    pub fn verify_range(&self, range: Range<usize>) -> PartialReport {
        let end = range.end.min(self.owner_count());
        Worker::new(self, range.start.min(end)..end).run()
    }

    /// Puts the partial reports together, in any order.
    ///
    /// # Errors
    /// [`AuditError::NotCovered`] if they do not cover every owner name exactly once.
    pub fn finish(mut self, partials: Vec<PartialReport>) -> Result<Report, AuditError> {
        self.conclude(partials)
    }

    /// As [`Prepared::finish`]; an approving report comes with the proof from which an
    /// [`Approved`](crate::Approved) can be made.
    ///
    /// # Errors
    /// [`AuditError::NotCovered`] if they do not cover every owner name exactly once.
    pub fn finish_with_approval(
        mut self,
        partials: Vec<PartialReport>,
    ) -> Result<(Report, Option<Approval>), AuditError> {
        let report = self.conclude(partials)?;
        let approval = Approval::of(&self, &report);
        Ok((report, approval))
    }

    fn conclude(&mut self, mut partials: Vec<PartialReport>) -> Result<Report, AuditError> {
        let owner_count = self.owner_count();
        partials.retain(|partial| !partial.range.is_empty());
        partials.sort_by_key(|partial| partial.range.start);
        let mut covered = 0;
        for partial in &partials {
            if partial.range.start != covered {
                return Err(AuditError::NotCovered {
                    at: covered.min(partial.range.start),
                    owner_count,
                });
            }
            covered = partial.range.end;
        }
        if covered != owner_count {
            return Err(AuditError::NotCovered { at: covered, owner_count });
        }
        Ok(self.put_together(partials, |_| true, None))
    }

    /// Audits the owner names that `is_checked` picks, as the incremental audit does: the others
    /// are only there so that questions about these have the right answer. Data are not compared.
    /// The crypto of RRsets that are not `changed` is skipped: the last audit did it. An NSEC3
    /// that no name matches is only a finding if `must_match` says so.
    pub(crate) fn verify_names(
        mut self,
        is_checked: impl Fn(&[u8]) -> bool,
        must_match: impl Fn(&Hash) -> bool,
        changed: &ChangedRrsets,
        whole: Known<'_>,
    ) -> Report {
        let nodes: Vec<usize> = (0..self.owner_count())
            .filter(|&node| {
                let owner = self.zone.owner(node);
                is_checked(&owner.to_ascii_lowercase())
            })
            .collect();
        self.whole_zone.counts.names = nodes.len() as u64;
        let partial = Worker::new(&self, 0..0).run_names(&nodes, changed);
        self.put_together(vec![partial], must_match, Some(whole))
    }

    fn put_together(
        &mut self,
        partials: Vec<PartialReport>,
        must_match: impl Fn(&Hash) -> bool,
        known: Option<Known<'_>>,
    ) -> Report {
        let stopped_early = partials.iter().any(|partial| partial.findings.are_enough());
        let mut matched = vec![false; self.nsec3.len()];
        let limit = self.expectations.limits.findings;
        let mut whole = std::mem::replace(&mut self.whole_zone, PartialReport::new(0..0, limit));
        let whole_zone_count = whole.findings.list.len();
        for partial in partials {
            for &position in &partial.matched_nsec3 {
                matched[position as usize] = true;
            }
            whole.absorb(partial);
        }
        if self.chain == Chain::Nsec3 && !stopped_early {
            for (position, _) in matched.iter().enumerate().filter(|(_, matched)| !**matched) {
                if must_match(self.nsec3.hash(position)) {
                    let owner = self.zone.owner(self.nsec3.node(position));
                    whole.findings.add(FindingId::Nsec3Unmatched, owner, wire::rtype::NSEC3, "");
                }
            }
        }
        let mut facts = std::mem::take(&mut whole.facts);
        let mut digest_of_known = None;
        if let Some(Known { facts: of_whole, digest_of }) = known {
            // Who signs the keys was seen at the apex, which is always checked.
            facts = Facts { keyset_signers: facts.keyset_signers, ..of_whole };
            digest_of_known = Some(digest_of);
        }
        let keys = history::of_candidate(self, &facts);
        if !stopped_early {
            let of_prepared = |hash| zonemd::digest_of(self, hash);
            let digest_of = digest_of_known.unwrap_or(&of_prepared);
            zonemd::check(self, digest_of, &mut whole.findings);
            self.check_whole_zone(&facts, &keys, &mut whole.findings);
        }
        // The same report however the work was split.
        whole.findings.list[whole_zone_count..].sort_by(|left, right| {
            let keys = (left.record_type, left.id).cmp(&(right.record_type, right.id));
            wire::compare_names(&left.owner, &right.owner).then(keys)
        });
        self.is_source_irregular = whole.is_source_irregular;
        Report {
            stopped_early: stopped_early || whole.findings.are_enough(),
            findings: whole.findings.list,
            counts: whole.counts,
            soonest_expiration: facts.expiry.0.and_then(|expiry| u64::try_from(expiry.at).ok()),
            keys,
        }
    }

    /// What only the whole zone can tell: chain and caches, succession, horizon.
    fn check_whole_zone(&self, facts: &Facts, keys: &PublishedKeys, findings: &mut Findings) {
        if self.expectations.denial == Denial::Source {
            return;
        }
        if facts.signer_sets.are_too_many {
            let detail = format!("limit {SIGNER_SETS_MAX} sets of keys");
            findings.add(FindingId::CachesTooComplex, &self.expectations.apex, None, detail);
        }
        let is_of_another_world = continuity::check(&self.expectations, keys, findings);
        chain::check_parent(&self.expectations, keys, findings);
        if !is_of_another_world {
            chain::check_caches(&self.expectations, keys, findings);
        }
        horizon::check(&self.expectations, facts, self.soa_expire_seconds, findings);
    }

    /// Adds a finding about the zone as a whole.
    pub(crate) fn add(
        &mut self,
        id: FindingId,
        record_type: impl Into<Option<u16>>,
        detail: impl Into<String>,
    ) {
        self.whole_zone.findings.add(id, &self.expectations.apex, record_type, detail);
    }

    pub(crate) fn count_denial(&mut self, nsec_records: usize, nsec3_records: usize) {
        self.whole_zone.counts.nsec_records = nsec_records as u64;
        self.whole_zone.counts.nsec3_records = nsec3_records as u64;
    }

    fn report_damage(&mut self) {
        for (block, offset) in std::mem::take(&mut self.zone.index.damage) {
            let detail = format!("block {block}, offset {offset}");
            self.add(FindingId::MalformedRecord, None, detail);
        }
        let damage = self.source.as_mut().map(|source| std::mem::take(&mut source.damage));
        for (block, offset) in damage.unwrap_or_default() {
            let detail = format!("block {block}, offset {offset}");
            self.add(FindingId::MalformedSource, None, detail);
        }
    }
}

pub(crate) fn read<'a>(blocks: &'a [&'a [u8]]) -> Result<Index<'a>, AuditError> {
    check_count(blocks.len())?;
    for (block, bytes) in blocks.iter().enumerate() {
        check_length(block, bytes.len())?;
    }
    let index = Index::read(blocks);
    check_count(index.entries.len())?;
    Ok(index)
}

fn check_count(count: usize) -> Result<(), AuditError> {
    if is_countable(count) { Ok(()) } else { Err(AuditError::TooMany { count }) }
}

fn check_length(block: usize, length: usize) -> Result<(), AuditError> {
    if is_countable(length) { Ok(()) } else { Err(AuditError::BlockTooLarge { block, length }) }
}

/// Positions and offsets are kept in 32 bits.
fn is_countable(count: usize) -> bool {
    u32::try_from(count).is_ok_and(|count| count < u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_beyond_32_bits_are_refused() {
        let limit = u32::MAX as usize;
        assert_eq!(check_count(limit - 1), Ok(()));
        assert_eq!(check_count(limit), Err(AuditError::TooMany { count: limit }));
        let error = AuditError::BlockTooLarge { block: 2, length: limit };
        assert_eq!(check_length(2, limit), Err(error));
    }
}
