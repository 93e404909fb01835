//! Who has to sign what: from the published keys and what the caller says of the keys' states.
//! RFC 4035 §2.2 (every published algorithm), RFC 6840 §5.11 (validators go by the algorithms of
//! the DS), RFC 7583 §3 (rolls in which signatures come before the DNSKEY, or stay after it).
//!
//! In: the DNSKEY set, [`Signing`](crate::Signing). Out: per class of RRset the algorithms and
//! keys of which signatures must be there, and the unpublished keys whose signatures may be.
//! Never: a signature that is not verified. Signatures of unpublished keys are verified as others
//! are, and count for no algorithm.

use crate::expectations::Denial;
use crate::finding::FindingId;
use crate::keys::ZoneKey;
use crate::prepared::Prepared;
use crate::wire::rtype;

/// What an RRset is as far as signing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// The DNSKEY RRset at the apex; in an unsigned zone with what else is about keys there.
    Keyset,
    /// Everything else.
    Data,
}

/// What one class of RRsets needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Algorithms of which a published key has to sign.
    pub(crate) algorithms: Vec<u8>,
    /// Key tags and algorithms of keys that have to sign, each of them.
    pub(crate) keys: Vec<(u16, u8)>,
}

/// A key that signs and is not published.
#[derive(Debug)]
pub(crate) struct HiddenSigner {
    pub(crate) key: ZoneKey,
    classes: [bool; 2],
}

/// All of it.
#[derive(Debug, Default)]
pub(crate) struct Signers {
    needs: [Needs; 2],
    hidden: Vec<HiddenSigner>,
    /// Whether a key with the SEP flag has to sign the keys, where one is published.
    pub(crate) needs_sep: bool,
    /// Whether the zone's data are to be unsigned; never as long as a DS asks for signatures.
    pub(crate) is_unsigned: bool,
}

impl Signers {
    pub(crate) fn needs(&self, class: Class) -> &Needs {
        &self.needs[class as usize]
    }

    /// The unpublished keys with this tag and algorithm that sign RRsets of this class.
    pub(crate) fn hidden(&self, class: Class, tag: (u16, u8)) -> impl Iterator<Item = &ZoneKey> {
        let fits = move |signer: &&HiddenSigner| {
            signer.classes[class as usize] && (signer.key.tag, signer.key.algorithm) == tag
        };
        self.hidden.iter().filter(fits).map(|signer| &signer.key)
    }
}

/// Fills in `prepared.signers`, and reports a zone that lacks the keys it needs.
pub(crate) fn read(prepared: &mut Prepared<'_>) {
    let published = prepared.algorithms.clone();
    let is_unsigned = prepared.expectations.denial == Denial::None;
    let Some(signing) = prepared.expectations.signing.take() else {
        if published.is_empty() {
            prepared.add(FindingId::NoZoneKey, rtype::DNSKEY, "");
        }
        let needs = || Needs { algorithms: published.clone(), keys: Vec::new() };
        let needs = [needs(), needs()];
        prepared.signers = Signers { needs, hidden: Vec::new(), needs_sep: true, is_unsigned };
        return;
    };
    let ds = &signing.ds_algorithms;
    if !ds.is_empty() && !ds.iter().any(|algorithm| published.contains(algorithm)) {
        let detail = format!("a DS of algorithm {} may be in use", ds[0]);
        prepared.add(FindingId::NoZoneKey, rtype::DNSKEY, detail);
    }
    let is_unsigned = is_unsigned && ds.is_empty();
    let mut signers = Signers { needs_sep: !ds.is_empty(), is_unsigned, ..Signers::default() };
    let mut at_work: [Vec<(u16, u8, bool)>; 2] = Default::default();
    for signer in &signing.signers {
        let Some(key) = ZoneKey::read(&signer.dnskey) else { continue };
        let is_published = is_published(prepared, &signer.dnskey);
        let classes = [signer.signs_keyset, signer.signs_zone];
        for (class, _) in classes.iter().enumerate().filter(|(_, signs)| **signs) {
            at_work[class].push((key.tag, key.algorithm, is_published));
        }
        signers.needs_sep |= signer.signs_keyset && is_published && key.is_sep() && key.may_sign();
        if !is_published {
            if !key.can_verify() {
                prepared.add(FindingId::CannotVerify, rtype::DNSKEY, key.unusable());
            }
            signers.hidden.push(HiddenSigner { key, classes });
        }
    }
    for (class, at_work) in at_work.iter().enumerate() {
        let signs = |algorithm: &u8| at_work.iter().any(|(_, by, shown)| by == algorithm && *shown);
        let needed = |algorithm: &&u8| ds.contains(algorithm) || signs(algorithm);
        let keys = at_work.iter().filter(|(_, algorithm, _)| {
            // A single key of its algorithm may let another published one do its work for a
            // while (a smooth roll); two at once are both counted on, as is each key that signs
            // keys.
            let peers = at_work.iter().filter(|(_, other, _)| other == algorithm).count();
            class == Class::Keyset as usize || peers > 1 || !published.contains(algorithm)
        });
        signers.needs[class] = Needs {
            algorithms: published.iter().filter(needed).copied().collect(),
            keys: keys.map(|(tag, algorithm, _)| (*tag, *algorithm)).collect(),
        };
    }
    prepared.signers = signers;
    // An approval remembers it.
    prepared.expectations.signing = Some(signing);
}

fn is_published(prepared: &Prepared<'_>, dnskey: &[u8]) -> bool {
    let entries = prepared.zone.apex_rrset(rtype::DNSKEY);
    entries.iter().any(|&entry| prepared.zone.index.record(entry).rdata == dnskey)
}
