//! Checks of zones: signatures, publication, audit, output, and whether they are late.
//! In: zones as they show themselves, the time. Out: what is wrong, by whom it is mended.
//! Limits: the constants below.

use super::snapshot::{Snapshot, ZoneHealth, ZonePhase, ZoneTerms};
use super::{
    Found, Limits, Measure, Moment, Question, Range, STALE_AFTER, State, Unit, fresh, signed, span,
    until,
};
use crate::{Seconds, Timestamp};

/// How much longer than `<Resign>` a zone may be without a run that ended well, and how long a new
/// one may be without a version.
const PUBLISH_MARGIN: Seconds = Seconds(300);
/// Signatures of another signer are worth a warning, and an alarm, when less is left.
const FOREIGN_LIMITS: (i64, i64) = (2 * 86_400, 86_400);
/// Work that is so late is worth a warning, and an alarm.
const LATE_LIMITS: (i64, i64) = (300, 900);

/// When a zone's signatures are too old: a healthy zone never gets there.
fn signature_limits(terms: &ZoneTerms) -> Limits {
    let (warning, critical) = match terms {
        ZoneTerms { is_passed_through: true, .. } => FOREIGN_LIMITS,
        _ => {
            // With `<Refresh>` zero each run makes all anew, so most of the validity is left.
            let refresh = if terms.refresh.0 > 0 { terms.refresh } else { terms.validity };
            let critical = signed(refresh) / 2;
            let warning = signed(refresh) - 2 * signed(terms.resign).min(signed(refresh));
            (warning.max(critical), critical)
        }
    };
    (Some(Range::at_least(warning)), Some(Range::at_least(critical)))
}

/// `signatures`.
pub(super) fn signatures(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let mut signed_zones: Vec<(i64, &ZoneHealth)> = question
        .zones(snapshot)
        .filter_map(|zone| Some((until(zone.earliest_expiration?, now.wall), zone)))
        .collect();
    signed_zones.sort_by_key(|(left, zone)| (*left, &zone.name));
    for (left, zone) in &signed_zones {
        let state = match question.judge(*left, signature_limits(&zone.terms)) {
            _ if *left <= 0 => State::Critical,
            state => state,
        };
        let text = match u64::try_from(*left) {
            Ok(left) if left > 0 => format!("first expires in {}", span(Seconds(left))),
            _ => format!("EXPIRED {} ago", span(Seconds(left.unsigned_abs()))),
        };
        found.lines.push(format!("{}: {text}", zone.name));
        let next = match (&zone.failure, zone.keyset_expires) {
            (Some(failure), _) => format!("the zone's last run failed: {failure}"),
            (None, Some(_)) => "a token for the zone's keys is away: see monitor hsm".to_owned(),
            (None, None) => format!("see \"anchorite zone audit {}\" and queue", zone.name),
        };
        found.trouble(state, &zone.name, text, next);
    }
    for zone in question.zones(snapshot).filter(|zone| is_unseen(zone)) {
        let why = zone.failure.as_deref().map_or("no run ended well", first_line);
        let text = format!("when its signatures expire is not known: {why}");
        let next = "mend what keeps the zone from being signed: see monitor publish";
        found.trouble(State::Unknown, &zone.name, text, next);
    }
    let least = signed_zones.first();
    found.summary = match least {
        Some((left, zone)) => {
            let left = span(Seconds(left.unsigned_abs()));
            format!("first of {} zones expires in {left} ({})", signed_zones.len(), zone.name)
        }
        None => "no signatures yet".to_owned(),
    };
    let limits = least.map_or((None, None), |(_, zone)| signature_limits(&zone.terms));
    let measure = Measure::new("sig_min", least.map(|(left, _)| *left), Unit::Seconds);
    found.measures = vec![measure.within(question.limits(limits))];
    found.measures.retain(|measure| measure.value.is_some());
    found
}

/// Whether there is a version whose signatures nobody has seen, and none is being made.
fn is_unseen(zone: &ZoneHealth) -> bool {
    let is_failing = matches!(zone.phase, ZonePhase::Failed | ZonePhase::Quarantined);
    (is_failing || zone.failures > 0)
        && zone.output_serial.is_some()
        && zone.earliest_expiration.is_none()
        && !zone.terms.is_passed_through
}

/// Whether the last run failed; it stays so while the next one is tried. A version that was refused
/// and made again of the last good input has not failed.
fn is_failing(zone: &ZoneHealth) -> bool {
    match zone.phase {
        ZonePhase::Failed | ZonePhase::Quarantined => true,
        ZonePhase::Idle => false,
        ZonePhase::Beginning | ZonePhase::Running => {
            zone.failures > 0 && (zone.refusal.is_none() || zone.output_serial.is_none())
        }
    }
}

/// How long a zone is without a run that ended well.
fn publish_age(zone: &ZoneHealth, now: Moment) -> Seconds {
    now.wall.since(zone.ended_well.unwrap_or(zone.known_since))
}

/// `publish`.
pub(super) fn publish(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let (mut unpublished, mut oldest, mut count) = (0, Seconds(0), 0);
    for zone in question.zones(snapshot) {
        count += 1;
        let age = publish_age(zone, now);
        oldest = oldest.max(age);
        unpublished += usize::from(zone.output_serial.is_none());
        let (state, text) = publish_state(question, zone, age);
        let serial = zone.output_serial.map_or_else(|| "none".to_owned(), |it| it.to_string());
        found.lines.push(format!("{}: serial {serial}, {text}", zone.name));
        let next = match zone.phase {
            ZonePhase::Quarantined => "see the log for the crash; then say anchorite sign ZONE",
            _ => "mend what is said; it is tried again by itself, or by anchorite sign ZONE",
        };
        found.trouble(state, &zone.name, text, next);
    }
    let published = count - unpublished;
    found.summary = format!("{published} of {count} zones published, none late");
    let age = Measure::new("age_max", Some(signed(oldest)), Unit::Seconds);
    found.measures = vec![
        age.within((question.warning, question.critical)),
        Measure::count("unpublished", unpublished),
    ];
    found
}

fn publish_state(question: &Question, zone: &ZoneHealth, age: Seconds) -> (State, String) {
    let why = zone.failure.as_deref().unwrap_or("no reason is known");
    let limit = Range::at_most(signed(Seconds(zone.terms.resign.0 + PUBLISH_MARGIN.0)));
    match zone.phase {
        ZonePhase::Quarantined => return (State::Critical, format!("in quarantine: {why}")),
        _ if is_failing(zone) && zone.output_serial.is_none() => {
            return (State::Critical, format!("never published: {why}"));
        }
        ZonePhase::Beginning | ZonePhase::Idle if zone.output_serial.is_none() => {
            let state = question.judge(signed(age), (None, Some(Range::at_most(300))));
            return (state, format!("nothing published for {}", span(age)));
        }
        _ => {}
    }
    // What runs may take its time, which is no failure yet.
    let limits = match zone.phase {
        ZonePhase::Running if !is_failing(zone) => (Some(limit), None),
        _ => (None, Some(limit)),
    };
    let state = question.judge(signed(age), limits);
    match is_failing(zone) {
        true => (state.max(State::Warning), format!("last good run {} ago: {why}", span(age))),
        false => (state, format!("last good run {} ago", span(age))),
    }
}

/// `audit`.
pub(super) fn audit(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let refused: Vec<_> =
        question.zones(snapshot).filter_map(|zone| Some((zone, zone.refusal.as_ref()?))).collect();
    // By number, so that thresholds can allow some.
    let default = (None, Some(Range::at_most(0)));
    let count = signed(Seconds(refused.len() as u64));
    let state = question.judge(count, default);
    for (zone, refusal) in &refused {
        let serial = refusal.serial.map_or_else(|| "none".to_owned(), |it| it.to_string());
        let text = format!("serial {serial} refused: {}", first_line(&refusal.reason));
        found.lines.push(format!("{}: {}", zone.name, refusal.reason));
        let next = format!("see \"anchorite zone audit {0}\" and \"zone diff {0}\"", zone.name);
        found.trouble(state, &zone.name, text, next);
    }
    let mut verdicts = None;
    let mut waived = 0;
    match snapshot.auditor.as_ref().map(|heard| fresh(heard, STALE_AFTER, now)) {
        Some(Ok(Some(auditor))) => {
            verdicts = Some(signed(Seconds(auditor.verdicts)));
            if let Some(why) = &auditor.distrusted {
                let next = "see \"anchorite audit log\", then \"anchorite audit trust\"";
                found.trouble(State::Critical, "auditor", first_line(why), next);
            }
            if let Some(length) = auditor.silent_for {
                let text = format!("no verdict for {}, {} wait", span(length), auditor.waiting);
                found.trouble(State::Critical, "auditor", text, "see the log of the daemon");
            }
            for (zone, finding, until) in &auditor.waived {
                if question.means(zone) {
                    waived += 1;
                    let left = span(until.since(now.wall));
                    let text = format!("finding A{finding} is waived for {left}");
                    found.trouble(State::Warning, zone, text, "see \"anchorite audit waivers\"");
                }
            }
        }
        Some(Err(age)) => {
            let text = format!("nothing was heard of it for {}", span(age));
            found.trouble(State::Critical, "auditor", text, "see the log of the daemon");
        }
        Some(Ok(None)) | None => {}
    }
    found.summary = "the newest version of every zone was approved".to_owned();
    found.measures = vec![
        Measure::count("refused", refused.len()).within(question.limits(default)),
        Measure::count("waived", waived),
        Measure::new("audited", verdicts, Unit::Counter),
    ];
    found.measures.retain(|measure| measure.value.is_some());
    found
}

pub(super) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// `output`.
pub(super) fn output(question: &Question, snapshot: &Snapshot) -> Found {
    let mut found = Found::default();
    let (mut secondaries, mut behind, mut lag) = (0, 0, Seconds(0));
    let next = "see to the secondary: \"anchorite zone show ZONE\" says which one and why";
    for zone in question.zones(snapshot) {
        if let Some(failure) = &zone.notify_failure {
            let text = format!("the notify command failed: {}", first_line(failure));
            found.trouble(State::Warning, &zone.name, text, "mend <NotifyCommand>");
        }
        let Some(output) = &zone.output else { continue };
        secondaries += output.secondaries;
        behind += output.behind;
        lag = lag.max(output.lag_max);
        let mut say = |state, count: usize, what: &str| {
            if count > 0 {
                let all = output.secondaries;
                let text = format!("{count} of {all} secondaries {what}");
                found.trouble(state, &zone.name, text, next);
            }
        };
        say(State::Critical, output.late, &format!("late by {}", span(output.lag_max)));
        say(State::Critical, output.ahead, "show a version that was never published");
        say(State::Warning, output.unacknowledged, "do not acknowledge NOTIFY");
        say(State::Warning, output.unseen, "do not say what they have");
        let given = question.judge(signed(output.lag_max), (None, None));
        let text = format!("a secondary is behind by {}", span(output.lag_max));
        found.trouble(given, &zone.name, text, next);
    }
    found.summary = format!("{secondaries} secondaries, {behind} behind");
    found.measures = vec![
        Measure::count("behind", behind),
        Measure::new("lag_max", Some(signed(lag)), Unit::Seconds)
            .within((question.warning, question.critical)),
    ];
    found
}

/// When a zone's next run is due, unless one is under way or cannot be yet.
pub(super) fn next_run(zone: &ZoneHealth) -> Option<Timestamp> {
    zone.next_run.filter(|_| matches!(zone.phase, ZonePhase::Idle | ZonePhase::Failed))
}

/// `queue`.
pub(super) fn queue(question: &Question, snapshot: &Snapshot, now: Moment) -> Found {
    let mut found = Found::default();
    let limits = (Some(Range::at_most(LATE_LIMITS.0)), Some(Range::at_most(LATE_LIMITS.1)));
    let (mut tasks, mut latest) = (0, Seconds(0));
    for zone in question.zones(snapshot) {
        let Some(next) = next_run(zone) else { continue };
        tasks += 1;
        let late = now.wall.since(next);
        latest = latest.max(late);
        let text = format!("is due for {} and does not run", span(late));
        let state = question.judge(signed(late), limits);
        found.trouble(state, &zone.name, text, "see \"anchorite queue\" and the log");
    }
    let waiting = snapshot.jobs_waiting;
    let late = if latest.0 == 0 { "none late".to_owned() } else { span(latest) + " late at most" };
    found.summary = format!("{tasks} tasks, {late}");
    found.lines.push(format!("{waiting} jobs wait for a worker"));
    let late = Measure::new("late_max", Some(signed(latest)), Unit::Seconds);
    found.measures = vec![
        Measure::count("tasks", tasks),
        late.within(question.limits(limits)),
        Measure::new("jobs", Some(signed(Seconds(waiting))), Unit::Count),
    ];
    found
}
