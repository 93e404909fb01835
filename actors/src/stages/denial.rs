//! Denial: the apex as the policy wants it, and the chain that proves what there is not.
//! In: an unsigned version. Out: the version that is to be signed, all records but the RRSIGs.

use super::{Stage, StageError};
use crate::runtime::{Panicked, WorkerPool};
use dnssec::Ttl;
use dnssec::denial::nsec::with_nsec;
use dnssec::denial::nsec3::{Nsec3Parameters, hash_chunk, link};
use dnssec::signing::apex::{ApexPlan, with_apex};
use dnssec::zone::ZoneVersion;
use std::sync::Arc;

/// The denial stage.
pub struct Denial;

/// A ticket.
pub struct DenialInput {
    /// The zone as it came in.
    pub unsigned: Arc<ZoneVersion>,
    /// What the apex shall have.
    pub apex: ApexPlan,
    /// The chain; `None` is NSEC.
    pub nsec3: Option<Nsec3Parameters>,
    /// TTL of the chain's records (RFC 9077).
    pub ttl: Ttl,
}

impl Stage for Denial {
    const NAME: &'static str = "denial";
    type Input = DenialInput;
    type Output = Arc<ZoneVersion>;

    fn run(pool: &WorkerPool, input: DenialInput) -> Result<Arc<ZoneVersion>, StageError> {
        let progress = pool.progress().clone();
        progress.begin(Self::NAME, input.unsigned.names.len() as u64);
        let mut version = with_apex(&input.unsigned, &input.apex)?;
        let crashed =
            |panic: Panicked| StageError::Crashed { stage: Self::NAME, cause: panic.to_string() };
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
}
