//! One turn of one zone: what is remembered is read, changed by what happened, judged by the
//! core, made durable; only then is anything done or told.
//! In: a [`Job`]. Out: [`JobEnd`]. Never: decisions about keys; those are `dnssec::enforcer`'s.

use super::jobs::{Job, JobEnd, Looked, Task};
use super::keys::{KeysError, Telling};
use super::messages::{ChangeError, LeavingKey, ZoneKeys};
use super::sight::{is_policys, scene, used_keys, with_backups};
use super::{EnforcerParts, effects, signconf};
use crate::runtime::Clock;
use crate::settings::zone_text;
use crate::store::{NewLife, StoreError};
use dnssec::enforcer::{
    Action, DsSighting, Evaluation, KeyLife, Scene, SupplyKey, ZoneLife, evaluate, published,
};
use dnssec::key::{KeyId, KeyRole, PublicKey};
use dnssec::parent::watched_keys;
use dnssec::policy::Policy;
use dnssec::signing::ZoneKey;
use dnssec::signing::parent_sync::delegation;
use dnssec::{Name, Timestamp};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use storage::state::{Cause, KeyOwner, KeyRecord, KeyState, NewKey};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Keys made in one turn; more are made in the next.
const KEYS_PER_TURN_MAX: usize = 64;

/// Does the enforcer's jobs.
pub(super) struct Pass {
    pub(super) parts: Arc<EnforcerParts>,
    /// By policy: who takes or makes its keys or its salt.
    takers: Mutex<BTreeMap<String, Arc<AsyncMutex<()>>>>,
}

/// The right to take or make a policy's keys and its salt.
pub(super) type Taking = OwnedMutexGuard<()>;

/// What a zone's turn goes by: its policy, and what the parent shows, where somebody asks.
type Rules<'j> = (&'j Policy, Option<&'j [DsSighting]>);

/// Keys that are there, and those whose making cannot be ended now.
type Records = (Vec<KeyRecord>, Vec<(KeyRecord, KeysError)>);

/// A zone in its turn.
pub(super) struct Turn<'j> {
    pub(super) zone: &'j Name,
    pub(super) policy: &'j Policy,
    pub(super) now: Timestamp,
    /// What the parent shows; `None`: nobody asks.
    pub(super) parent: Option<&'j [DsSighting]>,
    /// All keys that are the zone's, or its policy's.
    pub(super) records: Vec<KeyRecord>,
    /// Whether it has no keys yet.
    pub(super) is_new: bool,
    /// Keys whose making was begun and cannot be ended now, and why.
    pub(super) unfinished: Vec<(KeyRecord, KeysError)>,
}

impl Turn<'_> {
    pub(super) fn record(&self, id: &KeyId) -> Option<&KeyRecord> {
        self.records.iter().find(|record| record.id == *id)
    }
}

impl Pass {
    pub(super) fn new(parts: Arc<EnforcerParts>) -> Pass {
        Pass { parts, takers: Mutex::default() }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn clock(&self) -> Clock {
        self.parts.clock.clone()
    }

    pub(super) async fn work_on(&self, job: Job) -> JobEnd {
        let Job { zone, policy, task, parent, given } = job;
        let is_asked = matches!(task, Task::Keys);
        let cause = given.clone().unwrap_or_else(|| Cause::from("enforcer"));
        let result = self.turn(&zone, (&policy, parent.as_deref()), (task, cause)).await;
        if let Err(error) = &result
            && !is_asked
        {
            tracing::error!(target: "enforcer", zone = %zone_text(&zone),
                "zone {}: {error}", zone_text(&zone));
        }
        JobEnd { zone, policy: policy.name.clone(), is_asked, result, given }
    }

    /// `cause`: why what the task does not say happens.
    async fn turn(
        &self,
        zone: &Name,
        rules: Rules<'_>,
        (task, mut cause): (Task, Cause),
    ) -> Result<Looked, KeysError> {
        let before = match self.parts.store.life(zone).await {
            Ok(life) => life.unwrap_or_default(),
            Err(error) => {
                task.refuse(ChangeError::Failed(error.to_string()));
                return Err(error.into());
            }
        };
        let now = self.now();
        let mut reply = None;
        let changed = match task {
            Task::Keys | Task::Look => before.clone(),
            Task::Published(report) => published(&before, &report),
            Task::Change { edit, cause: why, adopts, reply: to } => {
                let edited = match (edit(&before, now), adopts) {
                    (Ok(life), Some(key)) => self.adopt(*key).await.map(|()| life),
                    (edited, _) => edited,
                };
                match edited {
                    Ok(life) => {
                        (cause, reply) = (why, Some(to));
                        life
                    }
                    Err(error) => {
                        to.send(Err(error));
                        before.clone()
                    }
                }
            }
        };
        let result = self.look(zone, rules, now, &before, changed, &cause).await;
        if let Some(reply) = reply {
            let failed = |error: &KeysError| ChangeError::Failed(error.to_string());
            reply.send(result.as_ref().map(|_| ()).map_err(failed));
        }
        result
    }

    /// Looks at a zone and makes durable what follows. `before` is what is durable, `life` what
    /// became of it by the job.
    async fn look(
        &self,
        zone: &Name,
        (policy, parent): Rules<'_>,
        now: Timestamp,
        before: &ZoneLife,
        mut life: ZoneLife,
        cause: &Cause,
    ) -> Result<Looked, KeysError> {
        // Held until what was taken is durable.
        let mut taking = None;
        let salt = self.salt(policy, &mut taking).await?;
        let salt_due = self.salt_due(policy).await?;
        let is_new = life.keys.is_empty();
        let (records, unfinished) = self.records_for(zone, policy, &life, &mut taking).await?;
        let mut turn = Turn { zone, policy, now, parent, records, unfinished, is_new };
        with_backups(&mut life, &turn.records);
        let (evaluation, failure) = self.evaluated(&mut turn, &mut life, &mut taking).await?;
        if evaluation.life != *before {
            let taken = match policy.keys.share_keys {
                true => Vec::new(),
                false => taken(before, &evaluation.life),
            };
            let change = NewLife {
                zone: zone.clone(),
                life: evaluation.life.clone(),
                taken,
                at: now,
                cause: cause.clone(),
            };
            self.parts.store.commit_life(change).await?;
        }
        effects::log(&turn, &evaluation);
        if let Some(error) = failure {
            // What could be done without the key that could not be made is done and durable.
            return Err(error);
        }
        let keys = zone_keys(&turn, &evaluation.life)?;
        let dnskey_of = |id: &KeyId| {
            let record = turn.record(id)?;
            Some(dnssec::key::dnskey_rdata(record.role.flags(), &public_key(record)?))
        };
        let watched = watched_keys(&evaluation.life, dnskey_of);
        let delegation = delegation(&evaluation.life, policy, dnskey_of)
            .map_err(|missing| KeysError::RecordMissing { id: missing.id })?;
        let leaving = evaluation.life.keys.iter().filter(|key| !key.introducing).map(leaving);
        let leaving = leaving.collect();
        let has = |life: &ZoneLife, key: &KeyLife| life.keys.iter().any(|one| one.id == key.id);
        Ok(Looked {
            signconf: signconf::text(zone, policy, &salt, &evaluation.life),
            keys: ZoneKeys { keys, salt, delegation, shown_ds: Vec::new(), leaving },
            next: [evaluation.next, salt_due].into_iter().flatten().min(),
            watched,
            submissions: self.submissions(&turn, &evaluation),
            has_taken: evaluation.life.keys.iter().any(|key| !has(before, key)),
            has_purged: before.keys.iter().any(|key| !has(&evaluation.life, key)),
        })
    }

    /// Evaluates until no key is wanted that can be had. Answers too why a key could not be made.
    async fn evaluated(
        &self,
        turn: &mut Turn<'_>,
        life: &mut ZoneLife,
        taking: &mut Option<Taking>,
    ) -> Result<(Evaluation, Option<KeysError>), KeysError> {
        let mut evaluation = evaluate(life, &self.scene(turn, &[]));
        if wanted(&evaluation).is_some() && taking.is_none() {
            *taking = Some(self.taking(turn.policy).await);
            (turn.records, turn.unfinished) = self.records(turn.zone, turn.policy).await?;
            with_backups(life, &turn.records);
        }
        for _ in 0..KEYS_PER_TURN_MAX {
            if wanted(&evaluation).is_none() {
                break;
            }
            // Looked for only now: most turns want no key, and with shared keys it costs a look at
            // all zones.
            let supply = self.supply(turn, life).await?;
            evaluation = evaluate(life, &self.scene(turn, &supply));
            let Some(policy_key) = wanted(&evaluation) else { break };
            match self.make(turn, policy_key).await {
                Ok(record) => turn.records.push(record),
                Err(error) => return Ok((evaluation, Some(error))),
            }
        }
        Ok((evaluation, None))
    }

    fn scene<'s>(&self, turn: &Turn<'s>, supply: &'s [SupplyKey]) -> Scene<'s> {
        scene(turn.policy, turn.now, supply, turn.parent, &self.parts.settings)
    }

    /// Waits until nobody else takes or makes keys of the policy.
    pub(super) async fn taking(&self, policy: &Policy) -> Taking {
        let taker = {
            let mut takers = self.takers.lock().unwrap_or_else(PoisonError::into_inner);
            takers.entry(policy.name.clone()).or_default().clone()
        };
        taker.lock_owned().await
    }

    /// The records of the keys that a zone has: its own, which are quickly found; where it has
    /// others, or may have, all.
    async fn records_for(
        &self,
        zone: &Name,
        policy: &Policy,
        life: &ZoneLife,
        taking: &mut Option<Taking>,
    ) -> Result<Records, KeysError> {
        if !policy.keys.share_keys {
            let own = KeyOwner::Zone(Box::new(zone.clone()));
            let records = self.parts.store.keys_of(&own).await?;
            let is_begun = records.iter().any(|record| record.state == KeyState::Intent);
            let is_there = |record: &KeyRecord| record.state == KeyState::Present;
            let records: Vec<KeyRecord> = records.into_iter().filter(is_there).collect();
            let is_known = |key: &KeyLife| records.iter().any(|one| one.id == key.id);
            if !is_begun && life.keys.iter().all(is_known) {
                return Ok((records, Vec::new()));
            }
        }
        if taking.is_none() {
            *taking = Some(self.taking(policy).await);
        }
        self.records(zone, policy).await
    }

    /// The keys of a zone and its policy; those whose making was cut short are finished.
    async fn records(&self, zone: &Name, policy: &Policy) -> Result<Records, KeysError> {
        let own = KeyOwner::Zone(Box::new(zone.clone()));
        let (mut records, mut unfinished) = (Vec::new(), Vec::new());
        for owner in [own, KeyOwner::Policy(policy.name.clone())] {
            for record in self.parts.store.keys_of(&owner).await? {
                match record.state {
                    KeyState::Present => records.push(record),
                    KeyState::Intent => {
                        match self.finish(&policy.name, record.clone(), Telling::Each).await {
                            Ok(record) => records.push(record),
                            // A zone that has what it needs does not mind; one that lacks the
                            // key hears of it when it is wanted.
                            Err(error) => unfinished.push((record, error)),
                        }
                    }
                    KeyState::Removing | KeyState::Trashed { .. } => {}
                }
            }
        }
        Ok((records, unfinished))
    }

    /// Gives a key that is in its token a record, unless it has one.
    async fn adopt(&self, key: NewKey) -> Result<(), ChangeError> {
        let failed = |error: StoreError| ChangeError::Failed(error.to_string());
        let known = self.parts.store.keys_of(&key.owner).await.map_err(failed)?;
        let is_it = |record: &KeyRecord| {
            let is_there = record.state == KeyState::Present;
            is_there && record.id == key.id && record.repository == key.repository
        };
        if !known.iter().any(is_it) {
            self.parts.store.key_intent(key).await.map_err(failed)?;
        }
        Ok(())
    }

    /// Keys that the zone may take.
    async fn supply(&self, turn: &Turn<'_>, life: &ZoneLife) -> Result<Vec<SupplyKey>, KeysError> {
        let shares = turn.policy.keys.share_keys && turn.records.iter().any(is_policys);
        let used = match shares {
            true => used_keys(&self.parts.store.lives().await?),
            false => BTreeMap::new(),
        };
        Ok(self.supply_of(turn.zone, turn.policy, (&turn.records, life), &used).await?)
    }
}

/// The public half of a key that is in its token.
pub(super) fn public_key(record: &KeyRecord) -> Option<PublicKey> {
    let bytes = record.public_key.clone()?;
    Some(PublicKey { algorithm: record.algorithm, bytes })
}

/// Keys that came into the zone's life by an evaluation.
fn taken(before: &ZoneLife, after: &ZoneLife) -> Vec<(String, KeyId)> {
    let is_new = |key: &&KeyLife| !before.keys.iter().any(|old| old.id == key.id);
    let new = after.keys.iter().filter(is_new);
    new.map(|key| (key.repository.clone(), key.id.clone())).collect()
}

/// The key of the policy that nothing in the supply fits.
fn wanted(evaluation: &Evaluation) -> Option<usize> {
    evaluation.actions.iter().find_map(|action| match action {
        Action::KeyWanted { policy_key, .. } => Some(*policy_key),
        _ => None,
    })
}

fn leaving(key: &KeyLife) -> LeavingKey {
    LeavingKey { role: key.role, algorithm: key.algorithm, bits: key.bits }
}

/// What the zone signs with now, KSKs first.
fn zone_keys(turn: &Turn<'_>, life: &ZoneLife) -> Result<Vec<(ZoneKey, Timestamp)>, KeysError> {
    let mut keys = Vec::new();
    for key in &life.keys {
        keys.extend(zone_key(turn, key)?);
    }
    keys.sort_by_key(|(key, inception): &(ZoneKey, Timestamp)| (key.role, *inception));
    Ok(keys)
}

/// A key as its zone uses it; `None` for one that it neither shows nor signs with.
fn zone_key(turn: &Turn<'_>, key: &KeyLife) -> Result<Option<(ZoneKey, Timestamp)>, KeysError> {
    let signs = match (key.signs_keyset(), key.signs_zone()) {
        (true, true) => Some(KeyRole::Csk),
        (true, false) => Some(KeyRole::Ksk),
        (false, true) => Some(KeyRole::Zsk),
        (false, false) => None,
    };
    if signs.is_none() && !key.is_published() {
        return Ok(None);
    }
    let public_key = turn.record(&key.id).and_then(public_key);
    let public_key = public_key.ok_or_else(|| KeysError::RecordMissing { id: key.id.clone() })?;
    let zone_key = ZoneKey {
        id: key.id.clone(),
        repository: key.repository.clone(),
        role: key.role,
        public_key,
        is_published: key.is_published(),
        signs,
        is_revoked: key.revoked.is_some(),
    };
    Ok(Some((zone_key, key.inception)))
}
