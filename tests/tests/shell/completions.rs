//! The completion scripts in the shells that they are for, and the manual pages before mandoc's
//! lint. Names come from a program of the test's own, one of them such that a shell would run it.
//! Needs the packages that `cargo xtask setup` installs.

use crate::pty::Pty;
use anchorite_tests::program::anchorite;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

/// Names, for whoever asks for some; the third one is a trap.
const NAMES: &str = "#!/bin/sh\n[ \"$1\" = names ] && printf '%s\\n' example.com example.org \
                     'trap$(touch trapped).example'\n";

/// A folder with the script of a shell, and a program that knows names.
fn folder(shell: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let script = Command::new(anchorite()).args(["completions", shell]).output().unwrap();
    std::fs::write(folder.path().join("script"), script.stdout).unwrap();
    let program = folder.path().join("anchorite");
    std::fs::write(&program, NAMES).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn at_home(shell: &str, home: &Path) -> Command {
    let mut command = Command::new(shell);
    let path = format!("{}:/usr/bin:/bin", home.display());
    command.env("PATH", path).env("HOME", home).env("TERM", "dumb").env("PS1", "> ");
    command.current_dir(home);
    command
}

/// Types into a shell at a terminal, after `begin` has been read.
fn check_at_a_terminal(shell: &str, options: &[&str], begin: &str) {
    let folder = folder(shell);
    let mut command = at_home(shell, folder.path());
    command.args(options);
    let mut pty = Pty::start(command, 24);
    // The line itself has the words, too, but not in one.
    pty.types(&format!("{begin}. ./script; echo rea''dy\r"));
    pty.wait_for("ready");
    pty.wait_for("> ");
    pty.types("anchorite key ds-su\t");
    pty.wait_for("ds-submit");
    pty.types("\x15anchorite key list --js\t");
    pty.wait_for("--json");
    pty.types("\x15anchorite zone show ex\t");
    // bash rings the bell in between.
    pty.wait_for("ample.");
    pty.types("\x15anchorite key list -z tr\t");
    pty.wait_for("ap\\$\\(touch\\ trapped\\).example");
    pty.types("\x15exit\r");
    pty.ended();
    assert!(!folder.path().join("trapped").exists(), "{shell} ran a name");
}

#[test]
fn bash_completes() {
    check_at_a_terminal("bash", &["--norc", "--noprofile", "-i"], "");
}

#[test]
fn zsh_completes() {
    check_at_a_terminal("zsh", &["-f", "-i"], "autoload -U compinit; compinit -D -u; ");
}

#[test]
fn fish_completes() {
    let folder = folder("fish");
    let asked = |line: &str| {
        let mut command = at_home("fish", folder.path());
        let ask = format!("source script; complete -C '{line}'");
        let output = command.args(["--no-config", "-c", &ask]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(asked("anchorite key ds-su").starts_with("ds-submit\tIssue a ds-submit"));
    assert_eq!(asked("anchorite key list --js"), "--json\n");
    assert_eq!(asked("anchorite zone show ex"), "example.com\nexample.org\n");
    assert_eq!(asked("anchorite key list -z tr"), "trap$(touch trapped).example\n");
    assert!(!folder.path().join("trapped").exists(), "fish ran a name");
}

#[test]
fn manual_pages_have_no_faults() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(anchorite());
    assert!(command.args(["man", "--write"]).arg(folder.path()).status().unwrap().success());
    let pages = std::fs::read_dir(folder.path()).unwrap().map(|page| page.unwrap().path());
    let lint = Command::new("mandoc").args(["-Tlint", "-W", "warning"]).args(pages).output();
    let lint = lint.expect("cargo xtask setup installs it");
    let said = String::from_utf8_lossy(&lint.stdout);
    assert!(lint.status.success() && said.is_empty(), "{said}");
}
