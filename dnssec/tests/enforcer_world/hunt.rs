//! Each planted mistake is found: what the model is worth. `cargo test -p dnssec --test
//! enforcer_world mistakes -- --nocapture` prints the table of docs/src/proof.md.

use super::keys::ALGORITHMS;
use super::lives::{Cast, Why};
use super::mutants::{Ignored, Mistake};
use super::play::play_policy;
use super::policies::{CSK_ROLLS, DAY, KSK_ROLLS, ZSK_ROLLS, fit, key, random_policy};
use super::random::Random;
use super::runs::QUIET;
use super::sync::WrongSync;
use dnssec::Seconds;
use dnssec::enforcer::{DsAtParent, DsShown, Gate, RecordKind, RecordState, Rule};
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, Policy};

/// Seeds that are tried before a mistake counts as not found.
const SEEDS_MAX: u64 = 150;

const DS: &[RecordKind] = &[RecordKind::Ds];
const KEYS: &[RecordKind] = &[RecordKind::Dnskey, RecordKind::RrsigDnskey];
const SIGNATURES: &[RecordKind] = &[RecordKind::Rrsig];
const COMES: RecordState = RecordState::Rumoured;
const LEAVES: RecordState = RecordState::Unretentive;

struct Plant {
    name: &'static str,
    mistake: Mistake,
    cast: Cast,
}

fn plant(name: &'static str, mistake: Mistake) -> Plant {
    Plant { name, mistake, cast: Cast { days: 4 * 365, ..QUIET } }
}

fn hasty(
    name: &'static str,
    kinds: &'static [RecordKind],
    state: RecordState,
    by: fn(&Policy) -> u64,
) -> Plant {
    plant(name, Mistake::Hasty { kinds, state, by })
}

/// A wait without one of its addends, or with a second less.
fn short_waits() -> Vec<Plant> {
    let mut plants = Vec::new();
    for (state, names) in [
        (COMES, ["DS comes: 1 s", "DS comes: TTL", "DS comes: registration", "DS comes: delay"]),
        (
            LEAVES,
            ["DS leaves: 1 s", "DS leaves: TTL", "DS leaves: registration", "DS leaves: delay"],
        ),
    ] {
        plants.push(hasty(names[0], DS, state, |_| 1));
        plants.push(hasty(names[1], DS, state, |policy| policy.parent.ds_ttl.0));
        plants.push(hasty(names[2], DS, state, |policy| policy.parent.registration_delay.0));
        plants.push(hasty(names[3], DS, state, |policy| policy.parent.propagation_delay.0));
    }
    for (state, names) in [
        (COMES, ["DNSKEY comes: 1 s", "DNSKEY comes: TTL", "DNSKEY comes: delay"]),
        (LEAVES, ["DNSKEY leaves: 1 s", "DNSKEY leaves: TTL", "DNSKEY leaves: delay"]),
    ] {
        plants.push(hasty(names[0], KEYS, state, |_| 1));
        plants.push(hasty(names[1], KEYS, state, |policy| policy.keys.ttl.0));
        plants.push(hasty(names[2], KEYS, state, |policy| policy.zone.propagation_delay.0));
    }
    plants.push(hasty("DNSKEY comes: safety", KEYS, COMES, |it| it.keys.publish_safety.0));
    plants.push(hasty("DNSKEY leaves: safety", KEYS, LEAVES, |it| it.keys.retire_safety.0));
    for (state, names) in [
        (COMES, ["RRSIG comes: 1 s", "RRSIG comes: TTL", "RRSIG comes: delay"]),
        (LEAVES, ["RRSIG leaves: 1 s", "RRSIG leaves: TTL", "RRSIG leaves: delay"]),
    ] {
        plants.push(hasty(names[0], SIGNATURES, state, |_| 1));
        plants.push(hasty(names[1], SIGNATURES, state, data_ttl));
        plants.push(hasty(names[2], SIGNATURES, state, |it| it.zone.propagation_delay.0));
    }
    for (state, names) in [
        (COMES, ["RRSIG comes: jitter", "RRSIG comes: validity", "RRSIG comes: resign"]),
        (LEAVES, ["RRSIG leaves: jitter", "RRSIG leaves: validity", "RRSIG leaves: resign"]),
    ] {
        plants.push(hasty(names[0], SIGNATURES, state, |it| it.signatures.jitter.0));
        plants.push(hasty(names[1], SIGNATURES, state, |it| {
            it.signatures.validity_default.max(it.signatures.validity_denial).0
        }));
        plants.push(hasty(names[2], SIGNATURES, state, |it| it.signatures.resign.0));
    }
    plants
}

fn data_ttl(policy: &Policy) -> u64 {
    let ttl = policy.signatures.max_zone_ttl.unwrap_or(Seconds(DAY));
    ttl.max(policy.zone.soa_ttl).0
}

/// The core is told a term that is a second less than the world's; those that are the largest of
/// several count only where they are the largest.
fn told_terms() -> Vec<Plant> {
    fn less(term: &mut Seconds) {
        term.0 = term.0.saturating_sub(1);
    }
    vec![
        plant("told: DS TTL", Mistake::Told(|it| less(&mut it.parent.ds_ttl))),
        plant(
            "told: registration delay",
            Mistake::Told(|it| less(&mut it.parent.registration_delay)),
        ),
        plant("told: parent's delay", Mistake::Told(|it| less(&mut it.parent.propagation_delay))),
        plant("told: Keys/TTL", Mistake::Told(|it| less(&mut it.keys.ttl))),
        plant("told: publish safety", Mistake::Told(|it| less(&mut it.keys.publish_safety))),
        plant("told: retire safety", Mistake::Told(|it| less(&mut it.keys.retire_safety))),
        plant("told: zone's delay", Mistake::Told(|it| less(&mut it.zone.propagation_delay))),
        plant("told: SOA TTL", Mistake::Told(|it| less(&mut it.zone.soa_ttl))),
        plant(
            "told: MaxZoneTTL",
            Mistake::Told(|it| it.signatures.max_zone_ttl.as_mut().map(less).unwrap_or(())),
        ),
        plant(
            "told: NSEC3PARAM TTL",
            Mistake::Told(|it| {
                if let DenialPolicy::Nsec3(nsec3) = &mut it.denial {
                    less(&mut nsec3.param_ttl);
                }
            }),
        ),
        plant(
            "told: negative TTL",
            Mistake::Told(|it| {
                // Only that of the first DNSKEY: the data's TTL stays.
                let data = it.zone.soa_ttl.max(it.zone.soa_minimum);
                let all = it.signatures.max_zone_ttl.unwrap_or_default().max(data);
                it.signatures.max_zone_ttl = Some(all);
                less(&mut it.zone.soa_minimum);
            }),
        ),
        plant("told: jitter", Mistake::Told(|it| less(&mut it.signatures.jitter))),
        plant("told: validity", Mistake::Told(|it| less(&mut it.signatures.validity_default))),
        plant(
            "told: denial validity",
            Mistake::Told(|it| less(&mut it.signatures.validity_denial)),
        ),
        plant("told: resign", Mistake::Told(|it| less(&mut it.signatures.resign))),
        plant("told: refresh", Mistake::Told(|it| it.signatures.refresh.0 += 1)),
    ]
}

fn gates() -> Vec<Plant> {
    let ignores = |name, gate| plant(name, Mistake::Ignores(gate));
    let with = |mut plant: Plant, change: fn(&mut Cast)| {
        change(&mut plant.cast);
        plant
    };
    vec![
        ignores("rule 2, and every view", Ignored::Rules(&[Rule::ChainValid, Rule::EveryView])),
        ignores(
            "rule 3, and every view",
            Ignored::Rules(&[Rule::SignaturesValid, Rule::EveryView]),
        ),
        with(
            ignores("every view: rules 2 and 3 alone", Ignored::Rules(&[Rule::EveryView])),
            |cast| {
                cast.is_eager = false;
            },
        ),
        with(ignores("the operator's ds-seen and ds-gone", Ignored::DsAtParent), |cast| {
            cast.is_eager = false;
        }),
        with(plant("earlier policies are forgotten", Mistake::NoOldTerms), |cast| {
            cast.edit_days = 30;
            cast.checks_claims = false;
        }),
        with(plant("decided is published", Mistake::DecidedIsPublished), |cast| {
            cast.has_outages = true;
            cast.checks_claims = false;
        }),
    ]
}

/// What the extras of a zone can do wrong: standby keys, RFC 5011, backups, CDS.
fn extras() -> Vec<Plant> {
    let with = |name, mistake, change: fn(&mut Cast)| {
        let mut plant = plant(name, mistake);
        change(&mut plant.cast);
        plant
    };
    let ignores = |gates| Mistake::Ignores(Ignored::Gates(gates));
    let by_cds = |cast: &mut Cast| {
        cast.has_cds = true;
    };
    let follow = |cast: &mut Cast| {
        cast.is_followed = true;
        cast.checks_claims = false;
    };
    vec![
        with("standby key counts as known at once", Mistake::StandbyAtOnce, |cast| {
            cast.has_standby = true;
            cast.command_days = 10;
        }),
        with("key without a backup is relied on", ignores(&[Gate::Backup]), |cast| {
            cast.needs_backup = true;
            cast.checks_claims = false;
        }),
        with("revoked 1 s before another key is trusted", early(Gate::AddHoldDown), follow),
        with("key revoked a day before another one is trusted", HASTY_REVOCATION, follow),
        with("revoked key leaves 1 s early", early(Gate::RemoveHoldDown), follow),
        with("key leaves without being revoked", ignores(&HOLD_DOWNS), follow),
        with("CDS asks for removal", Mistake::Sync(WrongSync::DeletesOnTheWay), by_cds),
        with("CDS names a key too early", Mistake::Sync(WrongSync::NamesEarly), by_cds),
        with("CDS names the newest key only", Mistake::Sync(WrongSync::NamesNewest), by_cds),
        with("what the parent's servers show is not waited for", ignores(&PARENT), |cast| {
            cast.is_watched = true;
            cast.is_eager = false;
            cast.checks_claims = false;
        }),
    ]
}

const HOLD_DOWNS: [Gate; 2] = [Gate::AddHoldDown, Gate::RemoveHoldDown];
const PARENT: [Gate; 6] = [
    Gate::ParentShows(DsShown::Everywhere),
    Gate::ParentShows(DsShown::Somewhere),
    Gate::ParentShows(DsShown::Nowhere),
    Gate::DsAtParent(DsAtParent::Seen),
    Gate::DsAtParent(DsAtParent::Unsubmitted),
    Gate::Time,
];

const HASTY_REVOCATION: Mistake = Mistake::Early(Gate::AddHoldDown, |_| DAY);

fn early(gate: Gate) -> Mistake {
    Mistake::Early(gate, |_| 1)
}

/// A random policy whose keys roll soon.
fn policy_of(seed: u64, cast: &Cast) -> Policy {
    let mut random = Random::new(seed);
    let mut policy = random_policy(&mut random);
    let algorithm = random.pick(&ALGORITHMS);
    policy.keys.purge = Some(Seconds(1));
    policy.keys.keys = match seed % 3 {
        0 => vec![key(KeyRole::Csk, algorithm, random.pick(&CSK_ROLLS))],
        _ => vec![
            key(KeyRole::Ksk, algorithm, random.pick(&KSK_ROLLS)),
            key(KeyRole::Zsk, algorithm, random.pick(&ZSK_ROLLS)),
        ],
    };
    for key in &mut policy.keys.keys {
        key.lifetime = Seconds(random.between(60, 150) * DAY);
    }
    fit(&mut policy, cast, &mut random);
    policy
}

/// Where the mistake is found first: by a view that does not validate, or else by a state that is
/// not true.
fn hunt(plant: &Plant) -> Option<(u64, Why)> {
    let blind = Cast { checks_claims: false, ..plant.cast };
    hunt_as(plant, blind).or_else(|| hunt_as(plant, plant.cast))
}

fn hunt_as(plant: &Plant, cast: Cast) -> Option<(u64, Why)> {
    (0..SEEDS_MAX).find_map(|seed| {
        let policy = policy_of(seed, &cast);
        let failure = play_policy(seed, cast, &policy, plant.mistake).err()?;
        // A life that ends badly without the mistake says nothing about it.
        play_policy(seed, cast, &policy, Mistake::None).ok()?;
        Some((failure.seed, failure.why))
    })
}

#[test]
fn planted_mistakes_are_found() {
    let mut missed = Vec::new();
    for plant in short_waits().iter().chain(&told_terms()).chain(&gates()).chain(&extras()) {
        match hunt(plant) {
            Some((seed, why)) => println!("| {} | {seed} | {why:?} |", plant.name),
            None => missed.push(plant.name),
        }
    }
    assert_eq!(missed, Vec::<&str>::new(), "not found with {SEEDS_MAX} seeds each");
}

/// The very lives that find the mistakes are well without them.
#[test]
fn lives_of_the_hunt_are_well_without_mistakes() {
    for plant in gates().into_iter().chain(extras()) {
        for seed in 0..10 {
            let result =
                play_policy(seed, plant.cast, &policy_of(seed, &plant.cast), Mistake::None);
            if let Err(failure) = result {
                panic!(
                    "{}\nseed {seed}, {}: {:?}",
                    failure.log.join("\n"),
                    plant.name,
                    failure.why
                );
            }
        }
    }
}
