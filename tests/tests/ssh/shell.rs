//! The shell over SSH: at a terminal, and with a script as its input.

use crate::front::{Front, Typist, said};
use std::io::Write;
use std::process::Stdio;

/// Longer than anybody types.
const LINE_OCTETS: usize = 1 << 20;

#[test]
fn at_a_terminal() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let daemon = front.installation.start();
    let mut host = front.host();
    let terminal = || front.client(&host, "ann", &["-tt", "127.0.0.1"]);
    let mut typist = Typist::new(terminal());
    typist.wait_for("> ");
    typist.press("zone li\t\r");
    typist.wait_for("a.example");
    typist.wait_for("> ");
    // The line before the last, by the keys of the arrows and of emacs.
    typist.press("versio\u{8}on | count\r");
    typist.wait_for("> ");
    typist.press("\u{1b}[A\u{10}\r");
    typist.wait_for("a.example");
    typist.wait_for("> ");
    // A page is full: help is longer than a screen.
    typist.press("help\r");
    typist.wait_for("-- more:");
    typist.press("q");
    typist.wait_for("> ");
    typist.press("zone ?");
    typist.wait_for("delete");
    typist.press("\u{3}");
    typist.wait_for("> ");
    // A line that is far too long is refused, and the next one is taken.
    typist.press(&"x".repeat(LINE_OCTETS));
    typist.press("\u{3}\rrunning\r");
    typist.wait_for("Engine running.");
    typist.wait_for("> ");
    typist.press("exit\r");
    assert_eq!(typist.ended(), Some(0));

    // The next session knows what was typed in this one.
    let mut typist = Typist::new(terminal());
    typist.wait_for("> ");
    typist.press("\u{12}zone li");
    typist.wait_for("zone list");
    typist.press("\u{3}");
    typist.wait_for("> ");
    // The daemon goes, and the shell stays.
    daemon.stop();
    typist.press("zone list\r");
    typist.wait_for("is not running");
    typist.wait_for("> ");
    // The client goes in the middle of everything; others are served.
    typist.press("help\rzone list\r");
    typist.client.kill().unwrap();
    typist.client.wait().unwrap();
    host.process.wait_for(&["gone"]);
    assert_eq!(front.run(&host, "ann", "running").0, 209);
}

#[test]
fn a_script_as_its_input() {
    let front = Front::new(&[("ann", "role=\"admin\"")]);
    let mut daemon = front.installation.start();
    daemon.wait_for(&["[STATS] a.example"]);
    let host = front.host();
    let run = |script: &[u8]| {
        let mut client = front.client(&host, "ann", &["-T", "127.0.0.1"]);
        let mut client = client.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        let script = script.to_vec();
        let writer = std::thread::spawn(move || drop(input.write_all(&script)));
        let output = client.wait_with_output().unwrap();
        writer.join().unwrap();
        said(output)
    };
    let (code, out, err) = run(b"zone list\nnonsense\nrunning");
    assert_eq!(code, 0, "that of the last command: {out} {err}");
    assert!(out.contains("a.example") && out.contains("Engine running."), "{out}");
    assert!(err.contains("nonsense") && !out.contains("nonsense"), "{err}");
    assert!(!out.contains("> "), "no prompt for a script: {out}");
    let (code, _, err) = run(&[vec![b'x'; LINE_OCTETS], b"\n".to_vec()].concat());
    assert!(code != 0 && !err.is_empty(), "{code} {err}");
    let (code, out, err) = front.run(&host, "ann", &format!("zone list {}", "x".repeat(100_000)));
    assert!(code == 2 && out.is_empty() && err.contains("more than 32768 bytes"), "{code} {err}");
    assert_eq!(front.run(&host, "ann", "running").0, 0);
}
