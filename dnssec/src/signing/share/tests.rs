//! Passes over simulated time: how even the load is, and how long signatures live.

use super::*;
use crate::RrType;
use crate::policy::Policy;
use proptest::prelude::*;

const START: Timestamp = Timestamp(1_800_000_000);
const DAY: u64 = 86_400;

/// A zone whose chunks are signed as a whole.
struct Simulation {
    policy: SignaturesPolicy,
    seed: u64,
    pass: u64,
    counts: Vec<u64>,
    /// When each chunk was signed, and until when it lasts.
    lives: Vec<(Timestamp, Timestamp)>,
}

impl Simulation {
    /// A zone that is signed at [`START`].
    fn new(policy: &SignaturesPolicy, counts: Vec<u64>, seed: u64) -> Simulation {
        let lives = vec![(START, START); counts.len()];
        let mut zone = Simulation { policy: policy.clone(), seed, pass: 0, counts, lives };
        (0..zone.counts.len()).for_each(|chunk| zone.sign(chunk));
        zone
    }

    fn times(&self) -> SigningTimes {
        let now = START.plus(Seconds(self.pass * self.policy.resign.0));
        SigningTimes { now, policy: self.policy.clone(), seed: self.seed ^ (self.pass << 20) }
    }

    fn sign(&mut self, chunk: usize) {
        let times = self.times();
        let expiration = times.expiration(&(chunk as u64).to_be_bytes(), RrType::A);
        self.lives[chunk] = (times.now, expiration);
    }

    /// The next pass; returns the number of signatures made.
    fn run_pass(&mut self) -> u64 {
        self.pass += 1;
        let (times, policy) = (self.times(), self.policy.clone());
        let life = |(count, (_, expiration)): (&u64, &(Timestamp, Timestamp))| ChunkLife {
            signature_count: *count,
            earliest_expiration: Some(expiration.to_wire()),
        };
        let lives: Vec<_> = self.counts.iter().zip(&self.lives).map(life).collect();
        let mut made = 0;
        for (chunk, renewal) in renewals(&lives, &times).into_iter().enumerate() {
            let (signed, expiration) = self.lives[chunk];
            // Between two passes signatures lose one resign interval of the life they had.
            let least = times.least_life().0.saturating_sub(policy.resign.0);
            assert!(expiration.since(times.now).0 >= least, "too little life before a pass");
            if renewal == Some(Renewal::Ahead) {
                assert!(times.now >= signed.plus(policy.resign), "renewed too young");
            }
            if renewal.is_some() {
                self.sign(chunk);
                made += self.counts[chunk];
            }
            let (signed, expiration) = self.lives[chunk];
            let longest = policy.validity_default.0 + policy.jitter.0;
            assert!(expiration >= times.now.plus(times.least_life()), "too little life left");
            assert!(times.now.since(signed).0 <= longest - policy.refresh.0, "too old");
        }
        made
    }

    /// Passes in a cycle, at least one.
    fn cycle_passes(&self) -> u64 {
        (cycle(&self.policy).0 / self.policy.resign.0).max(1)
    }

    fn exact_share(&self) -> f64 {
        let all: u64 = self.counts.iter().sum();
        all as f64 * self.policy.resign.0 as f64 / cycle(&self.policy).0 as f64
    }

    /// Whether a pass's load is within a quarter of the share, where `slack` signatures more or
    /// less are allowed for: chunks are whole.
    #[track_caller]
    fn check_even(&self, made: u64, slack: u64) {
        let share = self.exact_share();
        let off = (made as f64 - share).abs();
        assert!(
            off <= share / 4.0 + slack as f64,
            "pass {}: {made} made, share {share}",
            self.pass
        );
    }
}

fn default_policy() -> SignaturesPolicy {
    Policy::anchorite_default("token").signatures
}

#[test]
fn load_is_even_for_sixty_days() {
    let mut zone = Simulation::new(&default_policy(), vec![150; 2000], 1);
    let cycle_passes = zone.cycle_passes();
    assert_eq!(cycle_passes, 132);
    let loads: Vec<u64> = (0..60 * 12)
        .map(|_| {
            let made = zone.run_pass();
            // Even from the second day on, when nothing is too young any more.
            if zone.pass > 24 {
                zone.check_even(made, 0);
            }
            made
        })
        .collect();
    for cycle in loads[132..].chunks_exact(132) {
        let made: u64 = cycle.iter().sum();
        assert!(made.abs_diff(300_000) < 3_000, "{made} signatures in a cycle");
    }
}

#[test]
fn edits_do_not_disturb_the_spread() {
    let mut zone = Simulation::new(&default_policy(), vec![150; 2000], 2);
    for _ in 0..60 * 12 {
        let made = zone.run_pass();
        if zone.pass > 24 {
            zone.check_even(made, 0);
        }
        for edit in 0..5 {
            zone.sign(((zone.pass * 7919 + edit * 104_729) % 2000) as usize);
        }
    }
}

#[test]
fn a_zone_just_signed_is_left_alone() {
    let zone = Simulation::new(&default_policy(), vec![150; 2000], 5);
    let life = |(_, expiration): &(Timestamp, Timestamp)| ChunkLife {
        signature_count: 150,
        earliest_expiration: Some(expiration.to_wire()),
    };
    let lives: Vec<ChunkLife> = zone.lives.iter().map(life).collect();
    for seconds in [0, 60, zone.policy.resign.0 - 1] {
        let times = SigningTimes { now: START.plus(Seconds(seconds)), ..zone.times() };
        assert!(renewals(&lives, &times).iter().all(Option::is_none));
    }
}

#[test]
fn small_zones_are_never_renewed_ahead() {
    let mut zone = Simulation::new(&default_policy(), vec![150; 131], 3);
    let first_due = zone.lives.iter().map(|(_, expiration)| *expiration).min().unwrap();
    while zone.times().now.plus(zone.policy.refresh) < first_due {
        let due_now = zone.times().now.plus(zone.policy.resign).plus(zone.policy.refresh);
        let made = zone.run_pass();
        assert_eq!(made > 0, first_due < due_now);
    }
}

#[test]
fn absurd_policies_do_not_panic() {
    let numbers = [0, 1, 3600, 30 * DAY, u64::MAX];
    let lives: Vec<ChunkLife> = (0..40)
        .map(|number| ChunkLife {
            signature_count: if number == 7 { u64::MAX } else { number },
            earliest_expiration: (number != 0)
                .then_some(START.to_wire().wrapping_add(number as u32)),
        })
        .collect();
    for (resign, refresh) in numbers.iter().flat_map(|r| numbers.iter().map(move |s| (*r, *s))) {
        for (validity, jitter) in numbers.iter().flat_map(|v| numbers.iter().map(move |j| (*v, *j)))
        {
            let mut policy = default_policy();
            (policy.resign, policy.refresh) = (Seconds(resign), Seconds(refresh));
            (policy.validity_default, policy.jitter) = (Seconds(validity), Seconds(jitter));
            let times = SigningTimes { now: START, policy, seed: 1 };
            let renewals = renewals(&lives, &times);
            assert_eq!(renewals[0], None, "a chunk without signatures");
            if refresh == 0 {
                // Everything, each time, and as due: nothing is kept for being young.
                assert!(renewals[1..].iter().all(|it| *it == Some(Renewal::Due)));
            }
        }
    }
}

#[test]
fn passes_rarer_than_the_cycle_take_everything() {
    let mut policy = default_policy();
    policy.jitter = Seconds(0);
    policy.resign = Seconds(12 * DAY);
    let mut zone = Simulation::new(&policy, vec![1; 50], 4);
    for _ in 0..5 {
        assert_eq!(zone.run_pass(), 50);
    }
}

prop_compose! {
    fn any_policy()(
        resign_hours in 1..=12_u64,
        refresh_days in 1..=7_u64,
        cycle_days in 2..=20_u64,
        jitter_parts in 0..=25_u64,
    ) -> SignaturesPolicy {
        let validity = Seconds((refresh_days + cycle_days) * DAY);
        SignaturesPolicy {
            resign: Seconds(resign_hours * 3600),
            refresh: Seconds(refresh_days * DAY),
            validity_default: validity,
            validity_denial: validity,
            jitter: Seconds(cycle_days * DAY * jitter_parts / 100),
            ..default_policy()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever the policy: lives are long enough in every pass, and after the first cycle loads
    /// are even and make each signature once in a cycle.
    #[test]
    fn load_is_even_under_any_policy(
        policy in any_policy(),
        counts in proptest::collection::vec(100..200_u64, 100..600),
        edits_per_pass in 0..3_u64,
        seed in any::<u64>(),
    ) {
        let mut zone = Simulation::new(&policy, counts, seed);
        let cycle_passes = zone.cycle_passes();
        let is_spread = zone.counts.len() as u64 > cycle_passes;
        let chunk_count = zone.counts.len() as u64;
        let largest = zone.counts.iter().max().copied().unwrap_or_default();
        let mut total = 0;
        for _ in 0..60 * DAY / policy.resign.0 {
            let made = zone.run_pass();
            if is_spread && zone.pass > cycle_passes + 1 {
                zone.check_even(made, largest);
            }
            total += made;
            for edit in 0..edits_per_pass {
                let place = seed.wrapping_add(zone.pass * 7919 + edit * 104_729);
                zone.sign((place % chunk_count) as usize);
            }
        }
        if is_spread {
            let all: u64 = zone.counts.iter().sum();
            let cycles = zone.pass as f64 / cycle_passes as f64;
            prop_assert!(total as f64 <= 1.1 * cycles * all as f64 + all as f64);
        }
    }
}
