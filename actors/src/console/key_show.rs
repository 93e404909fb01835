//! `key show`: the facts of one key; why it is where it is says `key explain`. In: what is
//! remembered of the zones' keys. Out: facts, one a line, or as JSON.

use super::key_view::{KeyView, failed};
use super::listing::{Cell, facts};
use super::output::Output;
use super::plan_commands::find_key;
use super::site::Site;
use console_protocol::parse::Invocation;
use dnssec::enforcer::{RecordKind, compatibility_state};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use std::sync::Arc;

/// `key show`.
pub(super) fn key_show(site: Arc<Site>, invocation: Invocation) -> LocalBoxFuture<'static, Output> {
    async move {
        let view = match KeyView::look(&site).await {
            Ok(view) => view,
            Err(error) => return failed(error),
        };
        let typed = invocation.operands.first().map_or("", String::as_str);
        let row = match find_key(&view, typed, invocation.value("zone")) {
            Ok(row) => row,
            Err(error) => return error.output(),
        };
        let key = row.key;
        let state = |kind| {
            let state = key.record(kind).map(|record| record.state);
            state.map_or(Cell::Nothing, |state| Cell::text(state.to_string()))
        };
        let columns = [
            ("Zone", "zone"),
            ("Type", "type"),
            ("Key tag", "key_tag"),
            ("State", "state"),
            ("Next", "next"),
            ("Algorithm", "algorithm"),
            ("Bits", "bits"),
            ("Repository", "repository"),
            ("CKA_ID", "cka_id"),
            ("Made", "made"),
            ("Revoked", "revoked"),
            ("DS", "ds"),
            ("DNSKEY", "dnskey"),
            ("RRSIG of the keys", "rrsig_dnskey"),
            ("RRSIG of the zone", "rrsig"),
        ];
        let values = [
            Cell::text(row.zone.text()),
            Cell::text(key.role.to_string()),
            Cell::Number(u64::from(key.key_tag.0)),
            Cell::text(compatibility_state(key).to_string()),
            Cell::text(view.transition(row)),
            Cell::Number(u64::from(key.algorithm.number())),
            Cell::Number(u64::from(key.bits)),
            Cell::text(&*key.repository),
            Cell::text(key.id.to_string()),
            Cell::Moment(key.inception),
            Cell::moment(key.revoked),
            state(RecordKind::Ds),
            state(RecordKind::Dnskey),
            state(RecordKind::RrsigDnskey),
            state(RecordKind::Rrsig),
        ];
        facts(&invocation, &columns, &values)
    }
    .boxed_local()
}
