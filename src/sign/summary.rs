//! What `anchorite sign` did, for people: counts, verdict, the DS for the parent, what comes next.

use super::settings::Job;
use actors::settings::zone_text;
use actors::zone::ZoneStatus;
use actors::zone::pipeline::RunAction;
use dnssec::key::ds_text;
use dnssec::outlook::{RollingKey, Upcoming, outlook};
use dnssec::policy::{DenialPolicy, Policy};
use dnssec::{Serial, Timestamp};
use std::fmt::Write as _;
use std::path::Path;

/// The whole text. Writing to a `String` cannot fail, so results are dropped.
pub(super) fn text(job: &Job, status: &ZoneStatus) -> String {
    let mut out = String::new();
    let zone = &job.zone;
    let mut line = |title: &str, value: String| {
        let _ = writeln!(out, "{title:<9} {value}");
    };
    let serial = |serial: Option<Serial>| serial.unwrap_or_default().to_string();
    line("zone", zone_text(&zone.name));
    let sides = [
        ("input", zone.input_file(), status.input_serial),
        ("output", zone.output_file(), status.output_serial),
    ];
    // Both are files here.
    for (title, file, number) in sides {
        let file = file.map(Path::display).map(|shown| shown.to_string()).unwrap_or_default();
        line(title, format!("{file} (serial {})", serial(number)));
    }
    let (made, kept) = match &status.last_action {
        Some(RunAction::Published { counts, .. }) => (counts.made, counts.kept),
        _ => (0, status.signature_count),
    };
    line(
        "records",
        format!(
            "{} and {} signatures ({made} new, {kept} kept)",
            status.record_count, status.signature_count
        ),
    );
    line("denial", denial(&zone.policy));
    line("audit", audit(status));
    line("keys", keys(status));
    line("state", format!("{} (holds the keys: keep it, and keep it secret)", job.state.display()));
    for warning in &status.warnings {
        line("warning", warning.clone());
    }
    let _ = writeln!(out, "\nDS record for the parent zone:");
    out.push_str(&ds_records(job, status));
    let _ = writeln!(out, "\nWhat happens next:");
    out.push_str(&next(job, status));
    out
}

fn denial(policy: &Policy) -> String {
    match &policy.denial {
        DenialPolicy::Nsec => "NSEC".to_owned(),
        DenialPolicy::Nsec3(nsec3) => format!(
            "NSEC3{}, {} iterations, salt of {} octets",
            if nsec3.opt_out { " with opt-out" } else { "" },
            nsec3.iterations,
            nsec3.salt_length
        ),
    }
}

fn audit(status: &ZoneStatus) -> String {
    match &status.last_action {
        Some(RunAction::Published { audit, .. } | RunAction::Delivered { audit }) => format!(
            "approved: {} signatures verified, {} names, {} NSEC and {} NSEC3 records proved",
            audit.signatures_verified, audit.names, audit.nsec_records, audit.nsec3_records
        ),
        _ => "nothing changed: the audited version stands as it is".to_owned(),
    }
}

fn keys(status: &ZoneStatus) -> String {
    let keys = status
        .keys
        .iter()
        .map(|(key, _)| format!("{} {} {}", key.role, key.key_tag(), key.public_key.algorithm));
    keys.collect::<Vec<_>>().join(", ")
}

fn ds_records(job: &Job, status: &ZoneStatus) -> String {
    let keys = status.keys.iter().filter(|(key, _)| key.role.signs_keyset());
    let ttl = job.zone.policy.parent.ds_ttl.as_ttl();
    keys.map(|(key, _)| ds_text(&job.zone.name, ttl, &key.dnskey_rdata()) + "\n").collect()
}

fn next(job: &Job, status: &ZoneStatus) -> String {
    let policy = &job.zone.policy;
    let rolling: Vec<RollingKey> = status
        .keys
        .iter()
        .map(|(key, inception)| RollingKey {
            role: key.role,
            tag: key.key_tag(),
            inception: *inception,
            lifetime: policy
                .keys
                .keys
                .iter()
                .find(|wanted| wanted.role == key.role)
                .map_or_else(Default::default, |wanted| wanted.lifetime),
        })
        .collect();
    let now = status.next_run.unwrap_or_default().minus(policy.signatures.resign);
    let mut out = String::new();
    for (at, event) in outlook(policy, &rolling, status.earliest_expiration, now) {
        let event = match event {
            Upcoming::Resign => {
                "next signing run is due: run this command again, or leave it to `anchorite run`"
                    .to_owned()
            }
            Upcoming::FirstRefresh => "first signatures are renewed by the run after this".into(),
            Upcoming::FirstExpiration => "first signature expires if nobody runs it".into(),
            Upcoming::KeyRoll { role, tag } => format!("{role} {tag} reaches its lifetime"),
        };
        let _ = writeln!(out, "  {}  {event}", local_time(at));
    }
    out
}

fn local_time(at: Timestamp) -> String {
    let second = i64::try_from(at.0).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_second(second) {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%F %H:%M").to_string(),
        Err(_) => format!("{at:?}"),
    }
}
