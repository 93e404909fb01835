//! Merges packed parts and makes chunks of ranges of owners.
//! In: [`Packed`] parts. Out: the zone version. Ranges are cut where no zone cut and no DNAME can
//! reach over: between two names that differ in the label below the apex.

use super::group::Grouper;
use super::pack::{Packed, Run, RunView, run_key};
use super::{
    LimitUnit, Limits, LoadError, LoadWarning, Loaded, Place, RRSET_BYTES_MAX,
    RRSET_RECORD_COUNT_MAX, Warnings,
};
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{Chunk, OwnerKind};
use crate::zone::{ZoneVersion, key};
use crate::{Name, RrType};
use std::ops::Range;
use std::sync::Arc;

/// All records of a zone, merged and sorted.
#[derive(Debug)]
pub struct Assembly {
    apex: Name,
    parts: Vec<Packed>,
    runs: Vec<Run>,
    rrset_record_count_max: usize,
    warnings: Warnings,
}

/// The chunks of one range.
#[derive(Debug)]
pub struct Built {
    chunks: Vec<Arc<Chunk>>,
    warnings: Warnings,
}

impl Assembly {
    /// Merges the parts of a zone, which come in the order of the file.
    pub fn new(apex: &Name, mut parts: Vec<Packed>, limits: Limits) -> Result<Assembly, LoadError> {
        check_limits(&parts, limits)?;
        let mut warnings = Warnings::default();
        let mut runs = Vec::with_capacity(parts.iter().map(|part| part.runs.len()).sum());
        for (number, part) in parts.iter_mut().enumerate() {
            let own = std::mem::take(&mut part.runs);
            runs.extend(own.into_iter().map(|run| Run { part: number as u32, ..run }));
            warnings.append(std::mem::take(&mut part.warnings));
        }
        let rrset_record_count_max = limits.rrset_record_count_max.min(RRSET_RECORD_COUNT_MAX);
        let apex = apex.clone();
        let mut assembly =
            Assembly { apex, parts, runs: Vec::new(), rrset_record_count_max, warnings };
        // Stable, and quick on parts that are sorted already: ties keep the order of the file.
        runs.sort_by(|left, right| {
            left.prefix.cmp(&right.prefix).then_with(|| assembly.key(left).cmp(assembly.key(right)))
        });
        assembly.runs = runs;
        match assembly.runs.first() {
            Some(first) if assembly.key(first).is_empty() => Ok(assembly),
            _ => Err(assembly.no_soa()),
        }
    }

    fn key(&self, run: &Run) -> &[u8] {
        run_key(&self.parts[run.part as usize].arena, run.at)
    }

    fn view(&self, run: &Run) -> RunView<'_> {
        RunView::new(&self.parts[run.part as usize].arena, run.at)
    }

    fn no_soa(&self) -> LoadError {
        let foreign_soa = self.parts.iter().find_map(|part| part.foreign_soa.clone());
        LoadError::NoSoa { apex: self.apex.clone(), foreign_soa }
    }

    /// About `count` ranges that can be built apart; together they hold every owner.
    pub fn ranges(&self, count: usize) -> Vec<Range<usize>> {
        let length = self.runs.len().div_ceil(count.max(1));
        let mut ranges = Vec::new();
        let mut start = 0;
        while start < self.runs.len() {
            let mut end = (start + length).min(self.runs.len());
            while end < self.runs.len() && !self.is_cut_free(end) {
                end += 1;
            }
            ranges.push(start..end);
            start = end;
        }
        ranges
    }

    /// Whether the names before and at `index` differ in the label below the apex.
    fn is_cut_free(&self, index: usize) -> bool {
        let (left, right) = (self.key(&self.runs[index - 1]), self.key(&self.runs[index]));
        key::common_ancestor_length(left, right) == 0 && !left.is_empty()
    }

    /// Makes the chunks of one of the [`Assembly::ranges`].
    pub fn build(&self, range: Range<usize>) -> Result<Built, LoadError> {
        let mut built = Built { chunks: Vec::new(), warnings: Warnings::default() };
        // A DNAME at the apex reaches over all ranges.
        let mut grouper = Grouper::new(self.apex_has_dname());
        let mut builder = ChunkBuilder::default();
        let same_owner = |left: &Run, right: &Run| {
            left.prefix == right.prefix && self.key(left) == self.key(right)
        };
        for group in self.runs[range].chunk_by(same_owner) {
            self.push_owner(group, &mut grouper, &mut builder, &mut built.warnings)?;
            if builder.is_full() {
                built.chunks.push(Arc::new(builder.finish()));
            }
        }
        if !builder.is_empty() {
            built.chunks.push(Arc::new(builder.finish()));
        }
        Ok(built)
    }

    fn apex_has_dname(&self) -> bool {
        let apex = self.runs.iter().take_while(|run| self.key(run).is_empty());
        let mut grouper = Grouper::new(false);
        grouper.gather(apex.map(|run| self.view(run).records));
        grouper.has(RrType::DNAME)
    }

    /// Puts the ranges together; `built` is in their order.
    pub fn finish(&self, built: Vec<Built>) -> Loaded {
        let mut warnings = self.warnings.clone();
        let mut chunks = Vec::new();
        for part in built {
            chunks.extend(part.chunks);
            warnings.append(part.warnings);
        }
        let version =
            ZoneVersion { apex: self.apex.clone(), names: chunks.into(), hashes: Arc::new([]) };
        let has_digest = self.parts.iter().any(|part| part.has_digest);
        Loaded { version, warnings, has_digest }
    }

    /// Writes one owner, all of whose runs are `group`.
    fn push_owner<'a>(
        &'a self,
        group: &[Run],
        grouper: &mut Grouper<'a>,
        builder: &mut ChunkBuilder,
        warnings: &mut Warnings,
    ) -> Result<(), LoadError> {
        grouper.gather(group.iter().map(|run| self.view(run).records));
        let owner = self.view(&group[0]);
        let last_soa = || self.last_place_of(group, RrType::SOA);
        self.check_owner(grouper, &owner, last_soa, warnings)?;
        let kind = grouper.classify(owner.key);
        if grouper.has(RrType::DS) && kind == OwnerKind::Authoritative {
            let place = owner.place;
            return Err(LoadError::DsWithoutDelegation { owner: self.name(owner.key), place });
        }
        builder.begin_owner(owner.key, owner.case, kind);
        grouper.each_rrset(|rtype, ttl, differ, rdatas| {
            if differ {
                let (owner, place) = (self.name(owner.key), owner.place);
                warnings.push(LoadWarning::TtlMismatch { owner, rtype, used: ttl, place });
            }
            builder.begin_rrset(rtype, ttl);
            let mut length = 0;
            let limit = self.rrset_record_count_max;
            for (index, rdata) in rdatas.enumerate() {
                // A compressed owner, type, class, TTL and length take 12 octets.
                length += 12 + rdata.len();
                if index == limit || builder.push_rdata(rdata).is_err() {
                    let (owner, place) = (self.name(owner.key), owner.place);
                    return Err(LoadError::RrsetTooLarge { owner, rtype, limit, place });
                }
            }
            builder.end_rrset();
            if length > RRSET_BYTES_MAX {
                let (owner, place) = (self.name(owner.key), owner.place);
                return Err(LoadError::RrsetTooLong { owner, rtype, length, place });
            }
            Ok(())
        })?;
        builder.end_owner();
        Ok(())
    }

    /// Where the last run of an owner that has this type begins.
    fn last_place_of(&self, group: &[Run], rtype: RrType) -> Place {
        let mut grouper = Grouper::new(false);
        let mut views = group.iter().rev().map(|run| self.view(run));
        let has = views.find(|view| {
            grouper.gather(std::iter::once(view.records));
            grouper.has(rtype)
        });
        has.map_or(Place::default(), |view| view.place)
    }

    fn check_owner(
        &self,
        grouper: &mut Grouper<'_>,
        owner: &RunView<'_>,
        last_soa: impl FnOnce() -> Place,
        warnings: &mut Warnings,
    ) -> Result<(), LoadError> {
        let place = owner.place;
        if owner.key.is_empty() {
            let apex = self.apex.clone();
            match grouper.distinct(RrType::SOA) {
                0 => return Err(self.no_soa()),
                1 => {}
                _ => return Err(LoadError::SeveralSoas { apex, place: last_soa() }),
            }
            if !grouper.has(RrType::NS) {
                warnings.push(LoadWarning::NoApexNs { apex });
            }
        } else if grouper.has(RrType::SOA) {
            let apex = self.apex.clone();
            return Err(LoadError::SoaBelowApex { owner: self.name(owner.key), apex, place });
        }
        for rtype in [RrType::CNAME, RrType::DNAME] {
            if grouper.distinct(rtype) > 1 {
                let owner = self.name(owner.key);
                return Err(LoadError::SeveralAliases { owner, rtype, place });
            }
        }
        if grouper.has(RrType::CNAME) && grouper.has_other_than(RrType::CNAME) {
            return Err(LoadError::CnameAndOther { owner: self.name(owner.key), place });
        }
        Ok(())
    }

    /// The name of an owner key made by the packer, which always is one.
    fn name(&self, key: &[u8]) -> Name {
        key::key_to_name(&self.apex, key).unwrap_or_else(Name::root)
    }
}

fn check_limits(parts: &[Packed], limits: Limits) -> Result<(), LoadError> {
    let records: u64 = parts.iter().map(|part| part.record_count).sum();
    let bytes: u64 = parts.iter().map(|part| part.arena.len() as u64).sum();
    if records > limits.record_count_max {
        let limit = limits.record_count_max;
        return Err(LoadError::LimitExceeded { limit, unit: LimitUnit::Records });
    }
    if bytes > limits.byte_count_max {
        let limit = limits.byte_count_max;
        return Err(LoadError::LimitExceeded { limit, unit: LimitUnit::Bytes });
    }
    Ok(())
}
