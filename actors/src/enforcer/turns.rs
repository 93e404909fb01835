//! Which zones are in their turn: jobs of one zone run one after another, also while the zone
//! goes from one policy to another, and a zone that is to be forgotten is so when its turn is over.
//! In: jobs that begin and end. Out: what waited for the end. Never: doing jobs.

use super::jobs::Task;
use crate::runtime::Reply;
use dnssec::Name;
use std::collections::BTreeMap;

/// The zones that have jobs in a policy's queue.
#[derive(Default)]
pub(super) struct Turns(BTreeMap<Name, Turn>);

/// The jobs of one zone.
struct Turn {
    /// The policy in whose queue they are.
    policy: String,
    /// How many.
    count: usize,
    /// What comes when these are done, in the queue of the policy that the zone has then.
    deferred: Vec<Task>,
    /// Who waits until these are done, since the zone goes.
    leaving: Vec<Reply<()>>,
}

/// What waited for the end of a zone's jobs.
#[derive(Default)]
pub(super) struct Over {
    pub(super) deferred: Vec<Task>,
    pub(super) leaving: Vec<Reply<()>>,
}

impl Turns {
    /// Counts a job of a zone in the queue of `policy`; gives it back when it may go there. A job
    /// of a zone that has some in another policy's queue is kept until those are done.
    pub(super) fn begin(&mut self, zone: &Name, policy: &str, task: Task) -> Option<Task> {
        let turn = self.0.entry(zone.clone()).or_insert_with(|| Turn {
            policy: policy.to_owned(),
            count: 0,
            deferred: Vec::new(),
            leaving: Vec::new(),
        });
        if turn.policy != policy || !turn.leaving.is_empty() {
            turn.deferred.push(task);
            return None;
        }
        turn.count += 1;
        Some(task)
    }

    /// Jobs of a zone are done, or were taken out of their queue.
    pub(super) fn end(&mut self, zone: &Name, count: usize) -> Over {
        let Some(turn) = self.0.get_mut(zone) else { return Over::default() };
        turn.count = turn.count.saturating_sub(count);
        if turn.count > 0 {
            return Over::default();
        }
        let over = self.0.remove(zone);
        over.map_or_else(Over::default, |turn| Over {
            deferred: turn.deferred,
            leaving: turn.leaving,
        })
    }

    /// Answers when the zone has no job any more: at once, or when its turn is over.
    pub(super) fn leave(&mut self, zone: &Name, reply: Reply<()>) {
        match self.0.get_mut(zone) {
            Some(turn) => turn.leaving.push(reply),
            None => reply.send(()),
        }
    }

    /// Zones that have jobs.
    pub(super) fn zones(&self) -> Vec<Name> {
        self.0.keys().cloned().collect()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_that_changes_its_policy_waits_for_the_jobs_of_the_old_one() {
        let zone = Name::parse(b"a.example.", None).unwrap();
        let mut turns = Turns::default();
        assert!(turns.begin(&zone, "old", Task::Look).is_some());
        assert!(turns.begin(&zone, "old", Task::Look).is_some());
        assert!(turns.begin(&zone, "new", Task::Keys).is_none());
        assert!(turns.end(&zone, 1).deferred.is_empty());
        let over = turns.end(&zone, 1);
        assert!(matches!(over.deferred[..], [Task::Keys]) && over.leaving.is_empty());
        assert!(turns.begin(&zone, "new", Task::Keys).is_some());
    }

    #[test]
    fn a_zone_that_goes_is_gone_when_its_turn_is_over() {
        let zone = Name::parse(b"a.example.", None).unwrap();
        let mut turns = Turns::default();
        assert!(turns.begin(&zone, "policy", Task::Look).is_some());
        let (reply, _answer) = Reply::channel();
        turns.leave(&zone, reply);
        assert!(turns.begin(&zone, "policy", Task::Look).is_none());
        let over = turns.end(&zone, 1);
        assert_eq!((over.deferred.len(), over.leaving.len()), (1, 1));
    }
}
