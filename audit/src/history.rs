//! What a published version leaves in caches, as far as keys go: its DNSKEY RRset, who signed what
//! with which TTLs, its kind of denial. The auditor makes it of each version that it judges; the
//! caller keeps it and hands it back with the moment from which the version was served no more.
//! RFC 7583 §3.

use serde::{Deserialize, Serialize};

use crate::expectations::{Denial, Expectations};
use crate::facts::Facts;
use crate::keys::ZoneKey;
use crate::prepared::Prepared;
use crate::signer_sets::KeyId;
use crate::wire::rtype;

/// The keys of one version of the zone. TTLs in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedKeys {
    /// RDATA of its DNSKEY records.
    pub dnskeys: Vec<Vec<u8>>,
    /// TTL of the DNSKEY RRset, or of the proof that there is none (RFC 9077).
    pub dnskey_ttl: u32,
    /// RDATA of the keys with a good signature over the DNSKEY RRset.
    pub keyset_signers: Vec<Vec<u8>>,
    /// By which keys its other RRsets are signed: each distinct set of keys once.
    pub data_signers: Vec<SignedBy>,
    /// Largest TTL of a signed RRset.
    pub data_ttl: u32,
    /// Kind and parameters of denial.
    pub denial: Denial,
}

/// Keys that some RRsets are signed by, each by all of them and by no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    /// RDATA of their DNSKEYs, which are in the zone or not.
    pub dnskeys: Vec<Vec<u8>>,
    /// Owner name of the first such RRset, in wire form.
    pub owner: Vec<u8>,
}

/// An earlier version of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishedVersion {
    /// Its keys.
    pub keys: PublishedKeys,
    /// When the next version took its place at the primary, in Unix seconds; `None`: not yet.
    pub served_until: Option<u64>,
}

impl PublishedVersion {
    /// Whether some server may still give it out, or a cache have it, `ttl` seconds old.
    pub(crate) fn may_be_cached(&self, expectations: &Expectations, ttl: u32) -> bool {
        let Some(served_until) = self.served_until else { return true };
        let spread = u64::from(expectations.propagation_seconds) + u64::from(ttl);
        served_until.saturating_add(spread) > expectations.now
    }
}

impl PublishedKeys {
    /// Whether caches that hold one of the two versions hold the same keys and signers as those
    /// that hold the other. The largest TTL may differ.
    #[must_use]
    pub fn is_like(&self, other: &PublishedKeys) -> bool {
        let signers = |keys: &'_ PublishedKeys| -> Vec<Vec<Vec<u8>>> {
            keys.data_signers.iter().map(|set| set.dnskeys.clone()).collect()
        };
        let others = |keys: &PublishedKeys| PublishedKeys {
            data_signers: Vec::new(),
            data_ttl: 0,
            ..keys.clone()
        };
        others(self) == others(other) && signers(self) == signers(other)
    }
}

/// Notes that a version with these keys took the place of the last one at `now`, and forgets
/// versions that no cache can have any more. `propagation_seconds` as in [`Expectations`]. A
/// version with the keys of the last one is put together with it; then the larger of the TTLs
/// counts, for caches may have data of both.
pub fn remember(
    history: &mut Vec<PublishedVersion>,
    keys: PublishedKeys,
    now: u64,
    propagation_seconds: u32,
) {
    match history.last_mut() {
        Some(last) if last.keys.is_like(&keys) => {
            let data_ttl = last.keys.data_ttl.max(keys.data_ttl);
            last.keys = PublishedKeys { data_ttl, ..keys };
        }
        _ => {
            if let Some(last) = history.last_mut() {
                last.served_until.get_or_insert(now);
            }
            history.push(PublishedVersion { keys, served_until: None });
        }
    }
    history.retain(|version| {
        let ttl = version.keys.dnskey_ttl.max(version.keys.data_ttl);
        let spread = u64::from(propagation_seconds) + u64::from(ttl);
        version.served_until.is_none_or(|until| until.saturating_add(spread) > now)
    });
}

/// The keys of the candidate, when all of it has been looked at.
pub(crate) fn of_candidate(prepared: &Prepared<'_>, facts: &Facts) -> PublishedKeys {
    let entries = prepared.zone.apex_rrset(rtype::DNSKEY);
    let records = entries.iter().map(|&entry| prepared.zone.index.record(entry));
    let dnskeys: Vec<Vec<u8>> = records.clone().map(|record| record.rdata.to_vec()).collect();
    let dnskey_ttl = records.map(|record| record.ttl).next();
    let dnskey_ttl = dnskey_ttl.or(prepared.denial_ttl).unwrap_or(0);
    let hidden = prepared.expectations.signing.iter().flat_map(|signing| &signing.signers);
    let mut all = dnskeys.clone();
    for signer in hidden {
        if !all.contains(&signer.dnskey) {
            all.push(signer.dnskey.clone());
        }
    }
    let all: Vec<(KeyId, Vec<u8>)> = all
        .into_iter()
        .filter_map(|rdata| ZoneKey::read(&rdata).map(|key| (key.id(), rdata)))
        .collect();
    let with = |ids: &[KeyId]| -> Vec<Vec<u8>> {
        let fits = all.iter().filter(|(id, _)| ids.contains(id));
        fits.map(|(_, rdata)| rdata.clone()).collect()
    };
    let data_signers = facts
        .signer_sets
        .iter()
        .map(|set| SignedBy { dnskeys: with(&set.keys), owner: set.owner.to_ascii_lowercase() });
    PublishedKeys {
        keyset_signers: with(&facts.keyset_signers),
        data_signers: data_signers.collect(),
        data_ttl: facts.largest_ttl,
        denial: prepared.expectations.denial.clone(),
        dnskeys,
        dnskey_ttl,
    }
}
