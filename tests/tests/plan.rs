//! `anchorite plan` without a daemon: the calendar of a new zone, out of a kasp.xml alone.

use anchorite_tests::judges::repository_file;
use anchorite_tests::program::anchorite;
use std::process::{Command, Output};

fn plan(words: &[&str]) -> Output {
    let kasp = repository_file("examples/default/kasp.xml");
    let mut command = Command::new(anchorite());
    command.arg("plan").arg("--kasp").arg(kasp).args(words);
    command.output().expect("the program starts")
}

#[track_caller]
fn text(output: &Output) -> &str {
    assert!(output.status.success(), "{output:?}");
    std::str::from_utf8(&output.stdout).expect("plans are text")
}

#[test]
fn a_new_zone_has_a_calendar() {
    let output = plan(&["--policy", "default", "--years", "2"]);
    let text = text(&output);
    assert!(text.contains("Plan for a new zone, policy default"), "{text}");
    for part in ["machine", "YOU", "parent", "$ ods-enforcer key ds-submit"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let is_long = |line: &str| line.chars().count() > 80;
    assert!(!text.lines().any(is_long), "{text}");
}

#[test]
fn programs_and_calendars_can_read_it() {
    let output = plan(&["--json"]);
    assert!(text(&output).starts_with("{\"zones\":["));
    let output = plan(&["--ics"]);
    assert!(text(&output).starts_with("BEGIN:VCALENDAR\r\n"));
}

#[test]
fn wrong_words_are_refused() {
    let code = |words: &[&str]| plan(words).status.code();
    assert_eq!(code(&["--years", "0"]), Some(2));
    assert_eq!(code(&["--years", "51"]), Some(2));
    assert_eq!(code(&["--parent-delay", "soon"]), Some(2));
    assert_eq!(code(&["--policy", "nowhere"]), Some(1));
    let gone = Command::new(anchorite()).args(["plan", "--kasp", "/nowhere/kasp.xml"]).output();
    assert_eq!(gone.expect("the program starts").status.code(), Some(1));
}
