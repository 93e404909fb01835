//! A verdict for programs. In: the judged zone. Out: one JSON object; docs/src/audit.md tells its
//! members, which are only ever added to.

use super::{Judged, text};
use audit::{Finding, Verdict};
use serde_json::{Value, json};

pub(super) fn render(judged: &Judged) -> Value {
    let report = &judged.report;
    let counts = &report.counts;
    json!({
        "zone": audit::name_text(&judged.apex),
        "verdict": match report.verdict() {
            Verdict::Approve => "approve",
            Verdict::Hold => "hold",
            Verdict::Reject => "reject",
        },
        "at": text::date(judged.at),
        "stopped_early": report.stopped_early,
        "soonest_expiration": report.soonest_expiration.map(text::date),
        "counts": {
            "records": counts.records,
            "source_records": counts.source_records,
            "names": counts.names,
            "rrsets": counts.rrsets,
            "signatures_verified": counts.signatures_verified,
            "nsec": counts.nsec_records,
            "nsec3": counts.nsec3_records,
        },
        "seconds": judged.took.as_secs_f64(),
        "seconds_reading": judged.reading.as_secs_f64(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "id": finding.id.to_string(),
        "severity": finding.severity.to_string(),
        "owner": finding.owner_text(),
        "type": finding.record_type.map(|record_type| record_type.to_string()),
        "title": finding.id.title(),
        "detail": finding.detail,
        "reference": finding.id.reference(),
        "remedy": finding.id.remedy(),
    })
}
