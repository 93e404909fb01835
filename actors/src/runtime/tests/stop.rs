//! Ordered stop: the youngest first, each within its deadline, ahead of what is queued.

use std::time::Duration;

use super::probe::{Log, Probe, ProbeMessage, add, break_it, root, state, taken};
use crate::runtime::testing::{settle, test_system};
use crate::runtime::{ChildSpec, ChildState, Failure, Strategy, SupervisorSpec, System};
use actix_rt::Arbiter;

#[test]
fn children_finish_in_reverse_order() {
    test_system(|clock| async move {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        add(&root, "a", &log);
        let sub = SupervisorSpec::new("sub", Strategy::OneForOne);
        let sub = root.add_supervisor(&sub).unwrap();
        let slow = Probe { finish: Some(Duration::from_secs(3)), ..Probe::new("b", &log) };
        sub.add(&ChildSpec::new("b"), move || slow.clone()).unwrap();
        let last = add(&sub, "c", &log);
        settle().await;
        taken(&log);
        // Two hundred messages are in the way of anything that would queue.
        let messages: Vec<_> = (0..40).map(|_| last.addr().send(ProbeMessage::Add(1))).collect();
        let begin = clock.uptime();
        root.stop().await;
        drop(messages);
        assert_eq!((clock.uptime() - begin).as_secs(), 3);
        assert_eq!(taken(&log), ["c stopping", "b stopping", "a stopping"]);
        let states: Vec<_> = root.table().rows().iter().map(|row| row.state).collect();
        assert_eq!(states, [ChildState::Stopped; 5]);
        assert!(failures.lock().unwrap().is_empty(), "a stop is no failure");
    });
}

#[test]
fn child_that_does_not_finish_is_terminated_at_its_deadline() {
    test_system(|clock| async move {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        add(&root, "a", &log);
        let deadline = Duration::from_secs(2);
        let spec = ChildSpec { stop_deadline: deadline, ..ChildSpec::new("stuck") };
        let stuck = Probe { finish: None, ..Probe::new("stuck", &log) };
        let stuck = root.add(&spec, move || stuck.clone()).unwrap();
        settle().await;
        taken(&log);
        let begin = clock.uptime();
        root.stop().await;
        assert_eq!((clock.uptime() - begin).as_secs(), 2);
        assert_eq!(taken(&log), ["stuck stopping", "a stopping"]);
        assert_eq!(stuck.health().last_failure, Some(Failure::StopDeadline { deadline }));
    });
}

#[test]
fn messages_are_still_answered_while_a_child_finishes() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let slow = Probe { finish: Some(Duration::from_secs(1)), ..Probe::new("a", &log) };
        let child = root.add(&ChildSpec::new("a"), move || slow.clone()).unwrap();
        settle().await;
        let stop = tokio::task::spawn_local(async move { root.stop().await });
        settle().await;
        assert_eq!(state(&child), ChildState::Stopping);
        assert_eq!(child.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        // A panic now is an end like any other.
        break_it(&child).await;
        stop.await.unwrap();
        assert_eq!((state(&child), child.health().failures), (ChildState::Stopped, 1));
    });
}

#[test]
fn child_that_backs_off_stops_at_once() {
    test_system(|clock| async move {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let child = add(&root, "a", &log);
        break_it(&child).await;
        let queued = child.addr().send(ProbeMessage::Add(1));
        let begin = clock.uptime();
        root.stop().await;
        assert!(queued.await.is_err(), "its mailbox is gone, and the sender knows");
        assert!((clock.uptime() - begin) < Duration::from_millis(100));
    });
}

#[test]
fn subtree_stops_apart_and_can_come_back() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let other = add(&root, "other", &log);
        let spec = SupervisorSpec::new("signer", Strategy::OneForOne);
        let signer = root.add_supervisor(&spec).unwrap();
        let child = add(&signer, "a", &log);
        settle().await;
        signer.stop().await;
        assert_eq!(state(&child), ChildState::Stopped);
        settle().await;
        let signer = root.add_supervisor(&spec).unwrap();
        let child = add(&signer, "a", &log);
        assert_eq!(child.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        assert_eq!(other.health().restarts, 0);
    });
}

#[test]
fn child_on_another_arbiter_restarts_stops_and_is_missed_when_its_thread_ends() {
    // Two arbiters have two clocks, so this one runs in real time, on events alone.
    System::new().block_on(async {
        let log = Log::default();
        let (root, failures) = root(Strategy::OneForOne);
        let arbiter = Arbiter::new();
        let at = |name: &'static str| {
            let probe = Probe::new(name, &log);
            let spec = ChildSpec::new(name);
            root.add_on(&arbiter.handle(), &spec, move || probe.clone()).unwrap()
        };
        let far = at("far");
        assert_eq!(far.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        break_it(&far).await;
        assert_eq!(far.addr().send(ProbeMessage::Add(2)).await, Ok(102));
        root.remove(&far).await;
        let lost = at("lost");
        assert_eq!(lost.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        arbiter.stop();
        root.as_child().ended().await;
        let gone = Failure::ArbiterGone { child: lost.path().clone() };
        assert_eq!(*failures.lock().unwrap(), [gone]);
    });
}
