//! Keys made ahead (`<AutomaticKeyGenerationPeriod>`, `key generate`; catalogue 4.4): so many
//! unused ones for each key of a policy that they last for a time. In: an order for a policy.
//! Out: one key a call, so that a zone that wants something never waits for more than one.
//! Limits: the room in the repository (`<Capacity>`).

use super::keys::{KeysError, Telling};
use super::pass::Pass;
use dnssec::Seconds;
use dnssec::enforcer::supply_demand;
use dnssec::first_keys::{algorithm_without_nsec3, wanted_bits};
use dnssec::policy::{KeyPolicy, Policy};
use std::collections::BTreeSet;
use std::sync::Arc;
use storage::state::{KeyOwner, KeyRecord, KeyState};

/// For how long unused keys last when nobody says.
pub(super) const PERIOD_DEFAULT: Seconds = Seconds(365 * 86_400);

/// Keys to be made ahead for a policy.
pub(super) struct StockOrder {
    pub(super) policy: Arc<Policy>,
    /// For how long the unused keys are to last.
    pub(super) period: Seconds,
    /// Zones that have the policy.
    pub(super) zones: usize,
    /// Whether the log has what is to be made.
    pub(super) is_told: bool,
}

impl Pass {
    /// Makes one of the missing keys; `false`: none is missing, or there is no room.
    pub(super) async fn stock_one(&self, order: &mut StockOrder) -> Result<bool, KeysError> {
        let policy = order.policy.clone();
        if algorithm_without_nsec3(&policy).is_some() {
            // Said when a zone wants its keys.
            return Ok(false);
        }
        let owner = KeyOwner::Policy(policy.name.clone());
        let mut records = Vec::new();
        for record in self.parts.store.keys_of(&owner).await? {
            match record.state {
                KeyState::Present => records.push(record),
                KeyState::Intent => {
                    records.push(self.finish(&policy.name, record, Telling::Told).await?)
                }
                KeyState::Removing | KeyState::Trashed { .. } => {}
            }
        }
        let mut used = BTreeSet::new();
        if policy.keys.share_keys {
            for (_, life) in self.parts.store.lives().await? {
                used.extend(life.keys.into_iter().map(|key| key.id));
            }
        }
        let is_free = |record: &&KeyRecord| !used.contains(&record.id);
        let unused = |wanted: &KeyPolicy| {
            records.iter().filter(is_free).filter(|record| fits(record, wanted)).count()
        };
        let unused: Vec<usize> = policy.keys.keys.iter().map(unused).collect();
        let missing = supply_demand(&policy, order.period, &unused, order.zones);
        if !order.is_told {
            order.is_told = true;
            tell(order, &unused, &missing);
        }
        for (wanted, _) in policy.keys.keys.iter().zip(missing).filter(|(_, count)| *count > 0) {
            let slot = self.slot(&policy.name, &wanted.repository)?;
            if slot.room().await? == Some(0) {
                tracing::error!(target: "enforcer", repository = %wanted.repository,
                    "Repository {} is full, cannot create more {}s for policy {}",
                    wanted.repository, wanted.role, policy.name);
                continue;
            }
            self.make_one(&policy.name, wanted, &owner, (&records, Telling::Told)).await?;
            return Ok(true);
        }
        Ok(false)
    }
}

/// Whether a key was made for this key of a policy.
pub(super) fn fits(record: &KeyRecord, wanted: &KeyPolicy) -> bool {
    record.role == wanted.role
        && record.algorithm == wanted.algorithm
        && record.bits == wanted_bits(wanted)
        && record.repository == wanted.repository
}

fn tell(order: &StockOrder, unused: &[usize], missing: &[usize]) {
    let keys = order.policy.keys.keys.iter().zip(unused).zip(missing);
    for ((wanted, unused), missing) in keys.filter(|(_, missing)| **missing > 0) {
        let policy = &order.policy.name;
        tracing::info!(target: "enforcer", %policy,
            "{} keys needed for {} zones covering {} seconds, generating {missing} keys for \
             policy {policy}",
            unused + missing, order.zones, order.period.0);
        tracing::info!(target: "enforcer", %policy,
            "{missing} new {}(s) ({} bits) need to be created.", wanted.role, wanted_bits(wanted));
    }
}
