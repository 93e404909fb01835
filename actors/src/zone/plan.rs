//! Policy and keys in the words of the stages. Only puts values where they belong; what they
//! mean is decided in `dnssec` and `audit`.

use crate::enforcer::ZoneKeys;
use crate::settings::ZoneSettings;
use ::audit::{Expectations, KeyRule, SignatureLifetimes, Zonemd};
use dnssec::denial::denial_ttl;
use dnssec::denial::foreign::{ForeignDenial, foreign_denial};
use dnssec::denial::nsec3::Nsec3Parameters;
use dnssec::first_keys::wanted_bits;
use dnssec::key::{DigestType, KeyRole, ds_rdata};
use dnssec::policy::{AuditMode, DenialPolicy, Policy};
use dnssec::signing::apex::{ApexPlan, ZoneForm, dnskeys_of, expected_dnskeys};
use dnssec::signing::parent_sync::ParentSync;
use dnssec::signing::step::{Reach, reach};
use dnssec::signing::{SigningTimes, ZoneKey};
use dnssec::zone::ZoneVersion;
use dnssec::{Algorithm, Name, Seconds, Serial, Timestamp, Ttl};

/// What the apex shall have. `last` is the last published serial, which stands in for the new.
pub fn apex_plan(settings: &ZoneSettings, keys: &ZoneKeys, last: Option<Serial>) -> ApexPlan {
    let policy = &settings.policy;
    let form = form(policy, keys);
    let published = keys.keys.iter().filter(|(key, _)| key.is_published);
    ApexPlan {
        form,
        soa_ttl: policy.zone.soa_ttl.as_ttl(),
        soa_minimum: policy.zone.soa_minimum.as_ttl().0,
        serial: last,
        keys_ttl: policy.keys.ttl.as_ttl(),
        dnskeys: published.map(|(key, _)| key.dnskey_rdata()).collect(),
        cds: keys.delegation.sync.cds(&settings.name),
        cdnskey: keys.delegation.sync.cdnskey(),
        zonemd: (form == ZoneForm::Signed && policy.zone.makes_zonemd)
            .then(|| policy.zone.soa_ttl.as_ttl()),
        nsec3param: match &policy.denial {
            _ if form != ZoneForm::Signed => None,
            DenialPolicy::Nsec => None,
            DenialPolicy::Nsec3(nsec3) => {
                let parameters = parameters(nsec3, keys);
                Some((nsec3.param_ttl.as_ttl(), parameters.param_rdata()))
            }
        },
    }
}

/// What the published version is to be.
pub(super) fn form(policy: &Policy, keys: &ZoneKeys) -> ZoneForm {
    let keys: Vec<ZoneKey> = keys.keys.iter().map(|(key, _)| key.clone()).collect();
    ZoneForm::of(policy, &keys)
}

/// The chain of a signed version; `None` is NSEC.
pub fn nsec3(policy: &Policy, keys: &ZoneKeys) -> Option<Nsec3Parameters> {
    match &policy.denial {
        DenialPolicy::Nsec => None,
        DenialPolicy::Nsec3(nsec3) => Some(parameters(nsec3, keys)),
    }
}

fn parameters(nsec3: &dnssec::policy::Nsec3Policy, keys: &ZoneKeys) -> Nsec3Parameters {
    Nsec3Parameters {
        iterations: nsec3.iterations,
        salt: keys.salt.clone(),
        opt_out: nsec3.opt_out,
    }
}

/// What a version is made with, beside its input and the time: a version made with the same is
/// the same, but for what is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    /// The apex, without the serial that stands in.
    pub(super) apex: ApexPlan,
    /// The keys, active or not.
    keys: Vec<ZoneKey>,
    /// Salt of the chain.
    salt: Vec<u8>,
    /// The chain; `None` is NSEC.
    pub(super) nsec3: Option<Nsec3Parameters>,
    /// TTL of the chain's records.
    pub(super) ttl: Ttl,
}

impl Basis {
    /// What policy and keys make of a zone.
    pub(super) fn new(policy: &Policy, keys: &ZoneKeys, apex: &ApexPlan) -> Basis {
        Basis {
            apex: ApexPlan { serial: None, ..apex.clone() },
            keys: keys.keys.iter().map(|(key, _)| key.clone()).collect(),
            salt: keys.salt.clone(),
            nsec3: nsec3(policy, keys),
            ttl: denial_ttl(apex.soa_ttl, apex.soa_minimum),
        }
    }

    /// How far the change from the last basis reaches; `None`: there is none.
    pub(super) fn reach_from(&self, last: &Basis) -> Option<Reach> {
        let is_signed = |basis: &Basis| basis.apex.form == ZoneForm::Signed;
        let is_same_chain =
            self.nsec3 == last.nsec3 && self.salt == last.salt && self.ttl == last.ttl;
        match self == last {
            true => None,
            false if is_signed(self) && is_signed(last) && is_same_chain => {
                Some(reach(&last.keys, &self.keys))
            }
            false => Some(Reach::Zone),
        }
    }

    /// Whether one of these DNSKEYs (RDATA) is published by a key of ours.
    pub(super) fn publishes_any_of(&self, dnskeys: &[Vec<u8>]) -> bool {
        let published = self.keys.iter().filter(|key| key.is_published);
        published.map(ZoneKey::dnskey_rdata).any(|dnskey| dnskeys.contains(&dnskey))
    }

    /// Whether the input was read with its DNSSEC records.
    pub(super) fn is_passed_through(&self) -> bool {
        self.apex.form == ZoneForm::Passthrough
    }
}

/// The chain as it is remembered.
pub(super) fn denial_state(policy: &Policy, keys: &ZoneKeys) -> storage::state::Denial {
    match &policy.denial {
        DenialPolicy::Nsec => storage::state::Denial::Nsec,
        DenialPolicy::Nsec3(nsec3) => storage::state::Denial::Nsec3 {
            hash_algorithm: nsec3.hash_algorithm,
            iterations: nsec3.iterations,
            salt: keys.salt.clone(),
            opt_out: nsec3.opt_out,
        },
    }
}

pub(super) fn seconds(length: Seconds) -> u32 {
    u32::try_from(length.0).unwrap_or(u32::MAX)
}

/// What the auditor is to hold a version with these keys against. `last` is the last published
/// serial, when the version must have a newer one.
pub fn audit_expectations(
    (settings, keys): (&ZoneSettings, &ZoneKeys),
    plan: &ApexPlan,
    unsigned: &ZoneVersion,
    times: &SigningTimes,
    last: Option<u32>,
) -> Expectations {
    let policy = &settings.policy;
    let denial = match &policy.denial {
        _ if plan.form == ZoneForm::Unsigned => ::audit::Denial::None,
        _ if plan.form == ZoneForm::Passthrough => ::audit::Denial::Source,
        DenialPolicy::Nsec => ::audit::Denial::Nsec,
        DenialPolicy::Nsec3(nsec3) => ::audit::Denial::Nsec3 {
            hash_algorithm: nsec3.hash_algorithm,
            iterations: nsec3.iterations,
            salt: keys.salt.clone(),
            opt_out: nsec3.opt_out,
        },
    };
    let seed = times.now.0;
    let sample = ::audit::Sampling { one_in: SAMPLED_ONE_IN, seed };
    let signatures = &policy.signatures;
    let keyset = signatures.validity_keyset.filter(|validity| validity.0 != 0);
    let apex = unsigned.apex.as_wire().to_vec();
    if plan.form == ZoneForm::Passthrough {
        let expectations = Expectations::new(apex, times.now.0, denial);
        return Expectations {
            published_serial: last,
            ..passed_through(unsigned, keys, expectations)
        };
    }
    Expectations {
        signing: Some(signing(keys)),
        parent: Some(parent(keys, &settings.name)),
        // The signer leaves out the input's, and makes one where the policy wants it.
        zonemd: match plan.zonemd {
            Some(_) => Zonemd::Required,
            None => Zonemd::Forbidden,
        },
        parent_sync: parent_sync(keys, plan.form),
        refresh_seconds: seconds(times.least_life()),
        lifetimes: Some(SignatureLifetimes {
            default_seconds: seconds(signatures.validity_default),
            denial_seconds: seconds(signatures.validity_denial),
            keyset_seconds: seconds(keyset.unwrap_or(signatures.validity_default)),
            jitter_seconds: seconds(signatures.jitter),
            inception_offset_seconds: seconds(signatures.inception_offset),
        }),
        dnskeys: Some(expected_dnskeys(unsigned, plan)),
        dnskey_ttl: Some(plan.keys_ttl.0),
        soa_ttl: Some(plan.soa_ttl.0),
        soa_minimum: Some(plan.soa_minimum),
        published_serial: last,
        sampling: (policy.audit == AuditMode::Partial).then_some(sample),
        ..Expectations::new(apex, times.now.0, denial)
    }
}

/// `<Audit><Partial/>`: at one name in so many, others each time, signatures are verified.
const SAMPLED_ONE_IN: u32 = 10;

/// What the keys are to do.
fn signing(keys: &ZoneKeys) -> ::audit::Signing {
    let signer = |(key, _): &(ZoneKey, Timestamp)| {
        let role = key.signing_role()?;
        Some(::audit::Signer {
            dnskey: key.dnskey_rdata(),
            signs_keyset: role.signs_keyset(),
            signs_zone: role.signs_zone(),
        })
    };
    let algorithms = keys.delegation.ds_algorithms.iter();
    ::audit::Signing {
        signers: keys.keys.iter().filter_map(signer).collect(),
        ds_algorithms: algorithms.map(|algorithm| algorithm.number()).collect(),
    }
}

/// What the zone is to tell its parent; a signed zone that we say nothing for may have the input's
/// own CDS.
fn parent_sync(keys: &ZoneKeys, form: ZoneForm) -> Option<::audit::ParentSync> {
    match &keys.delegation.sync {
        ParentSync::Silent if form == ZoneForm::Signed => None,
        ParentSync::Silent => Some(::audit::ParentSync::Silent),
        ParentSync::Keys(keys) => Some(::audit::ParentSync::Keys(keys.clone())),
        ParentSync::Delete => Some(::audit::ParentSync::Delete),
    }
}

/// The DS RRsets that resolvers may follow: those that the key states speak of, by SHA-256 (the
/// digest of a DS does not matter, but what it is of), and those that the parent showed.
fn parent(keys: &ZoneKeys, apex: &Name) -> Vec<::audit::DsSet> {
    let believed = keys.delegation.ds_sets.iter().map(|set| ::audit::DsSet {
        records: set.dnskeys.iter().map(|key| ds_rdata(apex, key, DigestType::Sha256)).collect(),
        source: ::audit::DsSource::Believed,
        // Until the key states say that no cache has it.
        cached_until: set.is_withdrawn.then_some(u64::MAX),
    });
    believed.chain(seen(keys)).collect()
}

/// The DS RRsets that the parent showed, or that the operator says it has.
fn seen(keys: &ZoneKeys) -> impl Iterator<Item = ::audit::DsSet> {
    keys.shown_ds.iter().map(|records| ::audit::DsSet {
        records: records.clone(),
        source: ::audit::DsSource::Seen,
        cached_until: None,
    })
}

/// What is expected of a version that is the input as it is. One that somebody else signed is
/// judged as a signed zone, by the denial that it says of itself; one that is not signed where a DS
/// asks for it, as a zone that must not be unsigned. Of any other, every record is to be there.
fn passed_through(
    unsigned: &ZoneVersion,
    keys: &ZoneKeys,
    expectations: Expectations,
) -> Expectations {
    let shown: Vec<::audit::DsSet> = seen(keys).collect();
    let has_ds = shown.iter().any(|set| !set.records.is_empty());
    let denial = match foreign_denial(unsigned) {
        None if has_ds => ::audit::Denial::None,
        None => return expectations,
        Some(ForeignDenial::Nsec) => ::audit::Denial::Nsec,
        Some(ForeignDenial::Nsec3 { hash_algorithm, parameters }) => ::audit::Denial::Nsec3 {
            hash_algorithm,
            iterations: parameters.iterations,
            salt: parameters.salt,
            opt_out: parameters.opt_out,
        },
    };
    Expectations {
        denial,
        // What nobody asked for is not known, which is something else than that there is none.
        parent: (!shown.is_empty()).then_some(shown),
        dnskeys: Some(dnskeys_of(unsigned)),
        ..expectations
    }
}

/// What new keys may be like: the policy's; those that are to leave may be an earlier one's.
pub(super) fn key_rules(policy: &Policy, keys: &ZoneKeys) -> Vec<KeyRule> {
    let wanted = policy.keys.keys.iter();
    let wanted = wanted.map(|key| (key.role, key.algorithm, wanted_bits(key)));
    let leaving = keys.leaving.iter().map(|key| (key.role, key.algorithm, key.bits));
    let rule = |(role, algorithm, bits): (KeyRole, Algorithm, u16)| KeyRule {
        algorithm: algorithm.number(),
        // Such keys have the flag.
        is_sep: role.signs_keyset(),
        bits: algorithm.fixed_key_bits().is_none().then_some(u32::from(bits)),
    };
    wanted.chain(leaving).map(rule).collect()
}
