//! `<ShareKeys/>`: several zones with the same keys, each with its own parent and its own
//! troubles. A key leaves its token when no zone knows it any more, and not before.
//! In: seeds. Out: the first zone that fails, or that needs a key that is not in the token.
//! What a zone may take: keys that other zones use and keep, newest first, then the pool, as
//! `actors` does it.

use super::lives::{Cast, Covered, Why};
use super::mutants::Mistake;
use super::operator::supply_of;
use super::play::{BEGIN, Play};
use super::policies::{DAY, fit, random_policy};
use super::random::Random;
use super::runs::QUIET;
use dnssec::Seconds;
use dnssec::enforcer::{KeyLife, SupplyKey};
use dnssec::key::KeyId;
use std::collections::BTreeSet;

/// Zones that share.
const ZONES: u32 = 3;
/// Groups in continuous integration.
const GROUPS: u64 = 12;

struct Group {
    plays: Vec<Play>,
    /// Keys in the token.
    token: BTreeSet<KeyId>,
    pool: Vec<SupplyKey>,
    mistake: Mistake,
}

impl Group {
    fn new(seed: u64, cast: Cast, mistake: Mistake) -> Group {
        let mut random = Random::new(seed ^ 0x6009);
        let mut policy = random_policy(&mut random);
        fit(&mut policy, &cast, &mut random);
        policy.keys.share_keys = true;
        policy.keys.purge = Some(Seconds(random.pick(&[1, DAY])));
        for key in &mut policy.keys.keys {
            key.lifetime = Seconds(random.between(60, 200) * DAY);
        }
        let play = |zone: u32| {
            let mut play =
                Play::new(seed * 7 + u64::from(zone), cast, &policy, Mistake::None, false);
            play.serial_base = zone << 24;
            // Zones come one after the other.
            play.look = Some(BEGIN + u64::from(zone) * 40 * DAY);
            play
        };
        let plays = (0..ZONES).map(play).collect();
        Group { plays, token: BTreeSet::new(), pool: Vec::new(), mistake }
    }

    /// What this zone may take.
    fn supply(&self, zone: usize) -> Vec<SupplyKey> {
        let others = self.plays.iter().enumerate().filter(|(other, _)| *other != zone);
        let keys = others.flat_map(|(_, play)| &play.life.keys);
        let mut shared: Vec<&KeyLife> = keys.filter(|key| key.introducing).collect();
        shared.sort_by_key(|key| std::cmp::Reverse(key.inception));
        let mut supply: Vec<SupplyKey> = Vec::new();
        for key in shared {
            if !supply.iter().any(|known| known.id == key.id) {
                supply.push(supply_of(key));
            }
        }
        supply.extend(self.pool.iter().cloned());
        supply
    }

    /// One zone's next moment.
    fn step(&mut self, end: u64) -> Result<bool, Why> {
        let next = |play: &Play| play.next_moment().filter(|at| *at < end);
        let moments =
            self.plays.iter().enumerate().filter_map(|(zone, it)| Some((next(it)?, zone)));
        let Some((at, zone)) = moments.min() else { return Ok(false) };
        let supply = self.supply(zone);
        let algorithms: Vec<_> = supply.iter().map(|key| (key.id.clone(), key.algorithm)).collect();
        let before: Vec<KeyId> = ids(&self.plays[zone]);
        let play = &mut self.plays[zone];
        play.algorithms.extend(algorithms);
        play.pool = supply;
        play.go_on(at)?;
        let now: Vec<KeyId> = ids(play);
        let is_new = |key: &&SupplyKey| !self.pool.iter().any(|known| known.id == key.id);
        let is_shared = |key: &&SupplyKey| self.token.contains(&key.id);
        let made: Vec<SupplyKey> =
            play.pool.iter().filter(is_new).filter(|key| !is_shared(key)).cloned().collect();
        self.pool.extend(made);
        self.pool.retain(|key| !now.contains(&key.id));
        for id in now.iter().filter(|id| !before.contains(id)) {
            self.token.insert(id.clone());
        }
        for id in before.iter().filter(|id| !now.contains(id)) {
            let is_held = self.plays.iter().any(|play| ids(play).contains(id));
            if !is_held || matches!(self.mistake, Mistake::FirstForgets) {
                self.token.remove(id);
            }
        }
        self.check_token()?;
        Ok(true)
    }

    /// Every key that signs something in some zone is in its token.
    fn check_token(&self) -> Result<(), Why> {
        for play in &self.plays {
            let signs = |key: &&KeyLife| key.signs_keyset() || key.signs_zone();
            let lost =
                play.life.keys.iter().filter(signs).find(|key| !self.token.contains(&key.id));
            if let Some(key) = lost {
                return Err(Why::NotInToken(key.id.to_string()));
            }
        }
        Ok(())
    }
}

fn ids(play: &Play) -> Vec<KeyId> {
    play.life.keys.iter().map(|key| key.id.clone()).collect()
}

/// Keys that more than one zone has, at some moment.
#[derive(Default)]
struct Shared {
    keys: BTreeSet<KeyId>,
    outlived: u64,
}

fn play_group(seed: u64, cast: Cast, mistake: Mistake) -> Result<(Covered, Shared), Why> {
    let mut group = Group::new(seed, cast, mistake);
    let end = BEGIN + cast.days * DAY;
    let mut shared = Shared::default();
    while group.step(end)? {
        let all = group.plays.iter().flat_map(ids);
        let mut seen = BTreeSet::new();
        let twice = all.filter(|id| !seen.insert(id.clone()));
        shared.keys.extend(twice);
    }
    let is_in_token = |id: &&KeyId| group.token.contains(*id);
    shared.outlived = shared.keys.iter().filter(|id| !is_in_token(id)).count() as u64;
    let mut covered = Covered::default();
    for play in group.plays {
        covered.add(play.covered());
    }
    Ok((covered, shared))
}

fn cast_of(seed: u64) -> Cast {
    let mut random = Random::new(seed);
    Cast {
        command_days: random.pick(&[0, 20, 60]),
        is_eager: random.one_in(2),
        is_late: random.one_in(4),
        has_standby: random.one_in(3),
        has_outages: random.one_in(4),
        checks_claims: false,
        ..QUIET
    }
}

#[test]
fn shared_keys_stay_while_one_zone_needs_them() {
    let count = std::env::var("ZONE_GROUPS").ok().and_then(|text| text.parse().ok());
    let mut all = Covered::default();
    let (mut keys, mut outlived) = (0, 0);
    let mut failed = Vec::new();
    for seed in 0..count.unwrap_or(GROUPS) {
        match play_group(seed, cast_of(seed), Mistake::None) {
            Ok((covered, shared)) => {
                all.add(covered);
                keys += shared.keys.len();
                outlived += shared.outlived;
            }
            Err(why) => failed.push((seed, why)),
        }
    }
    println!("{all}\n{keys} keys were shared, {outlived} of them left their token");
    assert_eq!(failed, Vec::new(), "groups that fail");
    assert!(keys > 100 && outlived > 50);
}

#[test]
fn key_dropped_when_the_first_zone_lets_go_is_found() {
    let plays = |seed| play_group(seed, cast_of(seed), Mistake::FirstForgets).err();
    let found = (0..GROUPS).find_map(plays);
    println!("| shared key dropped when one zone lets go | {found:?} |");
    assert!(matches!(found, Some(Why::NotInToken(_))));
}
