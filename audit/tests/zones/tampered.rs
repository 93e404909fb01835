//! One tampered zone for each finding, which yields exactly this finding; good zones, which yield
//! none; and random mutations, which never panic and are never approved.
//!
//! Random tests print their seed; `SEED=n` repeats a run.

use std::collections::BTreeSet;

use crate::common::*;
use crate::key_states::cds;
use audit::{
    AuditError, Denial, Expectations, FindingId, ParentSync, Report, Severity, Signer, Signing,
    Verdict, Zones,
};

type Records = Vec<Rr>;

/// A good zone and what is done to it, stage by stage.
struct Case {
    code: u16,
    denial: Denial,
    /// The source, before the signer sees it.
    source: fn(&mut Records),
    /// The source as the auditor sees it.
    audited: fn(&mut Records),
    left_out: &'static [&'static str],
    put_in: &'static [(&'static str, &'static [u16])],
    before_signing: fn(&mut Records),
    signed: fn(&mut Records),
    expect: fn(&mut Expectations),
    bytes: fn(&mut Vec<u8>),
    source_bytes: fn(&mut Vec<u8>),
}

fn case(code: u16, denial: Denial) -> Case {
    Case {
        code,
        denial,
        source: |_| {},
        audited: |_| {},
        left_out: &[],
        put_in: &[],
        before_signing: |_| {},
        signed: |_| {},
        expect: |_| {},
        bytes: |_| {},
        source_bytes: |_| {},
    }
}

fn nsec(code: u16) -> Case {
    case(code, Denial::Nsec)
}

fn with_source(code: u16, source: fn(&mut Records)) -> Case {
    Case { source, ..nsec(code) }
}

fn with_chain(code: u16, before_signing: fn(&mut Records)) -> Case {
    Case { before_signing, ..nsec(code) }
}

fn with_nsec3(code: u16, before_signing: fn(&mut Records)) -> Case {
    Case { before_signing, ..case(code, nsec3(false)) }
}

fn with_signed(code: u16, signed: fn(&mut Records)) -> Case {
    Case { signed, ..nsec(code) }
}

fn with_audited(code: u16, audited: fn(&mut Records)) -> Case {
    Case { audited, ..nsec(code) }
}

fn with_expectations(code: u16, expect: fn(&mut Expectations)) -> Case {
    Case { expect, ..nsec(code) }
}

/// An additional DNSKEY, which the key list does not mention.
fn with_key(code: u16, before_signing: fn(&mut Records)) -> Case {
    Case { before_signing, expect: |e| e.dnskeys = None, ..nsec(code) }
}

fn run(case: &Case) -> Report {
    let mut source = source();
    (case.source)(&mut source);
    let hooks = Hooks {
        left_out: case.left_out,
        put_in: case.put_in,
        before_signing: &case.before_signing,
    };
    let mut candidate = sign(&source, &case.denial, &hooks);
    (case.signed)(&mut candidate);
    (case.audited)(&mut source);
    let mut expectations = expectations(&case.denial);
    (case.expect)(&mut expectations);
    let (mut candidate, mut source) = (block(&candidate), block(&source));
    (case.bytes)(&mut candidate);
    (case.source_bytes)(&mut source);
    audit_bytes(&candidate, &source, &expectations)
}

fn find<'z>(zone: &'z mut Records, owner: &str, rtype: u16) -> &'z mut Rr {
    let is_it = |r: &&mut Rr| r.owner.eq_ignore_ascii_case(&name(owner)) && r.rtype == rtype;
    zone.iter_mut().find(is_it).unwrap()
}

fn first(zone: &mut Records, rtype: u16) -> &mut Rr {
    zone.iter_mut().find(|record| record.rtype == rtype).unwrap()
}

fn is_signature_of(record: &Rr, owner: &str, covered: u16) -> bool {
    record.rtype == RRSIG
        && record.owner.eq_ignore_ascii_case(&name(owner))
        && record.rdata[..2] == covered.to_be_bytes()
}

fn signature<'z>(zone: &'z mut Records, owner: &str, covered: u16) -> &'z mut Rr {
    zone.iter_mut().find(|record| is_signature_of(record, owner, covered)).unwrap()
}

fn rrset(zone: &Records, owner: &str, rtype: u16) -> Records {
    let is_it = |r: &&Rr| r.owner.eq_ignore_ascii_case(&name(owner)) && r.rtype == rtype;
    zone.iter().filter(is_it).cloned().collect()
}

/// Puts another signature in the place of the one over the A RRset of www.
fn sign_www_again(zone: &mut Records, key: &Key, change: impl Fn(&mut Vec<u8>)) {
    let signed = rrset(zone, "www.example", A);
    *signature(zone, "www.example", A) = key.rrsig_with(&signed, change);
}

fn set_time(rdata: &mut [u8], at: usize, time: u64) {
    rdata[at..at + 4].copy_from_slice(&(time as u32).to_be_bytes());
}

fn structure_cases() -> Vec<Case> {
    vec![
        Case { bytes: |bytes| bytes.push(3), ..nsec(101) },
        Case { source_bytes: |bytes| bytes.extend([0, 0]), ..nsec(111) },
        with_source(102, |z| z.push(rr("www.example", A, &[192, 0, 2]))),
        with_signed(103, |z| z.push(rr("other", A, &[192, 0, 2, 1]))),
        with_signed(104, |z| find(z, "hidden.tree.example", TXT).class = 3),
        with_signed(105, |z| {
            let copy = find(z, "www.example", TXT).clone();
            z.push(copy);
        }),
        with_source(106, |z| {
            z.push(Rr { ttl: 60, ..rr("hidden.tree.example", TXT, b"\x05other") })
        }),
        with_source(107, |z| z.retain(|record| record.rtype != SOA)),
        with_source(107, |z| z.push(rr("example", SOA, &soa(11, 600)))),
        with_source(108, |z| z.push(rr("www.example", SOA, &soa(1, 1)))),
        with_source(109, |z| z.push(rr("alias.example", A, &[192, 0, 2, 1]))),
        with_source(109, |z| z.push(rr("tree.example", DNAME, &name("mail.example")))),
        with_source(110, |z| z.retain(|r| r.rtype != NS || r.owner != name("example"))),
    ]
}

fn key_cases() -> Vec<Case> {
    vec![
        Case {
            before_signing: |z| {
                z.retain(|record| record.rtype != DNSKEY);
                let nsec = find(z, "example", NSEC);
                let types = bitmap(&[SOA, NS, MX, RRSIG, NSEC]);
                nsec.rdata = [name("alias.example"), types].concat();
            },
            signed: |z| z.retain(|record| record.rtype != RRSIG),
            expect: |e| e.dnskeys = None,
            ..nsec(201)
        },
        with_key(202, |z| {
            let mut rdata = Key::new(3, 256).rdata;
            rdata[2] = 2;
            z.push(rr("example", DNSKEY, &rdata));
        }),
        with_key(203, |z| z.push(rr("example", DNSKEY, &Key::new(3, 0).rdata))),
        with_expectations(204, |e| {
            e.dnskeys.as_mut().unwrap().push(Key::new(3, 256).rdata);
        }),
        with_expectations(205, |e| drop(e.dnskeys.as_mut().unwrap().pop())),
        with_expectations(206, |e| e.dnskey_ttl = Some(60)),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(3, 0x0301).rdata)),
            expect: |e| (e.dnskeys, e.limits.dnskeys) = (None, 2),
            ..nsec(207)
        },
        with_key(208, |z| z.push(rr("example", DNSKEY, &[1, 0, 3, 15, 1, 2, 3]))),
        with_signed(209, |z| {
            let keys = rrset(z, "example", DNSKEY);
            let mut keys = keys;
            keys.sort_by_key(canonical_key);
            *signature(z, "example", DNSKEY) = zsk().rrsig_with(&keys, |_| {});
        }),
        with_key(210, |z| {
            // The key tag is a sum of 16-bit words, so it stays the same when two change places.
            let mut rdata = zsk().rdata;
            let words = [rdata[6], rdata[7], rdata[4], rdata[5]];
            rdata[4..8].copy_from_slice(&words);
            z.push(rr("example", DNSKEY, &rdata));
        }),
        with_expectations(211, |e| e.parent_sync = Some(ParentSync::Delete)),
        Case {
            source: |z| {
                z.push(rr("example", 59, &cds(&Key::new(7, 257))));
                z.push(rr("example", 60, &Key::new(7, 257).rdata));
            },
            expect: |e| {
                e.parent_sync = Some(ParentSync::Keys(vec![Key::new(7, 257).rdata]));
            },
            ..nsec(212)
        },
        with_expectations(316, |e| {
            let signer = |key: Key, signs_keyset| Signer {
                dnskey: key.rdata,
                signs_keyset,
                signs_zone: !signs_keyset,
            };
            let signers = vec![signer(ksk(), true), signer(zsk(), false)];
            let signers = [signers, vec![signer(Key::new(7, 257), true)]].concat();
            e.signing = Some(Signing { signers, ds_algorithms: vec![15] });
        }),
    ]
}

fn signature_cases() -> Vec<Case> {
    vec![
        with_signed(301, |z| z.retain(|record| !is_signature_of(record, "www.example", A))),
        with_signed(301, |z| z.retain(|record| !is_signature_of(record, "safe.example", DS))),
        with_signed(301, |z| z.retain(|record| !is_signature_of(record, "sub.example", NSEC))),
        with_signed(302, |z| *signature(z, "www.example", A).rdata.last_mut().unwrap() ^= 1),
        with_signed(302, |z| signature(z, "example", SOA).rdata.truncate(60)),
        with_signed(303, |z| sign_www_again(z, &Key::new(9, 256), |_| {})),
        with_signed(304, |z| {
            sign_www_again(z, &zsk(), |rdata| {
                rdata.truncate(18);
                rdata.extend(name("other"));
            });
        }),
        with_signed(305, |z| sign_www_again(z, &zsk(), |rdata| rdata[3] = 1)),
        with_signed(306, |z| sign_www_again(z, &zsk(), |rdata| rdata[7] ^= 1)),
        with_signed(307, |z| signature(z, "www.example", A).ttl = 60),
        with_signed(308, |z| sign_www_again(z, &zsk(), |rdata| set_time(rdata, 12, NOW + 1))),
        with_signed(309, |z| sign_www_again(z, &zsk(), |rdata| set_time(rdata, 8, NOW))),
        with_signed(310, |z| sign_www_again(z, &zsk(), |rdata| set_time(rdata, 8, NOW + 3599))),
        with_expectations(311, |e| {
            e.lifetimes = Some(audit::SignatureLifetimes {
                default_seconds: 1_209_600,
                denial_seconds: 1_209_600,
                keyset_seconds: 1_209_600,
                jitter_seconds: 3599,
                inception_offset_seconds: 0,
            });
        }),
        with_signed(312, |z| {
            let absent = rr("www.example", 28, &[0; 16]);
            z.push(zsk().rrsig_with(&[absent], |_| {}));
        }),
        with_signed(313, |z| sign_also(z, "ns.sub.example", A)),
        with_signed(313, |z| sign_also(z, "sub.example", NS)),
        with_signed(313, |z| sign_also(z, "hidden.tree.example", TXT)),
        with_signed(313, |z| {
            let signed = signature(z, "www.example", A).clone();
            z.push(zsk().rrsig_with(&[signed], |_| {}));
        }),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(5, 0x0181).rdata)),
            signed: |z| sign_www_again(z, &Key::new(5, 0x0181), |_| {}),
            expect: |e| e.dnskeys = None,
            ..nsec(314)
        },
        Case {
            signed: |z| {
                let signed = rrset(z, "www.example", A);
                z.push(ksk().rrsig_with(&signed, |_| {}));
            },
            expect: |e| e.limits.rrsigs_per_rrset = 1,
            ..nsec(315)
        },
        with_source(401, |z| z.push(rr("www.example", DS, &[0, 1, 13, 2, 7, 7]))),
    ]
}

fn sign_also(zone: &mut Records, owner: &str, rtype: u16) {
    let signed = rrset(zone, owner, rtype);
    zone.push(zsk().rrsig_with(&signed, |_| {}));
}

fn denial_cases() -> Vec<Case> {
    vec![
        with_expectations(501, |e| e.denial = nsec3(false)),
        Case { expect: |e| e.denial = Denial::Nsec, ..case(501, nsec3(false)) },
        with_signed(502, |z| {
            z.retain(|record| !is_signature_of(record, "www.example", NSEC));
            z.retain(|record| record.rtype != NSEC || record.owner != name("www.example"));
        }),
        with_signed(503, |z| {
            let nsec = find(z, "sub.example", NSEC).clone();
            z.push(Rr { owner: name("ns.sub.example"), ..nsec });
        }),
        with_chain(504, |z| {
            let mut nsec = find(z, "www.example", NSEC).clone();
            nsec.rdata = [name("zzz.example"), bitmap(&[A])].concat();
            z.push(nsec);
        }),
        with_chain(505, |z| {
            let nsec = find(z, "www.example", NSEC);
            nsec.rdata = [name("zzz.example"), bitmap(&[A, TXT, RRSIG, NSEC])].concat();
        }),
        with_chain(506, |z| *find(z, "www.example", NSEC).rdata.last_mut().unwrap() ^= 0x80),
        with_nsec3(506, |z| *first(z, NSEC3).rdata.last_mut().unwrap() ^= 0x80),
        with_chain(507, |z| z.iter_mut().filter(|r| r.rtype == NSEC).for_each(|r| r.ttl = 3600)),
        with_nsec3(507, |z| first(z, NSEC3).ttl = 3600),
        with_nsec3(511, |z| z.push(rr("example", NSEC3PARAM, &[1, 0, 0, 0, 0]))),
        Case {
            source: |z| z.push(rr("www.example", NSEC3PARAM, &[1, 0, 0, 0, 0])),
            ..case(512, nsec3(false))
        },
        with_nsec3(513, |z| first(z, NSEC3PARAM).rdata[1] = 1),
        with_nsec3(513, |z| first(z, NSEC3PARAM).rdata[5] ^= 1),
        with_nsec3(514, |z| first(z, NSEC3).rdata[3] = 2),
        with_nsec3(515, |z| first(z, NSEC3).rdata[1] = 1),
        with_nsec3(516, |z| {
            let nsec3 = first(z, NSEC3).clone();
            z.push(Rr { owner: name("short.example"), ..nsec3 });
        }),
        with_nsec3(517, |z| first(z, NSEC3).rdata[27] ^= 1),
        Case { left_out: &["www.example"], ..case(518, nsec3(false)) },
        Case { left_out: &["ent.example"], ..case(518, nsec3(true)) },
        Case { left_out: &["safe.example"], ..case(518, nsec3(true)) },
        Case { put_in: &[("ghost.example", &[A])], ..case(519, nsec3(false)) },
        Case { left_out: &["sub.example"], ..case(520, nsec3(false)) },
        Case { left_out: &["only.example"], ..case(520, nsec3(false)) },
        Case { expect: |e| e.limits.nsec3_iterations = 0, ..case(521, nsec3(false)) },
    ]
}

fn data_cases() -> Vec<Case> {
    vec![
        with_audited(601, |z| z.push(rr("aaa.example", A, &[192, 0, 2, 1]))),
        with_audited(601, |z| z.push(rr("ns.sub.example", A, &[192, 0, 2, 1]))),
        with_audited(602, |z| z.retain(|r| r.rtype != TXT || r.owner != name("www.example"))),
        with_audited(603, |z| find(z, "example", NS).rdata[1] = b'n'),
        with_audited(604, |z| find(z, "www.example", TXT).ttl = 60),
        with_expectations(604, |e| (e.ttl_maximum, e.soa_ttl) = (Some(60), Some(3600))),
        with_expectations(605, |e| e.soa_minimum = Some(1)),
        with_audited(605, |z| find(z, "example", SOA).ttl = 60),
        with_audited(606, |z| {
            let rdata = &mut find(z, "example", SOA).rdata;
            let last = rdata.len() - 1;
            rdata[last - 12] ^= 1;
        }),
        with_expectations(607, |e| e.published_serial = Some(10)),
        with_expectations(607, |e| e.published_serial = Some(11)),
        with_audited(608, |z| z.push(rr("other", A, &[192, 0, 2, 1]))),
    ]
}

fn all_cases() -> Vec<Case> {
    let groups = [structure_cases(), key_cases(), signature_cases(), denial_cases(), data_cases()];
    groups.into_iter().flatten().collect()
}

#[test]
fn each_tampered_zone_yields_exactly_its_finding() {
    let mut failures = Vec::new();
    for (number, case) in all_cases().iter().enumerate() {
        let report = run(case);
        let codes: BTreeSet<u16> = report.findings.iter().map(|f| f.id.code()).collect();
        let severity = FindingId::ALL.iter().find(|id| id.code() == case.code).unwrap().severity();
        let verdict = if severity == Severity::Error { Verdict::Reject } else { Verdict::Approve };
        if codes != BTreeSet::from([case.code]) || report.verdict() != verdict {
            let lines: Vec<String> = report.findings.iter().map(|f| format!("  {f}")).collect();
            failures.push(format!("case {number}, A{}:\n{}", case.code, lines.join("\n")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_finding_has_a_tampered_zone() {
    let covered: BTreeSet<u16> = all_cases().iter().map(|case| case.code).collect();
    let known: BTreeSet<u16> = FindingId::ALL.iter().map(|id| id.code()).collect();
    assert_eq!(covered, known);
}

#[track_caller]
fn check_good(case: &Case) -> Report {
    let report = run(case);
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict(), Verdict::Approve);
    report
}

#[test]
fn good_zones_are_approved() {
    let report = check_good(&nsec(0));
    assert_eq!(report.counts.source_records, 18);
    assert_eq!(report.counts.nsec_records, 11);
    assert_eq!(report.counts.names, 13);
    assert_eq!(report.soonest_expiration, Some(u64::from(EXPIRATION)));
    let report = check_good(&case(0, nsec3(false)));
    assert_eq!(report.counts.nsec3_records, 14);
    let report = check_good(&case(0, nsec3(true)));
    assert_eq!(report.counts.nsec3_records, 11);
}

#[test]
fn what_is_allowed_is_not_a_finding() {
    // An insecure delegation may have its NSEC3 in an opt-out zone.
    check_good(&Case { put_in: &[("sub.example", &[NS])], ..case(0, nsec3(true)) });
    // Input in any order, with repetitions, and with DNSSEC records that the signer drops.
    check_good(&with_audited(0, |z| {
        z.reverse();
        z.push(rr("example", DNSKEY, &ksk().rdata));
        z.push(rr("www.example", RRSIG, &[0; 30]));
        z.push(rr("www.example", TXT, b"\x05hello"));
    }));
    check_good(&with_signed(0, |z| z.reverse()));
    check_good(&with_expectations(0, |e| e.published_serial = Some(9)));
    check_good(&with_expectations(0, |e| e.published_serial = Some(0xffff_ffff)));
    // Source TTLs of one RRset differ: the smallest counts (RFC 2181 5.2).
    check_good(&with_audited(0, |z| {
        z.iter_mut().filter(|r| r.rdata == [192, 0, 2, 81]).for_each(|r| r.ttl = 7200);
    }));
    // A second signature over the DNSKEY RRset, by a key that proves its own revocation.
    check_good(&Case {
        before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(5, 0x0181).rdata)),
        signed: |z| {
            let mut keys = rrset(z, "example", DNSKEY);
            keys.sort_by_key(canonical_key);
            z.push(Key::new(5, 0x0181).rrsig_with(&keys, |_| {}));
        },
        expect: |e| e.dnskeys = None,
        ..nsec(0)
    });
}

#[test]
fn audit_stops_after_enough_errors_and_rejects() {
    let report = run(&Case {
        signed: |z| z.retain(|record| record.rtype != RRSIG),
        expect: |e| e.limits.findings = 3,
        ..nsec(0)
    });
    assert!(report.stopped_early);
    assert_eq!(report.findings.len(), 3);
    assert_eq!(report.verdict(), Verdict::Reject);
}

#[test]
fn a_finding_is_one_line_with_a_remedy() {
    let report = run(&with_signed(302, |z| {
        *signature(z, "www.example", A).rdata.last_mut().unwrap() ^= 1;
    }));
    assert_eq!(report.findings[0].owner_text(), "www.example.");
    assert_eq!(
        report.findings[0].to_string(),
        format!(
            "A302 error: www.example. A: signature does not verify (algorithm 15, key tag {}) \
             [RFC 4035 5.3.3]; remedy: check that each HSM holds the published key; sign again",
            zsk().tag()
        )
    );
}

#[test]
fn faults_of_the_caller_are_errors() {
    let bytes = block(&sign(&source(), &Denial::Nsec, &Hooks::default()));
    let blocks = [bytes.as_slice()];
    let zones = Zones { candidate: &blocks, source: None };
    let good = expectations(&Denial::Nsec);
    assert_eq!(audit::audit(zones, &good).unwrap().verdict(), Verdict::Approve);
    let bad = Expectations { apex: b"\x07exam".to_vec(), ..good.clone() };
    assert_eq!(audit::audit(zones, &bad).unwrap_err(), AuditError::BadApex { length: 5 });
    for ranges in [&[(0, 5)][..], &[(0, 5), (6, 13)], &[(0, 6), (5, 13)], &[]] {
        let prepared = audit::Prepared::new(zones, &good).unwrap();
        let partials =
            ranges.iter().map(|&(start, end)| prepared.verify_range(start..end)).collect();
        assert!(matches!(prepared.finish(partials), Err(AuditError::NotCovered { .. })));
    }
}

#[test]
fn ranges_may_be_verified_on_several_threads() {
    let bytes = block(&sign(&source(), &nsec3(true), &Hooks::default()));
    let blocks = [&bytes[..]];
    let zones = Zones { candidate: &blocks, source: None };
    let prepared = audit::Prepared::new(zones, &expectations(&nsec3(true))).unwrap();
    let partials = std::thread::scope(|scope| {
        let threads: Vec<_> =
            prepared.ranges(3).map(|range| scope.spawn(|| prepared.verify_range(range))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(prepared.finish(partials).unwrap().verdict(), Verdict::Approve);
}

/// xorshift64*, seeded by `SEED` or a fixed number.
struct Random(u64);

impl Random {
    fn new() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_260_505);
        println!("SEED={seed}");
        Random(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        let candidate = block(&sign(&source(), &denial, &Hooks::default()));
        let source = block(&source());
        for _ in 0..400 {
            let (mut candidate, mut source) = (candidate.clone(), source.clone());
            for _ in 0..=random.below(8) {
                let at = random.below(candidate.len());
                candidate[at] = random.below(256) as u8;
            }
            if random.below(4) == 0 {
                let at = random.below(source.len());
                source[at] = random.below(256) as u8;
                candidate.truncate(random.below(candidate.len()));
            }
            audit_bytes(&candidate, &source, &expectations(&denial));
        }
    }
}

#[test]
fn no_changed_rdata_is_ever_approved() {
    let mut random = Random::new();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        let good = sign(&source(), &denial, &Hooks::default());
        let source = block(&source());
        for at in 0..good.len() {
            for _ in 0..6 {
                let mut zone = good.clone();
                let octet = random.below(zone[at].rdata.len());
                // The signer name in an RRSIG means the same in either letter case.
                let is_signer = zone[at].rtype == RRSIG && (18..27).contains(&octet);
                let bit = if is_signer { 0x01 } else { 1 << random.below(8) };
                zone[at].rdata[octet] ^= bit;
                let report = audit_bytes(&block(&zone), &source, &expectations(&denial));
                assert_eq!(report.verdict(), Verdict::Reject, "octet {octet} of {:?}", zone[at]);
            }
        }
    }
}
