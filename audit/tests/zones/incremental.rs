//! The incremental audit against the full one: random honest changes must be approved and lead to
//! the state that the new zone is; random tampered ones must be approved only if the full audit of
//! the whole new zone approves it.
//!
//! Random tests print their seed; `SEED=n` repeats a run.

use std::collections::BTreeSet;

use crate::common::*;
use crate::corpus::{usual_version, version};
use crate::naive::{Deviation, Signer, parent};
use audit::{
    Approval, Approved, ApprovedError, Denial, Difference, DsSet, DsSource, Expectations, Finding,
    Horizon, Judgement, NotIncremental, Prepared, PublishedKeys, PublishedVersion, Report,
    Severity, Verdict, Zonemd, Zones,
};

type Records = Vec<Rr>;

/// xorshift64*, seeded by `SEED` or a fixed number.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let seed = std::env::var("SEED").ok().and_then(|s| s.parse().ok()).unwrap_or(20_261_122);
        println!("SEED={seed}");
        // The first numbers of small seeds are alike.
        let mut random = Random(seed + 1);
        for _ in 0..20 {
            random.below(2);
        }
        random
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % limit
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Blocks for the audit: names, then NSEC3 records with their signatures, a few owners each.
pub(crate) fn ordered_blocks(records: &[Rr]) -> Vec<Vec<u8>> {
    let is_nsec3 = |record: &&Rr| {
        record.rtype == NSEC3 || (record.rtype == RRSIG && record.rdata[..2] == NSEC3.to_be_bytes())
    };
    let (nsec3s, others): (Vec<&Rr>, Vec<&Rr>) = records.iter().partition(is_nsec3);
    let mut blocks = Vec::new();
    for list in [others, nsec3s] {
        let owners: Vec<&[&Rr]> =
            list.chunk_by(|l, r| l.owner.eq_ignore_ascii_case(&r.owner)).collect();
        for part in owners.chunks(4) {
            let part: Records = part.concat().into_iter().cloned().collect();
            blocks.push(block(&part));
        }
    }
    blocks
}

pub(crate) fn full_audit(
    blocks: &[Vec<u8>],
    source: &[Rr],
    expectations: &Expectations,
) -> (Report, Option<Approval>) {
    let candidate: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
    let source = block(source);
    let zones = Zones { candidate: &candidate, source: Some(&[&source]) };
    let prepared = Prepared::new(zones, expectations).unwrap();
    let whole = prepared.verify_range(0..prepared.owner_count());
    prepared.finish_with_approval(vec![whole]).unwrap()
}

/// The records of a state as sorted octets.
pub(crate) fn contents<'b>(blocks: impl Iterator<Item = &'b [u8]>) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for mut rest in blocks {
        while !rest.is_empty() {
            let mut at = 0;
            while rest[at] != 0 {
                at += 1 + usize::from(rest[at]);
            }
            let length = usize::from(u16::from_be_bytes([rest[at + 9], rest[at + 10]]));
            let (record, after) = rest.split_at(at + 11 + length);
            records.push(record.to_vec());
            rest = after;
        }
    }
    records.sort();
    records
}

/// Octets of the records that only `from` has.
pub(crate) fn only_in(from: &[Rr], other: &[Rr]) -> Vec<u8> {
    let others: BTreeSet<Vec<u8>> =
        other.iter().map(|record| block(std::slice::from_ref(record))).collect();
    let records = from.iter().map(|record| block(std::slice::from_ref(record)));
    records.filter(|record| !others.contains(record)).flatten().collect()
}

/// One zone over time.
pub(crate) struct World {
    pub(crate) signer: Signer,
    pub(crate) source: Records,
    pub(crate) signed: Records,
    pub(crate) expectations: Expectations,
    pub(crate) approved: Approved,
    /// The keys of the last version.
    keys: PublishedKeys,
    serial: u32,
}

impl World {
    pub(crate) fn new(denial: Denial, source: Records, random: &mut Random) -> Self {
        let mut signer = Signer::new(denial.clone());
        let signed = signer.sign(&source, NOW, 3600, &Deviation::default());
        let mut expectations = expectations(&denial);
        if source.contains(&placeholder()) {
            expectations.zonemd = Zonemd::Required;
        }
        // In order, or in one piece that has to be sorted.
        let blocks = if random.one_in(3) {
            let mut records = signed.clone();
            records.reverse();
            vec![block(&records)]
        } else {
            ordered_blocks(&signed)
        };
        let (report, approval) = full_audit(&blocks, &source, &expectations);
        assert!(report.findings.iter().all(|f| f.severity == Severity::Warn), "{report:?}");
        let approved = Approved::new(approval.unwrap(), blocks.clone());
        assert_eq!(approved.unwrap_err(), ApprovedError::OtherBlocks { block: 0 });
        let (_, approval) = full_audit(&blocks, &source, &expectations);
        let approved = Approved::new(approval.unwrap(), blocks).unwrap();
        assert_eq!(approved.counts(), &report.counts);
        let keys = report.keys;
        World { signer, source, signed, expectations, approved, keys, serial: 10 }
    }

    pub(crate) fn judge(
        &self,
        signed: &[Rr],
        source: &[Rr],
        expectations: &Expectations,
    ) -> Result<Judgement, NotIncremental> {
        let difference = Difference {
            removed: &only_in(&self.signed, signed),
            added: &only_in(signed, &self.signed),
            source_removed: &only_in(&self.source, source),
            source_added: &only_in(source, &self.source),
        };
        self.approved.judge(&difference, expectations)
    }

    fn report(&self, signed: &[Rr], source: &[Rr], expectations: &Expectations) -> Report {
        self.judge(signed, source, expectations).unwrap().report
    }

    /// Both audits of a new version; the incremental one may give up, but not differ.
    fn compare(
        &self,
        signed: &[Rr],
        source: &[Rr],
        expectations: &Expectations,
        what: &str,
    ) -> (Verdict, Option<Approved>) {
        let (full, _) = full_audit(&ordered_blocks(signed), source, expectations);
        let judged = self.judge(signed, source, expectations);
        let lines: Vec<String> = full.findings.iter().map(ToString::to_string).collect();
        let lines = lines.join("\n");
        let Ok(judgement) = judged else { return (full.verdict(), None) };
        let ours: Vec<String> = judgement.report.findings.iter().map(ToString::to_string).collect();
        let ours = ours.join("\n");
        assert_eq!(judgement.report.verdict(), full.verdict(), "{what}\n{lines}\n---\n{ours}");
        assert_eq!(judgement.approved.is_some(), full.verdict() == Verdict::Approve);
        // A zone that is wrong elsewhere is sooner given up, and its facts are not all noted.
        let is_minor = |f: &&Finding| f.id.code() >= 700 || f.severity == Severity::Warn;
        if full.findings.iter().all(|finding| is_minor(&finding)) {
            assert_eq!(of_whole_zone(&judgement.report), of_whole_zone(&full), "{what}");
        }
        if let Some(next) = &judgement.approved {
            let expected = block(signed);
            assert_eq!(contents(next.blocks()), contents([&expected[..]].into_iter()), "{what}");
            assert_eq!(next.counts(), &full.counts, "{what}");
            assert_eq!(judgement.report.soonest_expiration, full.soonest_expiration, "{what}");
            assert_eq!(judgement.report.keys, full.keys, "{what}");
        }
        (full.verdict(), judgement.approved)
    }
}

/// Findings of chain, caches, succession and horizon, which both audits make of the whole zone.
fn of_whole_zone(report: &Report) -> Vec<String> {
    let findings = report.findings.iter().filter(|f| (700..820).contains(&f.id.code()));
    findings.map(ToString::to_string).collect()
}

/// Parent, history and horizon as they may be, right or wrong.
fn random_surroundings(expectations: &mut Expectations, random: &mut Random) {
    let keys = [ksk(), zsk(), Key::new(7, 257), Key::new(9, 256)];
    expectations.history = (0..random.below(4))
        .map(|_| {
            let mut dnskeys = vec![&keys[0]];
            dnskeys.extend((1..4).filter(|_| random.one_in(2)).map(|at| &keys[at]));
            let signer = &keys[if random.one_in(4) { 3 } else { 1 }];
            let mut version = version(&dnskeys, signer);
            version.keys.denial = expectations.denial.clone();
            let ago = random.below(9000) as u64;
            version.served_until = (!random.one_in(3)).then(|| expectations.now - ago);
            version
        })
        .collect();
    expectations.propagation_seconds = random.below(2) as u32 * 600;
    expectations.parent = random.one_in(2).then(|| {
        let set = |at: usize, cached_until| DsSet {
            records: vec![ds(&keys[at], 2)],
            source: DsSource::Seen,
            cached_until,
        };
        let other = if random.one_in(4) { 2 } else { 0 };
        let until = expectations.now + random.below(2) as u64;
        vec![set(0, None), set(other, random.one_in(2).then_some(until))]
    });
    let reaction_seconds = random.below(1_000_000) as u32;
    expectations.horizon =
        random.one_in(2).then_some(Horizon { reaction_seconds, severity: Severity::Warn });
    expectations.served_serials = vec![9];
}

/// Names that random changes are made at; some are above others.
const NAMES: &[&str] = &[
    "a.example",
    "b.a.example",
    "c.b.a.example",
    "x.c.b.a.example",
    "*.example",
    "*.b.a.example",
    "deep.ent.example",
    "other.ent.example",
    "ent.example",
    "one.two.ent.example",
    "lone.only.example",
    "pair.only.example",
    "only.example",
    "low.er.only.example",
    "sub.example",
    "ns.sub.example",
    "x.ns.sub.example",
    "far.away.sub.example",
    "tree.example",
    "hidden.tree.example",
    "z.hidden.tree.example",
    "safe.example",
    "m.example",
    "n.example",
    "yy.zz.example",
    "zz.example",
];

pub(crate) fn random_change(source: &mut Records, random: &mut Random) {
    let mut owner = name(random.pick(NAMES));
    // Names above others are the harder ones.
    if random.one_in(3) && parent(&owner) != name("example") {
        owner = parent(&owner).to_vec();
    }
    let record = |rtype: u16, rdata: &[u8]| Rr { owner: owner.clone(), ..rr("", rtype, rdata) };
    let is_here = |r: &Rr| r.owner.eq_ignore_ascii_case(&owner);
    let octet = random.below(3) as u8;
    let new = match random.below(12) {
        0..=2 => record(A, &[192, 0, 2, octet]),
        3 => record(TXT, &[1, b'a' + octet]),
        4 | 5 => record(NS, &name("ns1.example")),
        6 => record(NS, &[&[3, b'n', b's', b'0' + octet][..], &owner].concat()),
        7 => record(DS, &[[0x12, octet, 13, 2].as_slice(), &[7; 32]].concat()),
        8 => record(DNAME, &name("www.example")),
        9 => return source.retain(|r| !is_here(r)),
        10 => {
            let rtype = random.pick(&[A, TXT, NS, DS, DNAME]);
            return source.retain(|r| !is_here(r) || r.rtype != rtype);
        }
        _ => {
            let (rtype, ttl) = (random.pick(&[A, TXT, NS]), 60 * (1 + random.below(3) as u32));
            let same = source.iter_mut().filter(|r| is_here(r) && r.rtype == rtype);
            return same.for_each(|r| r.ttl = ttl);
        }
    };
    match source.iter().position(|r| is_here(r) && r.rtype == new.rtype && r.rdata == new.rdata) {
        Some(position) => drop(source.remove(position)),
        None => {
            if new.rtype == DNAME {
                source.retain(|r| !is_here(r) || r.rtype != DNAME);
            }
            let ttl = source.iter().find(|r| is_here(r) && r.rtype == new.rtype).map(|r| r.ttl);
            source.push(Rr { ttl: ttl.unwrap_or(new.ttl), ..new });
        }
    }
}

/// A DS stays only where there is a delegation.
pub(crate) fn tidy(source: &mut Records) {
    let cuts: BTreeSet<Vec<u8>> =
        source.iter().filter(|r| r.rtype == NS).map(|r| r.owner.to_ascii_lowercase()).collect();
    source.retain(|r| r.rtype != DS || cuts.contains(&r.owner.to_ascii_lowercase()));
}

pub(crate) fn set_serial(source: &mut [Rr], serial: u32) {
    source.iter_mut().filter(|r| r.rtype == SOA).for_each(|r| r.rdata = soa(serial, 600));
}

/// Makes the signature over an RRset anew, if it had one.
fn sign_again(zone: &mut Records, signer: &mut Signer, owner: &[u8], rtype: u16, now: u64) {
    let rrset: Records = zone
        .iter()
        .filter(|r| r.rtype == rtype && r.owner.eq_ignore_ascii_case(owner))
        .cloned()
        .collect();
    let is_signature = |r: &Rr| {
        r.rtype == RRSIG
            && r.owner.eq_ignore_ascii_case(owner)
            && r.rdata[..2] == rtype.to_be_bytes()
    };
    if !rrset.is_empty() && zone.iter().any(is_signature) {
        zone.retain(|r| !is_signature(r));
        zone.push(signer.rrsig(&rrset, now, 3600));
    }
}

/// Names at which the source changed, and what is above them below the apex.
fn concerned(before: &[Rr], after: &[Rr]) -> Vec<Vec<u8>> {
    let mut names = BTreeSet::new();
    for (records, others) in [(before, after), (after, before)] {
        for record in records.iter().filter(|record| !others.contains(record)) {
            let owner = record.owner.to_ascii_lowercase();
            let mut at = &owner[..];
            while at != name("example") {
                names.insert(at.to_vec());
                at = parent(at);
            }
        }
    }
    names.into_iter().collect()
}

/// Something wrong with the new version; now and then it is not wrong after all.
pub(crate) fn tamper(
    zone: &mut Records,
    source: &mut Records,
    world: &mut World,
    now: u64,
    random: &mut Random,
) -> String {
    let changed: Vec<usize> =
        (0..zone.len()).filter(|&at| !world.signed.contains(&zone[at])).collect();
    // Mostly something that changed, at times anything.
    let at = if random.one_in(4) || changed.is_empty() {
        random.below(zone.len())
    } else {
        random.pick(&changed)
    };
    let Rr { owner, rtype, .. } = zone[at].clone();
    let same_owner = |r: &Rr| r.owner.eq_ignore_ascii_case(&owner);
    let about = |r: &Rr| match r.rtype {
        RRSIG => u16::from_be_bytes([r.rdata[0], r.rdata[1]]),
        rtype => rtype,
    };
    let text = format!("{rtype} at {:?}", String::from_utf8_lossy(&owner));
    match random.below(20) {
        0 => {
            zone.remove(at);
            format!("record lost: {text}")
        }
        1 => {
            let covered = about(&zone[at]);
            zone.retain(|r| !same_owner(r) || about(r) != covered);
            format!("RRset lost: {text}")
        }
        2..=4 | 16 | 17 => {
            zone.retain(|r| !same_owner(r));
            zone.extend(world.signed.iter().filter(|r| same_owner(r)).cloned());
            format!("kept as it was: {text}")
        }
        5 => {
            let covered = about(&zone[at]);
            zone.retain(|r| !same_owner(r) || about(r) != covered);
            let is_it = |r: &&Rr| same_owner(r) && about(r) == covered;
            zone.extend(world.signed.iter().filter(is_it).cloned());
            format!("RRset kept as it was: {text}")
        }
        6 => {
            let octet = random.below(zone[at].rdata.len());
            zone[at].rdata[octet] ^= 1 << random.below(8);
            sign_again(zone, &mut world.signer, &owner, rtype, now);
            format!("octet {octet} of RDATA changed and signed: {text}")
        }
        7 => {
            let octet = random.below(zone[at].rdata.len());
            zone[at].rdata[octet] ^= 1 << random.below(8);
            format!("octet {octet} of RDATA changed: {text}")
        }
        8 => {
            let rtype = about(&zone[at]);
            zone.iter_mut().filter(|r| same_owner(r) && about(r) == rtype).for_each(|r| r.ttl = 59);
            sign_again(zone, &mut world.signer, &owner, rtype, now);
            format!("other TTL: {text}")
        }
        9 => {
            zone.push(Rr { owner: name(random.pick(NAMES)), ..rr("", A, &[10, 0, 0, 1]) });
            "foreign record".to_owned()
        }
        10 => {
            let record = Rr { owner: name(random.pick(NAMES)), ..rr("", TXT, b"\x01!") };
            zone.push(record.clone());
            zone.push(world.signer.rrsig(&[record], now, 3600));
            "foreign record, signed".to_owned()
        }
        11 => {
            random_change(source, random);
            "the source is another one".to_owned()
        }
        12 => {
            let rrset: Records = zone
                .iter()
                .filter(|r| same_owner(r) && r.rtype == rtype && rtype != RRSIG)
                .cloned()
                .collect();
            if !rrset.is_empty() {
                let expired = (now as u32 - random.below(2) as u32).to_be_bytes();
                zone.retain(|r| r.rtype != RRSIG || !same_owner(r) || about(r) != rtype);
                let set = |rdata: &mut Vec<u8>| rdata[8..12].copy_from_slice(&expired);
                zone.push(world.signer.zsk.rrsig_with(&rrset, set));
            }
            format!("expired: {text}")
        }
        13 => {
            let mut copy = zone[at].clone();
            copy.owner = name(random.pick(NAMES));
            zone.push(copy);
            format!("copied elsewhere: {text}")
        }
        _ => {
            // Whole chains that fit together, but not the zone.
            let mut deviation = Deviation::default();
            let mut names = concerned(&world.source, source);
            if names.is_empty() || random.one_in(4) {
                names = NAMES.iter().map(|text| name(text)).collect();
            }
            match random.below(4) {
                0 | 1 => drop(deviation.left_out.insert(random.pick(&names))),
                2 => {
                    let types: &[u16] = random.pick::<&[u16]>(&[&[], &[NS], &[A, RRSIG]]);
                    deviation.put_in = vec![(random.pick(&names), types.to_vec())];
                }
                _ => deviation.flip_flags_of = Some(random.below(16) as u8),
            }
            *zone = world.signer.sign(source, now, 3600, &deviation);
            format!("{deviation:?}")
        }
    }
}

/// What the signer replaces by the digest of the zone.
fn placeholder() -> Rr {
    rr("example", ZONEMD, &[&[0, 0, 0, 0, 1, 1][..], &[0; 48]].concat())
}

pub(crate) fn start_source() -> Records {
    let mut source = source();
    source.retain(|r| r.rtype != CNAME);
    for number in 0..12 {
        let owner = format!("filler{number}.example");
        source.push(rr(&owner, NS, &name("ns1.example")));
    }
    source
}

pub(crate) fn without_repetitions(records: &mut Records) {
    records.sort_by_key(canonical_key);
    records.dedup();
}

fn check_random_changes(denial: Denial, start: Records, steps: usize) {
    let mut random = Random::new();
    let mut world = World::new(denial, start, &mut random);
    let (mut refused, mut gave_up) = (0, 0);
    for step in 0..steps {
        let mut source = world.source.clone();
        for _ in 0..random.below(5) {
            random_change(&mut source, &mut random);
        }
        tidy(&mut source);
        world.serial += 1;
        set_serial(&mut source, world.serial);
        let mut expectations = world.expectations.clone();
        let seconds = if random.one_in(4) { 200_000 } else { 20 };
        expectations.now += random.below(seconds) as u64;
        expectations.published_serial = Some(world.serial - 1);
        let now = expectations.now;
        let calm = expectations.clone();
        random_surroundings(&mut expectations, &mut random);
        let honest = world.signer.sign(&source, now, 3600, &Deviation::default());
        for _ in 0..6 {
            let (mut signed, mut audited) = (honest.clone(), source.clone());
            let mut what = String::new();
            for _ in 0..=random.below(2) {
                what += &tamper(&mut signed, &mut audited, &mut world, now, &mut random);
                what += "; ";
            }
            // Mostly the digest fits, so that the rest is what counts.
            if !random.one_in(4) {
                world.signer.fill_digest(&mut signed, now, 3600);
            }
            without_repetitions(&mut signed);
            let what = format!("step {step}: {what}");
            let (verdict, next) = world.compare(&signed, &audited, &expectations, &what);
            refused += usize::from(verdict == Verdict::Reject);
            gave_up += usize::from(verdict == Verdict::Approve && next.is_none());
        }
        world.compare(&honest, &source, &expectations, "honest, in random surroundings");
        let mut expectations = calm;
        expectations.history = vec![usual_version(&expectations)];
        expectations.history[0].keys = world.keys.clone();
        let (verdict, next) = world.compare(&honest, &source, &expectations, "honest");
        if verdict == Verdict::Reject {
            // Such a change is not for a signer to make good.
            world.serial -= 1;
            continue;
        }
        let Some(next) = next else {
            let error = world.judge(&honest, &source, &expectations).unwrap_err();
            panic!("step {step}: an honest change is not judged: {error}");
        };
        world.keys = world.report(&honest, &source, &expectations).keys;
        (world.source, world.signed) = (source, honest);
        (world.expectations, world.approved) = (expectations, next);
    }
    println!("{refused} refused, {gave_up} left to the full audit though good");
    assert!(refused > steps);
}

/// Zones that are right in every respect have no findings, not even warnings.
#[test]
fn random_good_zones_have_no_findings() {
    let mut random = Random::new();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        for _ in 0..30 {
            let mut source = start_source();
            for _ in 0..random.below(25) {
                random_change(&mut source, &mut random);
            }
            tidy(&mut source);
            let mut signer = Signer::new(denial.clone());
            let signed = signer.sign(&source, NOW, 3600, &Deviation::default());
            let mut expectations = expectations(&denial);
            let (report, _) = full_audit(&ordered_blocks(&signed), &source, &expectations);
            assert_eq!(report.findings, []);
            // The version after it, under everything that can be looked at.
            expectations.history = vec![PublishedVersion { keys: report.keys, served_until: None }];
            expectations.parent = Some(vec![DsSet {
                records: vec![ds(&ksk(), 2)],
                source: DsSource::Seen,
                cached_until: None,
            }]);
            expectations.horizon =
                Some(Horizon { reaction_seconds: 3600, severity: Severity::Refuse });
            (expectations.published_serial, expectations.served_serials) = (Some(9), vec![7, 9]);
            let (report, _) = full_audit(&ordered_blocks(&signed), &source, &expectations);
            assert_eq!(report.findings, []);
        }
    }
}

const STEPS: usize = 30;

#[test]
fn random_changes_of_an_nsec_zone() {
    check_random_changes(Denial::Nsec, start_source(), STEPS);
}

#[test]
fn random_changes_of_an_nsec3_zone() {
    check_random_changes(nsec3(false), start_source(), STEPS);
}

#[test]
fn random_changes_of_an_opt_out_zone() {
    check_random_changes(nsec3(true), start_source(), STEPS);
}

/// The digest is that of the whole new zone, though only the difference is looked at.
#[test]
fn random_changes_of_zones_with_a_digest() {
    let start = [start_source(), vec![placeholder()]].concat();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        check_random_changes(denial, start.clone(), STEPS / 3);
    }
}
