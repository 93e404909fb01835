//! What plans and explanations say, as it is printed.

use super::*;
use crate::Name;
use expect_test::{expect, expect_file};

fn quick() -> Policy {
    let mut policy = Policy::anchorite_default("token");
    policy.keys.keys[0].lifetime = Seconds(200 * DAY);
    policy
}

#[test]
fn half_a_year_as_a_table() {
    let policy = quick();
    expect_file!["plan.txt"].assert_eq(&table(&[named(&policy, fresh(&policy, 210))]));
}

#[test]
fn a_month_as_json() {
    let policy = quick();
    expect_file!["plan.json"].assert_eq(&json(&[named(&policy, fresh(&policy, 30))]));
}

#[test]
fn a_month_as_a_calendar_rfc5545() {
    let policy = quick();
    let text = icalendar(&[named(&policy, fresh(&policy, 30))]);
    check_icalendar(&text);
    expect_file!["plan.ics"].assert_eq(&text.replace("\r\n", "\n"));
}

/// Lines end in CRLF and have at most 75 octets; components are closed; each event has what
/// RFC 5545 §3.6.1 demands, and a UID of its own.
#[track_caller]
pub(super) fn check_icalendar(text: &str) {
    assert!(text.ends_with("\r\n") && !text.replace("\r\n", "").contains(['\r', '\n']));
    let lines: Vec<&str> = text.trim_end().split("\r\n").collect();
    assert!(lines.iter().all(|line| line.len() <= 75), "{text}");
    let unfolded = text.replace("\r\n ", "");
    let lines: Vec<&str> = unfolded.trim_end().split("\r\n").collect();
    let count = |wanted: &str| lines.iter().filter(|line| line.starts_with(wanted)).count();
    let events = count("BEGIN:VEVENT");
    for needed in ["UID:", "DTSTAMP:", "DTSTART:", "SUMMARY:", "END:VEVENT"] {
        assert_eq!(count(needed), events, "{needed}");
    }
    assert_eq!((count("BEGIN:VCALENDAR"), count("END:VCALENDAR")), (1, 1));
    let uids = lines.iter().filter(|line| line.starts_with("UID:"));
    assert_eq!(uids.collect::<BTreeSet<_>>().len(), events);
    assert!(lines.iter().all(|line| line.contains(':')));
}

#[test]
fn the_same_event_has_the_same_uid_in_a_later_plan() {
    let policy = quick();
    let uids = |plan: Plan, after: Timestamp| {
        let entries = plan.entries.iter().filter(|entry| entry.at > after).cloned().collect();
        let text = icalendar(&[named(&policy, Plan { entries, ..plan })]);
        let lines = text.split("\r\n").filter(|line| line.starts_with("UID:"));
        lines.map(str::to_owned).collect::<BTreeSet<String>>()
    };
    let day = |days: u64| MARCH.plus(Seconds(days * DAY));
    // The keys that exist on day 60 had no tags on day 20, but the next ones are named by days.
    let (now, then) = (later(&policy, 20, 300).1, later(&policy, 60, 260).1);
    assert_eq!(uids(now, day(180)), uids(then, day(180)));
}

#[test]
fn a_roll_that_never_ends_is_said() {
    let told = |change: &dyn Fn(&mut Policy)| {
        let mut policy = Policy::anchorite_default("token");
        change(&mut policy);
        let plan = fresh(&policy, 365);
        plan.findings.iter().map(Finding::text).collect::<Vec<_>>().join("\n")
    };
    let all = [
        told(&|_| {}),
        told(&|policy| policy.keys.keys[0].lifetime = Seconds(7200)),
        told(&|policy| policy.keys.keys[1].lifetime = Seconds(5 * DAY)),
        told(&|policy| policy.keys.keys[0].lifetime = Seconds(0)),
    ];
    assert_eq!(all[0], "");
    expect_file!["findings.txt"].assert_eq(&all.join("\n\n"));
}

#[test]
fn what_is_the_operators_is_marked() {
    let mut policy = quick();
    policy.keys.keys[1].manual_rollover = true;
    let backed_up = ["token".to_owned()].into();
    let plan = plan(&ZoneLife::default(), &assumed(&policy, &backed_up, (MARCH, 100)));
    let plan = named(&policy, plan);
    let yours = plan.plan.entries.iter().filter(|entry| entry.actor == Actor::You);
    let yours = yours.map(|entry| {
        let command = entry.command(&plan).unwrap_or_default();
        format!("{} {}: {command}\n", date::date(entry.at), entry.text())
    });
    expect_file!["yours.txt"].assert_eq(&yours.collect::<String>());
    let none = BTreeSet::new();
    let commands = Assumptions {
        commands: DsCommands { submits: true, retracts: true },
        ..assumed(&policy, &none, (MARCH, 400))
    };
    let plan = super::plan(&ZoneLife::default(), &commands);
    let told = plan.entries.iter().filter(|entry| matches!(entry.what, What::Told(_)));
    let told: Vec<Actor> = told.map(|entry| entry.actor).collect();
    assert_eq!(told, [Actor::Machine; 3]);
}

#[test]
fn rolls_begin_and_end() {
    let policy = quick();
    let plan = fresh(&policy, 230);
    let told = rolls(&ZoneLife::default(), &plan).into_iter().map(|roll| {
        let at = |at: Option<Timestamp>| at.map_or("-".to_owned(), date::minute);
        let (begins, ds, ends) = (date::minute(roll.begins), at(roll.ds), at(roll.ends));
        format!("{} {begins}, DS {ds}, ends {ends}\n", roll.role)
    });
    expect![[r#"
        KSK 2026-03-01 08:00, DS 2026-03-02 20:00, ends 2026-03-03 23:46
        ZSK 2026-03-01 08:00, DS -, ends 2026-03-02 20:00
        ZSK 2026-05-30 08:00, DS -, ends 2026-06-13 14:00
        ZSK 2026-08-28 08:00, DS -, ends 2026-09-11 14:00
        KSK 2026-09-17 08:00, DS 2026-09-17 22:00, ends 2026-09-20 01:46
    "#]]
    .assert_eq(&told.collect::<String>());
    // In the middle of the first KSK roll.
    let (past, next) = later(&policy, 201, 60);
    let first = rolls(&past.end, &next).into_iter().next();
    let first = first.map(|roll| (roll.role, roll.is_under_way, date::minute(roll.ends.unwrap())));
    assert_eq!(first, Some((KeyRole::Ksk, true, "2026-09-20 01:46".to_owned())));
}

#[test]
fn a_full_repository_is_said() {
    let policy = quick();
    let told = |free: u64| {
        let mut plans = [named(&policy, fresh(&policy, 230)), named(&policy, fresh(&policy, 230))];
        fill_repositories(&mut plans, &[("token".to_owned(), free)].into(), Seconds(7 * DAY));
        let full = |plan: &ZonePlan| {
            let is_full = |entry: &&Entry| matches!(entry.what, What::NoRoom(_));
            let entries = plan.plan.entries.iter().filter(is_full);
            entries.map(|entry| date::date(entry.at)).collect::<Vec<_>>()
        };
        plans.each_ref().map(full)
    };
    // Two keys each, three as a ZSK rolls; the KSK rolls before the dead ZSK has left its token.
    let none = || Vec::<String>::new();
    let day = |day: &str| vec![day.to_owned()];
    assert_eq!(told(8), [none(), none()]);
    assert_eq!(told(7), [none(), day("2026-09-17")]);
    assert_eq!(told(6), [day("2026-09-17"), day("2026-09-17")]);
}

#[test]
fn keys_by_hand_and_salts_are_events() {
    let mut policy = quick();
    policy.denial = crate::policy::DenialPolicy::Nsec3(crate::policy::Nsec3Policy {
        param_ttl: Seconds(0),
        opt_out: false,
        resalt: Seconds(40 * DAY),
        hash_algorithm: 1,
        iterations: 0,
        salt_length: 8,
    });
    let none = BTreeSet::new();
    let by_hand = Assumptions {
        keys_by_hand: true,
        salted: Some(MARCH.minus(Seconds(30 * DAY))),
        ..assumed(&policy, &none, (MARCH, 100))
    };
    let plan = named(&policy, super::plan(&ZoneLife::default(), &by_hand));
    let entries = plan.plan.entries.iter().filter(|entry| entry.key.is_none());
    let told = entries.map(|entry| {
        let command = entry.command(&plan).map_or(String::new(), |text| format!(" $ {text}"));
        format!("{} {}: {}{command}\n", date::date(entry.at), entry.actor, entry.code())
    });
    expect![[r#"
        2026-03-01 you: generate-by-hand $ ods-enforcer key generate --policy default --duration P1Y
        2026-03-01 you: generate-by-hand $ ods-enforcer key generate --policy default --duration P1Y
        2026-03-11 machine: resalt
        2026-04-20 machine: resalt
        2026-05-30 machine: resalt
    "#]]
    .assert_eq(&told.collect::<String>());
}

#[test]
fn a_watched_parent_needs_no_words() {
    let mut policy = quick();
    policy.parent.publishes_cds = true;
    let none = BTreeSet::new();
    let watched = assumed(&policy, &none, (MARCH, 230));
    let scene = Scene { parent: Some(&[]), ..watched.scene };
    let plan = super::plan(&ZoneLife::default(), &Assumptions { scene, ..watched });
    assert!(plan.entries.iter().all(|entry| entry.actor != Actor::You), "{:?}", plan.entries);
    let shown = plan.entries.iter().filter(|entry| entry.actor == Actor::Parent);
    let shown = shown.map(|entry| format!("{} {}\n", date::minute(entry.at), entry.text()));
    expect![[r#"
        2026-03-03 20:00 shows the DS
        2026-09-18 22:00 has removed the DS
        2026-09-18 22:00 shows the DS
    "#]]
    .assert_eq(&shown.collect::<String>());
}

#[test]
fn a_zone_is_explained() {
    let mut policy = quick();
    policy.keys.keys[0].lifetime = Seconds(59 * DAY);
    // Two days after its first KSK began to roll.
    let (past, _) = later(&policy, 60, 1);
    let now = MARCH.plus(Seconds(60 * DAY + 600));
    let none = BTreeSet::new();
    let scene = assumed(&policy, &none, (now, 365));
    expect_file!["explain-zone.txt"].assert_eq(&explain_zone("example.com", &past.end, &scene));
    let id = &past.end.keys[0].id;
    let key = explain_key("example.com", &past.end, &scene, id).unwrap();
    expect_file!["explain-key.txt"].assert_eq(&key);
    assert!(explain_key("example.com", &past.end, &scene, &KeyId::new(b"x").unwrap()).is_none());
    let empty = explain_zone("example.com", &ZoneLife::default(), &scene);
    expect![[r#"
        Zone example.com, policy default, at 2026-04-30 08:10 (UTC)
        The zone has no keys.
        Roll of the KSKs: due
        Roll of the ZSKs: due

        Next:
          machine: makes a KSK
          machine: makes a ZSK
          machine: looks at the zone again: 2026-04-30 08:11 (in 1m)
    "#]]
    .assert_eq(&empty);
}

#[test]
fn names_never_reach_a_terminal_raw() {
    let name = Name::parse(br"\027[31m\010$(reboot)'x;&<script>.example.", None).unwrap();
    let policy = Policy { name: "p\u{1b}[2J\u{202e}".to_owned(), ..quick() };
    let (past, next) = later(&policy, 100, 100);
    let zone = name.to_string();
    let none = BTreeSet::new();
    let scene = assumed(&policy, &none, (next.from, 100));
    let picture = timeline((&zone, &policy.name), &past.end, &past.moments, &next, MARCH);
    let plans = [ZonePlan { zone: zone.clone(), policy: policy.name.clone(), plan: next }];
    let texts = [
        table(&plans),
        json(&plans),
        icalendar(&plans),
        explain_zone(&zone, &past.end, &scene),
        strip(&picture),
        svg(&picture),
    ];
    for text in texts {
        let is_raw = |one: char| one.is_control() && !matches!(one, '\n' | '\r');
        assert!(!text.contains(is_raw) && !text.contains('\u{202e}'), "{text}");
    }
    assert!(!svg(&picture).contains("<script>"));
    let quoted = names::shell_word("a'b;reboot");
    assert_eq!(quoted, r"'a'\''b;reboot'");
}
