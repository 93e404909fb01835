//! A Key and Signing Policy as typed values: what kasp.xml says, in our units.
//! Element names are OpenDNSSEC's (catalogue 2.2). Reading the XML is `appliance-config`'s.
//! Never: defaults of its own except [`Policy::anchorite_default`], decisions, time.

use crate::breaker::InputLimits;
use crate::key::KeyRole;
use crate::parent::{NotifyPolicy, ParentalAgents};
use crate::{Algorithm, Seconds};

/// One `<Policy>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `@name`; unique in its file.
    pub name: String,
    /// `<Description>`.
    pub description: String,
    /// `<Passthrough>`: publish unsigned, with the serial handled.
    pub passthrough: bool,
    /// `<Signatures>`.
    pub signatures: SignaturesPolicy,
    /// `<Denial>`.
    pub denial: DenialPolicy,
    /// `<Keys>`.
    pub keys: KeysPolicy,
    /// `<Zone>`.
    pub zone: ZonePolicy,
    /// `<Parent>`.
    pub parent: ParentPolicy,
    /// `<Audit>`; absent means [`AuditMode::Full`]: the auditor is on by default.
    pub audit: AuditMode,
    /// `<InputLimits>`: what an input may change by before somebody is asked.
    pub input: InputLimits,
}

/// `<Signatures>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignaturesPolicy {
    /// Period between signing runs.
    pub resign: Seconds,
    /// A signature with less life left than this is replaced; zero replaces all every run.
    pub refresh: Seconds,
    /// Lifetime of RRSIGs not covered below.
    pub validity_default: Seconds,
    /// Lifetime of RRSIGs over NSEC and NSEC3.
    pub validity_denial: Seconds,
    /// Lifetime of RRSIGs over DNSKEY; zero or absent means `validity_default`.
    pub validity_keyset: Option<Seconds>,
    /// Expirations are spread by plus or minus this.
    pub jitter: Seconds,
    /// How far inceptions are dated back.
    pub inception_offset: Seconds,
    /// Assumed upper bound of TTLs (2.x: 86400 s when absent).
    pub max_zone_ttl: Option<Seconds>,
}

/// `<Denial>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DenialPolicy {
    /// `<NSEC/>`.
    Nsec,
    /// `<NSEC3>`.
    Nsec3(Nsec3Policy),
}

/// `<NSEC3>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nsec3Policy {
    /// TTL of the NSEC3PARAM record only.
    pub param_ttl: Seconds,
    /// `<OptOut/>`: insecure delegations get no NSEC3.
    pub opt_out: bool,
    /// A new salt after this time; zero: never.
    pub resalt: Seconds,
    /// Hash algorithm number; only 1 (SHA-1) exists.
    pub hash_algorithm: u8,
    /// Additional iterations (RFC 9276 §3.1: zero).
    pub iterations: u16,
    /// Length of the random salt, in octets (RFC 9276 §3.1: zero).
    pub salt_length: u8,
}

/// `<Keys>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeysPolicy {
    /// TTL of the DNSKEY RRset.
    pub ttl: Seconds,
    /// Margin when keys leave.
    pub retire_safety: Seconds,
    /// Margin when keys come.
    pub publish_safety: Seconds,
    /// `<ShareKeys/>`: all zones of the policy use the same keys.
    pub share_keys: bool,
    /// Dead keys are removed after this time; `None`: never.
    pub purge: Option<Seconds>,
    /// The keys, in document order; none at all means unsigned.
    pub keys: Vec<KeyPolicy>,
}

/// `<KSK>`, `<ZSK>` or `<CSK>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyPolicy {
    /// Which of the three elements.
    pub role: KeyRole,
    /// `<Algorithm>`.
    pub algorithm: Algorithm,
    /// `<Algorithm length="…">`, in bits; ignored by algorithms of fixed length.
    pub length_bits: Option<u16>,
    /// `<Lifetime>`; zero: never rolled.
    pub lifetime: Seconds,
    /// `<Repository>`: name in conf.xml.
    pub repository: String,
    /// `<Standby>`: number of standby keys.
    pub standby: u32,
    /// `<ManualRollover/>`.
    pub manual_rollover: bool,
    /// `<KskRollType>`, `<ZskRollType>` or `<CskRollType>`.
    pub roll_type: RollType,
    /// `<RFC5011/>`.
    pub rfc5011: bool,
}

/// How a key is rolled (catalogue 4.2); the names are OpenDNSSEC's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RollType {
    /// New DS and DNSKEY at once.
    KskDoubleRrset,
    /// New DS first.
    KskDoubleDs,
    /// New DNSKEY first (default for KSKs).
    KskDoubleSignature,
    /// Both keys sign everything.
    ZskDoubleSignature,
    /// New DNSKEY first (default for ZSKs).
    ZskPrePublication,
    /// New signatures first.
    ZskDoubleRrsig,
    /// All at once.
    CskDoubleRrset,
    /// One signature at a time.
    CskSingleSignature,
    /// New DS first.
    CskDoubleDs,
    /// New DNSKEY and signatures first.
    CskDoubleSignature,
    /// New DNSKEY first (default for CSKs).
    CskPrePublication,
}

/// `<Zone>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZonePolicy {
    /// From the primary to all secondaries.
    pub propagation_delay: Seconds,
    /// Overrides the TTL of the SOA.
    pub soa_ttl: Seconds,
    /// Overrides the MINIMUM of the SOA.
    pub soa_minimum: Seconds,
    /// How the serial of a signed version is made.
    pub serial: SerialMode,
    /// `<ZoneMD>`, ours: whether a signed version has a digest of itself (RFC 8976).
    pub makes_zonemd: bool,
}

/// `<Serial>` (catalogue 5.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SerialMode {
    /// One more than the last.
    Counter,
    /// Today as YYYYMMDD00, or one more.
    DateCounter,
    /// Seconds since 1970, or one more.
    UnixTime,
    /// The input's, which must rise.
    Keep,
}

/// `<Parent>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParentPolicy {
    /// Until a new DS is on all servers of the parent.
    pub propagation_delay: Seconds,
    /// TTL of the DS RRset at the parent.
    pub ds_ttl: Seconds,
    /// TTL of the parent's SOA.
    pub soa_ttl: Seconds,
    /// MINIMUM of the parent's SOA.
    pub soa_minimum: Seconds,
    /// Processing time of the registry.
    pub registration_delay: Seconds,
    /// `<CDS/>`: the zone tells the parent by CDS and CDNSKEY which DS it wants (RFC 7344).
    pub publishes_cds: bool,
    /// `<Agents>`: servers of the parent that are asked what they show; `None`: nobody asks.
    pub agents: Option<ParentalAgents>,
    /// `<Notify>`: changes of CDS are told to the parent (RFC 9859); `None`: nobody tells.
    pub notify: Option<NotifyPolicy>,
}

/// `<Audit>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditMode {
    /// Every version is audited in full.
    Full,
    /// `<Partial/>`: sampled, for very large zones.
    Partial,
}

impl Policy {
    /// The policy of `anchorite sign` and of our shipped kasp.xml: ECDSA P-256, NSEC3 without
    /// salt and iterations (RFC 9276 §3.1), keys in the repository `repository`.
    pub fn anchorite_default(repository: &str) -> Policy {
        let hours = |hours: u64| Seconds(hours * 3600);
        let days = |days: u64| Seconds(days * 86400);
        let key = |role, lifetime, roll_type| KeyPolicy {
            role,
            algorithm: Algorithm::EcdsaP256Sha256,
            length_bits: None,
            lifetime,
            repository: repository.to_owned(),
            standby: 0,
            manual_rollover: false,
            roll_type,
            rfc5011: false,
        };
        Policy {
            name: "default".to_owned(),
            description: "ECDSA P-256, NSEC3 as RFC 9276 asks".to_owned(),
            passthrough: false,
            signatures: SignaturesPolicy {
                resign: hours(2),
                refresh: days(3),
                validity_default: days(14),
                validity_denial: days(14),
                validity_keyset: None,
                jitter: hours(12),
                inception_offset: hours(1),
                max_zone_ttl: Some(days(1)),
            },
            denial: DenialPolicy::Nsec3(Nsec3Policy {
                param_ttl: Seconds(0),
                opt_out: false,
                resalt: days(100),
                hash_algorithm: 1,
                iterations: 0,
                salt_length: 0,
            }),
            keys: KeysPolicy {
                ttl: hours(1),
                retire_safety: hours(1),
                publish_safety: hours(1),
                share_keys: false,
                purge: Some(days(14)),
                keys: vec![
                    key(KeyRole::Ksk, days(365), RollType::KskDoubleSignature),
                    key(KeyRole::Zsk, days(90), RollType::ZskPrePublication),
                ],
            },
            zone: ZonePolicy {
                propagation_delay: hours(12),
                soa_ttl: hours(1),
                soa_minimum: hours(1),
                serial: SerialMode::UnixTime,
                makes_zonemd: false,
            },
            parent: ParentPolicy {
                propagation_delay: Seconds(9999),
                ds_ttl: hours(1),
                soa_ttl: hours(48),
                soa_minimum: hours(3),
                registration_delay: Seconds(0),
                publishes_cds: false,
                agents: None,
                notify: None,
            },
            audit: AuditMode::Full,
            input: InputLimits::default(),
        }
    }
}
