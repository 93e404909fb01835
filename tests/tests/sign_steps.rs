//! Many small changes, one run after each: every version is as a fresh signing of the same input
//! would make it, and judges accept it. The seed is printed; `SEED=n` repeats a run.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use anchorite_tests::judges;
use anchorite_tests::signing::Workplace;

const ORIGIN: &str = "steps.example.";
/// Runs for each kind of denial.
const STEP_COUNT: usize = 12;
/// Lines of the zone that each step adds or takes away, at most.
const CHANGE_COUNT_MAX: u64 = 4;

/// Numbers that a seed determines (splitmix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % end
    }
}

fn seed() -> u64 {
    let given = std::env::var("SEED").ok().and_then(|text| text.parse().ok());
    let seed = given.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(0, |now| now.as_nanos() as u64)
    });
    println!("SEED={seed}");
    seed
}

/// One to three labels of a small alphabet, so that names are each other's ancestors often.
fn name(random: &mut Random) -> String {
    let labels = ["a", "b", "c", "Z", "_x", "0", "\\000", "*"];
    let count = 1 + random.below(3);
    let mut name: Vec<&str> = Vec::new();
    for place in 0..count {
        // A star stands in front, where it is a wildcard.
        let choice = if place == 0 { labels.len() } else { labels.len() - 1 };
        name.push(labels[random.below(choice as u64) as usize]);
    }
    name.join(".")
}

/// Lines that may stand together in any choice: a DS comes with its delegation, and nothing is an
/// alias. A delegation is no wildcard, which BIND refuses.
fn entry(random: &mut Random) -> String {
    let name = name(random);
    let digest = "0c72ac70b745ac19998811b131d662c9ac69dbdbe7cb23e5b514b56664c5d3d6";
    match random.below(6) {
        0 => format!("{name} TXT \"{}\"\n", random.below(3)),
        1 => format!("{name} AAAA 2001:db8::{}\n", random.below(9)),
        2 if !name.starts_with('*') => format!("{name} NS ns\n"),
        3 if !name.starts_with('*') => format!("{name} NS ns\n{name} DS 1 13 2 {digest}\n"),
        _ => format!("{name} A 192.0.2.{}\n", random.below(9)),
    }
}

/// Everything of the signed zone that does not depend on keys, times and serials.
fn fixed_records(workplace: &Workplace) -> BTreeSet<String> {
    let signed = workplace.signed();
    let changing = ["RRSIG", "DNSKEY", "SOA"];
    let lines = signed
        .lines()
        .filter(|line| !line.split('\t').nth(3).is_some_and(|rr_type| changing.contains(&rr_type)));
    lines.map(str::to_ascii_lowercase).collect()
}

fn check_steps(denial: &str) {
    let mut random = Random(seed());
    let head = "$TTL 300\n@ SOA ns host 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";
    let options = ["--denial", denial];
    let workplace = Workplace::new(ORIGIN, head);
    let mut entries: BTreeSet<String> = (0..12).map(|_| entry(&mut random)).collect();
    let mut serial = 0;
    for step in 0..STEP_COUNT {
        for _ in 0..=random.below(CHANGE_COUNT_MAX) {
            let place = random.below(entries.len() as u64 + 8) as usize;
            match entries.iter().nth(place).cloned() {
                Some(known) => entries.remove(&known),
                None => entries.insert(entry(&mut random)),
            };
        }
        let zone: String = head.chars().chain(entries.iter().flat_map(|one| one.chars())).collect();
        workplace.write_zone(&zone);
        let summary = workplace.sign(&options);
        judges::dnssec_verify(&workplace.output(), ORIGIN)
            .and_then(|()| judges::ldns_verify_zone(&workplace.output()))
            .unwrap_or_else(|rejection| panic!("step {step}: {rejection}\n{zone}"));
        let fresh = Workplace::new(ORIGIN, &zone);
        fresh.sign(&options);
        let (stepped, fresh) = (fixed_records(&workplace), fixed_records(&fresh));
        let differing: Vec<_> = stepped.symmetric_difference(&fresh).collect();
        assert!(differing.is_empty(), "step {step}: {differing:#?}\n{zone}");
        assert!(summary.serial() >= serial, "step {step}");
        serial = summary.serial();
        assert_eq!(workplace.sign(&options).counts().0, 0, "step {step}: a second run signs");
    }
}

#[test]
fn steps_end_where_a_fresh_signing_ends_nsec() {
    check_steps("nsec");
}

#[test]
fn steps_end_where_a_fresh_signing_ends_nsec3() {
    check_steps("nsec3");
}

#[test]
fn steps_end_where_a_fresh_signing_ends_opt_out() {
    check_steps("nsec3-opt-out");
}
