//! Makes keys and salts. In: what the core wants. Out: keys in their tokens, on record.
//! Three durable steps per key: the intent with an id of our choice, the generation, the record
//! with the public key. After a crash the intent is found again and adopted or repeated, never made
//! twice. A key whose tag another key of the zone has, or would have when either is revoked, is
//! put aside and another one is made (guard W3).

use super::pass::{Pass, Taking, Turn, public_key};
use super::stock::fits;
use crate::slot::{SlotClient, SlotFailure};
use crate::store::StoreError;
use dnssec::first_keys::{algorithm_without_nsec3, is_salt_due, wanted_bits};
use dnssec::key::{KeyId, KeyRole, PublicKey, REVOKE, dnskey_rdata, key_tag};
use dnssec::key_room::has_room_to_roll;
use dnssec::policy::{DenialPolicy, KeyPolicy, Policy};
use dnssec::{Algorithm, Timestamp};
use hsm::{GenerateRequest, SlotError};
use storage::state::{BackupState, KeyOwner, KeyRecord, NewKey, PolicyState};

/// Keys made in place of one whose tag is taken.
const KEY_TRIES_MAX: usize = 8;

/// Why a zone has not got its keys.
#[derive(Debug, thiserror::Error)]
pub(super) enum KeysError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The slot.
    #[error(transparent)]
    Slot(#[from] SlotFailure),
    /// A repository that conf.xml does not have.
    #[error(
        "policy {policy} names repository {repository}, which conf.xml does not have; add it \
         there or correct kasp.xml"
    )]
    RepositoryUnknown {
        /// The policy.
        policy: String,
        /// The name.
        repository: String,
    },
    /// RFC 9905.
    #[error(
        "policy {policy} wants a new {algorithm} key; SHA-1 must not be used for new keys \
         (RFC 9905): choose algorithm 13, or allow it with <AllowDeprecatedAlgorithms/> in \
         conf.xml or --allow-deprecated on the command line"
    )]
    Deprecated {
        /// The policy.
        policy: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// RFC 5155 §2.
    #[error(
        "policy {policy}: {algorithm} cannot be used with NSEC3 (RFC 5155 section 2): choose \
         algorithm 13, or NSEC"
    )]
    NotWithNsec3 {
        /// The policy.
        policy: String,
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// No randomness.
    #[error("the system's random source failed; restart the machine")]
    NoRandomness,
    /// Key tags that go on colliding: the token's randomness is broken.
    #[error(
        "repository {repository} made {KEY_TRIES_MAX} keys in a row whose key tags are taken; \
         its random source may be broken: test it with \"anchorite hsm test\""
    )]
    TagsCollide {
        /// The repository.
        repository: String,
    },
    /// A zone that could never be rolled.
    #[error(
        "Repository {repository} is full, cannot create more {role}s for policy {policy}: it has \
         room for {free} more keys, a new zone needs {missing} and one more to be rolled; raise \
         <Capacity> in conf.xml, remove keys that are out of use, or use another repository"
    )]
    NoRoomToRoll {
        /// The repository.
        repository: String,
        /// What the key is for.
        role: KeyRole,
        /// The policy.
        policy: String,
        /// Keys that still go in.
        free: u64,
        /// Keys that the zone still needs there.
        missing: usize,
    },
    /// `<ManualKeyGeneration/>`.
    #[error(
        "policy {policy} needs a new {role}, and keys are made by hand (<ManualKeyGeneration/>): \
         run \"ods-enforcer key generate -p {policy} -d P1Y\""
    )]
    ByHandOnly {
        /// The policy.
        policy: String,
        /// What for.
        role: KeyRole,
    },
    /// The record of a key that a zone uses is not there.
    #[error(
        "key {id} is in use and has no record; restore the state from a backup, or remove the \
         zone and add it again"
    )]
    RecordMissing {
        /// The key.
        id: KeyId,
    },
}

/// Whether the log says of each key that it is made, or has said so of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Telling {
    /// Of each.
    Each,
    /// Not again.
    Told,
}

impl Pass {
    pub(super) fn slot(&self, policy: &str, repository: &str) -> Result<&SlotClient, KeysError> {
        self.parts.slots.get(repository).ok_or_else(|| KeysError::RepositoryUnknown {
            policy: policy.to_owned(),
            repository: repository.to_owned(),
        })
    }

    /// A new key for the zone, or for its policy's zones to share.
    pub(super) async fn make(
        &self,
        turn: &mut Turn<'_>,
        policy_key: usize,
    ) -> Result<KeyRecord, KeysError> {
        let policy = &turn.policy.name;
        // The core counts the keys of this very policy.
        let wanted = &turn.policy.keys.keys[policy_key];
        if self.parts.settings.manual_key_generation {
            return Err(KeysError::ByHandOnly { policy: policy.clone(), role: wanted.role });
        }
        if let Some(algorithm) = algorithm_without_nsec3(turn.policy) {
            return Err(KeysError::NotWithNsec3 { policy: policy.clone(), algorithm });
        }
        let owner = match turn.policy.keys.share_keys {
            true => KeyOwner::Policy(policy.clone()),
            false => KeyOwner::Zone(Box::new(turn.zone.clone())),
        };
        // One that was begun for this very purpose is ended before another one is begun, or there
        // would be one more for each time that the token is full.
        let is_this =
            |(record, _): &(KeyRecord, KeysError)| record.owner == owner && fits(record, wanted);
        if let Some(index) = turn.unfinished.iter().position(is_this) {
            return Err(turn.unfinished.swap_remove(index).1);
        }
        self.check(policy, wanted).await?;
        self.check_room(turn, wanted, &owner).await?;
        self.make_one(policy, wanted, &owner, (&turn.records, Telling::Each)).await
    }

    /// Whether a key can be made: asked first, so that a closed slot leaves no intents behind.
    async fn check(&self, policy: &str, wanted: &KeyPolicy) -> Result<(), KeysError> {
        if wanted.algorithm.is_deprecated() && !self.parts.allow_deprecated {
            let (policy, algorithm) = (policy.to_owned(), wanted.algorithm);
            return Err(KeysError::Deprecated { policy, algorithm });
        }
        self.slot(policy, &wanted.repository)?.lease().await?;
        Ok(())
    }

    /// Whether a zone that has no keys yet may have its first ones where they are wanted: one whose
    /// keys could never be rolled may not (rule HSM-11).
    async fn check_room(
        &self,
        turn: &Turn<'_>,
        wanted: &KeyPolicy,
        owner: &KeyOwner,
    ) -> Result<(), KeysError> {
        let repository = &wanted.repository;
        let Some(free) = self.slot(&turn.policy.name, repository)?.room().await? else {
            return Ok(());
        };
        let all = turn.policy.keys.keys.iter().filter(|key| key.repository == *repository).count();
        let held = |key: &&KeyRecord| key.repository == *repository && key.owner == *owner;
        let missing = all.saturating_sub(turn.records.iter().filter(held).count());
        if !turn.is_new || has_room_to_roll(free, missing as u64) {
            return Ok(());
        }
        Err(KeysError::NoRoomToRoll {
            repository: repository.clone(),
            role: wanted.role,
            policy: turn.policy.name.clone(),
            free,
            missing,
        })
    }

    /// A new key whose tag is none of those of `others`.
    pub(super) async fn make_one(
        &self,
        policy: &str,
        wanted: &KeyPolicy,
        owner: &KeyOwner,
        (others, telling): (&[KeyRecord], Telling),
    ) -> Result<KeyRecord, KeysError> {
        self.check(policy, wanted).await?;
        for _ in 0..KEY_TRIES_MAX {
            let key = NewKey {
                id: hsm::random_key_id().ok_or(KeysError::NoRandomness)?,
                repository: wanted.repository.clone(),
                role: wanted.role,
                algorithm: wanted.algorithm,
                bits: wanted_bits(wanted),
                flags: wanted.role.flags(),
                owner: owner.clone(),
                inception: self.now(),
                backup: match self.parts.settings.backed_up.contains(&wanted.repository) {
                    true => BackupState::Required,
                    false => BackupState::NotRequired,
                },
            };
            let intent = self.parts.store.key_intent(key).await?;
            let record = self.finish(policy, intent, telling).await?;
            if !others.iter().any(|other| collide(other, &record)) {
                return Ok(record);
            }
            tracing::warn!(target: "enforcer", id = %record.id,
                "the new key {} has a key tag that is taken; another one is made", record.id);
            self.parts.store.key_removing(&record.repository, &record.id).await?;
            self.destroy(&record).await;
        }
        Err(KeysError::TagsCollide { repository: wanted.repository.clone() })
    }

    /// Second and third step: the key, wherever its making was cut short, and its record.
    pub(super) async fn finish(
        &self,
        policy: &str,
        intent: KeyRecord,
        telling: Telling,
    ) -> Result<KeyRecord, KeysError> {
        let slot = self.slot(policy, &intent.repository)?;
        let (public_key, made_at) = match slot.public_key(&intent.id, intent.algorithm).await {
            Ok(key) => (key, intent.inception),
            Err(SlotFailure::Slot(SlotError::NotFound { .. })) => {
                // "Not found" is no proof of absence: if the token hides the key, generating
                // under the same id is refused and nothing is lost.
                if telling == Telling::Each {
                    tracing::info!(target: "enforcer", algorithm = %intent.algorithm,
                        "1 new {}(s) ({} bits) need to be created.", intent.role, intent.bits);
                }
                self.generate(slot, &intent).await?
            }
            Err(failure) => return Err(failure.into()),
        };
        let KeyRecord { repository, id, .. } = intent;
        Ok(self.parts.store.key_present(&repository, &id, public_key, made_at).await?)
    }

    async fn generate(
        &self,
        slot: &SlotClient,
        intent: &KeyRecord,
    ) -> Result<(PublicKey, Timestamp), KeysError> {
        let request = GenerateRequest {
            id: intent.id.clone(),
            algorithm: intent.algorithm,
            rsa_bits: intent.bits,
            allow_deprecated: self.parts.allow_deprecated,
        };
        Ok(slot.generate(request).await?)
    }

    /// The policy's salt; a new one when it is due, which one zone makes for all.
    pub(super) async fn salt(
        &self,
        policy: &Policy,
        taking: &mut Option<Taking>,
    ) -> Result<Vec<u8>, KeysError> {
        let DenialPolicy::Nsec3(nsec3) = &policy.denial else { return Ok(Vec::new()) };
        let now = self.now();
        let known = self.parts.store.policy(&policy.name).await?;
        let (salt, changed) =
            known.map_or((Vec::new(), Timestamp(0)), |known| (known.salt, known.salt_changed));
        if !is_salt_due(nsec3, salt.len(), changed, now) {
            return Ok(salt);
        }
        if taking.is_none() {
            // Somebody may have made it while this turn waited.
            *taking = Some(self.taking(policy).await);
            return Box::pin(self.salt(policy, taking)).await;
        }
        let mut salt = vec![0; usize::from(nsec3.salt_length)];
        getrandom::fill(&mut salt).map_err(|_| KeysError::NoRandomness)?;
        let state = PolicyState { salt: salt.clone(), salt_changed: now };
        self.parts.store.set_policy(&policy.name, state).await?;
        Ok(salt)
    }
}

/// Whether two keys have one tag, or would have when either is revoked.
pub(super) fn collide(one: &KeyRecord, other: &KeyRecord) -> bool {
    let tags = |record: &KeyRecord| {
        let key = public_key(record)?;
        let flags = record.role.flags();
        Some([flags, flags | REVOKE].map(|flags| key_tag(&dnskey_rdata(flags, &key))))
    };
    match (tags(one), tags(other)) {
        (Some(one), Some(other)) => one.iter().any(|tag| other.contains(tag)),
        _ => false,
    }
}
