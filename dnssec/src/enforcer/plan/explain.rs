//! Why keys are where they are: the chain of conditions of each record on its way, each true or
//! false with its evidence, and who acts next with which command.
//! In: life, scene: the same that the enforcer decides by; the plan from there, for the moments at
//! which records are expected to move. Out: text of [`super::table::WIDTH`] columns, unless a
//! command is longer. Never: changes.

use super::calendar::What;
use super::date::{length, minute};
use super::names::{KeyName, plain, shell_word};
use super::table::wrap;
use super::{Assumptions, Plan, plan, words};
use crate::Timestamp;
use crate::enforcer::{
    Action, Backup, Condition, DsAtParent, Evaluation, Gate, KeyLife, KeyUse, Obstacle, RecordKind,
    Scene, ZoneLife, evaluate,
};
use crate::key::{KeyId, KeyRole};

/// What has to be done next, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Step {
    who: &'static str,
    text: String,
    command: Option<String>,
}

/// What explanations are made from.
struct Told<'a> {
    zone: &'a str,
    scene: Scene<'a>,
    assumptions: &'a Assumptions<'a>,
    evaluation: Evaluation,
    plan: Plan,
}

/// Why the keys of a zone are where they are. `assumptions`: the scene as it is, and how far to
/// look ahead for what is expected.
pub fn explain_zone(zone: &str, life: &ZoneLife, assumptions: &Assumptions<'_>) -> String {
    let told = Told::new(zone, life, assumptions);
    let mut text = told.zone_head();
    let mut steps = told.zone_steps();
    for key in &told.evaluation.life.keys {
        text += "\n";
        text += &told.key(key);
        steps.extend(told.key_steps(key));
    }
    text + "\n" + &told.steps(steps)
}

/// Why one key is where it is; `None`: the zone has no such key.
pub fn explain_key(
    zone: &str,
    life: &ZoneLife,
    assumptions: &Assumptions<'_>,
    id: &KeyId,
) -> Option<String> {
    let told = Told::new(zone, life, assumptions);
    let key = told.evaluation.life.keys.iter().find(|key| key.id == *id)?;
    let text = told.key(key);
    Some(text + "\n" + &told.steps(told.key_steps(key)))
}

impl<'a> Told<'a> {
    fn new(zone: &'a str, life: &ZoneLife, assumptions: &'a Assumptions<'a>) -> Told<'a> {
        let scene = assumptions.scene;
        let evaluation = evaluate(life, &scene);
        Told { zone, scene, assumptions, evaluation, plan: plan(life, assumptions) }
    }

    /// When a record is expected to come to a state.
    fn expected(&self, obstacle: &Obstacle) -> Option<Timestamp> {
        let entries = self.plan.entries.iter();
        let mut entries = entries.filter(|entry| entry.key.as_ref() == Some(&obstacle.id));
        let moved = entries.find(|entry| match &entry.what {
            What::Moved(moves) => moves.contains(&(obstacle.kind, obstacle.wants)),
            _ => false,
        });
        moved.map(|entry| entry.at)
    }
}

impl Told<'_> {
    fn zone_head(&self) -> String {
        let policy = self.scene.policy;
        let zone = plain(self.zone);
        let now = minute(self.scene.now);
        let mut text = format!("Zone {zone}, policy {}, at {now} (UTC)\n", plain(&policy.name));
        if self.evaluation.life.keys.is_empty() {
            text += "The zone has no keys.\n";
        }
        for role in [KeyRole::Ksk, KeyRole::Csk, KeyRole::Zsk] {
            let is_wanted = policy.keys.keys.iter().any(|key| key.role == role);
            text += &match self.evaluation.life.next_roll.get(role) {
                Some(at) if *at <= self.scene.now => format!("Roll of the {role}s: due\n"),
                Some(at) => format!("Next roll of the {role}s: {}\n", self.when(*at)),
                None if is_wanted => format!("Next roll of the {role}s: not by the clock\n"),
                None => String::new(),
            };
        }
        text
    }

    /// `2026-11-22 10:16 (in 3h 4m)`.
    fn when(&self, at: Timestamp) -> String {
        let now = self.scene.now;
        match minute(at) {
            never if never == "never" => never,
            text if at > now => format!("{text} (in {})", length(at.since(now))),
            text => format!("{text} ({} ago)", length(now.since(at))),
        }
    }

    fn key(&self, key: &KeyLife) -> String {
        let name = KeyName::known(key).text;
        let goal = match (key.introducing, key.purpose) {
            (true, KeyUse::Standby) => "is kept as a standby key",
            (true, KeyUse::Regular) => "is to stay",
            (false, _) => "is to leave",
        };
        let mut text = format!(
            "{name}: {goal}; algorithm {}, taken {}\n  cka_id {}\n",
            key.algorithm.number(),
            minute(key.inception),
            key.id
        );
        if let Some(revoked) = key.revoked {
            text += &format!("  revoked {} (RFC 5011)\n", minute(revoked));
        }
        let mut is_still = true;
        for kind in RecordKind::ALL {
            let Some(record) = key.record(kind) else { continue };
            let state = words::state(record.state);
            let (name, word) = (kind.to_string(), record.state.to_string());
            text += &format!("  {name:<11}  {word:<11}  {state},\n{:28}", "");
            text += &format!("since {}\n", minute(record.since));
            let obstacle = self.obstacle(key, kind);
            is_still &= obstacle.is_none();
            if let Some(obstacle) = obstacle {
                text += &self.conditions(key, obstacle);
            }
        }
        if is_still {
            text += "  All of its records are where they belong.\n";
        }
        text
    }

    fn obstacle(&self, key: &KeyLife, kind: RecordKind) -> Option<&Obstacle> {
        let mut obstacles = self.evaluation.obstacles.iter();
        obstacles.find(|obstacle| obstacle.id == key.id && obstacle.kind == kind)
    }

    fn conditions(&self, key: &KeyLife, obstacle: &Obstacle) -> String {
        let expected = match self.expected(obstacle) {
            Some(at) if at > self.scene.now => format!(", expected {}", self.when(at)),
            _ => String::new(),
        };
        let line = format!("    becomes {} when all of this is true{expected}:", obstacle.wants);
        let mut text = wrap(&line, 4);
        // Where nothing is waited for, there is nothing to say of it.
        let says =
            |one: &&Condition| one.gate != Gate::Time || !one.is_met || !one.terms.is_empty();
        for condition in obstacle.conditions.iter().filter(says) {
            let is_later = condition.gate == Gate::Time && self.waits_for_word(obstacle);
            let sign = match (condition.is_met, is_later) {
                (_, true) => "later",
                (true, false) => "true ",
                (false, false) => "FALSE",
            };
            let evidence = self.evidence(key, obstacle, condition);
            let line = format!("    {sign}  {}{evidence}", words::gate(condition.gate));
            text += &wrap(&line, 11);
        }
        text
    }

    /// What shows that a condition is true or not, and when it becomes so.
    fn evidence(&self, key: &KeyLife, obstacle: &Obstacle, condition: &Condition) -> String {
        match condition.gate {
            Gate::DsAtParent(_) => {
                let since = key.ds.unwrap_or_default().since;
                format!(": it is known as {}, since {}", key.ds_at_parent, minute(since))
            }
            Gate::ParentShows(_) if !condition.is_met => self.sighting(key),
            Gate::Backup => match key.backup {
                Backup::Missing => ": no backup was made".to_owned(),
                Backup::Done | Backup::NotRequired => String::new(),
            },
            Gate::Time if self.waits_for_word(obstacle) => {
                let sum = words::terms(&condition.terms);
                format!(": the wait begins when the parent has acted, and lasts {sum}")
            }
            Gate::Rule(_) if !condition.is_met => self.on_their_way(obstacle),
            Gate::Published if condition.at.is_none() => ": not published yet".to_owned(),
            _ => {
                let at = condition.at.filter(|at| at.0 > 0);
                let at = at.map_or(String::new(), |at| format!(": {}", self.when(at)));
                match words::terms(&condition.terms) {
                    sum if sum.is_empty() => at,
                    sum => format!("{at}; {sum}"),
                }
            }
        }
    }

    /// What the parent's servers were last seen to show.
    fn sighting(&self, key: &KeyLife) -> String {
        let seen = self.scene.parent.unwrap_or_default().iter().find(|one| one.id == key.id);
        match seen {
            None => ": nothing certain was seen yet".to_owned(),
            Some(seen) => {
                let shown = words::gate(Gate::ParentShows(seen.shown));
                format!(": {shown}, since {}", minute(seen.since))
            }
        }
    }

    /// Whether the wait of a DS has not even begun, because nobody said that the parent acted.
    fn waits_for_word(&self, obstacle: &Obstacle) -> bool {
        obstacle
            .conditions
            .iter()
            .any(|condition| matches!(condition.gate, Gate::DsAtParent(_)) && !condition.is_met)
    }

    /// Which other records are on their way: a rule holds when some of them have arrived.
    fn on_their_way(&self, obstacle: &Obstacle) -> String {
        let keys = &self.evaluation.life.keys;
        let others = self.evaluation.obstacles.iter().filter(|other| {
            let is_timed = other.conditions.iter().all(|condition| {
                condition.is_met || !matches!(condition.gate, Gate::Rule(_) | Gate::RollType(_))
            });
            (&other.id, other.kind) != (&obstacle.id, obstacle.kind) && is_timed
        });
        let told: Vec<String> = others
            .filter_map(|other| {
                let key = keys.iter().find(|key| key.id == other.id)?;
                Some(format!("{} of {}", other.kind, KeyName::known(key).text))
            })
            .collect();
        match told.is_empty() {
            true => ": not if this went on now".to_owned(),
            false => format!(": not if this went on now; on their way are {}", told.join(", ")),
        }
    }

    fn zone_steps(&self) -> Vec<Step> {
        let zone = shell_word(self.zone);
        let steps = self.evaluation.actions.iter().filter_map(|action| match action {
            Action::ManualRollDue { role, since } => Some(Step {
                who: "you",
                text: format!("roll the {role}s: their lifetime is over since {}", minute(*since)),
                command: Some(format!("ods-enforcer key rollover --zone {zone} --keytype {role}")),
            }),
            Action::NoKeysConfigured => Some(Step {
                who: "machine",
                text: "takes the zone out of DNSSEC: its policy has no keys".to_owned(),
                command: None,
            }),
            Action::KeyWanted { policy_key, .. } => {
                let role = self.scene.policy.keys.keys.get(*policy_key)?.role;
                if self.assumptions.keys_by_hand {
                    let policy = shell_word(&self.scene.policy.name);
                    return Some(Step {
                        who: "you",
                        text: format!("make a {role}: none is left, and keys are made by hand"),
                        command: Some(format!(
                            "ods-enforcer key generate --policy {policy} --duration P1Y"
                        )),
                    });
                }
                let text = format!("makes a {role}");
                Some(Step { who: "machine", text, command: None })
            }
            Action::LifetimeTooShort { policy_key, lifetime, .. } => {
                let role = self.scene.policy.keys.keys.get(*policy_key)?.role;
                let text = format!(
                    "takes no {role} before its policy changes: a roll would take longer than its \
                     lifetime of {}",
                    length(*lifetime)
                );
                Some(Step { who: "machine", text, command: None })
            }
            _ => None,
        });
        steps.collect()
    }

    fn key_steps(&self, key: &KeyLife) -> Vec<Step> {
        let mut steps = Vec::new();
        for obstacle in self.evaluation.obstacles.iter().filter(|one| one.id == key.id) {
            let unmet = obstacle.conditions.iter().filter(|condition| !condition.is_met);
            for condition in unmet {
                let step = self.step(key, obstacle, condition);
                steps.extend(step.filter(|step| !steps.contains(step)));
            }
        }
        steps
    }

    fn step(&self, key: &KeyLife, obstacle: &Obstacle, condition: &Condition) -> Option<Step> {
        let name = KeyName::known(key).text;
        let kind = obstacle.kind;
        let step = |who, text: String, command| Some(Step { who, text, command });
        match condition.gate {
            Gate::DsAtParent(_) => self.parent_step(key, &name),
            Gate::ParentShows(_) => step("machine", self.watching(&name), None),
            Gate::Backup => step(
                "you",
                format!("make a backup of {name}"),
                Some("ods-enforcer backup prepare; ods-enforcer backup commit".to_owned()),
            ),
            Gate::Published => step(
                "machine",
                format!("publishes a version of the zone with the present {kind} of {name}"),
                None,
            ),
            Gate::Time | Gate::AddHoldDown | Gate::RemoveHoldDown
                if !self.waits_for_word(obstacle) =>
            {
                let at = condition.at.filter(|at| at.0 != u64::MAX)?;
                let when = self.when(at);
                step("machine", format!("looks at the {kind} of {name} again: {when}"), None)
            }
            _ => None,
        }
    }

    /// How the parent is looked at.
    fn watching(&self, name: &str) -> String {
        let agents = self.scene.policy.parent.agents.as_ref();
        let often = agents.map_or(String::new(), |one| format!(" every {}", length(one.interval)));
        format!("asks the parent's servers{often} until they agree about the DS of {name}")
    }

    /// What is to be done so that the parent acts, and is known to have acted.
    fn parent_step(&self, key: &KeyLife, name: &str) -> Option<Step> {
        let may_retract =
            self.evaluation.actions.contains(&Action::RetractDs { id: key.id.clone() });
        let zone = shell_word(self.zone);
        let say = |verb: &str| format!("ods-enforcer key {verb} --zone {zone} --cka_id {}", key.id);
        let export = || format!("ods-enforcer key export --zone {zone} --cka_id {} --ds", key.id);
        let machine = |text: String| Some(Step { who: "machine", text, command: None });
        let you = |text: String, command| Some(Step { who: "you", text, command: Some(command) });
        let (commands, is_cds) = (self.assumptions.commands, self.scene.publishes_cds);
        let is_watched = self.scene.parent.is_some();
        match key.ds_at_parent {
            DsAtParent::Submit => machine(match commands.submits {
                true => format!(
                    "hands over the DS of {name} with the DelegationSignerSubmitCommand, again \
                     each minute until that succeeds"
                ),
                false => format!("takes the DS of {name} for handed over"),
            }),
            DsAtParent::Retract if may_retract => machine(match commands.retracts {
                true => format!(
                    "takes back the DS of {name} with the DelegationSignerRetractCommand, again \
                     each minute until that succeeds"
                ),
                false => format!("takes the DS of {name} for called back"),
            }),
            DsAtParent::Retract => {
                machine(format!("keeps the DS of {name} until the parent has another one"))
            }
            DsAtParent::Submitted if is_watched && (commands.submits || is_cds) => None,
            DsAtParent::Submitted if is_watched => {
                you(format!("hand the DS of {name} to the parent, unless you did"), export())
            }
            DsAtParent::Submitted if commands.submits || is_cds => {
                you(format!("when the parent shows the DS of {name}, say so"), say("ds-seen"))
            }
            DsAtParent::Submitted => you(
                format!(
                    "hand the DS of {name} (key export --ds prints it) to the parent, unless you \
                     did; when the parent shows it, say so"
                ),
                say("ds-seen"),
            ),
            DsAtParent::Retracted if is_watched && (commands.retracts || is_cds) => None,
            DsAtParent::Retracted if is_watched => {
                you(format!("have the parent remove the DS of {name}, unless you did"), export())
            }
            DsAtParent::Retracted if commands.retracts || is_cds => {
                you(format!("when the DS of {name} is gone, say so"), say("ds-gone"))
            }
            DsAtParent::Retracted => you(
                format!(
                    "have the parent remove the DS of {name}, unless you did; when it is gone, \
                     say so"
                ),
                say("ds-gone"),
            ),
            DsAtParent::Unsubmitted | DsAtParent::Seen => None,
        }
    }

    fn steps(&self, mut steps: Vec<Step>) -> String {
        // What waits for people comes first.
        steps.sort_by_key(|step| step.who != "you");
        let mut text = "Next:\n".to_owned();
        for step in &steps {
            text += &wrap(&format!("  {}: {}", step.who, step.text), 4);
            if let Some(command) = &step.command {
                text += &format!("    $ {command}\n");
            }
        }
        text += &match (self.evaluation.next, steps.is_empty()) {
            (Some(at), _) => format!("  machine: looks at the zone again: {}\n", self.when(at)),
            (None, true) => "  Nothing is scheduled, and nobody has to do anything.\n".to_owned(),
            (None, false) => String::new(),
        };
        text
    }
}
