//! A panic costs one message: mailbox and address stay, state is loaded again, pauses double.

use std::sync::Arc;
use std::time::Duration;

use super::probe::{LONG, Log, Probe, ProbeMessage, add, break_it, root, state, taken};
use crate::runtime::testing::{settle, test_system};
use crate::runtime::{
    AddError, AskError, ChildSpec, ChildState, Failure, HealthRow, Lifetime, ObserveError, Reply,
    RestartLimits, StartOrder, Strategy, SupervisorSpec, TellError,
};

#[test]
fn message_queued_behind_a_panic_is_answered_with_rebuilt_state() {
    test_system(|clock| async move {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let child = add(&root, "a", &log);
        assert_eq!(child.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        let begin = clock.uptime();
        let broken = child.addr().send(ProbeMessage::Break);
        let queued = child.addr().send(ProbeMessage::Add(5));
        broken.await.unwrap_err();
        assert!((clock.uptime() - begin) < Duration::from_millis(5), "the sender hears at once");
        assert_eq!(queued.await, Ok(105));
        assert_eq!((clock.uptime() - begin).as_millis(), 100);
        let expected = ["a started", "a ready", "a reset", "a started", "a ready"];
        assert_eq!(taken(&log), expected);
    });
}

#[test]
fn reply_held_in_a_future_is_dropped_at_the_panic_not_after_the_pause() {
    test_system(|clock| async move {
        let (root, _) = root(Strategy::OneForOne);
        let child = add(&root, "a", &Log::default());
        let (reply, answer) = Reply::channel();
        child.addr().send(ProbeMessage::Keep(reply)).await.unwrap();
        let begin = clock.uptime();
        break_it(&child).await;
        let dropped = AskError::Dropped { to: child.path().clone() };
        assert_eq!(answer.within(child.path(), LONG).await, Err(dropped));
        assert!((clock.uptime() - begin) < Duration::from_millis(5));
    });
}

#[test]
fn pauses_double_up_to_their_maximum_and_the_period_forgets() {
    test_system(|clock| async move {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let limits = RestartLimits { pause_max: Duration::from_secs(1), ..RestartLimits::DEFAULT };
        let spec = ChildSpec { limits, ..ChildSpec::new("a") };
        let probe = Probe::new("a", &log);
        let child = root.add(&spec, move || probe.clone()).unwrap();
        let mut pauses = Vec::new();
        for _ in 0..5 {
            let begin = clock.uptime();
            break_it(&child).await;
            assert_eq!(state(&child), ChildState::BackingOff);
            child.addr().send(ProbeMessage::Add(0)).await.unwrap();
            pauses.push((clock.uptime() - begin).as_millis());
        }
        assert_eq!(pauses, [100, 200, 400, 800, 1000]);
        clock.sleep(limits.period).await;
        let begin = clock.uptime();
        break_it(&child).await;
        child.addr().send(ProbeMessage::Add(0)).await.unwrap();
        assert_eq!((clock.uptime() - begin).as_millis(), 100);
    });
}

#[test]
fn health_table_tells_text_and_place_and_siblings_are_unaffected() {
    test_system(|_| async {
        let (root, _) = root(Strategy::OneForOne);
        let (a, b) = (add(&root, "a", &Log::default()), add(&root, "b", &Log::default()));
        assert_eq!(b.addr().send(ProbeMessage::Add(7)).await, Ok(107));
        break_it(&a).await;
        let table = root.table().clone();
        let rows = std::thread::spawn(move || table.rows()).join().unwrap();
        let paths: Vec<&str> = rows.iter().map(|row| &*row.path).collect();
        assert_eq!(paths, ["root", "root/a", "root/b"]);
        let HealthRow { state, failures, restarts, last_failure, .. } = rows[1].clone();
        assert_eq!((state, failures, restarts), (ChildState::BackingOff, 1, 0));
        let Some(Failure::Panic(panicked)) = last_failure else { panic!("no panic noted") };
        assert_eq!(&*panicked.text, "a broke");
        assert!(panicked.place.contains("tests/probe.rs:"), "{}", panicked.place);
        assert_eq!(b.addr().send(ProbeMessage::Add(1)).await, Ok(108));
        assert_eq!(b.health().restarts, 0);
        assert!(b.health().polls > 0);
        assert!(!b.health().on_processor);
    });
}

#[test]
fn observation_overtakes_messages_and_says_when_nobody_can_answer() {
    test_system(|clock| async move {
        let (root, _) = root(Strategy::OneForOne);
        let child = add(&root, "a", &Log::default());
        settle().await;
        let adds: Vec<_> = (0..40).map(|_| child.addr().send(ProbeMessage::Add(1))).collect();
        assert_eq!(child.observe(LONG).await, Ok(100), "before all of the mailbox");
        for add in adds {
            add.await.unwrap();
        }
        assert_eq!(child.observe(LONG).await, Ok(140));
        break_it(&child).await;
        let path = child.path().clone();
        assert_eq!(
            child.observe(LONG).await,
            Err(ObserveError::NotRunning { child: path.clone() })
        );
        clock.sleep(Duration::from_secs(1)).await;
        assert_eq!(child.observe(LONG).await, Ok(100));
        root.stop().await;
        assert_eq!(child.observe(LONG).await, Err(ObserveError::NotRunning { child: path }));
    });
}

#[test]
fn observation_of_a_loading_child_is_late_and_too_many_are_refused() {
    test_system(|_| async {
        let (root, _) = root(Strategy::OneForOne);
        let probe = Probe { load: LONG, ..Probe::new("a", &Log::default()) };
        let child = root.add(&ChildSpec::new("a"), move || probe.clone()).unwrap();
        settle().await;
        let within = Duration::from_secs(1);
        let late = ObserveError::Late { child: child.path().clone(), within };
        assert_eq!(child.observe(within).await, Err(late));
        let mut refused = 0;
        let mut waiting = Vec::new();
        for _ in 0..200 {
            let mut observation = Box::pin(child.observe(within));
            let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
            match observation.as_mut().poll(&mut cx) {
                std::task::Poll::Ready(Err(ObserveError::Overloaded { .. })) => refused += 1,
                _ => waiting.push(observation),
            }
        }
        assert_eq!((waiting.len(), refused), (32, 168));
    });
}

#[test]
fn mailbox_bound_holds_for_one_outbox_and_asks_have_deadlines() {
    test_system(|_| async {
        let (root, _) = root(Strategy::OneForOne);
        let probe = Probe { load: LONG, ..Probe::new("a", &Log::default()) };
        let spec = ChildSpec { mailbox_bound: 8, ..ChildSpec::new("a") };
        let child = root.add(&spec, move || probe.clone()).unwrap();
        let outbox = child.outbox::<ProbeMessage>();
        let taken = (0..1000).take_while(|_| outbox.tell(ProbeMessage::Add(1)).is_ok()).count();
        assert_eq!(taken, 8);
        let refused = outbox.tell(ProbeMessage::Add(77)).unwrap_err();
        assert!(matches!(refused.message, ProbeMessage::Add(77)));
        let to: Arc<str> = child.path().clone();
        assert_eq!(TellError::from(refused), TellError::Overloaded { to: to.clone() });
        let within = Duration::from_secs(1);
        let late = AskError::Late { to: to.clone(), within };
        assert_eq!(outbox.ask(ProbeMessage::Add(1), within).await, Err(late));
        let fork = outbox.fork();
        assert!(fork.tell(ProbeMessage::Add(1)).is_ok(), "one more for each further sender");
        assert!(fork.tell(ProbeMessage::Add(1)).is_err());
        root.stop().await;
        let gone = outbox.tell(ProbeMessage::Add(1)).unwrap_err();
        assert_eq!(gone.error, TellError::Gone { to });
    });
}

#[test]
fn lifetimes_end_and_restart_as_they_say() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let with = |name: &'static str, lifetime| {
            let probe = Probe::new(name, &log);
            let spec = ChildSpec { lifetime, ..ChildSpec::new(name) };
            root.add(&spec, move || probe.clone()).unwrap()
        };
        let permanent = with("permanent", Lifetime::Permanent);
        permanent.addr().send(ProbeMessage::End).await.unwrap();
        settle().await;
        assert_eq!(permanent.health().last_failure, Some(Failure::Ended));
        assert_eq!(permanent.addr().send(ProbeMessage::Add(1)).await, Ok(101));

        let transient = with("transient", Lifetime::Transient);
        break_it(&transient).await;
        assert_eq!(transient.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        transient.addr().do_send(ProbeMessage::End);
        transient.ended().await;
        settle().await;
        assert_eq!(root.table().row("root/transient"), None, "it ended well");

        let temporary = with("temporary", Lifetime::Temporary);
        break_it(&temporary).await;
        temporary.ended().await;
        let row = root.table().row("root/temporary").unwrap();
        assert_eq!((row.state, row.failures), (ChildState::Stopped, 1));
        let again = with("temporary", Lifetime::Temporary);
        assert_eq!(again.addr().send(ProbeMessage::Add(1)).await, Ok(101));
    });
}

#[test]
fn actor_that_cannot_be_made_is_tried_again() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let (probe, mut tries) = (Probe::new("a", &log), 0);
        let make = move || {
            tries += 1;
            assert!(tries > 2, "not yet");
            probe.clone()
        };
        let child = root.add(&ChildSpec::new("a"), make).unwrap();
        assert_eq!(child.addr().send(ProbeMessage::Add(1)).await, Ok(101));
        assert_eq!((child.health().failures, child.health().restarts), (2, 0));
    });
}

#[test]
fn children_come_and_go_at_run_time() {
    test_system(|_| async {
        let log = Log::default();
        let (root, _) = root(Strategy::OneForOne);
        let all_at_once = SupervisorSpec {
            start_order: StartOrder::AllAtOnce,
            ..SupervisorSpec::new("zones", Strategy::OneForOne)
        };
        let zones = root.add_supervisor(&all_at_once).unwrap();
        let slow = Probe { load: LONG, ..Probe::new("slow", &log) };
        zones.add(&ChildSpec::new("slow"), move || slow.clone()).unwrap();
        let child = add(&zones, "b", &log);
        assert_eq!(child.addr().send(ProbeMessage::Add(1)).await, Ok(101), "slow is no obstacle");
        let path: Arc<str> = "root/zones/b".into();
        assert_eq!(child.path(), &path);
        let probe = Probe::new("b", &log);
        let taken_error = zones.add(&ChildSpec::new("b"), move || probe.clone()).unwrap_err();
        assert_eq!(taken_error, AddError::PathTaken { path });
        let paths = zones.as_child().observe(LONG).await.unwrap();
        assert_eq!(paths, ["root/zones/slow".into(), child.path().clone()]);
        zones.remove(&child).await;
        assert_eq!(root.table().row("root/zones/b"), None);
        assert!(!child.addr().connected());
        let again = add(&zones, "b", &log);
        assert_eq!(again.addr().send(ProbeMessage::Add(2)).await, Ok(102));
        root.stop().await;
        let probe = Probe::new("c", &log);
        let ended = zones.add(&ChildSpec::new("c"), move || probe.clone()).unwrap_err();
        assert_eq!(ended, AddError::Ended { supervisor: "root/zones".into() });
    });
}
