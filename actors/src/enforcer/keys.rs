//! Makes the keys that a zone lacks, and salts. Carries out what `dnssec::first_keys` decides.
//! In: a zone and its policy. Out: its keys, all of them durable.

use super::EnforcerParts;
use super::messages::{Wanted, ZoneKeys};
use crate::slot::{SlotClient, SlotFailure};
use crate::store::StoreError;
use dnssec::first_keys::{
    HeldKey, algorithm_without_nsec3, is_salt_due, missing_keys, wanted_bits,
};
use dnssec::key::{KeyId, PublicKey};
use dnssec::policy::{DenialPolicy, KeyPolicy, Policy};
use dnssec::signing::ZoneKey;
use dnssec::{Algorithm, Timestamp};
use hsm::{GenerateRequest, SlotError};
use std::sync::Arc;
use storage::state::{BackupState, KeyOwner, KeyRecord, KeyState, NewKey, PolicyState};

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
    /// A policy without keys, or one that passes zones through.
    #[error(
        "policy {policy} signs nothing ({why}); unsigned publication is not available yet, give \
         the zone a policy with keys"
    )]
    SignsNothing {
        /// The policy.
        policy: String,
        /// Which of the two.
        why: &'static str,
    },
}

pub(super) struct KeyMaker {
    parts: Arc<EnforcerParts>,
}

impl KeyMaker {
    pub(super) fn new(parts: Arc<EnforcerParts>) -> KeyMaker {
        KeyMaker { parts }
    }

    /// The keys of a zone; those that are missing are made.
    pub(super) async fn keys_for(&self, wanted: &Wanted) -> Result<ZoneKeys, KeysError> {
        let policy = &wanted.policy;
        let unsigned = match (policy.passthrough, policy.keys.keys.is_empty()) {
            (true, _) => Some("Passthrough"),
            (_, true) => Some("it has no keys"),
            _ => None,
        };
        if let Some(why) = unsigned {
            return Err(KeysError::SignsNothing { policy: policy.name.clone(), why });
        }
        if let Some(algorithm) = algorithm_without_nsec3(policy) {
            return Err(KeysError::NotWithNsec3 { policy: policy.name.clone(), algorithm });
        }
        let owner = match policy.keys.share_keys {
            true => KeyOwner::Policy(policy.name.clone()),
            false => KeyOwner::Zone(Box::new(wanted.zone.clone())),
        };
        let mut records = Vec::new();
        for record in self.parts.store.keys_of(&owner).await? {
            match record.state {
                KeyState::Intent => records.push(self.finish(&policy.name, record).await?),
                KeyState::Present => records.push(record),
                KeyState::Removing => {}
            }
        }
        let held: Vec<HeldKey<'_>> = records.iter().map(held).collect();
        for missing in missing_keys(&policy.keys, &held) {
            let record = self.make(&policy.name, missing, &owner).await?;
            records.push(record);
        }
        for record in records.iter().filter(|record| record.algorithm.is_deprecated()) {
            tracing::warn!(target: "enforcer", zone = %wanted.zone,
                "key {} of zone {} uses {}, which RFC 9905 forbids for new keys; it goes on \
                 signing: change the algorithm in policy {} to 13 to roll away from it",
                record.id, wanted.zone, record.algorithm, policy.name);
        }
        let salt = self.salt(policy).await?;
        // The store's order is that of the random ids; people look for the KSK first.
        records.sort_by_key(|record| (record.role, record.inception));
        Ok(ZoneKeys { keys: records.iter().filter_map(zone_key).collect(), salt })
    }

    fn slot(&self, policy: &str, repository: &str) -> Result<&SlotClient, KeysError> {
        self.parts.slots.get(repository).ok_or_else(|| KeysError::RepositoryUnknown {
            policy: policy.to_owned(),
            repository: repository.to_owned(),
        })
    }

    /// First step: the intent. The others are [`KeyMaker::finish`].
    async fn make(
        &self,
        policy: &str,
        wanted: &KeyPolicy,
        owner: &KeyOwner,
    ) -> Result<KeyRecord, KeysError> {
        if wanted.algorithm.is_deprecated() && !self.parts.allow_deprecated {
            let (policy, algorithm) = (policy.to_owned(), wanted.algorithm);
            return Err(KeysError::Deprecated { policy, algorithm });
        }
        // Asked first, so that a closed slot leaves no intents behind.
        self.slot(policy, &wanted.repository)?.lease().await?;
        let key = NewKey {
            id: hsm::random_key_id().ok_or(KeysError::NoRandomness)?,
            repository: wanted.repository.clone(),
            role: wanted.role,
            algorithm: wanted.algorithm,
            bits: wanted_bits(wanted),
            flags: wanted.role.flags(),
            owner: owner.clone(),
            inception: self.parts.clock.now(),
            backup: BackupState::NotRequired,
        };
        let intent = self.parts.store.key_intent(key).await?;
        self.finish(policy, intent).await
    }

    /// Second and third step: the key, wherever its making was cut short, and its record.
    async fn finish(&self, policy: &str, intent: KeyRecord) -> Result<KeyRecord, KeysError> {
        let slot = self.slot(policy, &intent.repository)?;
        let (public_key, made_at) = match slot.public_key(&intent.id, intent.algorithm).await {
            Ok(key) => (key, intent.inception),
            Err(SlotFailure::Slot(SlotError::NotFound { .. })) => {
                // "Not found" is no proof of absence: if the token hides the key, generating
                // under the same id is refused and nothing is lost.
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
        tracing::info!(target: "enforcer", algorithm = %intent.algorithm, role = %intent.role,
            "1 new {}(s) ({} bits) need to be created.", intent.role, intent.bits);
        let id: KeyId = intent.id.clone();
        let request = GenerateRequest {
            id,
            algorithm: intent.algorithm,
            rsa_bits: intent.bits,
            allow_deprecated: self.parts.allow_deprecated,
        };
        Ok(slot.generate(request).await?)
    }

    /// The policy's salt; a new one when it is due.
    async fn salt(&self, policy: &Policy) -> Result<Vec<u8>, KeysError> {
        let DenialPolicy::Nsec3(nsec3) = &policy.denial else { return Ok(Vec::new()) };
        let now = self.parts.clock.now();
        let known = self.parts.store.policy(&policy.name).await?;
        let (salt, changed) =
            known.map_or((Vec::new(), Timestamp(0)), |known| (known.salt, known.salt_changed));
        if !is_salt_due(nsec3, salt.len(), changed, now) {
            return Ok(salt);
        }
        let mut salt = vec![0; usize::from(nsec3.salt_length)];
        getrandom::fill(&mut salt).map_err(|_| KeysError::NoRandomness)?;
        let state = PolicyState { salt: salt.clone(), salt_changed: now };
        self.parts.store.set_policy(&policy.name, state).await?;
        Ok(salt)
    }
}

fn held(record: &KeyRecord) -> HeldKey<'_> {
    HeldKey {
        role: record.role,
        algorithm: record.algorithm,
        bits: record.bits,
        repository: &record.repository,
    }
}

/// A present key as its zone uses it: published and active from the start.
fn zone_key(record: &KeyRecord) -> Option<(ZoneKey, Timestamp)> {
    let public_key = PublicKey { algorithm: record.algorithm, bytes: record.public_key.clone()? };
    let key = ZoneKey {
        id: record.id.clone(),
        repository: record.repository.clone(),
        role: record.role,
        public_key,
        is_published: true,
        signs: Some(record.role),
        is_revoked: false,
    };
    Some((key, record.inception))
}
