//! The incremental audit's cost, its reasons to give up, and what time does to untouched names.

use crate::common::*;
use crate::incremental::{
    Random, World, full_audit, only_in, ordered_blocks, set_serial, start_source,
};
use crate::naive::{Deviation, Signer};
use audit::{
    Approved, Denial, Difference, Expectations, FindingId, NotIncremental, RecordType, Sampling,
    Side, Verdict, Zonemd,
};

/// A world and its next version: the source changed by `change`, and signed.
fn next(denial: Denial, change: impl Fn(&mut Vec<Rr>)) -> (World, Vec<Rr>, Vec<Rr>) {
    let mut world = World::new(denial, start_source(), &mut Random::new());
    let mut source = world.source.clone();
    set_serial(&mut source, 11);
    change(&mut source);
    let signed = world.signer.sign(&source, NOW, 3600, &Deviation::default());
    (world, signed, source)
}

#[track_caller]
fn check_gives_up(
    denial: Denial,
    change: impl Fn(&mut Vec<Rr>),
    tamper: impl Fn(&mut Vec<Rr>),
    expect: impl Fn(&mut Expectations),
    expected: &NotIncremental,
) {
    let (world, mut signed, source) = next(denial, change);
    tamper(&mut signed);
    let mut expectations = world.expectations.clone();
    expect(&mut expectations);
    let error = world.judge(&signed, &source, &expectations).unwrap_err();
    assert_eq!(&error, expected, "{error}");
}

fn find<'z>(zone: &'z mut [Rr], owner: &str, rtype: u16) -> &'z mut Rr {
    let is_it = |r: &&mut Rr| r.owner.eq_ignore_ascii_case(&name(owner)) && r.rtype == rtype;
    zone.iter_mut().find(is_it).unwrap()
}

#[test]
fn other_expectations_and_earlier_moments_need_a_full_audit() {
    let other = NotIncremental::OtherExpectations;
    check_gives_up(Denial::Nsec, |_| {}, |_| {}, |e| e.ttl_maximum = Some(9), &other);
    let back = NotIncremental::TimeWentBack { now: NOW - 1, last: NOW };
    check_gives_up(Denial::Nsec, |_| {}, |_| {}, |e| e.now -= 1, &back);
}

#[test]
fn changes_of_every_name_need_a_full_audit() {
    let changed = |rtype| NotIncremental::ApexChanged { record_type: RecordType(rtype) };
    let ttl = |z: &mut Vec<Rr>| find(z, "example", NSEC3PARAM).ttl = 7;
    check_gives_up(nsec3(false), |_| {}, ttl, |_| {}, &changed(NSEC3PARAM));
    // The TTL of all denial records follows from the SOA.
    let minimum = |z: &mut Vec<Rr>| find(z, "example", SOA).rdata = soa(11, 500);
    check_gives_up(Denial::Nsec, minimum, |_| {}, |_| {}, &changed(SOA));
}

#[test]
fn a_whole_audit_does_not_go_on_from_a_sample() {
    let (world, signed, source) = next(Denial::Nsec, |_| {});
    let mut expectations = world.expectations.clone();
    for seed in [1, 2] {
        expectations.sampling = Some(Sampling { one_in: 1_000_000, seed });
        let judgement = world.judge(&signed, &source, &expectations).unwrap();
        // All that is new is verified.
        let new = signed.iter().filter(|r| r.rtype == RRSIG && !world.signed.contains(r)).count();
        assert_eq!(judgement.report.counts.signatures_verified, new as u64);
        let approved = judgement.approved.unwrap();
        approved.judge(&Difference::default(), &expectations).unwrap();
        let error = approved.judge(&Difference::default(), &world.expectations).unwrap_err();
        assert_eq!(error, NotIncremental::OtherExpectations);
    }
}

#[test]
fn whether_a_digest_is_wanted_is_an_expectation_like_others() {
    let required = |e: &mut Expectations| e.zonemd = Zonemd::Required;
    let other = NotIncremental::OtherExpectations;
    check_gives_up(Denial::Nsec, |_| {}, |_| {}, required, &other);
}

#[test]
fn a_difference_must_fit_the_state_and_the_source() {
    let world = World::new(Denial::Nsec, start_source(), &mut Random::new());
    let present = block(&[rr("www.example", TXT, b"\x05hello")]);
    let absent = block(&[rr("www.example", TXT, b"\x05other")]);
    let judge = |difference: Difference<'_>| {
        world.approved.judge(&difference, &world.expectations).unwrap_err()
    };
    let owner = name("www.example");
    let misfit = |side, owner: &[u8]| NotIncremental::Misfit { side, owner: owner.to_vec() };
    let both = |removed, added, source_removed, source_added| {
        judge(Difference { removed, added, source_removed, source_added })
    };
    assert_eq!(both(&absent, &[], &absent, &[]), misfit(Side::Removed, &owner));
    assert_eq!(both(&[], &present, &[], &present), misfit(Side::Added, &owner));
    let no_soa = block(&[rr("example", SOA, &soa(77, 600))]);
    assert_eq!(both(&[], &[], &no_soa, &[]), misfit(Side::Removed, &name("example")));
    let differs = NotIncremental::SourceDiffers { owner };
    assert_eq!(both(&present, &[], &[], &[]), differs);
    assert_eq!(both(&[], &[], &[], &absent), differs);
    let cut = &present[..present.len() - 1];
    let damaged = |side, offset| NotIncremental::Damaged { side, offset };
    assert_eq!(both(&[], cut, &[], &[]), damaged(Side::Added, 0));
    let text = both(&[&present, cut].concat(), &[], &[], &[]);
    assert_eq!(text, damaged(Side::Removed, present.len()));
}

#[test]
fn what_no_changed_name_explains_needs_a_full_audit() {
    let (mut world, _, source) = next(nsec3(true), |_| {});
    let put_in = vec![(name("sub.example"), vec![NS])];
    let deviation = Deviation { put_in, ..Deviation::default() };
    let signed = world.signer.sign(&source, NOW, 3600, &deviation);
    let owner = nsec3_owner(&nsec3_hash(&name("sub.example")));
    let error = world.judge(&signed, &source, &world.expectations).unwrap_err();
    assert_eq!(error, NotIncremental::UnexplainedNsec3 { owner });
    // It may be there, though.
    let blocks = ordered_blocks(&signed);
    assert_eq!(full_audit(&blocks, &source, &world.expectations).0.verdict(), Verdict::Approve);

    let stray = NotIncremental::StrayRecords { owner: name("mail.example") };
    check_gives_up(
        Denial::Nsec,
        |z| z.retain(|r| r.owner != name("Mail.example")),
        |z| {
            let signed = rr("mail.example", A, &[192, 0, 2, 3]);
            z.push(zsk().rrsig_with(&[signed], |_| {}));
        },
        |_| {},
        &stray,
    );
}

#[test]
fn large_differences_need_a_full_audit() {
    let glue = |z: &mut Vec<Rr>| {
        z.extend((0..1100).map(|n| rr(&format!("g{n}.sub.example"), A, &[192, 0, 2, 7])));
    };
    let (world, signed, source) = next(Denial::Nsec, glue);
    let error = world.judge(&signed, &source, &world.expectations).unwrap_err();
    // The apex has a new SOA.
    assert_eq!(error, NotIncremental::TooMuch { names: 1101, limit: 1024 });
}

#[test]
fn a_cut_above_many_names_needs_a_full_audit() {
    let mut source = start_source();
    source.extend((0..4097).map(|n| rr(&format!("g{n}.sub.example"), A, &[192, 0, 2, 7])));
    let mut world = World::new(nsec3(true), source.clone(), &mut Random::new());
    set_serial(&mut source, 11);
    // Above them there is a cut already, so a DNAME there changes nothing below it.
    source.push(rr("sub.example", DNAME, &name("www.example")));
    let signed = world.signer.sign(&source, NOW, 3600, &Deviation::default());
    world.judge(&signed, &source, &world.expectations).unwrap();
    source.retain(|r| r.owner != name("sub.example"));
    // Nobody signs all that came to light: it is not looked at.
    let mut signed = world.signed.clone();
    signed.retain(|r| r.owner != name("sub.example"));
    set_serial(&mut signed, 11);
    let error = world.judge(&signed, &source, &world.expectations).unwrap_err();
    assert_eq!(error, NotIncremental::TooMuch { names: 4097, limit: 4096 });
}

#[test]
fn an_irregular_source_needs_a_full_audit() {
    for ttl in [3600, 7200] {
        let mut source = start_source();
        let mut signer = Signer::new(Denial::Nsec);
        let signed = signer.sign(&source, NOW, 3600, &Deviation::default());
        // A repetition, or one address with another TTL.
        let copy = Rr { ttl, ..rr("www.example", A, &[192, 0, 2, 81]) };
        if ttl != 3600 {
            source.retain(|r| r.rdata != copy.rdata);
        }
        source.push(copy);
        let blocks = ordered_blocks(&signed);
        let expectations = expectations(&Denial::Nsec);
        let (_, approval) = full_audit(&blocks, &source, &expectations);
        let approved = Approved::new(approval.unwrap(), blocks).unwrap();
        let error = approved.judge(&Difference::default(), &expectations).unwrap_err();
        assert_eq!(error, NotIncremental::IrregularSource);
    }
}

#[test]
fn blocks_in_order_are_taken_as_they_are() {
    let source = start_source();
    let signed = Signer::new(nsec3(true)).sign(&source, NOW, 3600, &Deviation::default());
    let blocks = ordered_blocks(&signed);
    let places: Vec<*const u8> = blocks.iter().map(|block| block.as_ptr()).collect();
    let (_, approval) = full_audit(&blocks, &source, &expectations(&nsec3(true)));
    let approved = Approved::new(approval.unwrap(), blocks).unwrap();
    assert_eq!(approved.blocks().map(<[u8]>::as_ptr).collect::<Vec<_>>(), places);
}

#[test]
fn a_refusal_gives_no_approval() {
    let source = start_source();
    let mut signed = Signer::new(Denial::Nsec).sign(&source, NOW, 3600, &Deviation::default());
    signed.pop();
    let blocks = ordered_blocks(&signed);
    let (report, approval) = full_audit(&blocks, &source, &expectations(&Denial::Nsec));
    assert_eq!(report.verdict(), Verdict::Reject);
    assert!(approval.is_none());
}

#[test]
fn signatures_that_time_makes_unfit_are_found_at_untouched_names() {
    for denial in [Denial::Nsec, nsec3(true)] {
        let (world, signed, source) = next(denial, |_| {});
        let (report, _) =
            full_audit(&ordered_blocks(&world.signed), &world.source, &world.expectations);
        let soonest = report.soonest_expiration.unwrap();
        for (before, expected) in [
            (3600, vec![]),
            (3599, vec![FindingId::SignatureTooOld]),
            (0, vec![FindingId::SignatureExpired]),
        ] {
            let mut expectations = world.expectations.clone();
            expectations.now = soonest - before;
            let report = world.judge(&signed, &source, &expectations).unwrap().report;
            let (full, _) = full_audit(&ordered_blocks(&signed), &source, &expectations);
            assert_eq!(report.findings, full.findings);
            let mut ids: Vec<FindingId> = report.findings.iter().map(|f| f.id).collect();
            ids.retain(|id| *id != FindingId::SignatureTooOld || before != 0);
            assert_eq!(ids, expected);
        }
    }
}

/// Every signature is too old, but those of the keys may be.
#[test]
fn signatures_of_the_keys_may_be_older_where_that_is_expected() {
    for denial in [Denial::Nsec, nsec3(true)] {
        let (world, signed, source) = next(denial, |_| {});
        let mut expectations = world.expectations.clone();
        expectations.refresh_seconds = u32::MAX / 4;
        for (least, count) in [(None, 1), (Some(u32::MAX / 4), 1), (Some(3600), 0)] {
            expectations.keyset_refresh_seconds = least;
            let report = world.judge(&signed, &source, &expectations).unwrap().report;
            let (full, _) = full_audit(&ordered_blocks(&signed), &source, &expectations);
            assert_eq!(report.findings, full.findings);
            let too_old = full.findings.iter().filter(|f| f.id == FindingId::SignatureTooOld);
            assert!(too_old.clone().count() > count, "the others are still judged");
            let of_keys = too_old.filter(|f| f.record_type == Some(RecordType(48)));
            assert_eq!(of_keys.count(), count, "{least:?}");
        }
    }
}

/// Both audits must refuse the next version, and the incremental one with findings.
#[track_caller]
fn check_refused(
    denial: Denial,
    change: impl Fn(&mut Vec<Rr>),
    deviation: &Deviation,
    tamper: impl Fn(&mut Vec<Rr>, &[Rr]),
) {
    let (mut world, _, source) = next(denial, change);
    let mut signed = world.signer.sign(&source, NOW, 3600, deviation);
    tamper(&mut signed, &world.signed);
    let (full, _) = full_audit(&ordered_blocks(&signed), &source, &world.expectations);
    let judgement = world.judge(&signed, &source, &world.expectations).unwrap();
    assert_eq!(full.verdict(), Verdict::Reject);
    assert_eq!(judgement.report.verdict(), Verdict::Reject, "{:?}", full.findings);
    assert!(judgement.approved.is_none());
    assert_eq!(judgement.report.findings, full.findings);
}

fn leave_out(owner: &str) -> Deviation {
    Deviation { left_out: [name(owner)].into(), ..Deviation::default() }
}

/// Puts the records of an owner back as they were.
fn keep(owner: &str) -> impl Fn(&mut Vec<Rr>, &[Rr]) {
    let owner = name(owner);
    move |signed, before| {
        signed.retain(|r| !r.owner.eq_ignore_ascii_case(&owner));
        let kept = before.iter().filter(|r| r.owner.eq_ignore_ascii_case(&owner));
        signed.extend(kept.cloned());
    }
}

#[test]
fn an_empty_non_terminal_keeps_its_nsec3_while_names_are_below_it() {
    let ds = |owner: &str| rr(owner, DS, &[[0x12, 0x34, 13, 2].as_slice(), &[7; 32]].concat());
    let ns = |owner: &str| rr(owner, NS, &name("ns1.example"));
    let text = |owner: &str| rr(owner, TXT, b"\x04text");
    // What is there before, and the record that goes; what else is below stays untouched.
    let cases = [
        (vec![text("abc.ent.example")], text("abc.ent.example"), "ent.example"),
        (vec![text("two.ent.example")], text("two.ent.example"), "ent.example"),
        (
            vec![text("abc.x.y.example"), text("d.z.y.example")],
            text("abc.x.y.example"),
            "y.example",
        ),
        // Only the last name below it must have an NSEC3.
        (
            vec![
                ns("aaa.only.example"),
                ds("aaa.only.example"),
                ns("z.only.example"),
                ds("z.only.example"),
            ],
            ds("aaa.only.example"),
            "only.example",
        ),
    ];
    for (before, gone, above) in cases {
        for denial in [nsec3(false), nsec3(true)] {
            let mut source = start_source();
            source.extend(before.iter().cloned());
            let mut world = World::new(denial, source.clone(), &mut Random::new());
            set_serial(&mut source, 11);
            source.retain(|r| *r != gone);
            let book = Deviation::default();
            let signed = world.signer.sign(&source, NOW, 3600, &book);
            let report = world.judge(&signed, &source, &world.expectations).unwrap().report;
            assert_eq!(report.findings, []);
            let signed = world.signer.sign(&source, NOW, 3600, &leave_out(above));
            let (full, _) = full_audit(&ordered_blocks(&signed), &source, &world.expectations);
            let report = world.judge(&signed, &source, &world.expectations).unwrap().report;
            assert_eq!(report.verdict(), Verdict::Reject);
            assert_eq!(report.findings, full.findings);
        }
    }
}

#[test]
fn known_mistakes_of_signers_are_found() {
    let book = Deviation::default();
    let nothing = |_: &mut Vec<Rr>, _: &[Rr]| {};
    let remove = |owner: &'static str| {
        move |z: &mut Vec<Rr>| z.retain(|r| !r.owner.eq_ignore_ascii_case(&name(owner)))
    };
    // A cut or a DNAME comes above a name, whose signatures and NSEC stay.
    let cut = |z: &mut Vec<Rr>| z.push(rr("ent.example", NS, &name("ns1.example")));
    check_refused(Denial::Nsec, cut, &book, keep("deep.ent.example"));
    let dname = |z: &mut Vec<Rr>| z.push(rr("ent.example", DNAME, &name("www.example")));
    check_refused(Denial::Nsec, dname, &book, keep("deep.ent.example"));
    // A cut or a DNAME goes, and what it hid is not signed.
    check_refused(Denial::Nsec, remove("sub.example"), &book, keep("ns.sub.example"));
    check_refused(nsec3(true), remove("tree.example"), &book, keep("hidden.tree.example"));
    check_refused(nsec3(false), remove("sub.example"), &leave_out("ns.sub.example"), nothing);
    // The NSEC of the neighbour is not made anew.
    check_refused(Denial::Nsec, remove("ns1.example"), &book, keep("Mail.example"));
    // The NSEC3 of a name that is gone stays in the chain.
    let put_in = vec![(name("ns1.example"), vec![A, RRSIG])];
    let ghost = Deviation { put_in, ..Deviation::default() };
    check_refused(nsec3(true), remove("ns1.example"), &ghost, nothing);
    // A delegation becomes secure or a name comes, without an NSEC3.
    let ds = [[0x12, 0x34, 13, 2].as_slice(), &[7; 32]].concat();
    let secure = move |z: &mut Vec<Rr>| z.push(rr("sub.example", DS, &ds));
    check_refused(nsec3(true), &secure, &leave_out("sub.example"), nothing);
    let lone_ds = [[0x12, 0x34, 13, 2].as_slice(), &[7; 32]].concat();
    let lone = move |z: &mut Vec<Rr>| z.push(rr("lone.only.example", DS, &lone_ds));
    check_refused(nsec3(true), lone, &leave_out("only.example"), nothing);
}

/// A zone of several thousand names, of which a few change: how many names are looked at.
#[track_caller]
fn check_cost(denial: Denial, names_checked_max: u64) {
    let mut source = start_source();
    for number in 0..3000 {
        let owner = format!("d{number:04}.example");
        source.push(rr(&owner, NS, &name("ns1.example")));
        if number % 10 == 0 {
            source.push(rr(&owner, DS, &[[0x12, 0x34, 13, 2].as_slice(), &[7; 32]].concat()));
        }
    }
    let mut world = World::new(denial, source.clone(), &mut Random::new());
    set_serial(&mut source, 11);
    let ds = [[0x12, 0x35, 13, 2].as_slice(), &[7; 32]].concat();
    // Ten changes of all sorts.
    source.push(rr("d0001.example", NS, &name("ns2.example")));
    source.push(rr("d0007.example", DS, &ds));
    source.push(rr("d0010.example", DS, &ds));
    source.push(rr("new.example", NS, &name("ns1.example")));
    source.push(rr("newer.example", A, &[192, 0, 2, 7]));
    source.push(rr("new.ent.example", A, &[192, 0, 2, 7]));
    source.push(rr("ns.d0008.example", A, &[192, 0, 2, 7]));
    source.retain(|r| ![name("d0020.example"), name("d0021.example")].contains(&r.owner));
    source.retain(|r| r.rtype != DS || r.owner != name("d0030.example"));
    let signed = world.signer.sign(&source, NOW, 3600, &Deviation::default());
    let judgement = world.judge(&signed, &source, &world.expectations).unwrap();
    assert_eq!(judgement.report.findings, []);
    let counts = judgement.report.counts;
    assert!(counts.names <= names_checked_max, "{counts:?}");
    assert!(counts.records <= 5 * names_checked_max, "{counts:?}");
    let added = signed.iter().filter(|r| r.rtype == RRSIG && !world.signed.contains(r)).count();
    assert_eq!(counts.signatures_verified, added as u64, "each new signature, and no other");
    let approved = judgement.approved.unwrap();
    let (full, _) = full_audit(&ordered_blocks(&signed), &source, &world.expectations);
    assert_eq!(approved.counts(), &full.counts);
}

#[test]
fn cost_follows_the_change() {
    check_cost(Denial::Nsec, 30);
    check_cost(nsec3(false), 40);
    check_cost(nsec3(true), 40);
}

#[test]
fn random_octets_in_a_difference_never_panic() {
    let mut random = Random::new();
    for denial in [Denial::Nsec, nsec3(true)] {
        let (world, signed, source) = next(denial, |z| z.push(rr("new.ent.example", A, &[7; 4])));
        let parts = [
            only_in(&world.signed, &signed),
            only_in(&signed, &world.signed),
            only_in(&world.source, &source),
            only_in(&source, &world.source),
        ];
        for _ in 0..500 {
            let mut parts = parts.clone();
            // Mostly what comes: what goes must fit anyway.
            let part = &mut parts[random.pick(&[0, 1, 1, 1, 1, 2, 3])];
            for _ in 0..=random.below(3) {
                let at = random.below(part.len());
                part[at] = random.below(256) as u8;
            }
            let [removed, added, source_removed, source_added] = &parts;
            let difference = Difference { removed, added, source_removed, source_added };
            // Nothing to expect of the result, for some octets do not matter.
            drop(world.approved.judge(&difference, &world.expectations));
        }
    }
}
