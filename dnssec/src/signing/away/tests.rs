//! A KSK whose token is away, over the life of its signature.

use super::*;
use crate::key::{KeyId, KeyRole, PublicKey};
use crate::signing::ZoneKey;
use crate::signing::apex::with_apex;
use crate::signing::plan::{SigningRun, plan_chunk};
use crate::signing::reuse::{PublishedKey, Renewal};
use crate::signing::tests::{apex_plan, sign, times, zone};
use crate::{Algorithm, Seconds};

const NOW: Timestamp = Timestamp(1_800_000_000);

fn key(role: KeyRole, repository: &str) -> ZoneKey {
    let byte = role as u8;
    ZoneKey {
        id: KeyId::new(&[byte; 16]).unwrap(),
        repository: repository.to_owned(),
        role,
        public_key: PublicKey { algorithm: Algorithm::Ed25519, bytes: vec![byte; 32] },
        is_published: true,
        signs: Some(role),
        is_revoked: false,
    }
}

/// How many signatures each key is to make `later` after the zone was signed, with `away`'s token
/// away; and what is late then.
fn check(
    keys: &[ZoneKey],
    away: &str,
    later: Seconds,
    renewal: Renewal,
) -> (Vec<usize>, Option<LateKeyset>) {
    let version = with_apex(&zone(), &apex_plan(keys)).unwrap();
    let mut signers = Signer::of_keys(keys);
    let published = PublishedKey::of_keys(keys);
    let first_times = times(NOW);
    let run = SigningRun {
        apex: &version.apex,
        signers: &signers,
        published: &published,
        renewal: Renewal::Due,
        times: &first_times,
        previous: None,
    };
    let (signed, ..) = sign(&version, &run, 41);
    for signer in signers.iter_mut().filter(|signer| signer.repository == away) {
        signer.presence = Presence::Away;
    }
    let times = times(NOW.plus(later));
    let run = SigningRun {
        apex: &version.apex,
        signers: &signers,
        published: &published,
        renewal,
        times: &times,
        previous: Some(&signed),
    };
    let mut counts = vec![0; signers.len()];
    for chunk in version.names.iter() {
        let plan = plan_chunk(&run, chunk);
        counts.iter_mut().zip(&plan.messages).for_each(|(count, made)| *count += made.count());
    }
    (counts, late_keyset(&signed, &signers, &times))
}

/// Validity 14 days, jitter half a day, refresh 3 days.
fn days(count: u64) -> Seconds {
    Seconds(count * 86_400)
}

fn pair() -> [ZoneKey; 2] {
    [key(KeyRole::Ksk, "safe"), key(KeyRole::Zsk, "daily")]
}

#[test]
fn signatures_of_the_keys_are_left_while_their_token_is_away() {
    let (counts, late) = check(&pair(), "safe", days(12), Renewal::Due);
    assert_eq!(counts, [0, 3]);
    let late = late.unwrap();
    assert_eq!(late.repository, "safe");
    let expected = NOW.plus(days(14)).minus(Seconds(43_200));
    assert!(late.expiration >= expected && late.expiration <= NOW.plus(days(15)), "{late:?}");
}

#[test]
fn nothing_is_late_before_it_is_due() {
    assert_eq!(check(&pair(), "safe", days(1), Renewal::Due), (vec![0, 0], None));
}

/// Taken ahead of its time: the ZSK's are made anew, the KSK's wait.
#[test]
fn work_ahead_leaves_them_too() {
    assert_eq!(check(&pair(), "safe", days(5), Renewal::Ahead), (vec![0, 3], None));
}

#[test]
fn nothing_is_left_that_the_next_pass_would_find_expired() {
    let policy = times(NOW).policy;
    let version = with_apex(&zone(), &apex_plan(&pair())).unwrap();
    let expiration =
        times(NOW).expiration(version.names[0].owners().next().unwrap().key(), RrType::DNSKEY);
    let last = Seconds(expiration.0 - NOW.0 - policy.resign.0);
    assert_eq!(check(&pair(), "safe", last, Renewal::Due).0, [0, 3]);
    assert_eq!(check(&pair(), "safe", Seconds(last.0 + 1), Renewal::Due).0, [1, 3]);
}

#[test]
fn a_key_that_is_here_or_signs_the_zone_too_leaves_nothing() {
    assert_eq!(check(&pair(), "elsewhere", days(12), Renewal::Due), (vec![1, 3], None));
    assert_eq!(check(&pair(), "daily", days(12), Renewal::Due), (vec![1, 3], None));
    let combined = [key(KeyRole::Csk, "safe")];
    assert_eq!(check(&combined, "safe", days(12), Renewal::Due), (vec![4], None));
}
