//! The shell at a terminal.

use crate::pty::Pty;
use anchorite_tests::daemon::Installation;
use anchorite_tests::program::anchorite;
use std::process::Command;

fn installation() -> Installation {
    let installation = Installation::new("default");
    let zones = [("example.com", "default"), ("evil\\027[2J.example", "default")];
    installation.write_small_zone("example.com", 1, "txt TXT \"\\027[2J\"");
    installation.write_zonelist(&zones);
    installation
}

fn shell(installation: &Installation) -> Command {
    let mut command = Command::new(anchorite());
    command.args(["shell", "-s", &installation.socket()]);
    command.env("HOME", installation.path("")).env("TERM", "dumb");
    command
}

#[test]
fn a_session_with_completion_help_pages_history_and_filters() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let mut pty = Pty::start(shell(&installation), 10);
    pty.wait_for("(admin,officer)");
    pty.types("signer sign exa\t");
    pty.wait_for("example.com ");
    pty.types("\r");
    pty.wait_for("Zone example.com scheduled for immediate re-sign.");
    pty.wait_for("> ");
    pty.types("key ds-s?");
    pty.wait_for("ds-seen");
    pty.wait_for("ds-submit");
    // The line stands there again, and nothing was sent.
    pty.wait_for("> key ds-s");
    pty.types("\x15help\r");
    pty.wait_for("-- more: space, Enter, G for all, q --");
    pty.types("q");
    pty.wait_for("> ");
    pty.types("\x10\x10\r");
    pty.wait_for("Zone example.com scheduled for immediate re-sign.");
    pty.wait_for("> ");
    pty.types("zones | match evil | count\r");
    pty.wait_for("\r\n1\r\n");
    pty.types("show zones | match evil\r");
    let shown = pty.wait_for("> ");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    pty.types("zone lits\r");
    pty.wait_for("Did you mean \"zone list\"?");
    pty.types("exit\r");
    assert_eq!(pty.ended().code(), Some(0));
    let kept = installation.read(".anchorite_history");
    assert!(kept.lines().any(|line| line == "zones | match evil | count"), "{kept}");
    daemon.stop();
}

#[test]
fn a_terminal_that_is_gone_in_the_middle_ends_the_shell_and_nothing_else() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let mut pty = Pty::start(shell(&installation), 5);
    pty.wait_for("(admin,officer)");
    pty.types("help\r");
    pty.wait_for("-- more");
    assert!(pty.hang_up().code().is_some(), "it was killed by a signal");
    daemon.stop();
}

#[test]
fn a_terminal_that_is_gone_while_it_is_written_to_ends_the_shell() {
    let installation = installation();
    let mut pty = Pty::start(shell(&installation), 5);
    pty.wait_for("(daemon not running)> ");
    // More than a terminal takes that nobody reads, so that the shell stands in the middle of it.
    pty.types(&"help | no-more\r".repeat(40));
    pty.wait_for("Commands for the running daemon:");
    assert!(pty.hang_up().code().is_some(), "it was killed by a signal");
}

#[test]
fn a_shell_into_which_nobody_types_ends_and_says_so() {
    let installation = installation();
    let mut command = shell(&installation);
    let mut pty = Pty::start(
        {
            command.args(["--idle", "1"]);
            command
        },
        24,
    );
    pty.wait_for("1 second without input: good bye.");
    assert_eq!(pty.ended().code(), Some(0));
}

#[test]
fn half_a_command_and_a_name_that_is_not_there_are_told_what_is_there() {
    let installation = installation();
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    let mut pty = Pty::start(shell(&installation), 40);
    pty.wait_for("(admin,officer)");
    pty.types("zone\r");
    pty.wait_for("zone what? There are add, audit, delete, diff, input, list, set-policy, show.");
    pty.types("zone show exampel.com\r");
    pty.wait_for("zone exampel.com is not known");
    pty.wait_for("Did you mean \"example.com\"?");
    pty.types("key show 1\r");
    pty.wait_for("1");
    pty.types("exit\r");
    assert_eq!(pty.ended().code(), Some(0));
    daemon.stop();
}

#[test]
fn a_daemon_that_is_away_is_said_and_found_again() {
    let installation = installation();
    let mut pty = Pty::start(shell(&installation), 24);
    pty.wait_for("(daemon not running)> ");
    pty.types("zones\r");
    pty.wait_for("\"anchorite start\"");
    pty.wait_for("(daemon not running)> ");
    let mut daemon = installation.start();
    daemon.wait_for(&["signer started"]);
    pty.types("zones\r");
    pty.wait_for("There are 2 zones configured");
    pty.wait_for("(admin,officer)");
    pty.types("\x04");
    assert_eq!(pty.ended().code(), Some(0));
    daemon.stop();
}
