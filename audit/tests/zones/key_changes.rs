//! Changes of keys, judged by difference and as a whole: keys that come, go, hide, take over or
//! lose their signatures, as the expectations say and otherwise. The incremental audit may give
//! up, but never differ; the steps of a smooth roll (RFC 6781 §4.1.1.1) it does not give up.

use std::collections::BTreeMap;

use crate::common::*;
use crate::incremental::{Random, full_audit, only_in, ordered_blocks, set_serial};
use crate::test_keys::Key;
use audit::{
    Approved, Denial, Difference, Expectations, Judgement, NotIncremental, Signer, Signing, Verdict,
};

/// Which of the keys, by number, do what. 0 and 1 have the SEP flag.
#[derive(Debug, Clone, PartialEq)]
struct Plan {
    published: Vec<usize>,
    keyset_signers: Vec<usize>,
    zone_signers: Vec<usize>,
    /// For each RRset in turn the keys that really sign it; none: the zone's signers.
    really: Vec<Vec<usize>>,
}

const KEY_COUNT: usize = 5;

fn keys() -> Vec<Key> {
    (0..KEY_COUNT).map(|n| Key::new(20 + n as u8, if n < 2 { 257 } else { 256 })).collect()
}

fn smooth(published: &[usize], zone_signer: usize, really: &[&[usize]]) -> Plan {
    Plan {
        published: published.to_vec(),
        keyset_signers: vec![0],
        zone_signers: vec![zone_signer],
        really: really.iter().map(|keys| keys.to_vec()).collect(),
    }
}

/// The zone with this serial as the plan wants it, and what is to be expected of it.
fn version(plan: &Plan, denial: &Denial, serial: u32) -> (Vec<Rr>, Vec<Rr>, Expectations) {
    let keys = keys();
    let mut source = source();
    set_serial(&mut source, serial);
    let mut zone = sign(&source, denial, &Hooks::default());
    let covered = |record: &Rr| u16::from_be_bytes([record.rdata[0], record.rdata[1]]);
    let signed: Vec<(Vec<u8>, u16)> = zone
        .iter()
        .filter(|record| record.rtype == RRSIG)
        .map(|record| (record.owner.clone(), covered(record)))
        .collect();
    zone.retain(|record| record.rtype != RRSIG && record.rtype != DNSKEY);
    zone.extend(plan.published.iter().map(|key| rr("example", DNSKEY, &keys[*key].rdata)));
    zone.sort_by_key(canonical_key);
    let mut rrsets: BTreeMap<(Vec<u8>, u16), Vec<Rr>> = BTreeMap::new();
    for record in &zone {
        let key = (record.owner.to_ascii_lowercase(), record.rtype);
        rrsets.entry(key).or_default().push(record.clone());
    }
    for (number, (owner, rtype)) in signed.into_iter().enumerate() {
        let Some(rrset) = rrsets.get(&(owner.to_ascii_lowercase(), rtype)) else { continue };
        let by = match rtype {
            DNSKEY => &plan.keyset_signers,
            _ if plan.really.is_empty() => &plan.zone_signers,
            _ => &plan.really[number % plan.really.len()],
        };
        zone.extend(by.iter().map(|key| keys[*key].rrsig_with(rrset, |_| {})));
    }
    zone.sort_by_key(canonical_key);
    let signer = |number: usize| Signer {
        dnskey: keys[number].rdata.clone(),
        signs_keyset: plan.keyset_signers.contains(&number),
        signs_zone: plan.zone_signers.contains(&number),
    };
    let at_work =
        (0..KEY_COUNT).filter(|n| plan.keyset_signers.contains(n) || plan.zone_signers.contains(n));
    let expected = Expectations {
        dnskeys: Some(plan.published.iter().map(|key| keys[*key].rdata.clone()).collect()),
        signing: Some(Signing { signers: at_work.map(signer).collect(), ds_algorithms: vec![15] }),
        ..expectations(denial)
    };
    (zone, source, expected)
}

/// Both audits of the step from one plan to another; nothing when the first one is no good zone.
fn step(
    from: &Plan,
    to: &Plan,
    denial: &Denial,
) -> Option<(Verdict, Result<Judgement, NotIncremental>)> {
    let (old, old_source, old_expected) = version(from, denial, 10);
    let blocks = ordered_blocks(&old);
    let (_, approval) = full_audit(&blocks, &old_source, &old_expected);
    let approved = Approved::new(approval?, blocks).unwrap();
    let (new, new_source, new_expected) = version(to, denial, 11);
    let (full, _) = full_audit(&ordered_blocks(&new), &new_source, &new_expected);
    let difference = Difference {
        removed: &only_in(&old, &new),
        added: &only_in(&new, &old),
        source_removed: &only_in(&old_source, &new_source),
        source_added: &only_in(&new_source, &old_source),
    };
    let judged = approved.judge(&difference, &new_expected);
    if let Ok(judgement) = &judged {
        let (ours, all) = (&judgement.report, &full);
        assert_eq!(
            ours.verdict(),
            all.verdict(),
            "{from:?} -> {to:?}\n{:#?}\n---\n{:#?}",
            ours.findings,
            all.findings
        );
    }
    Some((full.verdict(), judged))
}

fn denials() -> [Denial; 3] {
    [Denial::Nsec, nsec3(false), nsec3(true)]
}

#[test]
fn the_steps_of_a_smooth_roll_are_judged_by_their_difference() {
    for denial in denials() {
        let usual = smooth(&[0, 2], 2, &[]);
        let published = smooth(&[0, 2, 3], 2, &[]);
        // The new key takes over; signatures by the old one stand until they come due.
        let takes_over = smooth(&[0, 2, 3], 3, &[&[2], &[2], &[3]]);
        let done = smooth(&[0, 2, 3], 3, &[]);
        let gone = smooth(&[0, 3], 3, &[]);
        let second_ksk = Plan { keyset_signers: vec![0, 1], ..smooth(&[0, 1, 3], 3, &[]) };
        let steps = [usual, published, takes_over, done, gone, second_ksk];
        for pair in steps.windows(2) {
            let (full, judged) = step(&pair[0], &pair[1], &denial).unwrap();
            assert_eq!(full, Verdict::Approve, "{pair:?}");
            assert!(judged.unwrap().approved.is_some(), "{pair:?}");
        }
    }
}

#[test]
fn signatures_of_a_key_that_went_away_are_found_wherever_they_are() {
    for denial in denials() {
        let mixed = smooth(&[0, 2, 3], 3, &[&[2], &[3], &[3], &[3], &[3]]);
        let early = smooth(&[0, 3], 3, &[&[2], &[3], &[3], &[3], &[3]]);
        let (full, judged) = step(&mixed, &early, &denial).unwrap();
        assert_eq!(full, Verdict::Reject);
        let report = judged.unwrap().report;
        assert!(report.findings.iter().any(|finding| finding.id.code() == 303), "{report:?}");
    }
}

#[test]
fn random_changes_of_keys_are_judged_as_by_the_full_audit() {
    let mut random = Random::new();
    let (mut judged_count, mut refused, mut gave_up) = (0, 0, 0);
    for _ in 0..160 {
        let denial = random.pick(&denials());
        let from = any_plan(&mut random);
        let mut to = if random.below(2) == 0 { from.clone() } else { any_plan(&mut random) };
        for _ in 0..=random.below(2) {
            change(&mut to, &mut random);
        }
        match step(&from, &to, &denial) {
            Some((verdict, Ok(_))) => {
                judged_count += 1;
                refused += usize::from(verdict == Verdict::Reject);
            }
            Some((_, Err(_))) => gave_up += 1,
            None => {}
        }
    }
    println!("{judged_count} judged, {refused} of them refused, {gave_up} given up");
    assert!(judged_count > 50 && refused > 20, "{judged_count} judged, {refused} refused");
}

fn some_of(numbers: &[usize], random: &mut Random) -> Vec<usize> {
    let mut some: Vec<usize> = numbers.iter().copied().filter(|_| random.below(2) == 0).collect();
    if some.is_empty() {
        some.push(random.pick(numbers));
    }
    some
}

fn any_plan(random: &mut Random) -> Plan {
    let zone_signers = some_of(&[2, 3], random);
    let mut published = vec![0];
    published.extend(zone_signers.iter().filter(|_| random.below(6) > 0));
    for number in 1..KEY_COUNT {
        if !published.contains(&number) && random.below(3) == 0 {
            published.push(number);
        }
    }
    let keyset_signers = if published.contains(&1) { some_of(&[0, 1], random) } else { vec![0] };
    let stand_ins: Vec<Vec<usize>> =
        published.iter().filter(|n| **n > 1).map(|n| vec![*n]).collect();
    let really =
        if random.below(2) == 0 && zone_signers.len() == 1 { stand_ins } else { Vec::new() };
    Plan { published, keyset_signers, zone_signers, really }
}

fn change(plan: &mut Plan, random: &mut Random) {
    let number = random.below(KEY_COUNT);
    let list = match random.below(5) {
        0 | 1 => &mut plan.published,
        2 => &mut plan.keyset_signers,
        3 => &mut plan.zone_signers,
        _ => {
            let by = plan.zone_signers.clone();
            plan.really = match random.below(3) {
                0 => Vec::new(),
                1 => vec![vec![number]],
                _ => [vec![by; 6], vec![vec![number]]].concat(),
            };
            return;
        }
    };
    match list.iter().position(|one| *one == number) {
        Some(at) => drop(list.remove(at)),
        None => list.push(number),
    }
}
