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
    for part in
        ["machine", "YOU", "parent", "$ ods-enforcer key export", "$ ods-enforcer key ds-seen"]
    {
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

/// A folder with the example's kasp.xml and a conf.xml that was edited.
fn beside(edits: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for name in ["kasp.xml", "conf.xml"] {
        let path = repository_file(&format!("examples/default/{name}"));
        let mut text = std::fs::read_to_string(path).expect("the example is there");
        for (from, to) in edits.iter().filter(|_| name == "conf.xml") {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join(name), text).expect("the folder can be written");
    }
    folder
}

#[track_caller]
fn plan_beside(folder: &tempfile::TempDir, words: &[&str]) -> String {
    let mut command = Command::new(anchorite());
    command.arg("plan").arg("--kasp").arg(folder.path().join("kasp.xml")).args(words);
    let output = command.output().expect("the program starts");
    text(&output).to_owned()
}

#[test]
fn the_conf_xml_beside_it_says_what_is_yours() {
    let plain = plan_beside(&beside(&[]), &[]);
    assert!(!plain.contains("backup") && !plain.contains("key generate"), "{plain}");

    let backed_up = beside(&[("</PIN>", "</PIN><RequireBackup/>")]);
    let planned = plan_beside(&backed_up, &[]);
    assert!(planned.contains("$ ods-enforcer backup prepare"), "{planned}");

    let element = "</AutomaticKeyGenerationPeriod>";
    let by_hand =
        format!("{element}<ManualKeyGeneration/><RolloverNotification>P14D</RolloverNotification>");
    let planned = plan_beside(&beside(&[(element, &by_hand)]), &["--years", "2"]);
    assert!(planned.contains("$ ods-enforcer key generate --policy default"), "{planned}");
    assert!(planned.contains("announces that the KSKs roll on"), "{planned}");

    let module = "<Module>/usr/lib/softhsm/libsofthsm2.so</Module>";
    let small = beside(&[("<BuiltIn/>", module), ("</PIN>", "</PIN><Capacity>2</Capacity>")]);
    let small = small_without_directory(small);
    let planned = plan_beside(&small, &[]);
    assert!(planned.contains("no key left in repository"), "{planned}");

    // Another conf.xml may be named; a wrong one is told.
    let named = backed_up.path().join("conf.xml");
    let planned = plan_beside(&small, &["--config", &named.to_string_lossy()]);
    assert!(planned.contains("backup") && !planned.contains("no key left"), "{planned}");
    let wrong = plan(&["--config", "/nowhere/conf.xml"]);
    assert_eq!(wrong.status.code(), Some(1), "{wrong:?}");
}

/// A PKCS#11 repository has no folder of its own.
fn small_without_directory(folder: tempfile::TempDir) -> tempfile::TempDir {
    let path = folder.path().join("conf.xml");
    let text = std::fs::read_to_string(&path).expect("it was written");
    let begin = text.find("<Directory>/").expect("the example has a folder");
    let end = text.find("</Directory>").expect("the element ends") + "</Directory>".len();
    std::fs::write(&path, format!("{}{}", &text[..begin], &text[end..])).expect("it is ours");
    folder
}
