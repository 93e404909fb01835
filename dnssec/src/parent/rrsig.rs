//! One RRset of an answer and its RRSIGs, as a validator sees them (RFC 4035 §5.3; RFC 6840 §5).
//! In: records of an answer, the zone's keys, the time, a function that verifies one signature.
//! Out: the fields of the signature that proves the RRset, or the best reason why none does.
//! Never: cryptography, the clock; an RRset that a wildcard was expanded to.
//! Limits, so that a hostile answer costs little (CVE-2023-50387): [`RECORDS_MAX`] records of an
//! RRset, [`SIGNATURES_MAX`] RRSIGs over it, [`KEYS_PER_TAG_MAX`] keys of one tag and algorithm,
//! and [`VERIFICATIONS_MAX`] signatures verified for one answer, whatever it holds.

use super::answer::{AnswerRecord, is_above, is_same};
use crate::key::{PublicKey, REVOKE, key_tag};
use crate::rdata;
use crate::rrtype::CLASS_IN;
use crate::signing::tbs::rrsig_labels;
use crate::{Algorithm, KeyTag, Name, RrType, Seconds, Timestamp, Ttl};

/// Most records of one RRset.
pub(super) const RECORDS_MAX: usize = 64;
/// Most RRSIGs over one RRset that are looked at.
pub(super) const SIGNATURES_MAX: usize = 8;
/// Most keys with one tag and algorithm.
pub(super) const KEYS_PER_TAG_MAX: usize = 2;
/// Most signatures that are verified for one answer, the parent's DNSKEY RRset included.
pub const VERIFICATIONS_MAX: u32 = 24;

/// The Zone Key flag of a DNSKEY (RFC 4034 §2.1.1).
pub(super) const ZONE_KEY: u16 = 0x0100;
/// Octets of an RRSIG before the signer's name (RFC 4034 §3.1).
pub(super) const SIGNER_OFFSET: usize = 18;

/// Why an answer is not believed; the later ones tell more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Bogus {
    /// No anchor of a zone above the child.
    #[error("there is no trust anchor of a zone above it")]
    NoAnchor,
    /// No such RRset.
    #[error("it shows no {0} records of the parent")]
    Missing(RrType),
    /// No DNSKEY is what an anchor says.
    #[error("none of the parent's DNSKEYs is what the trust anchor says")]
    AnchorMatchesNone,
    /// Nothing denies the DS.
    #[error("nothing proves that there is no DS")]
    NoProof,
    /// No RRSIG over the RRset.
    #[error("its {0} records are not signed")]
    Unsigned(RrType),
    /// An RRSIG that does not have the form of one.
    #[error("an RRSIG over its {0} records is malformed")]
    Malformed(RrType),
    /// By another zone than the parent.
    #[error("its {0} records are not signed by the zone of the trust anchor")]
    Signer(RrType),
    /// Labels of another name, or of a wildcard.
    #[error("its {0} records are signed under another name")]
    Labels(RrType),
    /// An algorithm that proves nothing here.
    #[error("its {0} records are signed with algorithm {1}, which is not believed")]
    Algorithm(RrType, u8),
    /// By a key that the parent does not have.
    #[error("its {0} records are signed by a key ({1}) that the parent does not show")]
    Key(RrType, KeyTag),
    /// The key signs too many things at once: its tag is many keys'.
    #[error("more than {KEYS_PER_TAG_MAX} keys of the parent have key tag {0}")]
    KeyTags(KeyTag),
    /// Inception is in the future.
    #[error("the signature over its {0} records is not valid yet")]
    NotYet(RrType),
    /// Expiration is past.
    #[error("the signature over its {0} records has expired")]
    Expired(RrType),
    /// The signature is wrong.
    #[error("the signature over its {0} records is wrong")]
    Signature(RrType),
    /// A chain of denial that costs too much.
    #[error("its NSEC3 records have {0} iterations")]
    Iterations(u16),
    /// The proof says the contrary.
    #[error("its proof says that there is a DS, or comes from the zone itself")]
    Contrary,
    /// Too many records.
    #[error("it has more than {RECORDS_MAX} {0} records")]
    Records(RrType),
    /// Too many signatures were wrong.
    #[error("it takes more than {VERIFICATIONS_MAX} signatures to find a right one")]
    Work,
}

/// Says of one signature whether it is right: key, message, signature.
pub type Verify<'v> = &'v dyn Fn(&PublicKey, &[u8], &[u8]) -> bool;

/// Who judges one answer: the time, and how signatures are verified, of which only so many.
pub struct Judge<'v> {
    /// The time.
    pub(super) now: Timestamp,
    verify: Verify<'v>,
    left: u32,
}

impl Judge<'_> {
    /// A judge of one answer, at `now`.
    pub fn new(now: Timestamp, verify: Verify<'_>) -> Judge<'_> {
        Judge { now, verify, left: VERIFICATIONS_MAX }
    }

    fn is_right(&mut self, key: &PublicKey, message: &[u8], it: &[u8]) -> Result<bool, Bogus> {
        self.left = self.left.checked_sub(1).ok_or(Bogus::Work)?;
        Ok((self.verify)(key, message, it))
    }
}

/// Whether a signature of this algorithm proves anything: SHA-1 can be made to collide
/// (RFC 9905), and no library of ours verifies Ed448.
pub(super) fn is_believed(algorithm: Algorithm) -> bool {
    !algorithm.is_deprecated() && algorithm != Algorithm::Ed448
}

/// A key of the parent that may sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParentKey {
    pub(super) tag: KeyTag,
    pub(super) key: PublicKey,
}

impl ParentKey {
    /// The key in a DNSKEY's RDATA; `None` for one that signs no data (RFC 4035 §5.3.1, RFC 5011
    /// §2.1), or with an algorithm that is not believed.
    pub(super) fn from_rdata(rdata: &[u8]) -> Option<ParentKey> {
        let [high, low, protocol, algorithm, bytes @ ..] = rdata else { return None };
        let flags = u16::from_be_bytes([*high, *low]);
        if flags & ZONE_KEY == 0 || flags & REVOKE != 0 || *protocol != 3 || bytes.is_empty() {
            return None;
        }
        let algorithm = Algorithm::from_number(*algorithm).filter(|one| is_believed(*one))?;
        let key = PublicKey { algorithm, bytes: bytes.to_vec() };
        Some(ParentKey { tag: key_tag(rdata), key })
    }
}

/// An RRset with the signature that proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proven {
    /// Its TTL as it was signed, or the time until the signature expires, if that is shorter
    /// (RFC 4035 §5.3.3).
    pub(super) ttl: Ttl,
}

/// Proves the RRset of `owner` and `rtype` among `records`, by `keys` of `zone`.
pub(super) fn prove(
    records: &[AnswerRecord],
    (owner, rtype): (&Name, RrType),
    (zone, keys): (&Name, &[ParentKey]),
    judge: &mut Judge<'_>,
) -> Result<Proven, Bogus> {
    let here = |record: &&AnswerRecord| is_same(&record.owner, owner);
    let of_type = records.iter().filter(here).filter(|record| record.rtype == rtype);
    let mut rdatas: Vec<&[u8]> =
        of_type.take(RECORDS_MAX + 1).map(|record| record.rdata.as_slice()).collect();
    if rdatas.len() > RECORDS_MAX {
        return Err(Bogus::Records(rtype));
    }
    if rdatas.is_empty() {
        return Err(Bogus::Missing(rtype));
    }
    // Canonical order; a record that stands twice is one (RFC 4034 §6.3).
    rdatas.sort_unstable();
    rdatas.dedup();
    let signatures = records.iter().filter(here).filter(|record| covers(record, rtype));
    let mut best = Bogus::Unsigned(rtype);
    for record in signatures.take(SIGNATURES_MAX) {
        let fault = match Rrsig::read(&record.rdata) {
            None => Bogus::Malformed(rtype),
            Some(rrsig) => match rrsig.proves((owner, rtype), &rdatas, (zone, keys), judge) {
                Ok(()) => return Ok(Proven { ttl: rrsig.ttl(judge.now) }),
                Err(Bogus::Work) => return Err(Bogus::Work),
                Err(fault) => fault,
            },
        };
        best = best.max(fault);
    }
    Err(best)
}

fn covers(record: &AnswerRecord, rtype: RrType) -> bool {
    record.rtype == RrType::RRSIG && record.rdata.starts_with(&rtype.0.to_be_bytes())
}

/// An RRSIG's RDATA, taken apart (RFC 4034 §3.1).
struct Rrsig<'r> {
    algorithm: u8,
    labels: u8,
    original_ttl: u32,
    expiration: u32,
    inception: u32,
    tag: KeyTag,
    signer: Name,
    /// The octets before the signer's name.
    head: &'r [u8],
    signature: &'r [u8],
}

impl Rrsig<'_> {
    fn read(rdata: &[u8]) -> Option<Rrsig<'_>> {
        let (head, rest) = rdata.split_at_checked(SIGNER_OFFSET)?;
        // A compressed name is none here (RFC 4034 §3.1.7).
        let (signer, length) = Name::from_wire(rest).ok()?;
        let word =
            |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        Some(Rrsig {
            algorithm: head[2],
            labels: head[3],
            original_ttl: word(4),
            expiration: word(8),
            inception: word(12),
            tag: KeyTag(u16::from_be_bytes([head[16], head[17]])),
            signer,
            head,
            signature: &rest[length..],
        })
    }

    fn proves(
        &self,
        (owner, rtype): (&Name, RrType),
        rdatas: &[&[u8]],
        (zone, keys): (&Name, &[ParentKey]),
        judge: &mut Judge<'_>,
    ) -> Result<(), Bogus> {
        if !is_same(&self.signer, zone) || !(is_same(owner, zone) || is_above(zone, owner)) {
            return Err(Bogus::Signer(rtype));
        }
        let owner = owner.to_lowercase();
        // None of the RRsets asked for may come from a wildcard (RFC 4035 §5.4, RFC 6840 §4.3).
        if self.labels != rrsig_labels(owner.as_wire()) {
            return Err(Bogus::Labels(rtype));
        }
        if !Algorithm::from_number(self.algorithm).is_some_and(is_believed) {
            return Err(Bogus::Algorithm(rtype, self.algorithm));
        }
        if Timestamp::from_wire(self.inception, judge.now) > judge.now {
            return Err(Bogus::NotYet(rtype));
        }
        if Timestamp::from_wire(self.expiration, judge.now) < judge.now {
            return Err(Bogus::Expired(rtype));
        }
        let is_signer =
            |key: &&ParentKey| key.tag == self.tag && key.key.algorithm.number() == self.algorithm;
        let signers = keys.iter().filter(is_signer);
        match signers.clone().count() {
            0 => return Err(Bogus::Key(rtype, self.tag)),
            1..=KEYS_PER_TAG_MAX => {}
            _ => return Err(Bogus::KeyTags(self.tag)),
        }
        let message = self.message(&owner, rtype, rdatas);
        for signer in signers {
            if judge.is_right(&signer.key, &message, self.signature)? {
                return Ok(());
            }
        }
        Err(Bogus::Signature(rtype))
    }

    /// What was signed (RFC 4034 §3.1.8.1); `owner` is in lower case.
    fn message(&self, owner: &Name, rtype: RrType, rdatas: &[&[u8]]) -> Vec<u8> {
        let mut message = self.head.to_vec();
        message.extend(self.signer.to_lowercase().as_wire());
        for rdata in rdatas {
            message.extend(owner.as_wire());
            message.extend(rtype.0.to_be_bytes());
            message.extend(CLASS_IN.to_be_bytes());
            message.extend(self.original_ttl.to_be_bytes());
            // RDATA came out of a message, whose length field it fits.
            message.extend((rdata.len() as u16).to_be_bytes());
            // None of the types proven has names in lower case (RFC 6840 §5.1).
            debug_assert!(!rdata::has_canonical_names(rtype));
            message.extend(*rdata);
        }
        message
    }

    fn ttl(&self, now: Timestamp) -> Ttl {
        let rest = Timestamp::from_wire(self.expiration, now).since(now);
        Seconds(u64::from(self.original_ttl)).min(rest).as_ttl()
    }
}
