//! Sign: signatures for what changed or is due, the rest is kept; then the serial and the SOA.
//! In: a version without signatures, or the last signed one with what of it changed; keys, slots.
//! Out: the signed version, or word that nothing changed.

mod chunks;

pub use chunks::renewals_of;

use super::denial::Changed;
use super::{Lane, Stage, StageError};
use crate::runtime::WorkerPool;
use chunks::{SignedLists, sign_changed, sign_due, sign_messages, sign_whole};
use dnssec::Serial;
use dnssec::policy::SerialMode;
use dnssec::serial::{SerialError, enforce_serial, next_serial};
use dnssec::signing::apex::{LastPlan, MADE_LAST, is_last_kept, plan_soa, plan_zonemd};
use dnssec::signing::plan::{Messages, SigningRun};
use dnssec::signing::reuse::{PublishedKey, Renewal};
use dnssec::signing::{Signer, SigningTimes};
use dnssec::zone::ZoneVersion;
use dnssec::zone::chunk::Chunk;
use dnssec::zonemd::zone_digest;
use hsm::Slot;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The sign stage.
pub struct Sign;

/// What a ticket is about.
#[derive(Clone)]
pub enum Extent {
    /// A whole version, unsigned; signatures that the last signed one had are kept.
    Whole(Arc<ZoneVersion>),
    /// What is due in this signed version.
    Due(Arc<ZoneVersion>),
    /// The owners of this signed version that changed, and what is due.
    Changed(Arc<ZoneVersion>, Changed),
}

impl Extent {
    fn version(&self) -> &Arc<ZoneVersion> {
        match self {
            Extent::Whole(version) | Extent::Due(version) | Extent::Changed(version, _) => version,
        }
    }
}

/// A ticket.
#[derive(Clone)]
pub struct SignInput {
    /// What is to be signed.
    pub extent: Extent,
    /// The last signed version.
    pub previous: Option<Arc<ZoneVersion>>,
    /// The active keys.
    pub signers: Arc<[Signer]>,
    /// The keys in the zone.
    pub published: Arc<[PublishedKey]>,
    /// Whether this is a pass of the resign timer, which does its share of the work that lies
    /// ahead; other runs only do what is due.
    pub works_ahead: bool,
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
    /// The serial that somebody wants the version to have; one that is not newer than the last
    /// published counts for nothing.
    pub serial_wanted: Option<Serial>,
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

    /// Those that are away are not waited for.
    fn lane(input: &SignInput) -> Lane {
        let waited_for = |signer: &&Signer| input.slots.contains_key(&signer.repository);
        input.signers.iter().filter(waited_for).map(|signer| signer.repository.clone()).collect()
    }

    fn run(pool: &WorkerPool, input: SignInput) -> Result<SignOutput, StageError> {
        let chunk_count = input.extent.version().chunks().count();
        pool.progress().begin(Self::NAME, chunk_count as u64);
        let SignedLists { names, hashes, mut counts, is_same_data } = match &input.extent {
            Extent::Whole(version) => sign_whole(pool, &input, version)?,
            Extent::Due(version) => sign_due(pool, &input, version)?,
            Extent::Changed(version, changed) => sign_changed(pool, &input, version, changed)?,
        };
        let is_same_data = is_same_data && wanted_serial(&input).is_none();
        if is_same_data && counts.made == 0 && is_unchanged(&input, &names, &hashes) {
            return Ok(SignOutput::Unchanged);
        }
        let serial = serial_of(&input)?;
        let mut names = names;
        let run = run_of(&input, input.previous.as_deref());
        let soa = plan_soa(&run, &names[0], serial)?;
        names[0] = sign_last(&input, &run, &soa, &mut counts)?;
        let mut version = ZoneVersion {
            apex: input.extent.version().apex.clone(),
            names: names.clone().into(),
            hashes: hashes.into(),
        };
        if let Some(zonemd) = plan_zonemd(&run, &version, zone_digest) {
            names[0] = sign_last(&input, &run, &zonemd, &mut counts)?;
            version.names = names.into();
        }
        Ok(SignOutput::Signed { version: Arc::new(version), counts })
    }
}

/// The serial that somebody asked for, where it can be had (RFC 1982).
fn wanted_serial(input: &SignInput) -> Option<Serial> {
    enforce_serial(input.serial_wanted?, input.previous_serial).ok()
}

fn serial_of(input: &SignInput) -> Result<Serial, SerialError> {
    match wanted_serial(input) {
        Some(wanted) => Ok(wanted),
        None => next_serial(
            input.serial_mode,
            input.input_serial,
            input.previous_serial,
            input.times.now,
        ),
    }
}

fn run_of<'a>(input: &'a SignInput, previous: Option<&'a ZoneVersion>) -> SigningRun<'a> {
    SigningRun {
        apex: &input.extent.version().apex,
        signers: &input.signers,
        published: &input.published,
        renewal: Renewal::Due,
        times: &input.times,
        previous,
    }
}

/// Whether the last version stands as it is. All RRsets were found there with all signatures
/// kept, so equal counts mean equal versions; the SOA's signatures are not counted yet.
fn is_unchanged(input: &SignInput, names: &[Arc<Chunk>], hashes: &[Arc<Chunk>]) -> bool {
    let Some(previous) = &input.previous else { return false };
    // After damage to the journal, later versions were published than the one that is known.
    if previous.serial() != input.previous_serial {
        return false;
    }
    let run = run_of(input, Some(previous));
    if matches!(input.extent, Extent::Due(_)) {
        return is_last_kept(&run);
    }
    let keeps_serial = input.serial_mode == SerialMode::Keep && input.is_new_input;
    let count = |of: fn(&Chunk) -> usize| names.iter().chain(hashes).map(|chunk| of(chunk)).sum();
    // Where the apex was looked into, what is made last has no signatures yet.
    let of_last = |first: Option<&Arc<Chunk>>| -> usize {
        let apex = first.and_then(|chunk| chunk.find(&[]));
        let rrsets = MADE_LAST.iter().filter_map(|rtype| apex.and_then(|apex| apex.rrset(*rtype)));
        rrsets.map(|rrset| usize::from(rrset.signature_count)).sum()
    };
    let missing = of_last(previous.names.first()).saturating_sub(of_last(names.first()));
    let records: usize = count(Chunk::record_count);
    let signatures: usize = count(Chunk::signature_count);
    !keeps_serial
        && records == previous.record_count()
        && signatures + missing == previous.signature_count()
        && is_last_kept(&run)
}

fn sign_last(
    input: &SignInput,
    run: &SigningRun<'_>,
    plan: &LastPlan,
    counts: &mut SignCounts,
) -> Result<Arc<Chunk>, StageError> {
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
    Ok(Arc::new(plan.apply(run, &signatures)))
}
