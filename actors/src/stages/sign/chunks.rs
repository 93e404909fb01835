//! Signs the chunks of a version: all, those with something due, or some owners only.
//! In: a ticket of the sign stage. Out: chunk lists, signed but for the SOA, and counts.

use super::super::denial::Changed;
use super::{Sign, SignCounts, SignInput, Stage, StageError, run_of};
use crate::runtime::WorkerPool;
use dnssec::signing::plan::{Messages, SigningRun, plan_chunk};
use dnssec::signing::reuse::Renewal;
use dnssec::signing::share::{self, ChunkLife};
use dnssec::signing::step::has_strangers;
use dnssec::signing::{Signer, SigningTimes};
use dnssec::zone::build::ChunkBuilder;
use dnssec::zone::chunk::Chunk;
use dnssec::zone::replace::{Replacements, replace_owners};
use dnssec::zone::{ChunkList, ZoneVersion};
use hsm::{Packed, SignBatch};
use std::sync::Arc;

/// The chunks of a version, signed but for the SOA.
pub(super) struct SignedLists {
    pub(super) names: Vec<Arc<Chunk>>,
    pub(super) hashes: Vec<Arc<Chunk>>,
    pub(super) counts: SignCounts,
    /// Whether every RRset stood in the last version with the same records.
    pub(super) is_same_data: bool,
}

struct Part {
    chunks: Vec<Arc<Chunk>>,
    counts: SignCounts,
    is_same_data: bool,
}

fn lists(names: Part, hashes: Part) -> SignedLists {
    SignedLists {
        counts: SignCounts {
            made: names.counts.made + hashes.counts.made,
            kept: names.counts.kept + hashes.counts.kept,
        },
        is_same_data: names.is_same_data && hashes.is_same_data,
        names: names.chunks,
        hashes: hashes.chunks,
    }
}

/// Signs an unsigned version; what the last one had is kept where it may be.
pub(super) fn sign_whole(
    pool: &WorkerPool,
    input: &SignInput,
    version: &ZoneVersion,
) -> Result<SignedLists, StageError> {
    let sign = |list: &ChunkList| {
        let previous = input.previous.clone();
        sign_each(pool, list.clone(), input, move |input, chunk| {
            sign_chunk(input, previous.as_deref(), Renewal::Due, chunk)
        })
    };
    Ok(lists(sign(&version.names)?, sign(&version.hashes)?))
}

/// How each chunk of a signed version is renewed, names first; `None`: it stands as it is.
/// `works_ahead`: this is a pass of the resign timer, which has a share of the work to do.
pub fn renewals_of(
    version: &ZoneVersion,
    times: &SigningTimes,
    works_ahead: bool,
) -> Vec<Option<Renewal>> {
    let is_due = |chunk: &Arc<Chunk>| {
        chunk.earliest_expiration().is_some_and(|expiration| times.is_due(expiration))
    };
    match works_ahead {
        true => {
            let lives: Vec<ChunkLife> =
                version.chunks().map(|chunk| ChunkLife::of(chunk)).collect();
            share::renewals(&lives, times)
        }
        false => version.chunks().map(|chunk| is_due(chunk).then_some(Renewal::Due)).collect(),
    }
}

/// Signs anew what is due in a signed version, taken ahead of its time, or has signatures by keys
/// that are gone; other chunks are not looked into.
pub(super) fn sign_due(
    pool: &WorkerPool,
    input: &SignInput,
    version: &Arc<ZoneVersion>,
) -> Result<SignedLists, StageError> {
    let mut renewals = renewals_of(version, &input.times, input.works_ahead);
    for (renewal, chunk) in renewals.iter_mut().zip(version.chunks()) {
        if renewal.is_none() && has_strangers(chunk, &input.signers, &input.published) {
            *renewal = Some(Renewal::Due);
        }
    }
    let sign = |list: &ChunkList, renewals: &[Option<Renewal>]| {
        let chosen = |(at, renewal): (usize, &Option<Renewal>)| renewal.map(|how| (at, how));
        let chosen: Vec<(usize, Renewal)> =
            renewals.iter().enumerate().filter_map(chosen).collect();
        let looked_at: usize = chosen.iter().map(|&(at, _)| list[at].signature_count()).sum();
        let (own, jobs) = (version.clone(), list.clone());
        let signed = sign_each(pool, chosen.clone().into(), input, move |input, &(at, how)| {
            sign_chunk(input, Some(&own), how, &jobs[at])
        })?;
        let all: usize = list.iter().map(|chunk| chunk.signature_count()).sum();
        let mut chunks = list.to_vec();
        chosen.iter().zip(signed.chunks).for_each(|(&(at, _), chunk)| chunks[at] = chunk);
        let kept = all - looked_at + signed.counts.kept;
        Ok::<_, StageError>(Part { chunks, counts: SignCounts { kept, ..signed.counts }, ..signed })
    };
    let (of_names, of_hashes) = renewals.split_at(version.names.len());
    Ok(lists(sign(&version.names, of_names)?, sign(&version.hashes, of_hashes)?))
}

/// Signs the owners that changed, puts them into the last signed version, and signs anew what is
/// due there.
pub(super) fn sign_changed(
    pool: &WorkerPool,
    input: &SignInput,
    version: &Arc<ZoneVersion>,
    changed: &Changed,
) -> Result<SignedLists, StageError> {
    let (names, names_end) = sign_owners(pool, input, version, &changed.names)?;
    let (hashes, hashes_end) = sign_owners(pool, input, version, &changed.hashes)?;
    let merged = Arc::new(ZoneVersion {
        apex: version.apex.clone(),
        names: replace_owners(&version.names, &names),
        hashes: replace_owners(&version.hashes, &hashes),
    });
    let mut lists = sign_due(pool, input, &merged)?;
    let made = names_end.counts.made + hashes_end.counts.made;
    lists.counts.kept -= made.min(lists.counts.kept);
    lists.counts.made += made;
    lists.is_same_data &= names_end.is_same_data && hashes_end.is_same_data;
    Ok(lists)
}

/// Signs single owners, many in one batch; the chunks of the second part are of no use any more.
fn sign_owners(
    pool: &WorkerPool,
    input: &SignInput,
    previous: &Arc<ZoneVersion>,
    owners: &Replacements,
) -> Result<(Replacements, Part), StageError> {
    let mut groups = Vec::new();
    let mut builder = ChunkBuilder::default();
    for owner in owners.values().flatten() {
        builder.push_owner(&owner.owner(0));
        if builder.is_full() {
            groups.push(Arc::new(builder.finish()));
        }
    }
    if !builder.is_empty() {
        groups.push(Arc::new(builder.finish()));
    }
    let own = previous.clone();
    let mut part = sign_each(pool, groups.into(), input, move |input, chunk| {
        sign_chunk(input, Some(&own), Renewal::Due, chunk)
    })?;
    // An owner that goes, or is written otherwise, is a change of its own.
    let is_same = |(key, new): (&Vec<u8>, &Option<Arc<Chunk>>)| {
        let list = [&previous.names, &previous.hashes];
        let mut old = list.into_iter().filter_map(|list| dnssec::zone::find(list, key));
        new.as_ref().is_some_and(|new| {
            let case = new.owner(0).given_case();
            old.any(|old| old.given_case() == case)
        })
    };
    part.is_same_data &= owners.iter().all(is_same);
    let mut signed: Replacements = owners.keys().map(|key| (key.clone(), None)).collect();
    for owner in part.chunks.iter().flat_map(|chunk| chunk.owners()) {
        let mut builder = ChunkBuilder::default();
        builder.push_owner(&owner);
        signed.insert(owner.key().to_vec(), Some(Arc::new(builder.finish())));
    }
    Ok((signed, part))
}

type SignedChunk = (Arc<Chunk>, SignCounts, bool);

fn sign_each<J: Send + Sync + 'static>(
    pool: &WorkerPool,
    jobs: Arc<[J]>,
    input: &SignInput,
    sign: impl Fn(&SignInput, &J) -> Result<SignedChunk, StageError> + Send + Sync + 'static,
) -> Result<Part, StageError> {
    let (own, progress) = (input.clone(), pool.progress().clone());
    let counted = move |_: usize, job: &J| {
        let signed = sign(&own, job);
        progress.advance(1);
        let made = signed.as_ref().map_or(0, |(_, counts, _)| counts.made);
        progress.signed(made as u64);
        signed
    };
    let results = pool
        .map(jobs, counted)
        .map_err(|panic| StageError::Crashed { stage: Sign::NAME, cause: panic.to_string() })?;
    let mut part = Part {
        chunks: Vec::with_capacity(results.len()),
        counts: SignCounts::default(),
        is_same_data: true,
    };
    for result in results {
        let (chunk, counts, is_same_data) = result?;
        part.chunks.push(chunk);
        part.counts.made += counts.made;
        part.counts.kept += counts.kept;
        part.is_same_data &= is_same_data;
    }
    Ok(part)
}

fn sign_chunk(
    input: &SignInput,
    previous: Option<&ZoneVersion>,
    renewal: Renewal,
    chunk: &Arc<Chunk>,
) -> Result<SignedChunk, StageError> {
    let run = SigningRun { renewal, ..run_of(input, previous) };
    let mut plan = plan_chunk(&run, chunk);
    let counts = SignCounts { made: plan.made_count(), kept: plan.kept_count };
    let mut signatures = Vec::with_capacity(input.signers.len());
    for (signer, messages) in input.signers.iter().zip(&mut plan.messages) {
        signatures.push(sign_messages(input, signer, messages)?);
    }
    let iterators = signatures.iter().map(|packed| packed.iter()).collect();
    let signed = plan.apply(&run, chunk, iterators)?;
    Ok((Arc::new(signed), counts, plan.is_same_data))
}

/// Has one key sign its messages, which are taken out of the plan but for their count.
pub(super) fn sign_messages(
    input: &SignInput,
    signer: &Signer,
    messages: &mut Messages,
) -> Result<Packed, StageError> {
    if messages.count() == 0 {
        return Ok(Packed::default());
    }
    let repository = &signer.repository;
    let slot = input
        .slots
        .get(repository)
        .ok_or_else(|| StageError::RepositoryMissing { repository: repository.clone() })?;
    let packed = Packed::from_parts(std::mem::take(&mut messages.bytes), messages.ends.clone());
    let batch = SignBatch {
        key: signer.id.clone(),
        algorithm: signer.algorithm,
        // Ends rise up to the length; only a chunk of 256 MiB to sign would not fit.
        messages: packed.unwrap_or_default(),
    };
    slot.sign(&batch).map_err(|error| StageError::Slot { repository: repository.clone(), error })
}
