//! Checks of the zone as a whole, from the records at its apex: SOA, NS, DNSKEY set, NSEC3PARAM,
//! kind of denial. RFC 1035 §5.2, RFC 1982, RFC 4035 §2.1, RFC 5155 §4, RFC 9077.

use std::collections::HashMap;

use crate::expectations::Denial;
use crate::finding::FindingId;
use crate::index::Index;
use crate::keys::ZoneKey;
use crate::prepared::{Chain, Prepared};
use crate::rdata::{self, Nsec3Parameters};
use crate::wire::{self, rtype};
use crate::{key_rules, parent_sync, signers};

/// Runs all checks of this file and fills in what later checks need: keys, algorithms, chain, TTL.
pub(crate) fn check(prepared: &mut Prepared<'_>) {
    check_soa(prepared);
    if prepared.zone.apex_rrset(rtype::NS).is_empty() {
        prepared.add(FindingId::ApexWithoutNs, rtype::NS, "");
    }
    if prepared.expectations.denial == Denial::Source {
        return;
    }
    read_keys(prepared);
    check_key_list(prepared);
    key_rules::check(prepared);
    signers::read(prepared);
    parent_sync::check(prepared);
    prepared.chain = check_denial_kind(prepared);
}

fn check_soa(prepared: &mut Prepared<'_>) {
    let entries = prepared.zone.apex_rrset(rtype::SOA);
    let count = entries.len();
    let &[entry] = entries else {
        return prepared.add(FindingId::SoaCount, rtype::SOA, format!("{count} found"));
    };
    let record = prepared.zone.index.record(entry);
    // Malformed RDATA is found together with the other records of the apex.
    let Some(soa) = rdata::soa(record.rdata) else { return };
    prepared.denial_ttl = Some(record.ttl.min(soa.minimum));
    prepared.serial = Some(soa.serial);
    prepared.soa_expire_seconds = Some(soa.expire);

    let published = prepared.expectations.published_serial;
    if let Some(published) = published.filter(|&published| !is_greater(soa.serial, published)) {
        let detail = format!("serial {}, published {published}", soa.serial);
        prepared.add(FindingId::SerialNotRisen, rtype::SOA, detail);
    }
    let served = &prepared.expectations.served_serials;
    if let Some(&served) = served.iter().find(|&&served| !is_greater(soa.serial, served)) {
        let detail = format!("serial {}, secondary {served}", soa.serial);
        prepared.add(FindingId::SerialServed, rtype::SOA, detail);
    }
    let source_soas = prepared.source.as_ref().map(|source| source_soas(source, prepared));
    let (mut ttl, mut minimum) = (prepared.expectations.soa_ttl, prepared.expectations.soa_minimum);
    match source_soas.as_deref() {
        None => {}
        Some(&[(source_ttl, source_rdata)]) => {
            if let Some(source) = rdata::soa(source_rdata) {
                ttl = ttl.or(Some(source_ttl));
                minimum = minimum.or(Some(source.minimum));
                if source.names != soa.names || source.timers != soa.timers {
                    prepared.add(FindingId::SoaChanged, rtype::SOA, "names or timers");
                }
            }
        }
        Some(other) => {
            let detail = format!("the source has {} SOA records", other.len());
            prepared.add(FindingId::SoaChanged, rtype::SOA, detail);
        }
    }
    for (what, found, expected) in [("TTL", record.ttl, ttl), ("MINIMUM", soa.minimum, minimum)] {
        if let Some(expected) = expected.filter(|&expected| expected != found) {
            let detail = format!("{what} {found}, expected {expected}");
            prepared.add(FindingId::SoaPolicy, rtype::SOA, detail);
        }
    }
}

/// RFC 1982 §3.2: greater by less than half the number space.
fn is_greater(serial: u32, other: u32) -> bool {
    (1..0x8000_0000).contains(&serial.wrapping_sub(other))
}

/// TTL and RDATA of the SOA records at the apex of the source, without repetitions.
fn source_soas<'a>(source: &Index<'a>, prepared: &Prepared<'_>) -> Vec<(u32, &'a [u8])> {
    let apex = &prepared.expectations.apex;
    let start = source
        .entries
        .partition_point(|&entry| wire::compare_names(source.owner(entry), apex).is_lt());
    let mut soas: Vec<_> = source.entries[start..]
        .iter()
        .take_while(|&&entry| wire::equal_names(source.owner(entry), apex))
        .filter(|entry| entry.rtype == rtype::SOA)
        .map(|&entry| source.record(entry))
        .map(|record| (record.ttl, record.rdata))
        .collect();
    soas.dedup();
    soas
}

fn read_keys(prepared: &mut Prepared<'_>) {
    let limits = prepared.expectations.limits;
    let entries = prepared.zone.apex_rrset(rtype::DNSKEY);
    let count = entries.len();
    let keys: Vec<ZoneKey> = entries
        .iter()
        .take(limits.dnskeys)
        .filter_map(|&entry| ZoneKey::read(prepared.zone.index.record(entry).rdata))
        .collect();
    if count > limits.dnskeys {
        let detail = format!("{count} published, limit {}", limits.dnskeys);
        prepared.add(FindingId::TooManyKeys, rtype::DNSKEY, detail);
    }
    let mut with_tag: HashMap<(u8, u16), usize> = HashMap::new();
    for key in &keys {
        let name = format!("algorithm {}, key tag {}", key.algorithm, key.tag);
        if key.protocol != 3 {
            let detail = format!("{name}, protocol {}", key.protocol);
            prepared.add(FindingId::KeyProtocol, rtype::DNSKEY, detail);
        } else if !key.is_zone_key() {
            prepared.add(FindingId::NotAZoneKey, rtype::DNSKEY, name.clone());
        } else if !key.can_verify() {
            prepared.add(FindingId::CannotVerify, rtype::DNSKEY, key.unusable());
        }
        let same = with_tag.entry((key.algorithm, key.tag)).or_default();
        *same += 1;
        if *same == 2 {
            prepared.add(FindingId::KeyTagShared, rtype::DNSKEY, name.clone());
        }
        if *same == limits.keys_per_tag + 1 {
            let detail = format!("{name}, limit {} keys with one tag", limits.keys_per_tag);
            prepared.add(FindingId::TooManyKeys, rtype::DNSKEY, detail);
        }
    }
    let fit = keys.iter().filter(|key| key.may_sign());
    let mut algorithms: Vec<u8> = fit.map(|key| key.algorithm).collect();
    algorithms.sort_unstable();
    algorithms.dedup();
    prepared.keys = keys;
    prepared.algorithms = algorithms;
}

fn check_key_list(prepared: &mut Prepared<'_>) {
    let entries = prepared.zone.apex_rrset(rtype::DNSKEY);
    let published: Vec<_> =
        entries.iter().map(|&entry| prepared.zone.index.record(entry)).collect();
    let expected_ttl = prepared.expectations.dnskey_ttl;
    if let (Some(expected), Some(first)) = (expected_ttl, published.first())
        && first.ttl != expected
    {
        let detail = format!("TTL {}, expected {expected}", first.ttl);
        prepared.add(FindingId::KeyTtl, rtype::DNSKEY, detail);
    }
    let Some(expected) = prepared.expectations.dnskeys.take() else { return };
    let describe = |rdata: &[u8]| {
        ZoneKey::read(rdata).map_or_else(
            || "unreadable key".to_owned(),
            |key| format!("algorithm {}, key tag {}", key.algorithm, key.tag),
        )
    };
    for rdata in &expected {
        if !published.iter().any(|record| record.rdata == rdata) {
            prepared.add(FindingId::KeyMissing, rtype::DNSKEY, describe(rdata));
        }
    }
    for record in &published {
        if !expected.iter().any(|rdata| rdata == record.rdata) {
            prepared.add(FindingId::KeyUnexpected, rtype::DNSKEY, describe(record.rdata));
        }
    }
    // An approval remembers it.
    prepared.expectations.dnskeys = Some(expected);
}

fn check_denial_kind(prepared: &mut Prepared<'_>) -> Chain {
    let count = |wanted: u16| {
        prepared.zone.index.entries.iter().filter(|entry| entry.rtype == wanted).count()
    };
    let (nsec_count, nsec3_count) = (count(rtype::NSEC), count(rtype::NSEC3));
    let parameter_count = prepared.zone.apex_rrset(rtype::NSEC3PARAM).len();
    prepared.count_denial(nsec_count, nsec3_count);
    let detail = format!("{nsec_count} NSEC and {nsec3_count} NSEC3 records");
    match prepared.expectations.denial.clone() {
        Denial::None | Denial::Source => {
            if nsec_count + nsec3_count + parameter_count > 0 {
                prepared.add(FindingId::DenialKind, rtype::NSEC, detail);
            }
            Chain::Unusable
        }
        Denial::Nsec => {
            if nsec_count == 0 || nsec3_count + parameter_count > 0 {
                prepared.add(FindingId::DenialKind, rtype::NSEC, detail);
                return Chain::Unusable;
            }
            Chain::Nsec
        }
        Denial::Nsec3 { hash_algorithm, iterations, salt, .. } => {
            if nsec_count > 0 || nsec3_count == 0 {
                prepared.add(FindingId::DenialKind, rtype::NSEC3, detail);
                return Chain::Unusable;
            }
            let limit = prepared.expectations.limits.nsec3_iterations;
            if iterations > limit {
                let detail = format!("{iterations} iterations, limit {limit}");
                prepared.add(FindingId::Nsec3TooCostly, rtype::NSEC3, detail);
                return Chain::Unusable;
            }
            let expected = Nsec3Parameters { hash_algorithm, flags: 0, iterations, salt: &salt };
            check_nsec3param(prepared, expected)
        }
    }
}

fn check_nsec3param(prepared: &mut Prepared<'_>, expected: Nsec3Parameters<'_>) -> Chain {
    let entries = prepared.zone.apex_rrset(rtype::NSEC3PARAM);
    let count = entries.len();
    let &[entry] = entries else {
        prepared.add(FindingId::Nsec3ParamCount, rtype::NSEC3PARAM, format!("{count} found"));
        return Chain::Nsec3;
    };
    let rdata = prepared.zone.index.record(entry).rdata;
    // Malformed RDATA is found together with the other records of the apex.
    let Some(found) = rdata::nsec3param(rdata) else { return Chain::Nsec3 };
    if found == expected {
        return Chain::Nsec3;
    }
    let detail = format!(
        "algorithm {}, flags {}, {} iterations, salt of {} octets",
        found.hash_algorithm,
        found.flags,
        found.iterations,
        found.salt.len()
    );
    prepared.add(FindingId::Nsec3ParamValues, rtype::NSEC3PARAM, detail);
    // With other flags the chain can still be the right one; with another salt it cannot.
    if (Nsec3Parameters { flags: 0, ..found }) == expected { Chain::Nsec3 } else { Chain::Unusable }
}
