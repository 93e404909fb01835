//! Plans for calendars: iCalendar (RFC 5545). In: plans, and when they were made. Out: lines that
//! end in CRLF and are folded at 75 octets (§3.1).
//! UIDs are the same in each plan for the same event (§3.8.4.7), so that a calendar that reads a
//! newer plan moves its events instead of doubling them: they name zone, key and event, and a key
//! that is not made yet by the day on which it is taken.

use super::calendar::{Actor, Entry};
use super::names::{find, plain};
use super::{ZonePlan, date};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Octets of a line before it is folded (§3.1).
const LINE_OCTETS_MAX: usize = 75;
/// Octets of the digest that makes a UID.
const UID_OCTETS: usize = 12;

/// The calendars of some zones as one.
pub fn icalendar(plans: &[ZonePlan]) -> String {
    let mut out = String::new();
    put(&mut out, "BEGIN:VCALENDAR");
    put(&mut out, "VERSION:2.0");
    put(&mut out, "PRODID:-//Anchorite//plan//EN");
    put(&mut out, "CALSCALE:GREGORIAN");
    put(&mut out, "METHOD:PUBLISH");
    for zone in plans {
        let mut seen = BTreeMap::new();
        for entry in &zone.plan.entries {
            event(&mut out, zone, entry, &mut seen);
        }
    }
    put(&mut out, "END:VCALENDAR");
    out
}

fn event(out: &mut String, zone: &ZonePlan, entry: &Entry, seen: &mut BTreeMap<String, usize>) {
    let names = &zone.plan.names;
    let key = entry.key.as_ref().and_then(|id| find(names, id));
    let identity = match key {
        Some(name) => {
            let tagged = name.tag.map(|_| name.id.to_string());
            format!("{}\n{}", tagged.as_ref().unwrap_or(&name.text), entry.text())
        }
        None => format!("{}\n{}", date::date(entry.at), entry.text()),
    };
    let identity = format!("{}\n{}\n{identity}", zone.zone, entry.code());
    let count = seen.entry(identity.clone()).or_insert(0);
    *count += 1;
    let digest = Sha256::digest(format!("{identity}\n{count}"));
    let uid = data_encoding::HEXLOWER.encode(&digest[..UID_OCTETS]);
    let key = key.map_or(String::new(), |name| format!("{}: ", name.text));
    let who = match entry.actor {
        Actor::You => "YOU: ".to_owned(),
        Actor::Parent => "parent: ".to_owned(),
        Actor::Machine => String::new(),
    };
    let summary = format!("{who}{} {key}{}", plain(&zone.zone), entry.text());
    let command = entry.command(zone);
    let mut description =
        format!("Policy {}. Planned on {}.", plain(&zone.policy), date::date(zone.plan.from));
    if let Some(command) = command {
        description = format!("{command}\n{description}");
    }
    put(out, "BEGIN:VEVENT");
    put(out, &format!("UID:{uid}@anchorite"));
    put(out, &format!("DTSTAMP:{}", date::compact(zone.plan.from)));
    put(out, &format!("DTSTART:{}", date::compact(entry.at)));
    put(out, &format!("SUMMARY:{}", escape(&summary)));
    put(out, &format!("DESCRIPTION:{}", escape(&description)));
    put(out, &format!("CATEGORIES:{}", entry.actor.to_string().to_uppercase()));
    put(out, "TRANSP:TRANSPARENT");
    put(out, "END:VEVENT");
}

/// A text value (§3.3.11).
fn escape(text: &str) -> String {
    let mut out = String::new();
    for one in text.chars() {
        match one {
            '\\' | ';' | ',' => out.extend(['\\', one]),
            '\n' => out += "\\n",
            one => out.push(one),
        }
    }
    out
}

/// A line, folded between characters.
fn put(out: &mut String, line: &str) {
    let mut octets = 0;
    for one in line.chars() {
        if octets + one.len_utf8() > LINE_OCTETS_MAX {
            out.push_str("\r\n ");
            octets = 1;
        }
        out.push(one);
        octets += one.len_utf8();
    }
    out.push_str("\r\n");
}
