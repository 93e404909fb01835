//! The signer's reader of zone files and the auditor's, which share no code, read the same records:
//! of every zone of the repository, of what each signer writes, and of files with random changes,
//! where either may also refuse what the other takes.

use anchorite_tests::judges;
use anchorite_tests::signing::{Workplace, repository_text};
use audit::presentation;
use dnssec::Name;
use dnssec::zonefile::{
    BlockEnd, IncludeRequest, Included, Position, Reader, RecordRef, Sink, State, Warning,
};
use proptest::prelude::*;

/// A zone's name, as text and in wire form.
type Origin = (&'static str, &'static [u8]);

const COM: Origin = ("example.com.", b"\x07example\x03com\0");
const ORG: Origin = ("example.org.", b"\x07example\x03org\0");
const HARD: Origin = ("hard.example.", b"\x04hard\x07example\0");
const TYPES: Origin = ("types.example.", b"\x05types\x07example\0");
const BEYOND: Origin = ("beyond.example.", b"\x06beyond\x07example\0");
const ROOT: Origin = (".", b"\0");

struct Records(Vec<Vec<u8>>);

impl Sink for Records {
    type Error = &'static str;

    fn record(&mut self, record: RecordRef<'_>, _: Position) -> Result<(), Self::Error> {
        let number = record.rtype.0.to_be_bytes();
        let ttl = record.ttl.0.to_be_bytes();
        let length = u16::try_from(record.rdata.len()).unwrap().to_be_bytes();
        let parts: [&[u8]; 6] =
            [record.owner.as_wire(), &number, &[0, 1], &ttl, &length, record.rdata];
        self.0.push(parts.concat());
        Ok(())
    }

    fn warning(&mut self, _: Warning, _: Position) -> Result<(), Self::Error> {
        Ok(())
    }

    fn include(&mut self, _: IncludeRequest<'_>) -> Result<Included, Self::Error> {
        Err("no files here")
    }
}

/// What the signer's reader reads; `None`: it refuses.
fn by_signer(text: &[u8], origin: Origin) -> Option<Vec<Vec<u8>>> {
    let apex = Name::parse(origin.0.as_bytes(), Some(&Name::root())).unwrap();
    let mut records = Records(Vec::new());
    let mut reader = Reader::new(State::new(Some(apex), 0));
    reader.read_block(text, BlockEnd::Final, &mut records).ok()?;
    Some(records.0)
}

/// What the auditor's reader reads.
fn by_auditor(text: &[u8], origin: Origin) -> Result<Vec<Vec<u8>>, presentation::TextError> {
    let section = presentation::read_text(text, Some(origin.1.to_vec()))?;
    let mut rest = section.records.as_slice();
    let mut records = Vec::new();
    while !rest.is_empty() {
        let mut at = 0;
        while rest[at] != 0 {
            at += 1 + usize::from(rest[at]);
        }
        let header = &rest[at + 1..at + 11];
        let length = at + 11 + usize::from(u16::from_be_bytes([header[8], header[9]]));
        records.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    assert_eq!(records.len(), section.record_count);
    Ok(records)
}

/// Types whose text only the signer's reader knows; the auditor asks for `\#`.
const ONLY_AS_UNKNOWN: [&str; 12] =
    ["NSAP", "EID", "NIMLOC", "ATMA", "SINK", "HHIT", "BRID", "DOA", "NXT", "A6", "WKS", "NULL"];

#[track_caller]
fn check_same(text: &str, origin: Origin) {
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.split_whitespace().any(|word| ONLY_AS_UNKNOWN.contains(&word)))
        .collect();
    let text = lines.join("\n") + "\n";
    let ours = by_signer(text.as_bytes(), origin).expect("the signer reads its own zones");
    let theirs = by_auditor(text.as_bytes(), origin).unwrap_or_else(|error| {
        panic!("{:?}: {error}", error.line_and_column(text.as_bytes()));
    });
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(ours, theirs);
    }
}

#[test]
fn of_every_zone_in_the_repository() {
    check_same(&repository_text("examples/zones/example.com.zone"), COM);
    check_same(&repository_text("examples/zones/example.org.zone"), ORG);
    check_same(&repository_text("tests/zones/hard-cases.zone"), HARD);
    check_same(&repository_text("tests/zones/every-type.zone"), TYPES);
    check_same(&repository_text("tests/zones/beyond-knot.zone"), BEYOND);
    check_same(&judges::root_zone_text(), ROOT);
}

#[test]
fn of_signed_zones() {
    for denial in ["nsec", "nsec3", "nsec3-opt-out"] {
        for (origin, file) in [
            (COM, "examples/zones/example.com.zone"),
            (HARD, "tests/zones/hard-cases.zone"),
            (TYPES, "tests/zones/every-type.zone"),
        ] {
            let workplace = Workplace::of_repository(origin.0, file);
            workplace.sign(&["--denial", denial]);
            check_same(&workplace.signed(), origin);
        }
    }
}

/// What a change puts into a file.
const PIECES: [&str; 22] = [
    "(",
    ")",
    "\"",
    "\\",
    ";",
    "\n",
    " ",
    "\t",
    ".",
    "@",
    "0",
    "9",
    "a",
    "\\065",
    "\\#",
    "=",
    ",",
    "-",
    "$TTL 5\n",
    "$ORIGIN a\n",
    "IN",
    "TXT",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn of_files_with_random_changes(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), 0..PIECES.len(), 0..3_usize),
            1..4,
        ),
        which in 0..3_usize,
    ) {
        let (origin, file) = [
            (COM, "examples/zones/example.com.zone"),
            (HARD, "tests/zones/hard-cases.zone"),
            (TYPES, "tests/zones/every-type.zone"),
        ][which];
        let mut text = repository_text(file).into_bytes();
        for (at, piece, removed) in changes {
            let at = at.index(text.len());
            let end = text.len().min(at + removed);
            text.splice(at..end, PIECES[piece].bytes());
        }
        let ours = by_signer(&text, origin);
        let theirs = by_auditor(&text, origin).ok();
        if let (Some(ours), Some(theirs)) = (ours, theirs) {
            prop_assert_eq!(ours, theirs);
        }
    }
}
