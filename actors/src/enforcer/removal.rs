//! Destroys keys that nobody uses any more. In: keys in the trash, and those whose destruction was
//! cut short. Out: tokens without them, and no record of them but the zones' histories.
//! A key that a zone forgot stays in its token for [`TRASH_PERIOD`], so that it can be had back.

use super::pass::Pass;
use crate::runtime::{JobError, SubmitError};
use crate::slot::{SlotClient, SlotFailure};
use dnssec::key::KeyId;
use dnssec::{Seconds, Timestamp};
use hsm::SlotError;
use storage::state::{KeyRecord, KeyState};

/// How long a forgotten key stays in its token.
pub const TRASH_PERIOD: Seconds = Seconds(7 * 86_400);

/// Why a key was not destroyed.
#[derive(Debug, thiserror::Error)]
enum DestroyError {
    /// The slot.
    #[error(transparent)]
    Slot(#[from] SlotFailure),
    /// No thread took the work.
    #[error(transparent)]
    NotTaken(#[from] SubmitError),
    /// The work was lost.
    #[error(transparent)]
    Lost(#[from] JobError),
}

impl Pass {
    /// Destroys what has been in the trash for long enough, and what was to be destroyed before.
    /// Answers when to look again; `None`: the trash is empty.
    pub(super) async fn empty_trash(&self) -> Option<Timestamp> {
        let now = self.now();
        let keys = match self.parts.store.keys().await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::error!(target: "enforcer", %error, "the trash was not looked at");
                return Some(now.plus(super::FAILURE_PAUSE));
            }
        };
        let mut next: Option<Timestamp> = None;
        let mut wake = |at: Timestamp| next = Some(next.map_or(at, |next| next.min(at)));
        for key in keys {
            match key.state {
                KeyState::Trashed { since } if now < since.plus(TRASH_PERIOD) => {
                    wake(since.plus(TRASH_PERIOD));
                }
                KeyState::Trashed { .. } => {
                    let removing = self.parts.store.key_removing(&key.repository, &key.id).await;
                    if removing.is_err() || !self.destroy(&key).await {
                        wake(now.plus(super::FAILURE_PAUSE));
                    }
                }
                KeyState::Removing if !self.destroy(&key).await => {
                    wake(now.plus(super::FAILURE_PAUSE));
                }
                KeyState::Removing | KeyState::Intent | KeyState::Present => {}
            }
        }
        next
    }

    /// Destroys those of `keys` (repository and id) that are in the trash; answers how many.
    pub(super) async fn destroy_now(&self, keys: &[(String, KeyId)]) -> usize {
        let mut destroyed = 0;
        for record in self.parts.store.keys().await.unwrap_or_default() {
            let is_meant =
                keys.iter().any(|(place, id)| *place == record.repository && *id == record.id);
            if !is_meant || !matches!(record.state, KeyState::Trashed { .. }) {
                continue;
            }
            let removing = self.parts.store.key_removing(&record.repository, &record.id).await;
            if removing.is_ok() && self.destroy(&record).await {
                destroyed += 1;
            }
        }
        destroyed
    }

    /// Destroys a key that is on record as being removed, and then its record. `false`: its token
    /// did not do it; it stays on record and is tried again.
    pub(super) async fn destroy(&self, key: &KeyRecord) -> bool {
        let Some(slot) = self.parts.slots.get(&key.repository) else {
            // Its repository is not configured any more: nothing to be done until it is.
            return false;
        };
        match self.delete(slot, &key.id).await {
            // Not found: it never was there, or went when this was cut short.
            Ok(()) | Err(DestroyError::Slot(SlotFailure::Slot(SlotError::NotFound { .. }))) => {}
            Err(error) => {
                tracing::warn!(target: "enforcer", %error, id = %key.id,
                    "key {} is still in repository {}; its removal is tried again", key.id,
                    key.repository);
                return false;
            }
        }
        tracing::info!(target: "enforcer", id = %key.id,
            "key {} was removed from repository {}", key.id, key.repository);
        self.parts.store.key_removed(&key.repository, &key.id).await.is_ok()
    }

    async fn delete(&self, client: &SlotClient, id: &KeyId) -> Result<(), DestroyError> {
        let slot = client.lease().await?;
        let (id, leased) = (id.clone(), slot.clone());
        let result = self.parts.pool.run(move || leased.delete(&id))?.await?;
        if let Err(error) = &result {
            client.failed(slot, error.clone());
        }
        result.map_err(|error| DestroyError::Slot(SlotFailure::Slot(error)))
    }
}
