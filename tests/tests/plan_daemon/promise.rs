//! What a plan says of a running zone is what the enforcer then does: each move of each record,
//! at its moment, over the rolls of both roles; and the salt is made anew when the plan says so.

use crate::lab::{Lab, ZONE, installation};
use std::collections::BTreeMap;

/// How far a moment may be off: each step takes its time to be published, and waits count from
/// there.
const TOLERANCE_SECONDS: u64 = 300;
/// `<Resign>`.
const SIGNED_AGAIN_SECONDS: u64 = 12 * 3600;
/// Days that are compared.
const DAYS: u64 = 17;

/// Moves of a zone's records, by key and record: the states with their moments.
type Moves = BTreeMap<(String, String), Vec<(u64, String)>>;

fn note(moves: &mut Moves, key: &str, kind: &str, at: u64, state: &str) {
    let all = moves.entry((key.to_owned(), kind.to_owned())).or_default();
    // Of two steps at one moment a plan tells where the second one led.
    match all.last_mut() {
        Some((last, known)) if at.saturating_sub(*last) < TOLERANCE_SECONDS => {
            *known = state.to_owned();
        }
        _ => all.push((at, state.to_owned())),
    }
}

/// What the plan says, by the names of the keys.
fn planned(plan: &serde_json::Value, until: u64) -> Moves {
    let mut moves = Moves::new();
    for event in plan["events"].as_array().unwrap() {
        let at = event["at_seconds"].as_u64().unwrap();
        let Some(records) = event["records"].as_object().filter(|_| at <= until) else { continue };
        let name = event["key"]["name"].as_str().unwrap();
        for (kind, state) in records {
            note(&mut moves, name, kind, at, state.as_str().unwrap());
        }
    }
    moves
}

/// Seconds since 1970 of `2026-11-22 10:16:41`.
fn moment(text: &str) -> u64 {
    let at: jiff::civil::DateTime = text.replace(' ', "T").parse().unwrap();
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).unwrap();
    u64::try_from(at.timestamp().as_second()).unwrap()
}

/// What happened since `from`: moves by id, and the keys that were taken, by role.
fn happened(history: &str, from: u64) -> (Moves, Vec<(String, String)>) {
    let (mut moves, mut taken, mut at) = (Moves::new(), Vec::new(), 0);
    for line in history.lines() {
        let Some(event) = line.strip_prefix("    ") else {
            at = moment(&line[..19]);
            continue;
        };
        let words: Vec<&str> = event.split_ascii_whitespace().collect();
        match words.as_slice() {
            _ if at <= from => {}
            [id, "taken", "as", role, ..] => taken.push(((*role).to_owned(), (*id).to_owned())),
            [id, kind, _, "->", state] => note(&mut moves, id, kind, at, state),
            _ => {}
        }
    }
    (moves, taken)
}

fn salt(lab: &Lab) -> String {
    let text = std::fs::read_to_string(lab.installation.signed(ZONE)).unwrap();
    let line = text.lines().find(|line| line.contains("NSEC3PARAM\t1")).unwrap();
    line.split_ascii_whitespace().last().unwrap().to_owned()
}

#[test]
fn what_is_planned_is_what_happens() {
    let lab = Lab::start(installation(&[(ZONE, "default")]), &[ZONE]);
    let begin = lab.now();
    let until = begin + DAYS * 86_400;
    let plan = lab.plan("--parent-delay PT0S");
    let of = |code: &str| -> Vec<u64> {
        let events = plan["events"].as_array().unwrap().iter();
        let events = events.filter(|event| event["event"] == code);
        events.map(|event| event["at_seconds"].as_u64().unwrap()).collect()
    };
    let resalts = of("resalt");
    let (first_salt, mut salts) = (salt(&lab), Vec::new());
    for _ in 0..150 {
        let now = lab.now();
        if now > until {
            break;
        }
        // The signer signs again in between, so that signatures are replaced one by one.
        lab.step_towards(now + SIGNED_AGAIN_SECONDS);
        let salt = salt(&lab);
        if salts.last().map_or(&first_salt, |(_, last)| last) != &salt {
            salts.push((lab.now(), salt));
        }
    }
    assert!(lab.now() > until, "150 steps were not enough");

    let history = lab.told(&format!("key history {ZONE}"));
    let (moves, taken) = happened(&history, begin);
    let mut expected = planned(&plan, until - TOLERANCE_SECONDS);
    // Keys that did not exist yet have the names of their days, in the order of their role.
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for event in plan["events"].as_array().unwrap() {
        let (name, role) = (event["key"]["name"].as_str(), event["key"]["role"].as_str());
        let (Some(name), Some(role)) = (name, role) else { continue };
        if let Some(id) = event["key"]["cka_id"].as_str() {
            ids.insert(name.to_owned(), id.to_owned());
        } else if event["event"] == "key-taken" {
            let number =
                ids.keys().filter(|known| known.starts_with(&format!("{role} of"))).count();
            let mut of_role = taken.iter().filter(|(other, _)| other == role);
            if let Some((_, id)) = of_role.nth(number) {
                ids.insert(name.to_owned(), id.clone());
            }
        }
    }
    let mut compared = 0;
    for ((name, kind), states) in std::mem::take(&mut expected) {
        let id = ids.get(&name).unwrap_or_else(|| panic!("{name} was not taken: {taken:?}"));
        let done = moves.get(&(id.clone(), kind.clone())).cloned().unwrap_or_default();
        for (index, (at, state)) in states.iter().enumerate() {
            let (when, what) = done.get(index).unwrap_or_else(|| {
                panic!("{kind} of {name} does not become {state} at {at}: {done:?}")
            });
            assert_eq!(what, state, "{kind} of {name}: {states:?}, and was {done:?}");
            assert!(
                when.abs_diff(*at) <= TOLERANCE_SECONDS,
                "{kind} of {name} {state}: {at} {when}\n{history}"
            );
            compared += 1;
        }
    }
    // Both first keys, a roll of the ZSK and one of the KSK.
    assert!(compared >= 20, "only {compared} moves were compared: {plan}");
    let due = resalts.iter().filter(|at| **at < until - TOLERANCE_SECONDS).count();
    assert!(due >= 2, "{resalts:?}");
    assert_eq!(salts.len(), due, "{salts:?} {resalts:?}");
    for ((at, _), planned) in salts.iter().zip(&resalts) {
        assert!(at.abs_diff(*planned) <= TOLERANCE_SECONDS, "{salts:?} {resalts:?}");
    }
    lab.daemon.stop();
}
