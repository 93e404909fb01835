//! The catalogue of findings: stable ids, severity, RFC section, title and remedy; and one finding.
//!
//! An id never changes its meaning and is never used again for something else, because waivers and
//! monitoring refer to it. Groups: 1xx structure, 2xx keys, 3xx signatures, 4xx delegations,
//! 5xx denial, 6xx comparison with the source.

use std::fmt;

use crate::wire::{self, rtype};

/// Weight of a finding. One error is enough to reject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth an operator's eye; does not stop publication.
    Warning,
    /// The zone must not be published.
    Error,
}

macro_rules! catalogue {
    ($($name:ident $code:literal $severity:ident $reference:literal $title:literal
        $remedy:literal;)*) => {
        /// What was found. The number (`A302`) is stable over releases.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum FindingId {
            $(#[doc = concat!("A", $code, ": ", $title, " (", $reference, ").")] $name = $code,)*
        }

        impl FindingId {
            /// Every finding that the auditor can make, in order of its number.
            pub const ALL: &'static [FindingId] = &[$(Self::$name,)*];

            /// Weight of this finding.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
            /// Document and section that the zone offends.
            #[must_use]
            pub fn reference(self) -> &'static str {
                match self { $(Self::$name => $reference,)* }
            }
            /// What is wrong, without the particulars.
            #[must_use]
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
            /// What to do about it.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$name => $remedy,)* }
            }
        }
    };
}

catalogue! {
    MalformedRecord 101 Error "RFC 1035 3.2.1" "unreadable record in the candidate"
        "the hand-over is damaged; write the candidate anew";
    MalformedRdata 102 Error "RFC 1035 3.3" "RDATA does not have the form of its type"
        "correct the record in the source";
    OutOfZone 103 Error "RFC 1034 4.2.1" "owner name outside the zone"
        "remove the record, or correct the origin in the source";
    ClassNotIn 104 Error "RFC 1035 3.2.4" "class is not IN" "correct the class in the source";
    DuplicateRecord 105 Error "RFC 2181 5" "duplicate record"
        "remove one of the two from the source";
    TtlsDiffer 106 Error "RFC 2181 5.2" "TTLs differ within one RRset"
        "give all records of the RRset one TTL";
    SoaCount 107 Error "RFC 1035 5.2" "the apex does not have exactly one SOA"
        "correct the SOA in the source";
    SoaElsewhere 108 Error "RFC 1034 4.2.1" "SOA below the apex" "remove this SOA from the source";
    AliasBesideData 109 Error "RFC 2181 10.1" "CNAME beside other data, or more than one alias"
        "leave either the alias or the other records in the source";
    ApexWithoutNs 110 Error "RFC 1034 4.2.1" "no NS RRset at the apex"
        "add the name servers to the source";
    MalformedSource 111 Error "RFC 1035 3.2.1" "unreadable record in the source"
        "the hand-over is damaged; load the source anew";

    NoZoneKey 201 Error "RFC 4035 2.1" "no usable zone key in the DNSKEY RRset"
        "publish the zone's keys; check the key states";
    KeyProtocol 202 Error "RFC 4034 2.1.2" "DNSKEY protocol is not 3"
        "remove the key and generate a new one";
    NotAZoneKey 203 Warning "RFC 4034 2.1.1" "DNSKEY without the zone key flag"
        "remove the key unless it is there on purpose";
    KeyMissing 204 Error "RFC 4035 2.1" "expected DNSKEY is not published"
        "compare the key list with the candidate; sign again";
    KeyUnexpected 205 Error "RFC 4035 2.1" "published DNSKEY is not expected"
        "find out where the key comes from; sign again without it";
    KeyTtl 206 Error "RFC 4034 2" "TTL of the DNSKEY RRset is not the policy's"
        "sign again; check the keys' TTL in the policy";
    TooManyKeys 207 Error "RFC 4035 5.3.1" "more DNSKEYs than the limit"
        "remove old keys, or raise the limit";
    CannotVerify 208 Error "RFC 4035 5.3.1" "cannot verify with this key"
        "use an algorithm and key size that the auditor knows";
    NoSepSignature 209 Error "RFC 4035 2.2" "DNSKEY RRset not signed by a published SEP key"
        "make the KSK available to the signer and sign again";
    KeyTagShared 210 Warning "RFC 4034 B" "two published keys share algorithm and key tag"
        "make sure that both are meant; replace one of them";
    ParentSyncUnexpected 211 Error "RFC 7344 3" "CDS or CDNSKEY records are not as expected"
        "sign again; check the key states";
    ParentSyncBreaks 212 Error "RFC 7344 4.1" "a parent that follows CDS would break the zone"
        "publish the key that the CDS names and sign the DNSKEY RRset with it first";

    SignatureMissing 301 Error "RFC 4035 2.2" "RRset lacks a signature of a published algorithm"
        "sign again with a key of this algorithm";
    SignatureWrong 302 Error "RFC 4035 5.3.3" "signature does not verify"
        "check that each HSM holds the published key; sign again";
    SignatureKeyUnknown 303 Error "RFC 4035 5.3.1" "signature by a key that is not published"
        "publish the key first, or sign again with a published one";
    SignerName 304 Error "RFC 4034 3.1.7" "signer name is not the apex" "sign again";
    SignatureLabels 305 Error "RFC 4034 3.1.3" "labels field does not fit the owner name"
        "sign again";
    SignatureOriginalTtl 306 Error "RFC 4034 3.1.4" "original TTL is not the RRset's TTL"
        "sign again; a TTL was changed after signing";
    SignatureTtl 307 Error "RFC 4034 3" "TTL of the RRSIG is not the RRset's TTL" "sign again";
    SignatureNotYetValid 308 Error "RFC 4034 3.1.5" "signature is not valid yet"
        "check the signer's clock and the inception offset";
    SignatureExpired 309 Error "RFC 4034 3.1.5" "signature has expired"
        "sign again; check the signer's clock";
    SignatureTooOld 310 Error "RFC 6781 4.4.2" "signature expires within the refresh interval"
        "sign again; find out why the signature was not refreshed";
    SignatureLifetime 311 Warning "RFC 6781 4.4.2" "signature lifetime is outside the policy"
        "expected after a change of policy; otherwise sign again";
    SignatureWithoutRrset 312 Error "RFC 4035 2.2" "signature over an RRset that is not there"
        "remove the RRSIG; sign again";
    SignatureOnUnsignable 313 Error "RFC 4035 2.2" "signature over data that must not be signed"
        "remove the RRSIG; check how the signer sees the zone cut";
    SignatureByUnfitKey 314 Error "RFC 5011 2.1" "signature by a revoked key or a key of no zone"
        "sign again with an active zone key";
    TooManySignatures 315 Error "RFC 4035 5.3.1" "more signatures on one RRset than the limit"
        "remove old signatures, or raise the limit";

    KeyDoesNotSign 316 Error "RFC 7583 3" "RRset lacks the signature of a key that has to sign it"
        "make this key available to the signer and sign again";

    DsWithoutDelegation 401 Error "RFC 4034 5" "DS at a name that is not a delegation"
        "remove the DS, or add the delegation to the source";

    DenialKind 501 Error "RFC 5155 7.1" "records of the other kind of denial, or none"
        "sign again; check the denial settings of the policy";
    NsecMissing 502 Error "RFC 4035 2.3" "name without NSEC" "build the NSEC chain anew";
    NsecUnwanted 503 Error "RFC 4035 2.3" "NSEC at a name that must not have one"
        "build the NSEC chain anew";
    DenialMultiple 504 Error "RFC 4035 2.3" "more than one NSEC or NSEC3 at one owner name"
        "build the chain anew";
    NsecNextName 505 Error "RFC 4034 4.1.1" "NSEC does not point to the next name"
        "build the NSEC chain anew";
    BitmapWrong 506 Error "RFC 4034 4.1.2" "type bitmap does not match the types at the name"
        "build the chain anew";
    DenialTtl 507 Error "RFC 9077 3" "TTL is not the smaller of SOA TTL and SOA MINIMUM"
        "build the chain anew with the SOA's values";
    Nsec3ParamCount 511 Error "RFC 5155 7.1" "the apex does not have exactly one NSEC3PARAM"
        "sign again";
    Nsec3ParamElsewhere 512 Error "RFC 5155 4" "NSEC3PARAM below the apex" "remove the record";
    Nsec3ParamValues 513 Error "RFC 5155 4.1" "NSEC3PARAM is not as the policy says"
        "sign again; a new salt needs a new chain";
    Nsec3Values 514 Error "RFC 5155 7.1" "NSEC3 parameters are not as the policy says"
        "build the NSEC3 chain anew";
    Nsec3Flags 515 Error "RFC 5155 3.1.2" "NSEC3 flags are not as the policy says"
        "build the NSEC3 chain anew; check opt-out in the policy";
    Nsec3Owner 516 Error "RFC 5155 3" "NSEC3 owner name is not one hash label below the apex"
        "build the NSEC3 chain anew";
    Nsec3NextHash 517 Error "RFC 5155 7.1" "NSEC3 does not point to the next hash"
        "build the NSEC3 chain anew";
    Nsec3Missing 518 Error "RFC 5155 7.1" "name without NSEC3" "build the NSEC3 chain anew";
    Nsec3Unmatched 519 Error "RFC 5155 7.1" "NSEC3 matches no name of the zone"
        "build the NSEC3 chain anew";
    Nsec3OptOutMisused 520 Error "RFC 5155 6" "name left out of a span without opt-out"
        "build the NSEC3 chain anew; set opt-out or include the name";
    Nsec3TooCostly 521 Error "RFC 9276 3.1" "more NSEC3 iterations than the limit"
        "set iterations to 0 in the policy";

    DataMissing 601 Error "W10" "record of the source is missing from the candidate"
        "load the source again and sign";
    DataAdded 602 Error "W10" "record is not in the source"
        "find out where the record comes from; sign again from the source";
    DataCaseChanged 603 Error "W10" "letter case of RDATA differs from the source"
        "sign again from the source";
    DataTtl 604 Error "W10" "TTL differs from the source" "sign again from the source";
    SoaPolicy 605 Error "RFC 2308 4" "SOA TTL or MINIMUM is not as expected"
        "sign again; check the SOA values of the policy";
    SoaChanged 606 Error "W10" "SOA fields differ from the source" "sign again from the source";
    SerialNotRisen 607 Error "RFC 1982 3.2" "serial is not greater than the published one"
        "raise the serial; check the serial mode and the source's serial";
    SourceOutOfZone 608 Warning "RFC 1034 4.2.1" "record of the source lies outside the zone"
        "remove the record, or correct the origin in the source";
}

impl FindingId {
    /// The stable number, as in `A302`.
    #[must_use]
    pub fn code(self) -> u16 {
        self as u16
    }

    /// Whether it is one of the findings about signatures, `A300` to `A399`.
    #[must_use]
    pub fn concerns_signatures(self) -> bool {
        (300..400).contains(&self.code())
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "A{}", self.code())
    }
}

/// A record type number; shown by its mnemonic, or as `TYPEn` (RFC 3597 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match rtype::mnemonic(self.0) {
            Some(text) => f.write_str(text),
            None => write!(f, "TYPE{}", self.0),
        }
    }
}

/// One thing that is wrong with the zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is.
    pub id: FindingId,
    /// Owner name in wire form; the apex when the finding is about the whole zone.
    pub owner: Box<[u8]>,
    /// Record type it is about; for a signature the type covered.
    pub record_type: Option<RecordType>,
    /// Particulars for the operator: values found and expected. May be empty.
    pub detail: String,
}

impl Finding {
    /// Owner name in presentation form, with the final dot.
    #[must_use]
    pub fn owner_text(&self) -> String {
        wire::NameText(&self.owner).to_string()
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.id.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{} {severity}: {}", self.id, wire::NameText(&self.owner))?;
        if let Some(record_type) = self.record_type {
            write!(f, " {record_type}")?;
        }
        write!(f, ": {}", self.id.title())?;
        if !self.detail.is_empty() {
            write!(f, " ({})", self.detail)?;
        }
        write!(f, " [{}]; remedy: {}", self.id.reference(), self.id.remedy())
    }
}
