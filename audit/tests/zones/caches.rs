//! Every mix that a cache may hold, against a validator that is written down as simply as can be:
//! random candidates, histories and DS RRsets. What the auditor lets through validates in every mix
//! with what caches may have, or would not have validated without the candidate either; and what
//! it blames on caches or parent is bogus in some mix.
//!
//! Prints its seed; `SEED=n` repeats a run.

use std::collections::BTreeSet;

use crate::common::*;
use crate::corpus::codes;
use crate::incremental::Random;
use audit::{
    Denial, DsSet, DsSource, Expectations, PublishedKeys, PublishedVersion, SignedBy, Verdict,
};

/// Keys are numbers here: two KSKs, two ZSKs.
type Keys = BTreeSet<usize>;

fn key(number: usize) -> Key {
    let (seed, flags) = [(1, 257), (7, 257), (2, 256), (9, 256)][number];
    Key::new(seed, flags)
}

/// A version as a cache sees it.
#[derive(Debug, Clone)]
struct Version {
    published: Keys,
    /// Of the KSKs, those that sign the keys.
    keyset_signers: Keys,
    /// Of the ZSKs, those that sign: each set signs some RRsets.
    data_signers: BTreeSet<Keys>,
    /// `None`: served still.
    served_until: Option<u64>,
}

const KEYS_TTL: u32 = 3600;
const DATA_TTL: u32 = 1800;
const PROPAGATION: u32 = 600;

fn some_of(from: &[usize], random: &mut Random) -> Keys {
    let picked: Keys = from.iter().copied().filter(|_| random.below(3) > 0).collect();
    if picked.is_empty() { Keys::from([random.pick(from)]) } else { picked }
}

impl Version {
    fn random(random: &mut Random) -> Self {
        let mut keyset_signers = some_of(&[0, 1], random);
        let data_signers: BTreeSet<Keys> =
            (0..1 + random.below(2)).map(|_| some_of(&[2, 3], random)).collect();
        let mut published: Keys = keyset_signers.iter().copied().collect();
        published.extend(data_signers.iter().flatten());
        published.extend((0..4).filter(|_| random.below(4) == 0));
        keyset_signers.retain(|number| published.contains(number));
        let ago = [0, 1199, 1200, 2399, 2400, 4199, 4200, 9000];
        let served_until = NOW - random.pick(&ago);
        Version { published, keyset_signers, data_signers, served_until: Some(served_until) }
    }

    fn is_held(&self, ttl: u32) -> bool {
        self.served_until.is_none_or(|until| until + u64::from(PROPAGATION + ttl) > NOW)
    }

    fn rdatas(keys: &Keys) -> Vec<Vec<u8>> {
        keys.iter().map(|&number| key(number).rdata).collect()
    }

    fn for_auditor(&self) -> PublishedVersion {
        let sets = self.data_signers.iter();
        let signed_by =
            |set: &Keys| SignedBy { dnskeys: Self::rdatas(set), owner: name("example") };
        let keys = PublishedKeys {
            dnskeys: Self::rdatas(&self.published),
            dnskey_ttl: KEYS_TTL,
            keyset_signers: Self::rdatas(&self.keyset_signers),
            data_signers: sets.map(signed_by).collect(),
            data_ttl: DATA_TTL,
            denial: Denial::Nsec,
        };
        PublishedVersion { keys, served_until: self.served_until }
    }

    /// The zone itself; each set of signers signs at least one RRset.
    fn zone(&self) -> Vec<Rr> {
        let mut zone = sign(
            &source(),
            &Denial::Nsec,
            &Hooks {
                before_signing: &|z: &mut Vec<Rr>| {
                    z.retain(|r| r.rtype != DNSKEY);
                    let keys = self.published.iter().map(|&number| key(number).rdata);
                    z.extend(keys.map(|rdata| rr("example", DNSKEY, &rdata)));
                },
                ..Hooks::default()
            },
        );
        let rrsigs: Vec<Rr> = zone.extract_if(.., |r| r.rtype == RRSIG).collect();
        zone.sort_by_key(canonical_key);
        let sets: Vec<&Keys> = self.data_signers.iter().collect();
        let mut signatures = Vec::new();
        for (at, rrsig) in rrsigs.iter().enumerate() {
            let covered = u16::from_be_bytes([rrsig.rdata[0], rrsig.rdata[1]]);
            let is_it = |r: &&Rr| r.rtype == covered && r.owner.eq_ignore_ascii_case(&rrsig.owner);
            let rrset: Vec<Rr> = zone.iter().filter(is_it).cloned().collect();
            let signers =
                if covered == DNSKEY { &self.keyset_signers } else { sets[at % sets.len()] };
            let by = signers.iter().map(|&number| key(number).rrsig_with(&rrset, |_| {}));
            signatures.extend(by);
        }
        zone.extend(signatures);
        zone
    }
}

/// Whether a validator that follows this DS RRset refuses data signed so, with these keys.
fn is_bogus(ds: &Keys, keys: &Version, data: &Version) -> bool {
    let leads = ds.iter().any(|number| keys.keyset_signers.contains(number));
    let is_signed = data.data_signers.iter().all(|set| !set.is_disjoint(&keys.published));
    !(ds.is_empty() || leads && is_signed)
}

/// The mixes of the candidate with caches that are bogus, and whose fault that is.
struct Mixes {
    any: bool,
    by_the_candidate: bool,
}

fn mixes(ds_sets: &[Keys], history: &[Version], candidate: &Version) -> Mixes {
    let mut mixes = Mixes { any: false, by_the_candidate: false };
    let mut note = |is_bogus: bool, was_so: bool| {
        mixes.any |= is_bogus;
        mixes.by_the_candidate |= is_bogus && !was_so;
    };
    let last = history.last();
    for ds in ds_sets {
        let was_so = last.is_some_and(|last| is_bogus(ds, last, last));
        note(is_bogus(ds, candidate, candidate), was_so);
        for version in history {
            let was_so = is_bogus(ds, version, version);
            let with_last = |last: &Version| is_bogus(ds, last, version);
            if version.is_held(DATA_TTL) {
                let was_so = was_so || last.is_some_and(with_last);
                note(is_bogus(ds, candidate, version), was_so);
            }
            if version.is_held(KEYS_TTL) {
                note(is_bogus(ds, version, candidate), was_so);
            }
        }
    }
    mixes
}

#[test]
fn what_is_let_through_validates_in_every_mix() {
    let mut random = Random::new();
    let (mut refused, mut approved) = (0, 0);
    for step in 0..400 {
        let candidate = Version { served_until: None, ..Version::random(&mut random) };
        let count = random.below(4);
        let mut history: Vec<Version> = (0..count).map(|_| Version::random(&mut random)).collect();
        history.sort_by_key(|version| version.served_until);
        if let Some(last) = history.last_mut() {
            last.served_until = None;
        }
        let ds_sets: Vec<(Keys, Option<u64>)> = (0..1 + random.below(3))
            .map(|at| {
                let keys =
                    if random.below(6) == 0 { Keys::new() } else { some_of(&[0, 1], &mut random) };
                let until = [None, Some(NOW), Some(NOW + 1)];
                (keys, if at == 0 { None } else { random.pick(&until) })
            })
            .collect();
        let mut expected = Expectations::new(name("example"), NOW, Denial::Nsec);
        expected.propagation_seconds = PROPAGATION;
        expected.history = history.iter().map(Version::for_auditor).collect();
        let for_auditor = |(keys, cached_until): &(Keys, Option<u64>)| DsSet {
            records: keys.iter().map(|&number| ds(&key(number), 2)).collect(),
            source: DsSource::Seen,
            cached_until: *cached_until,
        };
        expected.parent = Some(ds_sets.iter().map(for_auditor).collect());
        let report = audit_bytes(&block(&candidate.zone()), &block(&source()), &expected);
        let in_use = ds_sets.into_iter().filter(|(_, until)| until.is_none_or(|until| until > NOW));
        let in_use: Vec<Keys> = in_use.map(|(keys, _)| keys).collect();
        let mixes = mixes(&in_use, &history, &candidate);
        let found = codes(&report);
        let known = BTreeSet::from([701, 703, 711, 712, 713, 721]);
        assert!(found.is_subset(&known), "step {step}: {found:?}");
        if report.verdict() == Verdict::Approve {
            assert!(!mixes.by_the_candidate, "step {step}: {candidate:?} {history:?} {in_use:?}");
            approved += 1;
        } else {
            let blamed = [701, 711, 712, 713].iter().any(|code| found.contains(code));
            assert!(mixes.any || !blamed, "step {step}: {found:?} {candidate:?} {history:?}");
            refused += 1;
        }
    }
    println!("{refused} refused, {approved} approved");
    assert!(refused > 50 && approved > 50);
}
