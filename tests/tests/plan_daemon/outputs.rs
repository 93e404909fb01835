//! What the commands print, read by programs of other people.

use crate::lab::{Lab, ZONE, installation};
use std::path::Path;
use std::process::Command;

/// Debian's own Python, which has its packages.
const PYTHON: &str = "/usr/bin/python3";

#[track_caller]
fn judged(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}"));
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Events of a calendar, a line each, as python3-icalendar reads them.
const READ_CALENDAR: &str = "
import icalendar, sys
calendar = icalendar.Calendar.from_ical(open(sys.argv[1], 'rb').read())
events = [part for part in calendar.walk() if part.name == 'VEVENT']
assert len({str(event['UID']) for event in events}) == len(events)
for event in events:
    assert event['DTSTAMP'].dt.tzinfo is not None
    print(event['DTSTART'].dt.isoformat(), event['CATEGORIES'].to_ical().decode(), event['SUMMARY'])
";

#[test]
fn plans_explanations_and_pictures_of_a_running_zone() {
    let lab = Lab::start(installation(&[(ZONE, "default")]), &[ZONE]);
    let path = |name: &str| lab.installation.path(name);

    let table = lab.told(&format!("plan --zone {ZONE}"));
    assert!(table.starts_with(&format!("Plan for {ZONE}, policy default: ")), "{table}");
    for part in ["YOU", "parent", "$ ods-enforcer key ds-seen --zone", "salt"] {
        assert!(table.contains(part), "{part}: {table}");
    }
    let json = path("plan.json");
    std::fs::write(&json, lab.told(&format!("plan --zone {ZONE} --json"))).unwrap();
    judged(PYTHON, &["-m", "json.tool", text_of(&json)]);
    let calendar = path("plan.ics");
    std::fs::write(&calendar, lab.told(&format!("plan --zone {ZONE} --ics"))).unwrap();
    let events = judged(PYTHON, &["-c", READ_CALENDAR, text_of(&calendar)]);
    assert!(events.contains("+00:00 YOU YOU: plan.example KSK "), "{events}");
    let count = lab.plan("")["events"].as_array().unwrap().len();
    assert_eq!(events.lines().count(), count);

    // The first key may be used when it is everywhere; until then that is what it waits for.
    let explained = lab.told(&format!("explain zone {ZONE}"));
    for part in ["becomes omnipresent when", "FALSE  caches have forgotten", "expected 20", "(in "]
    {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    for _ in 0..10 {
        if lab.told(&format!("explain zone {ZONE}")).contains("ds-seen") {
            break;
        }
        lab.done("time leap");
        lab.settle();
    }
    let explained = lab.told(&format!("explain zone {ZONE}"));
    let (_, command) =
        explained.split_once("$ ods-enforcer ").unwrap_or_else(|| panic!("{explained}"));
    // What it tells to type does what it says.
    let command = command.lines().next().unwrap();
    let said = lab.done(command);
    assert!(said.contains("1 KSK matches found.") && said.contains("1 KSKs changed."), "{said}");
    let key = command.split("--cka_id ").nth(1).unwrap();
    let explained = lab.told(&format!("explain key {key}"));
    assert!(explained.contains("true   the parent is known to show the DS"), "{explained}");
    assert!(!explained.contains("  you: "), "{explained}");

    let strip = lab.told(&format!("key timeline {ZONE}"));
    assert!(strip.contains("/ is coming") && strip.contains("\nYou:\n"), "{strip}");
    assert!(strip.lines().all(|line| line.chars().count() <= 80), "{strip}");
    let picture = path("keys.svg");
    let said = lab.anchorite(&format!("key timeline --svg {} {ZONE}", text_of(&picture)));
    assert_eq!((said.stdout.as_str(), said.code), ("", 0), "{said:?}");
    judged("xmllint", &["--noout", text_of(&picture)]);
    let image = path("keys.png");
    judged("rsvg-convert", &["-o", text_of(&image), text_of(&picture)]);
    assert!(std::fs::metadata(&image).unwrap().len() > 10_000);
    lab.daemon.stop();
}

#[test]
fn a_proposed_policy_is_planned_before_it_is_one() {
    let lab = Lab::start(installation(&[(ZONE, "default")]), &[ZONE]);
    let proposed = lab.installation.path("proposed.xml");
    let text = lab.installation.read("kasp.xml");
    let text = text.replacen("<Algorithm length=\"256\">13<", "<Algorithm length=\"384\">14<", 2);
    std::fs::write(&proposed, &text).unwrap();
    let words = format!("plan --zone {ZONE} --kasp {} --json", text_of(&proposed));
    let plan: serde_json::Value = serde_json::from_str(&lab.told(&words)).unwrap();
    let events = plan["zones"][0]["events"].as_array().unwrap();
    let taken = |event: &&serde_json::Value| event["event"] == "key-taken";
    let first = events.iter().find(taken).unwrap();
    assert_eq!(first["key"]["algorithm"], 14, "{first}");
    // Nothing of it came about.
    let policies = lab.done("policy export --all");
    assert!(!policies.contains(">14<"), "{policies}");
    std::fs::write(&proposed, text.replace("<Refresh>P3D<", "<Refresh>soon<")).unwrap();
    let faulty = lab.anchorite(&format!("plan --zone {ZONE} --kasp {}", text_of(&proposed)));
    assert_eq!(faulty.code, 1, "{faulty:?}");
    assert!(faulty.stderr.contains("proposed.xml:"), "{faulty:?}");
    let unknown = lab.anchorite("plan --zone nowhere.example");
    assert_eq!((unknown.code, unknown.stdout.as_str()), (1, ""), "{unknown:?}");
    assert_eq!(lab.anchorite("plan").code, 2);
    lab.daemon.stop();
}
