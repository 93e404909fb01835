//! Scenarios and their file form. A line that begins with `>` is a step; the lines below it, up to
//! the next step, are the judge's answer: `= EXIT +TIME` and what changed; then, with `!`, what
//! differs in ours on purpose (the scenario says why with `differs REASON` or `apart REASON`).
//! ```text
//! scenario ksk-double-ds
//! policy default keyttl=600 ksk=13/256:31536000:SoftHSM:KskDoubleDS
//! > import
//! = 0 +0
//! > add one default
//! = 0 +0
//! zone one +47400
//! one ksk1 HRR- 11 publish - 13/256/SoftHSM
//! ```
//! In: text. Out: the same as values, and back. Never: running anything.

use crate::picture::Picture;
use crate::policy_text::PolicyText;
use std::fmt;

/// A policy file and a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scenario {
    /// Its name; for a random one, with its seed.
    pub(crate) name: String,
    /// What it shows.
    pub(crate) comments: Vec<String>,
    /// Repositories beside `SoftHSM`, or `SoftHSM` to set its backup flag: name, RequireBackup.
    pub(crate) repositories: Vec<(String, bool)>,
    /// Keys in tokens that the enforcer does not know: to be imported.
    pub(crate) spares: Vec<SpareKey>,
    /// Why ours differs in it: rows of the table in `docs/src/differences.md`.
    pub(crate) differs: Vec<String>,
    /// `apart` instead of `differs`: after the first difference the two go their own ways, and
    /// nothing is compared any more.
    pub(crate) goes_apart: bool,
    /// kasp.xml at the start.
    pub(crate) policies: Vec<PolicyText>,
    /// What happens.
    pub(crate) steps: Vec<Step>,
}

/// A key made in a token before the enforcer starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SpareKey {
    /// Repository.
    pub(crate) repository: String,
    /// Length in bits of an ECDSA key.
    pub(crate) bits: u16,
}

/// A command and what the judge answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    /// The command.
    pub(crate) command: Command,
    /// The answer; `None` when it was not recorded yet.
    pub(crate) answer: Option<Answer>,
    /// The lines that lead from the answer to ours, where ours differs on purpose.
    pub(crate) ours_differs: Vec<String>,
}

/// What the judge showed after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Exit status of the command.
    pub(crate) exit: u8,
    /// The time, in seconds since the start of the scenario.
    pub(crate) now: u64,
    /// Zones and keys.
    pub(crate) picture: Picture,
}

/// One step of a script. Keys are named by label, zones and policies by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// `policy import`.
    Import,
    /// Changes or adds a policy in kasp.xml, then `policy import`.
    Edit { policy: String, words: String },
    /// `zone add`.
    Add { zone: String, policy: String },
    /// `zone delete`.
    Delete { zone: String },
    /// `zone set-policy`.
    SetPolicy { zone: String, policy: String },
    /// `time leap` to the first next change of any zone.
    Leap,
    /// `time leap` by so many seconds.
    LeapBy { seconds: u64 },
    /// `key ds-submit`, `ds-seen`, `ds-retract` or `ds-gone`.
    Ds { verb: String, zone: String, key: String },
    /// `key rollover`; of all roles without one.
    Roll { zone: String, role: Option<String> },
    /// `key import` of the spare key of that number, from 0, that began so long ago.
    ImportKey { zone: String, spare: usize, role: String, state: String, age: u64 },
    /// `key purge --zone`.
    Purge { zone: String },
    /// `backup prepare`, `commit` or `rollback`, of the repository `SoftHSM`.
    Backup { verb: String },
    /// `enforce`.
    Enforce,
    /// So many times what is awaited of the operator, or else a leap. Only in scenarios that were
    /// never recorded: the recording has the steps that it became.
    Auto { count: usize },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Import => f.write_str("import"),
            Command::Edit { policy, words } => write!(f, "policy {policy} {words}"),
            Command::Add { zone, policy } => write!(f, "add {zone} {policy}"),
            Command::Delete { zone } => write!(f, "delete {zone}"),
            Command::SetPolicy { zone, policy } => write!(f, "set-policy {zone} {policy}"),
            Command::Leap => f.write_str("leap"),
            Command::LeapBy { seconds } => write!(f, "leap {seconds}"),
            Command::Ds { verb, zone, key } => write!(f, "{verb} {zone} {key}"),
            Command::Roll { zone, role: None } => write!(f, "roll {zone}"),
            Command::Roll { zone, role: Some(role) } => write!(f, "roll {zone} {role}"),
            Command::ImportKey { zone, spare, role, state, age } => {
                write!(f, "key-import {zone} {spare} {role} {state} {age}")
            }
            Command::Purge { zone } => write!(f, "purge {zone}"),
            Command::Backup { verb } => write!(f, "backup {verb}"),
            Command::Enforce => f.write_str("enforce"),
            Command::Auto { count } => write!(f, "auto {count}"),
        }
    }
}

impl Command {
    /// Reads the text after `> `.
    ///
    /// # Panics
    /// When there is no such step.
    pub(crate) fn read(text: &str) -> Command {
        let words: Vec<String> = text.split(' ').map(str::to_owned).collect();
        let number = |text: &String| text.parse().unwrap_or_else(|_| panic!("number in: {text}"));
        match words.as_slice() {
            [verb] if verb == "import" => Command::Import,
            [verb, policy, rest @ ..] if verb == "policy" => {
                Command::Edit { policy: policy.clone(), words: rest.join(" ") }
            }
            [verb, zone, policy] if verb == "add" => {
                Command::Add { zone: zone.clone(), policy: policy.clone() }
            }
            [verb, zone] if verb == "delete" => Command::Delete { zone: zone.clone() },
            [verb, zone, policy] if verb == "set-policy" => {
                Command::SetPolicy { zone: zone.clone(), policy: policy.clone() }
            }
            [verb] if verb == "leap" => Command::Leap,
            [verb, seconds] if verb == "leap" => Command::LeapBy { seconds: number(seconds) },
            [verb, zone, key] if verb.starts_with("ds-") => {
                Command::Ds { verb: verb.clone(), zone: zone.clone(), key: key.clone() }
            }
            [verb, zone, role @ ..] if verb == "roll" => {
                Command::Roll { zone: zone.clone(), role: role.first().cloned() }
            }
            [verb, zone, spare, role, state, age] if verb == "key-import" => Command::ImportKey {
                zone: zone.clone(),
                spare: number(spare) as usize,
                role: role.clone(),
                state: state.clone(),
                age: number(age),
            },
            [verb, zone] if verb == "purge" => Command::Purge { zone: zone.clone() },
            [verb, what] if verb == "backup" => Command::Backup { verb: what.clone() },
            [verb] if verb == "enforce" => Command::Enforce,
            [verb, count] if verb == "auto" => Command::Auto { count: number(count) as usize },
            _ => panic!("no such step: {text}"),
        }
    }
}

impl Step {
    /// One without answer.
    pub(crate) fn new(command: Command) -> Step {
        Step { command, answer: None, ours_differs: Vec::new() }
    }
}

impl Answer {
    /// What the operator is awaited to do with keys, in order of zones and keys.
    pub(crate) fn awaited(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        for (zone, picture) in &self.picture.zones {
            for (label, key) in picture.keys.iter().filter(|(_, key)| key.waiting != "-") {
                let (verb, zone, key) = (key.waiting.clone(), zone.clone(), label.clone());
                commands.push(Command::Ds { verb, zone, key });
            }
        }
        commands
    }
}

impl Scenario {
    /// One without steps.
    pub(crate) fn new(name: &str) -> Scenario {
        Scenario {
            name: name.to_owned(),
            comments: Vec::new(),
            repositories: Vec::new(),
            spares: Vec::new(),
            differs: Vec::new(),
            goes_apart: false,
            policies: Vec::new(),
            steps: Vec::new(),
        }
    }

    fn read_line(&mut self, line: &str) {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("#", text) => self.comments.push(text.to_owned()),
            ("repository", rest) => {
                let (name, backup) = rest.split_once(' ').unwrap_or((rest, ""));
                self.repositories.push((name.to_owned(), backup == "backup"));
            }
            ("spare", rest) => {
                let (repository, bits) = rest.split_once(' ').unwrap_or((rest, "256"));
                let bits = bits.parse().unwrap_or_else(|_| panic!("{line}"));
                self.spares.push(SpareKey { repository: repository.to_owned(), bits });
            }
            (word @ ("differs" | "apart"), reason) => {
                self.differs.push(reason.to_owned());
                self.goes_apart = word == "apart";
            }
            ("policy", rest) => self.policies.push(PolicyText::read(rest)),
            (">", text) => self.steps.push(Step::new(Command::read(text))),
            _ => self.read_answer(line),
        }
    }

    fn read_answer(&mut self, line: &str) {
        let before = self.steps.iter().rev().find_map(|step| step.answer.as_ref());
        let picture = before.map(|answer| answer.picture.clone()).unwrap_or_default();
        let Some(step) = self.steps.last_mut() else { panic!("an answer without a step: {line}") };
        if let Some(rest) = line.strip_prefix("= ") {
            let numbers = rest
                .split_once(" +")
                .and_then(|(exit, now)| Some((exit.parse::<u8>().ok()?, now.parse::<u64>().ok()?)));
            let (exit, now) = numbers.unwrap_or_else(|| panic!("{line}"));
            step.answer = Some(Answer { exit, now, picture });
            return;
        }
        if let Some(ours) = line.strip_prefix("! ") {
            step.ours_differs.push(ours.to_owned());
            return;
        }
        let Some(answer) = &mut step.answer else { panic!("no `=` before: {line}") };
        answer.picture.apply(line);
    }

    fn write(&self, text: &mut String) {
        let mut push = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        push(format!("scenario {}", self.name));
        self.comments.iter().for_each(|comment| push(format!("# {comment}")));
        for (name, backup) in &self.repositories {
            push(format!("repository {name}{}", if *backup { " backup" } else { "" }));
        }
        for SpareKey { repository, bits } in &self.spares {
            push(format!("spare {repository} {bits}"));
        }
        let word = if self.goes_apart { "apart" } else { "differs" };
        self.differs.iter().for_each(|reason| push(format!("{word} {reason}")));
        self.policies.iter().for_each(|policy| push(format!("policy {}", policy.words())));
        let mut before = Picture::default();
        for step in &self.steps {
            push(format!("> {}", step.command));
            if let Some(answer) = &step.answer {
                push(format!("= {} +{}", answer.exit, answer.now));
                answer.picture.changes(&before).into_iter().for_each(&mut push);
                before = answer.picture.clone();
            }
            step.ours_differs.iter().for_each(|line| push(format!("! {line}")));
        }
    }
}

/// The scenarios of a file.
///
/// # Panics
/// When a line has another form.
pub(crate) fn read_scenarios(text: &str) -> Vec<Scenario> {
    let mut scenarios: Vec<Scenario> = Vec::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        match (line.strip_prefix("scenario "), scenarios.last_mut()) {
            (Some(name), _) => scenarios.push(Scenario::new(name)),
            (None, Some(scenario)) => scenario.read_line(line),
            (None, None) => panic!("before the first scenario: {line}"),
        }
    }
    scenarios
}

/// The file of these scenarios.
pub(crate) fn write_scenarios(scenarios: &[Scenario]) -> String {
    let mut text = String::new();
    for scenario in scenarios {
        if !text.is_empty() {
            text.push('\n');
        }
        scenario.write(&mut text);
    }
    text
}
