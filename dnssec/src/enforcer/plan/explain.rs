//! Why keys are where they are: the chain of conditions of each record on its way, each true or
//! false with its evidence, and who acts next with which command.
//! In: life, scene: the same that the enforcer decides by. Out: text of [`super::table::WIDTH`]
//! columns, unless a command is longer. Never: changes.

use super::date::{length, minute};
use super::names::{KeyName, plain, shell_word};
use super::table::wrap;
use super::words;
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
    scene: &'a Scene<'a>,
    evaluation: Evaluation,
}

/// Why the keys of a zone are where they are.
pub fn explain_zone(zone: &str, life: &ZoneLife, scene: &Scene<'_>) -> String {
    let told = Told { zone, scene, evaluation: evaluate(life, scene) };
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
pub fn explain_key(zone: &str, life: &ZoneLife, scene: &Scene<'_>, id: &KeyId) -> Option<String> {
    let told = Told { zone, scene, evaluation: evaluate(life, scene) };
    let key = told.evaluation.life.keys.iter().find(|key| key.id == *id)?;
    let text = told.key(key);
    Some(text + "\n" + &told.steps(told.key_steps(key)))
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
        let mut text = format!("    becomes {} when all of this is true:\n", obstacle.wants);
        for condition in &obstacle.conditions {
            let sign = if condition.is_met { "true " } else { "FALSE" };
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
                format!(": the DS is known as {}, since {}", key.ds_at_parent, minute(since))
            }
            Gate::Backup => match key.backup {
                Backup::Missing => ": no backup was made".to_owned(),
                Backup::Done | Backup::NotRequired => String::new(),
            },
            Gate::Time if self.waits_for_word(obstacle) => {
                let sum = words::terms(&condition.terms);
                format!(": begins when this is said, and lasts {sum}")
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
                let text = format!("makes a {role}, unless keys are made by hand (key generate)");
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
            Gate::ParentShows(_) => step(
                "parent",
                format!("all of its servers have to show the new state of the DS of {name}"),
                None,
            ),
            Gate::Backup => step(
                "you",
                format!("make a backup of {name}"),
                Some("ods-enforcer backup prepare, then ods-enforcer backup commit".to_owned()),
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

    fn parent_step(&self, key: &KeyLife, name: &str) -> Option<Step> {
        let may_retract =
            self.evaluation.actions.contains(&Action::RetractDs { id: key.id.clone() });
        let (text, verb) = match key.ds_at_parent {
            DsAtParent::Submit => {
                (format!("hand the DS of {name} to the parent, then say so"), "ds-submit")
            }
            DsAtParent::Submitted => {
                (format!("wait until the parent shows the DS of {name}, then say so"), "ds-seen")
            }
            DsAtParent::Retract if may_retract => {
                (format!("ask the parent to remove the DS of {name}, then say so"), "ds-retract")
            }
            DsAtParent::Retracted => {
                (format!("wait until the DS of {name} is gone, then say so"), "ds-gone")
            }
            DsAtParent::Retract => {
                let text = format!("keeps the DS of {name} until the parent has another one");
                return Some(Step { who: "machine", text, command: None });
            }
            DsAtParent::Unsubmitted | DsAtParent::Seen => return None,
        };
        let zone = shell_word(self.zone);
        let command = format!("ods-enforcer key {verb} --zone {zone} --cka_id {}", key.id);
        Some(Step { who: "you", text, command: Some(command) })
    }

    fn steps(&self, steps: Vec<Step>) -> String {
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
