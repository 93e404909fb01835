//! Signing: what is to be signed, with which keys, from when to when; and what may be kept.
//! RFC 4034 §3, RFC 4035 §2.2; OpenDNSSEC's rules of reuse (catalogue 5.2).
//! Never: signatures themselves; slots make them from the messages that a plan yields.

pub mod apex;
pub mod away;
pub mod census;
pub mod parent_sync;
pub mod plan;
pub mod reuse;
pub mod share;
pub mod step;
pub mod tbs;

#[cfg(test)]
mod tests;

use crate::key::{KeyId, KeyRole, PublicKey, REVOKE, dnskey_rdata, key_tag};
use crate::policy::SignaturesPolicy;
use crate::zone::chunk::OwnerView;
use crate::{Algorithm, KeyTag, RrType, Seconds, Timestamp};

/// A key of a zone: what is published of it, and where its private half is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZoneKey {
    /// CKA_ID in its token.
    pub id: KeyId,
    /// Name of its repository in conf.xml.
    pub repository: String,
    /// What it was made for.
    pub role: KeyRole,
    /// The public half.
    pub public_key: PublicKey,
    /// Whether its DNSKEY is in the zone.
    pub is_published: bool,
    /// What it signs now: the keys (KSK), the rest (ZSK), or both (CSK); `None`: nothing.
    pub signs: Option<KeyRole>,
    /// Whether its DNSKEY carries the REVOKE bit (RFC 5011 §7), which changes its key tag.
    pub is_revoked: bool,
}

impl ZoneKey {
    /// RDATA of its DNSKEY.
    pub fn dnskey_rdata(&self) -> Vec<u8> {
        let revoke = if self.is_revoked { REVOKE } else { 0 };
        dnskey_rdata(self.role.flags() | revoke, &self.public_key)
    }

    /// Its key tag.
    pub fn key_tag(&self) -> KeyTag {
        key_tag(&self.dnskey_rdata())
    }

    /// What it signs. A revoked key signs the DNSKEY RRset as long as it is in it, whatever else
    /// is wanted, and nothing else (RFC 5011 §2.1).
    pub fn signing_role(&self) -> Option<KeyRole> {
        match self.is_revoked {
            true => (self.is_published || self.signs.is_some()).then_some(KeyRole::Ksk),
            false => self.signs,
        }
    }
}

/// A key as a signing run needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signer {
    /// CKA_ID in its token.
    pub id: KeyId,
    /// Name of its repository.
    pub repository: String,
    /// What it signs.
    pub role: KeyRole,
    /// Its algorithm.
    pub algorithm: Algorithm,
    /// Its key tag.
    pub key_tag: KeyTag,
    /// Whether it is revoked, and signs nothing but the DNSKEY RRset (RFC 5011 §2.1).
    pub is_revoked: bool,
    /// Whether its token is there.
    pub presence: Presence,
}

/// Whether a key's token is there to sign.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// It is, or nothing else is known.
    #[default]
    Here,
    /// It is away: what only its keys sign is left as long as that does no harm ([`away`]).
    Away,
}

impl Signer {
    /// The signers among a zone's keys.
    pub fn of_keys(keys: &[ZoneKey]) -> Vec<Signer> {
        let signer = |key: &ZoneKey| {
            Some(Signer {
                id: key.id.clone(),
                repository: key.repository.clone(),
                role: key.signing_role()?,
                algorithm: key.public_key.algorithm,
                key_tag: key.key_tag(),
                is_revoked: key.is_revoked,
                presence: Presence::Here,
            })
        };
        keys.iter().filter_map(signer).collect()
    }

    /// Whether it signs the apex's RRset of this type.
    pub fn signs_at_apex(&self, rtype: RrType) -> bool {
        signs_at_apex(self.role, rtype) && (!self.is_revoked || rtype == RrType::DNSKEY)
    }

    /// Whether it signs this owner's RRset of this type, should it be signed at all.
    fn signs(&self, owner: &OwnerView<'_>, rtype: RrType) -> bool {
        match owner.key().is_empty() {
            true => self.signs_at_apex(rtype),
            false => self.role.signs_zone(),
        }
    }
}

/// Whether a key of this role signs the apex's RRset of this type: the DNSKEY RRset is the KSKs',
/// the rest the ZSKs'. CDS and CDNSKEY are signed by both: RFC 7344 §4.1 asks for a key that the
/// DS shows, and everybody else validates them like any data.
fn signs_at_apex(role: KeyRole, rtype: RrType) -> bool {
    match rtype {
        RrType::DNSKEY => role.signs_keyset(),
        RrType::CDS | RrType::CDNSKEY => true,
        _ => role.signs_zone(),
    }
}

/// Whether a key of this role signs this owner's RRset of this type, should it be signed at all.
/// Keys and CDS below the apex are data.
fn signs(role: KeyRole, owner: &OwnerView<'_>, rtype: RrType) -> bool {
    match owner.key().is_empty() {
        true => signs_at_apex(role, rtype),
        false => role.signs_zone(),
    }
}

/// Times of one signing run; the same for the whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningTimes {
    /// The moment of the run.
    pub now: Timestamp,
    /// `<Signatures>` of the policy.
    pub policy: SignaturesPolicy,
    /// Random number of this run, from which jitter is drawn per chunk.
    pub seed: u64,
}

impl SigningTimes {
    /// Inception of signatures made now.
    pub fn inception(&self) -> Timestamp {
        self.now.minus(self.policy.inception_offset)
    }

    /// Expiration of a signature made now: validity, minus jitter, plus a random part of twice
    /// the jitter (catalogue 5.2). The random part is a function of the seed and `chunk_key`, the
    /// first key of the chunk: what one run signs in a chunk comes due together, so that a later
    /// run touches few chunks. Validities are those of the three classes of [`SignaturesPolicy`].
    pub fn expiration(&self, chunk_key: &[u8], rtype: RrType) -> Timestamp {
        let validity = match rtype {
            RrType::NSEC | RrType::NSEC3 => self.policy.validity_denial,
            RrType::DNSKEY => match self.policy.validity_keyset {
                None | Some(Seconds(0)) => self.policy.validity_default,
                Some(validity) => validity,
            },
            _ => self.policy.validity_default,
        };
        let spread = self.policy.jitter.0.saturating_mul(2).saturating_add(1);
        let random = mix(self.seed, chunk_key) % spread;
        self.now.plus(validity).minus(self.policy.jitter).plus(Seconds(random))
    }

    /// The shortest validity of the three classes.
    fn shortest_validity(&self) -> Seconds {
        let keyset = self.policy.validity_keyset.filter(|validity| validity.0 != 0);
        let zone = self.policy.validity_default.min(self.policy.validity_denial);
        keyset.map_or(zone, |keyset| keyset.min(zone))
    }

    /// Life that every signature of a version made or kept now has left: kept ones have the
    /// refresh period, new ones their validity less the jitter.
    pub fn least_life(&self) -> Seconds {
        let policy = &self.policy;
        let made = Seconds(self.shortest_validity().0.saturating_sub(policy.jitter.0));
        if policy.refresh.0 == 0 { made } else { made.min(policy.refresh) }
    }

    /// When the next signing run is due.
    pub fn next_run(&self) -> Timestamp {
        self.now.plus(self.policy.resign)
    }

    /// Whether a signature that expires at this wire time has to be replaced now.
    pub fn is_due(&self, expiration: u32) -> bool {
        let expiration = Timestamp::from_wire(expiration, self.now);
        self.policy.refresh.0 == 0 || expiration < self.now.plus(self.policy.refresh)
    }

    /// Whether a signature with these wire times is kept: not due for refresh, and begun.
    pub fn is_kept(&self, inception: u32, expiration: u32) -> bool {
        Timestamp::from_wire(inception, self.now) <= self.now && !self.is_due(expiration)
    }
}

/// A number that looks random: FNV-1a over the input, finished as SplitMix64 does.
fn mix(seed: u64, chunk_key: &[u8]) -> u64 {
    let step = |state: u64, octet: &u8| (state ^ u64::from(*octet)).wrapping_mul(0x100_0000_01B3);
    let state = chunk_key.iter().fold(seed ^ 0xCBF2_9CE4_8422_2325, step);
    let state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    state ^ (state >> 31)
}
