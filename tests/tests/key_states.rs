//! Zones in every combination of key states that the enforcer makes, through the stages: denial,
//! signing (what the last version had is kept where it may be), audit by its difference and as a
//! whole, signed file. Each story is a roll or a change of policy, step by step; foreign judges
//! see what they can judge. What a step does not allow is refused by the auditor.

mod key_states_world;

use dnssec::signing::parent_sync::ParentSync;
use key_states_world::Form::{self, Keys, Signed, Unsigned};
use key_states_world::{Key, Step, World};

/// KSKs and ZSKs of ECDSA P-256; a CSK of it, twice; a KSK and a ZSK of Ed25519.
const K1: usize = 0;
const K2: usize = 1;
const Z1: usize = 2;
const Z2: usize = 3;
const C1: usize = 4;
const C2: usize = 5;
const KE: usize = 6;
const ZE: usize = 7;

const P256: u8 = 13;
const ED25519: u8 = 15;

/// Published, and signs all that its role signs.
fn on(key: usize) -> Key {
    Key { key, is_published: true, keyset: true, zone: true, is_revoked: false }
}

/// Published, and signs nothing.
fn idle(key: usize) -> Key {
    Key { keyset: false, zone: false, ..on(key) }
}

/// Signs all that its role signs, and is not published.
fn hidden(key: usize) -> Key {
    Key { is_published: false, ..on(key) }
}

/// A published CSK that signs the keys only.
fn over_keys(key: usize) -> Key {
    Key { zone: false, ..on(key) }
}

/// A published CSK that signs the data only.
fn over_data(key: usize) -> Key {
    Key { keyset: false, ..on(key) }
}

/// A revoked KSK.
fn revoked(key: usize) -> Key {
    Key { is_revoked: true, ..on(key) }
}

fn step(form: Form, ds: &[u8], keys: &[Key]) -> Step {
    Step { form, ds: ds.to_vec(), keys: keys.to_vec(), sync: ParentSync::Silent }
}

#[track_caller]
fn check(story: &[Step]) {
    for uses_nsec3 in [false, true] {
        let mut world = World::new(uses_nsec3);
        for (number, step) in story.iter().enumerate() {
            world.take(number, step);
        }
    }
}

#[test]
fn zsk_pre_publication() {
    check(&[
        step(Signed, &[], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(Z1), idle(Z2)]),
        step(Signed, &[P256], &[on(K1), idle(Z1), on(Z2)]),
        step(Signed, &[P256], &[on(K1), on(Z2)]),
    ]);
}

#[test]
fn zsk_double_signature() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(Z1), on(Z2)]),
        step(Signed, &[P256], &[on(K1), on(Z2)]),
    ]);
}

#[test]
fn zsk_double_rrsig() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(Z1), hidden(Z2)]),
        step(Signed, &[P256], &[on(K1), hidden(Z1), on(Z2)]),
        step(Signed, &[P256], &[on(K1), on(Z2)]),
    ]);
}

#[test]
fn ksk_double_signature_and_double_rrset() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(K2), on(Z1)]),
        step(Signed, &[P256], &[on(K2), on(Z1)]),
    ]);
}

#[test]
fn ksk_double_ds() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        // The DS of a key that is nowhere in the zone is out as well.
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[hidden(K1), on(K2), on(Z1)]),
        step(Signed, &[P256], &[on(K2), on(Z1)]),
    ]);
}

#[test]
fn csk_rolls() {
    check(&[
        step(Signed, &[P256], &[on(C1)]),
        step(Signed, &[P256], &[on(C1), over_keys(C2)]),
        step(Signed, &[P256], &[on(C1), on(C2)]),
        step(Signed, &[P256], &[over_data(C1), over_keys(C2)]),
        step(Signed, &[P256], &[over_keys(C1), over_data(C2)]),
        step(Signed, &[P256], &[hidden(C1), on(C2)]),
        step(Signed, &[P256], &[on(C2)]),
        // From a CSK to a KSK and a ZSK.
        step(Signed, &[P256], &[on(C2), on(K1), idle(Z1)]),
        step(Signed, &[P256], &[over_keys(C2), on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(Z1)]),
    ]);
}

#[test]
fn algorithm_roll() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        // Signatures come before the DNSKEY and leave after it (RFC 6781 §4.1.4).
        step(Signed, &[P256], &[on(K1), on(Z1), hidden(ZE)]),
        step(Signed, &[P256], &[on(K1), on(Z1), on(KE), on(ZE)]),
        step(Signed, &[P256, ED25519], &[on(K1), on(Z1), on(KE), on(ZE)]),
        step(Signed, &[ED25519], &[on(K1), on(Z1), on(KE), on(ZE)]),
        step(Signed, &[ED25519], &[hidden(Z1), on(KE), on(ZE)]),
        step(Signed, &[ED25519], &[on(KE), on(ZE)]),
    ]);
}

#[test]
fn revocation() {
    check(&[
        step(Signed, &[P256], &[on(K1), on(K2), on(Z1)]),
        step(Signed, &[P256], &[revoked(K1), on(K2), on(Z1)]),
        step(Signed, &[P256], &[on(K2), on(Z1)]),
    ]);
    check(&[
        step(Signed, &[P256], &[on(C1)]),
        step(Signed, &[P256], &[on(C1), on(K2), on(Z1)]),
        step(Signed, &[P256], &[revoked(C1), on(K2), on(Z1)]),
    ]);
}

#[test]
fn unsigned_step_by_step_and_signed_again() {
    check(&[
        step(Unsigned, &[], &[]),
        step(Signed, &[], &[on(K1), on(Z1)]),
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Keys, &[], &[on(K1), idle(Z1)]),
        step(Keys, &[], &[hidden(K1), idle(Z1)]),
        step(Keys, &[], &[idle(K1), idle(Z1)]),
        step(Keys, &[], &[revoked(K1)]),
        step(Unsigned, &[], &[]),
        step(Signed, &[], &[on(C1)]),
        step(Unsigned, &[], &[]),
    ]);
    check(&[
        step(Signed, &[P256], &[on(K1), on(Z1)]),
        step(Form::PassedThrough, &[], &[]),
        step(Signed, &[], &[on(K1), on(Z1)]),
        step(Unsigned, &[], &[]),
        step(Form::PassedThrough, &[], &[]),
    ]);
}

#[test]
fn cds_follows_the_ds_and_asks_for_removal_at_the_end() {
    let sync = |keys: &[usize], step: Step| Step { sync: World::announced(keys), ..step };
    let delete = |step: Step| Step { sync: ParentSync::Delete, ..step };
    check(&[
        step(Signed, &[], &[on(K1), on(Z1)]),
        sync(&[K1], step(Signed, &[P256], &[on(K1), on(Z1)])),
        sync(&[K1, K2], step(Signed, &[P256], &[on(K1), on(Z1)])),
        sync(&[K2], step(Signed, &[P256], &[revoked(K1), on(K2), on(Z1)])),
        delete(step(Signed, &[P256], &[on(K2), on(Z1)])),
        step(Unsigned, &[], &[]),
    ]);
}

/// What the auditor finds when a step is taken that its expectations do not allow.
#[test]
fn what_a_ds_asks_for_is_never_left_out() {
    let signed = step(Signed, &[P256], &[on(K1), on(Z1)]);
    for (code, step) in [
        ("A201", step(Unsigned, &[P256], &[])),
        ("A301", step(Keys, &[P256], &[on(K1), idle(Z1)])),
        ("A301", step(Signed, &[P256], &[idle(K1), on(Z1)])),
        ("A301", step(Signed, &[P256], &[on(K1), idle(Z1), on(ZE)])),
        ("A301", step(Signed, &[P256], &[on(K1), idle(Z1), hidden(Z2)])),
        ("A212", Step { sync: World::announced(&[K2]), ..signed.clone() }),
    ] {
        let mut world = World::new(false);
        world.take(0, &signed);
        world.is_refused(&step, code);
    }
}
