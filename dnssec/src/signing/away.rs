//! Signing while the token of a key-signing key is away: its signatures of the DNSKEY RRset (and of
//! CDS and CDNSKEY) stand past their refresh, so that the zone's data goes on being published.
//! RFC 6781 §3.1.2 (a KSK that is not always there), §4.4.2 (refresh period).
//! In: signers of which some are away, a version, times. Out: what is left as it is, and until when
//! that works.
//! Never: a signature that ends before the next pass of the resign timer can act on it; then the
//! zone stops, as it does when the RRset itself has changed. Never for a key that signs zone data:
//! without it there is no SOA, so no version.

use super::{Presence, Signer, SigningTimes};
use crate::zone::ZoneVersion;
use crate::zone::chunk::SignatureView;
use crate::{RrType, Seconds, Timestamp};

impl Signer {
    /// Whether what it signs may wait for its token a while.
    pub fn can_wait(&self) -> bool {
        self.role.signs_keyset() && !self.role.signs_zone()
    }

    /// Whether its token is away and what it signs may wait.
    fn is_waited_for(&self) -> bool {
        self.presence == Presence::Away && self.can_wait()
    }
}

impl SigningTimes {
    /// Life that a signature has to have that is left although it is due: the time to the next
    /// pass, which then decides anew.
    pub fn least_life_left(&self) -> Seconds {
        self.policy.resign
    }
}

/// Whether a signature stands although it is due, since its key's token is away.
pub(super) fn is_left(
    times: &SigningTimes,
    signer: &Signer,
    signature: &SignatureView<'_>,
) -> bool {
    let expiration = Timestamp::from_wire(signature.expiration, times.now);
    signer.is_waited_for()
        && Timestamp::from_wire(signature.inception, times.now) <= times.now
        && expiration >= times.now.plus(times.least_life_left())
}

/// A signature of the zone's keys that is due, and whose key's token is away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateKeyset {
    /// Repository of the key that has to sign.
    pub repository: String,
    /// When the signature expires, and with it the zone.
    pub expiration: Timestamp,
}

/// Of the signatures that were left in this version although they are due, the first to expire.
pub fn late_keyset(
    version: &ZoneVersion,
    signers: &[Signer],
    times: &SigningTimes,
) -> Option<LateKeyset> {
    let apex = version.apex_owner()?;
    let late = |signer: &Signer, rtype: RrType| {
        let rrset = apex.rrset(rtype)?;
        let own = rrset.signatures().find(|it| it.is_by(signer.algorithm, signer.key_tag))?;
        let expiration = Timestamp::from_wire(own.expiration, times.now);
        let repository = signer.repository.clone();
        times.is_due(own.expiration).then_some(LateKeyset { repository, expiration })
    };
    let keysets = [RrType::DNSKEY, RrType::CDS, RrType::CDNSKEY];
    let waited_for = signers.iter().filter(|signer| signer.is_waited_for());
    waited_for
        .flat_map(|signer| keysets.iter().filter_map(move |rtype| late(signer, *rtype)))
        .min_by_key(|late| late.expiration)
}

#[cfg(test)]
mod tests;
