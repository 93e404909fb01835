//! Why a difference does not fit a version.

use super::super::diff::Difference;
use super::super::load::{RRSET_BYTES_MAX, RRSET_RECORD_COUNT_MAX};
use super::OWNER_BYTES_MAX;
use crate::rdata::RdataError;
use crate::{Name, RrType};
use std::fmt;

/// One of the two lists of a [`Difference`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// [`Difference::removed`].
    Removed,
    /// [`Difference::added`].
    Added,
}

impl Part {
    pub(super) fn of(self, difference: &Difference) -> &[u8] {
        match self {
            Part::Removed => &difference.removed,
            Part::Added => &difference.added,
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Removed => "removed",
            Part::Added => "added",
        })
    }
}

/// A field of an RRSIG that its RRset implies (RFC 4034 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImpliedField {
    /// The TTL of the RRSIG record, which is the RRset's.
    Ttl,
    /// Original TTL: the same again, since the zone is the original.
    OriginalTtl,
    /// Labels of the owner's name.
    Labels,
    /// The signer's name: the apex.
    Signer,
}

impl fmt::Display for ImpliedField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ImpliedField::Ttl => "TTL",
            ImpliedField::OriginalTtl => "original TTL",
            ImpliedField::Labels => "labels field",
            ImpliedField::Signer => "signer's name",
        })
    }
}

/// Why a difference does not fit a version. Nothing is applied then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatchError {
    /// Bytes that are no record: nothing after them can be read either.
    #[error("the {part} records make no sense at byte {at}")]
    Malformed {
        /// In which list.
        part: Part,
        /// Offset of the record.
        at: usize,
    },
    /// RDATA that does not have the structure of its type.
    #[error("{part} {rtype} record at {owner}: {cause}")]
    BadRdata {
        /// In which list.
        part: Part,
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
        /// What is wrong.
        #[source]
        cause: RdataError,
    },
    /// A class other than IN.
    #[error("{part} {rtype} record at {owner} has class {class}, not IN")]
    ClassNotIn {
        /// In which list.
        part: Part,
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
        /// The class.
        class: u16,
    },
    /// An owner that is not at or below the apex.
    #[error("{part} {rtype} record at {owner}, which is not in the zone")]
    OutOfZone {
        /// In which list.
        part: Part,
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// An obsolete or meta type, which cannot be in a zone.
    #[error("added {rtype} record at {owner}: this type cannot be in a zone")]
    TypeRefused {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// A removed record is not there, or not with this TTL.
    #[error("removed {rtype} record at {owner} is not there")]
    RecordMissing {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// An added record is there already.
    #[error("added {rtype} record at {owner} is there already")]
    RecordPresent {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// The records of an RRset would have several TTLs (RFC 2181 §5.2).
    #[error("the {rtype} records at {owner} would have different TTLs")]
    TtlsDiffer {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// A signature whose field does not fit what it covers.
    #[error("the RRSIG over {covered} at {owner} has a {field} that does not fit")]
    SignatureMisfit {
        /// The owner.
        owner: Name,
        /// Type covered.
        covered: RrType,
        /// Which field.
        field: ImpliedField,
    },
    /// A signature over records that are not there.
    #[error("the RRSIG over {covered} at {owner} would cover no record")]
    SignatureWithoutRrset {
        /// The owner.
        owner: Name,
        /// Type covered.
        covered: RrType,
    },
    /// More signatures over one RRset than the format holds.
    #[error("more than 255 RRSIGs over {covered} at {owner}")]
    TooManySignatures {
        /// The owner.
        owner: Name,
        /// Type covered.
        covered: RrType,
    },
    /// More records in an RRset than the format holds, or more bytes than a message carries.
    #[error(
        "the {rtype} records at {owner} would be more than {RRSET_RECORD_COUNT_MAX}, or longer \
         than {RRSET_BYTES_MAX} bytes"
    )]
    RrsetTooLarge {
        /// The owner.
        owner: Name,
        /// The type.
        rtype: RrType,
    },
    /// More records of all types at one owner than the format holds.
    #[error("the records at {owner} would be longer than {OWNER_BYTES_MAX} bytes")]
    OwnerTooLarge {
        /// The owner.
        owner: Name,
    },
    /// An NSEC3 record, or an RRSIG over one, whose owner is no hash right below the apex
    /// (RFC 5155 §3).
    #[error("NSEC3 record, or RRSIG over one, at {owner}, which is no hash below the apex")]
    NotHashed {
        /// The owner.
        owner: Name,
    },
    /// A SOA record below the apex.
    #[error("added SOA record at {owner}, below the apex")]
    SoaBelowApex {
        /// The owner.
        owner: Name,
    },
    /// The apex would not have exactly one SOA record.
    #[error("zone {apex} would have {count} SOA records")]
    SoaCount {
        /// The zone.
        apex: Name,
        /// How many.
        count: usize,
    },
    /// CNAME and other data (RFC 2181 §10.1).
    #[error("{owner} would have a CNAME and other data")]
    CnameAndOther {
        /// The owner.
        owner: Name,
    },
    /// Several CNAMEs, or several DNAMEs (RFC 6672 §2.4).
    #[error("{owner} would have more than one {rtype}")]
    SeveralAliases {
        /// The owner.
        owner: Name,
        /// CNAME or DNAME.
        rtype: RrType,
    },
    /// A DS where there is no zone cut (RFC 4035 §2.4).
    #[error("{owner} would have a DS without being a delegation")]
    DsWithoutDelegation {
        /// The owner.
        owner: Name,
    },
}
