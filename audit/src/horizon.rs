//! How far ahead the signatures reach (guard W8), at three moments: now, when a cache that fetches
//! the RRset keeps it for its TTL; the next refresh, before which nothing may leave; and SOA
//! EXPIRE, until which a secondary goes on serving a zone that it cannot renew. RFC 4035 §5.3.3,
//! RFC 6781 §4.4.2.
//!
//! That each signature outlives the refresh interval is checked signature by signature (A310).

use crate::expectations::{Expectations, Horizon};
use crate::facts::Facts;
use crate::finding::{Finding, FindingId};
use crate::report::Findings;

/// Runs all checks of this file; `soa_expire_seconds` is unknown without a SOA.
pub(crate) fn check(
    e: &Expectations,
    facts: &Facts,
    soa_expire_seconds: Option<u32>,
    findings: &mut Findings,
) {
    let Some(Horizon { reaction_seconds, severity }) = e.horizon else { return };
    let mut add = |id, owner: &[u8], detail: String| {
        findings.take(Finding { id, severity, owner: owner.into(), record_type: None, detail });
    };
    let now = e.now.cast_signed();
    let largest_ttl = i64::from(facts.largest_ttl);
    let too_long = facts.last_fetch.0.as_ref().filter(|fetch| fetch.at < now);
    if let Some(fetch) = too_long {
        let detail = format!("by up to {} s", now - fetch.at);
        add(FindingId::TtlOverExpiry, &fetch.owner, detail);
    }
    if e.refresh_seconds != 0 && i64::from(e.refresh_seconds) < largest_ttl {
        let detail = format!("refresh {} s, largest TTL {largest_ttl} s", e.refresh_seconds);
        add(FindingId::RefreshBelowTtl, &e.apex, detail);
    }
    let (Some(expire), Some(expiry)) = (soa_expire_seconds, &facts.expiry.0) else { return };
    let left = expiry.at - now;
    let detail = format!("first expiry in {left} s, SOA EXPIRE {expire} s");
    if left < i64::from(expire) {
        add(FindingId::ExpiryBelowSoaExpire, &expiry.owner, detail);
    } else if too_long.is_none()
        && left < i64::from(expire) + largest_ttl + i64::from(reaction_seconds)
    {
        let more = format!("{detail}, TTL {largest_ttl} s, reaction {reaction_seconds} s");
        add(FindingId::ExpiryBelowReaction, &expiry.owner, more);
    }
}
