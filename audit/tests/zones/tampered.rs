//! The corpus: each planted defect yields exactly its findings; good zones yield none; random
//! mutations never panic and are never approved.
//!
//! Random tests print their seed; `SEED=n` repeats a run.

use std::collections::BTreeSet;

use crate::common::*;
use crate::corpus::{
    Case, all_cases, any, case, codes, distinct_cases, rrset, signature, usual_version, version,
    with_audited, with_expectations, with_signed,
};
use audit::{
    AuditError, Denial, DsSet, DsSource, Expectations, FindingId, Horizon, KeyRule, PublishedKeys,
    PublishedVersion, Report, Sampling, Severity, Verdict, Zones,
};

#[test]
fn each_tampered_zone_yields_exactly_its_findings() {
    let mut failures = Vec::new();
    for case in all_cases() {
        let report = case.run();
        let verdict = match report.findings.iter().map(|finding| finding.severity).max() {
            Some(Severity::Refuse) => Verdict::Reject,
            Some(Severity::Hold) => Verdict::Hold,
            Some(Severity::Warn) | None => Verdict::Approve,
        };
        let expected: BTreeSet<u16> = case.codes.iter().copied().collect();
        if codes(&report) != expected || report.verdict() != verdict {
            let lines: Vec<String> = report.findings.iter().map(|f| format!("  {f}")).collect();
            let (what, denial) = (case.what, &case.denial);
            failures.push(format!("{what} {:?} {denial:?}:\n{}", case.codes, lines.join("\n")));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn each_finding_has_a_tampered_zone() {
    let covered: BTreeSet<u16> = distinct_cases().iter().map(|case| case.codes[0]).collect();
    let known: BTreeSet<u16> = FindingId::ALL.iter().map(|id| id.code()).collect();
    assert_eq!(covered, known);
    println!("{} defects in {} zones", distinct_cases().len(), all_cases().len());
    assert!(distinct_cases().len() >= 80);
}

#[track_caller]
fn check_good(case: &Case) -> Report {
    let report = case.run();
    assert_eq!(report.findings, []);
    assert_eq!(report.verdict(), Verdict::Approve);
    report
}

#[test]
fn good_zones_are_approved() {
    let report = check_good(&case("good", &[], Denial::Nsec));
    assert_eq!(report.counts.source_records, 18);
    assert_eq!(report.counts.nsec_records, 11);
    assert_eq!(report.counts.names, 13);
    assert_eq!(report.soonest_expiration, Some(u64::from(EXPIRATION)));
    let report = check_good(&case("good", &[], nsec3(false)));
    assert_eq!(report.counts.nsec3_records, 14);
    let report = check_good(&case("good", &[], nsec3(true)));
    assert_eq!(report.counts.nsec3_records, 11);
}

#[test]
fn what_is_allowed_is_not_a_finding() {
    // An insecure delegation may have its NSEC3 in an opt-out zone.
    check_good(&Case { put_in: &[("sub.example", &[NS])], ..case("good", &[], nsec3(true)) });
    // Input in any order, with repetitions, and with DNSSEC records that the signer drops.
    check_good(&with_audited("good", &[], |z| {
        z.reverse();
        z.push(rr("example", DNSKEY, &ksk().rdata));
        z.push(rr("www.example", RRSIG, &[0; 30]));
        z.push(rr("www.example", TXT, b"\x05hello"));
    }));
    check_good(&with_signed("good", &[], |z| z.reverse()));
    check_good(&with_expectations("good", &[], |e| e.published_serial = Some(9)));
    check_good(&with_expectations("good", &[], |e| e.published_serial = Some(0xffff_ffff)));
    // Source TTLs of one RRset differ: the smallest counts (RFC 2181 5.2).
    check_good(&with_audited("good", &[], |z| {
        z.iter_mut().filter(|r| r.rdata == [192, 0, 2, 81]).for_each(|r| r.ttl = 7200);
    }));
    // A second signature over the DNSKEY RRset, by a key that proves its own revocation.
    check_good(&Case {
        before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(5, 0x0181).rdata)),
        signed: |z| {
            let keys = rrset(z, "example", DNSKEY);
            z.push(Key::new(5, 0x0181).rrsig_with(&keys, |_| {}));
        },
        expect: |e| e.dnskeys = None,
        ..any("good", &[])
    });
}

/// What parent and caches may have while keys roll as they should.
#[test]
fn proper_steps_are_not_findings() {
    let good = |expect: fn(&mut Expectations)| {
        for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
            check_good(&Case { denial, expect, ..any("good", &[]) });
        }
    };
    let with_old = |expect: fn(&mut Expectations)| {
        check_good(&Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(9, 256).rdata)),
            expect,
            ..any("good", &[])
        });
    };
    good(|e| {
        e.history = vec![usual_version(e), usual_version(e)];
        e.parent = Some(vec![DsSet {
            records: vec![ds(&ksk(), 2), ds(&ksk(), 4), ds(&Key::new(7, 257), 2)],
            source: DsSource::Seen,
            cached_until: None,
        }]);
        (e.published_serial, e.served_serials) = (Some(9), vec![8, 9]);
    });
    // SHA-1 beside SHA-256 is not looked at, and what caches have let go of neither.
    good(|e| {
        let mut wrong = ds(&ksk(), 1);
        wrong[7] ^= 1;
        let set = |records, cached_until| DsSet { records, source: DsSource::Seen, cached_until };
        let old = set(vec![ds(&Key::new(7, 257), 2)], Some(NOW));
        e.parent = Some(vec![set(vec![wrong, ds(&ksk(), 2)], None), old]);
    });
    // The old ZSK stays in the DNSKEY RRset while caches have its signatures.
    with_old(|e| {
        let old = Key::new(9, 256);
        e.dnskeys = None;
        e.history = vec![version(&[&ksk(), &zsk(), &old], &old)];
    });
    // Its signatures are gone from caches, or just now: it may go.
    good(|e| {
        let old = Key::new(9, 256);
        let mut before = version(&[&ksk(), &zsk(), &old], &old);
        before.keys.denial = e.denial.clone();
        before.served_until = Some(NOW - 3600 - 300);
        e.propagation_seconds = 300;
        e.history = vec![before, usual_version(e)];
    });
    // No DS, no validator: a key may come and sign at once.
    with_old(|e| {
        let old = Key::new(9, 256);
        e.dnskeys = None;
        e.history = vec![version(&[&ksk(), &old], &old)];
        e.parent = Some(vec![DsSet {
            records: Vec::new(),
            source: DsSource::Believed,
            cached_until: None,
        }]);
    });
    // A revocation sets one flag.
    check_good(&Case {
        before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(9, 0x0181).rdata)),
        expect: |e| {
            e.dnskeys = None;
            e.history = vec![version(&[&ksk(), &zsk(), &Key::new(9, 257)], &zsk())];
        },
        ..any("good", &[])
    });
    good(|e| {
        e.horizon = Some(Horizon { reaction_seconds: 86_400, severity: Severity::Refuse });
        let rule = |is_sep| KeyRule { algorithm: 15, is_sep, bits: Some(1) };
        e.key_rules = Some(vec![rule(true), rule(false)]);
    });
}

#[test]
fn a_sample_leaves_out_arithmetic_only() {
    let sampled = |e: &mut Expectations| e.sampling = Some(Sampling { one_in: 1_000_000, seed: 1 });
    let report = check_good(&Case { expect: sampled, ..any("good", &[]) });
    let whole = check_good(&any("good", &[]));
    let counts = report.counts;
    assert!(counts.signatures_unverified > 10 && counts.signatures_verified >= 5, "{counts:?}");
    assert_eq!(
        counts.signatures_unverified + counts.signatures_verified,
        whole.counts.signatures_verified
    );
    assert_eq!(report.keys, whole.keys);
    for case in all_cases() {
        let is_arithmetic = case.codes.iter().any(|code| matches!(code, 302 | 317 | 801..=804));
        if !is_arithmetic {
            let mut expectations = case.expectations();
            sampled(&mut expectations);
            let report = case.run_with(&expectations);
            let expected: BTreeSet<u16> = case.codes.iter().copied().collect();
            assert_eq!(codes(&report), expected, "{}", case.what);
        }
    }
    // With another seed, or all seeds together, nothing is left out.
    let wrong = with_signed("wrong", &[302], |z| {
        *signature(z, "www.example", A).rdata.last_mut().unwrap() ^= 1;
    });
    let found = (0..40).filter(|&seed| {
        let mut expectations = wrong.expectations();
        expectations.sampling = Some(Sampling { one_in: 4, seed });
        wrong.run_with(&expectations).verdict() == Verdict::Reject
    });
    let found = found.count();
    assert!((3..25).contains(&found), "{found} of 40 samples find it");
}

/// A cache holds keys for the TTL of keys, and data for the TTL of data.
#[test]
fn each_ttl_counts_by_itself() {
    let old = Key::new(9, 256);
    let found = |keys: &[&Key], signers: [&Key; 2], ttls: (u32, u32), seconds_ago: u64| {
        let mut before = version(keys, signers[0]);
        before.keys.data_signers[0].dnskeys.push(signers[1].rdata.clone());
        (before.keys.dnskey_ttl, before.keys.data_ttl) = ttls;
        before.served_until = Some(NOW - 300 - seconds_ago);
        let case = any("old version", &[]);
        let mut expectations = case.expectations();
        expectations.propagation_seconds = 300;
        expectations.history = vec![before, usual_version(&expectations)];
        codes(&case.run_with(&expectations))
    };
    // Signed by a key that is gone; the keys of then have ours among them.
    let signed_by_old = [&ksk(), &zsk(), &old];
    for (ago, expected) in [(1799, BTreeSet::from([712])), (1800, BTreeSet::new())] {
        assert_eq!(found(&signed_by_old, [&old, &old], (7200, 1800), ago), expected);
    }
    // Signed by a key that is still there; the keys of then do not have the one that signs now.
    for (ago, expected) in [(1799, BTreeSet::from([711])), (1800, BTreeSet::new())] {
        assert_eq!(found(&[&ksk(), &old], [&old, &ksk()], (1800, 7200), ago), expected);
    }
}

/// What a history may leave out.
#[test]
fn versions_with_the_same_keys_are_alike() {
    let report = any("good", &[]).run();
    let same = with_signed("without an address", &[], |z| {
        z.retain(|r| r.owner != name("ns.sub.example"));
    });
    assert!(report.keys.is_like(&same.run().keys));
    let other_signer = with_signed("signed by both", &[], |z| {
        let signed = rrset(z, "www.example", A);
        z.push(ksk().rrsig_with(&signed, |_| {}));
    });
    assert!(!report.keys.is_like(&other_signer.run().keys));
    assert_eq!(other_signer.run().keys.data_signers.len(), 2);
    let by_both = &other_signer.run().keys.data_signers[1];
    assert_eq!((by_both.owner.clone(), by_both.dnskeys.len()), (name("www.example"), 2));
}

#[test]
fn a_history_keeps_what_caches_may_have() {
    let (old, new) = (version(&[&ksk(), &zsk()], &zsk()), version(&[&ksk()], &ksk()));
    let mut history = Vec::new();
    audit::remember(&mut history, old.keys.clone(), 1000, 300);
    let with_ttl = PublishedKeys { data_ttl: 7200, ..old.keys.clone() };
    audit::remember(&mut history, with_ttl.clone(), 2000, 300);
    audit::remember(&mut history, old.keys.clone(), 3000, 300);
    assert_eq!(history, [PublishedVersion { keys: with_ttl, served_until: None }]);
    audit::remember(&mut history, new.keys.clone(), 4000, 300);
    audit::remember(&mut history, new.keys.clone(), 4000 + 300 + 7199, 300);
    assert_eq!(history.len(), 2);
    assert_eq!((history[0].served_until, history[1].served_until), (Some(4000), None));
    audit::remember(&mut history, new.keys.clone(), 4000 + 300 + 7200, 300);
    assert_eq!(history, [new]);
}

#[test]
fn audit_stops_after_enough_errors_and_rejects() {
    let case = Case {
        signed: |z| z.retain(|record| record.rtype != RRSIG),
        expect: |e| e.limits.findings = 3,
        ..any("unsigned", &[301])
    };
    let report = case.run();
    assert!(report.stopped_early);
    assert_eq!(report.findings.len(), 3);
    assert_eq!(report.verdict(), Verdict::Reject);
}

#[test]
fn a_finding_is_one_line_with_a_remedy() {
    let case = with_signed("wrong", &[302], |z| {
        *signature(z, "www.example", A).rdata.last_mut().unwrap() ^= 1;
    });
    let report = case.run();
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
