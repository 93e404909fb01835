//! Record types by their mnemonics, and what their data look like in text. IANA "Resource Record
//! (RR) TYPEs"; the RFC of each type is at its row where it is not RFC 1035 or RFC 4034.

/// A field of a type's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Name,
    U8,
    U16,
    U32,
    U64,
    Period,
    Ip4,
    Ip6,
    /// Character-string.
    Text,
    /// The same, which may be left out.
    TextOptional,
    /// One or more character-strings to the end.
    Texts,
    /// A text without a length octet, to the end.
    RestText,
    /// Letters and digits behind a length octet.
    Tag,
    /// To the end; may not be empty.
    Hex,
    /// To the end.
    Base64,
    /// To the end; may be left out.
    Base64Optional,
    Salt,
    NextHash,
    Bitmap,
    Time,
    Type,
    Algorithm,
    CertificateType,
    Scheme,
    Location,
    AddressPrefixes,
    ServiceParameters,
    /// So many octets in hexadecimal pairs with hyphens.
    Hyphenated(u8),
    Locator,
    Gateway,
    Relay,
    HostIdentity,
}

/// A type whose name was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextForm {
    pub(super) number: u16,
    pub(super) mnemonic: &'static str,
    /// `None`: only RFC 3597 text.
    pub(super) fields: Option<&'static [Field]>,
}

use Field::*;

const DNSKEY: &[Field] = &[U16, U8, Algorithm, Base64];
const KEY: &[Field] = &[U16, U8, Algorithm, Base64Optional];
const DS: &[Field] = &[U16, Algorithm, U8, Hex];
const SIGNATURE: &[Field] = &[Type, Algorithm, U8, U32, Time, Time, U16, Name, Base64];
const ONE_NAME: &[Field] = &[Name];
const TWO_NAMES: &[Field] = &[Name, Name];
const RANKED_NAME: &[Field] = &[U16, Name];
const SERVICE: &[Field] = &[U16, Name, ServiceParameters];
const CERTIFICATE_USE: &[Field] = &[U8, U8, U8, Hex];
const TEXTS: &[Field] = &[Texts];

type Row = (u16, &'static str, Option<&'static [Field]>);

/// The most frequent types first, since they are looked for in this order.
static ROWS: &[Row] = &[
    (2, "NS", Some(ONE_NAME)),
    (46, "RRSIG", Some(SIGNATURE)),
    (50, "NSEC3", Some(&[U8, U8, U16, Salt, NextHash, Bitmap])),
    (1, "A", Some(&[Ip4])),
    (43, "DS", Some(DS)),
    (28, "AAAA", Some(&[Ip6])),
    (47, "NSEC", Some(&[Name, Bitmap])),
    (16, "TXT", Some(TEXTS)),
    (15, "MX", Some(RANKED_NAME)),
    (5, "CNAME", Some(ONE_NAME)),
    (12, "PTR", Some(ONE_NAME)),
    (6, "SOA", Some(&[Name, Name, U32, Period, Period, Period, Period])),
    (48, "DNSKEY", Some(DNSKEY)),
    (51, "NSEC3PARAM", Some(&[U8, U8, U16, Salt])),
    (33, "SRV", Some(&[U16, U16, U16, Name])),
    // RFC 6844, RFC 8659.
    (257, "CAA", Some(&[U8, Tag, RestText])),
    // RFC 6698, RFC 8162.
    (52, "TLSA", Some(CERTIFICATE_USE)),
    (53, "SMIMEA", Some(CERTIFICATE_USE)),
    // RFC 4255.
    (44, "SSHFP", Some(&[U8, U8, Hex])),
    // RFC 9460.
    (64, "SVCB", Some(SERVICE)),
    (65, "HTTPS", Some(SERVICE)),
    (35, "NAPTR", Some(&[U16, U16, Text, Text, Text, Name])),
    // RFC 6672.
    (39, "DNAME", Some(ONE_NAME)),
    (13, "HINFO", Some(&[Text, Text])),
    // RFC 1183.
    (17, "RP", Some(TWO_NAMES)),
    (18, "AFSDB", Some(RANKED_NAME)),
    (19, "X25", Some(&[Text])),
    (20, "ISDN", Some(&[Text, TextOptional])),
    (21, "RT", Some(RANKED_NAME)),
    // RFC 1876.
    (29, "LOC", Some(&[Location])),
    // RFC 7344.
    (59, "CDS", Some(DS)),
    (60, "CDNSKEY", Some(DNSKEY)),
    // RFC 8976.
    (63, "ZONEMD", Some(&[U32, U8, U8, Hex])),
    // RFC 7477.
    (62, "CSYNC", Some(&[U32, U16, Bitmap])),
    // RFC 7929.
    (61, "OPENPGPKEY", Some(&[Base64])),
    // RFC 4398.
    (37, "CERT", Some(&[CertificateType, U16, Algorithm, Base64])),
    // RFC 2230.
    (36, "KX", Some(RANKED_NAME)),
    // RFC 4701.
    (49, "DHCID", Some(&[Base64])),
    // RFC 7553.
    (256, "URI", Some(&[U16, U16, RestText])),
    // RFC 7208 §3.1.
    (99, "SPF", Some(TEXTS)),
    // RFC 3123.
    (42, "APL", Some(&[AddressPrefixes])),
    // RFC 4025.
    (45, "IPSECKEY", Some(&[U8, Gateway, Base64Optional])),
    // RFC 8005.
    (55, "HIP", Some(&[HostIdentity])),
    // RFC 6742.
    (104, "NID", Some(&[U16, Locator])),
    (105, "L32", Some(&[U16, Ip4])),
    (106, "L64", Some(&[U16, Locator])),
    (107, "LP", Some(RANKED_NAME)),
    // RFC 7043.
    (108, "EUI48", Some(&[Hyphenated(6)])),
    (109, "EUI64", Some(&[Hyphenated(8)])),
    // RFC 8777.
    (260, "AMTRELAY", Some(&[U8, Relay])),
    // RFC 9859.
    (66, "DSYNC", Some(&[Type, Scheme, U16, Name])),
    // RFC 9606.
    (261, "RESINFO", Some(TEXTS)),
    (262, "WALLET", Some(TEXTS)),
    (263, "CLA", Some(TEXTS)),
    (264, "IPN", Some(&[U64])),
    (258, "AVC", Some(TEXTS)),
    (56, "NINFO", Some(TEXTS)),
    (57, "RKEY", Some(DNSKEY)),
    (58, "TALINK", Some(TWO_NAMES)),
    (3, "MD", Some(ONE_NAME)),
    (4, "MF", Some(ONE_NAME)),
    (7, "MB", Some(ONE_NAME)),
    (8, "MG", Some(ONE_NAME)),
    (9, "MR", Some(ONE_NAME)),
    (14, "MINFO", Some(TWO_NAMES)),
    (23, "NSAP-PTR", Some(ONE_NAME)),
    (24, "SIG", Some(SIGNATURE)),
    (25, "KEY", Some(KEY)),
    // RFC 2163.
    (26, "PX", Some(&[U16, Name, Name])),
    (27, "GPOS", Some(&[Text, Text, Text])),
    // RFC 4431.
    (32768, "TA", Some(DS)),
    (32769, "DLV", Some(DS)),
    (10, "NULL", None),
    (11, "WKS", None),
    (22, "NSAP", None),
    (30, "NXT", None),
    (31, "EID", None),
    (32, "NIMLOC", None),
    (34, "ATMA", None),
    (38, "A6", None),
    (40, "SINK", None),
    (67, "HHIT", None),
    (68, "BRID", None),
    (100, "UINFO", None),
    (101, "UID", None),
    (102, "GID", None),
    (103, "UNSPEC", None),
    (259, "DOA", None),
];

/// The type that a word names, by mnemonic or as `TYPEnnn`.
pub(super) fn by_text(word: &[u8]) -> Option<TextForm> {
    let is_it =
        |row: &&Row| row.1.len() == word.len() && row.1.as_bytes().eq_ignore_ascii_case(word);
    if let Some(row) = ROWS.iter().find(is_it) {
        return Some(text_form(row));
    }
    let (prefix, digits) = word.split_at_checked(4)?;
    if !prefix.eq_ignore_ascii_case(b"TYPE") {
        return None;
    }
    let number = super::encodings::number(digits, u64::from(u16::MAX))? as u16;
    let row = ROWS.iter().find(|row| row.0 == number);
    let unnamed = TextForm { number, mnemonic: "TYPEnnn", fields: None };
    Some(row.map_or(unnamed, text_form))
}

fn text_form(row: &Row) -> TextForm {
    TextForm { number: row.0, mnemonic: row.1, fields: row.2 }
}

/// Algorithms of keys by mnemonic (IANA "DNS Security Algorithm Numbers").
pub(super) fn algorithm(word: &[u8]) -> Option<u8> {
    const NAMES: [(&str, u8); 20] = [
        ("RSAMD5", 1),
        ("DH", 2),
        ("DSA", 3),
        ("RSASHA1", 5),
        ("DSA-NSEC3-SHA1", 6),
        ("RSASHA1-NSEC3-SHA1", 7),
        ("NSEC3RSASHA1", 7),
        ("RSASHA256", 8),
        ("RSASHA512", 10),
        ("ECC-GOST", 12),
        ("ECDSAP256SHA256", 13),
        ("ECDSAP384SHA384", 14),
        ("ED25519", 15),
        ("ED448", 16),
        ("SM2SM3", 17),
        ("ECC-GOST12", 23),
        ("INDIRECT", 252),
        ("PRIVATEDNS", 253),
        ("PRIVATEOID", 254),
        ("DELETE", 0),
    ];
    by_name(&NAMES, word)
}

/// Certificate types by mnemonic (RFC 4398 §2.1).
pub(super) fn certificate_type(word: &[u8]) -> Option<u16> {
    const NAMES: [(&str, u16); 10] = [
        ("PKIX", 1),
        ("SPKI", 2),
        ("PGP", 3),
        ("IPKIX", 4),
        ("ISPKI", 5),
        ("IPGP", 6),
        ("ACPKIX", 7),
        ("IACPKIX", 8),
        ("URI", 253),
        ("OID", 254),
    ];
    by_name(&NAMES, word)
}

pub(super) fn by_name<T: Copy>(names: &[(&str, T)], word: &[u8]) -> Option<T> {
    let found = names.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word));
    found.map(|(_, value)| *value)
}
