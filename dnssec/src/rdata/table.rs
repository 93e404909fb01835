//! The table of all types: number, mnemonic, field list, status. IANA "Resource Record (RR)
//! TYPEs" as of 2026. Out: looked up in constant time, built at compile time.
//! Never: a rule that is not a property of the type alone. Limits: types without a public format
//! (NXNAME, UINFO, UID, GID, UNSPEC, NB) are opaque.

use std::fmt;

use crate::RrType;

/// What one field of RDATA is, in text and on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Domain name, case kept in canonical form.
    Name,
    /// Domain name, lower-cased in canonical form (RFC 4034 §6.2).
    CanonicalName,
    /// Number of one octet.
    U8,
    /// Number of two octets.
    U16,
    /// Number of four octets.
    U32,
    /// Number of eight octets.
    U64,
    /// Seconds in four octets, with units in text (`1h30m`).
    Period,
    /// IPv4 address.
    Ip4,
    /// IPv6 address.
    Ip6,
    /// Character-string.
    Text,
    /// Character-string or nothing.
    TextOptional,
    /// One or more character-strings.
    Texts,
    /// Text to the end of the data, without a length octet; may be empty.
    TextRest,
    /// The same, of one octet at least.
    TextRestSome,
    /// CAA tag: letters and digits behind a length octet (RFC 8659 §4.1).
    Tag,
    /// Decimal digits as character-string (X25).
    Digits,
    /// Hexadecimal data to the end, one octet at least.
    Hex,
    /// Hexadecimal digest to the end, twelve octets at least (RFC 8976 §2.2.4).
    ZoneDigest,
    /// Digest type in one octet and a digest of the length that it asks for (RFC 4034 §5.1).
    TypedDigest,
    /// Base64 data to the end, one octet at least.
    Base64,
    /// Base64 data to the end, or nothing.
    Base64Optional,
    /// Base64 data to the end, `-` for none (DOA).
    Base64Dash,
    /// NSEC3 salt: hexadecimal behind a length octet, `-` for none (RFC 5155 §3.3).
    Salt,
    /// NSEC3 next hashed owner: base32hex behind a length octet (RFC 5155 §3.3).
    NextHash,
    /// Type bitmap to the end (RFC 4034 §4.1.2).
    Bitmap,
    /// RRSIG time (RFC 4034 §3.2).
    Time,
    /// A type, as mnemonic.
    Type,
    /// DNSSEC algorithm, number or mnemonic.
    Algorithm,
    /// Certificate type, number or mnemonic (RFC 4398 §2.1).
    CertType,
    /// DSYNC scheme, number or mnemonic (RFC 9859 §2).
    Scheme,
    /// Whole RDATA of LOC (RFC 1876).
    Loc,
    /// Whole RDATA of APL (RFC 3123).
    Apl,
    /// SVCB parameters to the end (RFC 9460 §2.1).
    SvcParams,
    /// EUI-48 address (RFC 7043).
    Eui48,
    /// EUI-64 address (RFC 7043).
    Eui64,
    /// 64 bits as four groups of hexadecimal digits (RFC 6742 §2.1).
    Locator64,
    /// Gateway type, algorithm and gateway of IPSECKEY (RFC 4025 §2).
    IpsecGateway,
    /// Discovery bit, relay type and relay of AMTRELAY (RFC 8777 §4).
    AmtRelay,
    /// Whole RDATA of HIP (RFC 8005 §5).
    Hip,
    /// NSAP address (RFC 1706).
    Nsap,
    /// ATM address.
    Atma,
    /// Whole RDATA of A6 (RFC 2874); only looked at, never printed.
    A6,
    /// Anything to the end; in text only as RFC 3597.
    Opaque,
}

impl Kind {
    /// How an error calls it.
    pub(super) fn expected(self) -> &'static str {
        match self {
            Kind::Name | Kind::CanonicalName => "a domain name",
            Kind::U8 => "a number up to 255",
            Kind::U16 => "a number up to 65535",
            Kind::U32 => "a number up to 4294967295",
            Kind::U64 => "a number up to 18446744073709551615",
            Kind::Period => "a number of seconds, or a period like 1h30m",
            Kind::Ip4 => "an IPv4 address",
            Kind::Ip6 => "an IPv6 address",
            Kind::Text | Kind::TextOptional | Kind::Texts => "a text of at most 255 octets",
            Kind::TextRest => "a text",
            Kind::TextRestSome => "a text that is not empty",
            Kind::Tag => "a tag of letters and digits",
            Kind::Digits => "a number of 4 to 255 digits",
            Kind::Hex => "hexadecimal data",
            Kind::ZoneDigest => "a hexadecimal digest of 12 octets or more",
            Kind::TypedDigest => "a hexadecimal digest of the length of its digest type",
            Kind::Base64 | Kind::Base64Optional => "base64 data",
            Kind::Base64Dash => "base64 data or `-`",
            Kind::Salt => "a hexadecimal salt of at most 255 octets or `-`",
            Kind::NextHash => "a base32hex hash",
            Kind::Bitmap => "a list of types",
            Kind::Time => "a time as YYYYMMDDHHmmSS",
            Kind::Type => "a record type",
            Kind::Algorithm => "an algorithm number or mnemonic",
            Kind::CertType => "a certificate type",
            Kind::Scheme => "a scheme number or NOTIFY",
            Kind::Loc => "a location (RFC 1876)",
            Kind::Apl => "an address prefix like 1:192.0.2.0/24",
            Kind::SvcParams => "service parameters in order of their keys (RFC 9460)",
            Kind::Eui48 => "an address like 00-00-5e-00-53-2a",
            Kind::Eui64 => "an address like 00-00-5e-ef-10-00-00-2a",
            Kind::Locator64 => "four groups of hexadecimal digits like 2001:0db8:1140:1000",
            Kind::IpsecGateway => "a gateway that fits its type",
            Kind::AmtRelay => "a relay that fits its type",
            Kind::Hip => "a host identity (RFC 8005)",
            Kind::Nsap => "an NSAP address like 0x47.0005.80",
            Kind::Atma => "an ATM address",
            Kind::A6 => "an A6 address",
            Kind::Opaque => "data",
        }
    }
}

/// Whether a type may be in a zone, and who makes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeStatus {
    /// Data of the zone's owner.
    Data,
    /// Made by the signer: RRSIG, NSEC, NSEC3, NSEC3PARAM.
    Dnssec,
    /// No longer in use; refused.
    Obsolete,
    /// For messages only; refused.
    Meta,
}

impl fmt::Display for TypeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TypeStatus::Data => "ordinary data",
            TypeStatus::Dnssec => "made by the signer",
            TypeStatus::Obsolete => "the type is obsolete",
            TypeStatus::Meta => "the type is only used in messages",
        })
    }
}

/// One row of the table.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) number: u16,
    pub(super) mnemonic: &'static str,
    pub(super) fields: &'static [Kind],
    pub(super) status: TypeStatus,
    /// Printed as `TYPEnnn \# length hex`, since BIND 9.18, ldns 1.8 or Knot DNS 3.2 does not
    /// read the mnemonic or the text.
    pub(super) generic: bool,
}

const fn data(number: u16, mnemonic: &'static str, fields: &'static [Kind]) -> Spec {
    Spec { number, mnemonic, fields, status: TypeStatus::Data, generic: false }
}

const fn rare(number: u16, mnemonic: &'static str, fields: &'static [Kind]) -> Spec {
    Spec { number, mnemonic, fields, status: TypeStatus::Data, generic: true }
}

const fn made(number: u16, mnemonic: &'static str, fields: &'static [Kind]) -> Spec {
    Spec { number, mnemonic, fields, status: TypeStatus::Dnssec, generic: false }
}

const fn obsolete(number: u16, mnemonic: &'static str, fields: &'static [Kind]) -> Spec {
    Spec { number, mnemonic, fields, status: TypeStatus::Obsolete, generic: true }
}

const fn meta(number: u16, mnemonic: &'static str) -> Spec {
    let fields = &[Kind::Opaque];
    Spec { number, mnemonic, fields, status: TypeStatus::Meta, generic: true }
}

use Kind::*;

const DNSKEY: &[Kind] = &[U16, U8, Algorithm, Base64];
const DS: &[Kind] = &[U16, Algorithm, TypedDigest];
const SIGNATURE: &[Kind] = &[Type, Algorithm, U8, U32, Time, Time, U16, CanonicalName, Base64];
const SVCB: &[Kind] = &[U16, Name, SvcParams];
const TLSA: &[Kind] = &[U8, U8, U8, Hex];

/// All types, by number. The tests compare the order and the uniqueness.
pub(super) static SPECS: [Spec; 97] = [
    data(1, "A", &[Ip4]),
    data(2, "NS", &[CanonicalName]),
    obsolete(3, "MD", &[CanonicalName]),
    obsolete(4, "MF", &[CanonicalName]),
    data(5, "CNAME", &[CanonicalName]),
    data(6, "SOA", &[CanonicalName, CanonicalName, U32, Period, Period, Period, Period]),
    rare(7, "MB", &[CanonicalName]),
    rare(8, "MG", &[CanonicalName]),
    rare(9, "MR", &[CanonicalName]),
    meta(10, "NULL"),
    obsolete(11, "WKS", &[Opaque]),
    data(12, "PTR", &[CanonicalName]),
    data(13, "HINFO", &[Text, Text]),
    data(14, "MINFO", &[CanonicalName, CanonicalName]),
    data(15, "MX", &[U16, CanonicalName]),
    data(16, "TXT", &[Texts]),
    data(17, "RP", &[CanonicalName, CanonicalName]),
    data(18, "AFSDB", &[U16, CanonicalName]),
    rare(19, "X25", &[Digits]),
    rare(20, "ISDN", &[Text, TextOptional]),
    data(21, "RT", &[U16, CanonicalName]),
    rare(22, "NSAP", &[Nsap]),
    obsolete(23, "NSAP-PTR", &[Name]),
    obsolete(24, "SIG", SIGNATURE),
    obsolete(25, "KEY", &[U16, U8, Algorithm, Base64Optional]),
    rare(26, "PX", &[U16, CanonicalName, CanonicalName]),
    obsolete(27, "GPOS", &[Text, Text, Text]),
    data(28, "AAAA", &[Ip6]),
    data(29, "LOC", &[Loc]),
    obsolete(30, "NXT", &[CanonicalName, Opaque]),
    rare(31, "EID", &[Hex]),
    rare(32, "NIMLOC", &[Hex]),
    data(33, "SRV", &[U16, U16, U16, CanonicalName]),
    rare(34, "ATMA", &[Atma]),
    data(35, "NAPTR", &[U16, U16, Text, Text, Text, CanonicalName]),
    data(36, "KX", &[U16, CanonicalName]),
    data(37, "CERT", &[CertType, U16, Algorithm, Base64]),
    obsolete(38, "A6", &[A6]),
    data(39, "DNAME", &[CanonicalName]),
    rare(40, "SINK", &[U8, U8, Base64]),
    meta(41, "OPT"),
    data(42, "APL", &[Apl]),
    data(43, "DS", DS),
    data(44, "SSHFP", &[U8, U8, Hex]),
    data(45, "IPSECKEY", &[U8, IpsecGateway, Base64Optional]),
    made(46, "RRSIG", SIGNATURE),
    made(47, "NSEC", &[Name, Bitmap]),
    data(48, "DNSKEY", DNSKEY),
    data(49, "DHCID", &[Base64]),
    made(50, "NSEC3", &[U8, U8, U16, Salt, NextHash, Bitmap]),
    made(51, "NSEC3PARAM", &[U8, U8, U16, Salt]),
    data(52, "TLSA", TLSA),
    data(53, "SMIMEA", TLSA),
    rare(55, "HIP", &[Hip]),
    rare(56, "NINFO", &[Texts]),
    rare(57, "RKEY", &[U16, U8, Algorithm, Base64]),
    rare(58, "TALINK", &[Name, Name]),
    data(59, "CDS", DS),
    data(60, "CDNSKEY", DNSKEY),
    data(61, "OPENPGPKEY", &[Base64]),
    data(62, "CSYNC", &[U32, U16, Bitmap]),
    data(63, "ZONEMD", &[U32, U8, U8, ZoneDigest]),
    data(64, "SVCB", SVCB),
    data(65, "HTTPS", SVCB),
    rare(66, "DSYNC", &[Type, Scheme, U16, Name]),
    rare(67, "HHIT", &[Base64]),
    rare(68, "BRID", &[Base64]),
    data(99, "SPF", &[Texts]),
    rare(100, "UINFO", &[Opaque]),
    rare(101, "UID", &[Opaque]),
    rare(102, "GID", &[Opaque]),
    rare(103, "UNSPEC", &[Opaque]),
    data(104, "NID", &[U16, Locator64]),
    data(105, "L32", &[U16, Ip4]),
    data(106, "L64", &[U16, Locator64]),
    data(107, "LP", &[U16, Name]),
    data(108, "EUI48", &[Eui48]),
    data(109, "EUI64", &[Eui64]),
    meta(128, "NXNAME"),
    meta(249, "TKEY"),
    meta(250, "TSIG"),
    meta(251, "IXFR"),
    meta(252, "AXFR"),
    meta(253, "MAILB"),
    meta(254, "MAILA"),
    meta(255, "ANY"),
    data(256, "URI", &[U16, U16, TextRestSome]),
    data(257, "CAA", &[U8, Tag, TextRest]),
    rare(258, "AVC", &[Texts]),
    rare(259, "DOA", &[U32, U32, U8, Text, Base64Dash]),
    rare(260, "AMTRELAY", &[U8, AmtRelay]),
    rare(261, "RESINFO", &[Texts]),
    rare(262, "WALLET", &[Texts]),
    rare(263, "CLA", &[Texts]),
    rare(264, "IPN", &[U64]),
    rare(32768, "TA", DS),
    rare(32769, "DLV", DS),
];

/// Types below this number are found by an index, the few above by search.
const INDEX_LENGTH: usize = 272;
/// For each low type its row in `SPECS` plus one; 0 for none.
static INDEX: [u8; INDEX_LENGTH] = build_index();

const fn build_index() -> [u8; INDEX_LENGTH] {
    let mut index = [0; INDEX_LENGTH];
    let mut row = 0;
    while row < SPECS.len() {
        let number = SPECS[row].number as usize;
        if number < INDEX_LENGTH {
            index[number] = row as u8 + 1;
        }
        row += 1;
    }
    index
}

/// The row of `rtype`; `None` when the type is unknown.
pub(super) fn spec(rtype: RrType) -> Option<&'static Spec> {
    match INDEX.get(usize::from(rtype.0)) {
        Some(row) => SPECS.get(usize::from(*row).checked_sub(1)?),
        None => SPECS.iter().rev().take(2).find(|spec| spec.number == rtype.0),
    }
}

pub(super) fn status_of(rtype: RrType, spec: Option<&Spec>) -> TypeStatus {
    match spec {
        Some(spec) => spec.status,
        // Type 0 is reserved and marks "no type" in SIG(0) (RFC 6895 §3.1).
        None if rtype.0 == 0 => TypeStatus::Meta,
        None => TypeStatus::Data,
    }
}

/// Whether `rtype` may be in a zone, and who makes it. Unknown types are data (RFC 3597).
pub fn status(rtype: RrType) -> TypeStatus {
    status_of(rtype, spec(rtype))
}

/// Whether the canonical form of this type has names in lower case (RFC 4034 §6.2 as amended by
/// RFC 6840 §5.1). For every other type RDATA is in canonical form as it is.
pub fn has_canonical_names(rtype: RrType) -> bool {
    matches!(
        rtype.0,
        2..=9 | 12 | 14 | 15 | 17 | 18 | 21 | 24 | 26 | 30 | 33 | 35 | 36 | 38 | 39 | 46
    )
}
