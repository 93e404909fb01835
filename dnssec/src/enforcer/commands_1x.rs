//! What operators say in OpenDNSSEC 1.x and not in 2.x (catalogue 1.10): `ds-seen --no-retire`.
//! In: life, key, policy. Out: the life afterwards, or why not; then nothing changed. An
//! evaluation follows.

use super::commands::CommandError;
use super::policy_pass::{fits, wanted_keys};
use super::state::{DsAtParent, RecordState, ZoneLife};
use crate::key::KeyId;
use crate::policy::Policy;

/// What `key ds-seen --no-retire` says of the KSK before: it goes on working beside the one that
/// takes over, until `key ksk-retire` or the next roll. Its DS has to be at the parent still, and
/// the policy has to want such keys.
pub fn stay(life: &ZoneLife, id: &KeyId, policy: &Policy) -> Result<ZoneLife, CommandError> {
    let mut life = life.clone();
    let found = life.keys.iter_mut().find(|key| key.id == *id);
    let key = found.ok_or_else(|| CommandError::UnknownKey { id: id.clone() })?;
    let Some(ds) = key.ds else {
        return Err(CommandError::HasNoDs { id: id.clone(), role: key.role });
    };
    let is_wanted = wanted_keys(policy).iter().any(|wanted| fits(key, wanted));
    if key.revoked.is_some() || !is_wanted {
        return Err(CommandError::LeavesAlready { id: id.clone() });
    }
    let is_whole = ds.state == RecordState::Omnipresent && key.is_published();
    if key.ds_at_parent != DsAtParent::Seen || !is_whole {
        let (state, needed) = (key.ds_at_parent, DsAtParent::Seen);
        return Err(CommandError::WrongState { id: id.clone(), state, needed });
    }
    key.introducing = true;
    Ok(life)
}
