//! RDATA: text and wire agree for every type of the table, canonical form by the letter of the
//! RFCs, and every way to be wrong.

use proptest::collection::vec;
use proptest::prelude::*;

use super::encoding::append_name;
use super::table::{Kind, SPECS, Spec};
use super::*;
use crate::name::{NameError, print_wire_name};

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn parsed_fields(rtype: RrType, fields: &[Field<'_>]) -> Result<Vec<u8>, RdataError> {
    let mut out = Vec::new();
    parse(rtype, fields, Some(&name("example.")), &mut out).map(|()| out)
}

/// Parses fields parted by blanks; there are no quotes.
fn parsed(rtype: &str, text: &str) -> Result<Vec<u8>, RdataError> {
    let fields: Vec<Field<'_>> = text
        .split(' ')
        .filter(|text| !text.is_empty())
        .map(|t| Field::plain(t.as_bytes()))
        .collect();
    parsed_fields(rtype.parse().unwrap(), &fields)
}

/// Parses what `print` made, by the scanner of zone files.
fn reread(rtype: RrType, text: &[u8]) -> Result<Vec<u8>, RdataError> {
    let fields = crate::zonefile::tests::split(text);
    parsed_fields(rtype, &fields)
}

fn printed(rtype: RrType, rdata: &[u8]) -> String {
    let mut out = Vec::new();
    print(rtype, rdata, &mut out);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check_text(rtype: &str, text: &str, expect: &str) {
    let number = rtype.parse().unwrap();
    let rdata = reread(number, text.as_bytes()).unwrap();
    assert_eq!(check(number, &rdata), Ok(()));
    assert_eq!(printed(number, &rdata), expect);
}

#[track_caller]
fn check_error(rtype: &str, text: &str, expect: &str) {
    let error = reread(rtype.parse().unwrap(), text.as_bytes()).unwrap_err();
    assert_eq!(error.to_string(), expect);
}

// --- random RDATA ------------------------------------------------------------------------------

fn octets(min: usize, max: usize) -> BoxedStrategy<Vec<u8>> {
    vec(any::<u8>(), min..=max).boxed()
}

fn counted(min: usize, max: usize) -> BoxedStrategy<Vec<u8>> {
    octets(min, max).prop_map(|text| [&[text.len() as u8], &text[..]].concat()).boxed()
}

fn wire_name() -> BoxedStrategy<Vec<u8>> {
    vec(vec(any::<u8>(), 1..=20), 0..6)
        .prop_map(|labels| {
            let mut wire = Vec::new();
            for label in labels {
                wire.push(label.len() as u8);
                wire.extend(label);
            }
            wire.push(0);
            wire
        })
        .boxed()
}

fn gateway() -> BoxedStrategy<(u8, Vec<u8>)> {
    prop_oneof![
        Just((0, Vec::new())),
        octets(4, 4).prop_map(|gateway| (1, gateway)),
        octets(16, 16).prop_map(|gateway| (2, gateway)),
        wire_name().prop_map(|gateway| (3, gateway)),
    ]
    .boxed()
}

fn bitmap() -> BoxedStrategy<Vec<u8>> {
    proptest::collection::btree_set(prop_oneof![0..=300_u16, any::<u16>()], 0..12)
        .prop_map(|types| {
            let names: Vec<String> = types.iter().map(|rtype| format!("TYPE{rtype}")).collect();
            let fields: Vec<_> = names.iter().map(|name| Field::plain(name.as_bytes())).collect();
            let mut out = Vec::new();
            text::parse_field(Kind::Bitmap, &mut Cursor::new(&fields), None, &mut out).unwrap();
            out
        })
        .boxed()
}

fn parameters() -> BoxedStrategy<Vec<u8>> {
    let alpn = vec(counted(1, 5), 1..4).prop_map(|identifiers| identifiers.concat());
    let optional = |strategy: BoxedStrategy<Vec<u8>>| proptest::option::of(strategy);
    let known = (
        optional(alpn.boxed()),
        optional(octets(2, 2)),
        optional(vec(octets(4, 4), 1..3).prop_map(|hints| hints.concat()).boxed()),
        optional(octets(1, 20)),
        optional(vec(octets(16, 16), 1..3).prop_map(|hints| hints.concat()).boxed()),
        proptest::collection::btree_map(9_u16..65_535, octets(0, 20), 0..3),
        any::<bool>(),
    );
    known
        .prop_map(|(alpn, port, ip4, ech, ip6, others, mandatory)| {
            let mut all: Vec<(u16, Vec<u8>)> = Vec::new();
            let known = [(1, alpn), (3, port), (4, ip4), (5, ech), (6, ip6)];
            all.extend(known.into_iter().filter_map(|(key, value)| value.map(|v| (key, v))));
            all.extend(others);
            if mandatory && !all.is_empty() {
                let keys = all.iter().flat_map(|(key, _)| key.to_be_bytes()).collect();
                all.insert(0, (0, keys));
            }
            let mut out = Vec::new();
            for (key, value) in all {
                out.extend(key.to_be_bytes());
                out.extend((value.len() as u16).to_be_bytes());
                out.extend(value);
            }
            out
        })
        .boxed()
}

fn location() -> BoxedStrategy<Vec<u8>> {
    let size = (0..=9_u8, 0..=9_u8).prop_map(|(mantissa, exponent)| mantissa << 4 | exponent);
    let angle = |max: u32| (1 << 31) - max..=(1 << 31) + max;
    (vec(size, 3), angle(324_000_000), angle(648_000_000), any::<u32>())
        .prop_map(|(sizes, latitude, longitude, altitude)| {
            let numbers = [latitude, longitude, altitude].map(u32::to_be_bytes).concat();
            [&[0], &sizes[..], &numbers[..]].concat()
        })
        .boxed()
}

fn prefixes() -> BoxedStrategy<Vec<u8>> {
    let ip4 = (0..=32_u8, any::<bool>(), octets(0, 4)).prop_map(|item| (1_u8, item));
    let ip6 = (0..=128_u8, any::<bool>(), octets(0, 16)).prop_map(|item| (2_u8, item));
    vec(prop_oneof![ip4, ip6], 0..4)
        .prop_map(|items| {
            let item = |(family, (prefix, negated, part)): (u8, (u8, bool, Vec<u8>))| {
                let length = part.len() as u8 | u8::from(negated) << 7;
                [&[0, family, prefix, length], &part[..]].concat()
            };
            items.into_iter().map(item).collect::<Vec<_>>().concat()
        })
        .boxed()
}

fn host_identity() -> BoxedStrategy<Vec<u8>> {
    (any::<u8>(), octets(1, 20), octets(1, 300), vec(wire_name(), 0..3))
        .prop_map(|(algorithm, identity, key, servers)| {
            let length = (key.len() as u16).to_be_bytes();
            let head = [identity.len() as u8, algorithm, length[0], length[1]];
            [&head[..], &identity, &key, &servers.concat()].concat()
        })
        .boxed()
}

fn field(kind: Kind) -> BoxedStrategy<Vec<u8>> {
    let text = "[0-9A-Za-z]{1,20}".prop_map(|text| text.into_bytes());
    let with_length = |text: Vec<u8>| [&[text.len() as u8], &text[..]].concat();
    match kind {
        Kind::Name | Kind::CanonicalName => wire_name(),
        Kind::U8 | Kind::Algorithm | Kind::Scheme => octets(1, 1),
        Kind::U16 | Kind::Type | Kind::CertType => octets(2, 2),
        Kind::U32 | Kind::Period | Kind::Time | Kind::Ip4 => octets(4, 4),
        Kind::U64 | Kind::Eui64 | Kind::Locator64 => octets(8, 8),
        Kind::Eui48 => octets(6, 6),
        Kind::Ip6 => octets(16, 16),
        Kind::Text | Kind::Salt => counted(0, 255),
        Kind::NextHash => counted(1, 255),
        Kind::TextOptional => prop_oneof![Just(Vec::new()), counted(0, 255)].boxed(),
        Kind::Texts => vec(counted(0, 255), 1..4).prop_map(|texts| texts.concat()).boxed(),
        Kind::TextRest | Kind::Base64Optional | Kind::Base64Dash | Kind::Opaque => octets(0, 300),
        Kind::TextRestSome | Kind::Hex | Kind::Base64 | Kind::Nsap => octets(1, 300),
        Kind::ZoneDigest => octets(12, 64),
        Kind::TypedDigest => prop_oneof![
            octets(20, 20).prop_map(|digest| [&[1], &digest[..]].concat()),
            octets(32, 32).prop_map(|digest| [&[2], &digest[..]].concat()),
            octets(48, 48).prop_map(|digest| [&[4], &digest[..]].concat()),
            octets(1, 70).prop_map(|digest| [&[0], &digest[..]].concat()),
        ]
        .boxed(),
        Kind::Tag => text.prop_map(with_length).boxed(),
        Kind::Digits => "[0-9]{4,20}".prop_map(move |t| with_length(t.into_bytes())).boxed(),
        Kind::Bitmap => bitmap(),
        Kind::Loc => location(),
        Kind::Apl => prefixes(),
        Kind::SvcParams => parameters(),
        Kind::IpsecGateway => (gateway(), any::<u8>())
            .prop_map(|((gateway_type, gateway), algorithm)| {
                [&[gateway_type, algorithm], &gateway[..]].concat()
            })
            .boxed(),
        Kind::AmtRelay => (gateway(), any::<bool>())
            .prop_map(|((relay_type, relay), discovery)| {
                [&[relay_type | u8::from(discovery) << 7], &relay[..]].concat()
            })
            .boxed(),
        Kind::Hip => host_identity(),
        Kind::Atma => prop_oneof![
            octets(1, 20).prop_map(|address| [&[0], &address[..]].concat()),
            "[0-9]{1,15}".prop_map(|digits| [&[1], digits.as_bytes()].concat()),
        ]
        .boxed(),
        Kind::A6 => (0..=128_u8, octets(16, 16), wire_name())
            .prop_map(|(bits, suffix, name)| {
                let suffix = &suffix[..wire::a6_name_offset(bits) - 1];
                let name = if bits == 0 { &[][..] } else { &name[..] };
                [&[bits], suffix, name].concat()
            })
            .boxed(),
    }
}

/// Every type of the table with random RDATA.
fn record() -> impl Strategy<Value = (&'static Spec, Vec<u8>)> {
    (0..SPECS.len()).prop_flat_map(|row| {
        let fields: Vec<_> = SPECS[row].fields.iter().map(|kind| field(*kind)).collect();
        fields.prop_map(move |fields| (&SPECS[row], fields.concat()))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_printed_is_read_back((spec, rdata) in record()) {
        let rtype = RrType(spec.number);
        prop_assert_eq!(check(rtype, &rdata), Ok(()));
        let text = printed(rtype, &rdata);
        match reread(rtype, text.as_bytes()) {
            Err(RdataError::Refused { .. }) => {
                let refused = [TypeStatus::Obsolete, TypeStatus::Meta];
                prop_assert!(refused.contains(&spec.status));
            }
            other => prop_assert_eq!(other.as_ref(), Ok(&rdata), "{} {}", spec.mnemonic, text),
        }
        // The text of each type, also of those that are printed in the form of RFC 3597.
        let mut out = Vec::new();
        let has_text = print_fields(spec.fields, &rdata, &mut out).is_some();
        if has_text && spec.status == TypeStatus::Data {
            prop_assert_eq!(reread(rtype, &out), Ok(rdata.clone()), "{}", spec.mnemonic);
        }
    }

    #[test]
    fn canonical_form_changes_case_only((spec, rdata) in record()) {
        let rtype = RrType(spec.number);
        let mut once = Vec::new();
        canonicalise(rtype, &rdata, &mut once);
        prop_assert!(once.eq_ignore_ascii_case(&rdata));
        prop_assert!(once == rdata || has_canonical_names(rtype));
        let mut twice = Vec::new();
        canonicalise(rtype, &once, &mut twice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn torn_rdata_is_no_panic((spec, rdata) in record(), at in any::<prop::sample::Index>(),
                              octet in any::<u8>(), cut in any::<bool>()) {
        let rtype = RrType(spec.number);
        let mut torn = rdata;
        if !torn.is_empty() {
            let at = at.index(torn.len());
            torn[at] = octet;
            if cut { torn.truncate(at); }
        }
        canonicalise(rtype, &torn, &mut Vec::new());
        let sound = check(rtype, &torn).is_ok();
        let text = printed(rtype, &torn);
        if sound && !matches!(spec.status, TypeStatus::Obsolete | TypeStatus::Meta) {
            prop_assert_eq!(reread(rtype, text.as_bytes()), Ok(torn));
        } else if !sound {
            prop_assert!(text.starts_with("\\# "));
        }
    }

    #[test]
    fn names_are_read_as_name_parse_reads_them(wire in wire_name(), noise in "[a.\\\\0-9@]{0,12}") {
        for print in [print_wire_name, print_name] {
            let mut text = Vec::new();
            print(&wire, &mut text);
            let mut out = Vec::new();
            append_name(&text, None, &mut out).unwrap();
            prop_assert_eq!(&out, &wire);
        }
        let origin = name("Example.");
        let mut out = Vec::new();
        let result = append_name(noise.as_bytes(), Some(&origin), &mut out).map(|()| out);
        let expect = Name::parse(noise.as_bytes(), Some(&origin));
        prop_assert_eq!(result, expect.map(|name| name.as_wire().to_vec()));
    }
}

// --- the table ---------------------------------------------------------------------------------

#[test]
fn table_is_ordered_and_found_by_number_and_mnemonic() {
    assert!(SPECS.windows(2).all(|pair| pair[0].number < pair[1].number));
    for spec in &SPECS {
        let rtype = RrType(spec.number);
        assert_eq!(mnemonic(rtype), Some(spec.mnemonic));
        assert_eq!(rrtype_from_mnemonic(spec.mnemonic.as_bytes()), Some(rtype));
        assert_eq!(rrtype_from_mnemonic(spec.mnemonic.to_lowercase().as_bytes()), Some(rtype));
        assert_eq!(format!("TYPE{}", spec.number).parse(), Ok(rtype));
        assert_eq!(rtype.to_string(), spec.mnemonic);
    }
    assert_eq!(rrtype_from_mnemonic(b"*"), Some(RrType(255)));
    for text in ["", "TYPE", "TYPE65536", "TYPE-1", "AA", "TYPE1A", "A B", "NSEC3PARAMETERSET"] {
        assert_eq!(text.parse::<RrType>(), Err(TypeNameError), "{text}");
    }
    assert_eq!(RrType(65_280).to_string(), "TYPE65280");
    assert_eq!(mnemonic(RrType(32_770)), None);
}

#[test]
fn statuses_of_the_catalogue() {
    let of = |status_wanted: TypeStatus| -> Vec<&str> {
        let rows = SPECS.iter().filter(|spec| status(RrType(spec.number)) == status_wanted);
        rows.map(|spec| spec.mnemonic).collect()
    };
    assert_eq!(of(TypeStatus::Dnssec), ["RRSIG", "NSEC", "NSEC3", "NSEC3PARAM"]);
    let obsolete = ["MD", "MF", "WKS", "NSAP-PTR", "SIG", "KEY", "GPOS", "NXT", "A6"];
    assert_eq!(of(TypeStatus::Obsolete), obsolete);
    let meta = ["NULL", "OPT", "NXNAME", "TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY"];
    assert_eq!(of(TypeStatus::Meta), meta);
    assert_eq!(status(RrType(0)), TypeStatus::Meta);
    assert_eq!(status(RrType(65_280)), TypeStatus::Data);
}

#[test]
fn types_with_canonical_names_are_those_of_rfc4034_6_2() {
    for spec in &SPECS {
        let named = spec.fields.iter().any(|kind| matches!(kind, Kind::CanonicalName | Kind::A6));
        assert_eq!(has_canonical_names(RrType(spec.number)), named, "{}", spec.mnemonic);
    }
    let listed = "NS MD MF CNAME SOA MB MG MR PTR MINFO MX RP AFSDB RT SIG PX NXT NAPTR KX SRV \
                  DNAME A6 RRSIG";
    for mnemonic in listed.split_whitespace() {
        assert!(has_canonical_names(mnemonic.parse().unwrap()), "{mnemonic}");
    }
    assert_eq!(SPECS.iter().filter(|spec| has_canonical_names(RrType(spec.number))).count(), 23);
}

#[test]
fn canonical_form_vectors() {
    let cases = [
        ("DNAME", "New.EXAMPLE.", "new.example."),
        ("RP", "Who.Example. Txt.Example.", "who.example. txt.example."),
        ("AFSDB", "1 Db.Example.", "1 db.example."),
        ("SRV", "1 2 3 Host.Example.", "1 2 3 host.example."),
        ("NAPTR", "1 2 U E2U+SIP !^.*$!A! Re.Place.", "1 2 U E2U+SIP !^.*$!A! re.place."),
        ("SOA", "Ns.A. Who.A. 1 2 3 4 5", "ns.a. who.a. 1 2 3 4 5"),
        ("NSEC", "Next.Example. A MX", "Next.Example. A MX"),
        ("SVCB", "1 Svc.Example. alpn=H2", "1 Svc.Example. alpn=H2"),
        ("LP", "1 Lp.Example.", "1 Lp.Example."),
        ("TXT", "Some.Text.", "Some.Text."),
        (
            "RRSIG",
            "NSEC 13 2 60 20300101000000 20200101000000 1 Zone.A. AAAA",
            "NSEC 13 2 60 20300101000000 20200101000000 1 zone.a. AAAA",
        ),
    ];
    for (rtype, text, expect) in cases {
        let mut out = vec![7];
        canonicalise(rtype.parse().unwrap(), &parsed(rtype, text).unwrap(), &mut out);
        assert_eq!(out[1..], parsed(rtype, expect).unwrap(), "{rtype}");
    }
}

// --- text --------------------------------------------------------------------------------------

#[test]
fn escapes_are_exact() {
    assert_eq!(parsed("TXT", "\\065\\255\\\"\\\\"), Ok(b"\x04A\xFF\"\\".to_vec()));
    assert_eq!(parsed("NS", "\\065\\.b\\255.c."), Ok(b"\x04A.b\xFF\x01c\0".to_vec()));
}

#[test]
fn texts_of_the_rfcs() {
    check_text("CERT", "PKIX 1 RSASHA256 AAAA AAEC", "1 1 8 AAAAAAEC");
    check_text("DS", "1 ECDSAP256SHA256 0 0A 0b", "1 13 0 0a0b");
    check_text(
        "LOC",
        "42 21 54 N 71 06 18 W -24m 30m",
        "42 21 54.000 N 71 6 18.000 W -24.00m 30.00m 10000.00m 10.00m",
    );
    check_text("LOC", "52 N 4 E 0.01m 0m", "52 0 0.000 N 4 0 0.000 E 0.01m 0.00m 10000.00m 10.00m");
    check_text(
        "APL",
        "1:192.168.32.0/21 !1:192.168.38.0/28",
        "1:192.168.32.0/21 !1:192.168.38.0/28",
    );
    check_text(
        "SVCB",
        "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
        "16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"",
    );
    check_text(
        "SVCB",
        "1 . port=53 mandatory=port key7=/q",
        "1 . mandatory=port port=53 key7=\"/q\"",
    );
    check_text(
        "NSEC3",
        "1 1 12 AABBCCDD 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR MX A",
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr A MX",
    );
    check_text("SOA", "a. b. 1 1h 1d1h 1w 10m", "a. b. 1 3600 90000 604800 600");
    check_text("TXT", "a \"b c\"", "\"a\" \"b c\"");
    check_text("CAA", "0 issue \"ca.example; a=b\"", "0 issue \"ca.example; a=b\"");
    check_text("IPSECKEY", "10 3 2 gw AAAA", "10 3 2 gw.example. AAAA");
    check_text("NID", "10 14:4fff:ff20:ee64", "10 0014:4fff:ff20:ee64");
    check_text("A", "\\# 4 C0 000201", "192.0.2.1");
    check_text("TYPE65280", "\\# 3 aabb cc", "\\# 3 aabbcc");
    check_text("TYPE65280", "\\# 0", "\\# 0");
    check_text("AMTRELAY", "10 1 3 Relay.a.", "\\# 11 0a830552656c6179016100");
    check_text("DSYNC", "CDS NOTIFY 5300 a.", "\\# 8 003b0114b4016100");
    let wide = "A TYPE1234 CAA TYPE65535";
    check_text("NSEC", &format!(". {wide}"), ". A CAA TYPE1234 TYPE65535");
    check_text(
        "RRSIG",
        "A 13 0 60 4294967295 20200229235960 1 . AAAA",
        "A 13 0 60 21060207062815 20200301000000 1 . AAAA",
    );
}

#[test]
fn text_that_would_not_be_exact_is_printed_as_rfc3597() {
    assert_eq!(printed(RrType(42), &[0, 1, 24, 2, 10, 0]), "\\# 6 000118020a00");
    let mut location = parsed("LOC", "1 N 1 E 0m").unwrap();
    location[1] = 0x03;
    assert!(printed(RrType(29), &location).starts_with("\\# 16 0003"));
}

// --- errors ------------------------------------------------------------------------------------

#[test]
fn errors_say_what_was_expected_and_found() {
    check_error("A", "192.0.2", "expected an IPv4 address, found `192.0.2`");
    check_error("A", "192.0.2.01", "expected an IPv4 address, found `192.0.2.01`");
    check_error("A", "192.0.2.256", "expected an IPv4 address, found `192.0.2.256`");
    check_error("A", "1.2.3.4 5.6.7.8", "expected the end of the record, found `5.6.7.8`");
    check_error("A", "", "expected an IPv4 address, but the record ends here");
    check_error("AAAA", "2001::g", "expected an IPv6 address, found `2001::g`");
    check_error("MX", "x a.", "expected a number up to 65535, found `x`");
    check_error("MX", "65536 a.", "expected a number up to 65535, found `65536`");
    check_error(
        "NS",
        "a..b",
        "expected a domain name, found `a..b`: empty label (two dots in a row?)",
    );
    check_error("DNSKEY", "256 3 8 AB=", "expected base64 data, found `AB=`");
    check_error("DNSKEY", "256 3 8 AB==", "expected base64 data, found `AB==`");
    check_error("DNSKEY", "256 3 8", "expected base64 data, but the record ends here");
    check_error(
        "DS",
        "1 8 2 0011",
        "expected a hexadecimal digest of the length of its digest type, found `0011`",
    );
    check_error("SSHFP", "1 1 abc", "expected hexadecimal data, found `abc`");
    check_error("NSEC", "a. A FOO", "expected a record type, found `FOO`");
    check_error(
        "RRSIG",
        "A 8 1 60 20211301000000 0 1 . AAAA",
        "expected a time as YYYYMMDDHHmmSS, found `20211301000000`",
    );
    check_error("A", "\\# 4 c00002", "\\# promises 4 octets of data, but 3 follow");
    check_error("A", "\\# 3 c00002", "malformed A data: expected an IPv4 address at octet 0");
    check_error(
        "A",
        "\\# 5 c000020101",
        "malformed A data: expected the end of the data at octet 4",
    );
    check_error(
        "TYPE65280",
        "x",
        "expected `\\#`, a length and hexadecimal data (RFC 3597), found `x`",
    );
}

#[test]
fn errors_of_refused_types_and_of_texts_that_do_not_fit_together() {
    check_error("A6", "0 ::1", "A6 records are not allowed in a zone: the type is obsolete");
    check_error(
        "ANY",
        "",
        "ANY records are not allowed in a zone: the type is only used in messages",
    );
    check_error(
        "HTTPS",
        "1 . port=1 port=2",
        "expected each service parameter once, found `port=2`",
    );
    check_error(
        "HTTPS",
        "1 . no-default-alpn",
        concat!(
            "expected service parameters that fit together (mandatory, no-default-alpn), ",
            "found `no-default-alpn`"
        ),
    );
    check_error(
        "HTTPS",
        "1 . mandatory=port",
        concat!(
            "expected service parameters that fit together (mandatory, no-default-alpn), ",
            "found `mandatory=port`"
        ),
    );
    check_error("CAA", "0 a-b x", "expected a tag of letters and digits, found `a-b`");
    let long = "a".repeat(256);
    let shown = format!("{}...", "a".repeat(40));
    check_error("TXT", &long, &format!("expected a text of at most 255 octets, found `{shown}`"));
}

#[test]
fn errors_name_their_field_and_leave_the_buffer_alone() {
    let mut out = vec![1, 2];
    let fields = [b"10".as_slice(), b"mail", b"extra"].map(Field::plain);
    let error = parse(RrType::MX, &fields, Some(&Name::root()), &mut out).unwrap_err();
    assert_eq!((error.field(), &out[..]), (Some(2), &[1, 2][..]));
    let error = parse(RrType::MX, &fields[..2], None, &mut out).unwrap_err();
    assert!(matches!(error, RdataError::BadName { cause: NameError::NoOrigin, field: 1, .. }));
    assert_eq!(error.field(), Some(1));
}

#[test]
fn rdata_above_65535_octets_is_refused() {
    let text = "a".repeat(255);
    let fields = vec![Field::plain(text.as_bytes()); 257];
    assert_eq!(parsed_fields(RrType::TXT, &fields), Err(RdataError::TooLong));
    assert_eq!(check(RrType::TXT, &vec![0; 65_536]), Err(RdataError::TooLong));
}

#[test]
fn periods() {
    let cases = [
        ("0", Some(0)),
        ("1h3m", Some(3780)),
        ("1W2D3h4M5s", Some(788_645)),
        ("4294967295", Some(u32::MAX)),
        ("4294967296", None),
        ("99999999999999999999", None),
        ("71000000000w", None),
        ("1h3", None),
        ("h", None),
        ("", None),
        ("1y", None),
    ];
    for (text, expect) in cases {
        assert_eq!(parse_period(text.as_bytes()), expect, "{text}");
    }
}
