//! The records of a transfer: packed on all workers, as those of a file are.
//! In: the file with the messages ([`crate::io::transfer_client::received`]). Out: the version.
//! A record outside the zone is a fault here, and not left out as it is of a file: a master sends
//! no others, so whatever sent it is not to be believed.
//! Memory: a wave of blocks beside the packed parts; where the input has a digest, all its records
//! once more.

use super::{InputError, Sorted, Touched, build, crashed, digest};
use crate::io::transfer_client::received::{ReceivedFile, messages};
use crate::runtime::WorkerPool;
use crate::stages::StageError;
use dnssec::rrtype::CLASS_IN;
use dnssec::transfer::reception::{Fault, RecordError, each_record};
use dnssec::zone::ZoneVersion;
use dnssec::zone::load::{Assembly, DnssecRecords, Limits, LoadError, Packed, Packer, Place};
use dnssec::{Name, RrType, Ttl};
use std::path::Path;
use std::sync::Arc;

/// Blocks of a wave, per worker.
const WAVE_BLOCKS_PER_WORKER: usize = 4;
/// A transfer has no lines.
const NO_PLACE: Place = Place { source: 0, line: 0 };
/// What texts about a record begin with when there is no line.
const NO_PLACE_TEXT: &str = "line 0: ";

/// Why the records of a transfer are no zone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransferredFault {
    /// A message.
    #[error(transparent)]
    Message(#[from] Box<Fault>),
    /// What the records make.
    #[error("{}", without_place(.0))]
    Zone(Box<LoadError>),
    /// A record of another zone.
    #[error("{rtype} record at {owner}, which is not in the zone")]
    OutOfZone {
        /// Its owner.
        owner: Box<Name>,
        /// Its type.
        rtype: RrType,
    },
}

impl From<LoadError> for TransferredFault {
    fn from(error: LoadError) -> TransferredFault {
        TransferredFault::Zone(Box::new(error))
    }
}

fn without_place(text: &dyn std::fmt::Display) -> String {
    text.to_string().replacen(NO_PLACE_TEXT, "", 1)
}

fn fault(fault: impl Into<TransferredFault>) -> StageError {
    StageError::Input(InputError::Transferred(Box::new(fault.into())))
}

/// Makes the version of a zone that was transferred as a whole.
pub(super) fn sort_received(
    pool: &WorkerPool,
    apex: &Name,
    path: &Path,
    (limits, dnssec_records): (Limits, DnssecRecords),
) -> Result<Sorted, StageError> {
    let unreadable = |error| StageError::Input(InputError::Unreadable(error));
    let mut file = ReceivedFile::open(path).map_err(unreadable)?;
    pool.progress().begin("sort", file.length());
    let mut packed: Vec<Packed> = Vec::new();
    loop {
        let mut wave = Vec::new();
        while wave.len() < pool.workers() * WAVE_BLOCKS_PER_WORKER {
            let Some(block) = file.next_block().map_err(unreadable)? else { break };
            pool.progress().advance(block.len() as u64);
            wave.push(block);
        }
        if wave.is_empty() {
            break;
        }
        let own = apex.clone();
        let pack = move |_: usize, block: &Vec<u8>| {
            let packer = Packer::new(&own, limits).with_dnssec_records(dnssec_records);
            packed_block(&own, packer, block)
        };
        for part in pool.map(wave.into(), pack).map_err(crashed)? {
            packed.push(part.map_err(fault)?);
        }
    }
    let assembly = Arc::new(Assembly::new(apex, packed, limits).map_err(fault)?);
    let loaded = build(pool, assembly, fault)?;
    let mut warnings: Vec<String> =
        loaded.warnings.first.iter().map(|warning| without_place(warning)).collect();
    let digest_fault = match loaded.has_digest {
        true => {
            let records = all_records(apex, path)?;
            let text = path.display().to_string();
            digest::judged(apex.as_wire().to_vec(), &records, text, &mut warnings)
        }
        false => None,
    };
    Ok(Sorted {
        version: Arc::new(loaded.version),
        touched: Touched::Unknown,
        warnings,
        warning_count: loaded.warnings.count,
        tail: None,
        digest_fault,
    })
}

/// A version that needs no reading.
pub(super) fn unread(version: Arc<ZoneVersion>) -> Sorted {
    Sorted {
        version,
        touched: Touched::Unknown,
        warnings: Vec::new(),
        warning_count: 0,
        tail: None,
        digest_fault: None,
    }
}

fn packed_block(apex: &Name, mut packer: Packer, block: &[u8]) -> Result<Packed, TransferredFault> {
    // Most records follow one of the same owner.
    let mut last = apex.clone();
    for message in messages(block) {
        let taken = each_record(message, |owner, rtype, ttl, rdata| {
            if owner.as_wire() != last.as_wire() {
                if !owner.is_at_or_below(apex) {
                    let owner = Box::new(owner.clone());
                    return Err(TransferredFault::OutOfZone { owner, rtype });
                }
                last = owner.clone();
            }
            Ok(packer.add(owner, rtype, ttl, rdata, NO_PLACE)?)
        });
        taken.map_err(|error| match error {
            RecordError::Message(fault) => fault.into(),
            RecordError::Taker(fault) => fault,
        })?;
    }
    Ok(packer.finish())
}

/// All records in wire form, the SOA once.
fn all_records(apex: &Name, path: &Path) -> Result<Vec<u8>, StageError> {
    let unreadable = |error| StageError::Input(InputError::Unreadable(error));
    let mut file = ReceivedFile::open(path).map_err(unreadable)?;
    let (mut records, mut has_soa) = (Vec::new(), false);
    while let Some(block) = file.next_block().map_err(unreadable)? {
        for message in messages(&block) {
            let taken = each_record(message, |owner, rtype, ttl, rdata| {
                let is_soa = rtype == RrType::SOA && owner == apex;
                if !(is_soa && has_soa) {
                    push_record(&mut records, owner, rtype, ttl, rdata);
                }
                has_soa |= is_soa;
                Ok::<(), TransferredFault>(())
            });
            if let Err(RecordError::Message(error)) = taken {
                return Err(fault(error));
            }
        }
    }
    Ok(records)
}

fn push_record(out: &mut Vec<u8>, owner: &Name, rtype: RrType, ttl: Ttl, rdata: &[u8]) {
    out.extend(owner.as_wire());
    out.extend(rtype.0.to_be_bytes());
    out.extend(CLASS_IN.to_be_bytes());
    out.extend(ttl.0.to_be_bytes());
    // RDATA of a message has a length of 16 bits, without compression too: it was checked.
    out.extend((rdata.len() as u16).to_be_bytes());
    out.extend(rdata);
}
