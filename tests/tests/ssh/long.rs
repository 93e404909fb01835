//! Sessions that last: new session keys in the middle of an output, an end when nobody types, a
//! client that goes or stands still while it is written to.

use crate::front::{Front, Typist, said};
use std::io::Write;
use std::process::Stdio;

/// Commands in a script; what they print takes some MiB.
const COMMANDS: usize = 400;

#[test]
fn new_session_keys_lose_nothing() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let host = front.host();
    let once = front.run(&host, "ann", "help").1;
    let options = ["-v", "-o", "RekeyLimit=1M", "-T", "127.0.0.1"];
    let mut client = front.client(&host, "ann", &options);
    let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
    let mut input = client.stdin.take().unwrap();
    let script = "help\n".repeat(COMMANDS);
    let writer = std::thread::spawn(move || drop(input.write_all(script.as_bytes())));
    let (code, out, err) = said(client.wait_with_output().unwrap());
    writer.join().unwrap();
    assert_eq!(code, 0, "{err}");
    // The shell's help has its own commands, too, each time the same.
    let (first, rest) = out.split_at(out.len() / COMMANDS);
    assert!(first.starts_with(once.lines().next().unwrap()), "{first}");
    assert!(rest.as_bytes().chunks(first.len()).all(|one| one == first.as_bytes()));
    // The first ones, and at least two more.
    let changes = err.matches("SSH2_MSG_NEWKEYS sent").count();
    assert!(changes >= 3, "{changes} times new keys for {} octets", out.len());
}

#[test]
fn a_shell_into_which_nobody_types_ends_and_says_so() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let host = front.host_that(&["--idle", "1"]);
    let mut typist = Typist::new(front.client(&host, "ann", &["-tt", "127.0.0.1"]));
    typist.wait_for("> ");
    typist.wait_for("1 second without input: good bye.");
    assert_eq!(typist.ended(), Some(0));
    assert_eq!(front.run(&host, "ann", "running").0, 209);
}

#[test]
fn a_client_that_goes_in_the_middle_of_an_output_takes_nobody_with_it() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let mut host = front.host();
    let mut client = front.client(&host, "ann", &["-T", "127.0.0.1"]);
    let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
    let script = "help\n".repeat(COMMANDS);
    // Nobody reads its output, so that it stands still when pipe and window are full.
    client.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    host.process.wait_for(&["ann (admin) is in"]);
    let mut octet = [0];
    std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut octet).unwrap();
    assert_eq!(front.run(&host, "ann", "running").0, 209, "others are served meanwhile");
    client.kill().unwrap();
    client.wait().unwrap();
    host.process.wait_for(&["gone"]);
    assert_eq!(front.run(&host, "ann", "running").0, 209);
    assert!(!host.process.log().contains("panicked"), "{}", host.process.log());
}
