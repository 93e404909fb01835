//! A change of keys in an incremental audit: which RRsets have signatures that the new DNSKEY set,
//! or the new roles of its keys, may judge otherwise than the old one did.
//! RFC 4035 §2.2, RFC 6781 §4.1.1.1, RFC 6840 §5.11.
//!
//! In: both states and what was and is expected of them. Out: names to check, with their RRsets
//! among those that are verified anew.
//!
//! A signature is judged by its tag and algorithm, the keys that these may mean, and what has to
//! sign. Where all of that is as it was, so is the verdict, and the signature was verified by the
//! very same keys. Everything else is judged, never assumed: a signature whose key went away is
//! found here and refused by the checks of the full audit. Never: a walk over the zone, but over
//! the blocks with such signatures; which those are say their summaries.

use std::collections::BTreeMap;

use crate::expectations::{Denial, Expectations};
use crate::finding::RecordType;
use crate::incremental::NotIncremental;
use crate::incremental::block::{List, Records};
use crate::incremental::view::View;
use crate::keys::ZoneKey;
use crate::prepared::{Prepared, Zones};
use crate::rdata;
use crate::signer_sets::{KeyId, SignerSets};
use crate::signers::{Class, Needs};
use crate::wire::{self, rtype};

/// A key that a signature over data may be by: RDATA of its DNSKEY, and whether it is published.
type Candidate = (Vec<u8>, bool);

/// What signatures over data are judged by.
#[derive(PartialEq, Eq)]
struct Keyring {
    candidates: BTreeMap<KeyId, Vec<Candidate>>,
    needs: Needs,
    is_unsigned: bool,
}

impl Keyring {
    /// Of a state of the zone. The full audit says from the apex who has to sign what.
    fn of(view: View<'_>, expectations: &Expectations) -> Result<Self, NotIncremental> {
        let apex: Vec<u8> =
            view.records(&expectations.apex).flat_map(|(bytes, _)| bytes).copied().collect();
        let zones = Zones { candidate: &[&apex], source: None };
        // The apex is a name, and its records are no more than the zone's.
        let prepared =
            Prepared::new(zones, expectations).map_err(|_| NotIncremental::OtherExpectations)?;
        let keys = view.records(&expectations.apex).map(|(_, record)| record);
        let keys = keys.filter(|record| record.rtype == rtype::DNSKEY);
        let published: Vec<&[u8]> = keys.map(|record| record.rdata).collect();
        let mut candidates: BTreeMap<KeyId, Vec<Candidate>> = BTreeMap::new();
        let mut add = |rdata: &[u8], is_published: bool| {
            if let Some(key) = ZoneKey::read(rdata) {
                let id = KeyId { algorithm: key.algorithm, key_tag: key.tag };
                candidates.entry(id).or_default().push((rdata.to_vec(), is_published));
            }
        };
        published.iter().for_each(|rdata| add(rdata, true));
        for signer in expectations.signing.iter().flat_map(|signing| &signing.signers) {
            if signer.signs_zone && !published.contains(&signer.dnskey.as_slice()) {
                add(&signer.dnskey, false);
            }
        }
        candidates.values_mut().for_each(|keys| keys.sort_unstable());
        let needs = prepared.signers.needs(Class::Data).clone();
        Ok(Keyring { candidates, needs, is_unsigned: prepared.signers.is_unsigned })
    }

    /// Whether an RRset with signatures of just these keys has all that it needs.
    fn is_content(&self, keys: &[KeyId]) -> bool {
        // Nobody else can check a signature by an unpublished key, so it counts for nothing.
        let counts = |id: &&KeyId| {
            self.candidates.get(id).is_none_or(|keys| keys.iter().any(|(_, published)| *published))
        };
        let has = |algorithm: &u8| keys.iter().filter(counts).any(|id| id.algorithm == *algorithm);
        let signs =
            |&(key_tag, algorithm): &(u16, u8)| keys.contains(&KeyId { algorithm, key_tag });
        self.needs.algorithms.iter().all(has) && self.needs.keys.iter().all(signs)
    }
}

/// Names of RRsets that the change of keys concerns, in lower case. Their RRsets, and all at the
/// apex, are noted as changed.
///
/// # Errors
/// [`NotIncremental`] if there are more than `limit`, or the zone becomes signed or unsigned.
pub(super) fn concerned(
    (old, before): (View<'_>, &Expectations),
    (new, after): (View<'_>, &Expectations),
    lists: (&List, &List),
    limit: usize,
) -> Result<Vec<(Vec<u8>, u16)>, NotIncremental> {
    let keyset = |view: View<'_>| {
        let records = view.records(&after.apex).filter(|(_, it)| it.rtype == rtype::DNSKEY);
        let mut records: Vec<Vec<u8>> = records.map(|(bytes, _)| bytes.to_vec()).collect();
        records.sort_unstable();
        records
    };
    if before.signing == after.signing && keyset(old) == keyset(new) {
        return Ok(Vec::new());
    }
    let (was, is) = (Keyring::of(old, before)?, Keyring::of(new, after)?);
    // Where nothing had to sign, RRsets may have no signatures at all, which no summary tells.
    let was_free = was.needs == Needs::default() && is.needs != Needs::default();
    if was.is_unsigned != is.is_unsigned || after.denial == Denial::None || was_free {
        return Err(NotIncremental::ApexChanged { record_type: RecordType(rtype::DNSKEY) });
    }
    let at_apex = new.records(&after.apex).map(|(_, record)| record.rtype);
    let mut found: Vec<(Vec<u8>, u16)> =
        at_apex.map(|record_type| (after.apex.clone(), record_type)).collect();
    let is_settled = |keys: &[KeyId]| {
        keys.iter().all(|id| was.candidates.get(id) == is.candidates.get(id)) && is.is_content(keys)
    };
    let concerns =
        |sets: &SignerSets| sets.are_too_many || sets.iter().any(|set| !is_settled(&set.keys));
    for list in [lists.0, lists.1] {
        for slot in list.slots().iter().filter(|slot| concerns(&slot.facts().signer_sets)) {
            note_unsettled(slot.bytes(), &is_settled, &mut found);
            if found.len() > limit {
                return Err(NotIncremental::TooMuch { names: found.len(), limit });
            }
        }
    }
    Ok(found)
}

/// Notes the RRsets of a block of which the signers are not settled.
fn note_unsettled(
    block: &[u8],
    is_settled: &impl Fn(&[KeyId]) -> bool,
    found: &mut Vec<(Vec<u8>, u16)>,
) {
    let mut signers: BTreeMap<u16, Vec<KeyId>> = BTreeMap::new();
    let mut owner: &[u8] = &[];
    let mut end_owner = |owner: &[u8], signers: &mut BTreeMap<u16, Vec<KeyId>>| {
        let unsettled = std::mem::take(signers).into_iter().filter(|(_, keys)| !is_settled(keys));
        let name = owner.to_ascii_lowercase();
        found.extend(unsettled.map(|(record_type, _)| (name.clone(), record_type)));
    };
    for (_, record) in Records(block) {
        if !wire::equal_names(owner, record.owner) {
            end_owner(owner, &mut signers);
            owner = record.owner;
        }
        // Malformed RRSIGs are never approved.
        if record.rtype == rtype::RRSIG
            && let Some(rrsig) = rdata::rrsig(record.rdata)
            && let Some(covered) = wire::u16_at(record.rdata, 0)
        {
            signers.entry(covered).or_default().push(rrsig.key_id());
        }
    }
    end_owner(owner, &mut signers);
}
