//! Defects that only parent and history show: chain, caches, succession.

use super::*;
use audit::{DsSet, DsSource};

pub(super) fn seen(records: Vec<Vec<u8>>) -> DsSet {
    DsSet { records, source: DsSource::Seen, cached_until: None }
}

pub(super) fn cached(records: Vec<Vec<u8>>) -> DsSet {
    DsSet { cached_until: Some(NOW + 100), ..seen(records) }
}

pub(super) fn good_ds() -> Vec<u8> {
    ds(&ksk(), 2)
}

pub(super) fn other_ksk() -> Key {
    Key::new(7, 257)
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = chain_cases();
    cases.extend(cache_cases());
    cases.extend(succession_cases());
    cases
}

fn chain_cases() -> Vec<Case> {
    vec![
        with_expectations("DS of a key that is not published", &[701], |e| {
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
        }),
        with_expectations("DS with a wrong digest", &[701], |e| {
            let mut wrong = good_ds();
            wrong[10] ^= 1;
            e.parent = Some(vec![seen(vec![wrong])]);
        }),
        with_expectations("DS of the ZSK, which does not sign the keys", &[701], |e| {
            e.parent = Some(vec![seen(vec![ds(&zsk(), 2)])]);
        }),
        Case {
            expect: |e| {
                let mut signing = super::keys::usual_signing();
                signing.signers.push(super::keys::signer(&other_ksk(), true));
                e.signing = Some(signing);
                e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
            },
            ..with_signed("DS of a key that signs the keys and is not among them", &[701], |z| {
                sign_also(z, &other_ksk(), "example", DNSKEY);
            })
        },
        with_expectations("one of two servers of the parent has another DS", &[701], |e| {
            e.parent = Some(vec![seen(vec![good_ds()]), seen(vec![ds(&other_ksk(), 2)])]);
        }),
        with_expectations("a second DS of an algorithm that is not in use", &[702], |e| {
            let of_p256 = ds(&Key::p256(7, 257), 2);
            e.parent = Some(vec![seen(vec![good_ds(), of_p256])]);
        }),
        with_expectations("DS wrong, as it was for the last version", &[703], |e| {
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
            e.history = vec![usual_version(e)];
        }),
        with_expectations("only a DS of an unknown digest type", &[704], |e| {
            let mut unknown = good_ds();
            unknown[3] = 99;
            e.parent = Some(vec![seen(vec![unknown])]);
        }),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::p256(7, 257).rdata)),
            signed: |z| sign_also(z, &Key::p256(7, 257), "example", DNSKEY),
            expect: |e| {
                e.dnskeys = None;
                e.signing = Some(super::keys::usual_signing());
                e.parent = Some(vec![seen(vec![good_ds(), ds(&Key::p256(7, 257), 2)])]);
            },
            ..any("data lack signatures of the second algorithm of the DS", &[705])
        },
        with_expectations("DS by SHA-256 right, by SHA-384 wrong", &[706], |e| {
            let mut wrong = ds(&ksk(), 4);
            wrong[10] ^= 1;
            e.parent = Some(vec![seen(vec![good_ds(), wrong])]);
        }),
        with_expectations("parent has one DS more than believed", &[707], |e| {
            let believed = DsSet { source: DsSource::Believed, ..seen(vec![good_ds()]) };
            e.parent = Some(vec![believed, seen(vec![good_ds(), ds(&other_ksk(), 2)])]);
        }),
    ]
}

fn cache_cases() -> Vec<Case> {
    vec![
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(9, 256).rdata)),
            expect: |e| {
                e.dnskeys = None;
                let old = Key::new(9, 256);
                e.history = vec![version(&[&ksk(), &old], &old)];
                same_denial(e);
            },
            ..any("new ZSK signs at once, caches have the old keys", &[711])
        },
        with_expectations("new ZSK signs a second before caches let go", &[711], |e| {
            let old = Key::new(9, 256);
            let mut before = version(&[&ksk(), &old], &old);
            // Beside the old ZSK the KSK signed, so that only the cached keys are in question.
            before.keys.data_signers[0].dnskeys = rdatas(&[&ksk(), &old]);
            before.served_until = Some(NOW - 3600 - 299);
            e.propagation_seconds = 300;
            e.history = vec![before, usual_version(e)];
            same_denial(e);
        }),
        with_expectations("old ZSK gone, caches have its signatures", &[712], |e| {
            let old = Key::new(9, 256);
            e.history = vec![version(&[&ksk(), &zsk(), &old], &old)];
            same_denial(e);
        }),
        with_expectations("old KSK gone, caches have its DS", &[713], |e| {
            let mut before = version(&[&other_ksk(), &ksk(), &zsk()], &zsk());
            before.keys.keyset_signers = rdatas(&[&ksk(), &other_ksk()]);
            e.history = vec![before];
            same_denial(e);
            e.parent = Some(vec![seen(vec![good_ds()]), cached(vec![ds(&other_ksk(), 2)])]);
        }),
        with_expectations("two cached versions where one is the limit", &[714], |e| {
            e.limits.versions = 1;
            e.history = vec![usual_version(e), usual_version(e)];
        }),
    ]
}

fn succession_cases() -> Vec<Case> {
    vec![
        with_expectations("all keys are others than in the last version", &[721], |e| {
            e.history = vec![version(&[&other_ksk(), &Key::new(9, 256)], &Key::new(9, 256))];
            same_denial(e);
        }),
        with_expectations("all keys are others, and the parent has the old DS", &[701, 721], |e| {
            let mut before = version(&[&other_ksk(), &Key::new(9, 256)], &Key::new(9, 256));
            before.keys.keyset_signers = rdatas(&[&other_ksk()]);
            e.history = vec![before];
            same_denial(e);
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
        }),
        Case {
            before_signing: |z| z.retain(|r| !matches!(r.rtype, DNSKEY | NSEC)),
            signed: |z| z.retain(|r| r.rtype != RRSIG),
            expect: |e| {
                e.history = vec![usual_version(e)];
                e.denial = Denial::None;
                e.dnskeys = Some(Vec::new());
                e.signing = Some(audit::Signing { signers: Vec::new(), ds_algorithms: Vec::new() });
            },
            ..nsec("no keys any more, and nobody has looked for a DS", &[722])
        },
        with_expectations("other kind of denial than in the last version", &[723], |e| {
            e.history = vec![usual_version(e)];
            e.history[0].keys.denial = match e.denial {
                Denial::Nsec => nsec3(false),
                _ => Denial::Nsec,
            };
        }),
        with_expectations("ZSK was a KSK in the last version", &[724], |e| {
            e.history = vec![version(&[&ksk(), &Key::new(2, 257)], &ksk())];
            same_denial(e);
            long_ago(e);
        }),
        with_expectations("ZSK was revoked in the last version", &[725], |e| {
            e.history = vec![version(&[&ksk(), &Key::new(2, 0x0180)], &ksk())];
            same_denial(e);
            long_ago(e);
        }),
        with_expectations("new ZSK with the key tag of the old one", &[726], |e| {
            let mut before = version(&[&ksk()], &ksk());
            before.keys.dnskeys.push(super::keys::twin_of_zsk());
            e.history = vec![before];
            same_denial(e);
            long_ago(e);
        }),
    ]
}
