//! What the reader makes of texts, and that a text in sections reads as in one piece.

use super::*;
use crate::wire;

fn name(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let wire = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat());
    wire.chain([0]).collect()
}

/// `owner TTL type rdata in hexadecimal` of each record.
fn records(section: &Section) -> Vec<String> {
    let mut rest = section.records.as_slice();
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let (record, length) = wire::read_record(rest).unwrap();
        let rdata: String = record.rdata.iter().map(|octet| format!("{octet:02x}")).collect();
        let owner = wire::NameText(record.owner);
        lines.push(format!("{owner} {} {} {rdata}", record.ttl, record.rtype));
        rest = &rest[length..];
    }
    assert_eq!(lines.len(), section.record_count);
    lines
}

fn read(text: &str) -> Vec<String> {
    records(&read_text(text.as_bytes(), Some(name("example"))).unwrap())
}

fn problem(text: &str) -> (String, (usize, usize)) {
    let error = read_text(text.as_bytes(), Some(name("example"))).unwrap_err();
    (error.problem.to_string(), error.line_and_column(text.as_bytes()))
}

/// RDATA of one record of type `line`.
fn rdata(line: &str) -> String {
    let lines = read(&format!("a 1 {line}\n"));
    lines[0].rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn lines_hand_on_what_others_leave_out() {
    let text = "$TTL 1h\n@ IN SOA ns hostmaster ( 1 2h ; serial\n\t3 4 5 )\n\n  NS ns\nns 60 A \
                192.0.2.1\n\tIN 7 A 192.0.2.2\n$ORIGIN sub\nb\tTXT \"a b\" c\\065\\\"d";
    assert_eq!(
        read(text),
        [
            "example. 3600 6 026e73076578616d706c65000a686f73746d6173746572076578616d706c65000000\
             000100001c20000000030000000400000005",
            "example. 3600 2 026e73076578616d706c6500",
            "ns.example. 60 1 c0000201",
            "ns.example. 7 1 c0000202",
            "b.sub.example. 3600 16 036120620463412264",
        ]
        .map(str::to_owned)
    );
}

#[test]
fn data_of_many_types() {
    let rows = [
        ("AAAA 2001:db8::1", "20010db8000000000000000000000001"),
        ("MX 10 m", "000a016d076578616d706c6500"),
        ("DS 1 ED25519 2 ab CD", "00010f02abcd"),
        ("DNSKEY 257 3 13 AQ ID BA==", "0101030d01020304"),
        ("NSEC b A TYPE257 AAAA RRSIG A", "0162076578616d706c65000006400000080002010140"),
        ("NSEC3 1 1 0 - 0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NS", "01010000"),
        ("NSEC3PARAM 1 0 5 AABBccdd", "0100000504aabbccdd"),
        ("CAA 0 issue \"ca.example\"", "0005697373756563612e6578616d706c65"),
        ("TYPE65534 \\# 3 0102 03", "010203"),
        ("A \\# 4 c0000201", "c0000201"),
        ("HTTPS 1 . port=8443 alpn=\"h2,h3\"", "000100000100060268320268330003000220fb"),
        ("SVCB 0 b", "00000162076578616d706c6500"),
        ("LOC 52 22 23 N 4 53 32 E -2m 0 10000m 10m", "000016138b3cf018810cbce0009895b8"),
        ("APL 1:192.0.2.0/24 !2:2001:db8::/32", "00011803c000020002208420010db8"),
        ("EUI48 00-00-5e-00-53-2a", "00005e00532a"),
        ("L64 10 2001:0db8:1140:1000", "000a20010db811401000"),
        ("IPSECKEY 10 1 2 192.0.2.38 AQID", "0a0102c0000226010203"),
        ("URI 1 2 \"ab\"", "000100026162"),
        ("CERT PKIX 1 RSASHA256 AQID", "0001000108010203"),
        ("DSYNC CDS NOTIFY 53 a.", "003b010035016100"),
    ];
    for (text, expected) in rows {
        assert!(rdata(text).starts_with(expected), "{text}: {}", rdata(text));
    }
    let rrsig = rdata("RRSIG A 13 2 60 20260101000000 20251201000000 7 @ AQID");
    assert_eq!(rrsig, "00010d020000003c6955b900692cda800007076578616d706c6500010203");
}

#[test]
fn errors_name_the_place() {
    let rows = [
        ("a 1 A 192.0.2\n", "this is not an IPv4 address", (1, 7)),
        ("a 1 A 192.0.2.1 x\n", "the record has more data than its type", (1, 17)),
        ("\n  A 192.0.2.1\n", "there is no owner name, and no record above that has one", (2, 3)),
        ("a 1 TXT \"b\n", "a text in quotes has no end", (1, 9)),
        ("a 1 TXT ( b\n", "a parenthesis is never closed", (2, 1)),
        ("a 1 TXT b )\n", "there is no parenthesis to close", (1, 11)),
        ("a 1 CH A 1.2.3.4\n", "only class IN can be audited", (1, 5)),
        ("a 2147483648 A 1.2.3.4\n", "a TTL has at most 2147483647 seconds", (1, 3)),
        (
            "a..b 1 A 1.2.3.4\n",
            "a name has labels of 1 to 63 octets, and 255 octets in all",
            (1, 1),
        ),
        ("a 1 TXT \\256\n", "behind a backslash there must be", (1, 9)),
        ("a 1 NXT a\n", "the data of a NXT record can only be read", (1, 10)),
        ("$INCLUDE x\n", "$INCLUDE cannot be audited", (1, 1)),
        ("a 1 WRONG x\n", "WRONG is no record type that is known", (1, 5)),
    ];
    for (text, expected, place) in rows {
        let (problem, found) = problem(text);
        assert!(problem.starts_with(expected), "{text:?}: {problem}");
        assert_eq!(found, place, "{text:?}");
    }
    let absolute = read_text(b"a 1 A 192.0.2.1\n", None).unwrap_err();
    assert_eq!(absolute.problem, TextProblem::NoOrigin);
}

/// A text with everything that reaches over line ends.
const SPANS: &str = "$TTL 5\n@ SOA a b ( 1 2\n3 4\n5 )\n; comment ( \"\n\tNS a\n\nb A 192.0.2.1\n\
                     \tTXT \"x;(\" ( y\n\\\nz\n) \n$ORIGIN c.example.\nd 60 A 192.0.2.2\n\
                     \tA 192.0.2.3\n\
                     $TTL 9\ne A 192.0.2.4\n  ";

#[test]
fn sections_read_as_the_whole() {
    let text = SPANS.as_bytes();
    let start = Carried::new(Some(name("example")));
    let whole = read_section(text, &start, true).unwrap();
    assert_eq!(whole.consumed, text.len());
    for cut in (0..text.len()).filter(|&cut| cut == 0 || text[cut - 1] == b'\n') {
        let first = read_section(&text[..cut], &start, false).unwrap();
        let guess = read_section(&text[cut..], &start, true);
        let follows = guess.ok().filter(|_| first.consumed == cut);
        let second = follows.and_then(|guess| guess.follow(&first.carried));
        let again = || read_section(&text[first.consumed..], &first.carried, true).unwrap();
        let second = second.unwrap_or_else(again);
        assert_eq!([first.records, second.records].concat(), whole.records, "cut at {cut}");
        assert_eq!(second.carried, whole.carried, "cut at {cut}");
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let pieces: [&[u8]; 24] = [
        b" ",
        b"\n",
        b"(",
        b")",
        b"\"",
        b"\\",
        b";",
        b"$TTL ",
        b"$ORIGIN ",
        b"a",
        b"1",
        b".",
        b"A ",
        b"TXT ",
        b"RRSIG ",
        b"NSEC3 ",
        b"HTTPS ",
        b"LOC ",
        b"\\# ",
        b"=",
        b"alpn=",
        b"-",
        b"\xff",
        b"HIP ",
    ];
    for _ in 0..20_000 {
        let text: Vec<u8> =
            (0..random(30)).flat_map(|_| pieces[random(pieces.len())].to_vec()).collect();
        for is_last in [false, true] {
            let carried = Carried::new(Some(name("example")));
            if let Ok(section) = read_section(&text, &carried, is_last) {
                assert!(section.consumed <= text.len());
                records(&section);
            }
        }
    }
}
