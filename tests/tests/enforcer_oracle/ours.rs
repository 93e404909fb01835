//! Our core, driven as OpenDNSSEC's daemon drives its own: the actor's part played in virtual time
//! with keys that never run out and a DS that is handed over at once. In: the steps of a scenario
//! and the times at which the judge took them. Out: exit statuses and pictures as the judge's.
//! Never: an actor, a token, a clock.

use crate::START;
use crate::picture::{KeyPicture, Labels, Next, Picture, Shown};
use crate::policy_text::{PolicyText, kasp_xml};
use crate::scenario::{Answer, Command, Scenario};
use appliance_config::read_kasp;
use dnssec::enforcer::{
    Backup, DsAtParent, ImportState, KeyLife, RecordKind, RecordState, Scene, SupplyKey, ZoneLife,
    compatibility_state, ds_gone, ds_retract, ds_seen, ds_submit, evaluate, import_key,
    removable_keys, roll_now,
};
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;
use dnssec::{Algorithm, KeyTag, Timestamp};
use std::collections::BTreeMap;

/// Keys of a kind that lie ready.
const POOL: usize = 3;

/// OpenDNSSEC's exit status where no key matches a DS command.
const EXIT_NO_MATCH: u8 = 11;

/// OpenDNSSEC's exit status for arguments that name nothing.
const EXIT_USAGE: u8 = 255;

/// An enforcer of ours.
pub(crate) struct Ours {
    file: Vec<PolicyText>,
    policies: Vec<Policy>,
    zones: BTreeMap<String, Zone>,
    pool: Vec<SupplyKey>,
    spares: Vec<SupplyKey>,
    needs_backup: Vec<String>,
    /// Between `backup prepare` and `backup commit`.
    requested: Vec<KeyId>,
    made: u32,
    labels: Labels,
    now: Timestamp,
}

#[derive(Default)]
struct Zone {
    policy: String,
    life: ZoneLife,
    next: Option<Timestamp>,
}

impl Ours {
    /// At the beginning of a scenario.
    pub(crate) fn start(scenario: &Scenario) -> Ours {
        let needs_backup = scenario.repositories.iter().filter(|(_, backup)| *backup);
        let mut ours = Ours {
            file: scenario.policies.clone(),
            policies: Vec::new(),
            zones: BTreeMap::new(),
            pool: Vec::new(),
            spares: Vec::new(),
            needs_backup: needs_backup.map(|(name, _)| name.clone()).collect(),
            requested: Vec::new(),
            made: 0,
            labels: Labels::default(),
            now: Timestamp(START),
        };
        for spare in &scenario.spares {
            let number = if spare.bits == 384 { 14 } else { 13 };
            let algorithm = Algorithm::from_number(number).expect("13 and 14 are known");
            let key = ours.new_key(&spare.repository, KeyRole::Ksk, algorithm, spare.bits);
            ours.spares.push(key);
        }
        ours
    }

    /// Carries out a step at the judge's time.
    pub(crate) fn run(&mut self, command: &Command, now: u64) -> Answer {
        self.now = Timestamp(START + now);
        let exit = self.command(command);
        use Command::{Backup, ImportKey, SetPolicy};
        if matches!(command, ImportKey { .. } | Backup { .. } | SetPolicy { .. }) {
            // 2.1 looks at the zone when it would have anyway.
            return Answer { exit, now, picture: self.picture() };
        }
        let names: Vec<String> = self.zones.keys().cloned().collect();
        names.iter().for_each(|name| self.evaluate(name));
        Answer { exit, now, picture: self.picture() }
    }

    fn command(&mut self, command: &Command) -> u8 {
        match command {
            Command::Leap | Command::LeapBy { .. } | Command::Enforce | Command::Auto { .. } => 0,
            Command::Import => self.import(),
            Command::Edit { policy, words } => {
                if !self.file.iter().any(|known| known.name == *policy) {
                    self.file.push(PolicyText::new(policy));
                }
                let named = self.file.iter_mut().filter(|known| known.name == *policy);
                named.for_each(|known| known.change(words));
                self.import()
            }
            Command::Add { zone, policy } => {
                let knows_policy = self.policies.iter().any(|known| known.name == *policy);
                if self.zones.contains_key(zone) || !knows_policy {
                    return 1;
                }
                let new = Zone { policy: policy.clone(), ..Zone::default() };
                self.zones.insert(zone.clone(), new);
                0
            }
            Command::Delete { zone } => u8::from(self.zones.remove(zone).is_none()),
            Command::SetPolicy { zone, policy } => match self.zones.get_mut(zone) {
                Some(zone) if self.policies.iter().any(|known| known.name == *policy) => {
                    zone.policy = policy.clone();
                    0
                }
                _ => 1,
            },
            Command::Ds { verb, zone, key } => self.ds_command(verb, zone, key),
            Command::Roll { zone, role } => self.roll(zone, role.as_deref()),
            Command::ImportKey { zone, spare, role, state, age } => {
                self.import_key(zone, *spare, role, state, *age)
            }
            Command::Purge { zone } => self.purge(zone),
            Command::Backup { verb } => {
                self.backup(verb);
                0
            }
        }
    }

    fn import(&mut self) -> u8 {
        let read = read_kasp("kasp.xml", kasp_xml(&self.file).as_bytes());
        let read = read.expect("the policies of scenarios are well-formed");
        self.policies = read.value;
        0
    }

    fn policy(&self, zone: &Zone) -> Policy {
        let found = self.policies.iter().find(|policy| policy.name == zone.policy);
        found.expect("zones are added to policies that are there").clone()
    }

    fn ds_command(&mut self, verb: &str, zone: &str, label: &str) -> u8 {
        let id = self.labels.id(label).and_then(KeyId::from_hex);
        let (Some(zone), Some(id)) = (self.zones.get_mut(zone), id) else { return EXIT_USAGE };
        let tell = match verb {
            "ds-submit" => ds_submit,
            "ds-seen" => ds_seen,
            "ds-retract" => ds_retract,
            _ => ds_gone,
        };
        match tell(&zone.life, &id, self.now) {
            Ok(life) => {
                zone.life = life;
                0
            }
            Err(_) => EXIT_NO_MATCH,
        }
    }

    fn roll(&mut self, zone: &str, role: Option<&str>) -> u8 {
        let Some(zone) = self.zones.get_mut(zone) else { return 1 };
        let roles = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk];
        let asked = |one: &KeyRole| role.is_none_or(|role| role_word(*one) == role);
        let roles: Vec<KeyRole> = roles.into_iter().filter(asked).collect();
        for role in &roles {
            zone.life = roll_now(&zone.life, *role);
        }
        u8::from(roles.is_empty())
    }

    fn import_key(&mut self, zone: &str, spare: usize, role: &str, state: &str, age: u64) -> u8 {
        let mut key = self.spares[spare].clone();
        let roles = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk];
        let role = roles.into_iter().find(|known| role_word(*known) == role);
        let Some(zone) = self.zones.get(zone) else { return EXIT_USAGE };
        let (Some(role), Some(state)) = (role, ImportState::parse(state)) else {
            return EXIT_USAGE;
        };
        key.role = role;
        let inception = Timestamp(self.now.0 - age);
        let name = self.zones.iter().find(|(_, known)| std::ptr::eq(*known, zone));
        let name = name.map(|(name, _)| name.clone()).unwrap_or_default();
        match import_key(&zone.life, &key, state, inception, &self.policy(zone)) {
            Ok(life) => {
                self.zones.entry(name).or_default().life = life;
                0
            }
            Err(_) => EXIT_USAGE,
        }
    }

    fn purge(&mut self, zone: &str) -> u8 {
        let Some(known) = self.zones.get(zone) else { return 1 };
        let policy = self.policy(known);
        let ids = removable_keys(&known.life, &Scene::new(&policy, self.now, &[]));
        let known = self.zones.entry(zone.to_owned()).or_default();
        known.life.keys.retain(|key| !ids.contains(&key.id));
        0
    }

    fn backup(&mut self, verb: &str) {
        let missing = self.zones.values().flat_map(|zone| &zone.life.keys);
        let missing = missing.filter(|key| key.backup == Backup::Missing).map(|key| key.id.clone());
        match verb {
            "prepare" => {
                let pool = self.pool.iter().filter(|key| key.backup == Backup::Missing);
                self.requested = missing.chain(pool.map(|key| key.id.clone())).collect();
            }
            "commit" => {
                let requested = std::mem::take(&mut self.requested);
                let done = |id: &KeyId, backup: &mut Backup| {
                    if requested.contains(id) {
                        *backup = Backup::Done;
                    }
                };
                let keys = self.zones.values_mut().flat_map(|zone| &mut zone.life.keys);
                keys.for_each(|key| done(&key.id, &mut key.backup));
                self.pool.iter_mut().for_each(|key| done(&key.id, &mut key.backup));
            }
            _ => self.requested.clear(),
        }
    }

    fn evaluate(&mut self, name: &str) {
        let Some(zone) = self.zones.get(name) else { return };
        let (policy, life) = (self.policy(zone), zone.life.clone());
        let supply = self.supply(name, &policy);
        let evaluation = evaluate(&life, &Scene::new(&policy, self.now, &supply));
        let mut life = evaluation.life;
        // As 2.1 does, whatever becomes of the command: what is to be told is told at once.
        for id in life.keys.iter().map(|key| key.id.clone()).collect::<Vec<KeyId>>() {
            for tell in [ds_submit, ds_retract] {
                // `since` stays that of the transition: the wait begins with `ds-seen` anyway.
                let since = life.keys.iter().find(|key| key.id == id).and_then(|key| key.ds);
                let since = since.map_or(self.now, |ds| ds.since);
                life = tell(&life, &id, since).unwrap_or(life);
            }
        }
        self.pool.retain(|key| !life.keys.iter().any(|taken| taken.id == key.id));
        let zone = self.zones.entry(name.to_owned()).or_default();
        zone.life = life;
        zone.next = evaluation.next;
    }

    /// What a zone may take: with `<ShareKeys>` keys of other zones, newest first; then the pool.
    fn supply(&mut self, name: &str, policy: &Policy) -> Vec<SupplyKey> {
        for wanted in &policy.keys.keys {
            let bits = wanted.algorithm.fixed_key_bits().or(wanted.length_bits).unwrap_or(2048);
            let fits = |key: &&SupplyKey| {
                key.role == wanted.role
                    && key.algorithm == wanted.algorithm
                    && key.bits == bits
                    && key.repository == wanted.repository
            };
            for _ in self.pool.iter().filter(fits).count()..POOL {
                let key = self.new_key(&wanted.repository, wanted.role, wanted.algorithm, bits);
                self.pool.push(key);
            }
        }
        let mut supply: Vec<SupplyKey> = Vec::new();
        if policy.keys.share_keys {
            let others = self
                .zones
                .iter()
                .filter(|(other, zone)| other.as_str() != name && zone.policy == policy.name);
            let mut shared: Vec<&KeyLife> = others
                .flat_map(|(_, zone)| &zone.life.keys)
                .filter(|key| key.introducing)
                .collect();
            shared.sort_by_key(|key| std::cmp::Reverse(key.inception));
            for key in shared {
                if !supply.iter().any(|known| known.id == key.id) {
                    supply.push(supply_key(key));
                }
            }
        }
        supply.extend(self.pool.iter().cloned());
        supply
    }

    fn new_key(
        &mut self,
        repository: &str,
        role: KeyRole,
        algorithm: Algorithm,
        bits: u16,
    ) -> SupplyKey {
        self.made += 1;
        let needs_backup = self.needs_backup.iter().any(|name| name == repository);
        SupplyKey {
            id: KeyId::new(&self.made.to_be_bytes()).expect("four bytes are an id"),
            repository: repository.to_owned(),
            role,
            algorithm,
            bits,
            // Far from each other, so that no key is passed over for its tag.
            key_tag: KeyTag(self.made.wrapping_mul(257) as u16),
            backup: if needs_backup { Backup::Missing } else { Backup::NotRequired },
        }
    }

    fn picture(&mut self) -> Picture {
        let next = |zone: &Zone| match zone.next {
            None => Next::Never,
            Some(at) if at < self.now => Next::Now,
            Some(at) => Next::At(at.0.saturating_sub(START)),
        };
        let zones: Vec<(String, Next)> =
            self.zones.iter().map(|(name, zone)| (name.clone(), next(zone))).collect();
        let (mut keys, mut rolls) = (Vec::new(), Vec::new());
        for (name, zone) in &self.zones {
            for key in &zone.life.keys {
                let (role, picture) = (role_word(key.role).to_owned(), key_picture(key));
                let roll = zone.life.next_roll.get(key.role);
                let roll = roll.map_or(Next::Never, |at| Next::At(at.0.saturating_sub(START)));
                let expected =
                    if picture.waiting == "-" { roll.to_string() } else { picture.waiting.clone() };
                rolls.push((name.clone(), format!("{role}:{expected}")));
                keys.push((name.clone(), role, key.id.to_string(), picture));
            }
        }
        self.labels.picture(Shown { zones, rolls, keys })
    }
}

fn supply_key(key: &KeyLife) -> SupplyKey {
    SupplyKey {
        id: key.id.clone(),
        repository: key.repository.clone(),
        role: key.role,
        algorithm: key.algorithm,
        bits: key.bits,
        key_tag: key.key_tag,
        backup: key.backup,
    }
}

fn role_word(role: KeyRole) -> &'static str {
    match role {
        KeyRole::Ksk => "ksk",
        KeyRole::Zsk => "zsk",
        KeyRole::Csk => "csk",
    }
}

fn key_picture(key: &KeyLife) -> KeyPicture {
    let initial = |kind| match key.state(kind) {
        None => '-',
        Some(RecordState::Hidden) => 'H',
        Some(RecordState::Rumoured) => 'R',
        Some(RecordState::Omnipresent) => 'O',
        Some(RecordState::Unretentive) => 'U',
    };
    let waiting = match key.ds_at_parent {
        DsAtParent::Submit => "ds-submit",
        DsAtParent::Submitted => "ds-seen",
        DsAtParent::Retract => "ds-retract",
        DsAtParent::Retracted => "ds-gone",
        DsAtParent::Unsubmitted | DsAtParent::Seen => "-",
    };
    KeyPicture {
        kind: format!("{}/{}/{}", key.algorithm.number(), key.bits, key.repository),
        states: RecordKind::ALL.into_iter().map(initial).collect(),
        published: key.is_published(),
        active: key.signs_keyset() || key.signs_zone(),
        word: compatibility_state(key).to_string(),
        waiting: waiting.to_owned(),
    }
}
