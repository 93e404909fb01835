//! What a failure means for siblings and parents: rest-for-one, limits, escalation, the root.

use std::time::Duration;

use super::probe::{LONG, Log, Probe, ProbeMessage, add, break_it, root, state, taken};
use crate::runtime::testing::{settle, test_system};
use crate::runtime::{
    ChildRef, ChildSpec, ChildState, Failure, OnLimit, RestartLimits, Strategy, SupervisorSpec,
};

fn restarts(children: &[&ChildRef<Probe>]) -> Vec<u32> {
    children.iter().map(|child| child.health().restarts).collect()
}

#[test]
fn rest_for_one_restarts_the_younger_in_order_and_not_the_elder() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::RestForOne);
        let [a, b, c] = ["a", "b", "c"].map(|name| add(&root, name, &log));
        settle().await;
        taken(&log);
        break_it(&b).await;
        let queued = c.addr().send(ProbeMessage::Add(1));
        settle().await;
        assert_eq!(state(&c), ChildState::Waiting);
        assert_eq!(queued.await, Ok(101), "what was queued for a held sibling is answered");
        let order = ["b reset", "c reset", "b started", "b ready", "c started", "c ready"];
        assert_eq!(taken(&log), order);
        assert_eq!(restarts(&[&a, &b, &c]), [0, 1, 1]);
        break_it(&a).await;
        c.addr().send(ProbeMessage::Add(1)).await.unwrap();
        assert_eq!(restarts(&[&a, &b, &c]), [1, 2, 2]);
        assert_eq!(c.health().failures, 0);
    });
}

#[test]
fn ordered_start_waits_until_the_elder_has_loaded() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let slow = Probe { load: Duration::from_secs(3), ..Probe::new("slow", &log) };
        root.add(&ChildSpec::new("slow"), move || slow.clone()).unwrap();
        let next = add(&root, "next", &log);
        settle().await;
        assert_eq!(taken(&log), ["slow started"]);
        assert_eq!(next.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        assert_eq!(taken(&log), ["slow ready", "next started", "next ready"]);
    });
}

#[test]
fn limit_exceeded_escalates_and_the_parent_restarts_the_subtree() {
    test_system(|_| async {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        let other = add(&root, "other", &log);
        let sub = SupervisorSpec::new("sub", Strategy::OneForOne);
        let sub = root.add_supervisor(&sub).unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|name| add(&sub, name, &log));
        for _ in 0..5 {
            break_it(&b).await;
            b.addr().send(ProbeMessage::Add(1)).await.unwrap();
        }
        taken(&log);
        break_it(&b).await;
        assert_eq!(state(&b), ChildState::Escalated);
        settle().await;
        // The others stop in reverse order; `b` keeps its place and its mailbox.
        let stopped = ["b reset", "c stopping", "c reset", "a stopping", "a reset"];
        assert_eq!(taken(&log), stopped);
        let row = sub.as_child().health();
        assert_eq!((row.state, row.failures), (ChildState::BackingOff, 1));
        let Some(Failure::LimitExceeded { child, failures: count, .. }) = row.last_failure else {
            panic!("no escalation noted")
        };
        assert_eq!((&*child, count), ("root/sub/b", 6));
        let queued = a.addr().send(ProbeMessage::Add(1));
        assert_eq!(queued.await, Ok(101), "addresses survive the parent's restart");
        settle().await;
        let order = ["a started", "a ready", "b started", "b ready", "c started", "c ready"];
        assert_eq!(taken(&log), order);
        assert_eq!(b.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        assert_eq!(state(&c), ChildState::Running);
        assert_eq!(other.health().restarts, 0);
        assert!(failures.lock().unwrap().is_empty());
    });
}

#[test]
fn root_failure_is_a_typed_reason_and_nothing_runs_on() {
    test_system(|_| async {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        let a = add(&root, "a", &log);
        let never = ChildSpec { limits: RestartLimits::NEVER, ..ChildSpec::new("b") };
        let probe = Probe::new("b", &log);
        let b = root.add(&never, move || probe.clone()).unwrap();
        break_it(&b).await;
        root.as_child().ended().await;
        a.ended().await;
        assert!(taken(&log).contains(&"a stopping".to_owned()));
        let failures = failures.lock().unwrap();
        let [Failure::LimitExceeded { child, last, .. }] = &failures[..] else {
            panic!("{failures:?}")
        };
        assert_eq!(&**child, "root/b");
        assert!(matches!(**last, Failure::Panic(_)));
        assert!(!a.addr().connected() && !b.addr().connected());
        assert_eq!(state(&b), ChildState::Escalated);
    });
}

#[test]
fn child_that_is_given_up_costs_its_siblings_nothing() {
    test_system(|_| async {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        let spec = ChildSpec {
            limits: RestartLimits { restarts_max: 2, ..RestartLimits::DEFAULT },
            on_limit: OnLimit::GiveUp,
            ..ChildSpec::new("bad")
        };
        let bad = Probe { load_fails: true, ..Probe::new("bad", &log) };
        let bad = root.add(&spec, move || bad.clone()).unwrap();
        let good = add(&root, "good", &log);
        bad.ended().await;
        assert_eq!(good.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        assert_eq!((state(&bad), bad.health().failures), (ChildState::Escalated, 3));
        assert_eq!(good.health().restarts, 0);
        assert!(failures.lock().unwrap().is_empty());
    });
}

#[test]
fn rest_for_one_holds_a_whole_subtree_and_starts_it_again() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::RestForOne);
        let base = add(&root, "base", &log);
        let sub = SupervisorSpec::new("sub", Strategy::OneForOne);
        let sub = root.add_supervisor(&sub).unwrap();
        let leaf = add(&sub, "leaf", &log);
        leaf.addr().send(ProbeMessage::Add(1)).await.unwrap();
        taken(&log);
        break_it(&base).await;
        settle().await;
        assert_eq!(state(&leaf), ChildState::Waiting);
        assert_eq!(leaf.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        let order = ["base reset", "leaf reset", "base started", "base ready"];
        assert_eq!(taken(&log)[..4], order);
        assert_eq!(restarts(&[&leaf]), [1]);
        assert_eq!(leaf.observe(LONG).await, Ok(101));
    });
}

#[test]
fn supervisor_that_panics_itself_restarts_with_its_children() {
    test_system(|_| async {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        let sub = SupervisorSpec::new("sub", Strategy::OneForOne);
        let sub = root.add_supervisor(&sub).unwrap();
        let [a, b] = ["a", "b"].map(|name| add(&sub, name, &log));
        b.addr().send(ProbeMessage::Add(1)).await.unwrap();
        taken(&log);
        // No message makes a supervisor panic, so the test takes the way of an observation.
        let bug = sub.as_child().calls.try_send(Box::new(|_, _| panic!("supervisor bug")));
        assert!(bug.is_ok());
        settle().await;
        assert_eq!((state(&a), state(&b)), (ChildState::Waiting, ChildState::Waiting));
        assert_eq!(b.addr().send(ProbeMessage::Add(5)).await, Ok(105));
        let order = ["b reset", "a reset", "a started", "a ready", "b started", "b ready"];
        assert_eq!(taken(&log), order, "held from the last, started from the first");
        assert_eq!(sub.as_child().health().restarts, 1);
        assert!(failures.lock().unwrap().is_empty());

        let bug = root.as_child().calls.try_send(Box::new(|_, _| panic!("root bug")));
        assert!(bug.is_ok());
        a.ended().await;
        let failure = failures.lock().unwrap().pop();
        assert!(matches!(failure, Some(Failure::Panic(why)) if &*why.text == "root bug"));
    });
}
