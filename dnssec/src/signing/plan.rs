//! The signing plan of a chunk: for each RRset, keep the signature of the last version or make
//! a new one (catalogue 5.2).
//! In: a chunk with its denial records, the last signed version, keys and times. Out: messages to
//! be signed, packed by key; then, with the signatures, the signed chunk.
//! What is made last is left out: the SOA, whose serial is known only when it is clear that there
//! is a new version, and the ZONEMD ([`super::apex`]).

use super::apex::is_ours;
use super::reuse::{PublishedKey, Renewal, reusable};
use super::tbs::{SignatureFields, push_message};
use super::{Signer, SigningTimes};
use crate::denial::is_signed;
use crate::zone::ZoneVersion;
use crate::zone::build::ChunkBuilder;
use crate::zone::chunk::{Chunk, OwnerView, RrsetView, SignatureView};
use crate::zone::key::key_to_wire;
use crate::{Name, RrType, Timestamp};

/// What one signing run works with.
pub struct SigningRun<'a> {
    /// The zone.
    pub apex: &'a Name,
    /// The active keys.
    pub signers: &'a [Signer],
    /// The keys whose DNSKEY will be in the signed zone, the active ones among them; the only
    /// keys whose signatures may stand in for an active key's.
    pub published: &'a [PublishedKey],
    /// How much of the chunks is signed anew.
    pub renewal: Renewal,
    /// Times of the run.
    pub times: &'a SigningTimes,
    /// The last signed version, whose signatures may be kept.
    pub previous: Option<&'a ZoneVersion>,
}

/// Messages to be signed with one key, packed one after the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    /// The bytes of all messages.
    pub bytes: Vec<u8>,
    /// Where each message ends in `bytes`.
    pub ends: Vec<u32>,
}

impl Messages {
    /// Number of messages.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Each message.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start as usize..*end as usize])
    }
}

/// What to do about one RRset and one signer.
enum Decision<'a> {
    Keep(SignatureView<'a>),
    Make { expiration: Timestamp },
}

/// The plan of one chunk.
pub struct ChunkPlan<'a> {
    /// In the order of owners, RRsets and signers.
    decisions: Vec<Decision<'a>>,
    /// For each of the run's signers, what it is to sign, in the order of the decisions.
    pub messages: Vec<Messages>,
    /// How many signatures are kept.
    pub kept_count: usize,
    /// Whether every RRset stood in the last version with the same records.
    pub is_same_data: bool,
}

/// Plans the signatures of a chunk.
pub fn plan_chunk<'a>(run: &SigningRun<'a>, chunk: &Chunk) -> ChunkPlan<'a> {
    let mut plan = ChunkPlan {
        decisions: Vec::new(),
        messages: vec![Messages::default(); run.signers.len()],
        kept_count: 0,
        is_same_data: true,
    };
    let signer_name = run.apex.to_lowercase();
    let mut owner_wire = Vec::new();
    // Chunks are never empty; if one were, nothing would be signed.
    let chunk_key = chunk.owners().next().map_or(&[][..], |first| first.key());
    for owner in chunk.owners() {
        // Keys come from our own builder and always turn back into names.
        key_to_wire(run.apex, owner.key(), &mut owner_wire);
        let before = run.previous.and_then(|previous| find(previous, &owner));
        for rrset in owner.rrsets() {
            // An owner may have RRSIGs of the input with several TTLs, which are several sets.
            let old = before.and_then(|owner| owner.rrsets().find(|old| old.same_data(&rrset)));
            plan.is_same_data &= old.is_some() || is_ours(run, owner.key(), rrset.rtype);
            for (index, signer) in signers_of(run, &owner, &rrset) {
                if let Some(kept) = reusable(run, &owner, signer, old.as_ref()) {
                    plan.decisions.push(Decision::Keep(kept));
                    plan.kept_count += 1;
                    continue;
                }
                let expiration = run.times.expiration(chunk_key, rrset.rtype);
                let fields = fields(run, signer, expiration);
                let messages = &mut plan.messages[index];
                push_message(
                    &owner_wire,
                    &rrset,
                    &fields,
                    signer_name.as_wire(),
                    &mut messages.bytes,
                );
                messages.ends.push(messages.bytes.len() as u32);
                plan.decisions.push(Decision::Make { expiration });
            }
        }
    }
    plan
}

/// The owner in the last version; NSEC3 owners of ours stand in a list of their own.
fn find<'a>(previous: &'a ZoneVersion, owner: &OwnerView<'_>) -> Option<OwnerView<'a>> {
    let is_hash = owner.rrset(RrType::NSEC3).is_some();
    let own = is_hash.then(|| crate::zone::find(&previous.hashes, owner.key())).flatten();
    own.or_else(|| crate::zone::find(&previous.names, owner.key()))
}

/// The signers of an RRset, with their index in the run; none for what is made last.
fn signers_of<'r>(
    run: &SigningRun<'r>,
    owner: &OwnerView<'r>,
    rrset: &RrsetView<'_>,
) -> impl Iterator<Item = (usize, &'r Signer)> + use<'r> {
    let is_last = rrset.rtype == RrType::SOA || is_ours(run, owner.key(), rrset.rtype);
    let signed = is_signed(owner.kind(), rrset.rtype) && !is_last;
    let (rtype, owner) = (rrset.rtype, *owner);
    let signers = run.signers.iter().enumerate();
    signers.filter(move |(_, signer)| signed && signer.signs(&owner, rtype))
}

pub(super) fn fields(
    run: &SigningRun<'_>,
    signer: &Signer,
    expiration: Timestamp,
) -> SignatureFields {
    SignatureFields {
        algorithm: signer.algorithm.number(),
        key_tag: signer.key_tag,
        inception: run.times.inception().to_wire(),
        expiration: expiration.to_wire(),
    }
}

/// A slot returned fewer or more signatures than it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("asked for {wanted} signatures, got {got}")]
pub struct SignatureCountWrong {
    /// Number of messages.
    pub wanted: usize,
    /// Number of signatures.
    pub got: usize,
}

impl ChunkPlan<'_> {
    /// Number of signatures to make.
    pub fn made_count(&self) -> usize {
        self.messages.iter().map(Messages::count).sum()
    }

    /// The signed chunk. `signatures[s]` are the signatures of signer `s`, one for each of its
    /// messages, in order.
    pub fn apply<'s, I>(
        &self,
        run: &SigningRun<'_>,
        chunk: &Chunk,
        signatures: Vec<I>,
    ) -> Result<Chunk, SignatureCountWrong>
    where
        I: ExactSizeIterator<Item = &'s [u8]>,
    {
        for (messages, signatures) in self.messages.iter().zip(&signatures) {
            let (wanted, got) = (messages.count(), signatures.len());
            if wanted != got {
                return Err(SignatureCountWrong { wanted, got });
            }
        }
        let mut signatures = signatures;
        let mut decisions = self.decisions.iter();
        let mut builder = ChunkBuilder::default();
        for owner in chunk.owners() {
            builder.begin_owner_like(&owner);
            for rrset in owner.rrsets() {
                builder.begin_rrset_like(&rrset);
                for (index, signer) in signers_of(run, &owner, &rrset) {
                    match decisions.next() {
                        Some(Decision::Keep(kept)) => builder.push_signature(kept),
                        Some(Decision::Make { expiration }) => {
                            // Counts were compared above, so there is one more.
                            let signature = signatures[index].next().unwrap_or_default();
                            builder.push_signature(&view(run, signer, *expiration, signature));
                        }
                        None => {}
                    }
                }
                builder.end_rrset();
            }
            builder.end_owner();
        }
        Ok(builder.finish())
    }
}

pub(super) fn view<'s>(
    run: &SigningRun<'_>,
    signer: &Signer,
    expiration: Timestamp,
    signature: &'s [u8],
) -> SignatureView<'s> {
    let fields = fields(run, signer, expiration);
    SignatureView {
        algorithm: fields.algorithm,
        key_tag: fields.key_tag,
        expiration: fields.expiration,
        inception: fields.inception,
        signature,
    }
}
