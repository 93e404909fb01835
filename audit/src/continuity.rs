//! Whether the candidate may follow the last published version (guard W7): its keys, its kind of
//! denial. RFC 4034 §2.1.1, RFC 5011 §2.1, RFC 5155 §10.4, RFC 6781 §4.1.
//!
//! A signer with another's keys, a wrong backup, a standby that takes over with its own keys: each
//! makes a zone that is right in itself, and wrong after the last version. Never: key states.

use crate::expectations::{Denial, Expectations};
use crate::finding::FindingId;
use crate::history::PublishedKeys;
use crate::keys::ZoneKey;
use crate::report::Findings;
use crate::signer_sets::KeyId;
use crate::wire::rtype;

/// One published key: the octets, and what they say.
struct Key<'k> {
    flags: u16,
    id: KeyId,
    /// Algorithm and public key: what makes it this key and no other.
    material: &'k [u8],
}

const REVOKE: u16 = 0x0080;

fn keys<'k>(e: &Expectations, dnskeys: &'k [Vec<u8>]) -> Vec<Key<'k>> {
    dnskeys
        .iter()
        .take(e.limits.dnskeys)
        .filter_map(|rdata| {
            let flags = u16::from_be_bytes([*rdata.first()?, *rdata.get(1)?]);
            Some(Key { flags, id: ZoneKey::read(rdata)?.id(), material: rdata.get(3..)? })
        })
        .collect()
}

/// Compares the candidate with the last version, and its new keys with those of all before. Gives
/// whether the keys are of another world, so that to ask about caches would say nothing more.
pub(crate) fn check(e: &Expectations, candidate: &PublishedKeys, findings: &mut Findings) -> bool {
    let versions = e.limits.versions;
    if e.history.len() > versions || e.parent.as_ref().is_some_and(|sets| sets.len() > versions) {
        let detail = format!("limit {versions}");
        findings.add(FindingId::CachesTooComplex, &e.apex, rtype::DNSKEY, detail);
    }
    let Some(last) = e.history.last().map(|last| &last.keys) else { return false };
    check_denial(e, last, candidate, findings);
    let (before, now) = (keys(e, &last.dnskeys), keys(e, &candidate.dnskeys));
    let mut add = |id, detail: String| findings.add(id, &e.apex, rtype::DNSKEY, detail);
    if before.is_empty() {
        return false;
    }
    let is_signed = |keys: &PublishedKeys| !keys.data_signers.is_empty();
    if is_signed(last) && !is_signed(candidate) && e.parent.is_none() {
        add(FindingId::WentUnsigned, String::new());
    }
    if now.is_empty() {
        return false;
    }
    if !now.iter().any(|key| before.iter().any(|other| other.material == key.material)) {
        add(FindingId::KeysReplaced, format!("{} before, {} now", before.len(), now.len()));
        return true;
    }
    let all_before: Vec<Key<'_>> = e
        .history
        .iter()
        .rev()
        .take(versions)
        .flat_map(|version| keys(e, &version.keys.dnskeys))
        .collect();
    for key in &now {
        let same = |other: &&Key<'_>| other.material == key.material;
        let was_revoked = all_before.iter().filter(same).any(|other| other.flags & REVOKE != 0);
        if key.flags & REVOKE == 0 && was_revoked {
            add(FindingId::RevocationUndone, key.id.to_string());
            continue;
        }
        let of_last = before.iter().filter(same);
        if of_last.clone().count() > 0 {
            let is_as_before = |other: &Key<'_>| other.flags & !REVOKE == key.flags & !REVOKE;
            if !of_last.clone().any(is_as_before) {
                let flags: Vec<String> = of_last.map(|other| other.flags.to_string()).collect();
                let detail =
                    format!("{}, flags {}, before {}", key.id, key.flags, flags.join(", "));
                add(FindingId::KeyFlagsChanged, detail);
            }
        } else if all_before
            .iter()
            .any(|other| other.id == key.id && other.material != key.material)
        {
            add(FindingId::KeyTagReused, key.id.to_string());
        }
    }
    false
}

fn check_denial(
    e: &Expectations,
    last: &PublishedKeys,
    candidate: &PublishedKeys,
    findings: &mut Findings,
) {
    // A new salt is nothing to speak of.
    let without_salt = |denial: &Denial| match denial {
        Denial::Nsec3 { hash_algorithm, iterations, opt_out, .. } => Denial::Nsec3 {
            hash_algorithm: *hash_algorithm,
            iterations: *iterations,
            salt: Vec::new(),
            opt_out: *opt_out,
        },
        other => other.clone(),
    };
    let (before, now) = (without_salt(&last.denial), without_salt(&candidate.denial));
    // Whether a zone is signed at all is judged by its keys.
    let is_chain = |denial: &Denial| matches!(denial, Denial::Nsec | Denial::Nsec3 { .. });
    if before != now && is_chain(&before) && is_chain(&now) {
        let detail = format!("{} before, {} now", describe(&before), describe(&now));
        findings.add(FindingId::DenialChanged, &e.apex, rtype::NSEC3PARAM, detail);
    }
}

fn describe(denial: &Denial) -> String {
    match denial {
        Denial::None => "none".to_owned(),
        Denial::Source => "that of the source".to_owned(),
        Denial::Nsec => "NSEC".to_owned(),
        Denial::Nsec3 { iterations, opt_out, .. } => {
            let opt_out = if *opt_out { ", opt-out" } else { "" };
            format!("NSEC3 with {iterations} iterations{opt_out}")
        }
    }
}
