//! The storage actor: the one door to the durable facts (redb). Each question is one transaction
//! on the worker pool; changes that wait go together into one ([`writer`]), and each is answered
//! when that is durable.
//! In: [`StoreMessage`]. Out: answers. Never: decisions; zone bulk (that is in snapshots).

mod messages;
mod writer;

pub use messages::{NewLife, StoreMessage};

use crate::runtime::{
    Actor, Child, Context, Handler, Outbox, Reply, SubmitError, Supervised, WorkerPool,
};
use dnssec::enforcer::ZoneLife;
use dnssec::key::{KeyId, PublicKey};
use dnssec::{Name, Seconds, Timestamp};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use storage::state::{
    BackupState, Cause, ChainHash, ChainProof, ChainedEntry, HeldInput, HistoryEntry, InputAnswer,
    KeyOwner, KeyRecord, LifeChange, NewKey, PolicyState, Refresh, Tidied, VerdictEntry, Waiver,
    ZoneState,
};
use storage::{StateError, StateStore};
use writer::Writer;

/// Longest wait for a transaction.
pub const STORE_DEADLINE: Duration = Duration::from_secs(30);

/// Why a fact could not be read or saved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The store said no.
    #[error("{0}")]
    State(Arc<StateError>),
    /// The storage actor did not answer.
    #[error("storage does not answer: {0}")]
    Silent(String),
}

/// The storage actor.
pub struct StoreActor {
    store: Arc<StateStore>,
    pool: WorkerPool,
    writer: Writer,
    handled: u64,
}

impl StoreActor {
    /// An actor for a store that is open; it stays open over restarts. `readers` look things up;
    /// `writers` wait for the disk, one at a time.
    pub fn new(store: Arc<StateStore>, readers: WorkerPool, writers: WorkerPool) -> StoreActor {
        let writer = Writer::new(store.clone(), writers);
        StoreActor { store, pool: readers, writer, handled: 0 }
    }

    /// Looks something up; a refused job drops the reply, which its asker hears at once.
    fn submit<T: Send + 'static>(
        &self,
        reply: Reply<Result<T, StoreError>>,
        job: impl FnOnce(&StateStore) -> Result<T, StateError> + Send + 'static,
    ) -> Result<(), SubmitError> {
        let store = self.store.clone();
        let job = move || job(&store).map_err(|error| StoreError::State(Arc::new(error)));
        self.pool.submit(job, move |result| {
            let lost = |error| Err(StoreError::Silent(format!("{error}")));
            reply.send(result.unwrap_or_else(lost));
        })
    }
}

impl Actor for StoreActor {
    type Context = Context<StoreActor>;
}

impl Supervised for StoreActor {}

impl Child for StoreActor {
    /// Requests handled since the last start.
    type Observed = u64;

    fn observe(&self) -> u64 {
        self.handled
    }
}

impl Handler<StoreMessage> for StoreActor {
    type Result = ();

    fn handle(&mut self, message: StoreMessage, _: &mut Context<StoreActor>) {
        use StoreMessage::*;
        self.handled += 1;
        let submitted = match message {
            OpenZone { zone, policy, reply } => {
                self.writer.take(reply, move |store| match store.zone(&zone)? {
                    Some(state) => Ok(state),
                    None => store.zone_add(&zone, &policy),
                })
            }
            CommitVersion { zone, state, verdict, reply } => self
                .writer
                .take(reply, move |store| store.commit_version_judged(&zone, &state, &verdict)),
            CommitDifference { zone, state, verdict, reply } => self
                .writer
                .take(reply, move |store| store.commit_difference_judged(&zone, &state, &verdict)),
            AppendVerdict { entry, reply } => {
                self.writer.take(reply, move |store| store.verdict_append(&entry))
            }
            Verdicts { zone, count, reply } => {
                self.submit(reply, move |store| store.verdicts(zone.as_ref(), count))
            }
            VerdictsFrom { first, count, reply } => {
                self.submit(reply, move |store| store.verdicts_from(first, count))
            }
            VerifyVerdicts { known, reply } => {
                self.submit(reply, move |store| store.verdicts_verify(known))
            }
            // Several transactions with files in between: not for a group.
            TidyVerdicts { now, keep, reply } => {
                self.submit(reply, move |store| store.verdicts_tidy(now, keep))
            }
            CommitSnapshot { zone, generation, reply } => {
                self.writer.take(reply, move |store| store.commit_snapshot(&zone, generation))
            }
            UpdateZone { zone, state, reply } => {
                self.writer.take(reply, move |store| store.zone_update(&zone, &state))
            }
            Policy { policy, reply } => self.submit(reply, move |store| store.policy(&policy)),
            SetPolicy { policy, state, reply } => {
                self.writer.take(reply, move |store| store.policy_put(&policy, &state))
            }
            KeysOf { owner: KeyOwner::Zone(zone), reply } => {
                self.submit(reply, move |store| store.keys_of_zone(&zone))
            }
            KeysOf { owner: KeyOwner::Policy(policy), reply } => {
                self.submit(reply, move |store| store.keys_of_policy(&policy))
            }
            Keys { reply } => self.submit(reply, |store| store.keys()),
            Life { zone, reply } => self.submit(reply, move |store| store.life(&zone)),
            Lives { reply } => self.submit(reply, |store| store.lives()),
            CommitLife { change, reply } => self.writer.take(reply, move |store| {
                store.life_commit(&LifeChange {
                    zone: &change.zone,
                    life: &change.life,
                    taken: &change.taken,
                    at: change.at,
                    cause: &change.cause,
                })
            }),
            History { zone, reply } => self.submit(reply, move |store| store.history(&zone)),
            KeyIntent { key, reply } => {
                self.writer.take(reply, move |store| store.key_intent(&key))
            }
            KeyRemoving { repository, id, reply } => {
                self.writer.take(reply, move |store| store.key_removing(&repository, &id))
            }
            KeyRemoved { repository, id, reply } => {
                self.writer.take(reply, move |store| store.key_remove(&repository, &id))
            }
            KeyRestore { repository, id, reply } => {
                self.writer.take(reply, move |store| store.key_restore(&repository, &id))
            }
            KeysSetBackup { keys, backup, reply } => self.writer.take(reply, move |store| {
                let keys = keys.iter().map(|(repository, id)| (repository.as_str(), id));
                store.keys_set_backup(keys, backup)
            }),
            Announced { zone, reply } => self.submit(reply, move |store| store.announced(&zone)),
            SetAnnounced { zone, digest, reply } => {
                self.submit(reply, move |store| store.announced_put(&zone, digest))
            }
            HeldInput { zone, reply } => self.submit(reply, move |store| store.held_input(&zone)),
            HoldInput { zone, input, reply } => {
                self.writer.take(reply, move |store| store.hold_input(&zone, input.as_ref()))
            }
            AnswerInput { zone, digest, answer, reply } => {
                self.writer.take(reply, move |store| store.answer_input(&zone, digest, &answer))
            }
            Refresh { zone, reply } => self.submit(reply, move |store| store.refresh(&zone)),
            SetRefresh { zone, refresh, reply } => {
                self.writer.take(reply, move |store| store.refresh_put(&zone, &refresh))
            }
            Waivers { zone: None, reply } => self.submit(reply, |store| store.waivers()),
            Waivers { zone: Some(zone), reply } => self.submit(reply, move |store| {
                let waivers = store.waivers_of(&zone)?;
                Ok(waivers.into_iter().map(|waiver| (zone.clone(), waiver)).collect())
            }),
            Waive { zone, waiver, now, reply } => {
                self.writer.take(reply, move |store| store.waive(&zone, &waiver, now))
            }
            Unwaive { zone, finding, reply } => {
                self.writer.take(reply, move |store| store.unwaive(&zone, finding))
            }
            Eras { zone, reply } => self.submit(reply, move |store| store.eras(&zone)),
            SetEras { zone, eras, reply } => {
                self.writer.take(reply, move |store| store.eras_put(&zone, &eras))
            }
            RemoveZone { zone, at, cause, reply } => {
                self.writer.take(reply, move |store| store.zone_remove(&zone, at, &cause))
            }
            KeyDiscard { policy, repository, id, at, reply } => self
                .writer
                .take(reply, move |store| store.key_discard(&policy, &repository, &id, at)),
            CopyTo { path, now, reply } => {
                self.submit(reply, move |store| store.copy_to(&path, now))
            }
            KeyPresent { repository, id, public_key, inception, reply } => {
                self.writer.take(reply, move |store| {
                    store.key_present(&repository, &id, &public_key, inception)
                })
            }
        };
        if let Err(error) = submitted {
            tracing::error!(%error, "a storage request was not taken");
        }
    }
}

/// What zones and the enforcer hold of the store.
pub struct StoreClient {
    outbox: Outbox<StoreMessage>,
}

impl StoreClient {
    /// A client that sends to `outbox`.
    pub fn new(outbox: Outbox<StoreMessage>) -> StoreClient {
        StoreClient { outbox }
    }

    async fn ask<T>(
        &self,
        message: impl FnOnce(Reply<Result<T, StoreError>>) -> StoreMessage,
    ) -> Result<T, StoreError> {
        let (reply, answer) = Reply::channel();
        let told = self.outbox.tell(message(reply));
        told.map_err(|undelivered| StoreError::Silent(undelivered.error.to_string()))?;
        let answer = answer.within(self.outbox.to(), STORE_DEADLINE).await;
        answer.map_err(|error| StoreError::Silent(error.to_string()))?
    }

    /// What is remembered about a zone; one never seen is added under `policy`.
    pub async fn open_zone(&self, zone: &Name, policy: &str) -> Result<ZoneState, StoreError> {
        let (zone, policy) = (zone.clone(), policy.to_owned());
        self.ask(|reply| StoreMessage::OpenZone { zone, policy, reply }).await
    }

    /// Makes a version true.
    pub async fn commit_version(
        &self,
        zone: &Name,
        state: ZoneState,
        verdict: VerdictEntry,
    ) -> Result<(), StoreError> {
        let (zone, verdict) = (zone.clone(), Box::new(verdict));
        self.ask(|reply| StoreMessage::CommitVersion { zone, state, verdict, reply }).await
    }

    /// Makes a version true that is in the journal.
    pub async fn commit_difference(
        &self,
        zone: &Name,
        state: ZoneState,
        verdict: VerdictEntry,
    ) -> Result<(), StoreError> {
        let (zone, verdict) = (zone.clone(), Box::new(verdict));
        self.ask(|reply| StoreMessage::CommitDifference { zone, state, verdict, reply }).await
    }

    /// See [`StoreMessage::AppendVerdict`].
    pub async fn append_verdict(
        &self,
        entry: VerdictEntry,
    ) -> Result<(u64, ChainHash), StoreError> {
        let entry = Box::new(entry);
        self.ask(|reply| StoreMessage::AppendVerdict { entry, reply }).await
    }

    /// See [`StoreMessage::Verdicts`].
    pub async fn verdicts(
        &self,
        zone: Option<&Name>,
        count: usize,
    ) -> Result<Vec<ChainedEntry>, StoreError> {
        let zone = zone.cloned();
        self.ask(|reply| StoreMessage::Verdicts { zone, count, reply }).await
    }

    /// See [`StoreMessage::VerdictsFrom`].
    pub async fn verdicts_from(
        &self,
        first: u64,
        count: usize,
    ) -> Result<Vec<ChainedEntry>, StoreError> {
        self.ask(|reply| StoreMessage::VerdictsFrom { first, count, reply }).await
    }

    /// See [`StoreMessage::VerifyVerdicts`].
    pub async fn verify_verdicts(
        &self,
        known: Option<(u64, ChainHash)>,
    ) -> Result<ChainProof, StoreError> {
        self.ask(|reply| StoreMessage::VerifyVerdicts { known, reply }).await
    }

    /// See [`StoreMessage::TidyVerdicts`].
    pub async fn tidy_verdicts(&self, now: Timestamp, keep: Seconds) -> Result<Tidied, StoreError> {
        self.ask(|reply| StoreMessage::TidyVerdicts { now, keep, reply }).await
    }

    /// Makes a snapshot the one to begin with.
    pub async fn commit_snapshot(&self, zone: &Name, generation: u64) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::CommitSnapshot { zone, generation, reply }).await
    }

    /// Saves what is true about a zone beside its version.
    pub async fn update_zone(&self, zone: &Name, state: ZoneState) -> Result<(), StoreError> {
        self.ask(|reply| StoreMessage::UpdateZone { zone: zone.clone(), state, reply }).await
    }

    /// What is remembered about a policy.
    pub async fn policy(&self, policy: &str) -> Result<Option<PolicyState>, StoreError> {
        self.ask(|reply| StoreMessage::Policy { policy: policy.to_owned(), reply }).await
    }

    /// Saves what is to be remembered about a policy.
    pub async fn set_policy(&self, policy: &str, state: PolicyState) -> Result<(), StoreError> {
        self.ask(|reply| StoreMessage::SetPolicy { policy: policy.to_owned(), state, reply }).await
    }

    /// The keys of a zone or policy.
    pub async fn keys_of(&self, owner: &KeyOwner) -> Result<Vec<KeyRecord>, StoreError> {
        self.ask(|reply| StoreMessage::KeysOf { owner: owner.clone(), reply }).await
    }

    /// All keys there are.
    pub async fn keys(&self) -> Result<Vec<KeyRecord>, StoreError> {
        self.ask(|reply| StoreMessage::Keys { reply }).await
    }

    /// What is remembered of a zone's keys.
    pub async fn life(&self, zone: &Name) -> Result<Option<ZoneLife>, StoreError> {
        self.ask(|reply| StoreMessage::Life { zone: zone.clone(), reply }).await
    }

    /// The same of all zones.
    pub async fn lives(&self) -> Result<Vec<(Name, ZoneLife)>, StoreError> {
        self.ask(|reply| StoreMessage::Lives { reply }).await
    }

    /// Changes what is remembered of a zone's keys.
    pub async fn commit_life(&self, change: NewLife) -> Result<(), StoreError> {
        self.ask(|reply| StoreMessage::CommitLife { change: Box::new(change), reply }).await
    }

    /// See [`StoreMessage::Announced`].
    pub async fn announced(&self, zone: &Name) -> Result<Option<[u8; 32]>, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::Announced { zone, reply }).await
    }

    /// See [`StoreMessage::SetAnnounced`].
    pub async fn set_announced(
        &self,
        zone: &Name,
        digest: Option<[u8; 32]>,
    ) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::SetAnnounced { zone, digest, reply }).await
    }

    /// See [`StoreMessage::HeldInput`].
    pub async fn held_input(&self, zone: &Name) -> Result<Option<HeldInput>, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::HeldInput { zone, reply }).await
    }

    /// See [`StoreMessage::HoldInput`].
    pub async fn hold_input(
        &self,
        zone: &Name,
        input: Option<HeldInput>,
    ) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::HoldInput { zone, input, reply }).await
    }

    /// See [`StoreMessage::AnswerInput`].
    pub async fn answer_input(
        &self,
        zone: &Name,
        digest: [u8; 32],
        answer: InputAnswer,
    ) -> Result<bool, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::AnswerInput { zone, digest, answer, reply }).await
    }

    /// See [`StoreMessage::Refresh`].
    pub async fn refresh(&self, zone: &Name) -> Result<Refresh, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::Refresh { zone, reply }).await
    }

    /// See [`StoreMessage::SetRefresh`].
    pub async fn set_refresh(&self, zone: &Name, refresh: Refresh) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::SetRefresh { zone, refresh, reply }).await
    }

    /// See [`StoreMessage::Waivers`].
    pub async fn waivers(&self, zone: Option<&Name>) -> Result<Vec<(Name, Waiver)>, StoreError> {
        let zone = zone.cloned();
        self.ask(|reply| StoreMessage::Waivers { zone, reply }).await
    }

    /// See [`StoreMessage::Waive`].
    pub async fn waive(
        &self,
        zone: &Name,
        waiver: Waiver,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::Waive { zone, waiver, now, reply }).await
    }

    /// See [`StoreMessage::Unwaive`].
    pub async fn unwaive(&self, zone: &Name, finding: u16) -> Result<bool, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::Unwaive { zone, finding, reply }).await
    }

    /// See [`StoreMessage::Eras`].
    pub async fn eras(&self, zone: &Name) -> Result<Option<Vec<u8>>, StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::Eras { zone, reply }).await
    }

    /// See [`StoreMessage::SetEras`].
    pub async fn set_eras(&self, zone: &Name, eras: Vec<u8>) -> Result<(), StoreError> {
        let zone = zone.clone();
        self.ask(|reply| StoreMessage::SetEras { zone, eras, reply }).await
    }

    /// What happened to a zone's keys.
    pub async fn history(&self, zone: &Name) -> Result<Vec<HistoryEntry>, StoreError> {
        self.ask(|reply| StoreMessage::History { zone: zone.clone(), reply }).await
    }

    /// First step of a key's generation.
    pub async fn key_intent(&self, key: NewKey) -> Result<KeyRecord, StoreError> {
        self.ask(|reply| StoreMessage::KeyIntent { key, reply }).await
    }

    /// First step of a key's removal.
    pub async fn key_removing(&self, repository: &str, id: &KeyId) -> Result<(), StoreError> {
        let (repository, id) = (repository.to_owned(), id.clone());
        self.ask(|reply| StoreMessage::KeyRemoving { repository, id, reply }).await.map(|_| ())
    }

    /// Last step of a key's removal.
    pub async fn key_removed(&self, repository: &str, id: &KeyId) -> Result<(), StoreError> {
        let (repository, id) = (repository.to_owned(), id.clone());
        self.ask(|reply| StoreMessage::KeyRemoved { repository, id, reply }).await
    }

    /// Takes a key out of the trash.
    pub async fn key_restore(&self, repository: &str, id: &KeyId) -> Result<KeyRecord, StoreError> {
        let (repository, id) = (repository.to_owned(), id.clone());
        self.ask(|reply| StoreMessage::KeyRestore { repository, id, reply }).await
    }

    /// Notes the backup of keys.
    pub async fn keys_set_backup(
        &self,
        keys: Vec<(String, KeyId)>,
        backup: BackupState,
    ) -> Result<(), StoreError> {
        self.ask(|reply| StoreMessage::KeysSetBackup { keys, backup, reply }).await
    }

    /// Forgets a zone and its keys' lives.
    pub async fn remove_zone(
        &self,
        zone: &Name,
        at: Timestamp,
        cause: &Cause,
    ) -> Result<(), StoreError> {
        let (zone, cause) = (zone.clone(), cause.clone());
        self.ask(|reply| StoreMessage::RemoveZone { zone, at, cause, reply }).await
    }

    /// Puts a key that was made ahead into the trash; `false`: it is not in its policy's pool.
    pub async fn key_discard(
        &self,
        policy: &str,
        repository: &str,
        id: &KeyId,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (policy, repository) = (policy.to_owned(), repository.to_owned());
        let id = id.clone();
        self.ask(|reply| StoreMessage::KeyDiscard { policy, repository, id, at, reply }).await
    }

    /// Writes a copy of the store.
    pub async fn copy_to(&self, path: PathBuf, now: Timestamp) -> Result<(), StoreError> {
        self.ask(|reply| StoreMessage::CopyTo { path, now, reply }).await
    }

    /// Last step of a key's generation.
    pub async fn key_present(
        &self,
        repository: &str,
        id: &KeyId,
        public_key: PublicKey,
        inception: Timestamp,
    ) -> Result<KeyRecord, StoreError> {
        let (repository, id) = (repository.to_owned(), id.clone());
        self.ask(|reply| StoreMessage::KeyPresent { repository, id, public_key, inception, reply })
            .await
    }
}
