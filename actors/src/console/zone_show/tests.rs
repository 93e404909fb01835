//! What operators read of a zone with a master that refuses and secondaries in every state.

use super::*;
use crate::transfers::{AnsweredUpdate, NotifyStatus, SecondaryStatus};
use crate::zone::RefreshStatus;
use dnssec::transfer::Rcode;
use dnssec::transfer::watch::Standing;
use dnssec::{Name, Seconds, Serial};
use std::net::SocketAddr;
use storage::state::{Refusal, Transferred};

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn secondary(last: u8, standing: Standing, serial: u32) -> SecondaryStatus {
    let acknowledged = (Serial(serial), Timestamp(90));
    SecondaryStatus {
        address: SocketAddr::from(([192, 0, 2, last], 53)),
        notify: Some(NotifyStatus::Acknowledged { serial: Serial(serial), at: Timestamp(90) }),
        last_acknowledged: Some(acknowledged),
        seen: Some((Serial(serial), Timestamp(95))),
        standing,
        failing: None,
        next_look: Some(Timestamp(200)),
    }
}

fn view() -> View {
    let refusal = Refusal {
        master: at("192.0.2.1:53"),
        reason: "answered REFUSED".to_owned(),
        since: Timestamp(50),
    };
    let refresh = RefreshStatus {
        masters: vec![at("192.0.2.1:53"), at("[2001:db8::1]:53"), at("192.0.2.3:53")],
        asking: None,
        timers: Default::default(),
        serial: Some(Serial(7)),
        transfer: Some(Transferred {
            at: Timestamp(60),
            from: at("[2001:db8::1]:53"),
            serial: Serial(7),
        }),
        confirmed_at: Some(Timestamp(61)),
        expires_at: Some(Timestamp(1_000)),
        next_refresh: Some(Timestamp(120)),
        answered: vec![(at("[2001:db8::1]:53"), Timestamp(61))],
        refusals: vec![refusal],
    };
    let behind = Standing::Behind { since: Timestamp(40) };
    let mut given_up = secondary(17, behind, 8);
    given_up.notify = Some(NotifyStatus::GivenUp {
        serial: Serial(9),
        at: Timestamp(96),
        why: "no answer".to_owned(),
    });
    given_up.failing = Some((Timestamp(97), "no answer".to_owned()));
    let mut telling = secondary(18, Standing::Ahead, 4_000);
    telling.notify = Some(NotifyStatus::Telling {
        serial: Serial(9),
        tries: 1,
        next: Some(Timestamp(111)),
        why: Some("it answers REFUSED".to_owned()),
    });
    telling.last_acknowledged = None;
    let mut tally = UpdateTally::default();
    for (second, rcode) in [(70, Rcode::NOERROR), (71, Rcode::REFUSED), (72, Rcode::NXRRSET)] {
        let key = Some(Name::parse(b"update.example.", None).unwrap());
        let from = at("192.0.2.9:1").ip();
        tally.note(AnsweredUpdate { at: Timestamp(second), from, key, rcode });
    }
    View {
        zone: "example".to_owned(),
        policy: "lab".to_owned(),
        input: Way::Dns,
        output: Way::Dns,
        status: ZoneStatus {
            phase: Phase::Idle,
            input_serial: Some(Serial(7)),
            output_serial: Some(Serial(9)),
            refresh: Some(refresh),
            ..ZoneStatus::default()
        },
        outbound: Some(OutboundStatus {
            serial: Some(Serial(9)),
            steps: (2, 300),
            lag_max: Some(Seconds(50)),
            secondaries: vec![secondary(16, Standing::Current, 9), given_up, telling],
        }),
        updates: Some(tally),
        now: Timestamp(100),
    }
}

/// Times are those of the machine's time zone.
fn moment(seconds: u64) -> String {
    crate::io::local_time::date_time(Timestamp(seconds))
}

#[test]
fn a_master_that_refuses_says_so_with_its_rcode_and_since_when() {
    let text = text::zone(&view());
    let [refused, success] = [50, 61].map(moment);
    for line in [
        format!("  master 192.0.2.1:53: answered REFUSED (since {refused}; last success -)"),
        format!("  master [2001:db8::1]:53: well, last success {success}"),
        "  master 192.0.2.3:53: not asked yet".to_owned(),
        format!("  next refresh: {}", moment(120)),
        format!("  expires: {}", moment(1_000)),
    ] {
        assert!(text.lines().any(|own| own == line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn each_secondary_has_its_lines() {
    let text = text::zone(&view());
    let [acknowledged, seen, retry, given_up, silent] = [90, 95, 111, 96, 97].map(moment);
    for line in [
        format!("  secondary 192.0.2.16:53: up to date, has serial 9, seen {seen}"),
        format!("    NOTIFY: serial 9 acknowledged {acknowledged}"),
        format!("  secondary 192.0.2.17:53: BEHIND for 60 s, has serial 8, seen {seen}"),
        format!("    shows no serial since {silent}: no answer"),
        format!(
            "    NOTIFY: given up for serial 9 {given_up}: no answer; last acknowledged serial 8, \
             {acknowledged}"
        ),
        format!(
            "  secondary 192.0.2.18:53: AHEAD, has serial 4000, seen {seen}: never published here"
        ),
        format!(
            "    NOTIFY: telling of serial 9, try 2 of 5 (it answers REFUSED), next try {retry}; \
             never acknowledged"
        ),
        "  alarm when behind for: 50 s".to_owned(),
    ] {
        assert!(text.lines().any(|own| own == line), "{line:?} is not in\n{text}");
    }
}

#[test]
fn updates_are_counted_by_their_answers() {
    let text = text::zone(&view());
    let [done, refused] = [70, 72].map(moment);
    for line in [
        format!("  updates: 1 done; last {done} from 192.0.2.9 with key update.example"),
        format!(
            "  updates refused: REFUSED 1, NXRRSET 1; last NXRRSET {refused} from 192.0.2.9 with \
             key update.example"
        ),
    ] {
        assert!(text.lines().any(|own| own == line), "{line:?} is not in\n{text}");
    }
    let nobody = View { updates: None, ..view() };
    assert!(!text::zone(&nobody).contains("updates"));
    assert!(json::zone(&nobody).contains(r#""updates":null,"#));
}

#[test]
fn json_has_the_same_facts() {
    let json = json::zone(&view());
    for part in [
        r#"{"address":"192.0.2.1:53","last_success":null,"refusal":"answered REFUSED""#,
        r#""refusal":"answered REFUSED","refused_since":50}"#,
        r#"{"address":"[2001:db8::1]:53","last_success":61,"refusal":null,"#,
        r#""behind":1,"late":1,"unseen":1,"ahead":1,"unacknowledged":1,"lag_max_seconds":60"#,
        r#""standing":"behind","lag_seconds":60,"serial":8"#,
        r#""updates":{"done":1,"last_done":{"at":70,"from":"192.0.2.9","key":"update.example","#,
        r#""refused":{"REFUSED":1,"NXRRSET":1},"last_refused":{"at":72,"#,
        r#""notify":{"state":"telling","serial":9,"next_try":111,"tries":1,"failure":"it ans"#,
    ] {
        assert!(json.contains(part), "{part} is not in {json}");
    }
}

#[test]
fn the_list_says_what_is_wrong() {
    let file = View { input: Way::File, output: Way::File, outbound: None, ..view() };
    let away = [("away.example".to_owned(), "lab".to_owned())];
    let text = list::lines(&[view(), file], &away);
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let lines: Vec<String> = text.lines().map(words).collect();
    assert_eq!(
        lines,
        [
            "Zone: Policy: State: Serial in/out: Input: Output:",
            "example lab signed 7/9 DNS, 1 of 3 fail DNS, of 3 secondaries 1 late, 1 ahead, 1 \
             unseen, 1 not told",
            "example lab signed 7/9 file file",
            "away.example lab not running -/- - -",
        ]
    );
    let row = json::row(&view());
    assert!(!row[1..].contains(['{', '[']), "it is flat: {row}");
}
