//! A verdict for people. In: the judged zone. Out: lines: findings first, then what was looked at,
//! the verdict last. Control characters of zone data are escaped by the auditor.

use super::Judged;
use audit::{Severity, Verdict};
use std::fmt::Write;

pub(super) fn render(judged: &Judged) -> String {
    let report = &judged.report;
    let mut text = String::new();
    for finding in &report.findings {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{finding}");
    }
    let zone = audit::name_text(&judged.apex);
    let counts = &report.counts;
    let _ = writeln!(
        text,
        "Zone {zone}: {} records, {} signatures verified, {} NSEC and {} NSEC3 records, {:.2} s.",
        counts.records,
        counts.signatures_verified,
        counts.nsec_records,
        counts.nsec3_records,
        judged.took.as_secs_f64(),
    );
    if counts.source_records > 0 {
        let _ = writeln!(text, "Compared with {} unsigned records.", counts.source_records);
    }
    if let Some(expires) = report.soonest_expiration {
        let _ = writeln!(text, "The first signature expires {}.", date(expires));
    }
    let count = |severity| report.findings.iter().filter(|one| one.severity == severity).count();
    let (errors, holds) = (count(Severity::Refuse), count(Severity::Hold));
    let warnings = count(Severity::Warn);
    let verdict = match report.verdict() {
        Verdict::Approve => "good",
        Verdict::Hold => "to be looked at before it is published",
        Verdict::Reject => "bad",
    };
    let _ =
        write!(text, "Verdict: {verdict}; {errors} errors, {holds} to hold, {warnings} warnings");
    let enough = if report.stopped_early { ", and there may be more" } else { "" };
    let _ = writeln!(text, "{enough}.");
    text
}

/// A moment as in ISO 8601, UTC.
pub(super) fn date(seconds: u64) -> String {
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_second(seconds) {
        Ok(moment) => moment.to_string(),
        Err(_) => format!("{seconds} s after 1970"),
    }
}
