//! What caches may still have of earlier versions, as the auditor wants it back with each audit:
//! saved when a version with other keys, or with larger TTLs, has become true, and before it is
//! delivered; after a crash in between the version is judged and delivered again, and saved here.
//! In: approving reports. Out: the history.
//! A zone that is passed through has another signer's keys, which are remembered as ours are;
//! nothing is of one that nobody signed.

use super::Services;
use crate::store::StoreError;
use crate::zone::pipeline::RunOrder;
use crate::zone::plan::seconds;
use ::audit::{
    Denial, Expectations, Horizon, PublishedKeys, PublishedVersion, Severity, Signing, remember,
};
use dnssec::denial::foreign::is_signed_elsewhere;

impl Services {
    /// The history with this version as the one that is published, durable.
    pub(in crate::zone) async fn remembered(
        &self,
        order: &RunOrder,
        keys: PublishedKeys,
    ) -> Result<Vec<PublishedVersion>, StoreError> {
        let mut history = order.history.clone();
        match keys.denial == Denial::Source {
            true => history.clear(),
            false => {
                let delay = seconds(order.settings.policy.zone.propagation_delay);
                let now = self.clock.now().0;
                remember(&mut history, keys, now, delay);
            }
        }
        if history != order.history {
            self.store.set_eras(&order.settings.name, encode(&history)).await?;
        }
        Ok(history)
    }
}

/// What the candidate is held against beside the policy: what caches may have, and how far ahead
/// its signatures reach.
pub(super) fn with_history(order: &RunOrder, expectations: Expectations) -> Expectations {
    let was_signed =
        || order.stored.as_ref().is_some_and(|last| is_signed_elsewhere(&last.version));
    let expectations = match expectations.denial {
        // Another signer's zone that is signed no more: the auditor asks what caches say to that.
        Denial::Source if was_signed() => {
            let signing = Some(Signing { signers: Vec::new(), ds_algorithms: Vec::new() });
            Expectations { denial: Denial::None, signing, ..expectations }
        }
        Denial::Source => return expectations,
        _ => expectations,
    };
    let history = if is_swap_of_own(order) { Vec::new() } else { order.history.clone() };
    let delay = order.settings.policy.zone.propagation_delay;
    let (reaction_seconds, severity) = (REACTION_SECONDS, Severity::Warn);
    Expectations {
        history,
        propagation_seconds: seconds(delay),
        horizon: Some(Horizon { reaction_seconds, severity }),
        ..expectations
    }
}

/// Whether the enforcer may change all keys of the zone at once: there is no DS, so that nobody
/// validates, and the last version has keys that this process published. Another signer's keys are
/// asked about all the same.
fn is_swap_of_own(order: &RunOrder) -> bool {
    let last = order.history.last().map(|version| &version.keys.dnskeys);
    let (Some(basis), Some(last)) = (&order.basis, last) else { return false };
    order.keys.delegation.ds_algorithms.is_empty() && basis.publishes_any_of(last)
}

/// Time that operators need to notice and mend a signer that stands still; only warned of.
const REACTION_SECONDS: u32 = 86_400;

fn encode(history: &[PublishedVersion]) -> Vec<u8> {
    // Plain values into memory: there is nothing to fail. Should it, the next start knows nothing
    // of the past, which is said then.
    postcard::to_allocvec(history).unwrap_or_default()
}

/// The history as it was saved; what a later or earlier auditor wrote may not be readable.
pub(in crate::zone) fn decode(zone: &str, eras: Option<&[u8]>) -> Vec<PublishedVersion> {
    let Some(eras) = eras else { return Vec::new() };
    postcard::from_bytes(eras).unwrap_or_else(|error| {
        tracing::warn!(target: "audit", %zone, %error,
            "zone {zone}: what caches may have of earlier versions cannot be read; the auditor \
             judges the next version without it");
        Vec::new()
    })
}
