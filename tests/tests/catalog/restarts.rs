//! A daemon that is killed while members come or go has done, after its next start, all that the
//! catalog says. `MEMBERS=100` for the full number.

use crate::lab::{
    CATALOG, Master, Member, Software, answer, consume, installation, note_of_removals, zonelist,
};
use anchorite_tests::daemon::{Daemon, Installation, WAIT};
use anchorite_tests::peers::free_address;
use std::time::{Duration, Instant};

const MEMBERS: usize = 20;

/// Starts the daemon, and kills it at a line of its log that contains this.
fn start_and_kill(installation: &Installation, at: &[&str]) {
    let mut daemon = installation.start();
    daemon.wait_for(at);
    daemon.kill();
}

/// Waits until something is so, at any line of the log.
#[track_caller]
fn wait_until(daemon: &mut Daemon, is_so: impl Fn() -> bool) {
    let until = Instant::now() + WAIT;
    while !is_so() {
        assert!(Instant::now() < until, "{}", daemon.log());
        daemon.next_line(Duration::from_millis(2));
    }
}

#[test]
fn a_kill_while_members_come_or_go_heals() {
    let count = std::env::var("MEMBERS").ok().and_then(|count| count.parse().ok());
    let names: Vec<String> =
        (0..count.unwrap_or(MEMBERS)).map(|number| format!("m{number}.test")).collect();
    let labels: Vec<String> = (0..names.len()).map(|number| format!("l{number}")).collect();
    let pairs = names.iter().zip(&labels);
    let members: Vec<Member<'_>> =
        pairs.map(|(zone, label)| (zone.as_str(), label.as_str(), "")).collect();
    let listener = free_address();
    let mut master = Master::start(Software::Named, &members, listener);
    let installation = installation(listener);
    consume(&installation, master.address, &[(CATALOG, "<MostRemovals>100</MostRemovals>")]);

    // Before the list is written, and while the zones begin.
    start_and_kill(&installation, &["zone", "added: catalog catz.example"]);
    start_and_kill(&installation, &["[STATS] m"]);
    let mut daemon = installation.start();
    wait_until(&mut daemon, || names.iter().all(|zone| installation.signed(zone).exists()));
    assert_eq!(zonelist(&installation).matches("<Catalog ").count(), names.len());

    // When the list is written and the state is being removed.
    master.set(&members[..1]);
    wait_until(&mut daemon, || !zonelist(&installation).contains("m1.test"));
    daemon.kill();
    let mut daemon = installation.start();
    daemon.wait_for(&["catalog catz.example serial 2 has 1 members"]);
    wait_until(&mut daemon, || !note_of_removals(&installation).exists());
    let keys = answer(&installation, "enforcer key list");
    assert!(keys.contains("m0.test") && !keys.contains("m1.test"), "{keys}");
    assert_eq!(zonelist(&installation).matches("<Catalog ").count(), 1);
    daemon.stop();
}
