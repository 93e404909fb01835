//! Tests of the enforcer's core: a driver that plays the actor, and lives told as tables.

mod approval;
mod commands;
mod followed;
mod gaps;
mod properties;
mod rolls;
mod times_1x;

use super::*;
use crate::key::{KeyId, KeyRole};
use crate::policy::{DenialPolicy, KeyPolicy, Policy, RollType};
use crate::{Algorithm, KeyTag, Seconds, Timestamp};

/// Where the tests' time begins.
pub(super) const START: Timestamp = Timestamp(1_000_000);

/// One minute, in seconds.
pub(super) const MINUTE: u64 = 60;

/// A policy whose times are all different: a mix-up shows.
pub(super) fn policy(ksk: RollType, zsk: RollType) -> Policy {
    let mut policy = Policy::anchorite_default("token");
    policy.denial = DenialPolicy::Nsec;
    policy.signatures.resign = Seconds(2 * MINUTE);
    policy.signatures.refresh = Seconds(30 * MINUTE);
    policy.signatures.validity_default = Seconds(100 * MINUTE);
    policy.signatures.validity_denial = Seconds(110 * MINUTE);
    policy.signatures.jitter = Seconds(7 * MINUTE);
    policy.signatures.max_zone_ttl = Some(Seconds(13 * MINUTE));
    policy.keys.ttl = Seconds(11 * MINUTE);
    policy.keys.publish_safety = Seconds(17);
    policy.keys.retire_safety = Seconds(19);
    policy.keys.purge = None;
    policy.zone.propagation_delay = Seconds(5 * MINUTE);
    policy.zone.soa_ttl = Seconds(3 * MINUTE);
    policy.zone.soa_minimum = Seconds(4 * MINUTE);
    policy.parent.ds_ttl = Seconds(23 * MINUTE);
    policy.parent.propagation_delay = Seconds(29);
    policy.parent.registration_delay = Seconds(31);
    for key in &mut policy.keys.keys {
        key.roll_type = if key.role == KeyRole::Ksk { ksk } else { zsk };
        key.lifetime = Seconds(days(if key.role == KeyRole::Ksk { 365 } else { 90 }));
    }
    policy
}

/// The default of OpenDNSSEC: KskDoubleSignature and ZskPrePublication.
pub(super) fn usual_policy() -> Policy {
    policy(RollType::KskDoubleSignature, RollType::ZskPrePublication)
}

/// A policy with one CSK.
pub(super) fn csk_policy(roll_type: RollType) -> Policy {
    let mut policy = usual_policy();
    let key = KeyPolicy { role: KeyRole::Csk, roll_type, ..policy.keys.keys[0].clone() };
    policy.keys.keys = vec![key];
    policy
}

pub(super) fn days(days: u64) -> u64 {
    days * 86_400
}

/// The id of the n-th key that a driver hands out.
pub(super) fn id(number: u16) -> KeyId {
    KeyId::new(&number.to_be_bytes()).unwrap()
}

/// Plays the actor: keeps the life, hands out keys without end, and hands DSs to the parent at
/// once, as OpenDNSSEC 2.1 does.
pub(super) struct Driver {
    pub(super) life: ZoneLife,
    pub(super) policy: Policy,
    pub(super) now: Timestamp,
    pub(super) taken: u16,
    pub(super) actions: Vec<Action>,
    pub(super) last: Option<Evaluation>,
    pub(super) waits_for_publication: bool,
}

impl Driver {
    pub(super) fn new(policy: Policy) -> Driver {
        Driver {
            life: ZoneLife::default(),
            policy,
            now: START,
            taken: 0,
            actions: Vec::new(),
            last: None,
            waits_for_publication: false,
        }
    }

    /// Keys for each key of the policy; numbers rise by the order in which keys were taken.
    pub(super) fn supply(&self) -> Vec<SupplyKey> {
        let policy_keys = self.policy.keys.keys.iter();
        let many = policy_keys.flat_map(|wanted| {
            std::iter::repeat_n(wanted, 1 + usize::try_from(wanted.standby).unwrap())
        });
        many.zip(self.taken..).map(|(wanted, number)| supply_key(wanted, number)).collect()
    }

    /// Evaluates, and does what is asked until nothing more happens now.
    pub(super) fn evaluate(&mut self) -> Option<Timestamp> {
        let supply = self.supply();
        let scene = Scene::new(&self.policy, self.now, &supply);
        let scene = Scene { waits_for_publication: self.waits_for_publication, ..scene };
        let evaluation = evaluate(&self.life, &scene);
        check_settled(&evaluation, &scene);
        self.life = evaluation.life.clone();
        self.taken += supply.len() as u16;
        for action in &evaluation.actions {
            match action {
                Action::SubmitDs { id } => {
                    self.life = ds_submit(&self.life, id, self.now).unwrap();
                }
                Action::RetractDs { id } => {
                    self.life = ds_retract(&self.life, id, self.now).unwrap();
                }
                _ => {}
            }
        }
        self.actions.extend(evaluation.actions.iter().cloned());
        let next = evaluation.next;
        self.last = Some(evaluation);
        next
    }

    /// Publishes what the keys are to show, and lets the enforcer know.
    pub(super) fn publish(&mut self) {
        let ids = |is_shown: fn(&KeyLife) -> bool| -> Vec<KeyId> {
            let shown = self.life.keys.iter().filter(|key| is_shown(key));
            shown.map(|key| key.id.clone()).collect()
        };
        let report = PublishedKeys {
            at: self.now,
            dnskeys: ids(KeyLife::is_published),
            keyset_signers: ids(KeyLife::signs_keyset),
            revoked: ids(|key| key.revoked.is_some() && key.is_published()),
            named_to_parent: ids(|key| {
                key.state(RecordKind::Ds).is_some_and(|state| state.is_served())
            }),
            zone_signers_some: ids(KeyLife::signs_zone),
            zone_signers_all: ids(KeyLife::signs_zone),
        };
        self.life = published(&self.life, &report);
    }

    /// Says `ds-seen` and `ds-gone` for all that wait for it, and evaluates, until none does.
    pub(super) fn parent_acts(&mut self) -> Option<Timestamp> {
        loop {
            let mut has_acted = false;
            for key in self.life.keys.clone() {
                let said = match key.ds_at_parent {
                    DsAtParent::Submitted => ds_seen(&self.life, &key.id, self.now),
                    DsAtParent::Retracted => ds_gone(&self.life, &key.id, self.now),
                    _ => continue,
                };
                self.life = said.unwrap();
                has_acted = true;
            }
            let next = self.evaluate();
            if !has_acted {
                return next;
            }
        }
    }

    /// Goes from event to event until `until`; the parent acts at once.
    pub(super) fn run(&mut self, until: Timestamp) {
        for _ in 0..10_000 {
            self.evaluate();
            match self.parent_acts() {
                Some(next) if next <= until && next > self.now => self.now = next,
                _ => break,
            }
        }
        self.now = until;
        self.evaluate();
    }

    /// Lets all settle: at `seconds` after the start, having gone from event to event.
    pub(super) fn settle(&mut self, seconds: u64) {
        self.run(START.plus(Seconds(seconds)));
    }

    /// What moved in the last evaluation.
    pub(super) fn moves(&self) -> Vec<&Action> {
        let actions = self.last.iter().flat_map(|last| &last.actions);
        actions.filter(|action| matches!(action, Action::Moved { .. })).collect()
    }

    /// The time, the picture, and who takes over from whom.
    pub(super) fn told(&self) -> String {
        let place = |id: &KeyId| self.life.keys.iter().position(|key| key.id == *id);
        let pairs = self.life.successions.iter();
        let pairs: Vec<String> = pairs
            .map(|one| format!("{:?}->{:?} {}", place(&one.from), place(&one.to), one.kind))
            .collect();
        format!("at {}:\n{}\n{pairs:?}", self.now.since(START), self.picture())
    }

    /// The states of all keys, one a line: role, DS, DNSKEY, RRSIGDNSKEY, RRSIG by their first
    /// letters ("-" where there is none), "+" when it is to stay.
    pub(super) fn picture(&self) -> String {
        let lines: Vec<String> = self.life.keys.iter().map(line).collect();
        lines.join("\n")
    }
}

/// Asked again at the same moment, the core has nothing to add.
#[track_caller]
fn check_settled(evaluation: &Evaluation, scene: &Scene<'_>) {
    let again = evaluate(&evaluation.life, scene);
    let standing = |evaluation: &Evaluation| -> Vec<Action> {
        evaluation.actions.iter().filter(|action| !action.is_event()).cloned().collect()
    };
    assert_eq!(again.life, evaluation.life);
    assert_eq!(again.actions, standing(evaluation));
    assert_eq!(again.obstacles, evaluation.obstacles);
    assert_eq!((again.next, again.next_purge), (evaluation.next, evaluation.next_purge));
}

fn line(key: &KeyLife) -> String {
    let letter = |kind| match key.state(kind) {
        None => '-',
        Some(RecordState::Hidden) => 'H',
        Some(RecordState::Rumoured) => 'R',
        Some(RecordState::Omnipresent) => 'O',
        Some(RecordState::Unretentive) => 'U',
    };
    let states: String = RecordKind::ALL.into_iter().map(letter).collect();
    let goal = if key.introducing { "+" } else { "" };
    let standby = if key.purpose == KeyUse::Standby { "s" } else { "" };
    let revoked = if key.revoked.is_some() { "r" } else { "" };
    format!("{} {states}{goal}{standby}{revoked}", key.role)
}

pub(super) fn supply_key(wanted: &KeyPolicy, number: u16) -> SupplyKey {
    SupplyKey {
        id: id(number),
        repository: wanted.repository.clone(),
        role: wanted.role,
        algorithm: wanted.algorithm,
        bits: crate::first_keys::wanted_bits(wanted),
        key_tag: KeyTag(number.wrapping_mul(1000)),
        backup: Backup::NotRequired,
    }
}
