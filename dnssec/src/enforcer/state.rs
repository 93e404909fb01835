//! What is remembered of a zone's keys: where each of their records is in the caches of the world.
//! OpenDNSSEC's model (catalogue 4.2, 4.3), after RFC 7583's view of rolls as records that come
//! and go. In and out: nothing; types only. Never: decisions, time passing, private keys.

use crate::key::{KeyId, KeyRole};
use crate::{Algorithm, KeyTag, Seconds, Timestamp};
use std::fmt;

/// The kinds of record by which a key shows itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// The DS at the parent (KSK, CSK).
    Ds,
    /// The DNSKEY in the zone (all roles).
    Dnskey,
    /// The signature over the DNSKEY RRset (KSK, CSK).
    RrsigDnskey,
    /// The signatures over everything else (ZSK, CSK).
    Rrsig,
}

impl RecordKind {
    /// All four, in the order in which tools print them.
    pub const ALL: [RecordKind; 4] =
        [RecordKind::Ds, RecordKind::Dnskey, RecordKind::RrsigDnskey, RecordKind::Rrsig];

    /// Whether a key of this role has such a record at all.
    pub fn applies_to(self, role: KeyRole) -> bool {
        match self {
            RecordKind::Ds | RecordKind::RrsigDnskey => role.signs_keyset(),
            RecordKind::Dnskey => true,
            RecordKind::Rrsig => role.signs_zone(),
        }
    }
}

impl fmt::Display for RecordKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordKind::Ds => "DS",
            RecordKind::Dnskey => "DNSKEY",
            RecordKind::RrsigDnskey => "RRSIGDNSKEY",
            RecordKind::Rrsig => "RRSIG",
        })
    }
}

/// Where a record is in the caches of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordState {
    /// No cache has it.
    #[default]
    Hidden,
    /// It is published; some caches may not have it yet.
    Rumoured,
    /// Whoever has the RRset in a cache has this record in it.
    Omnipresent,
    /// It is not published any more; some caches may still have it.
    Unretentive,
}

impl RecordState {
    /// Whether the record is being served: rumoured or omnipresent.
    pub fn is_served(self) -> bool {
        matches!(self, RecordState::Rumoured | RecordState::Omnipresent)
    }
}

impl fmt::Display for RecordState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecordState::Hidden => "hidden",
            RecordState::Rumoured => "rumoured",
            RecordState::Omnipresent => "omnipresent",
            RecordState::Unretentive => "unretentive",
        })
    }
}

/// One record of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordLife {
    /// Where it is.
    pub state: RecordState,
    /// Since when: the moment of its last transition; for a DS also of `ds-seen` and `ds-gone`.
    pub since: Timestamp,
    /// When a version was published that shows this state (the record in it, or not in it any
    /// more); `None`: none yet. Waits that the zone's publication begins count from here. Of a DS
    /// only: when a version was published that does not ask the parent for it any more.
    pub confirmed: Option<Timestamp>,
}

/// What the parent shows of a key's DS, as far as operators or observation told us
/// (catalogue 4.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DsAtParent {
    /// It has never had it, or `ds-gone` was said.
    #[default]
    Unsubmitted,
    /// It is to be handed to the parent.
    Submit,
    /// It was handed over.
    Submitted,
    /// `ds-seen`: it is there.
    Seen,
    /// It is to be taken back.
    Retract,
    /// The parent was asked to remove it.
    Retracted,
}

/// Records that are to come into the zone last, to keep responses small: what makes the roll
/// types differ (catalogue 4.2, "minimize flags").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Minimize {
    /// The DS waits for the DNSKEY.
    pub ds: bool,
    /// The DNSKEY waits for the DS (KSK) or the signatures (ZSK).
    pub dnskey: bool,
    /// The signatures wait for the DNSKEY.
    pub rrsig: bool,
}

/// Whether a key's backup allows its use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Backup {
    /// Its repository does not ask for one.
    #[default]
    NotRequired,
    /// Asked for, and not made yet: no record of the key may become omnipresent.
    Missing,
    /// Made.
    Done,
}

/// What a key is kept for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum KeyUse {
    /// To sign, by the roll type of its policy.
    #[default]
    Regular,
    /// `<Standby>`: a ZSK whose DNSKEY is published, a KSK whose DS is at the parent, and that
    /// signs nothing until it is called.
    Standby,
}

/// A key of a zone and the life of its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyLife {
    /// CKA_ID.
    pub id: KeyId,
    /// Repository, by its name in conf.xml.
    pub repository: String,
    /// What it signs.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its length, in bits.
    pub bits: u16,
    /// Its key tag without the REVOKE bit (RFC 4034 appendix B).
    pub key_tag: KeyTag,
    /// When the zone took it.
    pub inception: Timestamp,
    /// The goal: every record omnipresent (`true`) or hidden (`false`).
    pub introducing: bool,
    /// What it is kept for.
    pub purpose: KeyUse,
    /// Set since this moment when the key is revoked (RFC 5011 §2.1): its DNSKEY carries the
    /// REVOKE bit and it goes on signing the DNSKEY RRset as long as it is published. Its DNSKEY
    /// is confirmed by a version that shows it so.
    pub revoked: Option<Timestamp>,
    /// Whether validators may follow it as a trust anchor (`<RFC5011/>`): its DNSKEY is or was
    /// published under a policy that says so. Remembered, for a policy without keys says nothing.
    pub is_anchor: bool,
    /// What its roll type lets wait.
    pub minimize: Minimize,
    /// What the parent shows of it; without meaning for ZSKs.
    pub ds_at_parent: DsAtParent,
    /// Whether the parent was known to show its DS (`ds-seen`) and not known to have it no more
    /// (`ds-gone`) since: what is to be taken back is there then, else perhaps only on its way.
    pub ds_was_seen: bool,
    /// Its backup.
    pub backup: Backup,
    /// Its records; `None` where its role has no such record ("NA").
    pub ds: Option<RecordLife>,
    /// See `ds`; all roles have one.
    pub dnskey: RecordLife,
    /// See `ds`.
    pub rrsig_dnskey: Option<RecordLife>,
    /// See `ds`.
    pub rrsig: Option<RecordLife>,
}

impl KeyLife {
    /// One of its records; `None` where its role has no such record.
    pub fn record(&self, kind: RecordKind) -> Option<RecordLife> {
        match kind {
            RecordKind::Ds => self.ds,
            RecordKind::Dnskey => Some(self.dnskey),
            RecordKind::RrsigDnskey => self.rrsig_dnskey,
            RecordKind::Rrsig => self.rrsig,
        }
    }

    /// One of its records, to change; `None` where its role has no such record.
    pub(super) fn record_mut(&mut self, kind: RecordKind) -> Option<&mut RecordLife> {
        match kind {
            RecordKind::Ds => self.ds.as_mut(),
            RecordKind::Dnskey => Some(&mut self.dnskey),
            RecordKind::RrsigDnskey => self.rrsig_dnskey.as_mut(),
            RecordKind::Rrsig => self.rrsig.as_mut(),
        }
    }

    /// The state of one of its records.
    pub fn state(&self, kind: RecordKind) -> Option<RecordState> {
        self.record(kind).map(|record| record.state)
    }

    /// Whether its DNSKEY belongs into the zone.
    pub fn is_published(&self) -> bool {
        self.dnskey.state.is_served()
    }

    /// Whether it signs the DNSKEY RRset.
    pub fn signs_keyset(&self) -> bool {
        self.state(RecordKind::RrsigDnskey).is_some_and(RecordState::is_served)
    }

    /// Whether it signs the rest of the zone.
    pub fn signs_zone(&self) -> bool {
        self.state(RecordKind::Rrsig).is_some_and(RecordState::is_served)
    }
}

/// "`to` takes over from `from`": swaps of records happen between such pairs only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Succession {
    /// The key that leaves.
    pub from: KeyId,
    /// The key that comes.
    pub to: KeyId,
    /// Of which record.
    pub kind: RecordKind,
}

/// What a policy says of how long things live in the world: what waits are made of, without the
/// safety margins. Remembered when a policy changes, because what was published before the change
/// lives by the old one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// TTL of the DS RRset.
    pub ds_ttl: Seconds,
    /// Until a change is on all servers of the parent: registration and propagation.
    pub parent_delay: Seconds,
    /// TTL of the DNSKEY RRset.
    pub dnskey_ttl: Seconds,
    /// Largest TTL of all other signed RRsets.
    pub rrsig_ttl: Seconds,
    /// Until a change is on all servers of the zone.
    pub zone_delay: Seconds,
    /// Longest life of a signature: validity and jitter.
    pub signature_life: Seconds,
    /// Period between signing runs.
    pub resign: Seconds,
    /// Remaining life below which a signature is replaced.
    pub refresh: Seconds,
}

/// Terms of an earlier policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OldTerms {
    /// When another policy took over.
    pub until: Timestamp,
    /// Whether a version of the zone was published since; before, the old policy still shows.
    pub is_superseded: bool,
    /// What it said.
    pub terms: Terms,
}

/// Something kept for each role of a key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerRole<T> {
    /// Of KSKs.
    pub ksk: T,
    /// Of ZSKs.
    pub zsk: T,
    /// Of CSKs.
    pub csk: T,
}

impl<T> PerRole<T> {
    /// The one of `role`.
    pub fn get(&self, role: KeyRole) -> &T {
        match role {
            KeyRole::Ksk => &self.ksk,
            KeyRole::Zsk => &self.zsk,
            KeyRole::Csk => &self.csk,
        }
    }

    /// The one of `role`, to change.
    pub fn get_mut(&mut self, role: KeyRole) -> &mut T {
        match role {
            KeyRole::Ksk => &mut self.ksk,
            KeyRole::Zsk => &mut self.zsk,
            KeyRole::Csk => &mut self.csk,
        }
    }
}

/// All that the enforcer remembers of a zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneLife {
    /// Its keys, by the moment it took them.
    pub keys: Vec<KeyLife>,
    /// Which key takes over from which.
    pub successions: Vec<Succession>,
    /// Terms of the policy at the last evaluation; `None` before the first.
    pub terms: Option<Terms>,
    /// Earlier terms that things still live by, oldest first; at most [`ZoneLife::OLD_TERMS_MAX`].
    pub old_terms: Vec<OldTerms>,
    /// Rolls that an operator asked for and that have not begun.
    pub roll_now: PerRole<bool>,
    /// When the next roll by policy is due; `None`: none is scheduled.
    pub next_roll: PerRole<Option<Timestamp>>,
}

impl ZoneLife {
    /// Most policy changes remembered apart; beyond, the oldest two are kept as one that has the
    /// longest terms of both.
    pub const OLD_TERMS_MAX: usize = 16;
}

/// A key that is in its token and belongs to no zone yet, or to zones of a policy that shares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SupplyKey {
    /// CKA_ID.
    pub id: KeyId,
    /// Repository, by its name in conf.xml.
    pub repository: String,
    /// What it was made for.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its length, in bits.
    pub bits: u16,
    /// Its key tag.
    pub key_tag: KeyTag,
    /// Its backup.
    pub backup: Backup,
}

/// Durations that a running wait is made of, for explanations: what, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTerm {
    /// Name of the term, as in kasp.xml ("Keys/TTL", "Zone/PropagationDelay").
    pub name: &'static str,
    /// Its length; some count negative (`Refresh`).
    pub length: Seconds,
    /// Whether it is subtracted.
    pub is_subtracted: bool,
}
