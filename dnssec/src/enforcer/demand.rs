//! How many keys should be made ahead (catalogue 4.4). In: policy, period, keys in supply.
//! Out: how many to generate for each policy key. Never: capacity of repositories.

use super::policy_pass::wanted_keys;
use crate::Seconds;
use crate::policy::Policy;

/// Keys to generate for each key of the policy, in its order, so that the unused ones last for
/// `period` (`<AutomaticKeyGenerationPeriod>`): ceil(period / Lifetime), one for keys that never
/// roll, and one more for each standby key. Nothing for a policy without zones.
pub fn supply_demand(
    policy: &Policy,
    period: Seconds,
    unused: &[usize],
    zones: usize,
) -> Vec<usize> {
    let demand = |(index, wanted): (usize, &crate::policy::KeyPolicy)| {
        let rolls = match wanted.lifetime.0 {
            0 => 1,
            lifetime => period.0.div_ceil(lifetime),
        };
        let needed = rolls.saturating_add(u64::from(wanted.standby));
        let needed = usize::try_from(needed).unwrap_or(usize::MAX);
        if zones == 0 { 0 } else { needed.saturating_sub(unused.get(index).copied().unwrap_or(0)) }
    };
    wanted_keys(policy).iter().enumerate().map(demand).collect()
}
