//! Where NOTIFY(CDS) goes: the example of RFC 9859 §4.1, and answers that mislead.

use super::*;
use crate::Ttl;
use crate::parent::AnswerRecord;
use proptest::prelude::*;

fn name(text: &str) -> Name {
    Name::parse(text.as_bytes(), None).unwrap()
}

fn record(owner: &str, rtype: RrType, rdata: &[u8]) -> AnswerRecord {
    AnswerRecord { owner: name(owner), rtype, ttl: Ttl(60), rdata: rdata.to_vec() }
}

fn response(rcode: u16, answers: &[AnswerRecord], soa: Option<&str>) -> Response {
    let authorities = soa.iter().map(|owner| record(owner, RrType::SOA, &[])).collect();
    Response { rcode, is_authoritative: false, answers: answers.to_vec(), authorities }
}

fn dsync(rtype: u16, scheme: u8, port: u16, host: &str) -> AnswerRecord {
    let mut rdata = rtype.to_be_bytes().to_vec();
    rdata.push(scheme);
    rdata.extend(port.to_be_bytes());
    rdata.extend(name(host).as_wire());
    record("x.", Discovery::RTYPE, &rdata)
}

/// The questions about a child, where every answer is NXDOMAIN with one of these SOAs.
#[track_caller]
fn check_questions(child: &str, soas: &[Option<&str>], expected: &[&str]) {
    let mut discovery = Discovery::new(&name(child)).unwrap();
    let mut questions = vec![discovery.question().clone()];
    for soa in soas.iter().chain(std::iter::repeat(soas.last().unwrap())) {
        match discovery.answered(&response(3, &[], *soa)).unwrap() {
            Lookup::Again(next) => discovery = *next,
            Lookup::Nothing => break,
            Lookup::Found(target) => panic!("{target:?}"),
        }
        questions.push(discovery.question().clone());
    }
    let expected: Vec<Name> = expected.iter().map(|text| name(text)).collect();
    assert_eq!(questions, expected);
}

#[test]
fn questions_are_those_of_rfc9859_4_1() {
    check_questions("example.jp.", &[Some("jp.")], &["example._dsync.jp.", "_dsync.jp."]);
    check_questions(
        "city.ise.mie.jp.",
        &[Some("jp.")],
        &["city._dsync.ise.mie.jp.", "city.ise.mie._dsync.jp.", "_dsync.jp."],
    );
    check_questions("ods1.", &[Some(".")], &["ods1._dsync.", "_dsync."]);
    // `_dsync` may be a zone of its own.
    let own = [Some("_dsync.jp.")];
    check_questions("example.jp.", &own, &["example._dsync.jp.", "_dsync.jp."]);
    // No SOA, the child's, or somebody else's.
    for soa in [None, Some("a.jp."), Some("org.")] {
        check_questions("a.jp.", &[soa], &["a._dsync.jp.", "_dsync.jp."]);
    }
    assert_eq!(Discovery::new(&Name::root()), None);
}

#[test]
fn answers_that_lead_ever_further_up_come_to_an_end() {
    let child = format!("{}z.", "a.".repeat(60));
    let ancestors: Vec<String> = (1..60).rev().map(|n| format!("{}z.", "a.".repeat(n))).collect();
    let mut discovery = Discovery::new(&name(&child)).unwrap();
    for (count, soa) in ancestors.iter().enumerate() {
        match discovery.answered(&response(3, &[], Some(soa))).unwrap() {
            Lookup::Again(next) => discovery = *next,
            end => {
                assert_eq!((end, count + 1), (Lookup::Nothing, LOOKUPS_MAX));
                return;
            }
        }
    }
    panic!("it goes on");
}

#[test]
fn a_name_that_would_be_too_long_is_left_out() {
    let label = "a".repeat(63);
    let child = format!("{label}.{label}.{label}.{}.", "a".repeat(60));
    let discovery = Discovery::new(&name(&child)).unwrap();
    let behind = child.split_once('.').unwrap().1;
    assert_eq!(discovery.question(), &name(&format!("_dsync.{behind}")));
}

#[test]
fn the_target_is_the_one_for_notify_cds() {
    let found = |answers: &[AnswerRecord]| {
        let discovery = Discovery::new(&name("example.jp.")).unwrap();
        discovery.answered(&response(0, answers, None)).unwrap()
    };
    let target =
        |host: &str, port| Lookup::Found(Box::new(NotifyTarget { host: name(host), port }));
    let ours = dsync(59, 1, 5359, "CDS-scanner.example.net.");
    let csync = dsync(62, 1, 5360, "csync-scanner.example.net.");
    assert_eq!(found(&[csync.clone(), ours]), target("cds-scanner.example.net.", 5359));
    // None for us is an answer too: nothing further is asked.
    assert_eq!(found(&[csync]), Lookup::Nothing);
    for useless in [
        dsync(59, 0, 53, "a.jp."),
        dsync(59, 2, 53, "a.jp."),
        dsync(59, 1, 0, "a.jp."),
        dsync(59, 1, 53, "."),
        record("x.", Discovery::RTYPE, &[0, 59, 1, 0, 53, 0xc0, 12]),
        record("x.", Discovery::RTYPE, &[0, 59, 1, 0, 53, 1, b'a', 0, 9]),
        record("x.", Discovery::RTYPE, &[0, 59]),
    ] {
        assert_eq!(found(&[useless]), Lookup::Nothing);
    }
    let two = [dsync(59, 1, 53, "b.jp."), dsync(59, 1, 53, "a.jp.")];
    assert_eq!(found(&two), target("a.jp.", 53));
}

#[test]
fn an_error_is_no_answer() {
    for rcode in [1, 2, 5] {
        let discovery = Discovery::new(&name("example.jp.")).unwrap();
        let error = discovery.answered(&response(rcode, &[], Some("jp."))).unwrap_err();
        assert_eq!(error, DiscoveryError(rcode));
    }
}

#[test]
fn pauses_double_and_end() {
    let pauses: Vec<u64> = (1..).map_while(pause_after).map(|pause| pause.0).collect();
    assert_eq!(pauses[..4], [60, 120, 240, 480]);
    assert_eq!(pauses.len() as u32, NOTIFY_ATTEMPTS_MAX - 1);
    assert_eq!(pauses.last(), Some(&(6 * 3600)));
    assert_eq!(pause_after(u32::MAX), None);
}

proptest! {
    /// Whatever resolvers say, a discovery ends, and every question has one `_dsync` label.
    #[test]
    fn every_discovery_ends(
        child in "([a-c]\\.){1,12}",
        soas in proptest::collection::vec(proptest::option::of("([a-c]\\.){1,12}"), 20),
        junk in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let mut discovery = Discovery::new(&name(&child)).unwrap();
        let mut count = 0;
        for soa in &soas {
            count += 1;
            let labels = discovery.question().labels().filter(|label| *label == LABEL).count();
            prop_assert_eq!(labels, 1);
            match discovery.answered(&response(0, &[], soa.as_deref())).unwrap() {
                Lookup::Again(next) => discovery = *next,
                _ => break,
            }
        }
        prop_assert!(count <= LOOKUPS_MAX);
        let junk = record("x.", Discovery::RTYPE, &junk);
        let discovery = Discovery::new(&name(&child)).unwrap();
        let _ = discovery.answered(&response(0, &[junk], None));
    }
}
