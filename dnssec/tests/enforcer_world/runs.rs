//! Many lives: every roll type, and random policies with edits, commands and outages.
//! `SEED=n` repeats one random life and prints what led to its failure; `RUNS=n` plays n of them
//! instead of the few that continuous integration has time for, from seed 0 on or from `FROM=n`.

use super::lives::{Cast, Covered, Failure};
use super::mutants::Mistake;
use super::play::{play, play_policy};
use super::policies::{CSK_ROLLS, DAY, KSK_ROLLS, ZSK_ROLLS, key};
use super::random::Random;
use dnssec::key::KeyRole;
use dnssec::policy::{KeyPolicy, Policy};
use dnssec::{Algorithm, Seconds};

/// Random lives in continuous integration.
const RUNS_DEFAULT: u64 = 200;
/// Length of a life, in days.
const TEN_YEARS: u64 = 3653;

/// Operator and parent do what they are asked at once; nothing else happens.
pub(crate) const QUIET: Cast = Cast {
    edit_days: 0,
    command_days: 0,
    has_outages: false,
    is_late: false,
    is_eager: true,
    checks_claims: true,
    has_cds: false,
    is_watched: false,
    has_standby: false,
    is_followed: false,
    needs_backup: false,
    is_short_of_keys: false,
    days: TEN_YEARS,
};

/// The cast of a random life: from quiet to wild.
fn cast_of(seed: u64) -> Cast {
    let choice = |shift: u32, count: u64| (seed / 3_u64.pow(shift)) % count;
    let mut random = Random::new(seed ^ 0xCA57);
    let edit_days = [0, 30, 150][choice(0, 3) as usize];
    let command_days = [0, 10, 60][choice(1, 3) as usize];
    Cast {
        edit_days,
        command_days,
        has_outages: choice(2, 3) == 1,
        is_late: choice(3, 3) == 1,
        is_eager: choice(4, 3) == 1,
        checks_claims: false,
        has_cds: random.one_in(3),
        is_watched: random.one_in(4),
        has_standby: random.one_in(3),
        is_followed: random.one_in(4),
        needs_backup: random.one_in(4),
        is_short_of_keys: random.one_in(6),
        days: TEN_YEARS,
    }
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[track_caller]
fn expect(result: Result<Covered, Box<Failure>>) -> Covered {
    match result {
        Ok(covered) => covered,
        Err(failure) => {
            panic!("{}\nSEED={}: {:?}", failure.log.join("\n"), failure.seed, failure.why)
        }
    }
}

#[test]
fn random_lives_validate_at_every_instant_w5() {
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("FROM").unwrap_or(0);
            first..first + number("RUNS").unwrap_or(RUNS_DEFAULT)
        }
    };
    let mut all = Covered::default();
    let mut failed = Vec::new();
    for seed in seeds {
        match play(seed, cast_of(seed)) {
            Ok(covered) => all.add(covered),
            Err(failure) => failed.push(failure),
        }
    }
    println!("{all}");
    for failure in failed.iter().take(30) {
        println!("SEED={}: {:?} {:?}", failure.seed, failure.why, cast_of(failure.seed));
    }
    println!("{} of {} lives failed", failed.len(), all.lives + failed.len() as u64);
    if let Some(first) = failed.first() {
        println!("{}", first.log.join("\n"));
    }
    let seeds: Vec<u64> = failed.iter().map(|failure| failure.seed).collect();
    assert_eq!(seeds, Vec::<u64>::new(), "seeds of lives with a view that does not validate");
    assert!(all.evaluations > 0);
}

fn policy_of(keys: Vec<KeyPolicy>) -> Policy {
    let mut policy = Policy::anchorite_default("token");
    policy.keys.keys = keys;
    for key in &mut policy.keys.keys {
        key.lifetime = Seconds(if key.role == KeyRole::Zsk { 60 } else { 120 } * DAY);
    }
    policy
}

/// A quiet life in which each role has at least this many keys that lived to their end.
#[track_caller]
fn check_rolls(keys: Vec<KeyPolicy>, least: &[(KeyRole, u64)]) {
    let name = format!("{:?}", keys.iter().map(|key| key.roll_type).collect::<Vec<_>>());
    let policy = policy_of(keys);
    let covered = expect(play_policy(1, QUIET, &policy, Mistake::None));
    for (role, count) in least {
        let lived = covered.lived.get(&role.to_string()).copied().unwrap_or(0);
        assert!(lived >= *count, "{name}: {lived} {role}s lived in ten years, not {count}");
    }
}

#[test]
fn every_roll_type_rolls_for_ten_years() {
    let algorithm = Algorithm::EcdsaP256Sha256;
    for ksk in KSK_ROLLS {
        for zsk in ZSK_ROLLS {
            let keys = vec![key(KeyRole::Ksk, algorithm, ksk), key(KeyRole::Zsk, algorithm, zsk)];
            check_rolls(keys, &[(KeyRole::Ksk, 25), (KeyRole::Zsk, 50)]);
        }
    }
    for csk in CSK_ROLLS {
        check_rolls(vec![key(KeyRole::Csk, algorithm, csk)], &[(KeyRole::Csk, 25)]);
    }
}
