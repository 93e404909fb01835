//! Policy and keys in the words of the stages. Only puts values where they belong; what they
//! mean is decided in `dnssec` and `audit`.

use super::pipeline::RunOrder;
use crate::enforcer::ZoneKeys;
use ::audit::{Expectations, SignatureLifetimes};
use dnssec::denial::denial_ttl;
use dnssec::denial::nsec3::Nsec3Parameters;
use dnssec::policy::{DenialPolicy, Policy};
use dnssec::signing::SigningTimes;
use dnssec::signing::apex::{ApexPlan, expected_dnskeys};
use dnssec::zone::ZoneVersion;
use dnssec::{Seconds, Serial, Ttl};

/// What the apex shall have. `last` is the last published serial, which stands in for the new.
pub(super) fn apex_plan(policy: &Policy, keys: &ZoneKeys, last: Option<Serial>) -> ApexPlan {
    let published = keys.keys.iter().filter(|(key, _)| key.is_published);
    ApexPlan {
        soa_ttl: policy.zone.soa_ttl.as_ttl(),
        soa_minimum: policy.zone.soa_minimum.as_ttl().0,
        serial: last,
        keys_ttl: policy.keys.ttl.as_ttl(),
        dnskeys: published.map(|(key, _)| key.dnskey_rdata()).collect(),
        cds: Vec::new(),
        cdnskey: Vec::new(),
        nsec3param: match &policy.denial {
            DenialPolicy::Nsec => None,
            DenialPolicy::Nsec3(nsec3) => {
                let parameters = parameters(nsec3, keys);
                Some((nsec3.param_ttl.as_ttl(), parameters.param_rdata()))
            }
        },
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
    apex: ApexPlan,
    /// The keys, active or not.
    keys: ZoneKeys,
    /// The chain; `None` is NSEC.
    pub(super) nsec3: Option<Nsec3Parameters>,
    /// TTL of the chain's records.
    pub(super) ttl: Ttl,
}

impl Basis {
    /// What policy and keys make of a zone.
    pub(super) fn new(policy: &Policy, keys: &ZoneKeys, apex: &ApexPlan) -> Basis {
        let nsec3 = match &policy.denial {
            DenialPolicy::Nsec => None,
            DenialPolicy::Nsec3(nsec3) => Some(parameters(nsec3, keys)),
        };
        Basis {
            apex: ApexPlan { serial: None, ..apex.clone() },
            keys: keys.clone(),
            nsec3,
            ttl: denial_ttl(apex.soa_ttl, apex.soa_minimum),
        }
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

/// What the auditor is to hold the version against. `last` is the last published serial, when
/// the version must have a newer one.
pub(super) fn audit_expectations(
    order: &RunOrder,
    plan: &ApexPlan,
    unsigned: &ZoneVersion,
    times: &SigningTimes,
    last: Option<u32>,
) -> Expectations {
    let policy = &order.settings.policy;
    let denial = match &policy.denial {
        DenialPolicy::Nsec => ::audit::Denial::Nsec,
        DenialPolicy::Nsec3(nsec3) => ::audit::Denial::Nsec3 {
            hash_algorithm: nsec3.hash_algorithm,
            iterations: nsec3.iterations,
            salt: order.keys.salt.clone(),
            opt_out: nsec3.opt_out,
        },
    };
    let signatures = &policy.signatures;
    let keyset = signatures.validity_keyset.filter(|validity| validity.0 != 0);
    let apex = unsigned.apex.as_wire().to_vec();
    Expectations {
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
        ..Expectations::new(apex, times.now.0, denial)
    }
}
