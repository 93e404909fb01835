//! Keys made ahead (`<AutomaticKeyGenerationPeriod>`, `key generate`; catalogue 4.4): so many
//! unused ones for each key of a policy that they last for a time. In: an order for a policy.
//! Out: one key a call, so that a zone that wants something never waits for more than one.
//! Limits: the room in the repository (`<Capacity>`).

use super::keys::{KeysError, Telling};
use super::pass::Pass;
use crate::store::{StoreClient, StoreError};
use dnssec::Seconds;
use dnssec::enforcer::supply_demand;
use dnssec::first_keys::{algorithm_without_nsec3, wanted_bits};
use dnssec::key::KeyId;
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
    /// Zones that keys are made for.
    pub(super) pools: usize,
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
        let used = used_by(&self.parts.store, &policy).await?;
        let stock = stock(&policy, order.period, (order.zones, order.pools), &records, &used);
        if !order.is_told {
            order.is_told = true;
            tell(order, &stock);
        }
        for wanted in stock.iter().filter(|one| one.missing() > 0).map(|one| &one.key) {
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

/// What a policy has and needs of one of its keys.
#[derive(Clone, Debug)]
pub struct Stock {
    /// Which.
    pub key: KeyPolicy,
    /// So many unused ones are to be there.
    pub needed: usize,
    /// So many are.
    pub unused: usize,
}

impl Stock {
    /// So many are to be made.
    pub fn missing(&self) -> usize {
        self.needed.saturating_sub(self.unused)
    }
}

/// What a policy has and needs so that `pools` zones need no other keys for a period.
pub async fn stock_of(
    store: &StoreClient,
    policy: &Policy,
    period: Seconds,
    pools: usize,
) -> Result<Vec<Stock>, StoreError> {
    let mut records = store.keys_of(&KeyOwner::Policy(policy.name.clone())).await?;
    records.retain(|record| record.state == KeyState::Present);
    let used = used_by(store, policy).await?;
    Ok(stock(policy, period, (pools, pools), &records, &used))
}

/// The keys of a policy's pool that zones have all the same: they share them.
async fn used_by(store: &StoreClient, policy: &Policy) -> Result<BTreeSet<KeyId>, StoreError> {
    let mut used = BTreeSet::new();
    if policy.keys.share_keys {
        for (_, life) in store.lives().await? {
            used.extend(life.keys.into_iter().map(|key| key.id));
        }
    }
    Ok(used)
}

/// `zones` have the policy, and keys are made for `pools` of them.
fn stock(
    policy: &Policy,
    period: Seconds,
    (zones, pools): (usize, usize),
    records: &[KeyRecord],
    used: &BTreeSet<KeyId>,
) -> Vec<Stock> {
    let unused = |wanted: &KeyPolicy| {
        let is_free = |record: &&KeyRecord| !used.contains(&record.id) && fits(record, wanted);
        records.iter().filter(is_free).count()
    };
    let needed = supply_demand(policy, period, &[], zones);
    let keys = policy.keys.keys.iter().zip(needed);
    keys.map(|(key, needed)| Stock {
        key: key.clone(),
        needed: needed.saturating_mul(pools),
        unused: unused(key),
    })
    .collect()
}

fn tell(order: &StockOrder, stock: &[Stock]) {
    for one in stock.iter().filter(|one| one.missing() > 0) {
        let (policy, missing) = (&order.policy.name, one.missing());
        tracing::info!(target: "enforcer", %policy,
            "{} keys needed for {} zones covering {} seconds, generating {missing} keys for \
             policy {policy}",
            one.needed, order.zones, order.period.0);
        tracing::info!(target: "enforcer", %policy,
            "{missing} new {}(s) ({} bits) need to be created.", one.key.role,
            wanted_bits(&one.key));
    }
}
