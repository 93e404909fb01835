//! Which chunks a re-sign pass renews, so that its load is even from the first day on.
//! RFC 6781 §4.4.2 (validity, refresh and re-sign period).
//! In: of every chunk the number of signatures and the earliest expiration; times and policy. Out:
//! for each chunk whether, and how, it is renewed in this pass.
//!
//! A zone that was signed at one moment comes due at one moment, jitter or not. So a pass takes
//! what is due, and when that is less than the even share it goes on with the chunks that come
//! due next, up to the share: after one cycle they lie evenly over it. Jitter then blurs what was
//! even, and a share that is just enough on average would leave every crowd of deadlines to the
//! pass it falls on. So where more is due until some later pass than the shares until then, this
//! pass takes its equal part of that, which is some percent more than the share.
//!
//! * Chunks are taken whole, soonest deadline first. Where the share ends within a chunk, that
//!   chunk is taken with the probability of the part that fits, drawn from the pass's number by
//!   the golden ratio: the sum over some passes is exact, where rounding down would leave a rest.
//! * A zone with fewer signed chunks than passes in a cycle is never renewed ahead of time.
//! * A chunk that may have been signed less than a resign interval ago is not taken; where its
//!   expiration cannot tell (the policy has changed), [`Renewal::Ahead`] keeps what is young.
//!
//! Call it for passes of the resign timer only: each call grants a share. Limits: an expiration
//! does not tell its class, so where denial and default validity differ the shorter cycle counts
//! for both; the keyset's, one RRset, does not count.

use super::SigningTimes;
use super::reuse::Renewal;
use crate::policy::SignaturesPolicy;
use crate::zone::chunk::Chunk;
use crate::{Seconds, Timestamp};

/// What a chunk's summary says about its signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkLife {
    /// Number of signatures.
    pub signature_count: u64,
    /// The soonest expiration, as on the wire; `None` without signatures.
    pub earliest_expiration: Option<u32>,
}

impl ChunkLife {
    /// A chunk's.
    pub fn of(chunk: &Chunk) -> ChunkLife {
        ChunkLife {
            signature_count: chunk.signature_count() as u64,
            earliest_expiration: chunk.earliest_expiration(),
        }
    }
}

/// Time from the making of a signature until it is due, jitter aside.
pub fn cycle(policy: &SignaturesPolicy) -> Seconds {
    let validity = policy.validity_default.min(policy.validity_denial);
    Seconds(validity.0.saturating_sub(policy.refresh.0))
}

/// Binary digits after the point of a share.
const FRACTION_BITS: u32 = 16;

/// Signatures per pass when all are renewed once in a cycle, in 2^-16; at most all of them.
fn even_share(signature_count: u64, policy: &SignaturesPolicy) -> u128 {
    let all = u128::from(signature_count) << FRACTION_BITS;
    let resign = u128::from(policy.resign.0);
    // No cycle at all: everything is due in every pass, and nothing is left to take ahead.
    let share = all.saturating_mul(resign).checked_div(u128::from(cycle(policy).0));
    share.map_or(0, |share| share.min(all))
}

/// For each chunk, in order, how this pass renews it; `None`: it stands as it is.
pub fn renewals(chunks: &[ChunkLife], times: &SigningTimes) -> Vec<Option<Renewal>> {
    let mut renewals = vec![None; chunks.len()];
    // Expiration and index of each chunk that is not due.
    let mut later = Vec::new();
    let (mut all, mut due) = (0_u64, 0_u64);
    for (index, chunk) in chunks.iter().enumerate() {
        let Some(wire) = chunk.earliest_expiration else { continue };
        all = all.saturating_add(chunk.signature_count);
        if times.is_due(wire) {
            renewals[index] = Some(Renewal::Due);
            due = due.saturating_add(chunk.signature_count);
        } else {
            later.push((Timestamp::from_wire(wire, times.now), index));
        }
    }
    let signed_chunk_count = renewals.iter().flatten().count() + later.len();
    if is_small(signed_chunk_count as u64, &times.policy) {
        return renewals;
    }
    later.sort_unstable();
    let share = even_share(all, &times.policy).max(part_of_crowds(chunks, &later, due, times));
    let dither = u128::from(dither(times));
    let mut taken = u128::from(due) << FRACTION_BITS;
    for (expiration, index) in later {
        let signature_count = u128::from(chunks[index].signature_count);
        if may_be_young(expiration, times) || taken + signature_count * dither >= share {
            break;
        }
        renewals[index] = Some(Renewal::Ahead);
        taken += signature_count << FRACTION_BITS;
    }
    renewals
}

/// The largest load per pass, over all periods that begin with this pass, that is needed to
/// renew in time what comes due in the period; in 2^-16 signatures.
fn part_of_crowds(
    chunks: &[ChunkLife],
    later: &[(Timestamp, usize)],
    due: u64,
    times: &SigningTimes,
) -> u128 {
    let mut sum = u128::from(due);
    let part = |(expiration, index): &(Timestamp, usize)| {
        sum += u128::from(chunks[*index].signature_count);
        let wait = expiration.minus(times.policy.refresh).since(times.now);
        // The first later pass at which it is due; this pass counts too.
        let passes = wait.0 / times.policy.resign.0.max(1) + 2;
        (sum << FRACTION_BITS) / u128::from(passes)
    };
    later.iter().map(part).max().unwrap_or(0)
}

/// Whether there are fewer chunks than passes in a cycle.
fn is_small(signed_chunk_count: u64, policy: &SignaturesPolicy) -> bool {
    u128::from(signed_chunk_count) * u128::from(policy.resign.0) < u128::from(cycle(policy).0)
}

/// Whether a chunk with this earliest expiration may hold nothing but signatures made less than a
/// resign interval ago: a signature lasts the shortest validity less the jitter, or longer.
fn may_be_young(expiration: Timestamp, times: &SigningTimes) -> bool {
    let policy = &times.policy;
    let oldest = expiration.plus(policy.resign).plus(policy.jitter);
    oldest > times.now.plus(times.shortest_validity())
}

/// The part of the last chunk that has to fit into the share, in 2^-16. Multiples of the golden
/// ratio, of which any run of passes has low ones and high ones in equal parts.
fn dither(times: &SigningTimes) -> u16 {
    let pass = times.now.0 / times.policy.resign.0.max(1);
    (pass.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as u16
}

#[cfg(test)]
mod tests;
