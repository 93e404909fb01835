//! Denial: the apex as the policy wants it, and the chain that proves what there is not.
//! In: an unsigned version; perhaps what it was before, signed, and which owners changed. Out: the
//! version that is to be signed, all records but the RRSIGs; or, of a changed one, the owners that
//! are to be signed anew, the neighbours in the chain among them.

use super::publish::Stored;
use super::{Stage, StageError};
use crate::runtime::{Panicked, WorkerPool};
use dnssec::Ttl;
use dnssec::denial::nsec::with_nsec;
use dnssec::denial::nsec3::{Nsec3Parameters, hash_chunk, link};
use dnssec::denial::update::{nsec_replacements, nsec3_replacements, plain_replacements};
use dnssec::signing::apex::{ApexPlan, ZoneForm, with_apex};
use dnssec::zone::ZoneVersion;
use dnssec::zone::replace::Replacements;
use std::collections::BTreeSet;
use std::sync::Arc;

/// The denial stage.
pub struct Denial;

/// A ticket.
pub struct DenialInput {
    /// The zone as it came in.
    pub unsigned: Arc<ZoneVersion>,
    /// What the apex shall have.
    pub apex: ApexPlan,
    /// The chain, where the form has one; `None` is NSEC.
    pub nsec3: Option<Nsec3Parameters>,
    /// TTL of the chain's records (RFC 9077).
    pub ttl: Ttl,
    /// What it was before, when it had the same kind of chain.
    pub change: Option<Change>,
}

/// How an unsigned version differs from the one before.
pub struct Change {
    /// The version before, unsigned and signed.
    pub previous: Stored,
    /// What its apex had; where that is another, the apex is among the owners touched.
    pub apex: ApexPlan,
    /// Keys of the owners that differ.
    pub touched: BTreeSet<Vec<u8>>,
}

/// What is to be signed.
pub enum Chained {
    /// A whole version.
    Whole(Arc<ZoneVersion>),
    /// Some owners of the last signed version.
    Changed(Changed),
}

/// Owners that replace those of the last signed version, without signatures.
#[derive(Clone)]
pub struct Changed {
    /// Among the names.
    pub names: Replacements,
    /// In the NSEC3 chain.
    pub hashes: Replacements,
}

impl Stage for Denial {
    const NAME: &'static str = "denial";
    type Input = DenialInput;
    type Output = Chained;

    fn run(pool: &WorkerPool, input: DenialInput) -> Result<Chained, StageError> {
        match &input.change {
            Some(change) => changed(&input, change).map(Chained::Changed),
            None => whole(pool, input).map(Chained::Whole),
        }
    }
}

/// The cost follows the change.
fn changed(input: &DenialInput, change: &Change) -> Result<Changed, StageError> {
    let Change { previous, apex, touched } = change;
    let new = with_apex(&input.unsigned, &input.apex)?;
    if input.apex.form != ZoneForm::Signed {
        let names = plain_replacements(&new, touched);
        return Ok(Changed { names, hashes: Replacements::new() });
    }
    Ok(match &input.nsec3 {
        None => Changed {
            names: nsec_replacements(&new, touched, input.ttl),
            hashes: Replacements::new(),
        },
        Some(parameters) => {
            let old = with_apex(&previous.unsigned, apex)?;
            let chain = &previous.version.hashes;
            Changed {
                names: plain_replacements(&new, touched),
                hashes: nsec3_replacements(&old, chain, &new, touched, parameters, input.ttl)?,
            }
        }
    })
}

fn whole(pool: &WorkerPool, input: DenialInput) -> Result<Arc<ZoneVersion>, StageError> {
    let progress = pool.progress().clone();
    progress.begin(Denial::NAME, input.unsigned.names.len() as u64);
    let mut version = with_apex(&input.unsigned, &input.apex)?;
    if input.apex.form != ZoneForm::Signed {
        return Ok(Arc::new(version));
    }
    let crashed =
        |panic: Panicked| StageError::Crashed { stage: Denial::NAME, cause: panic.to_string() };
    let (names, apex) = (version.names.clone(), version.apex.clone());
    match input.nsec3 {
        None => {
            let chunks = names.clone();
            let with_chain = move |index: usize, _: &_| {
                progress.advance(1);
                Arc::new(with_nsec(&apex, &chunks, index, input.ttl))
            };
            version.names = pool.map(names, with_chain).map_err(crashed)?.into();
        }
        Some(parameters) => {
            let (chunks, shared) = (names.clone(), Arc::new(parameters));
            let own = shared.clone();
            let hashed = move |index: usize, _: &_| {
                progress.advance(1);
                hash_chunk(&apex, &chunks, index, &own)
            };
            let parts = pool.map(names, hashed).map_err(crashed)?;
            version.hashes = link(&parts, &shared, input.ttl)?;
        }
    }
    Ok(Arc::new(version))
}
