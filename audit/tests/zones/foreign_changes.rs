//! What other signers make of a zone that is passed through: besides changes of data, all
//! signatures anew, another salt, another kind of denial, keys that come, take over and go; and
//! each of it gone wrong. The incremental audit may give up, but never differ from the full one.
//! What is expected is what the zone says of itself, as the proxy expects it; the source is the
//! zone as it came.
//!
//! Random tests print their seed; `SEED=n` repeats a run, `STEPS=n` makes it longer.

use crate::common::*;
use crate::incremental::{
    Random, World, contents, full_audit, only_in, ordered_blocks, random_change, set_serial,
    start_source, tamper, tidy, without_repetitions,
};
use crate::naive::{Deviation, Signer};
use audit::{
    Approval, Approved, Denial, Difference, DsSet, DsSource, Expectations, Horizon, Judgement,
    NotIncremental, PublishedVersion, Report, Severity, Verdict, remember,
};

/// What the zone says of its denial, and the keys that it has.
fn said_by(zone: &[Rr], expectations: &Expectations) -> Expectations {
    let at_apex = |rtype: u16| {
        let is_it = move |record: &&Rr| {
            record.rtype == rtype && record.owner.eq_ignore_ascii_case(&name("example"))
        };
        zone.iter().filter(is_it)
    };
    let first = zone.iter().filter(|record| record.rtype == NSEC3).min_by_key(|r| canonical_key(r));
    let opt_out = first.is_some_and(|record| record.rdata.get(1).is_some_and(|it| it & 1 != 0));
    let denial = match at_apex(NSEC3PARAM).next().map(|record| &record.rdata[..]) {
        _ if at_apex(NSEC).next().is_some() => Denial::Nsec,
        Some(&[hash_algorithm, _, high, low, length, ref salt @ ..]) => Denial::Nsec3 {
            hash_algorithm,
            iterations: u16::from_be_bytes([high, low]),
            salt: salt[..usize::from(length).min(salt.len())].to_vec(),
            opt_out,
        },
        _ => Denial::Nsec,
    };
    let dnskeys = at_apex(DNSKEY).map(|record| record.rdata.clone()).collect();
    Expectations { denial, dnskeys: Some(dnskeys), ..expectations.clone() }
}

/// A zone on its way through the proxy.
struct Walk {
    /// Signer, the data before signing, the version that was passed on.
    world: World,
    approved: Approved,
    history: Vec<PublishedVersion>,
    serial: u32,
    now: u64,
    key_count: u8,
    /// What the signer has, and what it had for the version that was passed on.
    has: Having,
    had: Having,
}

/// Keys by their seeds, and parameters of denial.
#[derive(Debug, Clone)]
struct Having {
    ksk: u8,
    zsk: u8,
    idle: Vec<u8>,
    salt: [u8; 2],
    denial: Denial,
}

impl Having {
    fn signer(&self) -> Signer {
        let mut signer = Signer::new(self.denial.clone());
        (signer.ksk, signer.zsk) = (Key::new(self.ksk, 257), Key::new(self.zsk, 256));
        signer.idle = self.idle.iter().map(|seed| Key::new(*seed, 256).rdata).collect();
        signer.salt = self.salt;
        signer
    }
}

/// How often what happened.
#[derive(Debug, Default)]
struct Seen {
    judged: usize,
    refused: usize,
    gave_up: usize,
    approved: usize,
}

impl Walk {
    fn new(denial: Denial, random: &mut Random) -> Walk {
        let world = World::new(denial.clone(), start_source(), random);
        let expectations = said_by(&world.signed, &surroundings(NOW, &[]));
        let (report, approved) = full(&world.signed, &expectations);
        let approved = approved.unwrap_or_else(|| panic!("{:?}", report.findings));
        let mut history = Vec::new();
        remember(&mut history, report.keys, NOW, 600);
        let has = Having { ksk: 1, zsk: 2, idle: Vec::new(), salt: SALT, denial };
        let had = has.clone();
        Walk { world, approved, history, serial: 10, now: NOW, key_count: 2, has, had }
    }

    fn expectations(&self, zone: &[Rr]) -> Expectations {
        let surroundings = surroundings(self.now, &self.history);
        let published_serial = Some(self.serial - 1);
        said_by(zone, &Expectations { published_serial, ..surroundings })
    }

    fn judge(&self, zone: &[Rr], expectations: &Expectations) -> Result<Judgement, NotIncremental> {
        let last = &self.world.signed;
        let (removed, added) = (&only_in(last, zone)[..], &only_in(zone, last)[..]);
        let (source_removed, source_added) = (removed, added);
        let difference = Difference { removed, added, source_removed, source_added };
        self.approved.judge(&difference, expectations)
    }

    /// Both audits of a version that may follow; what the second one leaves, where it approves.
    fn compare(&self, zone: &[Rr], what: &str, seen: &mut Seen) -> Option<(Report, Approved)> {
        let expectations = self.expectations(zone);
        let (report, approved) = full(zone, &expectations);
        seen.refused += usize::from(approved.is_none());
        let Ok(judgement) = self.judge(zone, &expectations) else {
            seen.gave_up += 1;
            return Some((report, approved?));
        };
        seen.judged += 1;
        let lines = |report: &Report| {
            let lines = report.findings.iter().map(ToString::to_string);
            lines.collect::<Vec<_>>().join("\n")
        };
        let (all, ours) = (lines(&report), lines(&judgement.report));
        assert_eq!(judgement.report.verdict(), report.verdict(), "{what}\n{all}\n---\n{ours}");
        assert_eq!(judgement.approved.is_some(), approved.is_some(), "{what}");
        let next = judgement.approved?;
        let expected = block(zone);
        assert_eq!(contents(next.blocks()), contents([&expected[..]].into_iter()), "{what}");
        assert_eq!(next.counts(), &report.counts, "{what}");
        assert_eq!(judgement.report.keys, report.keys, "{what}");
        seen.approved += 1;
        Some((report, next))
    }

    /// What the signer does beside signing what changed.
    fn event(&mut self, random: &mut Random) -> &'static str {
        let signer = &mut self.world.signer;
        match random.below(12) {
            0 => {
                signer.forget_times();
                "all signed anew"
            }
            1 => {
                signer.salt = [random.below(250) as u8, 1];
                self.has.salt = signer.salt;
                if let Denial::Nsec3 { salt, .. } = &mut signer.denial {
                    *salt = signer.salt.to_vec();
                }
                self.has.denial = signer.denial.clone();
                "another salt"
            }
            2 => {
                signer.denial = random.pick(&[Denial::Nsec, nsec3(false), nsec3(true)]);
                self.has.denial = signer.denial.clone();
                "another kind of denial"
            }
            3 => {
                self.key_count += 1;
                let next = Key::new(self.key_count, 256);
                signer.idle.push(next.rdata);
                self.has.idle.push(self.key_count);
                "a key comes"
            }
            4 => {
                // What it does not have to sign anew keeps its signature by the one before.
                let next = Key::new(self.key_count, 256);
                let last = std::mem::replace(&mut signer.zsk, next);
                signer.idle.retain(|rdata| *rdata != signer.zsk.rdata);
                self.has.idle.retain(|seed| *seed != self.key_count);
                if last.rdata != signer.zsk.rdata {
                    signer.idle.push(last.rdata);
                    self.has.idle.push(self.has.zsk);
                }
                self.has.zsk = self.key_count;
                "a key takes over"
            }
            5 => {
                signer.idle.clear();
                self.has.idle.clear();
                "idle keys go"
            }
            6 => {
                self.has.ksk = 100 + random.below(2) as u8;
                signer.ksk = Key::new(self.has.ksk, 257);
                "another key-signing key"
            }
            _ => "nothing else",
        }
    }

    fn step(&mut self, number: usize, random: &mut Random, seen: &mut Seen) {
        let mut source = self.world.source.clone();
        for _ in 0..random.below(4) {
            random_change(&mut source, random);
        }
        tidy(&mut source);
        self.serial += 1;
        set_serial(&mut source, self.serial);
        let most = if random.one_in(3) { 300_000 } else { 600 };
        self.now += random.below(most) as u64;
        let what = self.event(random);
        let honest = self.world.signer.sign(&source, self.now, 3600, &Deviation::default());
        for _ in 0..3 {
            let (mut zone, mut other) = (honest.clone(), source.clone());
            let how = tamper(&mut zone, &mut other, &mut self.world, self.now, random);
            without_repetitions(&mut zone);
            self.compare(&zone, &format!("step {number}: {what}; {how}"), seen);
        }
        match self.compare(&honest, &format!("step {number}: {what}"), seen) {
            Some((report, approved)) => {
                remember(&mut self.history, report.keys, self.now, 600);
                (self.world.source, self.world.signed) = (source, honest);
                self.approved = approved;
                self.had = self.has.clone();
            }
            // A step too far for caches, or a change that is not for a signer to make good: it goes
            // back to what was good.
            None => {
                self.serial -= 1;
                self.has = self.had.clone();
                self.world.signer = self.has.signer();
            }
        }
    }
}

fn surroundings(now: u64, history: &[PublishedVersion]) -> Expectations {
    let ds = DsSet { records: vec![ds(&ksk(), 2)], source: DsSource::Seen, cached_until: None };
    Expectations {
        parent: Some(vec![ds]),
        history: history.to_vec(),
        propagation_seconds: 600,
        horizon: Some(Horizon { reaction_seconds: 86_400, severity: Severity::Warn }),
        ..Expectations::new(name("example"), now, Denial::Nsec)
    }
}

/// The full audit of a zone that is its own source.
fn full(zone: &[Rr], expectations: &Expectations) -> (Report, Option<Approved>) {
    // As a version has them that is passed through: NSEC3 records among the others.
    let blocks = match expectations.denial {
        Denial::Nsec => ordered_blocks(zone),
        _ => {
            let mut records = zone.to_vec();
            records.sort_by_key(canonical_key);
            vec![block(&records)]
        }
    };
    let (report, approval): (Report, Option<Approval>) = full_audit(&blocks, zone, expectations);
    assert_eq!(report.verdict() == Verdict::Approve, approval.is_some());
    let approved = approval.map(|approval| Approved::new(approval, blocks).unwrap());
    (report, approved)
}

#[test]
fn random_changes_of_other_signers_are_judged_as_by_the_full_audit() {
    let mut random = Random::new();
    let steps = std::env::var("STEPS").ok().and_then(|steps| steps.parse().ok()).unwrap_or(24);
    let mut seen = Seen::default();
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        let mut walk = Walk::new(denial, &mut random);
        for number in 0..steps {
            walk.step(number, &mut random, &mut seen);
        }
        println!("{seen:?}");
    }
    assert!(seen.judged > seen.gave_up, "{seen:?}");
    assert!(seen.refused > steps && seen.approved > steps, "{seen:?}");
}
