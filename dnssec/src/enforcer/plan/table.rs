//! A plan for people: lines of at most [`WIDTH`] columns, unless a word or a command is longer.
//! In: plans. Out: text.

use super::calendar::{Actor, Entry};
use super::names::{find, plain};
use super::{ZonePlan, date};

/// Columns of a terminal.
pub(super) const WIDTH: usize = 80;
/// Where the text of an entry begins.
const INDENT: usize = 27;

/// The calendars of some zones, one after the other.
pub fn table(plans: &[ZonePlan]) -> String {
    let tables: Vec<String> = plans.iter().map(one).collect();
    tables.join("\n")
}

fn one(zone: &ZonePlan) -> String {
    let plan = &zone.plan;
    let head = format!(
        "Plan for {}, policy {}: {} to {} (times are UTC).",
        plain(&zone.zone),
        plain(&zone.policy),
        date::date(plan.from),
        date::date(plan.until)
    );
    let assumed = format!(
        "Assumed: keys are there when they are wanted, you act at once, and the parent acts {} \
         after it was told. Nothing is changed by this plan.",
        date::length(plan.parent_delay)
    );
    let mut text = wrap(&head, 0) + &wrap(&assumed, 0);
    for finding in &plan.findings {
        let mark = if finding.is_fault() { "!" } else { "Note:" };
        text += &wrap(&format!("{mark} {}", plain(&finding.text())), 2);
    }
    text += "\n";
    if plan.entries.is_empty() {
        text += "Nothing happens to its keys in this time.\n";
    }
    let is_one = |a: &Entry, b: &Entry| (a.at, a.actor, &a.key) == (b.at, b.actor, &b.key);
    for entries in plan.entries.chunk_by(is_one) {
        text += &lines(zone, entries);
    }
    text
}

/// What one of the actors does with one key at one moment.
fn lines(zone: &ZonePlan, entries: &[Entry]) -> String {
    let Some(first) = entries.first() else { return String::new() };
    let who = match first.actor {
        Actor::You => "YOU".to_owned(),
        other => other.to_string(),
    };
    let names = &zone.plan.names;
    let key = first.key.as_ref().and_then(|id| find(names, id));
    let key = key.map_or(String::new(), |name| format!("{}: ", name.text));
    let told: Vec<String> = entries.iter().map(Entry::text).collect();
    let wrapped = wrap(&format!("{:INDENT$}{key}{}", "", told.join("; ")), INDENT);
    let front = format!("{:<18}{who:<9}", date::minute(first.at));
    let mut text = front + wrapped.trim_start();
    for entry in entries {
        let command = entry.command(zone);
        text += &command.map_or(String::new(), |command| format!("    $ {command}\n"));
    }
    text
}

/// Breaks text at blanks; later lines begin `indent` columns in.
pub(super) fn wrap(text: &str, indent: usize) -> String {
    let body = text.trim_start_matches(' ');
    let mut line = " ".repeat(text.len() - body.len());
    let (mut out, mut is_first) = (String::new(), true);
    for word in body.split(' ') {
        let needed = line.chars().count() + usize::from(!is_first) + word.chars().count();
        if !is_first && needed > WIDTH {
            out += &line;
            out += "\n";
            line = " ".repeat(indent);
            is_first = true;
        }
        if !is_first {
            line.push(' ');
        }
        line += word;
        is_first = false;
    }
    out + &line + "\n"
}
