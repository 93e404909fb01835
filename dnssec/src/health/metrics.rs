//! The same state for Prometheus: OpenMetrics 1.0 text, or its older form 0.0.4.
//! In: a [`Snapshot`], the moment. Out: text. Base units; moments are seconds since 1970, never
//! "seconds until"; counters are counters. Never: names of zones above [`ZONES_MAX`], where
//! numbers and the worst zone say what there is to say.

use super::machine::is_up;
use super::snapshot::{Snapshot, ZoneHealth, ZonePhase};
use super::{Check, Moment, Question, verdict};
use crate::Timestamp;
use crate::enforcer::compatibility_state;
use crate::key::KeyRole;
use std::collections::BTreeMap;
use std::fmt::{Display, Write};

/// With more zones than this there are no series of single zones.
pub const ZONES_MAX: usize = 1000;

/// The two forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenMetrics 1.0.
    OpenMetrics,
    /// Prometheus text 0.0.4.
    Prometheus,
}

impl Dialect {
    /// Its MIME type.
    pub fn content_type(self) -> &'static str {
        match self {
            Dialect::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Dialect::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Everything as metrics.
pub fn metrics(snapshot: &Snapshot, now: Moment, dialect: Dialect) -> String {
    let mut page = Page { text: String::new(), dialect };
    page.gauge("build_info", "The version that runs.");
    page.one("build_info", &[("version", snapshot.version)], 1);
    page.gauge("start_timestamp_seconds", "When the daemon was started.");
    page.one("start_timestamp_seconds", &[], now.wall.0.saturating_sub(now.uptime.0));
    if let Some(taken) = snapshot.taken {
        page.gauge("snapshot_timestamp_seconds", "When the actors were last looked at.");
        page.one("snapshot_timestamp_seconds", &[], taken.wall.0);
    }
    page.gauge("check_state", "Verdicts: 0 is well, 1 a warning, 2 critical, 3 not known.");
    for check in Check::ALL {
        let report = verdict(check, &Question::default(), snapshot, now);
        page.one("check_state", &[("check", check.word())], report.state.exit_code());
    }
    zones(&mut page, snapshot, now);
    keys(&mut page, snapshot);
    slots(&mut page, snapshot, now);
    rest(&mut page, snapshot);
    if dialect == Dialect::OpenMetrics {
        page.text.push_str("# EOF\n");
    }
    page.text
}

/// The text so far.
struct Page {
    text: String,
    dialect: Dialect,
}

impl Page {
    fn gauge(&mut self, name: &str, help: &str) {
        self.family(name, "gauge", help);
    }

    fn counter(&mut self, name: &str, help: &str) {
        let name = match self.dialect {
            Dialect::OpenMetrics => name.strip_suffix("_total").unwrap_or(name),
            Dialect::Prometheus => name,
        };
        self.family(name, "counter", help);
    }

    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a string does not fail, here and below.
        let _ = writeln!(self.text, "# HELP anchorite_{name} {help}");
        let _ = writeln!(self.text, "# TYPE anchorite_{name} {kind}");
    }

    fn one(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "anchorite_{name}");
        for (at, (label, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            let _ = write!(self.text, "{label}=\"{}\"", escaped(text));
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    /// A value of each zone that has one.
    fn of_zones<V: Display>(
        &mut self,
        (name, help): (&str, &str),
        zones: &[ZoneHealth],
        value: impl Fn(&ZoneHealth) -> Option<V>,
    ) {
        self.gauge(name, help);
        for zone in zones {
            if let Some(value) = value(zone) {
                self.one(name, &[("zone", &zone.name)], value);
            }
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn zones(page: &mut Page, snapshot: &Snapshot, now: Moment) {
    let zones = &snapshot.zones;
    page.gauge("zones", "Zones by what they are doing.");
    let phases = [
        (ZonePhase::Beginning, "beginning"),
        (ZonePhase::Running, "running"),
        (ZonePhase::Idle, "idle"),
        (ZonePhase::Failed, "failed"),
        (ZonePhase::Quarantined, "quarantined"),
    ];
    for (phase, word) in phases {
        let count = zones.iter().filter(|zone| zone.phase == phase).count();
        page.one("zones", &[("state", word)], count);
    }
    let first = zones.iter().filter_map(|zone| zone.earliest_expiration).min();
    if let Some(Timestamp(first)) = first {
        let name = "rrsig_first_expiry_timestamp_seconds";
        page.gauge(name, "When the first signature of all zones expires.");
        page.one(name, &[], first);
    }
    page.gauge("zones_refused", "Zones whose newest version the auditor or a checker refused.");
    page.one("zones_refused", &[], zones.iter().filter(|zone| zone.refusal.is_some()).count());
    let due = zones.iter().filter_map(super::zones::next_run);
    let late = due.map(|at| now.wall.since(at).0).max();
    page.gauge("task_late_seconds", "How late the latest task is.");
    page.one("task_late_seconds", &[], late.unwrap_or(0));
    if zones.len() > ZONES_MAX {
        return;
    }
    let expiry = ("rrsig_earliest_expiry_timestamp_seconds", "When the first signature expires.");
    page.of_zones(expiry, zones, |zone| zone.earliest_expiration.map(|at| at.0));
    let published = ("zone_published_timestamp_seconds", "When the published version was signed.");
    page.of_zones(published, zones, |zone| zone.signed_at.map(|at| at.0));
    let run = ("zone_run_timestamp_seconds", "When a run last ended well.");
    page.of_zones(run, zones, |zone| zone.ended_well.map(|at| at.0));
    let refused = ("zone_refused", "1 while the newest version is refused.");
    page.of_zones(refused, zones, |zone| Some(u8::from(zone.refusal.is_some())));
    let confirmed = ("zone_confirmed_timestamp_seconds", "When a master last confirmed the zone.");
    page.of_zones(confirmed, zones, |zone| Some(zone.inbound.as_ref()?.confirmed_at?.0));
    let behind = ("secondaries_behind", "Secondaries with an older version.");
    page.of_zones(behind, zones, |zone| Some(zone.output?.behind));
    let lag = ("secondaries_lag_seconds", "Longest time that a secondary is behind.");
    page.of_zones(lag, zones, |zone| Some(zone.output?.lag_max.0));
    page.counter("zone_updates_total", "DNS updates by what they were answered with.");
    for zone in zones {
        for (rcode, count) in &zone.updates {
            page.one("zone_updates_total", &[("zone", &zone.name), ("rcode", rcode)], count);
        }
    }
    page.gauge("zone_serial", "Serials: of the input, and of the published version.");
    for zone in zones {
        for (side, serial) in [("in", zone.input_serial), ("out", zone.output_serial)] {
            if let Some(serial) = serial {
                page.one("zone_serial", &[("zone", &zone.name), ("side", side)], serial);
            }
        }
    }
}

fn keys(page: &mut Page, snapshot: &Snapshot) {
    let Some(known) = snapshot.keys.as_ref().and_then(|keys| keys.value.as_ref()) else { return };
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for key in known.lives.iter().flat_map(|(_, life)| &life.keys) {
        let of = (compatibility_state(key).to_string(), key.role.to_string());
        *counts.entry(of).or_default() += 1;
    }
    page.gauge("keys", "Keys of zones by state and role.");
    for ((state, role), count) in &counts {
        page.one("keys", &[("state", state), ("role", role)], count);
    }
    if known.lives.len() > ZONES_MAX {
        return;
    }
    page.gauge("key_next_event_timestamp_seconds", "When the next roll is due.");
    for (zone, life) in &known.lives {
        for role in [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk] {
            if let Some(Timestamp(at)) = life.next_roll.get(role) {
                let labels = [("zone", zone.as_str()), ("role", &role.to_string())];
                page.one("key_next_event_timestamp_seconds", &labels, at);
            }
        }
    }
    page.gauge("ds_waiting", "Keys whose DS waits for the parent.");
    for (zone, life) in &known.lives {
        let count = life.keys.iter().filter(|key| super::keys::waits_for_parent(key)).count();
        page.one("ds_waiting", &[("zone", zone)], count);
    }
}

fn slots(page: &mut Page, snapshot: &Snapshot, now: Moment) {
    let heard = || {
        let slots = snapshot.slots.iter();
        slots.filter_map(|(name, slot)| Some((name.as_str(), slot.value.as_ref()?)))
    };
    page.gauge("hsm_up", "1 while the token is open and answers.");
    for (name, slot) in &snapshot.slots {
        page.one("hsm_up", &[("repo", name)], u8::from(is_up(slot, now)));
    }
    page.gauge("hsm_good_timestamp_seconds", "When the token last made a good signature.");
    for (name, slot) in heard() {
        if let Some(Timestamp(at)) = slot.last_good {
            page.one("hsm_good_timestamp_seconds", &[("repo", name)], at);
        }
    }
    page.gauge("hsm_answer_seconds", "How long the last request took.");
    for (name, slot) in heard() {
        if let Some(ms) = slot.answered_in_ms {
            let seconds = format!("{}.{:03}", ms / 1000, ms % 1000);
            page.one("hsm_answer_seconds", &[("repo", name)], seconds);
        }
    }
    page.counter("signatures_total", "Signatures that the token made since it was opened.");
    for (name, slot) in heard() {
        page.one("signatures_total", &[("repo", name)], slot.signatures_made);
    }
    page.counter("hsm_errors_total", "Requests that the token failed since it was opened.");
    for (name, slot) in heard() {
        page.one("hsm_errors_total", &[("repo", name)], slot.requests_failed);
    }
}

fn rest(page: &mut Page, snapshot: &Snapshot) {
    let auditor = snapshot.auditor.as_ref().and_then(|heard| heard.value.as_ref());
    if let Some(auditor) = auditor {
        page.counter("audit_verdicts_total", "Verdicts of the auditor.");
        page.one("audit_verdicts_total", &[], auditor.verdicts);
        page.gauge("audit_trusted", "0 when the auditor approved a wrong zone in a test.");
        page.one("audit_trusted", &[], u8::from(auditor.distrusted.is_none()));
    }
    if let Some((sent, turned_away)) = snapshot.transfers_out {
        page.counter("xfr_out_total", "Transfers sent to their end.");
        page.one("xfr_out_total", &[], sent);
        page.counter("xfr_refused_total", "Connections that got no place.");
        page.one("xfr_refused_total", &[], turned_away);
    }
    page.counter("actor_restarts_total", "Restarts of actors that had any.");
    for actor in &snapshot.actors {
        page.one("actor_restarts_total", &[("actor", &actor.path)], actor.restarts);
    }
}
