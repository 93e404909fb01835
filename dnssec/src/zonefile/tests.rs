//! Zone files: each rule of syntax, each error at its position, blocks cut anywhere, and random
//! damage.

use proptest::prelude::*;

use super::scanner::LogicalLine;
use super::*;
use crate::rdata::{Field, print};

/// The fields of one line, for the tests of RDATA.
pub(crate) fn split(text: &[u8]) -> Vec<Field<'_>> {
    let mut line = LogicalLine::new();
    line.scan(text, true).unwrap();
    line.fields
}

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("no file {0}")]
struct NoFile(String);

/// Collects everything as text.
#[derive(Default)]
struct Collector {
    records: Vec<String>,
    warnings: Vec<String>,
    files: Vec<(&'static str, &'static str)>,
    /// Files asked for, with the number of the asking file.
    asked: Vec<(String, u32)>,
    stop_at: Option<usize>,
}

impl Sink for Collector {
    type Error = NoFile;

    fn record(&mut self, record: RecordRef<'_>, at: Position) -> Result<(), NoFile> {
        if self.stop_at == Some(self.records.len()) {
            return Err(NoFile("stop".to_owned()));
        }
        let mut rdata = Vec::new();
        print(record.rtype, record.rdata, &mut rdata);
        let rdata = String::from_utf8(rdata).unwrap();
        let RecordRef { owner, rtype, ttl, .. } = record;
        let Position { source, line, column } = at;
        self.records.push(format!("{source}:{line}:{column} {owner} {ttl} {rtype} {rdata}"));
        Ok(())
    }

    fn warning(&mut self, warning: Warning, at: Position) -> Result<(), NoFile> {
        self.warnings.push(format!("{}:{} {warning}", at.line, at.column));
        Ok(())
    }

    fn include(&mut self, request: IncludeRequest<'_>) -> Result<Included, NoFile> {
        let path = String::from_utf8_lossy(request.path).into_owned();
        self.asked.push((path.clone(), request.including));
        let found = self.files.iter().position(|(name, _)| *name == path);
        let at = found.ok_or(NoFile(path))?;
        Ok(Included { source: at as u32 + 1, bytes: self.files[at].1.as_bytes().to_vec() })
    }
}

fn origin() -> Option<Name> {
    Some(Name::parse(b"Example.", None).unwrap())
}

fn read_into(text: &[u8], sink: &mut Collector) -> Result<(), ReadError<NoFile>> {
    let mut reader = Reader::new(State::new(origin(), 0));
    let taken = reader.read_block(text, BlockEnd::Final, sink)?;
    assert_eq!(taken, text.len());
    Ok(())
}

#[track_caller]
fn check_records(text: &str, expect: &[&str]) {
    let mut sink = Collector::default();
    read_into(text.as_bytes(), &mut sink).unwrap();
    assert_eq!(sink.records, expect);
    assert_eq!(sink.warnings, [""; 0]);
}

/// `expect` is `line:column error`.
#[track_caller]
fn check_error(text: impl AsRef<[u8]>, expect: &str) {
    match read_into(text.as_ref(), &mut Collector::default()) {
        Err(ReadError::Syntax(error)) => {
            assert_eq!(format!("{}:{} {error}", error.at.line, error.at.column), expect);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn ttl_and_class_in_either_order_and_either_missing() {
    check_records(
        "$TTL 9\n@ 5 IN A 1.2.3.4\n@ IN 6 a 1.2.3.4\n@ 7 A 1.2.3.4\n@ in A 1.2.3.4\n@ A 1.2.3.4",
        &[
            "0:2:1 Example. 5 A 1.2.3.4",
            "0:3:1 Example. 6 A 1.2.3.4",
            "0:4:1 Example. 7 A 1.2.3.4",
            "0:5:1 Example. 9 A 1.2.3.4",
            "0:6:1 Example. 9 A 1.2.3.4",
        ],
    );
}

#[test]
fn blank_owner_comments_parentheses_and_line_ends() {
    let text = "; head\r\n\r\n  \t\na 1h3m A 1.2.3.4 ; tail\r\n\tMX (\r\n 10 ; ten\r\n b )\r\n \
                TXT \"x;(\" y\\;z(\n\"q\")\n(c\n) A 1.2.3.4\n";
    check_records(
        text,
        &[
            "0:4:1 a.Example. 3780 A 1.2.3.4",
            "0:5:1 a.Example. 3780 MX 10 b.Example.",
            "0:8:1 a.Example. 3780 TXT \"x;(\" \"y;z\" \"q\"",
            "0:10:1 c.Example. 3780 A 1.2.3.4",
        ],
    );
}

#[test]
fn default_ttl_is_the_last_one_until_the_directive() {
    check_records(
        "a 5 A 1.2.3.4\nb A 1.2.3.4\n$TTL 1D\nc A 1.2.3.4\nd 7 A 1.2.3.4\ne A 1.2.3.4\n",
        &[
            "0:1:1 a.Example. 5 A 1.2.3.4",
            "0:2:1 b.Example. 5 A 1.2.3.4",
            "0:4:1 c.Example. 86400 A 1.2.3.4",
            "0:5:1 d.Example. 7 A 1.2.3.4",
            "0:6:1 e.Example. 86400 A 1.2.3.4",
        ],
    );
}

#[test]
fn first_soa_without_ttl_takes_its_minimum() {
    let mut sink = Collector::default();
    read_into(b"@ SOA a b 1 2 3 4 300\n NS a\n", &mut sink).unwrap();
    assert_eq!(sink.records[1], "0:2:1 Example. 300 NS a.Example.");
    assert_eq!(sink.warnings, ["1:1 no TTL before the SOA: its MINIMUM 300 is used"]);
}

#[test]
fn other_classes_become_in_with_a_warning() {
    let mut sink = Collector::default();
    read_into(b"a 5 CH A 1.2.3.4\nb CLASS1 A 1.2.3.4\nc CLASS77 A 1.2.3.4\n", &mut sink).unwrap();
    assert_eq!(sink.records.len(), 3);
    assert_eq!(sink.warnings, ["1:5 class 3 changed to IN", "3:3 class 77 changed to IN"]);
}

#[test]
fn origin_changes_what_the_same_text_means() {
    check_records(
        "a 5 A 1.2.3.4\n$ORIGIN b\na NS a\n$ORIGIN C.\na NS @\n NS .\n",
        &[
            "0:1:1 a.Example. 5 A 1.2.3.4",
            "0:3:1 a.b.Example. 5 NS a.b.Example.",
            "0:5:1 a.C. 5 NS C.",
            "0:6:1 a.C. 5 NS .",
        ],
    );
}

#[test]
fn names_keep_their_octets() {
    check_records(
        "\\000\\255\\.\\ A\\@ 5 NS \\$x\\\"\\;\\(\\)\n",
        &["0:1:1 \\000\\255\\.\\032A\\@.Example. 5 NS \\$x\\\"\\;\\(\\).Example."],
    );
}

#[test]
fn included_files_keep_origin_and_owner_of_the_outer() {
    let mut sink = Collector {
        files: vec![("in ner", "b NS @\n$TTL 8\n$INCLUDE deep\n$ORIGIN x.\n"), ("deep", " NS d")],
        ..Collector::default()
    };
    read_into(b"a 5 NS @\n$INCLUDE \"in ner\" sub\n NS @\n$INCLUDE deep", &mut sink).unwrap();
    assert_eq!(
        sink.records,
        [
            "0:1:1 a.Example. 5 NS Example.",
            "1:1:1 b.sub.Example. 5 NS sub.Example.",
            "2:1:1 b.sub.Example. 8 NS d.sub.Example.",
            "0:3:1 a.Example. 8 NS Example.",
            "2:1:1 a.Example. 8 NS d.Example.",
        ]
    );
    let asked = sink.asked.iter().map(|(path, from)| (path.as_str(), *from));
    assert_eq!(asked.collect::<Vec<_>>(), [("in ner", 0), ("deep", 1), ("deep", 0)]);
}

#[test]
fn includes_are_bounded_and_their_errors_have_their_own_position() {
    let mut sink = Collector { files: vec![("me", "\n  $INCLUDE me\n")], ..Collector::default() };
    let error = read_into(b"$INCLUDE me", &mut sink).unwrap_err();
    let ReadError::Syntax(error) = error else { panic!("{error}") };
    assert_eq!(error.at, Position { source: 1, line: 2, column: 12 });
    assert_eq!(error.problem, Problem::IncludeTooDeep { limit: 16 });

    let mut sink = Collector { files: vec![("nil", "")], ..Collector::default() };
    let error = read_into(&b"$INCLUDE nil\n".repeat(1025), &mut sink).unwrap_err();
    let ReadError::Syntax(error) = error else { panic!("{error}") };
    assert_eq!((error.at.line, error.problem), (1025, Problem::TooManyIncludes { limit: 1024 }));

    let error = read_into(b"\n$INCLUDE gone", &mut Collector::default()).unwrap_err();
    let ReadError::Stopped { at, reason } = error else { panic!("{error}") };
    assert_eq!((at.line, at.column, reason), (2, 10, NoFile("gone".to_owned())));
}

#[test]
fn generate_as_in_bind() {
    check_records(
        "$GENERATE 1-3/2 h$.x 5 IN A 192.0.2.$\n",
        &["0:1:1 h1.x.Example. 5 A 192.0.2.1", "0:1:1 h3.x.Example. 5 A 192.0.2.3"],
    );
    check_records(
        "$TTL 5\n$GENERATE 10-10 ${-1,3}-${0,4,x}-${5,0,o} CNAME \\$$$.${0,3,X}\n",
        &["0:2:1 009-000a-17.Example. 5 CNAME \\$\\$.00A.Example."],
    );
    check_records(
        "$GENERATE 26-26 ${0,4,n}x.${0,1,N}.${0,0,n} 5 MX \"10 m$\"\n",
        &["0:1:1 a.1.x.A.1.a.1.Example. 5 MX 10 m26.Example."],
    );
    check_records("$GENERATE 1-1 t 5 TXT \"a $\" b$\n", &["0:1:1 t.Example. 5 TXT \"a 1\" \"b1\""]);
}

#[test]
fn dnssec_records_are_delivered() {
    let text = "a 5 NSEC b A\n RRSIG A 8 1 5 20300101000000 20200101000000 1 @ AAAA\n \
                NSEC3 1 0 0 - 2T7B4G4VSA5SMI47K61MV5BV1A22BOJR A\n NSEC3PARAM 1 0 0 -\n";
    let mut sink = Collector::default();
    read_into(text.as_bytes(), &mut sink).unwrap();
    assert_eq!(sink.records.len(), 4);
}

#[test]
fn errors_of_lines() {
    check_error(
        b"a 5 A 1.2.3.4\nb\0 A 1.2.3.4\n",
        "2:2 octet 0x00 is not text: is this a zone file?",
    );
    check_error(b"; \0\n", "1:3 octet 0x00 is not text: is this a zone file?");
    check_error(b"a TXT \"\x01\"\n", "1:8 octet 0x01 is not text: is this a zone file?");
    check_error(b"a\rb\n", "1:2 octet 0x0d is not text: is this a zone file?");
    check_error("\u{feff}a A", "1:1 the file starts with a byte order mark: save it without one");
    check_error(
        "\na TXT (\n\"b\nc\")",
        "3:1 the text that starts here has no closing quote on its line",
    );
    check_error("a TXT \"b", "1:7 the text that starts here has no closing quote on its line");
    check_error("a TXT b\\\n", "1:8 a backslash at the end of the line");
    check_error("a TXT b\\", "1:8 a backslash at the end of the line");
    check_error("a TXT (b\n(c)\n", "1:7 the parenthesis that opens here is never closed");
    check_error("a TXT b)\n", "1:8 a closing parenthesis without an opening one");
    let long = format!("a 5 A 1.2.3.4\na TXT ({}", "\n".repeat(65_536));
    check_error(long, "2:1 line is longer than 65535 octets (is a parenthesis open?)");
}

#[test]
fn errors_of_records() {
    check_error(
        " A 1.2.3.4",
        "1:1 no owner name: the line starts with white space, but no record comes before it",
    );
    check_error(
        "a..b A",
        "1:1 expected an owner name, found `a..b`: empty label (two dots in a row?)",
    );
    check_error("a 5 IN", "1:7 expected a TTL, class or record type, but the line ends here");
    check_error("a 5 FOO x", "1:5 expected a TTL, class or record type, found `FOO`");
    check_error("a 5 6 A", "1:5 expected a TTL, class or record type, found `6`");
    check_error("a 5x A", "1:3 expected a TTL in seconds or as 1h30m, found `5x`");
    check_error("a 2147483648 A", "1:3 TTL 2147483648 is above 2147483647");
    check_error("a 99999999999 A", "1:3 TTL 99999999999 is above 2147483647");
    check_error("@ SOA a b 1 2 3 4 2147483648", "1:3 TTL 2147483648 is above 2147483647");
    check_error("a A 1.2.3.4", "1:3 no TTL: write one, or a $TTL directive before this line");
    check_error("a 5 A (\n 192.0.2 )", "2:2 A: expected an IPv4 address, found `192.0.2`");
    check_error("a 5 MX 10\n", "1:10 MX: expected a domain name, but the record ends here");
    check_error("a 5 A6 x", "1:5 A6: A6 records are not allowed in a zone: the type is obsolete");
    check_error("a 5 A 1.2.3.4 x", "1:15 A: expected the end of the record, found `x`");
}

#[test]
fn errors_of_directives() {
    check_error("$FOO", "1:1 unknown directive `$FOO` (known: $ORIGIN, $TTL, $INCLUDE, $GENERATE)");
    check_error("$ORIGIN", "1:8 $ORIGIN needs a domain name");
    check_error("$TTL 1 2", "1:8 $TTL ends before `2`");
    check_error("$TTL x", "1:6 expected a TTL in seconds or as 1h30m, found `x`");
    check_error("$TTL 2147483648", "1:6 TTL 2147483648 is above 2147483647");
    check_error(
        "$ORIGIN a..",
        "1:9 expected an origin, found `a..`: empty label (two dots in a row?)",
    );
    check_error(
        "$INCLUDE a\\999",
        concat!(
            "1:10 expected a file name, found `a\\999`: ",
            "bad escape: \\ takes one character, or three digits up to 255"
        ),
    );
    for range in ["1", "2-1", "1-2/0", "a-b", "-1-2", "1-2147483648", "+1-2"] {
        let expect = format!("1:11 expected a range like 1-10 or 1-10/2, found `{range}`");
        check_error(format!("$GENERATE {range} a A 1.2.3.4"), &expect);
    }
    check_error(
        "$GENERATE 1-1048577 a A 1.2.3.4",
        "1:11 $GENERATE of 1048577 records is above the limit of 1048576",
    );
    check_error(
        "$GENERATE 1-2 ${0,1,q} A 1.2.3.4",
        "1:15 expected ${offset,width,base} with base d, o, x, X, n or N, found `${0,1,q}`",
    );
    check_error(
        "$GENERATE 1-2 a${0 A 1.2.3.4",
        "1:15 expected ${offset,width,base} with base d, o, x, X, n or N, found `${0`",
    );
    check_error(
        "$GENERATE 1-2 a${-2} A 1.2.3.4",
        "1:15 $GENERATE yields -1, which is not within 0 to 2147483647",
    );
    check_error(
        "\n$GENERATE 1-2 a 5 A 1.2.3.$x",
        "2:1 A: expected an IPv4 address, found `1.2.3.1x`",
    );
}

#[test]
fn a_sink_can_stop() {
    let mut sink = Collector { stop_at: Some(1), ..Collector::default() };
    let error = read_into(b"a 5 A 1.2.3.4\n A 1.2.3.5\n", &mut sink).unwrap_err();
    let ReadError::Stopped { at, .. } = error else { panic!("{error}") };
    assert_eq!((at.line, sink.records.len()), (2, 1));
}

#[test]
fn records_are_printed_on_one_line_with_tabs() {
    let mut out = Vec::new();
    print_record(b"\x01a\0", Ttl(5), RrType::A, &[192, 0, 2, 1], &mut out);
    print_record(b"\0", Ttl(0), RrType(261), b"\x01x", &mut out);
    assert_eq!(out, b"a.\t5\tIN\tA\t192.0.2.1\n.\t0\tIN\tTYPE261\t\\# 2 0178\n");
}

const ZONE: &str = "$TTL 1h\n@ SOA ns host 1 2h 1d 4w 10m ; serial (not \"this\"\n \
    NS ns\nns A 192.0.2.1\n \
    AAAA 2001:db8::1\n$ORIGIN sub\ntxt TXT ( \"a\\\"b;(\" ; comment )\n  \
    c\\)d\n e )\r\n\n$GENERATE 1-3 h$ A 10.0.0.$\n\
    \\;x HTTPS 1 . alpn=\"h2,h3\" port=1\nloc LOC 1 N 1 E 1m\nz CH DS 1 8 0 00\nlast TXT end";

/// Reads in blocks that end at the places given.
fn read_in_blocks(
    text: &[u8],
    ends: &[usize],
    sink: &mut Collector,
) -> Result<(), ReadError<NoFile>> {
    let mut reader = Reader::new(State::new(origin(), 0));
    let mut taken = 0;
    for end in ends {
        taken += reader.read_block(&text[taken..(*end).max(taken)], BlockEnd::More, sink)?;
    }
    taken += reader.read_block(&text[taken..], BlockEnd::Final, sink)?;
    assert_eq!(taken, text.len());
    Ok(())
}

fn whole_zone() -> Collector {
    let mut whole = Collector::default();
    read_into(ZONE.as_bytes(), &mut whole).unwrap();
    whole
}

#[test]
fn a_file_reads_the_same_in_two_blocks_cut_anywhere() {
    let whole = whole_zone();
    assert_eq!((whole.records.len(), whole.warnings.len()), (12, 1));
    for end in 0..=ZONE.len() {
        let mut sink = Collector::default();
        read_in_blocks(ZONE.as_bytes(), &[end], &mut sink).unwrap();
        assert_eq!((sink.records, sink.warnings), (whole.records.clone(), whole.warnings.clone()));
    }
}

#[test]
fn cut_points_are_starts_of_lines_with_an_owner_or_directive() {
    let mut points: Vec<usize> =
        (0..=ZONE.len() + 5).filter_map(|limit| cut_point(ZONE.as_bytes(), limit)).collect();
    points.dedup();
    let starts = points.iter().map(|at| ZONE[*at..].split(' ').next().unwrap());
    let expect = ["@", "ns", "$ORIGIN", "txt", "$GENERATE", "\\;x", "loc", "z", "last"];
    assert_eq!(starts.collect::<Vec<_>>(), expect);
    for limit in 0..=ZONE.len() {
        assert!(cut_point(ZONE.as_bytes(), limit).is_none_or(|at| at <= limit));
    }
    assert_eq!(cut_point(b"a A 1.2.3.4", 100), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn random_bytes_are_no_panic(text in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = read_into_any(&text);
        cut_point(&text, 300);
    }

    #[test]
    fn random_characters_of_zone_files_are_no_panic(
        text in "([@a.0-9${},x/ \t\n\r\"\\\\;()-]|A |TXT |\\$(GENERATE|INCLUDE|TTL) |1-2 ){0,80}",
    ) {
        let _ = read_into_any(text.as_bytes());
        cut_point(text.as_bytes(), 50);
    }

    #[test]
    fn a_damaged_zone_is_no_panic_and_reads_the_same_in_blocks(
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..8),
        end in any::<prop::sample::Index>(),
    ) {
        let mut text = ZONE.as_bytes().to_vec();
        for (at, octet, what) in edits {
            let at = at.index(text.len());
            match what {
                0 => text[at] = octet,
                1 => text.insert(at, octet),
                _ => { text.remove(at); }
            }
        }
        let mut whole = Collector::default();
        let mut parts = Collector::default();
        let one = read_into(&text, &mut whole).map_err(|error| error.to_string());
        let two = read_in_blocks(&text, &[end.index(text.len())], &mut parts);
        prop_assert_eq!(one, two.map_err(|error| error.to_string()));
        prop_assert_eq!(whole.records, parts.records);
    }
}

fn read_into_any(text: &[u8]) -> Result<(), ReadError<NoFile>> {
    read_into(text, &mut Collector { files: vec![("a", "a 1 NS a")], ..Collector::default() })
}
