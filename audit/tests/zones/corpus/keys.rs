//! Defects of the DNSKEY RRset, CDS and CDNSKEY.

use super::*;
use audit::{KeyRule, ParentSync, Signer, Signing};

pub(super) fn signer(key: &Key, signs_keyset: bool) -> Signer {
    Signer { dnskey: key.rdata.clone(), signs_keyset, signs_zone: !signs_keyset }
}

/// The usual two keys sign; a DS leads to the first.
pub(super) fn usual_signing() -> Signing {
    let signers = vec![signer(&ksk(), true), signer(&zsk(), false)];
    Signing { signers, ds_algorithms: vec![ksk().algorithm()] }
}

fn rule(algorithm: u8, is_sep: bool, bits: Option<u32>) -> KeyRule {
    KeyRule { algorithm, is_sep, bits }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = key_set_cases();
    cases.extend(rule_cases());
    cases.extend(parent_sync_cases());
    cases
}

fn key_set_cases() -> Vec<Case> {
    vec![
        Case {
            before_signing: |z| {
                z.retain(|record| record.rtype != DNSKEY);
                let nsec = find(z, "example", NSEC);
                let types = bitmap(&[SOA, NS, MX, RRSIG, NSEC]);
                nsec.rdata = [name("alias.example"), types].concat();
            },
            signed: |z| z.retain(|record| record.rtype != RRSIG),
            expect: |e| e.dnskeys = None,
            ..nsec("no DNSKEY and no signature", &[201])
        },
        with_key("DNSKEY of protocol 2", &[202], |z| {
            let mut rdata = Key::new(3, 256).rdata;
            rdata[2] = 2;
            z.push(rr("example", DNSKEY, &rdata));
        }),
        with_key("DNSKEY without the zone key flag", &[203], |z| {
            z.push(rr("example", DNSKEY, &Key::new(3, 0).rdata));
        }),
        with_expectations("a key of the key list is not published", &[204], |e| {
            e.dnskeys.as_mut().unwrap().push(Key::new(3, 256).rdata);
        }),
        with_expectations("a published key is not in the key list", &[205], |e| {
            drop(e.dnskeys.as_mut().unwrap().pop());
        }),
        with_expectations("DNSKEY TTL is not the policy's", &[206], |e| e.dnskey_ttl = Some(60)),
        Case {
            expect: |e| (e.dnskeys, e.limits.dnskeys) = (None, 2),
            ..with_key("three DNSKEYs where two are the limit", &[207], |z| {
                z.push(rr("example", DNSKEY, &Key::new(3, 0x0301).rdata));
            })
        },
        with_key("Ed25519 key of three octets", &[208], |z| {
            z.push(rr("example", DNSKEY, &[1, 0, 3, 15, 1, 2, 3]));
        }),
        with_signed("keys signed by the ZSK only", &[209], |z| {
            let keys = rrset(z, "example", DNSKEY);
            *signature(z, "example", DNSKEY) = zsk().rrsig_with(&keys, |_| {});
        }),
        with_key("two keys with one key tag", &[210], |z| {
            z.push(rr("example", DNSKEY, &twin_of_zsk()));
        }),
        with_expectations("a key that has to sign the keys does not", &[316], |e| {
            let mut signing = usual_signing();
            signing.signers.push(signer(&Key::new(7, 257), true));
            e.signing = Some(signing);
        }),
    ]
}

/// The key tag is a sum of 16-bit words, so it stays the same when two of them change places.
pub(super) fn twin_of_zsk() -> Vec<u8> {
    let mut rdata = zsk().rdata;
    let at = rdata.len() - 4;
    let words = [rdata[at + 2], rdata[at + 3], rdata[at], rdata[at + 1]];
    rdata[at..].copy_from_slice(&words);
    rdata
}

fn rule_cases() -> Vec<Case> {
    vec![
        with_expectations("new ZSK of an algorithm that the policy lacks", &[213], |e| {
            let algorithm = ksk().algorithm();
            e.key_rules = Some(vec![rule(algorithm, true, None), rule(99, false, None)]);
        }),
        Case {
            expect: |e| {
                e.dnskeys = None;
                e.signing = Some(usual_signing());
                let of_zone = ksk().algorithm();
                let mut rules = vec![rule(10, false, Some(4096))];
                rules.extend([true, false].map(|is_sep| rule(of_zone, is_sep, None)));
                e.key_rules = Some(rules);
            },
            ..with_key("new RSA key of 2048 bits, policy 4096", &[214], |z| {
                z.push(rr("example", DNSKEY, &dnskey_of_rsa(256, 10, 2048)));
            })
        },
        with_key("DNSKEY with a reserved flag", &[215], |z| {
            z.push(rr("example", DNSKEY, &Key::new(3, 0x0300).rdata));
        }),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &dnskey_of_rsa(256, 5, 2048))),
            expect: |e| (e.dnskeys, e.signing) = (None, Some(usual_signing())),
            ..case("NSEC3 with a key of algorithm RSASHA1", &[522], nsec3(false))
        },
    ]
}

fn parent_sync_cases() -> Vec<Case> {
    vec![
        with_expectations("no CDS where removal is to be asked for", &[211], |e| {
            e.parent_sync = Some(ParentSync::Delete);
        }),
        Case {
            source: |z| {
                z.push(rr("example", CDS, &ds(&Key::new(7, 257), 2)));
                z.push(rr("example", CDNSKEY, &Key::new(7, 257).rdata));
            },
            expect: |e| {
                e.parent_sync = Some(ParentSync::Keys(vec![Key::new(7, 257).rdata]));
            },
            ..any("CDS names only a key that is not published", &[212])
        },
    ]
}
