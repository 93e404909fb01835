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
