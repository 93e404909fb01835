//! What commands about keys see: what is remembered of the zones' keys, and when each zone is
//! looked at next. In: the store, the enforcer's agenda. Out: [`KeyView`], a snapshot.
//! Never: waiting for the enforcer's work; only its table of times is asked for.

use super::output::Output;
use super::site::Site;
use crate::enforcer::EnforcerMessage;
use crate::runtime::{Message, Reply};
use crate::settings::zone_text;
use crate::store::StoreError;
use dnssec::enforcer::{KeyLife, NextTransition, ZoneLife, next_transition};
use dnssec::key::{KeyId, KeyRole};
use dnssec::policy::Policy;
use dnssec::{Name, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the enforcer's table of times.
const ENFORCER_DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait for a change: some make a key in a slow token first.
pub(super) const CHANGE_DEADLINE: Duration = Duration::from_secs(50);

/// A snapshot of all zones' keys.
pub(super) struct KeyView {
    pub(super) zones: Vec<ZoneView>,
    pub(super) now: Timestamp,
}

/// One zone of it.
pub(super) struct ZoneView {
    pub(super) name: Name,
    pub(super) life: ZoneLife,
    /// When the enforcer looks at it again; `None`: nothing is scheduled.
    pub(super) next: Option<Timestamp>,
}

/// One key of one zone.
#[derive(Clone, Copy)]
pub(super) struct Row<'v> {
    pub(super) zone: &'v ZoneView,
    pub(super) key: &'v KeyLife,
}

/// The moments at which the enforcer looks at zones.
pub(super) async fn agenda(site: &Site) -> Vec<(Timestamp, Name)> {
    ask(site, |reply| EnforcerMessage::Agenda { reply }).await.unwrap_or_default()
}

/// Asks the enforcer; the text of the answer that did not come is for the operator.
pub(super) async fn ask<T>(
    site: &Site,
    message: impl FnOnce(Reply<T>) -> EnforcerMessage,
) -> Result<T, String>
where
    EnforcerMessage: Message,
{
    ask_within(site, ENFORCER_DEADLINE, message).await
}

/// [`ask`], for what may take long.
pub(super) async fn ask_within<T>(
    site: &Site,
    deadline: Duration,
    message: impl FnOnce(Reply<T>) -> EnforcerMessage,
) -> Result<T, String> {
    let enforcer = site.staff.zones.enforcer();
    let (reply, answer) = Reply::channel();
    enforcer.tell(message(reply)).map_err(|undelivered| undelivered.error.to_string())?;
    answer.within(enforcer.to(), deadline).await.map_err(|error| error.to_string())
}

impl KeyView {
    /// The keys as they are now.
    pub(super) async fn look(site: &Site) -> Result<KeyView, StoreError> {
        let lives = site.staff.zones.store().lives().await?;
        let next: BTreeMap<Name, Timestamp> =
            agenda(site).await.into_iter().map(|(at, zone)| (zone, at)).collect();
        let zones = lives.into_iter().map(|(name, life)| {
            let next = next.get(&name).copied();
            ZoneView { name, life, next }
        });
        Ok(KeyView { zones: zones.collect(), now: site.staff.clock.now() })
    }

    /// A zone by the name that somebody typed.
    pub(super) fn zone(&self, typed: &str) -> Option<&ZoneView> {
        let name = parse_zone(typed)?;
        self.zones.iter().find(|zone| zone.name == name)
    }

    /// All keys of all zones, zone by zone.
    pub(super) fn by_zone(&self) -> impl Iterator<Item = Row<'_>> {
        self.zones.iter().flat_map(ZoneView::rows)
    }

    /// All keys in the order in which their zones took them, as 2.1 lists them.
    pub(super) fn by_age(&self) -> Vec<Row<'_>> {
        let mut rows: Vec<Row<'_>> = self.by_zone().collect();
        rows.sort_by_key(|row| row.key.inception);
        rows
    }

    /// What `key list` says of a key's next transition.
    pub(super) fn transition(&self, row: Row<'_>) -> String {
        transition_text(next_transition(row.key, row.zone.next, self.now))
    }
}

impl ZoneView {
    /// Its keys.
    pub(super) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.life.keys.iter().map(move |key| Row { zone: self, key })
    }

    /// Its name as users write it.
    pub(super) fn text(&self) -> String {
        zone_text(&self.name)
    }
}

/// A zone's name as somebody typed it, in any case, with or without final dot.
pub(super) fn parse_zone(typed: &str) -> Option<Name> {
    Name::parse(typed.as_bytes(), Some(&Name::root())).ok()
}

/// The policy that a running zone has.
pub(super) fn policy_of(site: &Site, zone: &Name) -> Option<Arc<Policy>> {
    site.staff.zones.get(zone).map(|running| running.settings.policy.clone())
}

/// The running zones of a policy.
pub(super) fn zones_of(site: &Site, policy: &str) -> Vec<Name> {
    let all = site.staff.zones.all();
    let of = all.iter().map(|zone| &zone.settings).filter(|zone| zone.policy.name == policy);
    of.map(|zone| zone.name.clone()).collect()
}

/// A role by its name, in any case.
pub(super) fn parse_role(typed: &str) -> Option<KeyRole> {
    let roles = [KeyRole::Ksk, KeyRole::Zsk, KeyRole::Csk];
    roles.into_iter().find(|role| role.to_string().eq_ignore_ascii_case(typed))
}

/// A key id by its hexadecimal form, if it is some zone's.
pub(super) fn known_id(view: &KeyView, typed: &str) -> Option<KeyId> {
    let id = KeyId::from_hex(typed)?;
    view.by_zone().any(|row| row.key.id == id).then_some(id)
}

/// The moment or the words of a transition.
pub(super) fn transition_text(next: NextTransition) -> String {
    match next {
        NextTransition::DsSubmit => "waiting for ds-submit".to_owned(),
        NextTransition::DsSeen => "waiting for ds-seen".to_owned(),
        NextTransition::DsRetract => "waiting for ds-retract".to_owned(),
        NextTransition::DsGone => "waiting for ds-gone".to_owned(),
        NextTransition::Nothing => "-".to_owned(),
        NextTransition::Now => "now".to_owned(),
        NextTransition::At(at) => crate::io::local_time::date_time(at),
    }
}

/// What is said when the store or the enforcer did not do its part.
pub(super) fn failed(error: impl std::fmt::Display) -> Output {
    Output::refused(format!("{error}\n"), 1)
}
