//! `zone list` of `anchorite`: one line a zone, in canonical order. OpenDNSSEC's list of the same
//! name is that of `ods-enforcer`.

use super::super::output::Output;
use super::super::site::Site;
use super::super::text::columns;
use super::{View, Way, json, phase_word};
use crate::settings::zone_text;
use crate::zone::RefreshStatus;
use console_protocol::parse::Invocation;
use dnssec::Timestamp;

pub(super) fn list(site: &Site, invocation: &Invocation) -> Output {
    let running = site.staff.zones.all();
    let views: Vec<View> = running.iter().map(|zone| View::of(site, zone)).collect();
    if invocation.has("json") {
        return Output::done(json::list(views.iter().map(json::row)) + "\n");
    }
    let catalogue = site.catalogue();
    let is_away = |name: &dnssec::Name| site.staff.zones.get(name).is_none();
    let away = catalogue.zones.iter().filter(|zone| is_away(&zone.name));
    let away: Vec<(String, String)> =
        away.map(|zone| (zone_text(&zone.name), zone.policy.clone())).collect();
    if views.is_empty() && away.is_empty() {
        return Output::done("there are no zones\n");
    }
    Output::done(lines(&views, &away))
}

/// The table. `away`: zones of the list that do not run, and their policies.
pub(super) fn lines(views: &[View], away: &[(String, String)]) -> String {
    let line = |cells: [&str; 6]| {
        let [zone, policy, state, serial, input, output] = cells;
        columns(&[(zone, 31), (policy, 13), (state, 14), (serial, 23), (input, 20), (output, 0)])
    };
    let mut text = line(["Zone:", "Policy:", "State:", "Serial in/out:", "Input:", "Output:"]);
    for view in views {
        let status = &view.status;
        let serial = |serial: Option<dnssec::Serial>| {
            serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string())
        };
        let serials = format!("{}/{}", serial(status.input_serial), serial(status.output_serial));
        let (zone, policy, state) = (&view.zone, &view.policy, phase_word(status.phase));
        text += &line([zone, policy, state, &serials, &input(view), &output(view)]);
    }
    for (zone, policy) in away {
        text += &line([zone, policy, "not running", "-/-", "-", "-"]);
    }
    text
}

fn input(view: &View) -> String {
    match (&view.status.refresh, view.input) {
        (_, Way::File) => "file".to_owned(),
        (None, Way::Dns) => "DNS".to_owned(),
        (Some(refresh), Way::Dns) => masters(refresh, view.now),
    }
}

fn masters(refresh: &RefreshStatus, now: Timestamp) -> String {
    if refresh.expires_at.is_some_and(|at| at <= now) {
        return "DNS, EXPIRED".to_owned();
    }
    match refresh.refusals.len() {
        0 => "DNS".to_owned(),
        failing => format!("DNS, {failing} of {} fail", refresh.masters.len()),
    }
}

fn output(view: &View) -> String {
    let Some(outbound) = &view.outbound else { return view.output.word().to_owned() };
    let health = outbound.health(view.now);
    let counts = [
        (health.late, "late"),
        (health.behind - health.late, "behind"),
        (health.ahead, "ahead"),
        (health.unseen, "unseen"),
        (health.unacknowledged, "not told"),
    ];
    let wrong: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, word)| format!("{count} {word}"))
        .collect();
    match wrong.is_empty() {
        true => view.output.word().to_owned(),
        false => {
            let (way, wrong) = (view.output.word(), wrong.join(", "));
            format!("{way}, of {} secondaries {wrong}", health.secondaries)
        }
    }
}
