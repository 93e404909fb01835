//! Random panics for simulated hours. `SEED=n` repeats a run exactly.
//! Afterwards every actor answers with loaded state, or has ended as the rules say.

use std::sync::Arc;
use std::time::Duration;

use super::probe::{LONG, Log, Probe, ProbeMessage, add, root};
use crate::runtime::testing::{SeededRandom, seed_or, test_system};
use crate::runtime::{
    ChildRef, ChildSpec, ChildState, Clock, OnLimit, RestartLimits, Strategy, SupervisorRef,
    SupervisorSpec,
};

struct Tree {
    root: SupervisorRef,
    failures: Arc<std::sync::Mutex<Vec<crate::runtime::Failure>>>,
    children: Vec<ChildRef<Probe>>,
    log: Log,
}

/// Two subtrees, one that escalates and one that gives up, and two children of the root.
fn plant() -> Tree {
    let log = Log::default();
    let (root, failures) = root(Strategy::RestForOne);
    let mut children = vec![add(&root, "store", &log)];
    let stages = root.add_supervisor(&SupervisorSpec::new("stages", Strategy::RestForOne));
    let stages = stages.unwrap();
    children.extend(["sort", "sign", "audit"].map(|name| add(&stages, name, &log)));
    let zones = root.add_supervisor(&SupervisorSpec::new("zones", Strategy::OneForOne)).unwrap();
    for name in ["one", "two", "three"] {
        let limits = RestartLimits { restarts_max: 3, ..RestartLimits::DEFAULT };
        let spec = ChildSpec { limits, on_limit: OnLimit::GiveUp, ..ChildSpec::new(name) };
        let load = Duration::from_millis(300);
        let probe = Probe { load, ..Probe::new(name, &log) };
        children.push(zones.add(&spec, move || probe.clone()).unwrap());
    }
    children.push(add(&root, "console", &log));
    Tree { root, failures, children, log }
}

/// Breaks children at random until three hours are over; returns the story of the run.
async fn storm(clock: Clock, mut random: SeededRandom, pause_max_ms: u64) -> Vec<String> {
    let tree = plant();
    while clock.uptime() < Duration::from_secs(3 * 3600) {
        clock.sleep(Duration::from_millis(random.below(pause_max_ms))).await;
        let victim = &tree.children[random.below(tree.children.len() as u64) as usize];
        if random.below(4) == 0 {
            victim.addr().do_send(ProbeMessage::Break);
        } else {
            victim.addr().do_send(ProbeMessage::Add(1));
        }
    }
    clock.sleep(Duration::from_secs(600)).await;
    let root_failed = !tree.failures.lock().unwrap().is_empty();
    for child in &tree.children {
        let row = child.health();
        match row.state {
            ChildState::Running => {
                assert!(!root_failed, "{row:?} outlived the root");
                let sum = child.addr().send(ProbeMessage::Add(0)).await.unwrap();
                assert!((100..6666).contains(&sum), "{row:?} answers with torn state {sum}");
                assert_eq!(child.observe(LONG).await, Ok(sum));
            }
            ChildState::Stopped => assert!(root_failed, "{row:?} stopped for no reason"),
            // A zone is given up alone; anyone else takes the root along.
            ChildState::Escalated => {
                assert!(row.path.contains("/zones/") || root_failed, "{row:?}");
                assert!(!child.addr().connected());
            }
            ChildState::Waiting | ChildState::BackingOff | ChildState::Stopping => {
                panic!("{row:?} after ten quiet minutes")
            }
        }
    }
    tree.root.stop().await;
    let mut story = std::mem::take(&mut *tree.log.lock().unwrap());
    let stages = tree.root.table().row("root/stages").unwrap().failures;
    story.push(format!("root failed: {root_failed}"));
    story.push(format!("stages escalated: {}", stages > 0));
    story
}

#[track_caller]
fn check_storms(seeds: std::ops::Range<u64>, pause_max_ms: u64) -> Vec<String> {
    let mut ends = Vec::new();
    for seed in seeds {
        let seed = seed_or(seed);
        println!("SEED={seed}");
        let run = || test_system(|clock| storm(clock, SeededRandom::new(seed), pause_max_ms));
        let story = run();
        assert_eq!(story, run(), "the same seed, the same story");
        ends.extend_from_slice(&story[story.len() - 2..]);
    }
    ends
}

#[test]
fn hours_of_rare_panics_leave_everything_running() {
    let ends = check_storms(1..4, 400_000);
    assert!(!ends.contains(&"root failed: true".to_owned()), "{ends:?}");
}

#[test]
fn hours_of_frequent_panics_end_as_the_rules_say() {
    let ends = check_storms(10..16, 4_000);
    // The six seeds reach every kind of end; a seed of the operator's need not.
    if std::env::var_os("SEED").is_none() {
        for end in ["root failed: true", "root failed: false", "stages escalated: true"] {
            assert!(ends.contains(&end.to_owned()), "no {end} in {ends:?}");
        }
    }
}
