//! RRSIGs: which RRsets have them, their fields, times, keys, and the verification itself.
//! RFC 4034 §3, RFC 4035 §2.2 and §5.3, RFC 5011 §2.1, RFC 6840 §5.11.
//!
//! Each signature that is not verified causes an error; there is no way around.

use crate::finding::FindingId;
use crate::index::{Entry, NodeKind};
use crate::prepared::Prepared;
use crate::rdata::{self, Rrsig};
use crate::signer_sets::KeyId;
use crate::signers::{Class, Needs};
use crate::wire::{self, Record, rtype};
use crate::work::Worker;

/// Whether an RRset has to have signatures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Signing {
    Required,
    Forbidden,
    /// The RRset is in the wrong place, which is a finding of its own.
    Unjudged,
}

/// In an unsigned zone only what is about keys at the apex may be signed, by keys that sign
/// the DNSKEY RRset.
fn signing(prepared: &Prepared<'_>, kind: NodeKind, record_type: u16) -> Signing {
    if prepared.signers.is_unsigned {
        let Needs { algorithms, keys } = prepared.signers.needs(Class::Keyset);
        let is_key = class(prepared, kind, record_type) == Class::Keyset;
        let is_signed = is_key && !(algorithms.is_empty() && keys.is_empty());
        return if is_signed { Signing::Required } else { Signing::Forbidden };
    }
    match (kind, record_type) {
        (_, rtype::NSEC3) => Signing::Required,
        (NodeKind::Apex | NodeKind::Authoritative, _) => Signing::Required,
        (NodeKind::InsecureDelegation | NodeKind::SecureDelegation, rtype::DS | rtype::NSEC) => {
            Signing::Required
        }
        (_, rtype::NSEC) => Signing::Unjudged,
        _ => Signing::Forbidden,
    }
}

/// What an RRset is as far as signing goes.
fn class(prepared: &Prepared<'_>, kind: NodeKind, record_type: u16) -> Class {
    let is_unsigned = prepared.signers.is_unsigned;
    match record_type {
        rtype::DNSKEY if kind == NodeKind::Apex => Class::Keyset,
        rtype::CDS | rtype::CDNSKEY if kind == NodeKind::Apex && is_unsigned => Class::Keyset,
        _ => Class::Data,
    }
}

/// The RRset whose signatures are being checked.
#[derive(Clone, Copy)]
struct Signed<'e> {
    node: usize,
    record_type: u16,
    class: Class,
    ttl: u32,
    entries: &'e [Entry],
}

impl Worker<'_, '_> {
    /// Checks all signatures over an RRset, and that none is missing.
    pub(crate) fn check_signatures(&mut self, node: usize, kind: NodeKind, rrset: &[Entry]) {
        let prepared = self.prepared;
        let index = &prepared.zone.index;
        let record_type = rrset[0].rtype;
        let all = prepared.zone.rrset(node, rtype::RRSIG);
        let start = all.partition_point(|&entry| index.covered(entry) < record_type);
        let end = all.partition_point(|&entry| index.covered(entry) <= record_type);
        let rrsigs = all.get(start..end).unwrap_or(&[]);
        let required = signing(prepared, kind, record_type);
        if required == Signing::Forbidden {
            if !rrsigs.is_empty() {
                self.add(FindingId::SignatureOnUnsignable, node, record_type, "");
            }
            return;
        }
        let limit = prepared.expectations.limits.rrsigs_per_rrset;
        if rrsigs.len() > limit {
            let detail = format!("{} signatures, limit {limit}", rrsigs.len());
            self.add(FindingId::TooManySignatures, node, record_type, detail);
        }
        let ttl = index.record(rrset[0]).ttl;
        let class = class(prepared, kind, record_type);
        let signed = Signed { node, record_type, class, ttl, entries: rrset };
        self.signed_data.clear();
        self.rrset_signers.clear();
        self.attempts = 0;
        let mut seen = [false; 256];
        for &entry in rrsigs.iter().take(limit) {
            let record = index.record(entry);
            // Malformed RDATA is found when the RRSIGs are checked as records.
            let Some(rrsig) = rdata::rrsig(record.rdata) else { continue };
            let tag = (rrsig.key_tag, rrsig.algorithm);
            // Nobody else can check a signature by an unpublished key, so it counts for nothing.
            let is_hidden = prepared.signers.hidden(class, tag).next().is_some()
                && !prepared.keys.iter().any(|key| (key.tag, key.algorithm) == tag);
            seen[usize::from(rrsig.algorithm)] |= !is_hidden;
            if self.check_signature(signed, record, rrsig) {
                self.rrset_signers.push(rrsig.key_id());
            }
        }
        self.note_signers(signed, kind);
        if required == Signing::Required && rrsigs.len() <= limit {
            self.check_signers(signed, kind, rrsigs, &seen);
        }
    }

    /// Leaves who signs what for the checks of the zone as a whole.
    fn note_signers(&mut self, signed: Signed<'_>, kind: NodeKind) {
        let facts = &mut self.report.facts;
        if signed.record_type == rtype::DNSKEY && kind == NodeKind::Apex {
            facts.keyset_signers.extend(&self.rrset_signers);
        } else {
            let owner = self.prepared.zone.owner(signed.node);
            facts.signer_sets.note(&mut self.rrset_signers, owner);
        }
    }

    /// That no signature is missing.
    fn check_signers(
        &mut self,
        signed: Signed<'_>,
        kind: NodeKind,
        rrsigs: &[Entry],
        seen: &[bool; 256],
    ) {
        let Signed { node, record_type, class, .. } = signed;
        let prepared = self.prepared;
        let index = &prepared.zone.index;
        let needs = prepared.signers.needs(class);
        for &algorithm in &needs.algorithms {
            if !seen[usize::from(algorithm)] {
                let detail = format!("algorithm {algorithm}");
                self.add(FindingId::SignatureMissing, node, record_type, detail);
            }
        }
        let signs = |tag: (u16, u8)| {
            let rrsigs = rrsigs.iter().filter_map(|&entry| rdata::rrsig(index.record(entry).rdata));
            rrsigs.into_iter().any(|rrsig| (rrsig.key_tag, rrsig.algorithm) == tag)
        };
        for &(key_tag, algorithm) in &needs.keys {
            // What lacks a whole algorithm has been reported.
            let is_reported =
                needs.algorithms.contains(&algorithm) && !seen[usize::from(algorithm)];
            if !is_reported && !signs((key_tag, algorithm)) {
                let by = KeyId { algorithm, key_tag }.to_string();
                self.add(FindingId::KeyDoesNotSign, node, record_type, by);
            }
        }
        let mut seps = prepared.keys.iter().filter(|key| key.is_sep() && key.may_sign()).peekable();
        let is_keyset = record_type == rtype::DNSKEY && kind == NodeKind::Apex;
        if is_keyset
            && prepared.signers.needs_sep
            && !rrsigs.is_empty()
            && seps.peek().is_some()
            && !seps.any(|key| signs((key.tag, key.algorithm)))
        {
            self.add(FindingId::NoSepSignature, node, record_type, "");
        }
    }

    /// RRSIGs that cover no RRset at this name.
    pub(crate) fn check_orphaned_signatures(&mut self, node: usize) {
        let zone = &self.prepared.zone;
        let rrsigs = zone.rrset(node, rtype::RRSIG);
        let covered_of = |entry: &Entry| zone.index.covered(*entry);
        for group in rrsigs.chunk_by(|left, right| covered_of(left) == covered_of(right)) {
            let covered = covered_of(&group[0]);
            if covered == rtype::RRSIG {
                self.add(FindingId::SignatureOnUnsignable, node, covered, "");
            } else if zone.rrset(node, covered).is_empty() {
                self.add(FindingId::SignatureWithoutRrset, node, covered, "");
            }
        }
    }

    /// Whether the signature is a good one, but for its times.
    fn check_signature(
        &mut self,
        signed: Signed<'_>,
        record: Record<'_>,
        rrsig: Rrsig<'_>,
    ) -> bool {
        let Signed { node, record_type, ttl, .. } = signed;
        let prepared = self.prepared;
        let by = rrsig.key_id();
        if !wire::equal_names(rrsig.signer, &prepared.expectations.apex) {
            let detail = format!("{by}, signer {}", wire::NameText(rrsig.signer));
            self.add(FindingId::SignerName, node, record_type, detail);
            return false;
        }
        let labels = countable_labels(record.owner);
        if usize::from(rrsig.labels) != labels {
            let detail = format!("{by}, labels {}, expected {labels}", rrsig.labels);
            self.add(FindingId::SignatureLabels, node, record_type, detail);
            return false;
        }
        if rrsig.original_ttl != ttl {
            let detail = format!("{by}, original TTL {}, TTL {ttl}", rrsig.original_ttl);
            self.add(FindingId::SignatureOriginalTtl, node, record_type, detail);
            return false;
        }
        if record.ttl != ttl {
            let detail = format!("{by}, TTL {}, expected {ttl}", record.ttl);
            self.add(FindingId::SignatureTtl, node, record_type, detail);
        }
        self.check_times(signed, rrsig);
        self.verify(signed, record, rrsig)
    }

    /// Times are 32-bit serial numbers around `now` (RFC 4034 §3.1.5).
    fn check_times(&mut self, signed: Signed<'_>, rrsig: Rrsig<'_>) {
        let Signed { node, record_type, ttl, .. } = signed;
        let expectations = &self.prepared.expectations;
        // Truncation is what serial arithmetic asks for.
        let now = expectations.now as u32;
        let from_now = |time: u32| i64::from(time.wrapping_sub(now).cast_signed());
        let (inception, expiration) = (from_now(rrsig.inception), from_now(rrsig.expiration));
        let refresh_seconds = match record_type {
            rtype::DNSKEY | rtype::CDS | rtype::CDNSKEY => expectations.keyset_refresh_seconds,
            _ => None,
        }
        .unwrap_or(expectations.refresh_seconds);
        let by = rrsig.key_id();
        if inception > 0 {
            let detail = format!("{by}, valid in {inception} s");
            self.add(FindingId::SignatureNotYetValid, node, record_type, detail);
        }
        if expiration <= 0 {
            let detail = format!("{by}, {} s ago", -expiration);
            self.add(FindingId::SignatureExpired, node, record_type, detail);
        } else if expiration < i64::from(refresh_seconds) {
            let detail = format!("{by}, in {expiration} s, refresh {refresh_seconds} s");
            self.add(FindingId::SignatureTooOld, node, record_type, detail);
        }
        let expires_at = expectations.now.cast_signed().saturating_add(expiration);
        let owner = self.prepared.zone.owner(node);
        self.report.facts.note_signature(expires_at, ttl, owner);

        let Some(policy) = expectations.lifetimes else { return };
        let validity = match record_type {
            rtype::NSEC | rtype::NSEC3 => policy.denial_seconds,
            rtype::DNSKEY => policy.keyset_seconds,
            _ => policy.default_seconds,
        };
        let expected = i64::from(validity) + i64::from(policy.inception_offset_seconds);
        let lifetime = expiration - inception;
        if (lifetime - expected).abs() > i64::from(policy.jitter_seconds) {
            let detail = format!(
                "{by}, {lifetime} s, expected {expected} s give or take {} s",
                policy.jitter_seconds
            );
            self.add(FindingId::SignatureLifetime, node, record_type, detail);
        }
    }

    /// Whether a key that may sign this made the signature; every other case is an error, but for
    /// keys that cannot be verified with, which have been reported themselves.
    fn verify(&mut self, signed: Signed<'_>, record: Record<'_>, rrsig: Rrsig<'_>) -> bool {
        let Signed { node, record_type, class, .. } = signed;
        let prepared = self.prepared;
        let published = || {
            let limit = prepared.expectations.limits.keys_per_tag;
            prepared
                .keys
                .iter()
                .filter(|key| (key.tag, key.algorithm) == (rrsig.key_tag, rrsig.algorithm))
                .chain(prepared.signers.hidden(class, (rrsig.key_tag, rrsig.algorithm)))
                .take(limit)
        };
        if published().next().is_none() {
            let detail = rrsig.key_id().to_string();
            self.add(FindingId::SignatureKeyUnknown, node, record_type, detail);
            return false;
        }
        // A revoked key signs the DNSKEY RRset to prove its revocation (RFC 5011 §2.1).
        let is_keyset = record_type == rtype::DNSKEY;
        let is_fit = |key: &&crate::keys::ZoneKey| {
            key.may_sign() || (is_keyset && key.is_zone_key() && key.protocol == 3)
        };
        if !published().any(|key| is_fit(&key)) {
            let detail = rrsig.key_id().to_string();
            self.add(FindingId::SignatureByUnfitKey, node, record_type, detail);
            return false;
        }
        if self.changed.is_some_and(|changed| !changed.contains(record.owner, record_type)) {
            // Octet by octet what the last audit verified, with the same keys.
            return true;
        }
        // What changed since the last audit is verified whatever the sample.
        if self.changed.is_none()
            && record.owner.len() != prepared.expectations.apex.len()
            && !prepared.expectations.is_sampled(record.owner)
        {
            self.report.counts.signatures_unverified += 1;
            return true;
        }
        self.build_signed_data(signed, record);
        let verifiable = published().filter(is_fit).filter(|key| key.can_verify());
        let limit = prepared.expectations.limits.verifications_per_rrset;
        let mut is_tried = false;
        for key in verifiable {
            is_tried = true;
            if self.attempts == limit {
                let detail = format!("limit {limit}");
                self.add(FindingId::TooMuchWork, node, record_type, detail);
                return false;
            }
            self.attempts += 1;
            if key.verifies(&self.signed_data, rrsig.signature) {
                self.report.counts.signatures_verified += 1;
                return true;
            }
        }
        if is_tried {
            let detail = rrsig.key_id().to_string();
            self.add(FindingId::SignatureWrong, node, record_type, detail);
        }
        // Else the key has been reported as one that the auditor cannot verify with.
        false
    }

    /// RFC 4034 §3.1.8.1: RRSIG RDATA without the signature, then the RRset in canonical form.
    /// The signer is the apex and the original TTL is the RRset's, as was checked before; so only
    /// the head differs between two signatures over one RRset.
    fn build_signed_data(&mut self, signed: Signed<'_>, rrsig_record: Record<'_>) {
        let prepared = self.prepared;
        let head = 18 + prepared.expectations.apex.len();
        if self.signed_data.is_empty() {
            self.signed_data.resize(head, 0);
            self.signed_data[18..].copy_from_slice(&prepared.expectations.apex);
            let mut previous: Option<&[u8]> = None;
            for &entry in signed.entries {
                let record = prepared.zone.index.record(entry);
                let is_same = |p: &[u8]| rdata::compare(record.rtype, p, record.rdata).is_eq();
                if previous.is_some_and(is_same) {
                    continue;
                }
                previous = Some(record.rdata);
                let out = &mut self.signed_data;
                let start = out.len();
                out.extend_from_slice(record.owner);
                out[start..].make_ascii_lowercase();
                out.extend_from_slice(&record.rtype.to_be_bytes());
                out.extend_from_slice(&record.class.to_be_bytes());
                out.extend_from_slice(&signed.ttl.to_be_bytes());
                // It came with a 16-bit length.
                out.extend_from_slice(&(record.rdata.len() as u16).to_be_bytes());
                rdata::append_canonical(record.rtype, record.rdata, out);
            }
        }
        self.signed_data[..18].copy_from_slice(&rrsig_record.rdata[..18]);
    }
}

/// Labels as the RRSIG counts them: without the root and a leading `*` (RFC 4034 §3.1.3).
fn countable_labels(owner: &[u8]) -> usize {
    wire::label_count(owner) - usize::from(owner.starts_with(b"\x01*"))
}
