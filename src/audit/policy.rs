//! What a policy of kasp.xml asks of a signed zone. In: the policy. Out: the auditor's
//! expectations, as far as they follow from the policy alone: which keys there are, only the
//! daemon knows.

use audit::{Denial, Expectations, KeyRule, SignatureLifetimes};
use dnssec::Seconds;
use dnssec::key::KeyRole;
use dnssec::policy::{DenialPolicy, Policy};
use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyError {
    #[error("cannot read {}: {cause}", path.display())]
    Io { path: PathBuf, cause: std::io::Error },
    #[error(transparent)]
    Faults(#[from] appliance_config::FileFaults),
    #[error("{} has no policy {policy}; it has: {known}", path.display())]
    Unknown { path: PathBuf, policy: String, known: String },
}

/// The policy of that name.
pub(super) fn read(path: &Path, name: &str) -> Result<Policy, PolicyError> {
    let io = |cause| PolicyError::Io { path: path.to_owned(), cause };
    let bytes = std::fs::read(path).map_err(io)?;
    let policies = appliance_config::read_kasp(&path.to_string_lossy(), &bytes)?.value;
    let known: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
    let known = known.join(", ");
    let found = policies.into_iter().find(|policy| policy.name == name);
    let (path, policy) = (path.to_owned(), name.to_owned());
    found.ok_or(PolicyError::Unknown { path, policy, known })
}

/// Adds what `policy` asks for. The salt is the zone's own, since it changes by itself.
pub(super) fn apply(policy: &Policy, expectations: &mut Expectations) {
    let signatures = &policy.signatures;
    expectations.denial = match (&policy.denial, &expectations.denial) {
        _ if policy.passthrough => Denial::Source,
        _ if policy.keys.keys.is_empty() => Denial::None,
        (DenialPolicy::Nsec, _) => Denial::Nsec,
        (DenialPolicy::Nsec3(nsec3), found) => Denial::Nsec3 {
            hash_algorithm: nsec3.hash_algorithm,
            iterations: nsec3.iterations,
            salt: match found {
                Denial::Nsec3 { salt, .. } => salt.clone(),
                _ => Vec::new(),
            },
            opt_out: nsec3.opt_out,
        },
    };
    if policy.passthrough {
        return;
    }
    let keyset = signatures.validity_keyset.filter(|validity| validity.0 != 0);
    // Signatures that are due when the signer looks next are made then, not before.
    let refresh = signatures.refresh.0.saturating_sub(signatures.resign.0);
    expectations.refresh_seconds = seconds(Seconds(refresh));
    expectations.lifetimes = Some(SignatureLifetimes {
        default_seconds: seconds(signatures.validity_default),
        denial_seconds: seconds(signatures.validity_denial),
        keyset_seconds: seconds(keyset.unwrap_or(signatures.validity_default)),
        jitter_seconds: seconds(signatures.jitter),
        inception_offset_seconds: seconds(signatures.inception_offset),
    });
    expectations.dnskey_ttl = Some(seconds(policy.keys.ttl));
    expectations.soa_ttl = Some(seconds(policy.zone.soa_ttl));
    expectations.soa_minimum = Some(seconds(policy.zone.soa_minimum));
    expectations.ttl_maximum = signatures.max_zone_ttl.map(seconds);
    expectations.key_rules = Some(policy.keys.keys.iter().map(key_rule).collect());
}

fn key_rule(key: &dnssec::policy::KeyPolicy) -> KeyRule {
    KeyRule {
        algorithm: key.algorithm.number(),
        is_sep: key.role != KeyRole::Zsk,
        bits: key.length_bits.map(u32::from).filter(|_| key.algorithm.is_rsa()),
    }
}

/// A duration for the auditor, which counts in 32 bits; longer than 136 years is for ever.
fn seconds(duration: Seconds) -> u32 {
    u32::try_from(duration.0).unwrap_or(u32::MAX)
}
