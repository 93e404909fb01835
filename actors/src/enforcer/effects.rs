//! What an evaluation means for people: log lines, in OpenDNSSEC's words where it has them
//! (catalogue 7). In: an evaluation that is durable. Out: lines.

use super::pass::Turn;
use crate::settings::zone_text;
use dnssec::enforcer::{Action, Backup, Evaluation, KeyLife, LimitingTtl, ZoneLife};
use dnssec::key::{KeyId, ds_text};
use storage::state::BackupState;

/// What a record says of a key's backup, in the core's words.
pub(super) fn backup(state: BackupState) -> Backup {
    match state {
        BackupState::NotRequired => Backup::NotRequired,
        BackupState::Required | BackupState::Requested => Backup::Missing,
        BackupState::Done => Backup::Done,
    }
}

/// Tells what happened.
pub(super) fn log(turn: &Turn<'_>, evaluation: &Evaluation) {
    let zone = zone_text(turn.zone);
    tracing::debug!(target: "enforcer", %zone,
        "updateZone: processing {zone} with policyName {}", turn.policy.name);
    for action in &evaluation.actions {
        log_action(turn, &zone, &evaluation.life, action);
    }
    if let Some(next) = evaluation.next {
        tracing::debug!(target: "enforcer", %zone,
            "Next update for zone {zone} scheduled at {}", crate::io::local_time::ctime(next));
    }
}

fn log_action(turn: &Turn<'_>, zone: &str, life: &ZoneLife, action: &Action) {
    let key = |id: &KeyId| life.keys.iter().find(|key| key.id == *id);
    match action {
        Action::NoKeysConfigured if turn.policy.passthrough => {
            tracing::debug!(target: "enforcer", %zone,
                "No keys configured for {zone}, which is passed through as it comes in");
        }
        Action::NoKeysConfigured => tracing::info!(target: "enforcer", %zone,
            "No keys configured for {zone}, zone will become unsigned eventually"),
        Action::RollImpending { role, at } => tracing::info!(target: "enforcer", %zone,
            "{role} Rollover for zone {zone} is impending, rollover will happen at {}",
            crate::io::local_time::ctime(*at)),
        Action::ManualRollDue { role, .. } => tracing::info!(target: "enforcer", %zone,
            "Manual rollover due for {role} of zone {zone}"),
        Action::LifetimeTooShort { policy_key, lifetime, ttl, keys_ttl } => {
            log_lifetime(turn, *policy_key, lifetime.0, *ttl, keys_ttl.0);
        }
        Action::BackupMissing { id } => tracing::error!(target: "enforcer", %zone,
            "Ready for transition but key material not backed up yet ({id})"),
        Action::SubmitDs { id } => log_ds(turn, zone, key(id), "submit"),
        Action::RetractDs { id } => log_ds(turn, zone, key(id), "retract"),
        Action::Moved { id, kind, from, to } => tracing::debug!(target: "enforcer", %zone,
            "zone {zone} key {id}: {kind} {from} -> {to}"),
        Action::RollStarted { role, to, .. } => tracing::info!(target: "enforcer", %zone,
            "{role} rollover of zone {zone} has begun, the new key is {to}"),
        Action::Revoke { id } => tracing::info!(target: "enforcer", %zone,
            "key {id} of zone {zone} is revoked (RFC 5011)"),
        Action::DsSeen { id } | Action::DsGone { id } => tracing::info!(target: "enforcer", %zone,
            "the parent's servers agree about the DS of key {id} of zone {zone}"),
        Action::Purge { id } => tracing::info!(target: "enforcer", %zone,
            "deleting key: {id} of zone {zone}"),
        Action::KeyLeaves { .. }
        | Action::TakeKey { .. }
        | Action::CallStandby { .. }
        | Action::KeyWanted { .. } => {}
    }
}

fn log_lifetime(turn: &Turn<'_>, policy_key: usize, lifetime: u64, ttl: LimitingTtl, keys: u64) {
    let Some(key) = turn.policy.keys.keys.get(policy_key) else { return };
    let (what, ttl) = match ttl {
        LimitingTtl::ParentDs(ttl) => ("DS", ttl.0),
        LimitingTtl::MaxZone(ttl) => ("MaxZoneTTL", ttl.0),
    };
    tracing::error!(target: "enforcer", policy = %turn.policy.name,
        "For policy {} {} key lifetime of {lifetime} is unreasonably short with respect to {what} \
         TTL of {ttl} and DNSKEY TTL of {keys}. Will not insert key!",
        turn.policy.name, key.role);
}

/// Says what the parent needs, and the record itself.
fn log_ds(turn: &Turn<'_>, zone: &str, key: Option<&KeyLife>, what: &str) {
    let Some(key) = key else { return };
    tracing::info!(target: "enforcer", %zone,
        "please {what} DS with keytag {} for zone {zone}", key.key_tag);
    let record = turn.record(&key.id);
    if let Some(public_key) = record.and_then(super::pass::public_key) {
        let rdata = dnssec::key::dnskey_rdata(key.role.flags(), &public_key);
        let ttl = turn.policy.parent.ds_ttl.as_ttl();
        tracing::info!(target: "enforcer", %zone, "{}", ds_text(turn.zone, ttl, &rdata));
    }
}
