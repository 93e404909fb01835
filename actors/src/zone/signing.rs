//! The part of a run that needs tokens: leases slots and sends the zone through the sign stage.
//! In: what is to be signed, with which keys. Out: the signed version, and what had to be left.
//! A token that is away, or fails, stops the zone, with two exceptions: work ahead of its time can
//! wait, and so can signatures that only key-signing keys make, as long as those that the last
//! version has are good (`dnssec::signing::away`). Each is told to whoever can mend it.

use super::pipeline::{RunError, RunOrder, Services, works_ahead};
use crate::slot::SlotFailure;
use crate::stages::StageError;
use crate::stages::sign::{Extent, SignInput, SignOutput};
use dnssec::Timestamp;
use dnssec::signing::away::late_keyset;
use dnssec::signing::reuse::PublishedKey;
use dnssec::signing::{Presence, Signer, SigningTimes};
use dnssec::zone::ZoneVersion;
use hsm::{Slot, SlotError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Signatures of a zone's keys that are due, and that a token has to make that is away.
#[derive(Clone, Debug)]
pub struct Late {
    /// The token's repository.
    pub repository: String,
    /// When the first of them expires, and with it the zone.
    pub expiration: Timestamp,
    /// Why there are no new ones.
    pub failure: SlotFailure,
}

/// The slots of a run, by repository.
#[derive(Default)]
struct Leases {
    open: BTreeMap<String, Arc<dyn Slot>>,
    closed: BTreeMap<String, SlotFailure>,
}

impl Leases {
    /// The signers, with those marked whose token is away.
    fn mark(&self, signers: &[Signer]) -> Arc<[Signer]> {
        let mark = |signer: &Signer| {
            let presence = match self.closed.contains_key(&signer.repository) {
                true => Presence::Away,
                false => Presence::Here,
            };
            Signer { presence, ..signer.clone() }
        };
        signers.iter().map(mark).collect()
    }

    /// A slot that failed is not used in this run any more.
    fn close(&mut self, repository: &str, error: SlotError) {
        self.open.remove(repository);
        self.closed.insert(repository.to_owned(), SlotFailure::Slot(error));
    }
}

impl Services {
    /// The slots of the signers' repositories. One that is not open only matters when there is
    /// something to sign in it.
    async fn slots_of(&self, signers: &[Signer]) -> Leases {
        let mut leases = Leases::default();
        let repositories: BTreeSet<_> = signers.iter().map(|signer| &signer.repository).collect();
        for repository in repositories {
            // A repository that conf.xml does not have is missed by the stage.
            let Some(client) = self.slots.get(repository) else { continue };
            match client.lease().await {
                Ok(slot) => drop(leases.open.insert(repository.clone(), slot)),
                Err(failure) => drop(leases.closed.insert(repository.clone(), failure)),
            }
        }
        leases
    }

    /// Signs. Each turn of the loop does without one thing more, so it ends.
    pub(super) async fn sign(
        &self,
        order: &RunOrder,
        unsigned: &ZoneVersion,
        extent: Extent,
        times: &Arc<SigningTimes>,
    ) -> Result<(SignOutput, Option<Late>), RunError> {
        let keys: Vec<_> = order.keys.keys.iter().map(|(key, _)| key.clone()).collect();
        let signers = Signer::of_keys(&keys);
        let input_serial = unsigned.serial().ok_or(RunError::NoInput)?;
        let mut leases = self.slots_of(&signers).await;
        let mut input = SignInput {
            extent,
            previous: order.stored.as_ref().map(|stored| stored.version.clone()),
            slots: Arc::default(),
            signers: Arc::default(),
            published: PublishedKey::of_keys(&keys).into(),
            works_ahead: works_ahead(order),
            times: times.clone(),
            serial_mode: order.settings.policy.zone.serial,
            input_serial,
            previous_serial: order.state.output_serial,
            serial_wanted: order.serial_wanted,
            is_new_input: order.state.input_serial != Some(input_serial),
        };
        loop {
            input.slots = Arc::new(leases.open.clone());
            input.signers = leases.mark(&signers);
            let result = self.ask(order, &self.sign, input.clone()).await;
            match result {
                Ok(output) => {
                    let late = late_in(&output, &input, &leases.closed);
                    return Ok((output, late));
                }
                Err(RunError::Stage(StageError::Slot { repository, error })) => {
                    if let (Some(client), Some(slot)) =
                        (self.slots.get(&repository), leases.open.get(&repository))
                    {
                        client.failed(slot.clone(), error.clone());
                    }
                    if !can_wait(&signers, &repository) {
                        return Err(StageError::Slot { repository, error }.into());
                    }
                    leases.close(&repository, error);
                }
                Err(RunError::Stage(StageError::RepositoryMissing { repository })) => {
                    let Some(failure) = leases.closed.get(&repository) else {
                        return Err(StageError::RepositoryMissing { repository }.into());
                    };
                    if !input.works_ahead {
                        return Err(failure.clone().into());
                    }
                    // What is taken ahead of its time can wait for its slot; what is due cannot.
                    input.works_ahead = false;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Whether everything that this repository's keys sign may wait a while.
fn can_wait(signers: &[Signer], repository: &str) -> bool {
    signers.iter().filter(|signer| signer.repository == repository).all(Signer::can_wait)
}

/// What was left in the version that a run yields, or that it found to stand.
fn late_in(
    output: &SignOutput,
    input: &SignInput,
    closed: &BTreeMap<String, SlotFailure>,
) -> Option<Late> {
    let version = match output {
        SignOutput::Signed { version, .. } => version,
        SignOutput::Unchanged => input.previous.as_ref()?,
    };
    let late = late_keyset(version, &input.signers, &input.times)?;
    let failure = closed.get(&late.repository)?.clone();
    Some(Late { repository: late.repository, expiration: late.expiration, failure })
}
