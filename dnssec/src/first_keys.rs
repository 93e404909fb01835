//! What a policy wants of keys and salts that are to be made. Which key is to be made, and when,
//! is [`crate::enforcer`]'s. In: a policy. Out: lengths, whether a salt is due, what does not fit.

use crate::policy::{DenialPolicy, KeyPolicy, Nsec3Policy, Policy};
use crate::{Algorithm, Seconds, Timestamp};

/// Length of RSA keys whose policy names none, in bits.
pub const RSA_BITS_DEFAULT: u16 = 2048;

/// Length of the keys that a policy key asks for, in bits.
pub fn wanted_bits(key: &KeyPolicy) -> u16 {
    key.algorithm.fixed_key_bits().or(key.length_bits).unwrap_or(RSA_BITS_DEFAULT)
}

/// The key algorithm that does not go with the policy's NSEC3, if there is one: resolvers that
/// take RSASHA1 (5) need not know NSEC3, which is why 7 exists (RFC 5155 §2).
pub fn algorithm_without_nsec3(policy: &Policy) -> Option<Algorithm> {
    let has_nsec3 = matches!(policy.denial, DenialPolicy::Nsec3(_));
    let mut algorithms = policy.keys.keys.iter().map(|key| key.algorithm);
    algorithms.find(|algorithm| has_nsec3 && *algorithm == Algorithm::RsaSha1)
}

/// Whether the policy wants a new salt: there is none of its length, or it is too old. A resalt
/// period of zero keeps the first salt for ever (catalogue 4.5).
pub fn is_salt_due(
    policy: &Nsec3Policy,
    salt_length: usize,
    salt_changed: Timestamp,
    now: Timestamp,
) -> bool {
    let has_length = salt_length == usize::from(policy.salt_length);
    let is_old = policy.resalt != Seconds(0) && now >= salt_changed.plus(policy.resalt);
    !has_length || policy.salt_length > 0 && is_old
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn algorithm_5_does_not_go_with_nsec3() {
        let mut policy = Policy::anchorite_default("token");
        assert_eq!(algorithm_without_nsec3(&policy), None);
        policy.keys.keys[1].algorithm = Algorithm::RsaSha1;
        assert_eq!(algorithm_without_nsec3(&policy), Some(Algorithm::RsaSha1));
        policy.denial = DenialPolicy::Nsec;
        assert_eq!(algorithm_without_nsec3(&policy), None);
    }

    #[test]
    fn salts_follow_length_and_age() {
        let policy = Nsec3Policy {
            param_ttl: Seconds(0),
            opt_out: false,
            resalt: Seconds(100),
            hash_algorithm: 1,
            iterations: 0,
            salt_length: 8,
        };
        let at = Timestamp(1000);
        assert!(is_salt_due(&policy, 0, Timestamp(0), at));
        assert!(!is_salt_due(&policy, 8, Timestamp(950), at));
        assert!(is_salt_due(&policy, 8, Timestamp(900), at));
        let never = Nsec3Policy { resalt: Seconds(0), ..policy.clone() };
        assert!(!is_salt_due(&never, 8, Timestamp(0), at));
        let none = Nsec3Policy { salt_length: 0, ..policy };
        assert!(!is_salt_due(&none, 0, Timestamp(0), at));
    }
}
