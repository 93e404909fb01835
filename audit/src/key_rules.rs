//! Keys against the policy: algorithms, roles and sizes of new keys, reserved flags, algorithms
//! that NSEC3 asks for. RFC 4034 §2.1.1, RFC 5155 §2, RFC 6781 §3.4.2, RFC 8624 §3.1.
//!
//! A key is new if no version in the history has it; the keys of before a change of policy stay
//! until they are rolled.

use crate::expectations::{Denial, Expectations};
use crate::finding::FindingId;
use crate::keys::ZoneKey;
use crate::prepared::Prepared;
use crate::wire::rtype;

/// Flags that have a meaning: zone key, REVOKE, SEP.
const KNOWN_FLAGS: u16 = 0x0181;

/// Runs all checks of this file.
pub(crate) fn check(prepared: &mut Prepared<'_>) {
    let mut findings: Vec<(FindingId, String)> = Vec::new();
    let e = &prepared.expectations;
    for &entry in prepared.zone.apex_rrset(rtype::DNSKEY).iter().take(e.limits.dnskeys) {
        let rdata = prepared.zone.index.record(entry).rdata;
        let Some(key) = ZoneKey::read(rdata) else { continue };
        if key.flags() & !KNOWN_FLAGS != 0 {
            let detail = format!("{}, flags {}", key.id(), key.flags());
            findings.push((FindingId::KeyFlagsReserved, detail));
        }
        // RFC 5155 §2: a validator that knows only these takes NSEC3 for an error.
        if matches!(e.denial, Denial::Nsec3 { .. }) && matches!(key.algorithm, 1 | 3 | 5) {
            findings.push((FindingId::Nsec3Algorithm, key.id().to_string()));
        }
        if key.is_zone_key() && is_new(e, rdata) {
            findings.extend(against_rules(e, &key));
        }
    }
    for (id, detail) in findings {
        prepared.add(id, rtype::DNSKEY, detail);
    }
}

/// Without a history, all keys of a zone that was published before may be old.
fn is_new(e: &Expectations, rdata: &[u8]) -> bool {
    let material = |rdata: &[u8]| rdata.get(3..).map(<[u8]>::to_vec);
    let is_known = |known: &Vec<u8>| material(known) == material(rdata);
    if e.history.is_empty() {
        return e.published_serial.is_none();
    }
    let recent = e.history.iter().rev().take(e.limits.versions);
    !recent.flat_map(|version| &version.keys.dnskeys).any(is_known)
}

fn against_rules(e: &Expectations, key: &ZoneKey) -> Option<(FindingId, String)> {
    let rules = e.key_rules.as_ref()?;
    let mut fitting = rules
        .iter()
        .filter(|r| (r.algorithm, r.is_sep) == (key.algorithm, key.is_sep()))
        .peekable();
    let role = if key.is_sep() { "with SEP" } else { "without SEP" };
    if fitting.peek().is_none() {
        return Some((FindingId::KeyAlgorithm, format!("{}, {role}", key.id())));
    }
    let bits = key.rsa_bits()?;
    let is_size = fitting.any(|rule| rule.bits.is_none_or(|wanted| wanted == bits));
    (!is_size).then(|| (FindingId::KeySize, format!("{}, {role}, {bits} bits", key.id())))
}
