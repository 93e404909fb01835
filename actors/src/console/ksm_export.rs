//! `key export` and `zonelist export` of `ods-ksmutil` (catalogue 1.10), in OpenDNSSEC 1.4's
//! words. In: a snapshot of the keys, their public halves; the zones. Out: lines of a zone file;
//! a zonelist.xml on standard output.

use super::key_export::rdata;
use super::key_view::{KeyView, Row, failed, policy_of};
use super::ksm_commands::{
    by_state, complaint, optional_role, optional_state, optional_zone, state_of,
};
use super::ksm_keys::public_halves;
use super::output::Output;
use super::site::Site;
use crate::store::StoreError;
use appliance_config::replace_zones;
use console_protocol::parse::Invocation;
use dnssec::enforcer::CompatibilityState;
use dnssec::key::{DigestType, KeyRole, PublicKey, ds_rdata, key_tag};
use dnssec::zonefile::print_record;
use dnssec::{RrType, Ttl};
use std::sync::Arc;

/// TTLs of the records of a zone whose policy is not known any more.
const TTL_UNKNOWN: Ttl = Ttl(3600);
const NONE_READY: &str = "\nWARNING: No active or ready keys seen for this zone. Do not load any \
                          DS records to the parent unless you understand the possible \
                          consequences.\n";
const BOTH: &str = "\nWARNING: BOTH ready and active keys seen for this zone. Probably a key \
                    rollover is happening and you may only want the ready key to be submitted.\n";

/// `key export`.
pub(super) async fn keys(site: Arc<Site>, invocation: Invocation) -> Output {
    match exported(&site, &invocation).await {
        Ok(text) => Output::done(text),
        Err(output) => output,
    }
}

async fn exported(site: &Site, invocation: &Invocation) -> Result<String, Output> {
    let state = optional_state(invocation)?;
    let role = optional_role(invocation)?;
    let view = KeyView::look(site).await.map_err(failed)?;
    let zone = optional_zone(&view, invocation)?;
    if zone.is_some() && invocation.has("all") {
        return Err(complaint("can not use --all with --zone"));
    }
    let rows: Vec<Row<'_>> = by_state(&view)
        .into_iter()
        .filter(|row| zone.is_none_or(|zone| zone.name == row.zone.name))
        .filter(|row| match role {
            Some(role) => row.key.role == role,
            None => row.key.role.signs_keyset(),
        })
        .filter(|row| match state {
            Some(state) => state_of(row.key) == state,
            None => is_ready_or_higher(state_of(row.key)),
        })
        .collect();
    if rows.is_empty() {
        let word =
            state.map_or("READY state or higher".to_owned(), |state| format!("{state} state"));
        return Ok(format!("No keys in {word} to export.\n"));
    }
    let form = if invocation.has("ds") { Form::Ds } else { Form::Dnskey };
    printed(site, &rows, form).await.map_err(failed)
}

fn is_ready_or_higher(state: CompatibilityState) -> bool {
    use CompatibilityState::*;
    matches!(state, Ready | Active | DsSub | DsPublish | DsReady | KeyPublish)
}

/// The DS records of keys, with what 1.4 warns of.
pub(super) async fn ds_records(site: &Site, rows: &[Row<'_>]) -> Result<String, StoreError> {
    printed(site, rows, Form::Ds).await
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Dnskey,
    Ds,
}

async fn printed(site: &Site, rows: &[Row<'_>], form: Form) -> Result<String, StoreError> {
    let records = site.staff.zones.store().keys().await?;
    let public = public_halves(&records);
    let mut text = Vec::new();
    for zone in rows.chunk_by(|one, other| one.zone.name == other.zone.name) {
        for row in zone {
            let key = row.key;
            let Some(bytes) = public.get(&(key.repository.as_str(), &key.id)) else {
                let line = format!("Key {} in DB but not repository\n", key.id);
                text.extend_from_slice(line.as_bytes());
                continue;
            };
            let public = PublicKey { algorithm: key.algorithm, bytes: (*bytes).clone() };
            let ttls = policy_of(site, &row.zone.name)
                .map(|policy| (policy.keys.ttl.as_ttl(), policy.parent.ds_ttl.as_ttl()));
            let (ttl, ds_ttl) = ttls.unwrap_or((TTL_UNKNOWN, TTL_UNKNOWN));
            match form {
                Form::Dnskey => print_dnskey(*row, &public, ttl, &mut text),
                Form::Ds => print_ds(*row, &public, ds_ttl, &mut text),
            }
        }
        let has = |state| zone.iter().any(|row| state_of(row.key) == state);
        let warning = match (has(CompatibilityState::Ready), has(CompatibilityState::Active)) {
            _ if form == Form::Dnskey => "",
            (false, false) => NONE_READY,
            (true, true) => BOTH,
            _ => "",
        };
        text.extend_from_slice(warning.as_bytes());
    }
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// The record, with the remark that 1.4's library makes.
fn print_dnskey(row: Row<'_>, public: &PublicKey, ttl: Ttl, text: &mut Vec<u8>) {
    let (state, role) = (state_of(row.key), row.key.role);
    text.extend_from_slice(format!("\n;{state} {role} DNSKEY record:\n").as_bytes());
    let rdata = rdata(row, public);
    print_record(row.zone.name.as_wire(), ttl, RrType::DNSKEY, &rdata, text);
    if text.last() == Some(&b'\n') {
        text.pop();
    }
    let word = if role == KeyRole::Zsk { "zsk" } else { "ksk" };
    let (tag, bits) = (key_tag(&rdata), row.key.bits);
    text.extend_from_slice(format!(" ;{{id = {tag} ({word}), size = {bits}b}}\n").as_bytes());
}

fn print_ds(row: Row<'_>, public: &PublicKey, ttl: Ttl, text: &mut Vec<u8>) {
    let (state, role) = (state_of(row.key), row.key.role);
    for (digest, word) in [(DigestType::Sha1, "SHA1"), (DigestType::Sha256, "SHA256")] {
        text.extend_from_slice(format!("\n;{state} {role} DS record ({word}):\n").as_bytes());
        let ds = ds_rdata(&row.zone.name, &rdata(row, public), digest);
        print_record(row.zone.name.as_wire(), ttl, RrType::DS, &ds, text);
    }
}

/// `zonelist export`: the zones that are signed, on standard output.
pub(super) fn zonelist(site: &Site, _: &Invocation) -> Output {
    let empty = b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ZoneList>\n</ZoneList>\n";
    match replace_zones("zonelist.xml", empty, &site.catalogue().zones) {
        Ok(list) => Output::done(String::from_utf8_lossy(&list).into_owned()),
        Err(error) => failed(error),
    }
}
