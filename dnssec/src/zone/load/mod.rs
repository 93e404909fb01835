//! From records in any order to a zone version: packs, sorts, groups, checks, classifies.
//! RFC 1035 §5.2 (one SOA), RFC 2181 §5 (RRsets, one TTL), §10.1 (CNAME), RFC 6672 §2.4 (DNAME),
//! RFC 4034 §6.3 (order and duplicates), RFC 9499 §7 (cuts, glue, occlusion).
//! In: records as a zone file or a transfer brings them. Out: a [`ZoneVersion`] and warnings.
//! The work comes in three steps, so that the first and the last can be shared by threads:
//! [`Packer`] packs and sorts a part of the records, [`Assembly`] merges the parts, and
//! [`Assembly::build`] makes the chunks of a range of owners. [`Loader`] does all three in turn.
//! Never: signs, changes a value (but the TTL of an RRset becomes its smallest, catalogue 3.2).
//! Memory: some 30 bytes a record beside its RDATA, and 16 bytes per run of one owner.

mod assemble;
mod group;
mod pack;

pub use assemble::{Assembly, Built};
pub use pack::{Packed, Packer};

use super::ZoneVersion;
use crate::{Name, RrType, Ttl};
use std::fmt;

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
    /// Different records of one type at one name; more than [`RRSET_RECORD_COUNT_MAX`] means that.
    pub rrset_record_count_max: usize,
}

impl Default for Limits {
    /// 100 million records, 16 GiB, as many records in an RRset as the format holds.
    fn default() -> Limits {
        Limits {
            record_count_max: 100_000_000,
            byte_count_max: 16 << 30,
            rrset_record_count_max: RRSET_RECORD_COUNT_MAX,
        }
    }
}

/// What becomes of the input's RRSIG, NSEC, NSEC3 and NSEC3PARAM records, and of ZONEMD.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DnssecRecords {
    /// They are left out, with a warning: the signer makes its own.
    #[default]
    Dropped,
    /// They stay (`<Passthrough/>`).
    Kept,
}

/// What one of the [`Limits`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitUnit {
    /// [`Limits::record_count_max`].
    Records,
    /// [`Limits::byte_count_max`].
    Bytes,
    /// [`Limits::rrset_record_count_max`].
    RrsetRecords,
}

impl fmt::Display for LimitUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LimitUnit::Records => "records",
            LimitUnit::Bytes => "bytes",
            LimitUnit::RrsetRecords => "records per name and type",
        })
    }
}

/// Most records in an RRset that a chunk holds (module [`super::chunk`]).
pub const RRSET_RECORD_COUNT_MAX: usize = u16::MAX as usize;

/// Longest RRset, in bytes of its records with their headers: a message of 65,535 octets must also
/// carry the question, the signatures and an EDNS record.
pub const RRSET_BYTES_MAX: usize = 63_000;

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
        /// What it counts.
        unit: LimitUnit,
    },
    /// An RRset that no DNS message can carry (RFC 1035 §4.2.2).
    #[error(
        "{place}: the {} records of {owner} have {length} bytes; no DNS message carries more than \
         {RRSET_BYTES_MAX} of one kind",
        type_text(*.rtype)
    )]
    RrsetTooLong {
        /// The owner.
        owner: Name,
        /// Their type.
        rtype: RrType,
        /// Their length in bytes, record headers included.
        length: usize,
        /// Near which line.
        place: Place,
    },
    /// More records of one type at one owner than [`Limits`] allow.
    #[error(
        "{place}: the {} records of {owner} are more than the limit of {limit} {}",
        type_text(*.rtype),
        LimitUnit::RrsetRecords
    )]
    RrsetTooLarge {
        /// The owner.
        owner: Name,
        /// Their type.
        rtype: RrType,
        /// The limit.
        limit: usize,
        /// Near which line.
        place: Place,
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

/// The first warnings, and the count of all.
#[derive(Clone, Debug, Default)]
pub struct Warnings {
    /// The first [`WARNING_COUNT_MAX`].
    pub first: Vec<LoadWarning>,
    /// How many there were in all.
    pub count: usize,
}

impl Warnings {
    fn push(&mut self, warning: LoadWarning) {
        self.count += 1;
        if self.first.len() < WARNING_COUNT_MAX {
            self.first.push(warning);
        }
    }

    fn append(&mut self, other: Warnings) {
        let room = WARNING_COUNT_MAX - self.first.len();
        self.first.extend(other.first.into_iter().take(room));
        self.count += other.count;
    }
}

/// A loaded zone.
#[derive(Debug)]
pub struct Loaded {
    /// The zone, unsigned.
    pub version: ZoneVersion,
    /// What was odd.
    pub warnings: Warnings,
    /// Whether there was a ZONEMD at the apex, which was left out.
    pub has_digest: bool,
}

/// Loads a zone in one thread.
pub struct Loader {
    apex: Name,
    limits: Limits,
    packer: Packer,
}

impl Loader {
    /// A loader for the zone `apex`.
    pub fn new(apex: &Name, limits: Limits) -> Loader {
        Loader { apex: apex.clone(), limits, packer: Packer::new(apex, limits) }
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
        self.packer.add(owner, rtype, ttl, rdata, place)
    }

    /// Sorts, groups and checks what was taken.
    pub fn finish(self) -> Result<Loaded, LoadError> {
        let assembly = Assembly::new(&self.apex, vec![self.packer.finish()], self.limits)?;
        let ranges = assembly.ranges(1);
        let built = ranges.into_iter().map(|range| assembly.build(range));
        let built = built.collect::<Result<Vec<Built>, LoadError>>()?;
        Ok(assembly.finish(built))
    }
}
