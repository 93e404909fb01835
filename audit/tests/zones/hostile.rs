//! The functions that `fuzz/fuzz_targets/audit_zone.rs` and `audit_text.rs` run, over mutations of
//! good zones and texts: octets changed, pieces repeated, moved and cut.
//!
//! Prints its seed; `SEED=n` repeats a run.

use std::path::Path;

use crate::common::*;
use crate::corpus::distinct_cases;
use crate::incremental::Random;
use audit::Denial;

#[path = "../../../fuzz/shared/audit_text.rs"]
mod audit_text;
#[path = "../../../fuzz/shared/audit_zone.rs"]
mod audit_zone;

/// Octets as the fuzz target takes them.
fn seed(choices: u8, candidate: &[Rr], source: &[Rr]) -> Vec<u8> {
    let (candidate, source) = (block(candidate), block(source));
    let length = candidate.len() + source.len();
    // Rounded up, so that the division there gives the length again.
    let part = (candidate.len() * 0xffff).div_ceil(length) as u16;
    let [high, low] = part.to_be_bytes();
    [&[choices, high, low][..], &candidate, &source].concat()
}

fn mutate(data: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(data.len());
    let length = 1 + random.below(80.min(data.len() - at));
    let piece: Vec<u8> = data[at..at + length].to_vec();
    match random.below(8) {
        0..=3 => data[at] = random.below(256) as u8,
        4 => data[at] ^= 1 << random.below(8),
        5 => {
            let to = random.below(data.len());
            data.splice(to..to, piece);
        }
        6 => drop(data.drain(at..at + length)),
        _ => data.truncate(audit_zone::HEAD_OCTETS.max(at)),
    }
}

#[test]
fn mutated_good_zones_never_panic() {
    let mut random = Random::new();
    for (kind, denial) in [(2, Denial::Nsec), (4, nsec3(false)), (6, nsec3(true))] {
        let good = sign(&source(), &denial, &Hooks::default());
        for variant in [0, 8, 16, 24] {
            let good = seed(kind | variant, &good, &source());
            audit_zone::judge(&good);
            for _ in 0..25 {
                let mut data = good.clone();
                for _ in 0..=random.below(5) {
                    if data.len() > audit_zone::HEAD_OCTETS {
                        mutate(&mut data, &mut random);
                    }
                }
                audit_zone::judge(&data);
            }
        }
    }
}

/// What fuzzing begins with: good zones, and `UPDATE_EXPECT=1` writes them anew.
#[test]
fn seeds_of_the_fuzz_target_are_good_zones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/audit_zone");
    for (file, choices, denial) in
        [("nsec", 10, Denial::Nsec), ("nsec3", 4, nsec3(false)), ("opt-out", 22, nsec3(true))]
    {
        let good = seed(choices, &sign(&source(), &denial, &Hooks::default()), &source());
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(file), &good).unwrap();
        }
        assert!(std::fs::read(folder.join(file)).unwrap() == good, "{file}");
    }
}

#[test]
fn planted_defects_never_panic() {
    for case in distinct_cases() {
        let (candidate, source) = case.records(true);
        for choices in [0, 1, 2, 4, 6, 32 + 2] {
            audit_zone::judge(&seed(choices, &candidate, &source));
        }
    }
}

/// The texts that the fuzz target of the reader begins with.
const TEXTS: [&str; 2] = [
    include_str!("../../../examples/zones/example.com.zone"),
    include_str!("../../../examples/zones/example.org.zone"),
];

#[test]
fn mutated_good_texts_never_panic_and_say_the_same_in_two_sections() {
    let mut random = Random::new();
    for text in TEXTS {
        for _ in 0..400 {
            let cut = (random.below(0x1_0000) as u16).to_be_bytes();
            let mut data = [&cut[..], text.as_bytes()].concat();
            audit_text::read(&data);
            for _ in 0..=random.below(4) {
                if data.len() > audit_zone::HEAD_OCTETS {
                    mutate(&mut data, &mut random);
                }
            }
            audit_text::read(&data);
        }
    }
}
