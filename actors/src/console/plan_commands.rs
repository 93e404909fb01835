//! `plan`, `explain key`, `explain zone`, `key timeline`: what will happen to keys, and why they
//! are where they are. In: the store's lives and histories, policies, conf.xml. Out: text made by
//! `dnssec::enforcer::plan`. Never: changes; files of the client's, which the client itself reads
//! and writes: `--kasp` carries the text of a kasp.xml, and a picture goes to standard output.
//! Limits: [`YEARS_MAX`], and [`ZONES_MAX`] zones in one plan.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers};
use super::key_past::printable;
use super::key_view::{KeyView, Row, ZoneView, failed, policy_of};
use super::output::Output;
use super::site::Site;
use crate::io::config_files::{self, ConfigFileError};
use crate::settings::zone_text;
use appliance_config::{FILE_BYTES_MAX, FileFaults, read_conf, read_kasp};
use console_protocol::parse::Invocation;
use dnssec::enforcer::plan::{
    Assumptions, Moment, PARENT_DELAY_DEFAULT, ZonePlan, explain_key, explain_zone, icalendar,
    json, plan, strip, svg, table, timeline,
};
use dnssec::enforcer::{KeyLife, Scene, ZoneLife};
use dnssec::key::KeyId;
use dnssec::policy::Policy;
use dnssec::{Seconds, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// Most years of a plan.
const YEARS_MAX: u64 = 50;
/// Zones in one plan.
const ZONES_MAX: usize = 500;
/// The exit code of our own commands for wrong words.
const WRONG: u8 = 2;
/// How much of the past a picture shows, where there is so much.
const PAST: Seconds = Seconds(180 * 86_400);
const DAY: u64 = 86_400;

/// The handlers, by path.
pub(super) const HANDLERS: Handlers = &[
    ("plan", Handler::Later(plan_command)),
    ("explain key", Handler::Later(explain_key_command)),
    ("explain zone", Handler::Later(explain_zone_command)),
    ("key timeline", Handler::Later(key_timeline)),
];

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
enum PlanError {
    #[error("name a zone, or --all zones")]
    NoZone,
    #[error("zone {0} is not known")]
    UnknownZone(String),
    #[error("the zones' policies are not known")]
    NoPolicies,
    #[error("zone {zone} is to have policy {policy}, which is not in kasp.xml")]
    NoPolicy { zone: String, policy: String },
    #[error("{0} is no number of years from 1 to {YEARS_MAX}")]
    Years(String),
    #[error("{0} is no duration such as P1D or PT12H")]
    Duration(String),
    #[error("a plan has {ZONES_MAX} zones at most, and these are {0}: name one with --zone")]
    TooManyZones(usize),
    #[error("the daemon reads and writes no files of yours: anchorite does that for {0}")]
    File(&'static str),
    #[error(transparent)]
    Conf(#[from] ConfigFileError),
    #[error(transparent)]
    Faults(#[from] FileFaults),
    #[error("no key {0} is known")]
    UnknownKey(String),
    #[error("several keys have the key tag {tag}; say which by its CKA_ID:\n{keys}")]
    SeveralKeys { tag: String, keys: String },
}

impl PlanError {
    fn output(self) -> Output {
        let exit_code = match self {
            PlanError::NoZone | PlanError::Years(_) | PlanError::Duration(_) => WRONG,
            _ => 1,
        };
        Output::refused(format!("{}\n", self.to_string().trim_end()), exit_code)
    }
}

/// What conf.xml says that plans depend on.
struct Habits {
    rollover_notification: Seconds,
    submits: bool,
    retracts: bool,
    backed_up: BTreeSet<String>,
}

impl Habits {
    /// Blocks.
    fn read(conf_file: &Path) -> Result<Habits, PlanError> {
        let bytes = config_files::read(conf_file, FILE_BYTES_MAX)?;
        let conf = read_conf(&conf_file.to_string_lossy(), &bytes)?.value;
        let backed_up = conf.repositories.into_iter().filter(|one| one.require_backup);
        Ok(Habits {
            rollover_notification: conf.enforcer.rollover_notification.unwrap_or(Seconds(0)),
            submits: conf.enforcer.delegation_signer_submit_command.is_some(),
            retracts: conf.enforcer.delegation_signer_retract_command.is_some(),
            backed_up: backed_up.map(|one| one.name).collect(),
        })
    }

    fn assumptions<'a>(&'a self, policy: &'a Policy, wish: &Wish) -> Assumptions<'a> {
        Assumptions {
            policy,
            now: wish.now,
            until: wish.until,
            parent_delay: wish.parent_delay,
            rollover_notification: self.rollover_notification,
            submits: self.submits,
            retracts: self.retracts,
            backed_up: &self.backed_up,
        }
    }
}

/// From when to when a plan goes, and what it assumes of the parent.
struct Wish {
    now: Timestamp,
    until: Timestamp,
    parent_delay: Seconds,
}

impl Wish {
    fn of(invocation: &Invocation, now: Timestamp) -> Result<Wish, PlanError> {
        let years = match invocation.value("years") {
            None => 1,
            Some(typed) => typed
                .parse()
                .ok()
                .filter(|years| (1..=YEARS_MAX).contains(years))
                .ok_or_else(|| PlanError::Years(printable(typed)))?,
        };
        let parent_delay = match invocation.value("parent-delay") {
            None => PARENT_DELAY_DEFAULT,
            Some(typed) => appliance_config::parse_duration(typed)
                .map_err(|_| PlanError::Duration(printable(typed)))?,
        };
        let until = now.plus(Seconds(years * 365 * DAY));
        Ok(Wish { now, until, parent_delay })
    }
}

/// A zone with what its plan is made from.
struct Subject {
    zone: String,
    life: ZoneLife,
    policy: Arc<Policy>,
}

/// `plan`.
fn plan_command(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        let wanted = wanted(&site, &invocation, view);
        let (subjects, wish) = match wanted {
            Ok(wanted) => wanted,
            Err(error) => return error.output(),
        };
        let render = match (invocation.has("json"), invocation.has("ics")) {
            (true, _) => json,
            (_, true) => icalendar,
            _ => table,
        };
        let conf_file = site.conf_file().to_owned();
        let work = move || {
            let habits = Habits::read(&conf_file)?;
            let plans: Vec<ZonePlan> = subjects
                .into_iter()
                .map(|subject| ZonePlan {
                    plan: plan(&subject.life, &habits.assumptions(&subject.policy, &wish)),
                    zone: subject.zone,
                    policy: subject.policy.name.clone(),
                })
                .collect();
            Ok(render(&plans))
        };
        on_pool(&site, work).await
    }
    .boxed_local()
}

async fn on_pool(
    site: &Site,
    work: impl FnOnce() -> Result<String, PlanError> + Send + 'static,
) -> Output {
    match site.staff.pool.run(work) {
        Err(error) => failed(error),
        Ok(answer) => match answer.await {
            Err(error) => failed(error),
            Ok(Err(error)) => error.output(),
            Ok(Ok(text)) => Output::done(text),
        },
    }
}

/// The zones that are meant, with the policy that each has or is to have.
fn wanted(
    site: &Site,
    invocation: &Invocation,
    view: KeyView,
) -> Result<(Vec<Subject>, Wish), PlanError> {
    let wish = Wish::of(invocation, view.now)?;
    let proposed = match invocation.value("kasp") {
        None => None,
        Some(text) if text.trim_start().starts_with('<') => {
            Some(read_kasp("kasp.xml", text.as_bytes())?.value)
        }
        Some(_) => return Err(PlanError::File("--kasp")),
    };
    let catalogue = site.catalogue();
    let zones = meant(invocation, &catalogue)?;
    let mut subjects = Vec::new();
    for name in zones {
        let zone = zone_text(&name);
        let today = catalogue.zone(&name).map(|entry| entry.policy.clone());
        let policy = invocation.value("policy").map(str::to_owned).or(today);
        let policy = policy.ok_or(PlanError::NoPolicies)?;
        let found = match &proposed {
            Some(policies) => policies.iter().find(|one| one.name == policy).cloned().map(Arc::new),
            None => catalogue.policy(&policy).cloned(),
        };
        let lost = || PlanError::NoPolicy { zone: zone.clone(), policy: printable(&policy) };
        let policy = found.ok_or_else(lost)?;
        let life = view.zones.iter().find(|zone| zone.name == name);
        let life = life.map(|zone| zone.life.clone()).unwrap_or_default();
        subjects.push(Subject { zone, life, policy });
    }
    Ok((subjects, wish))
}

fn meant(invocation: &Invocation, catalogue: &Catalogue) -> Result<Vec<dnssec::Name>, PlanError> {
    if invocation.has("all") {
        return match catalogue.zones.len() {
            count if count > ZONES_MAX => Err(PlanError::TooManyZones(count)),
            _ => Ok(catalogue.zones.iter().map(|entry| entry.name.clone()).collect()),
        };
    }
    let typed = invocation.value("zone").ok_or(PlanError::NoZone)?;
    let unknown = || PlanError::UnknownZone(printable(typed));
    let name = super::key_view::parse_zone(typed).ok_or_else(unknown)?;
    let entry = catalogue.zone(&name).ok_or_else(unknown)?;
    Ok(vec![entry.name.clone()])
}

/// `explain zone`.
fn explain_zone_command(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    explain(site, invocation, |site, invocation, view| {
        let typed = invocation.operands.first().ok_or(PlanError::NoZone)?;
        let zone = view.zone(typed).ok_or_else(|| PlanError::UnknownZone(printable(typed)))?;
        told(site, zone, view.now, |zone, life, scene| Some(explain_zone(zone, life, scene)))
    })
}

/// `explain key`.
fn explain_key_command(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    explain(site, invocation, |site, invocation, view| {
        let typed = invocation.operands.first().map_or("", String::as_str);
        let row = find_key(view, typed, invocation.value("zone"))?;
        told(site, row.zone, view.now, |zone, life, scene| {
            explain_key(zone, life, scene, &row.key.id)
        })
    })
}

type Explain = fn(&Site, &Invocation, &KeyView) -> Result<String, PlanError>;

fn explain(
    site: Arc<Site>,
    invocation: Invocation,
    explain: Explain,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        explain(&site, &invocation, &view).map_or_else(PlanError::output, Output::done)
    }
    .boxed_local()
}

/// Explains by the scene in which the enforcer decides.
fn told(
    site: &Site,
    zone: &ZoneView,
    now: Timestamp,
    explain: impl FnOnce(&str, &ZoneLife, &Scene<'_>) -> Option<String>,
) -> Result<String, PlanError> {
    let policy = policy_of(site, &zone.name).ok_or(PlanError::NoPolicies)?;
    let scene = Scene { waits_for_publication: true, ..Scene::new(&policy, now, &[]) };
    let text = explain(&zone.text(), &zone.life, &scene);
    text.ok_or_else(|| PlanError::UnknownKey(zone.text()))
}

/// A key by its tag or its CKA_ID; a tag may be that of several.
fn find_key<'v>(view: &'v KeyView, typed: &str, zone: Option<&str>) -> Result<Row<'v>, PlanError> {
    let tag: Option<u16> = typed.parse().ok();
    let id = KeyId::from_hex(typed);
    let zone = zone.and_then(|typed| view.zone(typed)).map(|zone| &zone.name);
    let is_meant = |key: &KeyLife| Some(&key.id) == id.as_ref() || Some(key.key_tag.0) == tag;
    let rows = view.by_zone().filter(|row| zone.is_none_or(|zone| *zone == row.zone.name));
    let mut rows: Vec<Row<'v>> = rows.filter(|row| is_meant(row.key)).collect();
    // A number may be both; then the tag is meant.
    if rows.iter().any(|row| Some(row.key.key_tag.0) == tag) {
        rows.retain(|row| Some(row.key.key_tag.0) == tag);
    }
    match rows.as_slice() {
        [] => Err(PlanError::UnknownKey(printable(typed))),
        [row] => Ok(*row),
        several => {
            let line = |row: &Row<'_>| {
                format!("  {} of zone {}: {}\n", row.key.role, row.zone.text(), row.key.id)
            };
            let keys = several.iter().map(line).collect();
            Err(PlanError::SeveralKeys { tag: printable(typed), keys })
        }
    }
}

/// `key timeline`.
fn key_timeline(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let is_picture = match invocation.value("svg") {
            None => false,
            Some("-") => true,
            Some(_) => return PlanError::File("key timeline --svg").output(),
        };
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        let typed = invocation.operands.first().map_or("", String::as_str);
        let Some(zone) = view.zone(typed) else {
            return PlanError::UnknownZone(printable(typed)).output();
        };
        let wish = match Wish::of(&invocation, view.now) {
            Ok(wish) => wish,
            Err(error) => return error.output(),
        };
        let Some(policy) = policy_of(&site, &zone.name) else {
            return PlanError::NoPolicies.output();
        };
        let entries = match site.staff.zones.store().history(&zone.name).await {
            Ok(entries) => entries,
            Err(error) => return failed(error),
        };
        let past: Vec<Moment> = entries.into_iter().map(|entry| (entry.at, entry.events)).collect();
        let (name, life) = (zone.text(), zone.life.clone());
        let conf_file = site.conf_file().to_owned();
        let work = move || {
            let habits = Habits::read(&conf_file)?;
            let next = plan(&life, &habits.assumptions(&policy, &wish));
            let first = past.first().map_or(wish.now, |(at, _)| *at);
            let from = first.max(wish.now.minus(PAST));
            let picture = timeline((&name, &policy.name), &life, &past, &next, from);
            Ok(if is_picture { svg(&picture) } else { strip(&picture) })
        };
        on_pool(&site, work).await
    }
    .boxed_local()
}
