//! Keys made ahead that nobody wants any more. In: a key of a policy's pool. Out: the key in the
//! trash, unless a zone took it meanwhile.

use super::StateStore;
use super::error::StateError;
use super::keys;
use super::records::{KeyOwner, KeyState};
use dnssec::Timestamp;
use dnssec::key::KeyId;

impl StateStore {
    /// Puts a key that a policy has in its pool into the trash. `false`: it is not there (any
    /// more), and nothing was changed. A zone that takes a key does so in one transaction, too,
    /// and takes none that is in the trash: so no zone is left with a key that is thrown away.
    pub fn key_discard(
        &self,
        policy: &str,
        repository: &str,
        id: &KeyId,
        at: Timestamp,
    ) -> Result<bool, StateError> {
        self.write(|transaction| {
            let owner = KeyOwner::Policy(policy.to_owned());
            let pool = keys::owned(transaction, &owner)?;
            let is_it = pool.iter().any(|key| {
                key.repository == repository && key.id == *id && key.state == KeyState::Present
            });
            if is_it {
                keys::trash(transaction, repository, id, at)?;
            }
            Ok(is_it)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::FaultDisk;
    use crate::state::{BackupState, Cause, LifeChange, NewKey};
    use dnssec::enforcer::ZoneLife;
    use dnssec::key::{KeyRole, PublicKey};
    use dnssec::{Algorithm, Name};
    use std::path::Path;

    const NOW: Timestamp = Timestamp(1_800_000_000);

    /// A store with two keys in the pool of the policy "default".
    fn store() -> (StateStore, [KeyId; 2]) {
        let store = StateStore::open_on(&FaultDisk::default(), Path::new("memory"), NOW).unwrap();
        let ids = [1, 2].map(|byte| KeyId::new(&[byte; 16]).unwrap());
        for id in &ids {
            let key = NewKey {
                id: id.clone(),
                repository: "SoftHSM".to_owned(),
                role: KeyRole::Zsk,
                algorithm: Algorithm::EcdsaP256Sha256,
                bits: 256,
                flags: 256,
                owner: KeyOwner::Policy("default".to_owned()),
                inception: NOW,
                backup: BackupState::NotRequired,
            };
            store.key_intent(&key).unwrap();
            let algorithm = Algorithm::EcdsaP256Sha256;
            let public = PublicKey { algorithm, bytes: vec![id.as_bytes()[0]; 64] };
            store.key_present("SoftHSM", id, &public, NOW).unwrap();
        }
        (store, ids)
    }

    fn take(store: &StateStore, id: &KeyId) -> Result<(), StateError> {
        let zone = Name::parse(b"example.", None).unwrap();
        store.life_commit(&LifeChange {
            zone: &zone,
            life: &ZoneLife::default(),
            taken: &[("SoftHSM".to_owned(), id.clone())],
            at: NOW,
            cause: &Cause::from("test"),
        })
    }

    #[test]
    fn a_key_that_is_thrown_away_is_not_taken_and_the_other_way_round() {
        let (store, [one, other]) = store();
        assert!(store.key_discard("default", "SoftHSM", &one, NOW).unwrap());
        assert!(matches!(take(&store, &one), Err(StateError::KeyConflict { .. })));
        take(&store, &other).unwrap();
        assert!(!store.key_discard("default", "SoftHSM", &other, NOW).unwrap());
        let state = |id| store.key("SoftHSM", id).unwrap().map(|key| key.state);
        assert_eq!(state(&one), Some(KeyState::Trashed { since: NOW }));
        assert_eq!(state(&other), Some(KeyState::Present));
        for (policy, repository) in [("other", "SoftHSM"), ("default", "none")] {
            assert!(!store.key_discard(policy, repository, &one, NOW).unwrap());
        }
    }
}
