//! Packs records, in the order they come, into one byte block, and sorts them by owner.
//! In: records of a part of a zone. Out: [`Packed`]. Memory: 8 bytes a record and some 30 a run of
//! one owner beside the RDATA.

use super::{DnssecRecords, LimitUnit, Limits, LoadError, LoadWarning, Place, Warnings};
use crate::rdata::{self, TypeStatus};
use crate::zone::chunk::{read_u16, read_u32};
use crate::zone::key;
use crate::{Name, RrType, Ttl};

/// Records of one owner that came one after the other. In the arena: length u32, key length u16,
/// case length u8, source u32, line u32, key, owner as given, records (type u16, TTL u32, RDATA
/// length u16, RDATA).
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// The first eight bytes of the key: most comparisons end here.
    pub(super) prefix: u64,
    /// Where it begins in its arena.
    pub(super) at: u32,
    /// Which part's arena.
    pub(super) part: u32,
}

const RUN_HEADER: usize = 15;
pub(super) const RECORD_HEADER: usize = 8;
/// A part holds less than 4 GiB.
const PART_BYTES_MAX: u64 = u32::MAX as u64;

/// Packs a part of a zone.
pub struct Packer {
    apex: Name,
    limits: Limits,
    dnssec_records: DnssecRecords,
    last_owner: Name,
    key: Vec<u8>,
    packed: Packed,
}

/// A packed part of a zone, its runs sorted by owner.
#[derive(Debug, Default)]
pub struct Packed {
    pub(super) arena: Vec<u8>,
    pub(super) runs: Vec<Run>,
    pub(super) record_count: u64,
    pub(super) foreign_soa: Option<Name>,
    pub(super) has_digest: bool,
    pub(super) warnings: Warnings,
}

impl Packer {
    /// A packer for a part of the zone `apex`.
    pub fn new(apex: &Name, limits: Limits) -> Packer {
        Packer {
            apex: apex.clone(),
            limits,
            dnssec_records: DnssecRecords::Dropped,
            last_owner: Name::root(),
            key: Vec::new(),
            packed: Packed::default(),
        }
    }

    /// The same packer, with the input's DNSSEC records kept or dropped.
    pub fn with_dnssec_records(self, dnssec_records: DnssecRecords) -> Packer {
        Packer { dnssec_records, ..self }
    }

    /// Bytes packed so far.
    pub fn byte_count(&self) -> usize {
        self.packed.arena.len()
    }

    /// Takes one record, whose RDATA is well-formed.
    pub fn add(
        &mut self,
        owner: &Name,
        rtype: RrType,
        ttl: Ttl,
        rdata: &[u8],
        place: Place,
    ) -> Result<(), LoadError> {
        let is_kept = self.dnssec_records == DnssecRecords::Kept;
        match rdata::status(rtype) {
            TypeStatus::Data | TypeStatus::Dnssec if is_kept => {}
            // The digest of another version: a new serial alone makes it wrong (RFC 8976 §3.1).
            TypeStatus::Data if rtype == RrType::ZONEMD && self.is_apex(owner) => {
                let owner = owner.clone();
                self.packed.has_digest = true;
                self.packed.warnings.push(LoadWarning::DnssecData { owner, rtype, place });
                return Ok(());
            }
            TypeStatus::Data => {}
            TypeStatus::Dnssec => {
                let owner = owner.clone();
                self.packed.warnings.push(LoadWarning::DnssecData { owner, rtype, place });
                return Ok(());
            }
            TypeStatus::Obsolete | TypeStatus::Meta => {
                return Err(LoadError::TypeRefused { owner: owner.clone(), rtype, place });
            }
        }
        let same_owner =
            !self.packed.runs.is_empty() && owner.as_wire() == self.last_owner.as_wire();
        if !same_owner && !self.begin_run(owner, place) {
            if rtype == RrType::SOA {
                self.packed.foreign_soa.get_or_insert(owner.clone());
            }
            self.packed.warnings.push(LoadWarning::OutOfZone { owner: owner.clone(), place });
            return Ok(());
        }
        self.packed.record_count += 1;
        self.check_limits(rdata.len())?;
        let Packed { arena, runs, .. } = &mut self.packed;
        arena.extend(rtype.0.to_be_bytes());
        arena.extend(ttl.0.to_be_bytes());
        arena.extend((rdata.len() as u16).to_be_bytes());
        arena.extend(rdata);
        let run = runs[runs.len() - 1].at as usize;
        let length = (arena.len() - run) as u32;
        arena[run..run + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn is_apex(&self, owner: &Name) -> bool {
        owner.to_lowercase() == self.apex.to_lowercase()
    }

    fn check_limits(&self, more: usize) -> Result<(), LoadError> {
        if self.packed.record_count > self.limits.record_count_max {
            let limit = self.limits.record_count_max;
            return Err(LoadError::LimitExceeded { limit, unit: LimitUnit::Records });
        }
        let limit = self.limits.byte_count_max.min(PART_BYTES_MAX);
        // A name and the headers take less than 2 KiB.
        if (self.packed.arena.len() + more + 2048) as u64 > limit {
            return Err(LoadError::LimitExceeded { limit, unit: LimitUnit::Bytes });
        }
        Ok(())
    }

    /// Begins a run; false when `owner` is out of the zone.
    fn begin_run(&mut self, owner: &Name, place: Place) -> bool {
        self.key.clear();
        if !key::push_owner_key(&self.apex, owner, &mut self.key) {
            return false;
        }
        let wire = owner.as_wire();
        let case = if wire.iter().any(u8::is_ascii_uppercase) { wire } else { &[] };
        let Packed { arena, runs, .. } = &mut self.packed;
        let at = arena.len() as u32;
        arena.extend(((RUN_HEADER + self.key.len() + case.len()) as u32).to_be_bytes());
        arena.extend((self.key.len() as u16).to_be_bytes());
        arena.push(case.len() as u8);
        arena.extend(place.source.to_be_bytes());
        arena.extend(place.line.to_be_bytes());
        arena.extend(&self.key);
        arena.extend(case);
        runs.push(Run { prefix: prefix(&self.key), at, part: 0 });
        self.last_owner = owner.clone();
        true
    }

    /// Sorts what was taken.
    pub fn finish(mut self) -> Packed {
        let Packed { arena, runs, .. } = &mut self.packed;
        arena.shrink_to_fit();
        runs.sort_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| run_key(arena, left.at).cmp(run_key(arena, right.at)))
        });
        self.packed
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}

/// The key of the run at `at`.
pub(super) fn run_key(arena: &[u8], at: u32) -> &[u8] {
    let at = at as usize;
    &arena[at + RUN_HEADER..at + RUN_HEADER + usize::from(read_u16(arena, at + 4))]
}

/// A run's parts.
pub(super) struct RunView<'a> {
    pub(super) key: &'a [u8],
    pub(super) case: Option<&'a [u8]>,
    pub(super) place: Place,
    pub(super) records: &'a [u8],
}

impl<'a> RunView<'a> {
    pub(super) fn new(arena: &'a [u8], at: u32) -> RunView<'a> {
        let at = at as usize;
        let length = read_u32(arena, at) as usize;
        let (head, rest) = arena[at..at + length].split_at(RUN_HEADER);
        let (key, rest) = rest.split_at(usize::from(read_u16(head, 4)));
        let (case, records) = rest.split_at(usize::from(head[6]));
        let place = Place { source: read_u32(head, 7), line: read_u32(head, 11) };
        RunView { key, case: (!case.is_empty()).then_some(case), place, records }
    }
}
