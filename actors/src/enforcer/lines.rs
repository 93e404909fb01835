//! Who waits for the enforcer: a line for each policy, of which so many jobs are at work at once.
//! Jobs of one zone are done one after another, in their order. Keys are made ahead for a policy
//! only while none of its zones wants anything.
//! In: jobs that come and end. Out: what is to be begun. Never: doing jobs.

use super::jobs::Job;
use dnssec::Name;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Jobs of one policy at work at once: enough that they share their commits, since each waits for
/// the disk; few enough that a command does not wait for all zones of a policy.
const JOBS_AT_WORK_MAX: usize = 64;

/// The lines of all policies; one without jobs is not there.
#[derive(Default)]
pub(super) struct Lines {
    by_policy: BTreeMap<String, Line>,
    /// Zones with a job at work.
    at_work: BTreeSet<Name>,
    /// Jobs whose turn came while another one of their zone was at work.
    held: BTreeMap<Name, VecDeque<Job>>,
}

#[derive(Default)]
struct Line {
    waiting: VecDeque<Job>,
    at_work: usize,
    /// Whether a key is being made ahead; no job begins meanwhile.
    makes_stock: bool,
}

/// What a policy's line comes to.
pub(super) enum Next {
    /// A job that is to be begun.
    Begin(Box<Job>),
    /// Nothing until a job ends.
    Wait,
    /// Nothing at work and nobody waits.
    Idle,
}

impl Lines {
    /// Puts a job at the end of its policy's line.
    pub(super) fn push(&mut self, job: Job) {
        self.by_policy.entry(job.policy.name.clone()).or_default().waiting.push_back(job);
    }

    /// The next job of a policy, which is at work from now on.
    pub(super) fn next(&mut self, policy: &str) -> Next {
        let Some(line) = self.by_policy.get_mut(policy) else { return Next::Idle };
        while !line.makes_stock && line.at_work < JOBS_AT_WORK_MAX {
            let Some(job) = line.waiting.pop_front() else { break };
            if !self.at_work.insert(job.zone.clone()) {
                self.held.entry(job.zone.clone()).or_default().push_back(job);
                continue;
            }
            line.at_work += 1;
            return Next::Begin(Box::new(job));
        }
        if line.at_work > 0 || line.makes_stock {
            return Next::Wait;
        }
        self.by_policy.remove(policy);
        Next::Idle
    }

    /// A zone's job at work is done.
    pub(super) fn ended(&mut self, zone: &Name, policy: &str) {
        self.at_work.remove(zone);
        let held = self.held.remove(zone).unwrap_or_default();
        let line = self.by_policy.entry(policy.to_owned()).or_default();
        line.at_work = line.at_work.saturating_sub(1);
        held.into_iter().rev().for_each(|job| line.waiting.push_front(job));
    }

    /// Keeps the policy's jobs from beginning until [`Lines::stocked`]; only when it is idle.
    pub(super) fn stocking(&mut self, policy: &str) {
        self.by_policy.entry(policy.to_owned()).or_default().makes_stock = true;
    }

    /// The key is made.
    pub(super) fn stocked(&mut self, policy: &str) {
        if let Some(line) = self.by_policy.get_mut(policy) {
            line.makes_stock = false;
        }
    }

    /// Takes a zone's jobs out that have not begun.
    pub(super) fn remove(&mut self, zone: &Name) -> Vec<Job> {
        let mut removed: Vec<Job> = self.held.remove(zone).unwrap_or_default().into();
        for line in self.by_policy.values_mut() {
            let (own, others) = std::mem::take(&mut line.waiting)
                .into_iter()
                .partition::<VecDeque<Job>, _>(|job| job.zone == *zone);
            line.waiting = others;
            removed.extend(own);
        }
        removed
    }

    /// Jobs that have not begun.
    pub(super) fn waiting_count(&self) -> usize {
        let waiting = self.by_policy.values().map(|line| line.waiting.len());
        waiting.chain(self.held.values().map(VecDeque::len)).sum()
    }

    pub(super) fn clear(&mut self) {
        *self = Lines::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::jobs::Task;
    use super::*;
    use dnssec::policy::Policy;
    use std::sync::Arc;

    fn job(zone: &str) -> Job {
        let zone = Name::parse(zone.as_bytes(), None).unwrap();
        let policy = Arc::new(Policy::anchorite_default("p"));
        Job { zone, policy, task: Task::Look, parent: None, given: None }
    }

    fn begun(lines: &mut Lines) -> Option<String> {
        match lines.next(&Policy::anchorite_default("p").name) {
            Next::Begin(job) => Some(job.zone.to_string()),
            Next::Wait | Next::Idle => None,
        }
    }

    #[test]
    fn jobs_of_one_zone_follow_each_other_and_others_do_not_wait() {
        let (mut lines, policy) = (Lines::default(), Policy::anchorite_default("p").name);
        ["a.", "a.", "b.", "a."].into_iter().for_each(|zone| lines.push(job(zone)));
        let first = job("a.").zone;
        assert_eq!(begun(&mut lines), Some(first.to_string()));
        assert_eq!(begun(&mut lines), Some(job("b.").zone.to_string()));
        assert!(begun(&mut lines).is_none());
        assert_eq!(lines.waiting_count(), 2);
        lines.ended(&first, &policy);
        assert_eq!(begun(&mut lines), Some(first.to_string()));
        assert!(begun(&mut lines).is_none());
        assert_eq!(lines.remove(&first).len(), 1);
    }

    #[test]
    fn no_job_begins_while_a_key_is_made_ahead() {
        let (mut lines, policy) = (Lines::default(), Policy::anchorite_default("p").name);
        assert!(matches!(lines.next(&policy), Next::Idle));
        lines.stocking(&policy);
        lines.push(job("a."));
        assert!(matches!(lines.next(&policy), Next::Wait));
        lines.stocked(&policy);
        assert!(begun(&mut lines).is_some());
        lines.ended(&job("a.").zone, &policy);
        assert!(matches!(lines.next(&policy), Next::Idle));
    }

    #[test]
    fn so_many_are_at_work_at_once() {
        let mut lines = Lines::default();
        (0..=JOBS_AT_WORK_MAX).for_each(|number| lines.push(job(&format!("z{number}."))));
        assert_eq!(
            (0..=JOBS_AT_WORK_MAX).filter_map(|_| begun(&mut lines)).count(),
            JOBS_AT_WORK_MAX
        );
    }
}
