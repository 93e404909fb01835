//! Plans for programs: JSON (RFC 8259). In: plans. Out: one object, in lines. Moments are RFC 3339
//! and seconds since 1970.

use super::calendar::{Entry, What};
use super::names::find;
use super::{ZonePlan, date};
use crate::Timestamp;

/// The calendars of some zones.
pub fn json(plans: &[ZonePlan]) -> String {
    let zones: Vec<String> = plans.iter().map(zone).collect();
    format!("{{\"zones\":[\n{}\n]}}\n", zones.join(",\n"))
}

fn zone(zone: &ZonePlan) -> String {
    let plan = &zone.plan;
    let events: Vec<String> = plan.entries.iter().map(|one| event(zone, one)).collect();
    let findings = plan.findings.iter().map(|finding| {
        format!("  {{\"fault\":{},\"text\":{}}}", finding.is_fault(), string(&finding.text()))
    });
    format!(
        "{{\"zone\":{},\"policy\":{},\"from\":{},\"until\":{},\"parent_delay_seconds\":{},\n \
         \"findings\":[{}],\n \"events\":[{}]}}",
        string(&zone.zone),
        string(&zone.policy),
        moment(plan.from),
        moment(plan.until),
        plan.parent_delay.0,
        lines(findings.collect()),
        lines(events)
    )
}

fn lines(items: Vec<String>) -> String {
    match items.is_empty() {
        true => String::new(),
        false => format!("\n{}\n ", items.join(",\n")),
    }
}

fn moment(at: Timestamp) -> String {
    string(&date::rfc3339(at))
}

fn event(zone: &ZonePlan, entry: &Entry) -> String {
    let names = &zone.plan.names;
    let name = entry.key.as_ref().and_then(|id| find(names, id));
    let key = name.map_or("null".to_owned(), |name| {
        let tag = name.tag.map_or("null".to_owned(), |tag| tag.to_string());
        let id = name.tag.map_or("null".to_owned(), |_| string(&name.id.to_string()));
        format!(
            "{{\"name\":{},\"role\":\"{}\",\"algorithm\":{},\"keytag\":{tag},\"cka_id\":{id}}}",
            string(&name.text),
            name.role,
            name.algorithm.number()
        )
    });
    let records = match &entry.what {
        What::Moved(moves) => {
            let one = moves.iter().map(|(kind, state)| format!("\"{kind}\":\"{state}\""));
            format!(",\"records\":{{{}}}", one.collect::<Vec<_>>().join(","))
        }
        _ => String::new(),
    };
    let command = entry.command(zone);
    format!(
        "  {{\"at\":{},\"at_seconds\":{},\"who\":\"{}\",\"event\":\"{}\",\"key\":{key}{records},\
         \"text\":{},\"command\":{}}}",
        moment(entry.at),
        entry.at.0,
        entry.actor,
        entry.code(),
        string(&entry.text()),
        command.map_or("null".to_owned(), |command| string(&command))
    )
}

/// A string (RFC 8259 §7); all but printable ASCII is escaped.
fn string(text: &str) -> String {
    let mut out = "\"".to_owned();
    for unit in text.encode_utf16() {
        match u8::try_from(unit) {
            Ok(byte @ (b'"' | b'\\')) => out.extend(['\\', char::from(byte)]),
            Ok(byte @ b' '..=b'~') => out.push(char::from(byte)),
            _ => out += &format!("\\u{unit:04x}"),
        }
    }
    out + "\""
}
