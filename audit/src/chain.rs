//! The chain from the parent's DS RRset into the zone (guard W4), and every mix of DS RRset,
//! DNSKEY RRset and signatures that a cache may hold (guard W5). RFC 4035 §5.2, RFC 4509 §3,
//! RFC 6840 §5.11, RFC 7583 §3.
//!
//! In: the keys of the candidate and of earlier versions, the DS RRsets. Own digests, by `ring`.
//! A validator may know any of the algorithms in use, so each algorithm of a DS RRset must lead
//! into the zone by itself. The candidate is blamed only for what it makes worse: where the last
//! version did not validate either, refusing would only keep the zone as broken as it is.
//! Never: a walk over the zone. Work: by the limits on keys, DS records and versions.

use ring::digest;

use crate::expectations::{DsSet, DsSource, Expectations};
use crate::finding::FindingId;
use crate::history::{PublishedKeys, PublishedVersion, SignedBy};
use crate::keys::ZoneKey;
use crate::report::Findings;
use crate::wire::{rtype, u16_at};

/// The DS RRsets and the candidate. What they say counts even where an operator waives that all
/// keys are other ones: the parent does not.
pub(crate) fn check_parent(e: &Expectations, candidate: &PublishedKeys, findings: &mut Findings) {
    let Some(sets) = &e.parent else { return };
    check_agreement(e, sets, findings);
    for set in sets.iter().take(e.limits.versions).filter(|set| is_in_use(e, set)) {
        check_set(e, set, candidate, findings);
    }
}

/// What caches hold of earlier versions, and the candidate.
pub(crate) fn check_caches(e: &Expectations, candidate: &PublishedKeys, findings: &mut Findings) {
    let recent = || e.history.iter().rev().take(e.limits.versions);
    let finding = recent().find_map(|version| unverifiable_by_cached_keys(e, version, candidate));
    if let Some((owner, detail)) = finding {
        findings.add(FindingId::CachedKeys, &owner, None, detail);
    }
    let finding = recent().find_map(|version| unverifiable_in_caches(e, version, candidate));
    if let Some((owner, detail)) = finding {
        findings.add(FindingId::CachedSignatures, &owner, None, detail);
    }
}

/// Whether a resolver may follow a DS RRset now.
fn is_in_use(e: &Expectations, set: &DsSet) -> bool {
    set.cached_until.is_none_or(|until| until > e.now)
}

/// What the parent has against what is believed: all that every believed RRset has must be there,
/// and nothing that none has. Believed are digests of one kind; the parent may have others.
fn check_agreement(e: &Expectations, sets: &[DsSet], findings: &mut Findings) {
    let of = |source: DsSource| sets.iter().filter(move |set| set.source == source);
    let believed: Vec<&DsSet> = of(DsSource::Believed).take(e.limits.versions).collect();
    let Some(first) = believed.first() else { return };
    let has = |set: &DsSet, ds: &[u8]| {
        set.records.iter().take(e.limits.dnskeys).any(|other| are_alike(other, ds))
    };
    let is_common = |ds: &&Vec<u8>| believed.iter().all(|set| has(set, ds));
    let common: Vec<&Vec<u8>> =
        first.records.iter().take(e.limits.dnskeys).filter(is_common).collect();
    let fits = |seen: &&DsSet| {
        let mut shown = seen.records.iter().take(e.limits.dnskeys);
        shown.all(|ds| believed.iter().any(|set| has(set, ds)))
            && common.iter().all(|ds| has(seen, ds))
    };
    let mut current = of(DsSource::Seen).filter(|set| set.cached_until.is_none());
    if let Some(other) = current.by_ref().take(e.limits.versions).find(|seen| !fits(seen)) {
        let mut all: Vec<Vec<u8>> = believed.iter().flat_map(|set| set.records.clone()).collect();
        all.sort_unstable();
        all.dedup();
        let detail = format!("believed: {}; seen: {}", names(&all), names(&other.records));
        findings.add(FindingId::DsDisagree, &e.apex, rtype::DS, detail);
    }
}

/// Whether two DS records may be of one key: the same, or by digests that cannot be compared.
fn are_alike(one: &[u8], other: &[u8]) -> bool {
    one == other || one.get(..3) == other.get(..3) && one.get(3) != other.get(3)
}

/// Key tags and algorithms of DS records, for messages.
fn names(records: &[Vec<u8>]) -> String {
    let name = |rdata: &Vec<u8>| match Ds::read(rdata) {
        Some(ds) => {
            format!("{} (algorithm {}, digest type {})", ds.tag, ds.algorithm, ds.digest_type)
        }
        None => "unreadable".to_owned(),
    };
    // As many as a line takes.
    let shown: Vec<String> = records.iter().take(4).map(name).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(", ") }
}

/// One DS record (RFC 4034 §5.1).
struct Ds<'d> {
    tag: u16,
    algorithm: u8,
    digest_type: u8,
    digest: &'d [u8],
}

impl<'d> Ds<'d> {
    fn read(rdata: &'d [u8]) -> Option<Self> {
        let &[_, _, algorithm, digest_type, ref digest @ ..] = rdata else { return None };
        Some(Ds { tag: u16_at(rdata, 0)?, algorithm, digest_type, digest })
    }

    /// Whether validators make use of it: algorithms of RFC 8624 §3.1 that are in use, digests of
    /// §3.3.
    fn is_usable(&self) -> bool {
        matches!(self.algorithm, 5 | 7 | 8 | 10 | 13..=16) && matches!(self.digest_type, 1 | 2 | 4)
    }

    fn is_of(&self, apex: &[u8], key: &ZoneKey, dnskey: &[u8]) -> bool {
        let algorithm = match self.digest_type {
            1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            2 => &digest::SHA256,
            4 => &digest::SHA384,
            _ => return false,
        };
        (self.tag, self.algorithm) == (key.tag, key.algorithm)
            && digest::digest(algorithm, &[apex, dnskey].concat()).as_ref() == self.digest
    }
}

/// What a DS RRset makes of a DNSKEY RRset.
#[derive(Debug, Default, PartialEq, Eq)]
struct Trust {
    /// Algorithms of usable DS records that lead to a key which signs the keys.
    leading: Vec<u8>,
    /// Algorithms of usable DS records that do not.
    missing: Vec<u8>,
    /// Algorithm and digest type of a DS that does not lead, where another of its algorithm does.
    odd_digest: Option<(u8, u8)>,
}

impl Trust {
    fn of(e: &Expectations, set: &DsSet, keys: &PublishedKeys) -> Self {
        let records = set.records.iter().take(e.limits.dnskeys);
        let mut usable: Vec<Ds<'_>> =
            records.filter_map(|rdata| Ds::read(rdata)).filter(Ds::is_usable).collect();
        // RFC 4509 §3: SHA-1 is not looked at beside something better.
        if usable.iter().any(|ds| ds.digest_type != 1) {
            usable.retain(|ds| ds.digest_type != 1);
        }
        let ways_in: Vec<(ZoneKey, &Vec<u8>)> = keys
            .keyset_signers
            .iter()
            .filter(|dnskey| keys.dnskeys.contains(dnskey))
            .filter_map(|dnskey| Some((ZoneKey::read(dnskey)?, dnskey)))
            .filter(|(key, _)| key.may_sign())
            .take(e.limits.dnskeys)
            .collect();
        let mut trust = Trust::default();
        let mut by_digest: Vec<(u8, u8, bool)> = Vec::new();
        for ds in &usable {
            let leads = ways_in.iter().any(|(key, dnskey)| ds.is_of(&e.apex, key, dnskey));
            match by_digest
                .iter_mut()
                .find(|known| (known.0, known.1) == (ds.algorithm, ds.digest_type))
            {
                Some(known) => known.2 |= leads,
                None => by_digest.push((ds.algorithm, ds.digest_type, leads)),
            }
        }
        by_digest.sort_unstable();
        for of_one in by_digest.chunk_by(|left, right| left.0 == right.0) {
            let list = match of_one.iter().any(|digest| digest.2) {
                true => &mut trust.leading,
                false => &mut trust.missing,
            };
            list.push(of_one[0].0);
        }
        let odd = by_digest.iter().find(|digest| !digest.2 && trust.leading.contains(&digest.0));
        trust.odd_digest = odd.map(|digest| (digest.0, digest.1));
        trust
    }

    /// No validator looks at signatures.
    fn is_insecure(&self) -> bool {
        self.leading.is_empty() && self.missing.is_empty()
    }
}

/// One DS RRset and the candidate.
fn check_set(e: &Expectations, set: &DsSet, candidate: &PublishedKeys, findings: &mut Findings) {
    let trust = Trust::of(e, set, candidate);
    let is_current = set.cached_until.is_none();
    let before = e.history.last().map(|last| (Trust::of(e, set, &last.keys), &last.keys));
    let mut add = |id, owner: &[u8], detail: String| findings.add(id, owner, rtype::DS, detail);
    if trust.is_insecure() && !set.records.is_empty() && is_current {
        return add(FindingId::DsUnusable, &e.apex, names(&set.records));
    }
    for &algorithm in &trust.missing {
        let led = before.as_ref().is_none_or(|(trust, _)| trust.leading.contains(&algorithm));
        let id = match (led, is_current) {
            (false, true) => FindingId::ChainWasBroken,
            // Caches let go of it by themselves.
            (false, false) => continue,
            (true, false) => FindingId::CachedDs,
            (true, true) if trust.leading.is_empty() => FindingId::ChainBroken,
            (true, true) => FindingId::ChainAlgorithm,
        };
        return add(id, &e.apex, format!("algorithm {algorithm}; DS: {}", names(&set.records)));
    }
    if let Some((algorithm, digest_type)) = trust.odd_digest.filter(|_| is_current) {
        let detail = format!("algorithm {algorithm}, digest type {digest_type}");
        add(FindingId::DsDigest, &e.apex, detail);
    }
    for &algorithm in &trust.leading {
        let Some(owner) = first_unsigned(e, candidate, algorithm) else { continue };
        let was_signed = before.as_ref().is_none_or(|(trust, keys)| {
            !trust.leading.contains(&algorithm) || first_unsigned(e, keys, algorithm).is_none()
        });
        let id = if was_signed { FindingId::ChainData } else { FindingId::ChainWasBroken };
        return add(id, &owner, format!("algorithm {algorithm}"));
    }
}

/// The first name with an RRset that no published key of this algorithm signs; the apex, if there
/// are no signatures at all.
fn first_unsigned(e: &Expectations, keys: &PublishedKeys, algorithm: u8) -> Option<Vec<u8>> {
    if keys.data_signers.is_empty() {
        return Some(e.apex.clone());
    }
    let unsigned = keys.data_signers.iter().filter(|set| !is_verifiable(set, keys, algorithm));
    unsigned.map(|set| set.owner.clone()).min_by(|l, r| crate::wire::compare_names(l, r))
}

/// Whether RRsets with these signatures validate with the DNSKEY RRset of `keys`.
fn is_verifiable(set: &SignedBy, keys: &PublishedKeys, algorithm: u8) -> bool {
    set.dnskeys.iter().any(|dnskey| fits(dnskey, algorithm) && keys.dnskeys.contains(dnskey))
}

fn fits(dnskey: &[u8], algorithm: u8) -> bool {
    ZoneKey::read(dnskey).is_some_and(|key| key.algorithm == algorithm && key.may_sign())
}

/// Algorithms of which a validator asks for signatures when it holds the DNSKEY RRset of `keys`:
/// those by which some DS RRset in use leads there.
fn algorithms_asked(e: &Expectations, keys: &PublishedKeys) -> Vec<u8> {
    let mut asked: Vec<u8> = match (&e.parent, &e.signing) {
        (Some(sets), _) => {
            let in_use = sets.iter().take(e.limits.versions).filter(|set| is_in_use(e, set));
            in_use.flat_map(|set| Trust::of(e, set, keys).leading).collect()
        }
        (None, Some(signing)) => signing.ds_algorithms.clone(),
        (None, None) => {
            let keys = keys.dnskeys.iter().filter_map(|dnskey| ZoneKey::read(dnskey));
            keys.filter(ZoneKey::may_sign).map(|key| key.algorithm).collect()
        }
    };
    asked.sort_unstable();
    asked.dedup();
    asked
}

/// A cache holds the keys of an earlier version and fetches data of the candidate.
fn unverifiable_by_cached_keys(
    e: &Expectations,
    version: &PublishedVersion,
    candidate: &PublishedKeys,
) -> Option<(Vec<u8>, String)> {
    let keys = &version.keys;
    if !version.may_be_cached(e, keys.dnskey_ttl) {
        return None;
    }
    for algorithm in algorithms_asked(e, keys) {
        // What the earlier version asked for without having it is not the candidate's fault.
        if !keys.data_signers.iter().any(|set| is_verifiable(set, keys, algorithm)) {
            continue;
        }
        let of_candidate = candidate.data_signers.iter();
        let wrong = of_candidate.filter(|set| !is_verifiable(set, keys, algorithm));
        if let Some(set) = wrong.min_by(|l, r| crate::wire::compare_names(&l.owner, &r.owner)) {
            let until = leaves(e, version, keys.dnskey_ttl);
            return Some((set.owner.clone(), format!("signed by {}; {until}", signers(set))));
        }
    }
    None
}

/// A cache holds data of an earlier version and fetches the keys of the candidate.
fn unverifiable_in_caches(
    e: &Expectations,
    version: &PublishedVersion,
    candidate: &PublishedKeys,
) -> Option<(Vec<u8>, String)> {
    let keys = &version.keys;
    if !version.may_be_cached(e, keys.data_ttl) {
        return None;
    }
    for algorithm in algorithms_asked(e, candidate) {
        let mut wrong = keys.data_signers.iter().filter(|set| {
            // As above: what was verifiable must stay so.
            is_verifiable(set, keys, algorithm) && !is_verifiable(set, candidate, algorithm)
        });
        if let Some(set) = wrong.next() {
            let until = leaves(e, version, keys.data_ttl);
            return Some((set.owner.clone(), format!("signed by {}; {until}", signers(set))));
        }
    }
    None
}

fn signers(set: &SignedBy) -> String {
    let keys = set.dnskeys.iter().take(4).filter_map(|dnskey| ZoneKey::read(dnskey));
    keys.map(|key| key.id().to_string()).collect::<Vec<_>>().join(" and ")
}

/// When caches let go of what they took from a version, as seen from now.
fn leaves(e: &Expectations, version: &PublishedVersion, ttl: u32) -> String {
    let spread = u64::from(e.propagation_seconds) + u64::from(ttl);
    match version.served_until {
        Some(until) => {
            let left = until.saturating_add(spread).saturating_sub(e.now);
            format!("caches let go in {left} s")
        }
        None => format!("caches let go {spread} s after the next version"),
    }
}
