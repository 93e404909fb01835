//! `key list` of `ods-ksmutil` (catalogue 1.10.1), in the columns of OpenDNSSEC 1.4.
//! In: a snapshot of the keys, what the core says they wait for, tokens. Out: a list.
//! Other than there: a key that leaves its parent waits for `ds-gone`; CSKs are listed, too.

use super::key_view::{KeyView, Row, failed, policy_of};
use super::ksm_commands::{optional_role, optional_state, optional_zone, state_of, word_of};
use super::output::Output;
use super::site::Site;
use crate::io::local_time::date_time;
use crate::slot::SlotFailure;
use console_protocol::parse::Invocation;
use dnssec::Timestamp;
use dnssec::enforcer::{CompatibilityState, DsAtParent, Obstacle, Scene, evaluate};
use dnssec::key::{KeyId, KeyRole};
use hsm::SlotError;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use storage::state::{KeyOwner, KeyRecord, KeyState};

const NOT_SCHEDULED: &str = "(not scheduled)";
const PLAIN: &str = "Zone:                           Keytype:      State:    \
                     Date of next transition:\n";
const VERBOSE: &str = "Zone:                           Keytype:      State:    \
                       Date of next transition (to):  Size:   Algorithm:  \
                       CKA_ID:                           Repository:                       \
                       Keytag:\n";

/// `key list`.
pub(super) async fn list(site: Arc<Site>, invocation: Invocation) -> Output {
    match listed(&site, &invocation).await {
        Ok(text) => Output::done(text),
        Err(output) => output,
    }
}

async fn listed(site: &Site, invocation: &Invocation) -> Result<String, Output> {
    let view = KeyView::look(site).await.map_err(failed)?;
    let records = site.staff.zones.store().keys().await.map_err(failed)?;
    let zone = optional_zone(&view, invocation)?;
    let (state, role) = (optional_state(invocation)?, optional_role(invocation)?);
    let shows_all = invocation.has("all");
    let is_verbose = invocation.has("verbose");
    let mut text = format!("Keys:\n{}", if is_verbose { VERBOSE } else { PLAIN });
    let mut tokens = Tokens { site, silent: BTreeSet::new() };
    let shows_pool =
        matches!(state, Some(CompatibilityState::Generate)) || (state.is_none() && shows_all);
    if shows_pool && zone.is_none() && role.is_none() {
        for record in unallocated(&view, &records) {
            let line = Line {
                zone: "NOT ALLOCATED".to_owned(),
                role: String::new(),
                state: "generate".to_owned(),
                next: NOT_SCHEDULED.to_owned(),
                to: "(publish)",
            };
            text += &line.begin(is_verbose);
            if is_verbose {
                text += &tokens.end(record, None).await;
            }
            text.push('\n');
        }
    }
    for zone in view.zones.iter().filter(|one| zone.is_none_or(|zone| zone.name == one.name)) {
        let mut obstacles = None;
        for row in zone.rows() {
            let own = state_of(row.key);
            let is_hidden = matches!(own, CompatibilityState::Generate | CompatibilityState::Dead);
            if !state.map_or(shows_all || !is_hidden, |state| state == own)
                || role.is_some_and(|role| role != row.key.role)
            {
                continue;
            }
            let obstacles = obstacles.get_or_insert_with(|| waits(site, &view, row));
            text += &line(row, own, obstacles, rfc5011(site, row)).begin(is_verbose);
            if is_verbose {
                let is_it = |record: &&KeyRecord| {
                    record.id == row.key.id && record.repository == row.key.repository
                };
                text += &match records.iter().find(is_it) {
                    Some(record) => tokens.end(record, Some(row)).await,
                    None => missing(&row.key.id, &row.key.repository, row.key.bits, {
                        row.key.algorithm.number()
                    }),
                };
            }
            text.push('\n');
        }
    }
    text.push('\n');
    Ok(text)
}

/// One line's first part.
struct Line {
    zone: String,
    role: String,
    state: String,
    next: String,
    to: &'static str,
}

impl Line {
    fn begin(&self, is_verbose: bool) -> String {
        let Line { zone, role, state, next, to } = self;
        let text = format!("{zone:<31} {role:<13} {state:<9} {next:<20}");
        if is_verbose { format!("{text}{to:<11}") } else { text }
    }
}

fn line(row: Row<'_>, state: CompatibilityState, obstacles: &[Obstacle], rfc5011: bool) -> Line {
    use CompatibilityState::*;
    let key = row.key;
    let has_ds = key.role.signs_keyset();
    let is_awaited = matches!(key.ds_at_parent, DsAtParent::Submit | DsAtParent::Submitted);
    let is_leaving = matches!(key.ds_at_parent, DsAtParent::Retract | DsAtParent::Retracted);
    let next = match state {
        _ if has_ds && is_awaited => "waiting for ds-seen".to_owned(),
        _ if has_ds && is_leaving => "waiting for ds-gone".to_owned(),
        Ready if key.role == KeyRole::Zsk => "next rollover".to_owned(),
        DsSub => "waiting for ds-seen".to_owned(),
        DsReady => "When required".to_owned(),
        Dead => "to be deleted".to_owned(),
        Active if key.introducing => {
            let next = row.zone.life.next_roll.get(key.role);
            next.map_or(NOT_SCHEDULED.to_owned(), date_time)
        }
        _ => next_move(&key.id, obstacles).map_or(NOT_SCHEDULED.to_owned(), date_time),
    };
    let to = match state {
        Generate => "(publish)",
        Publish if rfc5011 => "(active)",
        Publish => "(ready)",
        Ready | KeyPublish => "(active)",
        Active => "(retire)",
        Retire => "(dead)",
        Dead => "(deleted)",
        DsSub => "(dspub)",
        DsPublish => "(dsready)",
        DsReady => "(keypub)",
        // [`state_of`] never says these.
        Mixed | Revoked => "",
    };
    Line { zone: row.zone.text(), role: key.role.to_string(), state: word_of(key), next, to }
}

fn rfc5011(site: &Site, row: Row<'_>) -> bool {
    let policy = policy_of(site, &row.zone.name);
    let rolls_so = |policy: &dnssec::policy::Policy| {
        policy.keys.keys.iter().any(|key| key.role == row.key.role && key.rfc5011)
    };
    row.key.role.signs_keyset() && policy.is_some_and(|policy| rolls_so(&policy))
}

/// What keeps the keys of a row's zone where they are.
fn waits(site: &Site, view: &KeyView, row: Row<'_>) -> Vec<Obstacle> {
    let Some(policy) = policy_of(site, &row.zone.name) else { return Vec::new() };
    let scene = Scene { waits_for_publication: true, ..Scene::new(&policy, view.now, &[]) };
    evaluate(&row.zone.life, &scene).obstacles
}

/// When one of a key's records goes on, as far as time is all that it waits for.
fn next_move(id: &KeyId, obstacles: &[Obstacle]) -> Option<Timestamp> {
    let moment = |obstacle: &Obstacle| {
        let open = obstacle.conditions.iter().filter(|condition| !condition.is_met);
        open.map(|condition| condition.at)
            .try_fold(Timestamp(0), |latest, at| Some(latest.max(at?)))
    };
    let own = obstacles.iter().filter(|obstacle| obstacle.id == *id);
    own.filter_map(moment).min()
}

/// Keys that were made ahead and that no zone has.
pub(super) fn unallocated<'r>(view: &KeyView, records: &'r [KeyRecord]) -> Vec<&'r KeyRecord> {
    let used: BTreeSet<(&str, &KeyId)> =
        view.by_zone().map(|row| (row.key.repository.as_str(), &row.key.id)).collect();
    let is_spare = |record: &&KeyRecord| {
        matches!(record.owner, KeyOwner::Policy(_))
            && record.state == KeyState::Present
            && !used.contains(&(record.repository.as_str(), &record.id))
    };
    records.iter().filter(is_spare).collect()
}

/// The tokens, as far as they answer.
struct Tokens<'s> {
    site: &'s Site,
    /// Repositories that did not answer: they are not asked again for this list.
    silent: BTreeSet<String>,
}

impl Tokens<'_> {
    /// The second part of a verbose line.
    async fn end(&mut self, record: &KeyRecord, row: Option<Row<'_>>) -> String {
        let algorithm = record.algorithm.number();
        if !self.may_have(record).await {
            return missing(&record.id, &record.repository, record.bits, algorithm);
        }
        let start = start(record.bits, algorithm);
        match row {
            None => format!("{start}{:<33} {}", record.id.to_string(), record.repository),
            Some(row) => format!(
                "{start}{:<33} {:<33} {}",
                record.id.to_string(),
                record.repository,
                row.key.key_tag
            ),
        }
    }

    /// Whether the key's token has it, or does not answer.
    async fn may_have(&mut self, record: &KeyRecord) -> bool {
        if self.silent.contains(&record.repository) {
            return true;
        }
        let Some(slot) = self.site.staff.zones.slot(&record.repository) else { return false };
        match slot.public_key(&record.id, record.algorithm).await {
            Ok(_) => true,
            Err(SlotFailure::Slot(SlotError::NotFound { .. })) => false,
            Err(_) => {
                self.silent.insert(record.repository.clone());
                true
            }
        }
    }
}

fn start(bits: u16, algorithm: u8) -> String {
    format!("{bits:<7} {algorithm:<12}")
}

fn missing(id: &KeyId, repository: &str, bits: u16, algorithm: u8) -> String {
    format!("{}{:<33} {repository} NOT IN repository", start(bits, algorithm), id.to_string())
}

/// The public halves that are on record.
pub(super) fn public_halves(records: &[KeyRecord]) -> BTreeMap<(&str, &KeyId), &Vec<u8>> {
    let public = |key: &'_ KeyRecord| key.public_key.is_some();
    let known = records.iter().filter(|key| public(key));
    known
        .filter_map(|key| Some(((key.repository.as_str(), &key.id), key.public_key.as_ref()?)))
        .collect()
}
