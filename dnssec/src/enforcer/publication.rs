//! What a zone really published, against what was decided (guard W6). In: life, a report of a
//! published version. Out: the life with the moments from which waits count.
//! Never: decisions.

use super::state::{RecordKind, RecordState, ZoneLife};
use crate::Timestamp;
use crate::key::KeyId;

/// What a published version of a zone shows of its keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublishedKeys {
    /// When it was published.
    pub at: Timestamp,
    /// Whose DNSKEYs it has.
    pub dnskeys: Vec<KeyId>,
    /// Whose signatures its DNSKEY RRset has.
    pub keyset_signers: Vec<KeyId>,
    /// Whose DNSKEYs it has with the REVOKE bit, signed by themselves (RFC 5011 §2.1).
    pub revoked: Vec<KeyId>,
    /// Whom its CDNSKEY RRset names (RFC 7344 §3.2).
    pub named_to_parent: Vec<KeyId>,
    /// Who has at least one signature over other data in it.
    pub zone_signers_some: Vec<KeyId>,
    /// Who has a signature over each signed RRset in it, the DNSKEY RRset aside.
    pub zone_signers_all: Vec<KeyId>,
}

/// Confirms the records whose present state the version shows for the first time. Only records
/// that were decided on before the version was published are confirmed by it. The DNSKEY of a
/// revoked key is another one than before, and is confirmed anew.
pub fn published(life: &ZoneLife, report: &PublishedKeys) -> ZoneLife {
    let mut life = life.clone();
    for key in &mut life.keys {
        let (id, revoked) = (key.id.clone(), key.revoked);
        for kind in RecordKind::ALL {
            let revoked = revoked.filter(|_| kind == RecordKind::Dnskey);
            let Some(record) = key.record_mut(kind) else { continue };
            let decided = record.since.max(revoked.unwrap_or_default());
            let is_new = record.confirmed.is_none() && decided <= report.at;
            let is_revoked = revoked.is_none() || !record.state.is_served();
            let shows = is_revoked || report.revoked.contains(&id);
            if is_new && shows && report.shows(&id, kind, record.state) {
                record.confirmed = Some(report.at);
            }
        }
    }
    for old in life.old_terms.iter_mut().filter(|old| !old.is_superseded) {
        if old.until <= report.at {
            old.is_superseded = true;
            old.until = report.at;
        }
    }
    life
}

impl PublishedKeys {
    /// Whether the version shows the record of a key in this state: there, or not there.
    fn shows(&self, id: &KeyId, kind: RecordKind, state: RecordState) -> bool {
        let (complete, any) = match kind {
            // The parent's, not the zone's; but the zone asks for its removal.
            RecordKind::Ds => {
                return state == RecordState::Unretentive && !self.named_to_parent.contains(id);
            }
            RecordKind::Dnskey => (&self.dnskeys, &self.dnskeys),
            RecordKind::RrsigDnskey => (&self.keyset_signers, &self.keyset_signers),
            RecordKind::Rrsig => (&self.zone_signers_all, &self.zone_signers_some),
        };
        match state {
            RecordState::Rumoured | RecordState::Omnipresent => complete.contains(id),
            RecordState::Unretentive | RecordState::Hidden => !any.contains(id),
        }
    }
}
