//! What a zone's parent has of its keys, and what the zone asks it to have: CDS and CDNSKEY.
//! RFC 7344 §4 (when to publish), §4.1 (never what would break the zone), RFC 8078 §4 (removal).
//! In: the keys' states, the policy. Out: RDATA for the apex; what an auditor has to hold on to.
//!
//! CDS names the keys whose DS is to be there: those whose DS the enforcer has let go to the
//! parent and not called back. It asks for removal only on the way to unsigned; where no key of
//! a zone that stays signed has a DS to offer, there is no CDS at all. Digests are SHA-256 only
//! (RFC 8624 §3.3).

use crate::enforcer::{KeyLife, RecordKind, RecordState, ZoneLife};
use crate::key::{DigestType, KeyId, ds_rdata};
use crate::policy::Policy;
use crate::{Algorithm, Name};

/// What concerns a zone's parent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delegation {
    /// Algorithms of DS records that the parent or a cache may have; as long as there is one, the
    /// zone must not be unsigned.
    pub ds_algorithms: Vec<Algorithm>,
    /// What the zone asks for.
    pub sync: ParentSync,
    /// DS RRsets that resolvers may follow, as far as the key states say. What leads into the zone
    /// from each of them does so from every other one that is possible, too.
    pub ds_sets: Vec<DsSet>,
}

/// A DS RRset that resolvers may follow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DsSet {
    /// RDATA of the DNSKEYs that its records are of. Empty: there is no DS.
    pub dnskeys: Vec<Vec<u8>>,
    /// The parent is rid of it, or is to be; caches may have it.
    pub is_withdrawn: bool,
}

/// What a zone's CDS and CDNSKEY RRsets say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ParentSync {
    /// There are none of ours.
    #[default]
    Silent,
    /// The DS RRset shall be of these keys: RDATA of their DNSKEYs, in the zone or not.
    Keys(Vec<Vec<u8>>),
    /// There shall be no DS.
    Delete,
}

impl ParentSync {
    /// RDATA of the CDS records at `apex` (RFC 7344 §3.1).
    pub fn cds(&self, apex: &Name) -> Vec<Vec<u8>> {
        let mut rdatas = match self {
            ParentSync::Silent => Vec::new(),
            ParentSync::Keys(keys) => {
                keys.iter().map(|key| ds_rdata(apex, key, DigestType::Sha256)).collect()
            }
            ParentSync::Delete => vec![vec![0, 0, 0, 0, 0]],
        };
        rdatas.sort_unstable();
        rdatas
    }

    /// RDATA of the CDNSKEY records (RFC 7344 §3.2).
    pub fn cdnskey(&self) -> Vec<Vec<u8>> {
        let mut rdatas = match self {
            ParentSync::Silent => Vec::new(),
            ParentSync::Keys(keys) => keys.clone(),
            ParentSync::Delete => vec![vec![0, 0, 3, 0, 0]],
        };
        rdatas.sort_unstable();
        rdatas
    }
}

/// A key whose DS is to be announced, and whose public half is not known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public half of key {id} is not known")]
pub struct PublicKeyMissing {
    /// Which.
    pub id: KeyId,
}

/// What the states of a zone's keys mean for its parent. `dnskey_of` gives the RDATA of a key's
/// DNSKEY as it is when the key is not revoked; a key with a DS never is.
pub fn delegation(
    life: &ZoneLife,
    policy: &Policy,
    dnskey_of: impl Fn(&KeyId) -> Option<Vec<u8>>,
) -> Result<Delegation, PublicKeyMissing> {
    let ds = |key: &KeyLife| key.state(RecordKind::Ds).unwrap_or_default();
    let anywhere = life.keys.iter().filter(|key| ds(key) != RecordState::Hidden);
    let mut ds_algorithms: Vec<Algorithm> = anywhere.map(|key| key.algorithm).collect();
    ds_algorithms.sort_unstable();
    ds_algorithms.dedup();
    let ds_sets = ds_sets(life, &dnskey_of)?;
    if !policy.parent.publishes_cds {
        return Ok(Delegation { ds_algorithms, sync: ParentSync::Silent, ds_sets });
    }
    let mut offered = Vec::new();
    for key in life.keys.iter().filter(|key| ds(key).is_served()) {
        offered.push(known(&dnskey_of, &key.id)?);
    }
    let becomes_unsigned = policy.passthrough || policy.keys.keys.is_empty();
    let sync = match offered.is_empty() {
        false => ParentSync::Keys(offered),
        true if becomes_unsigned && !ds_algorithms.is_empty() => ParentSync::Delete,
        true => ParentSync::Silent,
    };
    Ok(Delegation { ds_algorithms, sync, ds_sets })
}

fn known(
    dnskey_of: impl Fn(&KeyId) -> Option<Vec<u8>>,
    id: &KeyId,
) -> Result<Vec<u8>, PublicKeyMissing> {
    dnskey_of(id).ok_or_else(|| PublicKeyMissing { id: id.clone() })
}

/// The DS RRsets that resolvers may follow (RFC 7583 §3.3). A DS that is omnipresent is in each of
/// them; of those that come and go any may be beside it. A validator asks of each algorithm that
/// one DS leads into the zone, so it is enough to know what all have in common, and that with each
/// of the others alone. Only DS that are out ahead of their DNSKEYs may be without one: they come
/// to the parent together with those that are used.
fn ds_sets(
    life: &ZoneLife,
    dnskey_of: &impl Fn(&KeyId) -> Option<Vec<u8>>,
) -> Result<Vec<DsSet>, PublicKeyMissing> {
    let in_state = |state: RecordState| {
        life.keys.iter().filter(move |key| key.state(RecordKind::Ds) == Some(state))
    };
    let mut common = Vec::new();
    for key in in_state(RecordState::Omnipresent) {
        common.push(known(dnskey_of, &key.id)?);
    }
    let mut sets = vec![DsSet { dnskeys: common.clone(), is_withdrawn: false }];
    let mut with = |dnskeys: Vec<Vec<u8>>, is_withdrawn: bool| {
        let dnskeys = [common.clone(), dnskeys].concat();
        sets.push(DsSet { dnskeys, is_withdrawn });
    };
    let mut coming = Vec::new();
    for key in in_state(RecordState::Rumoured) {
        let dnskey = known(dnskey_of, &key.id)?;
        coming.push(dnskey.clone());
        if key.is_published() {
            with(vec![dnskey], false);
        }
    }
    if coming.len() > 1 || in_state(RecordState::Rumoured).any(|key| !key.is_published()) {
        with(coming, false);
    }
    for key in in_state(RecordState::Unretentive) {
        with(vec![known(dnskey_of, &key.id)?], true);
    }
    Ok(sets)
}

#[cfg(test)]
mod tests;
