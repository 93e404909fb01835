//! Whatever is found, the text is in the plugins' grammar (Monitoring Plugins guidelines, sections
//! "Plugin Output for Nagios" and "Performance data"), and the metrics are in theirs.

use super::super::metrics::{Dialect, metrics};
use super::*;
use proptest::prelude::*;

/// The grammar of the guidelines; the label and the value of each measure.
fn parse_plugin(text: &str, word: &str) -> Result<(), String> {
    let mut lines = text.lines();
    let first = lines.next().ok_or("no line")?;
    let (said, performance) = match first.split_once(" | ") {
        Some((said, performance)) => (said, performance),
        None => (first, ""),
    };
    if said.len() >= 80 {
        return Err(format!("{} characters", said.len()));
    }
    let rest = said.strip_prefix(word).ok_or("no name of the check")?;
    let states = [" OK - ", " WARNING - ", " CRITICAL - ", " UNKNOWN - "];
    if !states.iter().any(|state| rest.starts_with(state) && rest.len() > state.len()) {
        return Err(format!("no state: {rest}"));
    }
    for word in performance.split(' ').filter(|word| !word.is_empty()) {
        let (label, value) = word.split_once('=').ok_or("no value")?;
        if label.is_empty()
            || label.len() > 19
            || !label.chars().all(|it| it.is_ascii_lowercase() || it == '_')
        {
            return Err(format!("label {label}"));
        }
        let fields: Vec<&str> = value.split(';').collect();
        let number = fields[0].trim_end_matches(|it: char| it.is_ascii_lowercase() || it == '%');
        let unit = &fields[0][number.len()..];
        number.parse::<i64>().map_err(|error| format!("{word}: {error}"))?;
        if !["", "s", "ms", "%", "c"].contains(&unit) || fields.len() > 5 {
            return Err(word.to_owned());
        }
        for range in fields[1..].iter().filter(|range| !range.is_empty()) {
            range.parse::<Range>().map_err(|error| error.to_string())?;
        }
    }
    if text.contains('\r') || text.matches('|').count() > 1 || !text.ends_with('\n') {
        return Err("a second bar, or no end".to_owned());
    }
    match text.chars().all(|it| it == '\n' || it == ' ' || it.is_ascii_graphic()) {
        true => Ok(()),
        false => Err("not printable".to_owned()),
    }
}

/// The grammar of OpenMetrics' text: names, labels, values, types before samples, one end.
fn parse_metrics(text: &str) -> Result<(), String> {
    let mut families: Vec<(String, String)> = Vec::new();
    let body = text.strip_suffix("# EOF\n").ok_or("no end")?;
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("no type")?;
            if families.iter().any(|(known, _)| known == name) {
                return Err(format!("{name} twice"));
            }
            families.push((name.to_owned(), kind.to_owned()));
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, mut rest) = line.split_at(end);
        let (family, kind) = families.last().ok_or("no family")?;
        let expected = if kind == "counter" { format!("{family}_total") } else { family.clone() };
        if name != expected {
            return Err(format!("{name} in {family}"));
        }
        if let Some(labels) = rest.strip_prefix('{') {
            rest = parse_labels(labels)?;
        }
        let value = rest.strip_prefix(' ').ok_or("no blank")?;
        value.parse::<f64>().map_err(|error| format!("{line}: {error}"))?;
    }
    Ok(())
}

fn parse_labels(mut text: &str) -> Result<&str, String> {
    loop {
        let (label, rest) = text.split_once("=\"").ok_or("no label")?;
        if !label.chars().all(|it| it.is_ascii_lowercase() || it == '_') {
            return Err(format!("label {label}"));
        }
        let mut is_escaped = false;
        let end = rest.find(|it| {
            let ends = it == '"' && !is_escaped;
            is_escaped = it == '\\' && !is_escaped;
            ends
        });
        let rest = &rest[end.ok_or("no quote")? + 1..];
        match rest.strip_prefix(',') {
            Some(next) => text = next,
            None => return rest.strip_prefix('}').ok_or("no brace".to_owned()),
        }
    }
}

fn any_zone() -> impl Strategy<Value = ZoneHealth> {
    let text = "\\PC{0,300}|[a-z|\n'= ]{0,40}";
    let moment = || proptest::option::of((0_u64..4_000_000_000).prop_map(Timestamp));
    let phase = proptest::sample::select(vec![
        ZonePhase::Beginning,
        ZonePhase::Running,
        ZonePhase::Idle,
        ZonePhase::Failed,
        ZonePhase::Quarantined,
    ]);
    let moments = (moment(), moment(), moment(), moment(), moment(), moment());
    let texts = (text, proptest::option::of(text), proptest::option::of(text));
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), 0_u64..5_000_000_000);
    (phase, moments, texts, flags).prop_map(|(phase, moments, texts, flags)| {
        let (signed_at, ended_well, next_run, expires, confirmed_at, expires_at) = moments;
        let (name, failure, reason) = texts;
        let (has_version, is_held, has_masters, lag) = flags;
        let other = reason.clone().unwrap_or_default();
        ZoneHealth {
            terms: ZoneTerms { refresh: Seconds(lag), resign: Seconds(lag / 7), ..zone("").terms },
            phase,
            output_serial: has_version.then_some(Serial(1)),
            signed_at,
            ended_well,
            next_run,
            earliest_expiration: expires,
            failure,
            refusal: reason.map(|reason| RefusalHealth { reason, ..RefusalHealth::default() }),
            held: is_held.then(|| HeldHealth { is_rejected: has_version, reason: other.clone() }),
            inbound: has_masters.then(|| InboundHealth {
                masters: 1,
                asking: is_held.then(|| name.clone()),
                refresh: Seconds(lag / 3),
                retry: Seconds(lag / 5),
                confirmed_at,
                expires_at,
                refusals: match is_held {
                    true => vec![(name.clone(), NOW.wall, other.clone())],
                    false => Vec::new(),
                },
                serial: None,
            }),
            input_failure: has_version.then(|| other.clone()),
            output: is_held.then_some(OutputHealth {
                secondaries: 2,
                behind: 1,
                late: usize::from(has_version),
                unseen: usize::from(has_masters),
                ahead: 0,
                unacknowledged: 1,
                lag_max: Seconds(lag),
            }),
            updates: vec![("NOERROR".to_owned(), lag), ("NXRRSET".to_owned(), 1)],
            notify_failure: is_held.then_some(other),
            name,
            ..zone("")
        }
    })
}

proptest! {
    #[test]
    fn whatever_is_found_is_in_the_grammar(
        zones in proptest::collection::vec(any_zone(), 0..6),
        failure in proptest::option::of("\\PC{0,2000}"),
        given in proptest::option::of(("@?(~|[0-9]{1,4}|):?", "@?[0-9]{1,9}:[0-9]{10,12}")),
        verbosity in 0_usize..4,
    ) {
        let mut snapshot = well();
        snapshot.zones = zones;
        snapshot.slots[0].1 = heard(SlotHealth { failure, ..SlotHealth::default() });
        let (warning, critical) = given.unwrap_or_default();
        let question =
            Question { only: None, warning: warning.parse().ok(), critical: critical.parse().ok() };
        for check in Check::ALL {
            let text = verdict(check, &question, &snapshot, NOW).text(verbosity);
            let first = if verbosity == 1 { String::new() } else { text.clone() };
            if !first.is_empty() {
                let parsed = parse_plugin(&text, &check.word().to_uppercase());
                prop_assert!(parsed.is_ok(), "{parsed:?}: {text}");
            }
            let most = if verbosity < 2 { SUMMARY_MAX } else { 64 << 10 };
            prop_assert!(text.len() <= most, "{} octets", text.len());
        }
        let parsed = parse_metrics(&metrics(&snapshot, NOW, Dialect::OpenMetrics));
        prop_assert!(parsed.is_ok(), "{parsed:?}");
    }

    #[test]
    fn no_text_of_a_range_panics(text in "\\PC{0,12}") {
        if let Ok(range) = text.parse::<Range>() {
            prop_assert_eq!(range.to_string().parse::<Range>(), Ok(range));
        }
    }
}
