//! Sign: signatures for what changed or is due, the rest is kept; then the serial and the SOA.
//! In: a version without signatures, the last signed one, keys, slots. Out: the signed version,
//! or word that nothing changed.

use super::{Stage, StageError};
use crate::runtime::WorkerPool;
use dnssec::Serial;
use dnssec::policy::SerialMode;
use dnssec::serial::next_serial;
use dnssec::signing::apex::{is_soa_signature_kept, plan_soa};
use dnssec::signing::plan::{Messages, SigningRun, plan_chunk};
use dnssec::signing::reuse::{PublishedKey, Renewal};
use dnssec::signing::{Signer, SigningTimes};
use dnssec::zone::ZoneVersion;
use dnssec::zone::chunk::Chunk;
use hsm::{Packed, SignBatch, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The sign stage.
pub struct Sign;

/// How much of a version a ticket is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Every chunk.
    All,
    /// The chunks with signatures that are due; the version is the last signed one itself.
    Due,
}

/// A ticket.
#[derive(Clone)]
pub struct SignInput {
    /// What is to be signed.
    pub version: Arc<ZoneVersion>,
    /// How much of it.
    pub extent: Extent,
    /// The last signed version.
    pub previous: Option<Arc<ZoneVersion>>,
    /// The active keys.
    pub signers: Arc<[Signer]>,
    /// The keys in the zone.
    pub published: Arc<[PublishedKey]>,
    /// Times of the run.
    pub times: Arc<SigningTimes>,
    /// The slots of the keys' repositories, by name.
    pub slots: Arc<BTreeMap<String, Arc<dyn Slot>>>,
    /// How the serial is made.
    pub serial_mode: SerialMode,
    /// The input's serial.
    pub input_serial: Serial,
    /// The last published serial.
    pub previous_serial: Option<Serial>,
    /// Whether the input has a serial that was not seen before: reason enough for a version
    /// where the mode is `keep`.
    pub is_new_input: bool,
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SignCounts {
    /// Signatures made.
    pub made: usize,
    /// Signatures kept.
    pub kept: usize,
}

/// What came of it.
pub enum SignOutput {
    /// Every record and signature of the last version still stands: no new version.
    Unchanged,
    /// A new version.
    Signed {
        /// The version.
        version: Arc<ZoneVersion>,
        /// What was done.
        counts: SignCounts,
    },
}

impl Stage for Sign {
    const NAME: &'static str = "sign";
    type Input = SignInput;
    type Output = SignOutput;

    fn run(pool: &WorkerPool, input: SignInput) -> Result<SignOutput, StageError> {
        let chunk_count = input.version.chunks().count();
        pool.progress().begin(Self::NAME, chunk_count as u64);
        let (names, names_end) = sign_chunks(pool, &input, &input.version.names)?;
        let (hashes, hashes_end) = sign_chunks(pool, &input, &input.version.hashes)?;
        let mut counts = SignCounts {
            made: names_end.counts.made + hashes_end.counts.made,
            kept: names_end.counts.kept + hashes_end.counts.kept,
        };
        let same_data = names_end.is_same_data && hashes_end.is_same_data;
        if same_data && counts.made == 0 && is_unchanged(&input, &names, &hashes) {
            return Ok(SignOutput::Unchanged);
        }
        let serial = next_serial(
            input.serial_mode,
            input.input_serial,
            input.previous_serial,
            input.times.now,
        )?;
        let mut names = names;
        let first = sign_soa(&input, &names[0], serial, &mut counts)?;
        names[0] = Arc::new(first);
        let version = ZoneVersion {
            apex: input.version.apex.clone(),
            names: names.into(),
            hashes: hashes.into(),
        };
        Ok(SignOutput::Signed { version: Arc::new(version), counts })
    }
}

fn run_of(input: &SignInput) -> SigningRun<'_> {
    SigningRun {
        apex: &input.version.apex,
        signers: &input.signers,
        published: &input.published,
        renewal: Renewal::Due,
        times: &input.times,
        previous: input.previous.as_deref(),
    }
}

/// Whether the last version stands as it is. All RRsets were found there with all signatures
/// kept, so equal counts mean equal versions; the SOA's signatures are not counted yet.
fn is_unchanged(input: &SignInput, names: &[Arc<Chunk>], hashes: &[Arc<Chunk>]) -> bool {
    let Some(previous) = &input.previous else { return false };
    if input.extent == Extent::Due {
        return is_soa_signature_kept(&run_of(input));
    }
    let keeps_serial = input.serial_mode == SerialMode::Keep && input.is_new_input;
    let count = |of: fn(&Chunk) -> usize| names.iter().chain(hashes).map(|chunk| of(chunk)).sum();
    let soa_signature_count = previous
        .apex_owner()
        .and_then(|apex| apex.rrset(dnssec::RrType::SOA))
        .map_or(0, |soa| usize::from(soa.signature_count));
    let records: usize = count(Chunk::record_count);
    let signatures: usize = count(Chunk::signature_count);
    !keeps_serial
        && records == previous.record_count()
        && signatures + soa_signature_count == previous.signature_count()
        && is_soa_signature_kept(&run_of(input))
}

struct ChunksEnd {
    counts: SignCounts,
    is_same_data: bool,
}

type SignedChunks = (Vec<Arc<Chunk>>, ChunksEnd);

fn sign_chunks(
    pool: &WorkerPool,
    input: &SignInput,
    chunks: &Arc<[Arc<Chunk>]>,
) -> Result<SignedChunks, StageError> {
    let (own, progress) = (input.clone(), pool.progress().clone());
    let counted = move |_: usize, chunk: &Arc<Chunk>| {
        let signed = sign_chunk(&own, chunk);
        progress.advance(1);
        let made = signed.as_ref().map_or(0, |(_, counts, _)| counts.made);
        progress.signed(made as u64);
        signed
    };
    let results = pool
        .map(chunks.clone(), counted)
        .map_err(|panic| StageError::Crashed { stage: Sign::NAME, cause: panic.to_string() })?;
    let mut signed = Vec::with_capacity(results.len());
    let mut end = ChunksEnd { counts: SignCounts::default(), is_same_data: true };
    for result in results {
        let (chunk, counts, is_same_data) = result?;
        signed.push(chunk);
        end.counts.made += counts.made;
        end.counts.kept += counts.kept;
        end.is_same_data &= is_same_data;
    }
    Ok((signed, end))
}

type SignedChunk = (Arc<Chunk>, SignCounts, bool);

fn sign_chunk(input: &SignInput, chunk: &Arc<Chunk>) -> Result<SignedChunk, StageError> {
    let is_due = |expiration| input.times.is_due(expiration);
    if input.extent == Extent::Due && !chunk.earliest_expiration().is_some_and(is_due) {
        let counts = SignCounts { made: 0, kept: chunk.signature_count() };
        return Ok((chunk.clone(), counts, true));
    }
    let run = run_of(input);
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
fn sign_messages(
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

fn sign_soa(
    input: &SignInput,
    first: &Chunk,
    serial: Serial,
    counts: &mut SignCounts,
) -> Result<Chunk, StageError> {
    let run = run_of(input);
    let plan = plan_soa(&run, first, serial)?;
    let mut signatures = Vec::with_capacity(plan.messages.len());
    for (signer, message) in input.signers.iter().zip(&plan.messages) {
        let Some(message) = message else {
            signatures.push(None);
            continue;
        };
        let mut messages = Messages { bytes: message.clone(), ends: vec![message.len() as u32] };
        let packed = sign_messages(input, signer, &mut messages)?;
        let signature = packed.get(0).map(<[u8]>::to_vec);
        let got = usize::from(signature.is_some());
        if got == 0 {
            return Err(dnssec::signing::plan::SignatureCountWrong { wanted: 1, got }.into());
        }
        signatures.push(signature);
        counts.made += 1;
    }
    Ok(plan.apply(&run, &signatures))
}
