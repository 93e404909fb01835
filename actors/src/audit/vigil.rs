//! What is known of the auditor as a whole: whether it is trusted, and who waits for its verdict.
//! In: candidates that go to it, verdicts, tests. Out: [`VigilStatus`]; the refusal to publish
//! anything while it is not trusted ([`Distrusted`]).
//! Shared by the zones' runs and the watcher; it waits for nobody and knows no rule.
//! Limits: one entry for each zone that waits.

use audit_host::JudgeStatus;
use dnssec::{Name, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use storage::state::TestOutcome;

/// With candidates waiting, so long without any verdict is silence.
pub const SILENCE_MAX: Duration = Duration::from_secs(900);

/// The auditor approved a zone that was wrong: nothing is published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the auditor is not trusted since it did not refuse a wrong zone (entry {entry} of the audit \
     log), so nothing is published; see \"anchorite audit log\" for what it missed; restart the \
     auditor, which is then tested again, or say \"anchorite audit trust --reason TEXT\""
)]
pub struct Distrusted {
    /// Number of the entry in the log of verdicts.
    pub entry: u64,
}

/// The last test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastTest {
    /// When.
    pub at: Timestamp,
    /// Of which zone a version was changed.
    pub zone: Name,
    /// What came of it.
    pub outcome: TestOutcome,
}

/// What operators see of the auditor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VigilStatus {
    /// When it last gave a verdict, since the start.
    pub last_verdict: Option<Timestamp>,
    /// Verdicts since the start.
    pub verdict_count: u64,
    /// The last test since the start.
    pub last_test: Option<LastTest>,
    /// When it last refused a wrong zone for the right reason, since the start.
    pub last_caught: Option<Timestamp>,
    /// Why nothing is published; `None`: it is trusted.
    pub distrusted: Option<Distrusted>,
    /// Zones whose candidates wait for a verdict.
    pub waiting: usize,
    /// For how long there has been no verdict, while candidates waited; `None`: not too long.
    pub silent_for: Option<Duration>,
    /// The auditor's process; `None`: it does not run, or has no process of its own.
    pub process_id: Option<u32>,
}

#[derive(Default)]
struct State {
    last_verdict: Option<(Timestamp, Duration)>,
    verdict_count: u64,
    last_test: Option<LastTest>,
    last_caught: Option<Timestamp>,
    /// With the process that is not trusted.
    distrusted: Option<(Distrusted, Option<u32>)>,
    /// Since when, in time since the start.
    waiting: BTreeMap<Name, Duration>,
}

/// What is known of the auditor.
#[derive(Default)]
pub struct Vigil {
    state: Mutex<State>,
}

impl Vigil {
    /// One that knows of a test that was missed before the start.
    pub fn new(missed: Option<u64>) -> Vigil {
        let distrusted = missed.map(|entry| (Distrusted { entry }, None));
        Vigil { state: Mutex::new(State { distrusted, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A zone's candidate goes to the auditor. One that waits already goes on waiting.
    pub fn waits(&self, zone: &Name, uptime: Duration) {
        self.state().waiting.entry(zone.clone()).or_insert(uptime);
    }

    /// A zone's candidate has its verdict.
    pub fn judged(&self, zone: &Name, at: Timestamp, uptime: Duration) {
        let mut state = self.state();
        state.waiting.remove(zone);
        state.last_verdict = Some((at, uptime));
        state.verdict_count += 1;
    }

    /// A zone has nothing to be judged any more.
    pub fn rests(&self, zone: &Name) {
        self.state().waiting.remove(zone);
    }

    /// Forgets zones that are not there any more.
    pub fn retain(&self, is_there: impl Fn(&Name) -> bool) {
        self.state().waiting.retain(|zone, _| is_there(zone));
    }

    /// Notes a test.
    pub fn tested(&self, test: LastTest) {
        let mut state = self.state();
        if test.outcome == TestOutcome::Caught {
            state.last_caught = Some(test.at);
        }
        state.last_test = Some(test);
    }

    /// From now on nothing is published. `process`: which auditor it was.
    pub fn distrust(&self, entry: u64, process: Option<u32>) {
        self.state().distrusted.get_or_insert((Distrusted { entry }, process));
    }

    /// It is trusted again; `false`: it was.
    pub fn trust(&self) -> bool {
        self.state().distrusted.take().is_some()
    }

    /// Whether the auditor that runs now is another one than the one that is not trusted.
    pub fn is_restarted(&self, process: Option<u32>) -> bool {
        let state = self.state();
        state.distrusted.as_ref().is_some_and(|(_, old)| process.is_some() && *old != process)
    }

    /// Whether anything may be published.
    pub fn check(&self) -> Result<(), Distrusted> {
        self.state().distrusted.as_ref().map_or(Ok(()), |(why, _)| Err(why.clone()))
    }

    /// Everything, `uptime` after the start.
    pub fn status(&self, judge: &JudgeStatus, uptime: Duration) -> VigilStatus {
        let state = self.state();
        let since = state.waiting.values().min().map(|oldest| {
            let last = state.last_verdict.map_or(Duration::ZERO, |(_, last)| last);
            uptime.saturating_sub(last.max(*oldest))
        });
        VigilStatus {
            last_verdict: state.last_verdict.map(|(at, _)| at),
            verdict_count: state.verdict_count,
            last_test: state.last_test.clone(),
            last_caught: state.last_caught,
            distrusted: state.distrusted.as_ref().map(|(why, _)| why.clone()),
            waiting: state.waiting.len(),
            silent_for: since.filter(|length| *length > SILENCE_MAX),
            process_id: judge.process_id,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(text: &str) -> Name {
        Name::parse(text.as_bytes(), None).unwrap()
    }

    fn silent_for(vigil: &Vigil, seconds: u64) -> Option<u64> {
        let uptime = Duration::from_secs(seconds);
        let status = vigil.status(&JudgeStatus::default(), uptime);
        status.silent_for.map(|length| length.as_secs())
    }

    #[test]
    fn silence_is_no_verdict_for_anybody_while_somebody_waits() {
        let vigil = Vigil::new(None);
        assert_eq!(silent_for(&vigil, 10_000), None);
        vigil.waits(&zone("a."), Duration::from_secs(10_000));
        assert_eq!(silent_for(&vigil, 10_900), None);
        // A second try is not the beginning of the wait.
        vigil.waits(&zone("a."), Duration::from_secs(10_800));
        assert_eq!(silent_for(&vigil, 10_901), Some(901));
        // A verdict for another zone: the auditor speaks.
        vigil.waits(&zone("b."), Duration::from_secs(10_900));
        vigil.judged(&zone("b."), Timestamp(7), Duration::from_secs(10_950));
        assert_eq!(silent_for(&vigil, 11_850), None);
        assert_eq!(silent_for(&vigil, 11_851), Some(901));
        vigil.rests(&zone("b."));
        assert_eq!(silent_for(&vigil, 11_851), Some(901));
        vigil.retain(|_| false);
        assert_eq!(silent_for(&vigil, 99_999), None);
    }

    #[test]
    fn what_was_missed_holds_everything_until_trust_comes_back() {
        let vigil = Vigil::new(None);
        assert_eq!(vigil.check(), Ok(()));
        vigil.distrust(5, Some(100));
        vigil.distrust(9, Some(101));
        assert_eq!(vigil.check(), Err(Distrusted { entry: 5 }));
        assert!(!vigil.is_restarted(Some(100)));
        assert!(!vigil.is_restarted(None));
        assert!(vigil.is_restarted(Some(101)));
        assert!(vigil.trust());
        assert!(!vigil.trust());
        assert_eq!(vigil.check(), Ok(()));
        // Missed before the start: whichever process is started now is another one.
        let vigil = Vigil::new(Some(3));
        assert_eq!(vigil.check(), Err(Distrusted { entry: 3 }));
        assert!(vigil.is_restarted(Some(1)));
    }
}
