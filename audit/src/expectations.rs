//! What the caller expects of the candidate: policy values, keys, history, and limits on the work.
//!
//! Every TTL and duration is in seconds. An optional value that is `None` is not checked, which
//! lets the auditor judge zones of which only the bytes are known.

use serde::{Deserialize, Serialize};

use crate::finding::Severity;
use crate::history::PublishedVersion;

/// What a signed zone must look like to be approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expectations {
    /// Apex of the zone as an uncompressed wire name (with the final zero octet), any letter case.
    pub apex: Vec<u8>,
    /// Moment for which signatures must be valid, in Unix seconds.
    pub now: u64,
    /// A signature must not expire before `now` plus this many seconds; 0 asks for `now` only.
    pub refresh_seconds: u32,
    /// The same for signatures over DNSKEY, CDS and CDNSKEY, where they may be older than others:
    /// the key that makes them may be out of reach for a while. `None`: no difference.
    pub keyset_refresh_seconds: Option<u32>,
    /// Policy for the time from inception to expiration.
    pub lifetimes: Option<SignatureLifetimes>,
    /// Kind and parameters of authenticated denial.
    pub denial: Denial,
    /// The exact DNSKEY set at the apex, as RDATA, in any order.
    pub dnskeys: Option<Vec<Vec<u8>>>,
    /// What the keys are to do; `None`: any published key may sign, and of each published
    /// algorithm one must (RFC 4035 §2.2).
    pub signing: Option<Signing>,
    /// What the zone tells its parent; `None`: not looked at.
    pub parent_sync: Option<ParentSync>,
    /// TTL of the DNSKEY RRset.
    pub dnskey_ttl: Option<u32>,
    /// TTL of the SOA; `None`: the TTL of the source's SOA.
    pub soa_ttl: Option<u32>,
    /// MINIMUM field of the SOA; `None`: that of the source's SOA.
    pub soa_minimum: Option<u32>,
    /// Largest TTL of the policy: source TTLs above it must have been lowered to it.
    pub ttl_maximum: Option<u32>,
    /// Serial of the version published last; the candidate's must be greater (RFC 1982).
    pub published_serial: Option<u32>,
    /// Serials that secondaries were seen to have; the candidate's must be greater than each.
    pub served_serials: Vec<u32>,
    /// DS RRsets that resolvers may follow; `None`: not known, and the chain is not looked at.
    pub parent: Option<Vec<DsSet>>,
    /// Earlier published versions that may still be in caches, oldest first; the last one is the
    /// version that the candidate is to follow. Empty: not known.
    pub history: Vec<PublishedVersion>,
    /// How long after its publication a version may be missing at some secondary; caches may take
    /// an older one from there until then.
    pub propagation_seconds: u32,
    /// How far ahead signatures must reach; `None`: only `refresh_seconds` counts.
    pub horizon: Option<Horizon>,
    /// Keys that the policy makes. Only keys that no version in `history` has are held against
    /// them, so that old ones may stay after a change of policy.
    pub key_rules: Option<Vec<KeyRule>>,
    /// Whether a ZONEMD RRset is to be at the apex.
    pub zonemd: Zonemd,
    /// Verifies signatures at a part of the names only; `None`: at all.
    pub sampling: Option<Sampling>,
    /// Limits on the work that a hostile zone can cause.
    pub limits: Limits,
}

impl Expectations {
    /// Expectations without policy: only what the RFCs ask of any zone at `now`.
    #[must_use]
    pub fn new(apex: Vec<u8>, now: u64, denial: Denial) -> Self {
        Self {
            apex,
            now,
            refresh_seconds: 0,
            keyset_refresh_seconds: None,
            lifetimes: None,
            denial,
            dnskeys: None,
            signing: None,
            parent_sync: None,
            dnskey_ttl: None,
            soa_ttl: None,
            soa_minimum: None,
            ttl_maximum: None,
            published_serial: None,
            served_serials: Vec::new(),
            parent: None,
            history: Vec::new(),
            propagation_seconds: 0,
            horizon: None,
            key_rules: None,
            zonemd: Zonemd::IfPresent,
            sampling: None,
            limits: Limits::default(),
        }
    }

    /// Whether a name is in the sample; all names are, where there is none.
    pub(crate) fn is_sampled(&self, owner: &[u8]) -> bool {
        let Some(Sampling { one_in, seed }) = self.sampling else { return true };
        // FNV-1a with a seed: names that follow each other fall apart, and that is all it is for.
        let hash = owner.iter().fold(0xcbf2_9ce4_8422_2325 ^ seed, |hash: u64, octet| {
            (hash ^ u64::from(octet.to_ascii_lowercase())).wrapping_mul(0x0100_0000_01b3)
        });
        (hash >> 32).is_multiple_of(u64::from(one_in.max(1)))
    }
}

/// Policy for signature lifetimes. The time from inception to expiration must be the validity plus
/// `inception_offset_seconds`, give or take `jitter_seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureLifetimes {
    /// Validity of signatures over all other RRsets.
    pub default_seconds: u32,
    /// Validity of signatures over NSEC and NSEC3.
    pub denial_seconds: u32,
    /// Validity of signatures over DNSKEY.
    pub keyset_seconds: u32,
    /// Largest deviation to either side.
    pub jitter_seconds: u32,
    /// How far the inception lies before the moment of signing.
    pub inception_offset_seconds: u32,
}

/// What the keys of a zone are to do, published or not. With it the auditor can tell a step of a
/// roll from a mistake: a signature comes before its DNSKEY or stays after it only where that is
/// meant, and RRsets go without signatures of a published algorithm only where no DS asks for
/// them (RFC 6840 §5.11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signing {
    /// The keys that sign.
    pub signers: Vec<Signer>,
    /// Algorithms of DS records that the parent or a cache may have. As long as there is one,
    /// the zone must not be unsigned.
    pub ds_algorithms: Vec<u8>,
}

/// A key that signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// RDATA of its DNSKEY, which may be in the zone or not.
    pub dnskey: Vec<u8>,
    /// Whether it has to sign the DNSKEY RRset.
    pub signs_keyset: bool,
    /// Whether it has to sign the other RRsets.
    pub signs_zone: bool,
}

/// A DS RRset that resolvers may follow (RFC 4035 §5.2). One without records stands for the proof
/// that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DsSet {
    /// RDATA of its records.
    pub records: Vec<Vec<u8>>,
    /// Who says so.
    pub source: DsSource,
    /// The parent has it no more, but caches may, until this moment in Unix seconds; `None`: the
    /// parent has it.
    pub cached_until: Option<u64>,
}

/// Where a DS RRset is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DsSource {
    /// The key states, or the operator.
    Believed,
    /// One of the parent's name servers gave it.
    Seen,
}

/// How far ahead the signatures of the whole zone must reach (RFC 6781 §4.4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Horizon {
    /// Time that operators need to notice and mend a signer that stands still.
    pub reaction_seconds: u32,
    /// Weight of all findings about it, A801 to A804.
    pub severity: Severity,
}

/// A kind of key that the policy makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRule {
    /// Algorithm number.
    pub algorithm: u8,
    /// Whether it has the SEP flag.
    pub is_sep: bool,
    /// Length of an RSA modulus in bits; `None`: any, or another algorithm.
    pub bits: Option<u32>,
}

/// What is expected of a ZONEMD RRset at the apex (RFC 8976).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Zonemd {
    /// If there is one, it must be right.
    IfPresent,
    /// There must be one, and it must be right.
    Required,
    /// There must be none.
    Forbidden,
}

/// A sample of the owner names, for zones that are too large for the time there is. Only the
/// arithmetic of signatures is left out, and never at the apex: that each signature is there, by a
/// key that may make it and for the right time, is seen to everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampling {
    /// Signatures are verified at about one name in so many.
    pub one_in: u32,
    /// Another seed picks other names.
    pub seed: u64,
}

/// What the zone's CDS and CDNSKEY RRsets have to say (RFC 7344, RFC 8078).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParentSync {
    /// There are none.
    Silent,
    /// They name the keys with these DNSKEYs (RDATA), whether those are published or not: CDNSKEY
    /// has the same RDATA, CDS its SHA-256.
    Keys(Vec<Vec<u8>>),
    /// They ask for the removal of all DS records (RFC 8078 §4).
    Delete,
}

/// Kind and parameters of authenticated denial of existence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Denial {
    /// None, and no signatures over the zone's data: the zone is unsigned, or has only keys left
    /// on its way there. The keys at the apex may still be signed.
    None,
    /// The source's own: every record of it is there as it is, DNSSEC's too, and no other one. The
    /// SOA's serial is judged, and nothing else about DNSSEC.
    Source,
    /// An NSEC chain (RFC 4035 §2.3).
    Nsec,
    /// An NSEC3 chain (RFC 5155 §7.1).
    Nsec3 {
        /// Hash algorithm; only 1 (SHA-1) exists.
        hash_algorithm: u8,
        /// Additional hash iterations.
        iterations: u16,
        /// Salt, at most 255 octets.
        salt: Vec<u8>,
        /// Whether every NSEC3 carries the opt-out flag.
        opt_out: bool,
    },
}

/// Limits on the work that a hostile zone can cause. Beyond a limit the zone is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The audit stops collecting after this many findings.
    pub findings: usize,
    /// Signatures looked at per RRset.
    pub rrsigs_per_rrset: usize,
    /// DNSKEYs looked at.
    pub dnskeys: usize,
    /// Keys with one tag and algorithm tried per signature.
    pub keys_per_tag: usize,
    /// Attempts to verify a signature with a key, per RRset.
    pub verifications_per_rrset: usize,
    /// Largest number of additional NSEC3 iterations computed (RFC 9276 asks for 0).
    pub nsec3_iterations: u16,
    /// Published versions and DS RRsets looked at.
    pub versions: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            findings: 100,
            rrsigs_per_rrset: 16,
            dnskeys: 64,
            keys_per_tag: 4,
            verifications_per_rrset: 32,
            nsec3_iterations: 2500,
            versions: 64,
        }
    }
}
