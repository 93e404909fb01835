//! Policy edits and commands at each state of each roll (fault R17), enumerated: each roll is
//! walked with a prompt parent; from each state that the zone comes by, at its first moment and at
//! its last, the life is continued once for each edit and command until nothing moves any more.
//! Every view validates at every instant, and in the end the zone has the keys that the policy
//! wants, all of them everywhere, and no others.
//! `R17=TEXT` plays only the pairs whose name has the text in it (`KskDoubleDs / no keys`).

use super::keys::ALGORITHMS;
use super::lives::{Cast, Why};
use super::mutants::Mistake;
use super::play::{Play, hash_of};
use super::policies::{CSK_ROLLS, DAY, KSK_ROLLS, ZSK_ROLLS, key};
use super::runs::QUIET;
use dnssec::enforcer::{KeyLife, KeyUse, RecordKind, RecordState, roll_now, state_word_1x};
use dnssec::first_keys::wanted_bits;
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, KeyPolicy, Nsec3Policy, Policy, RollType};
use dnssec::{Algorithm, Seconds};
use std::collections::BTreeSet;

/// Longest time until nothing moves any more after an edit: two rolls, of which each may wait for
/// RFC 5011 and for signatures.
const CALM_WITHIN: u64 = 400 * DAY;
/// States of one roll.
const STATES_MAX: usize = 60;

/// What happens to a zone.
#[derive(Clone, Copy)]
enum Blow {
    Edit(fn(&mut Policy)),
    /// Whether it applied.
    Command(fn(&mut Play) -> bool),
}

type Named = (&'static str, Blow);

fn base(keys: Vec<KeyPolicy>) -> Policy {
    let mut policy = Policy::anchorite_default("token");
    policy.keys.keys = keys;
    policy.keys.purge = Some(Seconds(3600));
    policy.parent.registration_delay = Seconds(7200);
    for key in &mut policy.keys.keys {
        key.lifetime = Seconds(0);
    }
    policy
}

fn split(ksk: RollType, zsk: RollType) -> Policy {
    let algorithm = Algorithm::EcdsaP256Sha256;
    base(vec![key(KeyRole::Ksk, algorithm, ksk), key(KeyRole::Zsk, algorithm, zsk)])
}

fn single(roll: RollType) -> Policy {
    base(vec![key(KeyRole::Csk, Algorithm::EcdsaP256Sha256, roll)])
}

fn usual() -> Policy {
    split(RollType::KskDoubleSignature, RollType::ZskPrePublication)
}

fn no_keys(policy: &mut Policy) {
    policy.keys.keys.clear();
}

fn other_algorithm(policy: &mut Policy) {
    for key in &mut policy.keys.keys {
        let is_it = |algorithm: &Algorithm| *algorithm == key.algorithm;
        let index = ALGORITHMS.iter().position(is_it).expect("the model's algorithms only");
        key.algorithm = ALGORITHMS[(index + 1) % ALGORITHMS.len()];
        key.length_bits = key.algorithm.is_rsa().then_some(2048);
    }
}

fn larger(policy: &mut Policy) {
    for key in policy.keys.keys.iter_mut().filter(|key| key.algorithm.is_rsa()) {
        key.length_bits = Some(if key.length_bits == Some(2048) { 4096 } else { 2048 });
    }
}

fn other_repository(policy: &mut Policy) {
    for key in &mut policy.keys.keys {
        key.repository = if key.repository == "token" { "other" } else { "token" }.to_owned();
    }
}

fn other_split(policy: &mut Policy) {
    let Some(first) = policy.keys.keys.first().cloned() else { return };
    let make = |role, roll_type| KeyPolicy { role, roll_type, ..first.clone() };
    policy.keys.keys = match first.role {
        KeyRole::Csk => vec![
            make(KeyRole::Ksk, RollType::KskDoubleSignature),
            KeyPolicy { rfc5011: false, ..make(KeyRole::Zsk, RollType::ZskPrePublication) },
        ],
        _ => vec![make(KeyRole::Csk, RollType::CskPrePublication)],
    };
}

fn other_roll_type(policy: &mut Policy) {
    let next = |types: &[RollType], now: RollType| {
        let index = types.iter().position(|it| *it == now).unwrap_or(0);
        types[(index + 1) % types.len()]
    };
    for key in &mut policy.keys.keys {
        key.roll_type = match key.role {
            KeyRole::Ksk => next(&KSK_ROLLS, key.roll_type),
            KeyRole::Zsk => next(&ZSK_ROLLS, key.roll_type),
            KeyRole::Csk => next(&CSK_ROLLS, key.roll_type),
        };
    }
}

fn scale_ttls(policy: &mut Policy, up: u64, down: u64) {
    let scale = |ttl: &mut Seconds| ttl.0 = (ttl.0 * up / down).max(1);
    scale(&mut policy.keys.ttl);
    scale(&mut policy.zone.soa_ttl);
    scale(&mut policy.zone.soa_minimum);
    scale(&mut policy.parent.ds_ttl);
    policy.signatures.max_zone_ttl.as_mut().into_iter().for_each(scale);
}

fn scale_delays(policy: &mut Policy, up: u64, down: u64) {
    let scale = |delay: &mut Seconds| delay.0 = delay.0 * up / down;
    scale(&mut policy.zone.propagation_delay);
    scale(&mut policy.parent.propagation_delay);
    scale(&mut policy.keys.publish_safety);
    scale(&mut policy.keys.retire_safety);
}

fn scale_signatures(policy: &mut Policy, up: u64, down: u64) {
    let signatures = &mut policy.signatures;
    for length in [
        &mut signatures.validity_default,
        &mut signatures.validity_denial,
        &mut signatures.refresh,
        &mut signatures.jitter,
    ] {
        length.0 = length.0 * up / down;
    }
}

fn other_denial(policy: &mut Policy) {
    policy.denial = match policy.denial {
        DenialPolicy::Nsec3(_) => DenialPolicy::Nsec,
        DenialPolicy::Nsec => DenialPolicy::Nsec3(Nsec3Policy {
            param_ttl: Seconds(2 * DAY),
            opt_out: false,
            resalt: Seconds(0),
            hash_algorithm: 1,
            iterations: 0,
            salt_length: 0,
        }),
    };
}

fn with_keysigners(policy: &mut Policy, change: fn(&mut KeyPolicy)) {
    policy.keys.keys.iter_mut().filter(|key| key.role.signs_keyset()).for_each(change);
}

/// Takes each key in turn until one fits.
fn any_key(play: &mut Play, act: fn(&mut Play, &KeyLife) -> bool) -> bool {
    let keys = play.life.keys.clone();
    keys.iter().any(|key| act(play, key))
}

const BLOWS: &[Named] = &[
    ("TTLs up", Blow::Edit(|it| scale_ttls(it, 30, 1))),
    ("TTLs down", Blow::Edit(|it| scale_ttls(it, 1, 60))),
    ("delays up", Blow::Edit(|it| scale_delays(it, 3, 1))),
    ("delays down", Blow::Edit(|it| scale_delays(it, 1, 100))),
    ("registration up", Blow::Edit(|it| it.parent.registration_delay.0 = 5 * DAY)),
    ("registration down", Blow::Edit(|it| it.parent.registration_delay.0 = 0)),
    ("validity up", Blow::Edit(|it| scale_signatures(it, 3, 1))),
    ("validity down", Blow::Edit(|it| scale_signatures(it, 2, 3))),
    ("refresh at once", Blow::Edit(|it| it.signatures.refresh = Seconds(0))),
    ("resign rarely", Blow::Edit(|it| it.signatures.resign = Seconds(DAY))),
    ("other algorithm", Blow::Edit(other_algorithm)),
    ("other length", Blow::Edit(larger)),
    ("other roll type", Blow::Edit(other_roll_type)),
    ("CSK for KSK and ZSK, or back", Blow::Edit(other_split)),
    ("no keys", Blow::Edit(no_keys)),
    ("other repository", Blow::Edit(other_repository)),
    ("other denial", Blow::Edit(other_denial)),
    ("passthrough", Blow::Edit(|it| it.passthrough = !it.passthrough)),
    ("one standby key", Blow::Edit(|it| it.keys.keys.iter_mut().for_each(|it| it.standby = 1))),
    ("no standby keys", Blow::Edit(|it| it.keys.keys.iter_mut().for_each(|it| it.standby = 0))),
    ("RFC 5011", Blow::Edit(|it| with_keysigners(it, |key| key.rfc5011 = true))),
    ("no RFC 5011", Blow::Edit(|it| with_keysigners(it, |key| key.rfc5011 = false))),
    ("purge never", Blow::Edit(|it| it.keys.purge = None)),
    ("key rollover KSK", Blow::Command(|it| roll(it, KeyRole::Ksk))),
    ("key rollover ZSK", Blow::Command(|it| roll(it, KeyRole::Zsk))),
    ("key rollover CSK", Blow::Command(|it| roll(it, KeyRole::Csk))),
    ("key ksk-retire", Blow::Command(|it| any_key(it, |play, key| play.retire(key)))),
    ("ds-seen --no-retire", Blow::Command(|it| any_key(it, stays))),
    ("key revoke", Blow::Command(|it| any_key(it, |play, key| play.revoke(key)))),
    (
        "key purge",
        Blow::Command(|it| {
            it.purge();
            true
        }),
    ),
    ("key import", Blow::Command(Play::import_new)),
    ("to a new machine", Blow::Command(Play::migrate)),
    ("ds-submit where it does not apply", Blow::Command(refuses_all)),
];

fn stays(play: &mut Play, key: &KeyLife) -> bool {
    key.role.signs_keyset() && play.keep(std::slice::from_ref(&key.id))
}

fn roll(play: &mut Play, role: KeyRole) -> bool {
    play.life = roll_now(&play.life, role);
    true
}

/// Each DS command is refused for each key where it does not apply; nothing comes of it.
fn refuses_all(play: &mut Play) -> bool {
    let keys = play.life.keys.clone();
    keys.iter().all(|key| play.refuses_bad_commands(key))
}

/// A roll: the policy that the zone has at first, and what begins the roll.
struct Roll {
    name: String,
    policy: Policy,
    begin: Blow,
    cast: Cast,
}

fn rolls() -> Vec<Roll> {
    let cast = Cast { checks_claims: false, is_watched: false, ..QUIET };
    let mut rolls = Vec::new();
    let mut add = |name: String, policy: Policy, begin: Blow| {
        rolls.push(Roll { name, policy, begin, cast });
    };
    let ksk = Blow::Command(|it| roll(it, KeyRole::Ksk));
    let zsk = Blow::Command(|it| roll(it, KeyRole::Zsk));
    let csk = Blow::Command(|it| roll(it, KeyRole::Csk));
    for it in KSK_ROLLS {
        add(format!("{it:?}"), split(it, RollType::ZskPrePublication), ksk);
    }
    for it in ZSK_ROLLS {
        add(format!("{it:?}"), split(RollType::KskDoubleSignature, it), zsk);
    }
    for it in CSK_ROLLS {
        add(format!("{it:?}"), single(it), csk);
    }
    add("algorithm, KSK and ZSK".to_owned(), usual(), Blow::Edit(other_algorithm));
    let one = single(RollType::CskPrePublication);
    add("algorithm, CSK".to_owned(), one.clone(), Blow::Edit(other_algorithm));
    let mut rsa = usual();
    for key in &mut rsa.keys.keys {
        (key.algorithm, key.length_bits) = (Algorithm::RsaSha256, Some(2048));
    }
    add("length".to_owned(), rsa, Blow::Edit(larger));
    add("repository".to_owned(), usual(), Blow::Edit(other_repository));
    add("to a CSK".to_owned(), usual(), Blow::Edit(other_split));
    add("from a CSK".to_owned(), one.clone(), Blow::Edit(other_split));
    add("going unsigned".to_owned(), usual(), Blow::Edit(no_keys));
    add("going unsigned, CSK".to_owned(), one.clone(), Blow::Edit(no_keys));
    let mut unsigned = usual();
    unsigned.passthrough = true;
    add("going signed".to_owned(), unsigned, Blow::Edit(|it| it.passthrough = false));
    let mut unsigned = one.clone();
    unsigned.passthrough = true;
    add("going signed, CSK".to_owned(), unsigned, Blow::Edit(|it| it.passthrough = false));
    for (name, mut policy, begin) in
        [("KSK", usual(), ksk), ("ZSK", usual(), zsk), ("CSK", one.clone(), csk)]
    {
        policy.keys.keys.iter_mut().for_each(|key| key.standby = 1);
        add(format!("standby {name}"), policy, begin);
    }
    let split_up = Blow::Edit(other_split);
    for (name, mut policy, begin) in [
        ("KSK", usual(), ksk),
        ("CSK", one.clone(), csk),
        ("from a CSK", one, split_up),
        ("going unsigned", usual(), Blow::Edit(no_keys)),
    ] {
        with_keysigners(&mut policy, |key| key.rfc5011 = true);
        add(format!("RFC 5011, {name}"), policy, begin);
    }
    let mut by_cds = usual();
    by_cds.parent.publishes_cds = true;
    let cast = Cast { has_cds: true, is_watched: true, ..cast };
    rolls.push(Roll { name: "CDS, watched".to_owned(), policy: by_cds, begin: ksk, cast });
    rolls
}

impl Play {
    /// Does it; whether it applied.
    fn blow(&mut self, blow: Blow) -> bool {
        match blow {
            Blow::Command(command) => command(self),
            Blow::Edit(edit) => {
                let before = self.policy.clone();
                edit(&mut self.policy);
                if self.parent.is_at_work() || self.sync.is_behind() {
                    // What the registry has promised it keeps.
                    self.policy.parent = before.parent.clone();
                }
                if self.is_barred(&before) {
                    self.policy = before.clone();
                }
                self.policy != before
            }
        }
    }

    /// Goes on until nothing moves any more.
    fn calm_down(&mut self) -> Result<(), Why> {
        let end = self.world.now + CALM_WITHIN;
        while let Some(next) = self.next_moment() {
            if next > end {
                return Err(Why::Stuck { keys: self.text() });
            }
            self.go_on(next)?;
        }
        self.world.pass(self.world.now + CALM_WITHIN);
        self.evaluate()?;
        if self.is_as_wanted() { Ok(()) } else { Err(Why::Stuck { keys: self.text() }) }
    }

    /// Whether the zone has the keys that its policy wants, everywhere, and no others.
    fn is_as_wanted(&self) -> bool {
        let is_signed = is_to_be_signed(&self.policy);
        let wanted: &[KeyPolicy] = if is_signed { &self.policy.keys.keys } else { &[] };
        let fits = |key: &KeyLife, wanted: &KeyPolicy| {
            key.role == wanted.role
                && key.algorithm == wanted.algorithm
                && key.bits == wanted_bits(wanted)
                && key.repository == wanted.repository
        };
        let is = |key: &KeyLife, kind, state| key.state(kind).is_none_or(|it| it == state);
        let is_out = |key: &KeyLife| {
            RecordKind::ALL.into_iter().all(|kind| is(key, kind, RecordState::Omnipresent))
        };
        let is_standing = |key: &KeyLife| {
            let record = if key.role.signs_keyset() { RecordKind::Ds } else { RecordKind::Dnskey };
            RecordKind::ALL.into_iter().all(|kind| match kind == record {
                true => is(key, kind, RecordState::Omnipresent),
                false => is(key, kind, RecordState::Hidden),
            })
        };
        let is_dead = |key: &KeyLife| {
            let is_hidden = |kind| is(key, kind, RecordState::Hidden);
            !key.introducing && RecordKind::ALL.into_iter().all(is_hidden)
        };
        let alive = || self.life.keys.iter().filter(|key| !is_dead(key));
        let is_known = |key: &KeyLife| {
            let is_there =
                if key.purpose == KeyUse::Standby { is_standing(key) } else { is_out(key) };
            key.introducing && is_there && wanted.iter().any(|it| fits(key, it))
        };
        let has = |it: &KeyPolicy| {
            let ours = || alive().filter(|key| fits(key, it));
            let standing = ours().filter(|key| key.purpose == KeyUse::Standby).count();
            // An imported key stays beside the one that is there.
            ours().any(|key| key.purpose == KeyUse::Regular) && standing == it.standby as usize
        };
        let is_purged = self.policy.keys.purge.is_none() || alive().count() == self.life.keys.len();
        alive().all(is_known) && wanted.iter().all(has) && is_purged
    }
}

fn is_to_be_signed(policy: &Policy) -> bool {
    !policy.passthrough && !policy.keys.keys.is_empty()
}

/// The zone at each state of the roll, at the first and the last moment of it.
fn walk(roll: &Roll) -> Vec<Play> {
    let mut play = Play::new(1, roll.cast, &roll.policy, Mistake::None, false);
    play.world.is_signed_for_ever = false;
    // The margins themselves are edited.
    play.world.are_servers_late = false;
    play.calm_down().unwrap_or_else(|why| panic!("{}, before the roll: {why:?}", roll.name));
    let is_signed = is_to_be_signed(&play.policy);
    play.blow(roll.begin);
    play.world.is_signed_for_ever = is_signed && is_to_be_signed(&play.policy);
    let mut seen = BTreeSet::new();
    let mut states = Vec::new();
    play.evaluate().unwrap_or_else(|why| panic!("{}: {why:?}", roll.name));
    loop {
        let is_new = seen.insert(hash_of(&play.life));
        if is_new {
            states.push(play.clone());
        }
        let Some(next) = play.next_moment() else { break };
        if is_new && next > play.world.now + 1 {
            let mut last = play.clone();
            last.world.pass(next - 1);
            states.push(last);
        }
        play.go_on(next).unwrap_or_else(|why| panic!("{}: {why:?}", roll.name));
        assert!(states.len() < 2 * STATES_MAX, "{}: the roll does not end", roll.name);
    }
    assert!(play.is_as_wanted(), "{}: stuck\n{}", roll.name, play.text());
    states
}

/// What came of the enumeration.
#[derive(Default)]
struct Tally {
    states: usize,
    pairs: usize,
    evaluations: u64,
    failed: Vec<String>,
}

fn strike(roll: &Roll, state: &Play, (name, blow): Named, tally: &mut Tally) {
    let mut play = state.clone();
    if !play.blow(blow) {
        return;
    }
    play.world.is_signed_for_ever &= is_to_be_signed(&play.policy);
    let before = play.covered.evaluations;
    let ended = play.evaluate().and_then(|()| play.calm_down());
    tally.pairs += 1;
    tally.evaluations += play.covered.evaluations - before;
    if let Err(why) = ended {
        tally.failed.push(format!("{} / {name} at\n{}\n  {why:?}", roll.name, state.text()));
    }
}

#[test]
fn edits_and_commands_at_each_state_of_each_roll_r17() {
    let wanted = std::env::var("R17").unwrap_or_default();
    let mut tally = Tally::default();
    for roll in rolls() {
        let before = tally.pairs;
        let states = walk(&roll);
        for state in &states {
            for named in BLOWS {
                let name = format!("{} / {}", roll.name, named.0);
                if name.contains(&wanted) {
                    strike(&roll, state, *named, &mut tally);
                }
            }
        }
        tally.states += states.len();
        println!("{}: {} moments, {} pairs", roll.name, states.len(), tally.pairs - before);
    }
    let (pairs, evaluations) = (tally.pairs, tally.evaluations);
    println!(
        "{} moments, {pairs} pairs of state and edit, {evaluations} evaluations",
        tally.states
    );
    for failed in tally.failed.iter().take(40) {
        println!("{failed}");
    }
    assert_eq!(tally.failed.len(), 0, "of {pairs} pairs");
    assert!(pairs > 0);
}

/// The words of 1.x for a standby KSK, DS first, as the roll goes by them.
#[test]
fn standby_ksk_goes_by_the_words_of_1x() {
    let roll = rolls().into_iter().find(|roll| roll.name == "standby KSK").expect("it is there");
    let mut words = Vec::new();
    for state in walk(&roll) {
        for key in state.life.keys.iter().filter(|key| key.role == KeyRole::Ksk) {
            words.push(state_word_1x(key).to_string());
        }
    }
    for word in ["dssub", "dspublish", "dsready", "keypublish", "active", "retire", "dead"] {
        assert!(words.iter().any(|it| it == word), "no {word} among {words:?}");
    }
}
