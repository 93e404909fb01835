//! The catalogue of findings: stable ids, severity, RFC section, title and remedy; and one finding.
//!
//! An id never changes its meaning and is never used again for something else, because waivers and
//! monitoring refer to it. Groups: 1xx structure, 2xx keys, 3xx signatures, 4xx delegations,
//! 5xx denial, 6xx comparison with the source, 70x chain to the parent, 71x caches, 72x succession,
//! 80x horizon, 82x ZONEMD. docs/src/audit.md shows the whole table; a test keeps both equal.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::wire::{self, rtype};

/// Weight of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Worth an operator's eye; does not stop publication.
    Warn,
    /// Not published until an operator has looked; what is served stays.
    Hold,
    /// The zone must not be published; one is enough to reject.
    Refuse,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Warn => "warning",
            Self::Hold => "hold",
            Self::Refuse => "error",
        })
    }
}

macro_rules! catalogue {
    ($(#[$about:meta])* $id:ident $letter:literal: $($name:ident $code:literal $severity:ident
        $reference:literal $title:literal $remedy:literal;)*) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize)]
        #[serde(into = "u16", try_from = "u16")]
        #[repr(u16)]
        pub enum $id {
            $(
                #[doc = concat!($letter, $code, ": ", $title, " (", $reference, ").")]
                $name = $code,
            )*
        }

        impl $id {
            /// Every finding that the auditor can make, in order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// Weight of this finding, where no policy says otherwise.
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
            /// The stable number, without its letter.
            #[must_use]
            pub fn code(self) -> u16 {
                self as u16
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($letter, "{}"), *self as u16)
            }
        }

        impl From<$id> for u16 {
            fn from(id: $id) -> u16 {
                id.code()
            }
        }

        impl TryFrom<u16> for $id {
            type Error = UnknownFinding;

            fn try_from(code: u16) -> Result<Self, UnknownFinding> {
                let found = Self::ALL.iter().find(|id| id.code() == code);
                found.copied().ok_or(UnknownFinding(code))
            }
        }
    };
}

catalogue! {
    /// What was found in a zone. The number (`A302`) is stable over releases.
    FindingId "A":
    MalformedRecord 101 Refuse "RFC 1035 3.2.1" "unreadable record in the candidate"
        "the hand-over is damaged; write the candidate anew";
    MalformedRdata 102 Refuse "RFC 1035 3.3" "RDATA does not have the form of its type"
        "correct the record in the source";
    OutOfZone 103 Refuse "RFC 1034 4.2.1" "owner name outside the zone"
        "remove the record, or correct the origin in the source";
    ClassNotIn 104 Refuse "RFC 1035 3.2.4" "class is not IN" "correct the class in the source";
    DuplicateRecord 105 Refuse "RFC 2181 5" "duplicate record"
        "remove one of the two from the source";
    TtlsDiffer 106 Refuse "RFC 2181 5.2" "TTLs differ within one RRset"
        "give all records of the RRset one TTL";
    SoaCount 107 Refuse "RFC 1035 5.2" "the apex does not have exactly one SOA"
        "correct the SOA in the source";
    SoaElsewhere 108 Refuse "RFC 1034 4.2.1" "SOA below the apex" "remove this SOA from the source";
    AliasBesideData 109 Refuse "RFC 2181 10.1" "CNAME beside other data, or more than one alias"
        "leave either the alias or the other records in the source";
    ApexWithoutNs 110 Refuse "RFC 1034 4.2.1" "no NS RRset at the apex"
        "add the name servers to the source";
    MalformedSource 111 Refuse "RFC 1035 3.2.1" "unreadable record in the source"
        "the hand-over is damaged; load the source anew";

    NoZoneKey 201 Refuse "RFC 4035 2.1" "no usable zone key in the DNSKEY RRset"
        "publish the zone's keys; check the key states";
    KeyProtocol 202 Refuse "RFC 4034 2.1.2" "DNSKEY protocol is not 3"
        "remove the key and generate a new one";
    NotAZoneKey 203 Warn "RFC 4034 2.1.1" "DNSKEY without the zone key flag"
        "remove the key unless it is there on purpose";
    KeyMissing 204 Refuse "RFC 4035 2.1" "expected DNSKEY is not published"
        "compare the key list with the candidate; sign again";
    KeyUnexpected 205 Refuse "RFC 4035 2.1" "published DNSKEY is not expected"
        "find out where the key comes from; sign again without it";
    KeyTtl 206 Refuse "RFC 4034 2" "TTL of the DNSKEY RRset is not the policy's"
        "sign again; check the keys' TTL in the policy";
    TooManyKeys 207 Refuse "RFC 4035 5.3.1" "more DNSKEYs than the limit"
        "remove old keys, or raise the limit";
    CannotVerify 208 Refuse "RFC 4035 5.3.1" "cannot verify with this key"
        "use an algorithm and key size that the auditor knows";
    NoSepSignature 209 Refuse "RFC 4035 2.2" "DNSKEY RRset not signed by a published SEP key"
        "make the KSK available to the signer and sign again";
    KeyTagShared 210 Warn "RFC 4034 B" "two published keys share algorithm and key tag"
        "make sure that both are meant; replace one of them";
    ParentSyncUnexpected 211 Refuse "RFC 7344 3" "CDS or CDNSKEY records are not as expected"
        "sign again; check the key states";
    ParentSyncBreaks 212 Refuse "RFC 7344 4.1" "a parent that follows CDS would break the zone"
        "publish the key that the CDS names and sign the DNSKEY RRset with it first";
    KeyAlgorithm 213 Refuse "RFC 8624 3.1" "new key of an algorithm or role that the policy lacks"
        "find out who made the key; remove it, or put its algorithm into the policy";
    KeySize 214 Refuse "RFC 6781 3.4.2" "new key of another size than the policy's"
        "make the key anew with the policy's size";
    KeyFlagsReserved 215 Warn "RFC 4034 2.1.1" "reserved flags of a DNSKEY are set"
        "make the key anew; no validator knows these flags";

    SignatureMissing 301 Refuse "RFC 4035 2.2" "RRset lacks a signature of a published algorithm"
        "sign again with a key of this algorithm";
    SignatureWrong 302 Refuse "RFC 4035 5.3.3" "signature does not verify"
        "check that each HSM holds the published key; sign again";
    SignatureKeyUnknown 303 Refuse "RFC 4035 5.3.1" "signature by a key that is not published"
        "publish the key first, or sign again with a published one";
    SignerName 304 Refuse "RFC 4034 3.1.7" "signer name is not the apex" "sign again";
    SignatureLabels 305 Refuse "RFC 4034 3.1.3" "labels field does not fit the owner name"
        "sign again";
    SignatureOriginalTtl 306 Refuse "RFC 4034 3.1.4" "original TTL is not the RRset's TTL"
        "sign again; a TTL was changed after signing";
    SignatureTtl 307 Refuse "RFC 4034 3" "TTL of the RRSIG is not the RRset's TTL" "sign again";
    SignatureNotYetValid 308 Refuse "RFC 4034 3.1.5" "signature is not valid yet"
        "check the signer's clock and the inception offset";
    SignatureExpired 309 Refuse "RFC 4034 3.1.5" "signature has expired"
        "sign again; check the signer's clock";
    SignatureTooOld 310 Refuse "RFC 6781 4.4.2" "signature expires within the refresh interval"
        "sign again; find out why the signature was not refreshed";
    SignatureLifetime 311 Warn "RFC 6781 4.4.2" "signature lifetime is outside the policy"
        "expected after a change of policy; otherwise sign again";
    SignatureWithoutRrset 312 Refuse "RFC 4035 2.2" "signature over an RRset that is not there"
        "remove the RRSIG; sign again";
    SignatureOnUnsignable 313 Refuse "RFC 4035 2.2" "signature over data that must not be signed"
        "remove the RRSIG; check how the signer sees the zone cut";
    SignatureByUnfitKey 314 Refuse "RFC 5011 2.1" "signature by a revoked key or a key of no zone"
        "sign again with an active zone key";
    TooManySignatures 315 Refuse "RFC 4035 5.3.1" "more signatures on one RRset than the limit"
        "remove old signatures, or raise the limit";

    KeyDoesNotSign 316 Refuse "RFC 7583 3" "RRset lacks the signature of a key that has to sign it"
        "make this key available to the signer and sign again";
    TooMuchWork 317 Refuse "RFC 4035 5.3.3" "verifying one RRset takes more attempts than the limit"
        "replace keys that share a key tag; remove old signatures";

    DsWithoutDelegation 401 Refuse "RFC 4034 5" "DS at a name that is not a delegation"
        "remove the DS, or add the delegation to the source";

    DenialKind 501 Refuse "RFC 5155 7.1" "records of the other kind of denial, or none"
        "sign again; check the denial settings of the policy";
    NsecMissing 502 Refuse "RFC 4035 2.3" "name without NSEC" "build the NSEC chain anew";
    NsecUnwanted 503 Refuse "RFC 4035 2.3" "NSEC at a name that must not have one"
        "build the NSEC chain anew";
    DenialMultiple 504 Refuse "RFC 4035 2.3" "more than one NSEC or NSEC3 at one owner name"
        "build the chain anew";
    NsecNextName 505 Refuse "RFC 4034 4.1.1" "NSEC does not point to the next name"
        "build the NSEC chain anew";
    BitmapWrong 506 Refuse "RFC 4034 4.1.2" "type bitmap does not match the types at the name"
        "build the chain anew";
    DenialTtl 507 Refuse "RFC 9077 3" "TTL is not the smaller of SOA TTL and SOA MINIMUM"
        "build the chain anew with the SOA's values";
    Nsec3ParamCount 511 Refuse "RFC 5155 7.1" "the apex does not have exactly one NSEC3PARAM"
        "sign again";
    Nsec3ParamElsewhere 512 Refuse "RFC 5155 4" "NSEC3PARAM below the apex" "remove the record";
    Nsec3ParamValues 513 Refuse "RFC 5155 4.1" "NSEC3PARAM is not as the policy says"
        "sign again; a new salt needs a new chain";
    Nsec3Values 514 Refuse "RFC 5155 7.1" "NSEC3 parameters are not as the policy says"
        "build the NSEC3 chain anew";
    Nsec3Flags 515 Refuse "RFC 5155 3.1.2" "NSEC3 flags are not as the policy says"
        "build the NSEC3 chain anew; check opt-out in the policy";
    Nsec3Owner 516 Refuse "RFC 5155 3" "NSEC3 owner name is not one hash label below the apex"
        "build the NSEC3 chain anew";
    Nsec3NextHash 517 Refuse "RFC 5155 7.1" "NSEC3 does not point to the next hash"
        "build the NSEC3 chain anew";
    Nsec3Missing 518 Refuse "RFC 5155 7.1" "name without NSEC3" "build the NSEC3 chain anew";
    Nsec3Unmatched 519 Refuse "RFC 5155 7.1" "NSEC3 matches no name of the zone"
        "build the NSEC3 chain anew";
    Nsec3OptOutMisused 520 Refuse "RFC 5155 6" "name left out of a span without opt-out"
        "build the NSEC3 chain anew; set opt-out or include the name";
    Nsec3TooCostly 521 Refuse "RFC 9276 3.1" "more NSEC3 iterations than the limit"
        "set iterations to 0 in the policy";
    Nsec3Algorithm 522 Refuse "RFC 5155 2" "NSEC3 with keys of an algorithm that does not know it"
        "use NSEC, or roll to an algorithm after 5";

    DataMissing 601 Refuse "W10" "record of the source is missing from the candidate"
        "load the source again and sign";
    DataAdded 602 Refuse "W10" "record is not in the source"
        "find out where the record comes from; sign again from the source";
    DataCaseChanged 603 Refuse "W10" "letter case of RDATA differs from the source"
        "sign again from the source";
    DataTtl 604 Refuse "W10" "TTL differs from the source" "sign again from the source";
    SoaPolicy 605 Refuse "RFC 2308 4" "SOA TTL or MINIMUM is not as expected"
        "sign again; check the SOA values of the policy";
    SoaChanged 606 Refuse "W10" "SOA fields differ from the source" "sign again from the source";
    SerialNotRisen 607 Refuse "RFC 1982 3.2" "serial is not greater than the published one"
        "raise the serial; check the serial mode and the source's serial";
    SourceOutOfZone 608 Warn "RFC 1034 4.2.1" "record of the source lies outside the zone"
        "remove the record, or correct the origin in the source";
    SerialServed 609 Refuse "RFC 1982 3.2" "serial is not greater than one that a secondary has"
        "raise the serial above it; find out where the secondary has it from";

    ChainBroken 701 Refuse "RFC 4035 5.2" "no DS of the parent leads to a key that signs the keys"
        "sign the DNSKEY RRset with the key of the DS, or correct the DS first";
    ChainAlgorithm 702 Refuse "RFC 6840 5.11" "an algorithm of the DS RRset leads to no key"
        "sign the DNSKEY RRset with the key of this DS, or have the DS removed first";
    ChainWasBroken 703 Warn "RFC 4035 5.2" "as before, the parent's DS does not lead into the zone"
        "correct the DS at the parent now: resolvers refuse the zone";
    DsUnusable 704 Warn "RFC 4035 5.2" "no DS is of a known algorithm and digest type"
        "give the parent a DS by SHA-256 of a key in use";
    ChainData 705 Refuse "RFC 6840 5.11" "RRsets lack signatures of an algorithm of the DS RRset"
        "sign everything with a published key of this algorithm before its DS is there";
    DsDigest 706 Warn "RFC 4509 3" "a digest type of the DS RRset leads to no key, another does"
        "have the wrong DS replaced; some resolvers look at one digest type only";
    DsDisagree 707 Warn "RFC 7344 4" "the parent has another DS RRset than is believed"
        "compare key list and parent; tell us by ds-seen or ds-gone what is true";

    CachedKeys 711 Refuse "RFC 7583 3.2" "signatures by keys that caches may not have yet"
        "publish the key, wait for the TTL of the DNSKEY RRset, then sign with it";
    CachedSignatures 712 Refuse "RFC 7583 3.2" "caches may have signatures by a key that goes"
        "leave the key in the DNSKEY RRset until all its signatures are out of caches";
    CachedDs 713 Refuse "RFC 7583 3.3" "a DS RRset that caches may have leads to no key any more"
        "leave the old key at work until the old DS RRset is out of caches";
    CachesTooComplex 714 Hold "RFC 4035 5.3.1" "more cached versions or sets of keys than the limit"
        "let old versions leave the caches; find out who signs with so many keys";

    KeysReplaced 721 Hold "RFC 6781 4.1.1" "no published key is left of the last version's"
        "do not publish: another signer's keys, or a wrong backup, are at work";
    WentUnsigned 722 Hold "RFC 4035 5.2" "a signed zone loses its signatures, DS unknown"
        "have the DS removed, wait until caches let go of it, tell us by ds-gone";
    DenialChanged 723 Warn "RFC 5155 10.4" "kind or parameters of denial are not the last version's"
        "expected after a change of policy; otherwise find out who changed it";
    KeyFlagsChanged 724 Hold "RFC 4034 2.1.1" "a published key has other flags than before"
        "make a new key for the new role; validators take it for another key";
    RevocationUndone 725 Hold "RFC 5011 2.1" "a revoked key is published as if it were not"
        "remove the key: revocation is for good";
    KeyTagReused 726 Warn "RFC 4034 B" "a new key has algorithm and key tag of an earlier one"
        "make another key: tags should tell the keys in caches apart";

    TtlOverExpiry 801 Warn "RFC 4035 5.3.3" "a signature expires before its RRset leaves caches"
        "sign again; make the refresh interval longer than the largest TTL";
    RefreshBelowTtl 802 Warn "RFC 6781 4.4.2" "refresh interval is shorter than the largest TTL"
        "lower the largest TTL, or lengthen refresh and validity in the policy";
    ExpiryBelowSoaExpire 803 Warn "RFC 6781 4.4.2" "signatures expire before SOA EXPIRE is over"
        "lengthen refresh and validity in the policy, or lower SOA EXPIRE";
    ExpiryBelowReaction 804 Warn "RFC 6781 4.4.2" "too little time between SOA EXPIRE and expiry"
        "lengthen refresh and validity in the policy, or lower SOA EXPIRE or TTLs";

    ZonemdDigest 821 Refuse "RFC 8976 4" "ZONEMD digest is not that of the zone"
        "make the digest anew after all other records";
    ZonemdSerial 822 Refuse "RFC 8976 4" "serial in ZONEMD is not the SOA's"
        "make the digest anew after all other records";
    ZonemdRepeated 823 Refuse "RFC 8976 2" "more than one ZONEMD of a scheme and hash algorithm"
        "leave one of them";
    ZonemdUnknown 824 Warn "RFC 8976 4" "no ZONEMD is of a known scheme and hash algorithm"
        "use SIMPLE with SHA-384 or SHA-512";
    ZonemdPresence 825 Refuse "RFC 8976 2" "ZONEMD is there or not against the policy"
        "sign again; check the ZONEMD setting";
}

impl FindingId {
    /// Whether it is one of the findings about signatures, `A300` to `A399`.
    #[must_use]
    pub fn concerns_signatures(self) -> bool {
        (300..400).contains(&self.code())
    }
}

/// There is no finding of this number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no finding of number {0}")]
pub struct UnknownFinding(pub u16);

/// A record type number; shown by its mnemonic, or as `TYPEn` (RFC 3597 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is.
    pub id: FindingId,
    /// Its weight; that of its id, unless the policy gives another.
    pub severity: Severity,
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
        write!(f, "{} {}: {}", self.id, self.severity, wire::NameText(&self.owner))?;
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
