//! Random scenarios: a policy or two and a script that answers to what the judge shows, so that
//! rolls go on. In: a seed and what the enforcer showed last. Out: policies and steps; the same
//! seed and answers give the same. Never: system randomness.
//! Limit: what is known to differ on purpose is left to the scenarios written by hand: purging,
//! ManualRollover, several algorithms at once, kinds of keys that come back, shortened terms,
//! zones that move between policies.

use crate::policy_text::{KeyText, PolicyText};
use crate::scenario::{Answer, Command, Scenario};

/// SplitMix64, and the operator's temper.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    state: u64,
    is_prudent: bool,
}

impl Random {
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize].clone()
    }
}

const KSK_ROLLS: &[&str] = &["KskDoubleRRset", "KskDoubleDS", "KskDoubleSignature"];
const ZSK_ROLLS: &[&str] = &["ZskDoubleSignature", "ZskPrePublication", "ZskDoubleRRsig"];
const CSK_ROLLS: &[&str] = &[
    "CskDoubleRRset",
    "CskSingleSignature",
    "CskDoubleDS",
    "CskDoubleSignature",
    "CskPrePublication",
];

/// Algorithm and bits of the keys of the first policy: each is taken after the ones before.
const KINDS: &[(u8, u16)] = &[(13, 256), (8, 1024), (8, 1280), (10, 1024), (10, 1280)];

/// Those of the second policy.
const OTHER_KINDS: &[(u8, u16)] = &[(14, 384), (8, 1536), (10, 1536)];

/// Longer than any scenario. With `<Purge>` 2.1 forgets who took over from dead keys, as we do;
/// without it rolls that overlap can stop.
const PURGE: u64 = 630_720_000;

/// Whether a key of any zone is on its way in or out.
fn is_rolling(last: &Answer) -> bool {
    let keys = last.picture.zones.values().flat_map(|zone| zone.keys.values());
    keys.map(|key| &key.states).any(|states| states.contains(['R', 'U']))
}

/// The scenario of a seed, without steps, and the randomness that is left for them. In three of
/// four the operator says at once what is awaited, and mostly lets a roll end before doing
/// anything else; the others show what happens when nobody does.
pub(crate) fn random_scenario(seed: u64) -> (Scenario, Random) {
    let mut random = Random { state: seed, is_prudent: !seed.is_multiple_of(4) };
    let mut scenario = Scenario::new(&format!("random-{seed}"));
    scenario.policies.push(policy("default", KINDS, &mut random));
    if random.percent(30) {
        scenario.policies.push(policy("other", OTHER_KINDS, &mut random));
    }
    (scenario, random)
}

fn policy(name: &str, kinds: &[(u8, u16)], random: &mut Random) -> PolicyText {
    let mut policy = PolicyText::new(name);
    for word in ["retire", "publish", "zonedelay", "soattl", "soamin", "dsttl", "parentdelay"] {
        policy.change(&duration_word(word, random));
    }
    policy.change(&signature_words(random));
    if random.percent(30) {
        policy.change(&duration_word("regdelay", random));
    }
    if random.percent(30) {
        policy.change(&format!("nsec3={}", random.pick(&[0, 600, 200_000])));
    }
    policy.change(&zone_ttl_word(&policy, random));
    policy.change(&key_ttl_word(&policy, random));
    if random.percent(15) {
        policy.change("share=1");
    }
    policy.change(&format!("purge={PURGE}"));
    policy.keys = keys(kinds[0], random);
    policy
}

fn duration_word(word: &str, random: &mut Random) -> String {
    let base = random.pick(&[60, 600, 3600, 7200, 43_200, 86_400]);
    format!("{word}={}", base + if random.percent(50) { random.below(base) } else { 0 })
}

/// At least the TTLs of the SOA: otherwise we wait longer than OpenDNSSEC (see `soa-ttl`).
fn zone_ttl_word(policy: &PolicyText, random: &mut Random) -> String {
    let least = ["soattl", "soamin"].map(|word| policy.get(word).unwrap_or_default());
    format!("maxttl={}", random.pick(&[600, 3600, 86_400, 172_800]).max(least[0]).max(least[1]))
}

/// At least as long as resolvers remember that there is no DNSKEY: otherwise we wait longer than
/// OpenDNSSEC (see `negative-ttl`).
fn key_ttl_word(policy: &PolicyText, random: &mut Random) -> String {
    let soa = ["soattl", "soamin"].map(|word| policy.get(word).unwrap_or_default());
    let least = soa[0].min(soa[1]);
    format!("keyttl={}", random.pick(&[60, 600, 3600, 7200, 86_400]).max(least))
}

/// A longer delay or TTL: a shorter one lets us wait longer than OpenDNSSEC (see `old-terms`).
fn raised_word(word: &str, policy: &PolicyText, random: &mut Random) -> String {
    let value = policy.get(word).unwrap_or_default();
    format!("{word}={}", value + random.pick(&[60, 3600, 86_400]))
}

fn signature_words(random: &mut Random) -> String {
    let resign = random.pick(&[600, 3600, 7200, 14_400]);
    let refresh = resign + random.pick(&[3600, 86_400, 259_200]);
    let jitter = random.pick(&[0, 600, 7200, 43_200]);
    let validity = refresh + jitter + random.pick(&[7200, 86_400, 604_800]);
    let denial = refresh + jitter + random.pick(&[7200, 86_400, 604_800]);
    format!("resign={resign} refresh={refresh} jitter={jitter} validity={validity} denial={denial}")
}

fn keys(kind: (u8, u16), random: &mut Random) -> Vec<KeyText> {
    let roles: &[&str] = if random.percent(60) { &["ksk", "zsk"] } else { &["csk"] };
    roles.iter().map(|role| key(role, kind, random)).collect()
}

fn key(role: &str, (algorithm, bits): (u8, u16), random: &mut Random) -> KeyText {
    let days = random.pick(&[60, 75, 90, 120, 365, 400]);
    let rolls = match role {
        "ksk" => KSK_ROLLS,
        "zsk" => ZSK_ROLLS,
        _ => CSK_ROLLS,
    };
    KeyText {
        role: role.to_owned(),
        algorithm,
        bits,
        lifetime: days * 86_400,
        repository: "SoftHSM".to_owned(),
        roll_type: random.pick(rolls).to_owned(),
        manual: false,
    }
}

/// The kind after the last one that the policy had; `None`: there is none.
fn next_kind(policy: &PolicyText) -> Option<(u8, u16)> {
    let kinds = if policy.name == "default" { KINDS } else { OTHER_KINDS };
    let key = policy.keys.first()?;
    let index = kinds.iter().position(|kind| *kind == (key.algorithm, key.bits))?;
    kinds.get(index + 1).copied()
}

impl Random {
    /// The step after this answer. The first ones import the policies and add the zones.
    pub(crate) fn step(
        &mut self,
        number: usize,
        policies: &[PolicyText],
        last: &Answer,
    ) -> Command {
        let zone = self.zone(last);
        match number {
            0 => return Command::Import,
            1 => return Command::Add { zone: "one".to_owned(), policy: "default".to_owned() },
            2 if self.percent(25) || policies.len() > 1 => {
                let policy = policies[policies.len() - 1].name.clone();
                return Command::Add { zone: "two".to_owned(), policy };
            }
            _ => (),
        }
        let awaited = last.awaited();
        if !awaited.is_empty() && (self.is_prudent || self.percent(45)) {
            return self.pick(&awaited);
        }
        if self.is_prudent && is_rolling(last) && self.percent(80) {
            return Command::Leap;
        }
        match self.below(100) {
            0..62 => Command::Leap,
            62..70 => Command::LeapBy { seconds: self.pick(&[1, 600, 40_000, 900_000]) },
            70..79 => {
                let role = self.pick(&["ksk", "zsk", "csk"]).to_owned();
                Command::Roll { zone, role: self.percent(80).then_some(role) }
            }
            79..83 => self.wrong_ds_command(zone, last),
            83..95 => self.edit(policies),
            _ => Command::Enforce,
        }
    }

    fn zone(&mut self, last: &Answer) -> String {
        let zones: Vec<String> = last.picture.zones.keys().cloned().collect();
        if zones.is_empty() { "one".to_owned() } else { self.pick(&zones) }
    }

    fn wrong_ds_command(&mut self, zone: String, last: &Answer) -> Command {
        let keys = last.picture.zones.get(&zone).map(|zone| zone.keys.keys().cloned().collect());
        let keys: Vec<String> = keys.unwrap_or_default();
        let key = if keys.is_empty() { "ksk1".to_owned() } else { self.pick(&keys) };
        let verb = self.pick(&["ds-submit", "ds-seen", "ds-retract", "ds-gone"]).to_owned();
        Command::Ds { verb, zone, key }
    }

    fn edit(&mut self, policies: &[PolicyText]) -> Command {
        let policy = self.pick(policies);
        let words = match self.below(20) {
            0..14 => {
                let words = [
                    "keyttl",
                    "dsttl",
                    "maxttl",
                    "zonedelay",
                    "parentdelay",
                    "validity",
                    "retire",
                    "publish",
                ];
                raised_word(self.pick(&words), &policy, self)
            }
            14..16 if !policy.keys.is_empty() => {
                let mut changed = policy.clone();
                let index = self.below(changed.keys.len() as u64) as usize;
                let KeyText { role, algorithm, bits, .. } = changed.keys[index].clone();
                changed.keys[index] = key(&role, (algorithm, bits), self);
                key_words(&changed)
            }
            _ => match next_kind(&policy) {
                Some(kind) => {
                    let mut changed = policy.clone();
                    changed.keys = keys(kind, self);
                    key_words(&changed)
                }
                None if policy.keys.is_empty() => raised_word("dsttl", &policy, self),
                None => "nokeys".to_owned(),
            },
        };
        Command::Edit { policy: policy.name, words }
    }
}

fn key_words(policy: &PolicyText) -> String {
    let words = policy.words();
    let keys = words
        .split(' ')
        .filter(|word| ["ksk=", "zsk=", "csk="].iter().any(|role| word.starts_with(role)));
    keys.collect::<Vec<&str>>().join(" ")
}
