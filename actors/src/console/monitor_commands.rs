//! `monitor`, `metrics`: the verdicts and numbers of `dnssec::health` on the newest snapshot.
//! In: the health board. Out: plugin text with its exit code, OpenMetrics text. Nobody is asked, so
//! the answer comes at once, whatever is stuck. Wrong arguments are UNKNOWN, on standard output, as
//! plugins have it.

use super::dispatch::{Handler, Handlers};
use super::output::Output;
use super::site::Site;
use crate::health::moment;
use crate::settings::zone_text;
use console_protocol::parse::Invocation;
use dnssec::health::metrics::{Dialect, metrics};
use dnssec::health::{Check, Question, Range, Report, Scope, unknown, verdict};

pub(super) const HANDLERS: Handlers =
    &[("monitor", Handler::Now(monitor)), ("metrics", Handler::Now(metrics_text))];

fn monitor(site: &Site, invocation: &Invocation) -> Output {
    let verbosity = invocation.count("verbose").min(3);
    let report = report(site, invocation);
    Output::said(report.text(verbosity), report.state.exit_code())
}

fn report(site: &Site, invocation: &Invocation) -> Report {
    let typed = invocation.operands.first().map_or("", String::as_str);
    let Some(check) = Check::of(&typed.to_ascii_lowercase()) else {
        let words: Vec<&str> = Check::ALL.iter().map(|check| check.word()).collect();
        return unknown(Check::Health, format!("no such check; say {}", words.join(", ")));
    };
    let range = |option: &str| invocation.value(option).map(str::parse::<Range>).transpose();
    let (warning, critical) = match (range("warning"), range("critical")) {
        (Ok(warning), Ok(critical)) => (warning, critical),
        (Err(error), _) | (_, Err(error)) => return unknown(check, error.to_string()),
    };
    let only = invocation.operands.get(1).map(|typed| object(site, check, typed));
    let question = Question { only, warning, critical };
    let now = moment(&site.staff.clock);
    verdict(check, &question, &site.staff.health.newest(), now)
}

/// What is meant, by the name that the snapshot has.
fn object(site: &Site, check: Check, typed: &str) -> String {
    let zone = (check.scope() == Scope::Zone).then(|| site.zone(typed)).flatten();
    zone.map_or_else(|| typed.to_owned(), |zone| zone_text(&zone.settings.name))
}

fn metrics_text(site: &Site, invocation: &Invocation) -> Output {
    let dialect = match invocation.has("prometheus") {
        true => Dialect::Prometheus,
        false => Dialect::OpenMetrics,
    };
    let now = moment(&site.staff.clock);
    Output::done(metrics(&site.staff.health.newest(), now, dialect))
}
