//! Is the appliance well? One verdict, a pure function of what actors show of themselves and the
//! time, for Nagios, for people and for the alarms of the shell; and the same as metrics.
//! In: a [`Snapshot`], the moment, thresholds. Out: a [`Report`], and its text in the grammar of
//! the Monitoring Plugins guidelines; OpenMetrics text.
//! Thresholds come from each zone's policy unless they are given. What was not heard of for
//! [`STALE_AFTER`] is critical: silence is no health.
//! Never: waits, clocks, sockets. Not yet: offset to NTP servers, disk and memory.
//!
//! Files: [`snapshot`] what is known, [`range`] thresholds, `zones`, `input`, `keys`, `machine` the
//! checks, `text` the plugin's text, [`metrics`] OpenMetrics.

mod input;
mod keys;
mod machine;
pub mod metrics;
pub mod range;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod text;
mod zones;

pub use range::{Range, RangeError};
pub use snapshot::{Moment, Snapshot};
pub use text::{FIRST_LINE_MAX, SUMMARY_MAX};

use crate::Seconds;
use snapshot::{Heard, ZoneHealth};

/// What was not heard of for so long is taken to be ill.
pub const STALE_AFTER: Seconds = Seconds(60);

/// What can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The worst of all others, and the actors.
    Health,
    /// When signatures expire.
    Signatures,
    /// Whether versions are published in time.
    Publish,
    /// Whether the auditor refuses anything.
    Audit,
    /// Whether keys roll in time.
    Keys,
    /// Whether parents have the DS they should have.
    Ds,
    /// Whether tokens sign.
    Hsm,
    /// Whether zones come in.
    Input,
    /// Whether secondaries follow.
    Output,
    /// Whether work is done in time.
    Queue,
    /// Whether the clock can be believed.
    Clock,
}

impl Check {
    /// All of them, the summary first.
    pub const ALL: [Check; 11] = [
        Check::Health,
        Check::Signatures,
        Check::Publish,
        Check::Audit,
        Check::Keys,
        Check::Ds,
        Check::Hsm,
        Check::Input,
        Check::Output,
        Check::Queue,
        Check::Clock,
    ];

    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Check::Health => "health",
            Check::Signatures => "signatures",
            Check::Publish => "publish",
            Check::Audit => "audit",
            Check::Keys => "keys",
            Check::Ds => "ds",
            Check::Hsm => "hsm",
            Check::Input => "input",
            Check::Output => "output",
            Check::Queue => "queue",
            Check::Clock => "clock",
        }
    }

    /// The check of that name.
    pub fn of(word: &str) -> Option<Check> {
        Check::ALL.into_iter().find(|check| check.word() == word)
    }

    /// What may be named behind it.
    pub fn scope(self) -> Scope {
        match self {
            Check::Hsm => Scope::Repository,
            Check::Clock => Scope::Nothing,
            _ => Scope::Zone,
        }
    }
}

/// What a check may be narrowed down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A zone.
    Zone,
    /// A repository.
    Repository,
    /// Nothing.
    Nothing,
}

/// A verdict; the worst one is the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// All is well.
    #[default]
    Ok,
    /// It could not be found out.
    Unknown,
    /// Somebody should look soon.
    Warning,
    /// Somebody has to act now.
    Critical,
}

impl State {
    /// As it stands in the text.
    pub fn word(self) -> &'static str {
        match self {
            State::Ok => "OK",
            State::Warning => "WARNING",
            State::Critical => "CRITICAL",
            State::Unknown => "UNKNOWN",
        }
    }

    /// The exit code of a plugin.
    pub fn exit_code(self) -> u8 {
        match self {
            State::Ok => 0,
            State::Warning => 1,
            State::Critical => 2,
            State::Unknown => 3,
        }
    }
}

/// What is looked at, and how strictly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// One zone or repository; `None`: all.
    pub only: Option<String>,
    /// `-w`: instead of the policy's.
    pub warning: Option<Range>,
    /// `-c`: instead of the policy's.
    pub critical: Option<Range>,
}

impl Question {
    /// What a value is by these thresholds where they are given, else by the policy's.
    fn judge(&self, value: i64, policys: Limits) -> State {
        let (warning, critical) = self.limits(policys);
        match () {
            () if critical.is_some_and(|range| range.alerts(value)) => State::Critical,
            () if warning.is_some_and(|range| range.alerts(value)) => State::Warning,
            () => State::Ok,
        }
    }

    /// The thresholds that count.
    fn limits(&self, (warning, critical): Limits) -> Limits {
        (self.warning.or(warning), self.critical.or(critical))
    }

    /// Whether a zone is looked at.
    fn means(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only.eq_ignore_ascii_case(name))
    }

    fn zones<'s>(&'s self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s ZoneHealth> {
        snapshot.zones.iter().filter(|zone| self.means(&zone.name))
    }
}

/// Warning and critical.
type Limits = (Option<Range>, Option<Range>);

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// How bad it is.
    pub state: State,
    /// The zone, repository or part.
    pub what: String,
    /// What is wrong.
    pub text: String,
    /// Who acts next, and how.
    pub next: String,
}

/// What a value is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Of a hundred.
    Percent,
    /// A counter that only rises.
    Counter,
}

/// One value of the performance data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Its label.
    pub label: &'static str,
    /// The value; `None`: it is not known ("U").
    pub value: Option<i64>,
    /// Its unit.
    pub unit: Unit,
    /// Its thresholds.
    pub limits: Limits,
}

impl Measure {
    fn new(label: &'static str, value: Option<i64>, unit: Unit) -> Measure {
        Measure { label, value, unit, limits: (None, None) }
    }

    fn count(label: &'static str, count: usize) -> Measure {
        Measure::new(label, i64::try_from(count).ok(), Unit::Count)
    }

    fn within(self, limits: Limits) -> Measure {
        Measure { limits, ..self }
    }
}

/// A verdict with its reasons.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What was looked at.
    pub check: Check,
    /// The verdict.
    pub state: State,
    /// What there is to say when all is well.
    pub summary: String,
    /// What is wrong, the worst first.
    pub troubles: Vec<Trouble>,
    /// Performance data.
    pub measures: Vec<Measure>,
    /// Everything that was looked at, a line each.
    pub lines: Vec<String>,
}

/// What a check finds.
#[derive(Default)]
struct Found {
    summary: String,
    troubles: Vec<Trouble>,
    measures: Vec<Measure>,
    lines: Vec<String>,
}

impl Found {
    fn trouble(
        &mut self,
        state: State,
        what: &str,
        text: impl Into<String>,
        next: impl Into<String>,
    ) {
        if state != State::Ok {
            let (text, next) = (text.into(), next.into());
            self.troubles.push(Trouble { state, what: what.to_owned(), text, next });
        }
    }

    fn report(mut self, check: Check) -> Report {
        // Stable: what a check put first stays first among equals.
        self.troubles.sort_by_key(|trouble| std::cmp::Reverse(trouble.state));
        let state = self.troubles.first().map_or(State::Ok, |trouble| trouble.state);
        let Found { summary, troubles, measures, lines } = self;
        Report { check, state, summary, troubles, measures, lines }
    }
}

/// How the appliance is, in one respect.
pub fn verdict(check: Check, question: &Question, snapshot: &Snapshot, now: Moment) -> Report {
    match snapshot.taken {
        None => return not_yet(check, now),
        Some(taken) => {
            let age = age(taken.uptime, now);
            if age > STALE_AFTER {
                return stale(check, age);
            }
        }
    }
    if check == Check::Health && (question.warning.is_some() || question.critical.is_some()) {
        return unknown(check, "it sums up all checks, which have the thresholds".to_owned());
    }
    if let Some(unknown) = unknown_object(check, question, snapshot) {
        return unknown;
    }
    let found = match check {
        Check::Health => machine::health(question, snapshot, now),
        Check::Signatures => zones::signatures(question, snapshot, now),
        Check::Publish => zones::publish(question, snapshot, now),
        Check::Audit => zones::audit(question, snapshot, now),
        Check::Keys => keys::keys(question, snapshot, now),
        Check::Ds => keys::ds(question, snapshot, now),
        Check::Hsm => machine::hsm(question, snapshot, now),
        Check::Input => input::input(question, snapshot, now),
        Check::Output => zones::output(question, snapshot),
        Check::Queue => zones::queue(question, snapshot, now),
        Check::Clock => machine::clock(question, snapshot, now),
    };
    found.report(check)
}

/// Whether everybody has had the time since the start to do what was due before it.
fn is_settled(now: Moment) -> bool {
    now.uptime > STALE_AFTER
}

/// A report about the check itself.
fn about(check: Check, state: State, what: &str, text: String, next: &str) -> Report {
    let mut found = Found::default();
    found.trouble(state, what, text, next);
    found.report(check)
}

fn not_yet(check: Check, now: Moment) -> Report {
    let state = if now.uptime > STALE_AFTER { State::Critical } else { State::Unknown };
    let next = "wait a moment; when it stays so, see the log of the daemon";
    about(check, state, "daemon", format!("started {} ago, no state yet", span(now.uptime)), next)
}

fn stale(check: Check, age: Seconds) -> Report {
    let text = format!("nothing was heard of the actors for {}", span(age));
    let next = "see the log of the daemon; restart it when it does not come back";
    about(check, State::Critical, "daemon", text, next)
}

/// Whether what is asked about is not there.
fn unknown_object(check: Check, question: &Question, snapshot: &Snapshot) -> Option<Report> {
    let only = question.only.as_deref()?;
    let (is_known, kind) = match check.scope() {
        Scope::Zone => (snapshot.zones.iter().any(|zone| question.means(&zone.name)), "zone"),
        Scope::Repository => {
            (snapshot.slots.iter().any(|(name, _)| question.means(name)), "repository")
        }
        Scope::Nothing => return Some(unknown(check, format!("{} is of no zone", check.word()))),
    };
    (!is_known).then(|| unknown(check, format!("{kind} {only} is not known")))
}

/// The report on a question that cannot be answered: wrong arguments, or an object that is not
/// there.
pub fn unknown(check: Check, text: String) -> Report {
    let report = about(check, State::Unknown, "", text, "see the arguments of the check");
    Report { measures: Vec::new(), ..report }
}

/// Time since an uptime.
fn age(at: Seconds, now: Moment) -> Seconds {
    Seconds(now.uptime.0.saturating_sub(at.0))
}

/// What somebody said, unless it is too long ago; then how long.
fn fresh<T>(heard: &Heard<T>, limit: Seconds, now: Moment) -> Result<Option<&T>, Seconds> {
    let age = age(heard.at, now);
    if age > limit { Err(age) } else { Ok(heard.value.as_ref()) }
}

/// Seconds of a length, as performance data has them.
fn signed(length: Seconds) -> i64 {
    i64::try_from(length.0).unwrap_or(i64::MAX)
}

/// Seconds from `now` to `at`; negative when that is over.
fn until(at: crate::Timestamp, now: crate::Timestamp) -> i64 {
    signed(at.since(now)) - signed(now.since(at))
}

/// A length of time for people: its two largest parts.
pub fn span(length: Seconds) -> String {
    let seconds = length.0;
    let parts = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let Some(largest) = parts.iter().position(|(_, size)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let (unit, size) = parts[largest];
    let first = format!("{} {unit}", seconds / size);
    match parts.get(largest + 1) {
        Some((unit, smaller)) if seconds % size >= *smaller => {
            format!("{first} {} {unit}", seconds % size / smaller)
        }
        _ => first,
    }
}
