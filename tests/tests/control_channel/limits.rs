//! What a client may not do: say too much, say what is no request, be one too many, be nobody.

use crate::client::{Clients, ours, run};
use anchorite_tests::daemon::Installation;
use anchorite_tests::program::anchorite;
use std::fs::{Permissions, set_permissions};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;

/// As many connections as the daemon takes.
const CONNECTIONS_MAX: usize = 32;
/// `nobody` on Debian.
const NOBODY: u32 = 65_534;

#[test]
fn a_line_of_a_megabyte_is_refused_and_garbage_closes_the_connection() {
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let clients = Clients::of(&installation);
    // No program can be given a word of a megabyte, so it is typed.
    let said = clients.enforcer_typed(&format!("{}\n", "x".repeat(1 << 20)));
    assert_eq!(said.code, Some(208), "{}", said.stderr);
    assert!(said.stderr.contains("at most 65536 are allowed"), "{}", said.stderr);
    for garbage in [
        &b"\x02\x00\x08running\x00"[..],
        b"\xff\xff\xff\xff\x01",
        b"\x00\x00\x00\x03\x01\x09\x09",
        b"GET / HTTP/1.1\r\n\r\n",
    ] {
        let mut stream = UnixStream::connect(installation.socket()).unwrap();
        stream.write_all(garbage).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        // It is closed, with or without a word.
        let _ = stream.read_to_end(&mut rest);
    }
    clients.enforcer("running").is("Engine running.\n");
    daemon.stop();
}

#[test]
fn one_connection_too_many_is_told_so() {
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let clients = Clients::of(&installation);
    let connect = || UnixStream::connect(installation.socket()).unwrap();
    let idle: Vec<UnixStream> = (0..CONNECTIONS_MAX).map(|_| connect()).collect();
    let said = clients.enforcer("running");
    assert_eq!(said.code, Some(1), "{said:?}");
    assert_eq!(said.stderr, "the daemon has 32 connections; try again\n");
    drop(idle);
    daemon.stop();
}

#[test]
fn a_user_who_may_open_the_socket_is_an_operator() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("not root: nobody else to be");
        return;
    }
    let installation = Installation::new("default");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let program = installation.path("anchorite");
    std::fs::copy(anchorite(), &program).unwrap();
    set_permissions(installation.path(""), Permissions::from_mode(0o755)).unwrap();
    let socket = installation.socket();
    let as_nobody = |words: &[&str]| {
        let mut command = std::process::Command::new(&program);
        command.uid(NOBODY).gid(NOBODY);
        let mut all = vec!["-s", &socket];
        all.extend(words);
        run(&mut command, &all, "")
    };
    let said = as_nobody(&["zones"]);
    assert_eq!(said.code, Some(201), "{said:?}");
    assert!(said.stderr.contains("connect() failed: Permission denied"), "{said:?}");
    set_permissions(&socket, Permissions::from_mode(0o666)).unwrap();
    as_nobody(&["zones"]).is("There are 0 zones configured\n");
    as_nobody(&["flush"]).is("All tasks scheduled immediately.\n");
    let who = format!("user {NOBODY} is operator,officer");
    let refused = format!("stop: this needs the role admin, and {who}\n");
    as_nobody(&["stop"]).ends("", &refused, 1);
    let said = run(&mut ours("anchorite"), &["-s", &socket, "running"], "");
    said.is("Engine running.\n");
    let log = daemon.stop();
    assert!(log.contains("refused command stop from user 65534: needs the role admin"), "{log}");
}
