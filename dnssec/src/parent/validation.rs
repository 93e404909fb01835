//! Answers about a zone's DS, believed only when they verify to a trust anchor of the parent
//! (RFC 4035 §5.2, §5.3, §5.4).
//! In: the parent's DNSKEY answer and the DS answer of one server, anchors, a [`Judge`].
//! Out: the DS RRset with a TTL that its signature vouches for; or [`Bogus`].
//! Fails closed: an unsigned parent, an unknown algorithm, a chain of NSEC3 that is too costly
//! count as no answer, never as an insecure one.
//! Never: a chain over several zones: the anchor is the parent's own.

use super::anchor::TrustAnchor;
use super::answer::{Response, ShownDs, is_above, is_same};
use super::denial::prove_no_ds;
use super::rrsig::{Bogus, Judge, ParentKey, RECORDS_MAX, prove};
use crate::key::{DigestType, ds_rdata, key_tag};
use crate::{Name, RrType};

/// The keys of a parent, proven by an anchor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentKeys {
    zone: Name,
    keys: Vec<ParentKey>,
}

/// The zone whose anchors count for `child`: the closest above it that has one.
pub fn anchored_parent(anchors: &[TrustAnchor], child: &Name) -> Result<Name, Bogus> {
    let above = anchors.iter().map(|anchor| &anchor.zone).filter(|zone| is_above(zone, child));
    above.max_by_key(|zone| zone.label_count()).cloned().ok_or(Bogus::NoAnchor)
}

/// The keys of `zone` in the answer to a question for its DNSKEY RRset.
pub fn proven_keys(
    anchors: &[TrustAnchor],
    zone: &Name,
    response: &Response,
    judge: &mut Judge<'_>,
) -> Result<ParentKeys, Bogus> {
    let is_key = |rtype: RrType, owner: &Name| rtype == RrType::DNSKEY && is_same(owner, zone);
    let records = response.answers.iter().filter(|record| is_key(record.rtype, &record.owner));
    let rdatas: Vec<&[u8]> =
        records.take(RECORDS_MAX + 1).map(|record| record.rdata.as_slice()).collect();
    if rdatas.len() > RECORDS_MAX {
        return Err(Bogus::Records(RrType::DNSKEY));
    }
    if rdatas.is_empty() {
        return Err(Bogus::Missing(RrType::DNSKEY));
    }
    let own: Vec<&TrustAnchor> =
        anchors.iter().filter(|anchor| is_same(&anchor.zone, zone)).collect();
    let anchored = rdatas.iter().filter(|rdata| own.iter().any(|anchor| is_of(anchor, rdata)));
    let anchored: Vec<ParentKey> =
        anchored.filter_map(|rdata| ParentKey::from_rdata(rdata)).collect();
    if anchored.is_empty() {
        return Err(Bogus::AnchorMatchesNone);
    }
    let rrset = (zone, RrType::DNSKEY);
    prove(&response.answers, rrset, (zone, &anchored), judge)?;
    let mut keys: Vec<ParentKey> =
        rdatas.iter().filter_map(|rdata| ParentKey::from_rdata(rdata)).collect();
    keys.sort_by(|one, other| (one.tag, &one.key.bytes).cmp(&(other.tag, &other.key.bytes)));
    keys.dedup();
    Ok(ParentKeys { zone: zone.clone(), keys })
}

/// What `shown`, read from `response`, may be believed of the DS of `child`.
pub fn proven_ds(
    child: &Name,
    shown: ShownDs,
    response: &Response,
    parent: &ParentKeys,
    judge: &mut Judge<'_>,
) -> Result<ShownDs, Bogus> {
    let signer = (&parent.zone, parent.keys.as_slice());
    if shown.records.is_empty() {
        prove_no_ds(child, response, signer, judge)?;
        return Ok(shown);
    }
    let proven = prove(&response.answers, (child, RrType::DS), signer, judge)?;
    Ok(ShownDs { ttl: proven.ttl, ..shown })
}

/// Whether an anchor is of the key in `dnskey`.
fn is_of(anchor: &TrustAnchor, dnskey: &[u8]) -> bool {
    if anchor.rtype == RrType::DNSKEY {
        return anchor.rdata == dnskey;
    }
    let [high, low, _, digest, ..] = anchor.rdata.as_slice() else { return false };
    let digest = match digest {
        2 => DigestType::Sha256,
        4 => DigestType::Sha384,
        _ => return false,
    };
    // A digest is made only where the tag fits.
    key_tag(dnskey).0 == u16::from_be_bytes([*high, *low])
        && ds_rdata(&anchor.zone, dnskey, digest) == anchor.rdata
}

#[cfg(test)]
mod tests;
