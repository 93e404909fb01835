//! `show status|keys|hsm|tasks|alarms|version`, `names`: snapshots of the whole box.
//! In: states that everybody may see. Out: lists. Never: a wait for work; an actor that does not
//! show his state within [`GLANCE`] is left out, and said to be silent.

use super::alarms::alarms;
use super::dispatch::{Handler, Handlers};
use super::key_view::{ask_within, failed};
use super::listing::{Cell, Listing, array, facts};
use super::output::Output;
use super::site::Site;
use crate::enforcer::EnforcerMessage;
use crate::settings::zone_text;
use crate::zone::Phase;
use console_protocol::parse::Invocation;
use dnssec::enforcer::compatibility_state;
use dnssec::health::{State, Trouble};
use dnssec::{Name, Timestamp};
use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, join_all};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub(super) const HANDLERS: Handlers = &[
    ("show status", Handler::Later(|site, words| status(site, words).boxed_local())),
    ("show keys", Handler::Later(|site, words| keys(site, words).boxed_local())),
    ("show hsm", Handler::Later(|site, words| hsm(site, words).boxed_local())),
    ("show tasks", Handler::Later(|site, words| tasks(site, words).boxed_local())),
    ("show alarms", Handler::Now(show_alarms)),
    ("show version", Handler::Now(version)),
    ("names", Handler::Later(names)),
];

/// Longest wait for an actor that shows its state out of memory.
const GLANCE: Duration = Duration::from_millis(80);
/// Most names that are given at once.
const NAMES_MAX: usize = 200;

/// The name of the box.
pub(super) fn box_name() -> String {
    let name = nix::unistd::gethostname().ok();
    let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    // The first label says which one it is.
    let first = name.split('.').next().unwrap_or_default();
    if first.is_empty() { "anchorite".to_owned() } else { first.to_owned() }
}

async fn status(site: Arc<Site>, invocation: Invocation) -> Output {
    let alarms = alarms(&site);
    if invocation.has("brief") {
        let roles = invocation.roles;
        return Output::done(format!("{} {roles} {}\n", box_name(), alarms.len()));
    }
    let (mut zones, mut signed, mut working, mut failing) = (0, 0, 0, 0);
    let (mut records, mut signatures, mut expires) = (0, 0, None);
    for zone in site.staff.zones.all() {
        let status = zone.status.borrow();
        zones += 1;
        signed += u64::from(status.output_serial.is_some());
        working += u64::from(status.phase == Phase::Running);
        failing += u64::from(matches!(status.phase, Phase::Failed | Phase::Quarantined));
        records += status.record_count as u64;
        signatures += status.signature_count as u64;
        let first: Option<Timestamp> = status.earliest_expiration;
        expires = [expires, first].into_iter().flatten().min();
    }
    let critical = alarms.iter().filter(|alarm| alarm.state == State::Critical).count();
    let columns = [
        ("Box", "box"),
        ("Version", "version"),
        ("Time", "time"),
        ("You are", "roles"),
        ("Zones", "zones"),
        ("Published", "published"),
        ("At work", "at_work"),
        ("Failing", "failing"),
        ("Records", "records"),
        ("Signatures", "signatures"),
        ("First expiration", "first_expiration"),
        ("Alarms", "alarms"),
        ("Critical", "critical"),
    ];
    let row = [
        Cell::text(box_name()),
        Cell::text(env!("CARGO_PKG_VERSION")),
        Cell::Moment(site.staff.clock.now()),
        Cell::text(invocation.roles.to_string()),
        Cell::Number(zones),
        Cell::Number(signed),
        Cell::Number(working),
        Cell::Number(failing),
        Cell::Number(records),
        Cell::Number(signatures),
        Cell::moment(expires),
        Cell::Number(alarms.len() as u64),
        Cell::Number(critical as u64),
    ];
    facts(&invocation, &columns, &row)
}

async fn keys(site: Arc<Site>, invocation: Invocation) -> Output {
    let lives = match site.staff.zones.store().lives().await {
        Ok(lives) => lives,
        Err(error) => return failed(error),
    };
    let agenda = agenda(&site).await.unwrap_or_default();
    let mut rows = Vec::new();
    for (zone, life) in lives {
        let next = agenda.iter().find(|(_, name)| *name == zone).map(|(at, _)| *at);
        rows.extend(life.keys.iter().map(|key| {
            vec![
                Cell::text(zone_text(&zone)),
                Cell::text(key.role.to_string()),
                Cell::Number(u64::from(key.key_tag.0)),
                Cell::text(compatibility_state(key).to_string()),
                Cell::Number(u64::from(key.algorithm.number())),
                Cell::text(&*key.repository),
                Cell::moment(next),
                Cell::text(key.id.to_string()),
            ]
        }));
    }
    let columns = &[
        ("Zone", "zone"),
        ("Type", "type"),
        ("Tag", "key_tag"),
        ("State", "state"),
        ("Alg", "algorithm"),
        ("Repository", "repository"),
        ("Looked at", "looked_at"),
        ("CKA_ID", "cka_id"),
    ];
    Listing { columns, rows }.output(&invocation, "There are no keys.\n")
}

async fn hsm(site: Arc<Site>, invocation: Invocation) -> Output {
    let slots = site.staff.slots.iter();
    let seen =
        join_all(slots.map(|slot| async { (slot.path().clone(), slot.observe(GLANCE).await) }));
    let rows = seen.await.into_iter().map(|(path, seen)| match seen {
        Ok(slot) => {
            let count = |of: fn(&crate::slot::Room) -> u64| {
                slot.room.as_ref().map_or(Cell::Nothing, |room| Cell::Number(of(room)))
            };
            vec![
                Cell::text(&*slot.repository),
                Cell::text(if slot.failure.is_none() { "open" } else { "closed" }),
                count(|room| room.used),
                count(|room| room.capacity),
                Cell::moment(slot.last_good),
                slot.failure.as_ref().map_or(Cell::Nothing, |failure| Cell::text(&**failure)),
            ]
        }
        Err(error) => vec![
            Cell::text(&*path),
            Cell::text("silent"),
            Cell::Nothing,
            Cell::Nothing,
            Cell::Nothing,
            Cell::text(error.to_string()),
        ],
    });
    let columns = &[
        ("Repository", "repository"),
        ("State", "state"),
        ("Keys", "keys"),
        ("Capacity", "capacity"),
        ("Last signature", "last_signature"),
        ("Fault", "fault"),
    ];
    Listing { columns, rows: rows.collect() }.output(&invocation, "There are no repositories.\n")
}

/// When the enforcer looks at which zone; `None`: it is busy.
async fn agenda(site: &Site) -> Option<Vec<(Timestamp, Name)>> {
    ask_within(site, GLANCE, |reply| EnforcerMessage::Agenda { reply }).await.ok()
}

pub(super) async fn tasks(site: Arc<Site>, invocation: Invocation) -> Output {
    let mut tasks: Vec<(Timestamp, &str, String)> = Vec::new();
    let now = site.staff.clock.now();
    for zone in site.staff.zones.all() {
        let status = zone.status.borrow();
        let (task, at) = match status.phase {
            Phase::Running => ("being signed", now),
            Phase::Loading => ("read its state back", now),
            Phase::WaitingForKeys => ("wait for keys", now),
            Phase::WaitingForTransfer => ("wait for a transfer", now),
            _ => ("sign", status.next_run.unwrap_or(now)),
        };
        tasks.push((at, task, zone.text()));
    }
    let agenda = agenda(&site).await;
    let is_busy = agenda.is_none();
    for (at, zone) in agenda.into_iter().flatten() {
        tasks.push((at, "enforce", zone_text(&zone)));
    }
    tasks.sort();
    let rows = tasks
        .into_iter()
        .map(|(at, task, zone)| vec![Cell::Moment(at), Cell::text(task), Cell::text(zone)]);
    let columns = &[("When", "at"), ("Task", "task"), ("Zone", "zone")];
    let mut output =
        Listing { columns, rows: rows.collect() }.output(&invocation, "Nothing is to be done.\n");
    if is_busy {
        output.stderr = "the enforcer is at work; what it does next is left out\n".to_owned();
    }
    output
}

fn show_alarms(site: &Site, invocation: &Invocation) -> Output {
    let rows = alarms(site).into_iter().map(|Trouble { state, what, text, next }| {
        vec![Cell::text(state.word()), Cell::text(what), Cell::text(text), Cell::text(next)]
    });
    let columns = &[("Level", "level"), ("What", "what"), ("Why", "why"), ("Next", "next")];
    Listing { columns, rows: rows.collect() }.output(invocation, "There are no alarms.\n")
}

fn version(_: &Site, invocation: &Invocation) -> Output {
    let columns = [
        ("Anchorite", "version"),
        ("As OpenDNSSEC", "opendnssec"),
        ("Control protocol", "protocol"),
        ("Architecture", "architecture"),
    ];
    let row = [
        Cell::text(env!("CARGO_PKG_VERSION")),
        Cell::text("2.1"),
        Cell::Number(u64::from(console_protocol::PROTOCOL_VERSION)),
        Cell::text(std::env::consts::ARCH),
    ];
    facts(invocation, &columns, &row)
}

/// `names KIND [PREFIX]`: for those who complete words.
fn names(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let kind = invocation.operands.first().map_or("", String::as_str);
        let prefix = invocation.operands.get(1).map_or("", String::as_str);
        match all_names(&site, kind).await {
            Err(error) => failed(error),
            Ok(None) => {
                let text = "names zones | policies | repositories | keys [PREFIX]\n";
                Output::refused(text, 2)
            }
            Ok(Some(names)) => {
                let begin = names.iter().filter(|name| name.starts_with(prefix)).take(NAMES_MAX);
                if invocation.has("json") {
                    return array(&["name"], begin.map(|name| vec![Cell::text(name)]));
                }
                Output::done(begin.flat_map(|name| [name, "\n"]).collect::<String>())
            }
        }
    }
    .boxed_local()
}

/// All names of a kind; `None`: there is no such kind.
pub(super) async fn all_names(
    site: &Site,
    kind: &str,
) -> Result<Option<BTreeSet<String>>, crate::store::StoreError> {
    let catalogue = site.catalogue();
    Ok(Some(match kind {
        "zones" => {
            let listed = catalogue.zones.iter().map(|zone| zone_text(&zone.name));
            let running = site.staff.zones.all().into_iter().map(|zone| zone.text());
            listed.chain(running).collect()
        }
        "policies" => catalogue.policies.iter().map(|policy| policy.name.clone()).collect(),
        "repositories" => catalogue.repositories.iter().map(|one| one.name.clone()).collect(),
        "keys" => {
            let lives = site.staff.zones.store().lives().await?;
            let keys = lives.iter().flat_map(|(_, life)| &life.keys);
            keys.map(|key| key.key_tag.to_string()).collect()
        }
        _ => return Ok(None),
    }))
}
