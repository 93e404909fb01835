//! What zones and the enforcer hold of a slot: its mailbox, with an answer to each question.
//! In: questions. Out: the slot's answers within [`SLOT_DEADLINE`], or that it is silent.

use super::{SLOT_DEADLINE, SlotFailure, SlotMessage};
use crate::runtime::{Outbox, Reply};
use dnssec::Algorithm;
use dnssec::key::{KeyId, PublicKey};
use hsm::{GenerateRequest, Slot, SlotError};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for an answer that can be done without.
const GLANCE: Duration = Duration::from_secs(2);

/// What zones and the enforcer hold of a slot.
pub struct SlotClient {
    repository: String,
    outbox: Outbox<SlotMessage>,
}

impl SlotClient {
    /// A client of the repository's slot.
    pub fn new(repository: &str, outbox: Outbox<SlotMessage>) -> SlotClient {
        SlotClient { repository: repository.to_owned(), outbox }
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(Reply<Result<T, SlotFailure>>) -> SlotMessage,
    ) -> Result<T, SlotFailure> {
        let silent = |error: &dyn std::fmt::Display| SlotFailure::Silent {
            repository: self.repository.clone(),
            cause: error.to_string(),
        };
        let (reply, answer) = Reply::channel();
        let told = self.outbox.tell(message(reply));
        told.map_err(|undelivered| silent(&undelivered.error))?;
        let answer = answer.within(self.outbox.to(), SLOT_DEADLINE).await;
        answer.map_err(|error| silent(&error))?
    }

    /// The open slot, to sign with.
    pub async fn lease(&self) -> Result<Arc<dyn Slot>, SlotFailure> {
        self.ask(|reply| SlotMessage::Lease { reply }).await
    }

    /// Makes a key; says when.
    pub async fn generate(
        &self,
        request: GenerateRequest,
    ) -> Result<(PublicKey, dnssec::Timestamp), SlotFailure> {
        self.ask(|reply| SlotMessage::Generate { request, reply }).await
    }

    /// The public half of a key.
    pub async fn public_key(
        &self,
        id: &KeyId,
        algorithm: Algorithm,
    ) -> Result<PublicKey, SlotFailure> {
        self.ask(|reply| SlotMessage::PublicKey { id: id.clone(), algorithm, reply }).await
    }

    /// How many more keys there is room for; `None` where conf.xml names no `<Capacity>`.
    pub async fn room(&self) -> Result<Option<u64>, SlotFailure> {
        self.ask(|reply| SlotMessage::Room { reply }).await
    }

    /// [`SlotClient::room`] for those who do not need to know: `None` also where the slot does not
    /// answer soon.
    pub async fn room_if_known(&self) -> Option<u64> {
        let (reply, answer) = Reply::channel();
        self.outbox.tell(SlotMessage::Room { reply }).ok()?;
        answer.within(self.outbox.to(), GLANCE).await.ok()?.ok().flatten()
    }

    /// Says that a leased slot failed.
    pub fn failed(&self, slot: Arc<dyn Slot>, error: SlotError) {
        // A slot that cannot be told is being restarted already.
        let _ = self.outbox.tell(SlotMessage::Failed { slot, error });
    }
}
