//! The one binary answers to the names of OpenDNSSEC's programs. An integration test of the
//! package `anchorite`: its being there makes cargo build the binary for `cargo test --workspace`,
//! which the tests in `tests/tests` need (see `tests/src/program.rs`).

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

fn run(name: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_anchorite")).arg0(name).args(arguments).output().unwrap()
}

#[test]
fn ods_kaspcheck_is_a_name_and_a_word() {
    let usage = "usage: ods-kaspcheck [options]\n";
    for (name, words) in [
        ("ods-kaspcheck", &["-h"][..]),
        ("/usr/bin/ods-kaspcheck", &["--help"]),
        ("anchorite", &["ods-kaspcheck", "-h"]),
    ] {
        let output = run(name, words);
        assert!(output.status.success() && output.stdout.is_empty(), "{name} {words:?}");
        assert!(output.stderr.starts_with(usage.as_bytes()), "{name} {words:?}: {output:?}");
    }
    let version = run("ods-kaspcheck", &["-V"]);
    assert!(version.status.success() && version.stdout.starts_with(b"opendnssec version 2.1 ("));
}
