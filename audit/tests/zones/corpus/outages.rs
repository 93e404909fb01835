//! Outages that happened, planted again: what went out then is not published now. Where the bad
//! zone came in as input, the input breaker holds it (`dnssec::breaker`).

use super::chain::{cached, good_ds, other_ksk, seen};
use super::*;
use audit::{DsSet, DsSource, Horizon, Severity};

pub(super) fn cases() -> Vec<Case> {
    let mut cases = wrong_key_cases();
    cases.extend(roll_cases());
    cases.extend(expiry_cases());
    cases.extend(fail_over_and_parent_cases());
    cases.extend(denial_cases());
    cases
}

/// Signs all data of some names by another key pair that has the key tag of the published one.
fn sign_by_twin(zone: &mut Records, names: &[&str]) {
    for owner in names {
        let signed = rrset(zone, owner, A);
        let tag = zsk().tag().to_be_bytes();
        *signature(zone, owner, A) =
            Key::new(9, 256).rrsig_with(&signed, |rdata| rdata[16..18].copy_from_slice(&tag));
    }
}

fn wrong_key_cases() -> Vec<Case> {
    vec![
        with_signed("de 2026: three key pairs with one tag, one published", &[302], |z| {
            sign_by_twin(z, &["www.example", "Mail.example"]);
        }),
        with_signed("ru 2024: keys signed by the other pair of the same tag", &[302], |z| {
            let keys = rrset(z, "example", DNSKEY);
            let tag = ksk().tag().to_be_bytes();
            *signature(z, "example", DNSKEY) =
                Key::new(9, 257).rrsig_with(&keys, |rdata| rdata[16..18].copy_from_slice(&tag));
        }),
        with_signed("se 2022: wrong signatures for a part of the names", &[302], |z| {
            for owner in ["www.example", "ns1.example", "Mail.example"] {
                let octets = &mut signature(z, owner, A).rdata;
                let at = octets.len() - 30;
                octets[at] ^= 0x10;
            }
        }),
        with_signed("au 2022: record changed after it was signed", &[302], |z| {
            find(z, "Mail.example", A).rdata[3] ^= 1;
        })
        .and_source(|z| find(z, "Mail.example", A).rdata[3] ^= 1),
        with_expectations("fj 2022: first roll, keys signed outside the chain", &[701], |e| {
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
            e.history = vec![version(&[&other_ksk(), &ksk(), &zsk()], &zsk())];
            same_denial(e);
        }),
        with_signed("mg: signatures by keys that are not published", &[303], |z| {
            for owner in ["www.example", "Mail.example"] {
                let signed = rrset(z, owner, A);
                *signature(z, owner, A) = Key::new(9, 256).rrsig_with(&signed, |_| {});
            }
        }),
    ]
}

impl Case {
    /// The source as the auditor sees it is changed as well.
    fn and_source(self, audited: fn(&mut Records)) -> Case {
        Case { audited, ..self }
    }
}

fn roll_cases() -> Vec<Case> {
    vec![
        with_expectations("nz 2023: old KSK out before the old DS is", &[713], |e| {
            let mut before = version(&[&other_ksk(), &ksk(), &zsk()], &zsk());
            before.keys.keyset_signers = rdatas(&[&ksk(), &other_ksk()]);
            e.history = vec![before];
            same_denial(e);
            e.parent = Some(vec![seen(vec![good_ds()]), cached(vec![ds(&other_ksk(), 2)])]);
        }),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(9, 256).rdata)),
            expect: |e| {
                let old = Key::new(9, 256);
                e.dnskeys = None;
                e.history = vec![version(&[&ksk(), &old], &old)];
                same_denial(e);
            },
            ..any("nl 2012: new ZSK used that caches never saw", &[711])
        },
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::p256(7, 257).rdata)),
            signed: |z| sign_also(z, &Key::p256(7, 257), "example", DNSKEY),
            expect: |e| {
                e.dnskeys = None;
                e.signing = Some(super::keys::usual_signing());
                e.parent = Some(vec![seen(vec![ds(&Key::p256(7, 257), 2)])]);
            },
            ..any("gov 2013: signatures of the old algorithm out, its DS in", &[705])
        },
        with_signed("e164.arpa 2011: keys without signature of the KSK", &[209], |z| {
            let keys = rrset(z, "example", DNSKEY);
            *signature(z, "example", DNSKEY) = zsk().rrsig_with(&keys, |_| {});
        }),
        with_signed("dlv.isc.org 2009: keys without any signature", &[301], |z| {
            z.retain(|record| !is_signature_of(record, "example", DNSKEY));
        }),
        with_expectations("fr 2010: ZSK deleted, its signatures in caches", &[712], |e| {
            let old = Key::new(9, 256);
            e.history = vec![version(&[&ksk(), &zsk(), &old], &old)];
            same_denial(e);
        }),
        with_expectations("nasa.gov 2012: new KSK alone before its DS", &[701], |e| {
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
            e.history = vec![version(&[&other_ksk(), &zsk()], &zsk())];
            same_denial(e);
        }),
        with_expectations("ripe 2010: migration without the other's keys", &[721], |e| {
            let old = Key::new(9, 256);
            e.history = vec![version(&[&other_ksk(), &old], &old)];
            same_denial(e);
        }),
    ]
}

fn expiry_cases() -> Vec<Case> {
    vec![
        Case {
            expect: |e| {
                e.refresh_seconds = 259_200;
                e.horizon = Some(Horizon { reaction_seconds: 0, severity: Severity::Refuse });
            },
            ..with_source("ripe.net 2023: TTL of ten days, refresh of three", &[802, 804], |z| {
                find(z, "www.example", TXT).ttl = 864_000;
            })
        },
        with_expectations("arin.net 2019: nothing signed anew for weeks", &[310], |e| {
            e.now = u64::from(EXPIRATION) - 1800;
        }),
        with_expectations("65.in-addr.arpa 2016: serial began anew", &[607, 609], |e| {
            (e.published_serial, e.served_serials) = (Some(2_016_030_100), vec![2_016_030_100]);
        }),
        with_expectations("e164.arpa 2017: everything expired", &[309], |e| {
            e.now = u64::from(EXPIRATION) + 60;
        }),
    ]
}

fn fail_over_and_parent_cases() -> Vec<Case> {
    vec![
        with_expectations("apnic 2012: standby with ZSKs of its own", &[711, 712], |e| {
            let own = Key::new(9, 256);
            e.history = vec![version(&[&ksk(), &own], &own)];
            same_denial(e);
        }),
        with_expectations("apnic 2016: wrong DS given to the parent", &[703, 707], |e| {
            let believed = DsSet { source: DsSource::Believed, ..seen(vec![good_ds()]) };
            e.parent = Some(vec![believed, seen(vec![ds(&other_ksk(), 2)])]);
            e.history = vec![usual_version(e)];
        }),
        with_expectations("iastate.edu 2017: DS of a key that was never served", &[703], |e| {
            e.parent = Some(vec![seen(vec![ds(&other_ksk(), 2)])]);
            e.history = vec![usual_version(e)];
        }),
        Case {
            before_signing: |z| z.retain(|r| !matches!(r.rtype, DNSKEY | NSEC)),
            signed: |z| z.retain(|r| r.rtype != RRSIG),
            expect: |e| {
                e.history = vec![usual_version(e)];
                e.denial = Denial::None;
                e.dnskeys = Some(Vec::new());
                e.signing = Some(audit::Signing { signers: Vec::new(), ds_algorithms: Vec::new() });
                e.parent = Some(vec![seen(Vec::new()), cached(vec![good_ds()])]);
            },
            ..nsec("slack.com 2021: unsigned while caches have the DS", &[713])
        },
    ]
}

fn denial_cases() -> Vec<Case> {
    vec![
        with_chain("slack.com 2021: bitmap at a wildcard lacks a type", &[506], |z| {
            let owner = name("*.wild.example");
            let nsec = z.iter_mut().find(|r| r.owner == owner && r.rtype == NSEC).unwrap();
            let next = name("www.example");
            nsec.rdata = [&next, &bitmap(&[RRSIG, NSEC])[..]].concat();
        }),
        with_nsec3("fr 2011: NSEC3 parts wrong, positive answers right", &[517], |z| {
            let mut nsec3s = z.iter_mut().filter(|r| r.rtype == NSEC3);
            nsec3s.nth(3).unwrap().rdata[20] ^= 4;
        }),
        with_signed("red 2014: signatures missing", &[301], |z| {
            z.retain(|r| r.rtype != RRSIG || r.rdata[..2] != A.to_be_bytes());
        }),
    ]
}
