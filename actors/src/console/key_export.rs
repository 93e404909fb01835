//! `key export`: DNSKEY or DS records of keys, as a parent wants them (catalogue 1.5, 4.9).
//! In: a snapshot of the keys, their public halves. Out: lines of a zone file.

use super::dispatch::wrong_arguments;
use super::key_view::{KeyView, Row, failed, known_id, parse_role, policy_of};
use super::output::Output;
use super::site::Site;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{CompatibilityState, DsAtParent, compatibility_state};
use dnssec::key::{DigestType, KeyId, KeyRole, PublicKey, REVOKE, dnskey_rdata, ds_rdata};
use dnssec::zonefile::print_record;
use dnssec::{Name, RrType, Ttl};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::collections::BTreeMap;
use std::sync::Arc;

/// TTLs of the records of a zone whose policy is not known any more.
const TTL_UNKNOWN: Ttl = Ttl(3600);

/// `key export`.
pub(super) fn key_export(
    site: Arc<Site>,
    invocation: Invocation,
) -> LocalBoxFuture<'static, Output> {
    async move {
        let (view, records) =
            match (KeyView::look(&site).await, site.staff.zones.store().keys().await) {
                (Ok(view), Ok(records)) => (view, records),
                (Err(error), _) | (_, Err(error)) => return failed(error),
            };
        let selection = match Selection::of(&view, &invocation) {
            Ok(selection) => selection,
            Err(complaint) => {
                let (command, rest) = (invocation.command, &invocation.rest);
                return wrong_arguments(command, rest, String::new(), complaint);
            }
        };
        let public: BTreeMap<(&str, &KeyId), &Vec<u8>> = records
            .iter()
            .filter_map(|key| Some(((key.repository.as_str(), &key.id), key.public_key.as_ref()?)))
            .collect();
        let mut text = Vec::new();
        for row in view.by_age().into_iter().filter(|row| selection.takes(*row)) {
            let key = row.key;
            let Some(bytes) = public.get(&(key.repository.as_str(), &key.id)) else { continue };
            let public = PublicKey { algorithm: key.algorithm, bytes: (*bytes).clone() };
            let ttls = policy_of(&site, &row.zone.name)
                .map(|policy| (policy.keys.ttl.as_ttl(), policy.parent.ds_ttl.as_ttl()));
            let (ttl, ds_ttl) = ttls.unwrap_or((TTL_UNKNOWN, TTL_UNKNOWN));
            match invocation.has("ds") {
                true => print_ds(row, &public, ds_ttl, invocation.has("sha1"), &mut text),
                false => print_dnskey(row, &public, ttl, &mut text),
            }
        }
        Output::done(String::from_utf8_lossy(&text).into_owned())
    }
    .boxed_local()
}

/// The keys that were asked for.
struct Selection {
    zone: Option<Name>,
    /// State and role; `None`: KSKs about which an operator has to say something.
    kind: Option<(String, KeyRole)>,
    id: Option<KeyId>,
}

impl Selection {
    fn of(view: &KeyView, invocation: &Invocation) -> Result<Selection, String> {
        let zone = match (invocation.value("zone"), invocation.has("all")) {
            (Some(typed), false) => {
                let zone = view.zone(typed).ok_or_else(|| format!("Unknown zone: {typed}\n"))?;
                Some(zone.name.clone())
            }
            (None, true) => None,
            _ => return Err("expected either --zone or --all \n".to_owned()),
        };
        let kind = match (invocation.value("keystate"), invocation.value("keytype")) {
            (Some(state), Some(role)) => {
                let state = state.to_ascii_lowercase();
                if !EXPORTED.iter().any(|known| known.to_string() == state) {
                    return Err("unknown keystate\n".to_owned());
                }
                let role = parse_role(role).ok_or(ROLES)?;
                Some((state, role))
            }
            (None, None) => None,
            _ => {
                let text = "expected both --keystate and --keytype together or none of them\n";
                return Err(text.to_owned());
            }
        };
        let id = match invocation.value("cka_id") {
            Some(typed) => Some(
                known_id(view, typed)
                    .ok_or_else(|| format!("CKA_ID {typed} can not be found!\n"))?,
            ),
            None => None,
        };
        Ok(Selection { zone, kind, id })
    }

    fn takes(&self, row: Row<'_>) -> bool {
        let key = row.key;
        if self.zone.as_ref().is_some_and(|zone| *zone != row.zone.name) {
            return false;
        }
        match (&self.id, &self.kind) {
            (Some(id), None) => key.id == *id,
            (id, Some((state, role))) => {
                id.as_ref().is_none_or(|id| key.id == *id)
                    && key.role == *role
                    && compatibility_state(key).to_string() == *state
            }
            (None, None) => key.role.signs_keyset() && waits(key.ds_at_parent),
        }
    }
}

const ROLES: &str = "unknown keytype, should be one of KSK, ZSK, or CSK\n";

const EXPORTED: [CompatibilityState; 7] = [
    CompatibilityState::Generate,
    CompatibilityState::Publish,
    CompatibilityState::Ready,
    CompatibilityState::Active,
    CompatibilityState::Retire,
    CompatibilityState::Mixed,
    CompatibilityState::Revoked,
];

fn waits(at_parent: DsAtParent) -> bool {
    !matches!(at_parent, DsAtParent::Unsubmitted | DsAtParent::Seen)
}

pub(super) fn rdata(row: Row<'_>, public: &PublicKey) -> Vec<u8> {
    let revoke = if row.key.revoked.is_some() { REVOKE } else { 0 };
    dnskey_rdata(row.key.role.flags() | revoke, public)
}

fn print_dnskey(row: Row<'_>, public: &PublicKey, ttl: Ttl, text: &mut Vec<u8>) {
    let rdata = rdata(row, public);
    print_record(row.zone.name.as_wire(), ttl, RrType::DNSKEY, &rdata, text);
}

fn print_ds(row: Row<'_>, public: &PublicKey, ttl: Ttl, is_sha1: bool, text: &mut Vec<u8>) {
    let (digest, word) = match is_sha1 {
        true => (DigestType::Sha1, "SHA1"),
        false => (DigestType::Sha256, "SHA256"),
    };
    let state = compatibility_state(row.key);
    text.extend_from_slice(format!(";{state} {} DS record ({word}):\n", row.key.role).as_bytes());
    let ds = ds_rdata(&row.zone.name, &rdata(row, public), digest);
    print_record(row.zone.name.as_wire(), ttl, RrType::DS, &ds, text);
}
