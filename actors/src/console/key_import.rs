//! `key import`: a key that was made elsewhere joins a zone in the middle of its life (catalogue
//! 1.5, 4.9). In: words. Out: the key in the zone, or what is wrong, in 2.1's words and order.
//! Other than 2.1: numbers are numbers, and the algorithm and length are compared with the key.

use super::dispatch::wrong_arguments;
use super::key_change::cause;
use super::key_view::{CHANGE_DEADLINE, ask_within, parse_role, parse_zone, policy_of};
use super::output::Output;
use super::site::Site;
use crate::enforcer::{Change, ChangeError, EnforcerMessage, LifeEdit};
use crate::slot::SlotFailure;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{Backup, ImportState, SupplyKey, import_key};
use dnssec::key::{KeyId, KeyRole, dnskey_rdata, key_tag};
use dnssec::policy::Policy;
use dnssec::{Algorithm, Name, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use hsm::SlotError;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::sync::Arc;
use storage::state::{BackupState, Cause, KeyOwner, NewKey};

/// `YYYY-MM-DD-HH:MM:SS`, as `--inception_time` and `time leap` take it.
const TIME_FORM: &str = "%Y-%m-%d-%H:%M:%S";

/// `key import`.
pub(super) fn key_import(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        match import(&site, &invocation).await {
            Ok(zone) => Output::done(format!("Key imported into zone {zone}\n")),
            Err(complaint) => {
                let (command, rest) = (invocation.command, &invocation.rest);
                wrong_arguments(command, rest, String::new(), format!("{complaint}\n"))
            }
        }
    }
    .boxed_local()
}

/// A key as the words have it.
pub(super) struct Wanted {
    pub(super) zone: Name,
    pub(super) typed_zone: String,
    pub(super) policy: Arc<Policy>,
    pub(super) repository: String,
    pub(super) id: KeyId,
    pub(super) role: KeyRole,
    pub(super) algorithm: Algorithm,
    pub(super) bits: u16,
    pub(super) state: ImportState,
    pub(super) inception: Timestamp,
}

async fn import(site: &Site, invocation: &Invocation) -> Result<String, String> {
    adopt(site, wanted(site, invocation)?, cause(invocation)).await
}

/// Has the key join its zone; answers the zone as it was typed.
pub(super) async fn adopt(site: &Site, wanted: Wanted, cause: Cause) -> Result<String, String> {
    let slot = site.staff.zones.slot(&wanted.repository);
    let slot = slot.ok_or_else(|| {
        let name = &wanted.repository;
        format!(
            "Unable to check for the repository {name}, HSM error: hsm_token_attached(): Can't \
             find repository: {name}"
        )
    })?;
    let public = match slot.public_key(&wanted.id, wanted.algorithm).await {
        Ok(public) => public,
        Err(SlotFailure::Slot(SlotError::NotFound { .. })) => {
            return Err(format!("Unable to find the key with this locator: {}", wanted.id));
        }
        Err(failure) => return Err(failure.to_string()),
    };
    if public.bits() != usize::from(wanted.bits) {
        return Err(format!("The key has {} bits, not {}", public.bits(), wanted.bits));
    }
    let needs_backup = site
        .catalogue()
        .repositories
        .iter()
        .any(|one| one.name == wanted.repository && one.require_backup);
    let supply = SupplyKey {
        id: wanted.id.clone(),
        repository: wanted.repository.clone(),
        role: wanted.role,
        algorithm: wanted.algorithm,
        bits: wanted.bits,
        key_tag: key_tag(&dnskey_rdata(wanted.role.flags(), &public)),
        backup: if needs_backup { Backup::Missing } else { Backup::NotRequired },
    };
    let key = Box::new(NewKey {
        id: wanted.id.clone(),
        repository: wanted.repository.clone(),
        role: wanted.role,
        algorithm: wanted.algorithm,
        bits: wanted.bits,
        flags: wanted.role.flags(),
        owner: KeyOwner::Zone(Box::new(wanted.zone.clone())),
        inception: wanted.inception,
        backup: if needs_backup { BackupState::Required } else { BackupState::NotRequired },
    });
    let (policy, state, inception) = (wanted.policy, wanted.state, wanted.inception);
    let edit: LifeEdit =
        Box::new(move |life, _| Ok(import_key(life, &supply, state, inception, &policy)?));
    let zone = wanted.zone;
    let order = |reply| {
        let change = Change { zone, edit, cause, reply };
        EnforcerMessage::Adopt { key, change }
    };
    let answer = ask_within(site, CHANGE_DEADLINE, order).await;
    answer
        .unwrap_or_else(|error| Err(ChangeError::Failed(error)))
        .map_err(|error| error.to_string())?;
    Ok(wanted.typed_zone)
}

/// Looks at the words, in 2.1's order.
fn wanted(site: &Site, invocation: &Invocation) -> Result<Wanted, String> {
    let value = |name| invocation.value(name);
    let role = value("keytype").ok_or("specify keytype: ZSK, KSK or CSK")?;
    let role = parse_role(role).ok_or("unknown keytype, should be one of KSK, ZSK, or CSK")?;
    let state =
        value("keystate").ok_or("specify keystate: generate, publish, ready, active or retire")?;
    let state = ImportState::parse(state)
        .ok_or("unknown keystate: states are generate, publish, ready, active or retire")?;
    let zone_text = value("zone").ok_or("expected --zone ")?;
    let zone = parse_zone(zone_text);
    let policy = zone.as_ref().and_then(|zone| policy_of(site, zone));
    let (Some(zone), Some(policy)) = (zone, policy) else {
        return Err(format!("Unknown zone: {zone_text}"));
    };
    let repository = value("repository").ok_or("specify repository ")?;
    let algorithm = value("algorithm").ok_or("specify an algorithm")?;
    let algorithm: Option<Algorithm> = algorithm.parse().ok().and_then(Algorithm::from_number);
    let is_wanted = |algorithm: &Algorithm| {
        policy.keys.keys.iter().any(|key| key.role == role && key.algorithm == *algorithm)
    };
    let algorithm = algorithm
        .filter(is_wanted)
        .ok_or("The given algorithm doesn't match the algorithm in kasp")?;
    let bits = value("bits").ok_or("specify bits")?;
    let bits = bits.parse().map_err(|_| format!("--bits is to be a number, not {bits}"))?;
    let time = "specify inception time YYYY-MM-DD-HH:MM:SS";
    let inception = value("inception_time").and_then(parse_time).ok_or(time)?;
    if inception > site.staff.clock.now() {
        return Err("the inception time is in the future".to_owned());
    }
    let locator = value("cka_id").unwrap_or("(null)");
    let id = KeyId::from_hex(locator)
        .ok_or_else(|| format!("Unable to find the key with this locator: {locator}"))?;
    Ok(Wanted {
        zone,
        typed_zone: zone_text.to_owned(),
        policy,
        repository: repository.to_owned(),
        id,
        role,
        algorithm,
        bits,
        state,
        inception,
    })
}

/// `YYYY-MM-DD-HH:MM:SS` in this machine's time zone, or seconds since 1970.
pub fn parse_time(text: &str) -> Option<Timestamp> {
    if let Ok(seconds) = text.parse() {
        return Some(Timestamp(seconds));
    }
    let moment = DateTime::strptime(TIME_FORM, text).ok()?;
    let moment = moment.to_zoned(TimeZone::system()).ok()?;
    u64::try_from(moment.timestamp().as_second()).ok().map(Timestamp)
}
