//! What foreign judges say of the planted defects. The table in docs/src/audit.md is what they say
//! today, and each case in which one of them and the auditor disagree has an explanation.
//!
//! Needs Debian packages: `cargo xtask setup` installs them. Signatures are made for the system's
//! clock, because BIND reads it. validns (Debian's build) knows RSA only, so it gets the same
//! defects in zones with RSA keys.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::common::*;
use crate::corpus::{Case, any, distinct_cases};
use crate::manual::check_section;
use crate::text::zone_file;
use audit::{Denial, Verdict};

const JUDGES: [&str; 4] = ["dnssec-verify", "ldns-verify-zone", "kzonecheck", "validns"];

/// Whether a judge accepts the zone.
fn accepts(judge: &str, file: &Path) -> bool {
    let mut command = Command::new(judge);
    match judge {
        "dnssec-verify" => command.args(["-q", "-x", "-o", "example."]),
        "ldns-verify-zone" => command.args(["-V", "0"]),
        "kzonecheck" => command.args(["--dnssec", "on", "--origin", "example."]),
        _ => command.args(["-z", "example.", "-p", "cname-other-data", "-p", "dname"]),
    };
    let output = command
        .arg(file)
        .output()
        .unwrap_or_else(|error| panic!("{judge}: {error}; run cargo xtask setup"));
    output.status.success()
}

/// One row: the defect, our verdict, theirs.
struct Row {
    case: Case,
    verdict: Verdict,
    theirs: [bool; 4],
    /// Whether the zone is a good one, and what is wrong lies elsewhere.
    is_elsewhere: bool,
}

fn row(case: Case, folder: &Path) -> Row {
    let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    // The moment of the audit is the moment of the judges.
    let clock = clock + NOW - case.expectations().now;
    // Judges differ in whether anything may stand below a DNAME; where it is the defect, it may.
    let has_hidden = case.what.contains("DNAME");
    let theirs = JUDGES.map(|judge| {
        let records = || at_clock_time(clock, || case.records(has_hidden)).0;
        let records = if judge == "validns" { with_rsa_keys(records) } else { records() };
        let file = folder.join("zone");
        std::fs::write(&file, zone_file(&records)).unwrap();
        accepts(judge, &file)
    });
    let verdict = case.run().verdict();
    let good = Case { denial: case.denial.clone(), ..any("good", &[]) };
    let is_good = case.records(true).0 == good.records(true).0;
    Row { is_elsewhere: is_good && case.expectations().now == NOW, case, verdict, theirs }
}

/// Why a judge says something else than the auditor.
fn reason(judge: &str, row: &Row) -> Option<char> {
    if row.is_elsewhere {
        return Some('a');
    }
    let code = row.case.codes[0];
    let is_accepted = row.theirs[JUDGES.iter().position(|other| *other == judge)?];
    let found = REASONS.iter().find(|reason| {
        (reason.judges.is_empty() || reason.judges.contains(&judge))
            && reason.codes.contains(&code)
            && reason.is_accepted == is_accepted
    });
    found.map(|reason| reason.letter)
}

/// Why judges and auditor differ.
struct Reason {
    letter: char,
    /// Empty: all of them.
    judges: &'static [&'static str],
    codes: &'static [u16],
    is_accepted: bool,
    text: &'static str,
}

const BIND: &str = JUDGES[0];
const LDNS: &str = JUDGES[1];
const KNOT: &str = JUDGES[2];
const VALIDNS: &str = JUDGES[3];

const fn accepted(
    letter: char,
    judges: &'static [&'static str],
    codes: &'static [u16],
    text: &'static str,
) -> Reason {
    Reason { letter, judges, codes, is_accepted: true, text }
}

const fn refused(
    letter: char,
    judges: &'static [&'static str],
    codes: &'static [u16],
    text: &'static str,
) -> Reason {
    Reason { letter, judges, codes, is_accepted: false, text }
}

const REASONS: &[Reason] = &[
    accepted(
        'a',
        &[],
        &[701, 711, 802],
        "The zone is a good one. What is wrong shows only against policy, source, parent, history \
         or secondaries, of which these judges are told nothing.",
    ),
    accepted('b', &[], &[105], "A file is read into sets, in which nothing is twice."),
    accepted('c', &[BIND, KNOT], &[103], "A record outside the zone is left out when it is read."),
    accepted('d', &[LDNS], &[104], "The class of glue is not looked at."),
    accepted('e', &[BIND, LDNS, KNOT], &[106], "The RRset gets one of the two TTLs."),
    accepted(
        'f',
        &[BIND, LDNS, VALIDNS],
        &[108, 109, 110, 401],
        "Signatures and chain are judged, not whether the data make sense.",
    ),
    accepted('g', &[BIND, LDNS], &[202, 208], "A key that is of no use is passed over."),
    accepted('h', &[], &[207, 315, 317], "No such limit on work, or a higher one."),
    accepted('i', &[LDNS, VALIDNS], &[209], "Any published key may sign the keys."),
    accepted('j', &[], &[214, 522], "Sizes and algorithms of keys are not judged."),
    accepted('k', &[BIND, LDNS, VALIDNS], &[212], "Nobody looks at what a parent makes of CDS."),
    accepted(
        'l',
        &[VALIDNS],
        &[301, 713, 722],
        "An RRset, or a zone, without signatures is no error.",
    ),
    accepted(
        'm',
        &[BIND, LDNS, KNOT, VALIDNS],
        &[312, 313],
        "A signature too many harms no validator, and is not looked for.",
    ),
    accepted('n', &[], &[304, 305, 306, 307], "This field of the RRSIG is not compared."),
    accepted('o', &[], &[310], "A signature has to be good now, and no longer."),
    accepted('p', &[LDNS, KNOT, VALIDNS], &[314], "The REVOKE flag is not looked at."),
    accepted('q', &[LDNS], &[506], "Bitmaps are not compared type by type."),
    accepted('r', &[], &[507], "The TTL of denial records (RFC 9077) is not looked at."),
    accepted(
        's',
        &[],
        &[511, 512, 513],
        "One NSEC3PARAM that fits is enough; no other is looked at.",
    ),
    accepted(
        't',
        &[],
        &[514, 515],
        "What fits the NSEC3PARAM is used and the rest passed over; opt-out is judged by record.",
    ),
    accepted('u', &[BIND, KNOT], &[516, 519], "An NSEC3 too many is not looked for."),
    accepted(
        'v',
        &[BIND, LDNS],
        &[518, 520],
        "Insecure delegations and empty non-terminals may be left out of the chain.",
    ),
    accepted(
        'w',
        &[LDNS, KNOT],
        &[705],
        "One algorithm is enough for a validator (RFC 6840 5.11); that one may know only the other \
         is not asked.",
    ),
    accepted('x', &[BIND, KNOT], &[102, 821, 822, 823, 825], "Nothing is known of ZONEMD."),
    refused(
        'y',
        &[KNOT, VALIDNS],
        &[203, 210, 215],
        "An odd key among good ones is an error there. Validators pass over it, so it is a warning \
         here; the twin with one key tag is moreover on no curve.",
    ),
    refused(
        'z',
        &[LDNS, VALIDNS],
        &[824],
        "ldns wants one ZONEMD that matches, where the RFC has an unknown scheme passed over; \
         validns knows no such type and refuses each zone with it.",
    ),
];

fn word(is_accepted: bool) -> &'static str {
    if is_accepted { "accepts" } else { "refuses" }
}

#[test]
fn foreign_judges() {
    let folder = tempfile::tempdir().unwrap();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        let good = row(Case { denial, ..any("good", &[]) }, folder.path());
        assert_eq!(good.theirs, [true; 4], "{:?}", good.case.denial);
    }
    let mut table = format!(
        "\n| finding | defect | auditor | {} |\n|---|---|---|---|---|---|---|\n",
        JUDGES.join(" | ")
    );
    let mut unexplained = String::new();
    for case in distinct_cases().into_iter().filter(|case| !case.is_of_octets()) {
        let row = row(case, folder.path());
        let ours = row.verdict == Verdict::Approve;
        let cells = JUDGES.iter().zip(row.theirs).map(|(judge, theirs)| {
            let note = if theirs == ours { None } else { reason(judge, &row) };
            if theirs != ours && note.is_none() {
                let (codes, what) = (row.case.codes, row.case.what);
                writeln!(unexplained, "{judge} {}: {codes:?} {what}", word(theirs)).unwrap();
            }
            note.map_or(word(theirs).to_owned(), |note| format!("{} ({note})", word(theirs)))
        });
        let cells: Vec<String> = cells.collect();
        let (what, verdict) = (row.case.what, format!("{:?}", row.verdict).to_lowercase());
        let codes: Vec<String> = row.case.codes.iter().map(|code| format!("A{code}")).collect();
        let codes = codes.join(", ");
        writeln!(table, "| {codes} | {what} | {verdict} | {} |", cells.join(" | ")).unwrap();
    }
    table.push('\n');
    for reasons in REASONS.chunk_by(|left, right| left.letter == right.letter) {
        writeln!(table, "- ({}) {}", reasons[0].letter, reasons[0].text).unwrap();
    }
    table.push('\n');
    assert!(unexplained.is_empty(), "unexplained:\n{unexplained}");
    check_section("foreign judges", &table);
}
