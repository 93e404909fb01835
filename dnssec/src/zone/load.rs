//! From records in any order to a zone version: packs, sorts, groups, checks, classifies.
//! RFC 1035 §5.2 (one SOA), RFC 2181 §5 (RRsets, one TTL), §10.1 (CNAME), RFC 6672 §2.4 (DNAME),
//! RFC 4034 §6.3 (order and duplicates), RFC 9499 §7 (cuts, glue, occlusion).
//! In: records as a zone file or a transfer brings them. Out: a [`ZoneVersion`] and warnings.
//! Never: signs, changes a value (but the TTL of an RRset becomes its smallest, catalogue 3.2).
//! Memory: some 30 bytes a record beside its RDATA, and 16 bytes per run of one owner.

use super::ZoneVersion;
use super::build::{ChunkBuilder, RrsetTooLarge};
use super::chunk::{Chunk, OwnerKind};
use super::key;
use crate::rdata::{self, TypeStatus};
use crate::{Name, RrType, Ttl};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Where a record came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of the file, in the order of first use; 0 is the zone file itself.
    pub source: u32,
    /// Line, from 1; 0 when there are no lines (a transfer).
    pub line: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}", self.line)
    }
}

/// What a zone may have; beyond it, loading stops with the limit named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Records in the zone.
    pub record_count_max: u64,
    /// Bytes of packed records.
    pub byte_count_max: u64,
}

impl Default for Limits {
    /// 100 million records, 16 GiB.
    fn default() -> Limits {
        Limits { record_count_max: 100_000_000, byte_count_max: 16 << 30 }
    }
}

/// Most warnings that are kept; the rest are counted.
pub const WARNING_COUNT_MAX: usize = 100;

/// Why some records are no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// No SOA at the apex.
    #[error("zone {apex} has no SOA record{}", hint(.foreign_soa))]
    NoSoa {
        /// The zone.
        apex: Name,
        /// Owner of a SOA elsewhere: maybe the wrong file.
        foreign_soa: Option<Name>,
    },
    /// Two different SOA records.
    #[error("zone {apex} has more than one SOA record ({place})")]
    SeveralSoas {
        /// The zone.
        apex: Name,
        /// Near which line.
        place: Place,
    },
    /// A SOA below the apex.
    #[error("{place}: SOA record at {owner}, which is not the zone's name {apex}")]
    SoaBelowApex {
        /// Its owner.
        owner: Name,
        /// The zone.
        apex: Name,
        /// Near which line.
        place: Place,
    },
    /// CNAME and other data (RFC 2181 §10.1).
    #[error("{place}: {owner} has a CNAME and other data; a CNAME must stand alone")]
    CnameAndOther {
        /// The owner.
        owner: Name,
        /// Near which line.
        place: Place,
    },
    /// Several CNAMEs, or several DNAMEs (RFC 6672 §2.4).
    #[error("{place}: {owner} has more than one {}", type_text(*.rtype))]
    SeveralAliases {
        /// The owner.
        owner: Name,
        /// CNAME or DNAME.
        rtype: RrType,
        /// Near which line.
        place: Place,
    },
    /// A DS where there is no zone cut (RFC 4035 §2.4).
    #[error(
        "{place}: DS record at {owner}, which is no delegation; add its NS records or drop the DS"
    )]
    DsWithoutDelegation {
        /// The owner.
        owner: Name,
        /// Near which line.
        place: Place,
    },
    /// An obsolete or meta type (catalogue 3.2).
    #[error("{place}: type {} at {owner} cannot be in a zone", type_text(*.rtype))]
    TypeRefused {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
        /// Which line.
        place: Place,
    },
    /// More records or bytes than [`Limits`] allow.
    #[error("zone is larger than its limit of {limit} {unit}")]
    LimitExceeded {
        /// The limit.
        limit: u64,
        /// "records" or "bytes".
        unit: &'static str,
    },
    /// More records of one type at one owner than the format holds.
    #[error("{owner}: {cause}")]
    RrsetTooLarge {
        /// The owner.
        owner: Name,
        /// Which type.
        #[source]
        cause: RrsetTooLarge,
    },
}

fn hint(foreign_soa: &Option<Name>) -> String {
    foreign_soa.as_ref().map_or(String::new(), |owner| {
        format!("; there is one for {owner}: wrong zone name, or the wrong file?")
    })
}

fn type_text(rtype: RrType) -> String {
    rtype.to_string()
}

/// What was odd, but does not stop the zone. Texts as in catalogue 3.2.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadWarning {
    /// Dropped: not at or below the apex.
    #[error("{place}: {owner} contains out-of-zone data, dropped")]
    OutOfZone {
        /// The owner.
        owner: Name,
        /// Which line.
        place: Place,
    },
    /// Dropped: made by a signer.
    #[error("{place}: {owner} contains dnssec data (type={}), dropped", type_text(*.rtype))]
    DnssecData {
        /// The owner.
        owner: Name,
        /// Which type.
        rtype: RrType,
        /// Which line.
        place: Place,
    },
    /// The smallest TTL of the RRset is used (RFC 2181 §5.2).
    #[error(
        "{place}: TTLs of {owner} {} differ, the smallest ({used}) is used",
        type_text(*.rtype)
    )]
    TtlMismatch {
        /// The owner.
        owner: Name,
        /// Which type.
        rtype: RrType,
        /// The TTL used.
        used: Ttl,
        /// Near which line.
        place: Place,
    },
    /// The apex has no NS records: nobody will ask this zone.
    #[error("zone {apex} has no NS records at its apex")]
    NoApexNs {
        /// The zone.
        apex: Name,
    },
}

/// A loaded zone.
#[derive(Debug)]
pub struct Loaded {
    /// The zone, unsigned.
    pub version: ZoneVersion,
    /// The first [`WARNING_COUNT_MAX`] warnings.
    pub warnings: Vec<LoadWarning>,
    /// How many warnings there were in all.
    pub warning_count: usize,
}

/// Collects records; see the module's head.
pub struct Loader {
    apex: Name,
    limits: Limits,
    arena: Vec<u8>,
    runs: Vec<Run>,
    last_owner: Name,
    record_count: u64,
    foreign_soa: Option<Name>,
    warnings: Vec<LoadWarning>,
    warning_count: usize,
    key: Vec<u8>,
}

/// Records of one owner that came one after the other. In the arena: length u32, key length u16,
/// case length u8, source u32, line u32, key, owner as given, records (type u16, TTL u32, RDATA
/// length u16, RDATA).
#[derive(Clone, Copy)]
struct Run {
    /// The first eight bytes of the key: most comparisons end here.
    prefix: u64,
    at: u64,
}

const RUN_HEADER: usize = 15;
const RECORD_HEADER: usize = 8;

impl Loader {
    /// A loader for the zone `apex`.
    pub fn new(apex: &Name, limits: Limits) -> Loader {
        Loader {
            apex: apex.clone(),
            limits,
            arena: Vec::new(),
            runs: Vec::new(),
            last_owner: Name::root(),
            record_count: 0,
            foreign_soa: None,
            warnings: Vec::new(),
            warning_count: 0,
            key: Vec::new(),
        }
    }

    /// Records taken so far.
    pub fn record_count(&self) -> u64 {
        self.record_count
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
        match rdata::status(rtype) {
            TypeStatus::Data => {}
            TypeStatus::Dnssec => {
                self.warn(LoadWarning::DnssecData { owner: owner.clone(), rtype, place });
                return Ok(());
            }
            TypeStatus::Obsolete | TypeStatus::Meta => {
                return Err(LoadError::TypeRefused { owner: owner.clone(), rtype, place });
            }
        }
        let same_owner = !self.runs.is_empty() && owner.as_wire() == self.last_owner.as_wire();
        if !same_owner && !self.begin_run(owner, place) {
            if rtype == RrType::SOA {
                self.foreign_soa.get_or_insert(owner.clone());
            }
            self.warn(LoadWarning::OutOfZone { owner: owner.clone(), place });
            return Ok(());
        }
        self.record_count += 1;
        self.check_limits(rdata.len())?;
        self.arena.extend(rtype.0.to_be_bytes());
        self.arena.extend(ttl.0.to_be_bytes());
        self.arena.extend((rdata.len() as u16).to_be_bytes());
        self.arena.extend(rdata);
        let run = self.runs[self.runs.len() - 1].at as usize;
        let length = (self.arena.len() - run) as u32;
        self.arena[run..run + 4].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }

    fn check_limits(&self, more: usize) -> Result<(), LoadError> {
        if self.record_count > self.limits.record_count_max {
            let limit = self.limits.record_count_max;
            return Err(LoadError::LimitExceeded { limit, unit: "records" });
        }
        if (self.arena.len() + more) as u64 > self.limits.byte_count_max {
            let limit = self.limits.byte_count_max;
            return Err(LoadError::LimitExceeded { limit, unit: "bytes" });
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
        let at = self.arena.len() as u64;
        self.arena.extend(((RUN_HEADER + self.key.len() + case.len()) as u32).to_be_bytes());
        self.arena.extend((self.key.len() as u16).to_be_bytes());
        self.arena.push(case.len() as u8);
        self.arena.extend(place.source.to_be_bytes());
        self.arena.extend(place.line.to_be_bytes());
        self.arena.extend(&self.key);
        self.arena.extend(case);
        self.runs.push(Run { prefix: prefix(&self.key), at });
        self.last_owner = owner.clone();
        true
    }

    fn warn(&mut self, warning: LoadWarning) {
        self.warning_count += 1;
        if self.warnings.len() < WARNING_COUNT_MAX {
            self.warnings.push(warning);
        }
    }

    /// Sorts, groups and checks what was taken.
    pub fn finish(mut self) -> Result<Loaded, LoadError> {
        let mut runs = std::mem::take(&mut self.runs);
        let arena = std::mem::take(&mut self.arena);
        runs.sort_unstable_by(|left, right| {
            left.prefix
                .cmp(&right.prefix)
                .then_with(|| run_key(&arena, *left).cmp(run_key(&arena, *right)))
                .then_with(|| left.at.cmp(&right.at))
        });
        if runs.first().is_none_or(|run| !run_key(&arena, *run).is_empty()) {
            return Err(self.no_soa());
        }
        let mut grouper = Grouper::new(&arena);
        let mut chunks: Vec<Arc<Chunk>> = Vec::new();
        let mut builder = ChunkBuilder::default();
        let same_key = |left: &Run, right: &Run| {
            left.prefix == right.prefix && run_key(&arena, *left) == run_key(&arena, *right)
        };
        for group in runs.chunk_by(same_key) {
            self.push_owner(group, &mut grouper, &mut builder)?;
            if builder.is_full() {
                chunks.push(Arc::new(builder.finish()));
            }
        }
        if !builder.is_empty() {
            chunks.push(Arc::new(builder.finish()));
        }
        let version = ZoneVersion { apex: self.apex, names: chunks.into(), hashes: Arc::new([]) };
        Ok(Loaded { version, warnings: self.warnings, warning_count: self.warning_count })
    }

    fn no_soa(&mut self) -> LoadError {
        LoadError::NoSoa { apex: self.apex.clone(), foreign_soa: self.foreign_soa.take() }
    }

    /// Writes one owner, all of whose runs are `group`.
    fn push_owner<'a>(
        &mut self,
        group: &[Run],
        grouper: &mut Grouper<'a>,
        builder: &mut ChunkBuilder,
    ) -> Result<(), LoadError> {
        grouper.gather(group);
        let owner = RunView::new(grouper.arena, group[0]);
        self.check_owner(grouper, &owner)?;
        let kind = grouper.classify(owner.key);
        if grouper.has(RrType::DS) && kind == OwnerKind::Authoritative {
            let place = owner.place;
            return Err(LoadError::DsWithoutDelegation { owner: self.name(owner.key), place });
        }
        builder.begin_owner(owner.key, owner.case, kind);
        let mut mismatches = Vec::new();
        for range in grouper.rrset_ranges() {
            let rtype = grouper.records[range.start].rtype;
            let (ttl, differ) = grouper.ttl(range.clone());
            if differ {
                mismatches.push((rtype, ttl));
            }
            builder.begin_rrset(rtype, ttl);
            for rdata in grouper.canonical(range) {
                builder.push_rdata(rdata).map_err(|cause| LoadError::RrsetTooLarge {
                    owner: self.name(owner.key),
                    cause,
                })?;
            }
            builder.end_rrset();
        }
        builder.end_owner();
        for (rtype, used) in mismatches {
            let (owner, place) = (self.name(owner.key), owner.place);
            self.warn(LoadWarning::TtlMismatch { owner, rtype, used, place });
        }
        Ok(())
    }

    /// The name of an owner key made by [`Loader::begin_run`].
    fn name(&self, key: &[u8]) -> Name {
        key::key_to_name(&self.apex, key).unwrap_or_else(Name::root)
    }

    fn check_owner(
        &mut self,
        grouper: &mut Grouper<'_>,
        owner: &RunView<'_>,
    ) -> Result<(), LoadError> {
        let place = owner.place;
        if owner.key.is_empty() {
            let soas = grouper.distinct(RrType::SOA);
            if soas != 1 {
                let apex = self.apex.clone();
                return Err(match soas {
                    0 => self.no_soa(),
                    _ => LoadError::SeveralSoas { apex, place },
                });
            }
            if !grouper.has(RrType::NS) {
                self.warn(LoadWarning::NoApexNs { apex: self.apex.clone() });
            }
        } else if grouper.has(RrType::SOA) {
            let apex = self.apex.clone();
            return Err(LoadError::SoaBelowApex { owner: self.name(owner.key), apex, place });
        }
        for rtype in [RrType::CNAME, RrType::DNAME] {
            if grouper.distinct(rtype) > 1 {
                return Err(LoadError::SeveralAliases {
                    owner: self.name(owner.key),
                    rtype,
                    place,
                });
            }
        }
        let is_other = |record: &Record<'_>| record.rtype != RrType::CNAME;
        if grouper.has(RrType::CNAME) && grouper.records.iter().any(is_other) {
            return Err(LoadError::CnameAndOther { owner: self.name(owner.key), place });
        }
        Ok(())
    }
}

fn prefix(key: &[u8]) -> u64 {
    let mut first = [0; 8];
    let length = key.len().min(8);
    first[..length].copy_from_slice(&key[..length]);
    u64::from_be_bytes(first)
}

fn run_key(arena: &[u8], run: Run) -> &[u8] {
    let at = run.at as usize;
    &arena[at + RUN_HEADER..at + RUN_HEADER + usize::from(super::chunk::read_u16(arena, at + 4))]
}

/// A run's parts.
struct RunView<'a> {
    key: &'a [u8],
    case: Option<&'a [u8]>,
    place: Place,
    records: &'a [u8],
}

impl<'a> RunView<'a> {
    fn new(arena: &'a [u8], run: Run) -> RunView<'a> {
        let at = run.at as usize;
        let length = super::chunk::read_u32(arena, at) as usize;
        let (head, rest) = arena[at..at + length].split_at(RUN_HEADER);
        let (key, rest) = rest.split_at(usize::from(super::chunk::read_u16(head, 4)));
        let (case, records) = rest.split_at(usize::from(head[6]));
        let place = Place {
            source: super::chunk::read_u32(head, 7),
            line: super::chunk::read_u32(head, 11),
        };
        RunView { key, case: (!case.is_empty()).then_some(case), place, records }
    }
}

#[derive(Clone, Copy)]
struct Record<'a> {
    rtype: RrType,
    ttl: Ttl,
    rdata: &'a [u8],
}

/// Gathers the records of one owner after the other, with buffers used again.
struct Grouper<'a> {
    arena: &'a [u8],
    records: Vec<Record<'a>>,
    /// Key of the zone cut or DNAME under which names are occluded.
    cut: Option<&'a [u8]>,
    forms: Vec<u8>,
    order: Vec<(Range<usize>, &'a [u8])>,
}

impl<'a> Grouper<'a> {
    fn new(arena: &'a [u8]) -> Grouper<'a> {
        Grouper { arena, records: Vec::new(), cut: None, forms: Vec::new(), order: Vec::new() }
    }

    fn gather(&mut self, group: &[Run]) {
        self.records.clear();
        for run in group {
            let mut rest = RunView::new(self.arena, *run).records;
            while !rest.is_empty() {
                let (head, tail) = rest.split_at(RECORD_HEADER);
                let length = usize::from(super::chunk::read_u16(head, 6));
                let (rdata, tail) = tail.split_at(length);
                let rtype = RrType(super::chunk::read_u16(head, 0));
                let ttl = Ttl(super::chunk::read_u32(head, 2));
                self.records.push(Record { rtype, ttl, rdata });
                rest = tail;
            }
        }
        self.records.sort_by_key(|record| record.rtype);
    }

    fn has(&self, rtype: RrType) -> bool {
        self.records.iter().any(|record| record.rtype == rtype)
    }

    /// Number of different records of a type.
    fn distinct(&mut self, rtype: RrType) -> usize {
        let start = self.records.partition_point(|record| record.rtype < rtype);
        let end = self.records.partition_point(|record| record.rtype <= rtype);
        if start == end { 0 } else { self.canonical(start..end).count() }
    }

    /// Where an owner stands; owners come in canonical order.
    fn classify(&mut self, key: &'a [u8]) -> OwnerKind {
        if self.cut.is_some_and(|cut| key.len() > cut.len() && key.starts_with(cut)) {
            return OwnerKind::Occluded;
        }
        let is_delegation = !key.is_empty() && self.has(RrType::NS);
        self.cut = (is_delegation || self.has(RrType::DNAME)).then_some(key);
        if is_delegation { OwnerKind::Delegation } else { OwnerKind::Authoritative }
    }

    fn rrset_ranges(&self) -> Vec<Range<usize>> {
        let mut start = 0;
        let same = |left: &Record<'_>, right: &Record<'_>| left.rtype == right.rtype;
        let ends = self.records.chunk_by(same).map(|rrset| {
            let range = start..start + rrset.len();
            start = range.end;
            range
        });
        ends.collect()
    }

    /// The smallest TTL, and whether there were others.
    fn ttl(&self, range: Range<usize>) -> (Ttl, bool) {
        let ttls = self.records[range].iter().map(|record| record.ttl);
        let smallest = ttls.clone().min().unwrap_or_default();
        (smallest, ttls.into_iter().any(|ttl| ttl != smallest))
    }

    /// The RDATA of one RRset in canonical order, each once (RFC 4034 §6.3).
    fn canonical(&mut self, range: Range<usize>) -> impl Iterator<Item = &'a [u8]> + '_ {
        let records = &self.records[range];
        let with_names = rdata::has_canonical_names(records[0].rtype);
        self.forms.clear();
        self.order.clear();
        for record in records {
            let start = self.forms.len();
            if records.len() > 1 {
                if with_names {
                    rdata::canonicalise(record.rtype, record.rdata, &mut self.forms);
                } else {
                    self.forms.extend(record.rdata);
                }
            }
            self.order.push((start..self.forms.len(), record.rdata));
        }
        if self.order.len() > 1 {
            let forms = &self.forms;
            self.order.sort_by(|left, right| forms[left.0.clone()].cmp(&forms[right.0.clone()]));
            self.order.dedup_by(|left, right| forms[left.0.clone()] == forms[right.0.clone()]);
        }
        self.order.iter().map(|(_, rdata)| *rdata)
    }
}
