//! The daemon's life: starting, stopping, a second one, one that was killed.

use crate::client::{Clients, ours, run};
use anchorite_tests::daemon::Installation;

#[test]
fn stop_names_the_process_and_comes_back_when_it_is_gone() {
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    let started = daemon.wait_for(&["signer started"]);
    let (_, process) = started.rsplit_once("pid ").unwrap();
    let clients = Clients::of(&installation);
    clients.signer("stop").is(&format!("Engine shut down.pid {process}\n"));
    // All that is left of it, if anything, has given up every file, socket and lock.
    let open = std::fs::read_dir(format!("/proc/{process}/fd")).map_or(0, |files| files.count());
    assert_eq!(open, 0, "the process goes on");
    let (status, log) = daemon.ended();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("[engine] signer shutdown"), "{log}");
    assert!(!installation.path("enforcer.sock").exists());
    assert!(!installation.path("engine.sock").exists());
    assert_eq!(clients.enforcer("running").code, Some(201));
}

#[test]
fn a_second_daemon_does_not_take_the_socket_and_a_killed_one_leaves_it() {
    let installation = Installation::new("default");
    let other = Installation::new("default");
    other.edit("conf.xml", &other.socket(), &installation.socket());
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let log = other.start_fails();
    let expected = format!("another daemon answers at {}", installation.socket());
    assert!(log.contains(&expected), "{log}");
    let clients = Clients::of(&installation);
    clients.anchorite("running").is("Engine running.\n");

    daemon.kill();
    assert!(installation.path("enforcer.sock").exists());
    assert_eq!(clients.enforcer("running").code, Some(201));
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    clients.enforcer("running").is("Engine running.\n");
    daemon.stop();
}

#[test]
fn start_starts_and_control_passes_on() {
    let installation = Installation::new("default");
    let conf = installation.path("conf.xml");
    let conf = conf.to_str().unwrap();
    let socket = installation.socket();
    let anchorite = |words: &[&str]| {
        let mut all = vec!["-s", &socket];
        all.extend(words);
        run(&mut ours("anchorite"), &all, "")
    };
    let failed = anchorite(&["start", "--config", "/nonexistent/conf.xml"]);
    assert_eq!(failed.code, Some(1), "{failed:?}");
    assert!(failed.stderr.contains("/nonexistent/conf.xml"), "{failed:?}");

    // Its log would keep this process's standard error open, so it gets a file.
    let log = std::fs::File::create(installation.path("log")).unwrap();
    let mut start = ours("anchorite");
    start.args(["-s", &socket, "start", "--config", conf]).stderr(log);
    assert!(start.status().unwrap().success());
    anchorite(&["running"]).is("Engine running.\n");
    anchorite(&["start"]).is("Engine already running.\n");
    let control = |words: &[&str]| run(&mut ours("ods-control"), words, "");
    let first = format!("sock set to {socket}\n");
    control(&["enforcer", "-s", &socket, "running"]).is(&format!("{first}Engine running.\n"));
    let zones = "There are 0 zones configured\n";
    control(&["signer", "-s", &socket, "zones"]).is(&format!("{first}{zones}"));
    anchorite(&["stop"]).is("Engine shut down.\n");
    assert_eq!(anchorite(&["running"]).code, Some(209));
    assert!(installation.read("log").contains("signer shutdown"));
}
