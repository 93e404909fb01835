//! `plan`, `explain key`, `explain zone`, `key timeline`: what will happen to keys, and why they
//! are where they are. In: what the enforcer sees of zones ([`Sights`]), histories, policies. Out:
//! text made by `dnssec::enforcer::plan`. Never: changes; files of the client's, which the client
//! itself reads and writes: `--kasp` carries the text of a kasp.xml, and a picture goes to standard
//! output. Limits: [`YEARS_MAX`], and [`ZONES_MAX`] zones in one plan.

use super::catalogue::Catalogue;
use super::dispatch::{Handler, Handlers};
use super::key_past::printable;
use super::key_view::{KeyView, Row, ask, failed, policy_of};
use super::output::Output;
use super::site::Site;
use crate::enforcer::{Asked, EnforcerMessage, Sight, Sights, TRASH_PERIOD};
use crate::settings::{EnforcerSettings, zone_text};
use appliance_config::{FileFaults, read_kasp};
use console_protocol::parse::Invocation;
use dnssec::enforcer::KeyLife;
use dnssec::enforcer::plan::{
    Assumptions, DsCommands, Moment, PARENT_DELAY_DEFAULT, ZonePlan, explain_key, explain_zone,
    fill_repositories, icalendar, json, plan, strip, svg, table, timeline,
};
use dnssec::key::KeyId;
use dnssec::{Name, Seconds, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
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
    ("key explain", Handler::Later(explain_key_command)),
    ("explain zone", Handler::Later(explain_zone_command)),
    ("key timeline", Handler::Later(key_timeline)),
];

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
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
    Faults(#[from] FileFaults),
    #[error("no key {0} is known")]
    UnknownKey(String),
    #[error("several keys have the key tag {tag}; say which by its CKA_ID:\n{keys}")]
    SeveralKeys { tag: String, keys: String },
}

impl PlanError {
    pub(super) fn output(self) -> Output {
        let exit_code = match self {
            PlanError::NoZone | PlanError::Years(_) | PlanError::Duration(_) => WRONG,
            _ => 1,
        };
        Output::refused(format!("{}\n", self.to_string().trim_end()), exit_code)
    }
}

/// What a plan of a zone begins with, and assumes.
pub(super) fn assumptions<'a>(
    sight: &'a Sight,
    settings: &'a EnforcerSettings,
    wish: &Wish,
) -> Assumptions<'a> {
    Assumptions {
        scene: sight.scene(settings),
        until: wish.until,
        parent_delay: wish.parent_delay,
        commands: DsCommands {
            submits: settings.submit_command.is_some(),
            retracts: settings.retract_command.is_some(),
        },
        backed_up: &settings.backed_up,
        keys_by_hand: settings.manual_key_generation,
        salted: sight.salted,
    }
}

/// The plans of zones as the enforcer sees them.
fn plans(sights: &Sights, wish: &Wish) -> Vec<ZonePlan> {
    let one = |sight: &Sight| ZonePlan {
        zone: zone_text(&sight.zone),
        policy: sight.policy.name.clone(),
        plan: plan(&sight.life, &assumptions(sight, &sights.settings, wish)),
    };
    let mut plans: Vec<ZonePlan> = sights.zones.iter().map(one).collect();
    fill_repositories(&mut plans, &sights.free, TRASH_PERIOD);
    plans
}

/// What the enforcer sees of zones.
pub(super) async fn look(site: &Site, zones: Vec<Asked>) -> Result<Sights, String> {
    match ask(site, |reply| EnforcerMessage::Sights { zones, reply }).await {
        Ok(Ok(sights)) => Ok(sights),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error),
    }
}

/// From when to when a plan goes, and what it assumes of the parent.
pub(super) struct Wish {
    now: Timestamp,
    until: Timestamp,
    pub(super) parent_delay: Seconds,
}

impl Wish {
    /// The next year.
    pub(super) fn year(now: Timestamp) -> Wish {
        Wish { now, until: now.plus(Seconds(365 * DAY)), parent_delay: PARENT_DELAY_DEFAULT }
    }

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

/// `plan`.
fn plan_command(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let wanted = wanted(&site, &invocation);
        let (zones, wish) = match wanted {
            Ok(wanted) => wanted,
            Err(error) => return error.output(),
        };
        let render = match (invocation.has("json"), invocation.has("ics")) {
            (true, _) => json,
            (_, true) => icalendar,
            _ => table,
        };
        match look(&site, zones).await {
            Ok(sights) => on_pool(&site, move || Ok(render(&plans(&sights, &wish)))).await,
            Err(error) => failed(error),
        }
    }
    .boxed_local()
}

async fn on_pool(
    site: &Site,
    work: impl FnOnce() -> Result<String, PlanError> + Send + 'static,
) -> Output {
    match site.staff.desk.run(work) {
        Err(error) => failed(error),
        Ok(answer) => match answer.await {
            Err(error) => failed(error),
            Ok(Err(error)) => error.output(),
            Ok(Ok(text)) => Output::done(text),
        },
    }
}

/// The zones that are meant, with the policy that each has or is to have.
fn wanted(site: &Site, invocation: &Invocation) -> Result<(Vec<Asked>, Wish), PlanError> {
    let wish = Wish::of(invocation, site.staff.clock.now())?;
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
        subjects.push((name, policy));
    }
    Ok((subjects, wish))
}

fn meant(invocation: &Invocation, catalogue: &Catalogue) -> Result<Vec<Name>, PlanError> {
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
    explain(site, invocation, |invocation, view| {
        let typed = invocation.operands.first().ok_or(PlanError::NoZone)?;
        let zone = view.zone(typed).ok_or_else(|| PlanError::UnknownZone(printable(typed)))?;
        Ok((zone.name.clone(), None))
    })
}

/// `explain key`.
fn explain_key_command(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    explain(site, invocation, |invocation, view| {
        let typed = invocation.operands.first().map_or("", String::as_str);
        let row = find_key(view, typed, invocation.value("zone"))?;
        Ok((row.zone.name.clone(), Some(row.key.id.clone())))
    })
}

/// The zone that is to be explained, or one of its keys.
type Explained = fn(&Invocation, &KeyView) -> Result<(Name, Option<KeyId>), PlanError>;

/// Explains by the scene in which the enforcer decides.
fn explain(
    site: Arc<Site>,
    invocation: Invocation,
    explained: Explained,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        let (zone, key) = match explained(&invocation, &view) {
            Ok(explained) => explained,
            Err(error) => return error.output(),
        };
        let Some(policy) = policy_of(&site, &zone) else { return PlanError::NoPolicies.output() };
        let sights = match look(&site, vec![(zone, policy)]).await {
            Ok(sights) => sights,
            Err(error) => return failed(error),
        };
        on_pool(&site, move || explanation(&sights, key)).await
    }
    .boxed_local()
}

fn explanation(sights: &Sights, key: Option<KeyId>) -> Result<String, PlanError> {
    let sight = sights.zones.first().ok_or(PlanError::NoPolicies)?;
    let wish = Wish::year(sight.now);
    let assumptions = assumptions(sight, &sights.settings, &wish);
    let zone = zone_text(&sight.zone);
    match key {
        None => Ok(explain_zone(&zone, &sight.life, &assumptions)),
        Some(id) => explain_key(&zone, &sight.life, &assumptions, &id)
            .ok_or_else(|| PlanError::UnknownKey(id.to_string())),
    }
}

/// A key by its tag or its CKA_ID; a tag may be that of several.
pub(super) fn find_key<'v>(
    view: &'v KeyView,
    typed: &str,
    zone: Option<&str>,
) -> Result<Row<'v>, PlanError> {
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
        let sights = match look(&site, vec![(zone.name.clone(), policy)]).await {
            Ok(sights) => sights,
            Err(error) => return failed(error),
        };
        let work = move || {
            let sight = sights.zones.first().ok_or(PlanError::NoPolicies)?;
            let (name, policy) = (zone_text(&sight.zone), sight.policy.name.as_str());
            let next = plan(&sight.life, &assumptions(sight, &sights.settings, &wish));
            let first = past.first().map_or(wish.now, |(at, _)| *at);
            let from = first.max(wish.now.minus(PAST));
            let picture = timeline((&name, policy), &sight.life, &past, &next, from);
            Ok(if is_picture { svg(&picture) } else { strip(&picture) })
        };
        on_pool(&site, work).await
    }
    .boxed_local()
}
