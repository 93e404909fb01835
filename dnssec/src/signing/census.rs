//! Who signed what in a version of a zone: what the enforcer waits for is what was really
//! published (guard W6). In: a version, the keys it may show. Out: the keys it shows.

use super::ZoneKey;
use crate::enforcer::PublishedKeys;
use crate::key::KeyId;
use crate::zone::ZoneVersion;
use crate::zone::chunk::RrsetView;
use crate::{RrType, Timestamp};

/// What `version`, published at `at`, shows of `keys`. Costs the zone's chunks, not its records.
pub fn published_keys(version: &ZoneVersion, keys: &[ZoneKey], at: Timestamp) -> PublishedKeys {
    let apex = version.apex_owner();
    let keyset = apex.and_then(|apex| apex.rrset(RrType::DNSKEY));
    let ids = |is_shown: &dyn Fn(&ZoneKey) -> bool| -> Vec<KeyId> {
        keys.iter().filter(|key| is_shown(key)).map(|key| key.id.clone()).collect()
    };
    let is_published = |key: &ZoneKey| {
        let rdata = key.dnskey_rdata();
        keyset.is_some_and(|keyset| keyset.rdatas().any(|one| one == rdata.as_slice()))
    };
    let signs_keyset = |key: &ZoneKey| keyset.is_some_and(|keyset| is_signed_by(&keyset, key));
    let cdnskeys = apex.and_then(|apex| apex.rrset(RrType::CDNSKEY));
    let is_named = |key: &ZoneKey| {
        let rdata = key.dnskey_rdata();
        cdnskeys.is_some_and(|set| set.rdatas().any(|one| one == rdata.as_slice()))
    };
    let signed = signed_counts(version, keys);
    let counted = |is_shown: &dyn Fn(usize) -> bool| -> Vec<KeyId> {
        let shown = keys.iter().zip(&signed.by_key).filter(|(_, count)| is_shown(**count));
        shown.map(|(key, _)| key.id.clone()).collect()
    };
    PublishedKeys {
        at,
        dnskeys: ids(&is_published),
        keyset_signers: ids(&signs_keyset),
        revoked: ids(&|key| key.is_revoked && is_published(key) && signs_keyset(key)),
        named_to_parent: ids(&is_named),
        zone_signers_some: counted(&|count| count > 0),
        zone_signers_all: counted(&|count| count > 0 && count == signed.rrsets),
    }
}

struct SignedCounts {
    /// Signed RRsets, the DNSKEY RRset aside.
    rrsets: usize,
    /// How many of them each key signs.
    by_key: Vec<usize>,
}

fn signed_counts(version: &ZoneVersion, keys: &[ZoneKey]) -> SignedCounts {
    let mut counts = SignedCounts { rrsets: 0, by_key: vec![0; keys.len()] };
    for chunk in version.chunks() {
        counts.rrsets += chunk.signed_rrset_count();
        for (count, key) in counts.by_key.iter_mut().zip(keys) {
            let (algorithm, key_tag) = (key.public_key.algorithm, key.key_tag());
            let own = chunk.signers().iter().find(|signer| signer.is_of(algorithm, key_tag));
            *count += own.map_or(0, |signer| signer.rrset_count as usize);
        }
    }
    // Only keys sign their own set and its announcements (RFC 7344 §4.1).
    let apex = version.apex_owner().into_iter().flat_map(|apex| apex.rrsets());
    let of_keys = [RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY];
    for rrset in apex.filter(|rrset| of_keys.contains(&rrset.rtype) && rrset.signature_count > 0) {
        counts.rrsets -= 1;
        for (count, key) in counts.by_key.iter_mut().zip(keys) {
            *count -= usize::from(is_signed_by(&rrset, key));
        }
    }
    counts
}

fn is_signed_by(rrset: &RrsetView<'_>, key: &ZoneKey) -> bool {
    rrset.signatures().any(|it| it.is_by(key.public_key.algorithm, key.key_tag()))
}
