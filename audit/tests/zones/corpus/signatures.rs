//! Defects of signatures, and of what must have none.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = presence_cases();
    cases.extend(field_cases());
    cases.extend(place_cases());
    cases
}

fn presence_cases() -> Vec<Case> {
    vec![
        with_signed("no signature over an address", &[301], |z| {
            z.retain(|record| !is_signature_of(record, "www.example", A));
        }),
        with_signed("no signature over a DS", &[301], |z| {
            z.retain(|record| !is_signature_of(record, "safe.example", DS));
        }),
        Case {
            is_for_all: false,
            ..with_signed("no signature over the NSEC of a cut", &[301], |z| {
                z.retain(|record| !is_signature_of(record, "sub.example", NSEC));
            })
        },
        Case {
            signed: |z| {
                let of_nsec3 = |r: &Rr| r.rtype == RRSIG && r.rdata[..2] == NSEC3.to_be_bytes();
                let at = z.iter().position(of_nsec3).unwrap();
                z.remove(at);
            },
            ..case("no signature over an NSEC3", &[301], nsec3(true))
        },
        with_signed("signature over an RRset that is not there", &[312], |z| {
            let absent = rr("www.example", 28, &[0; 16]);
            z.push(zsk().rrsig_with(&[absent], |_| {}));
        }),
        Case {
            expect: |e| e.limits.rrsigs_per_rrset = 1,
            ..with_signed("two signatures where one is the limit", &[315], |z| {
                sign_also(z, &ksk(), "www.example", A);
            })
        },
        Case {
            expect: |e| e.limits.verifications_per_rrset = 1,
            ..with_signed("two attempts where one is the limit", &[317], |z| {
                sign_also(z, &ksk(), "www.example", A);
            })
        },
    ]
}

fn field_cases() -> Vec<Case> {
    vec![
        with_signed("one bit of a signature wrong", &[302], |z| {
            *signature(z, "www.example", A).rdata.last_mut().unwrap() ^= 1;
        }),
        with_signed("signature cut short", &[302], |z| {
            signature(z, "example", SOA).rdata.truncate(60);
        }),
        with_signed("signature by a key that is not published", &[303], |z| {
            sign_www_again(z, &Key::new(9, 256), |_| {});
        }),
        with_signed("signer name of another zone", &[304], |z| {
            sign_www_again(z, &zsk(), |rdata| {
                rdata.truncate(18);
                rdata.extend(name("other"));
            });
        }),
        with_signed("labels field as of a wildcard", &[305], |z| {
            sign_www_again(z, &zsk(), |rdata| rdata[3] = 1);
        }),
        with_signed("other original TTL", &[306], |z| {
            sign_www_again(z, &zsk(), |rdata| rdata[7] ^= 1);
        }),
        with_signed("other TTL of the signature", &[307], |z| {
            signature(z, "www.example", A).ttl = 60;
        }),
        with_signed("signature of the future", &[308], |z| {
            sign_www_again(z, &zsk(), |rdata| set_time(rdata, 12, NOW + 1800));
        }),
        with_signed("expired signature", &[309], |z| {
            sign_www_again(z, &zsk(), |rdata| set_time(rdata, 8, NOW - 60));
        }),
        with_signed("signature that should have been refreshed", &[310], |z| {
            sign_www_again(z, &zsk(), |rdata| set_time(rdata, 8, NOW + 3599));
        }),
        with_expectations("signatures longer than the policy's", &[311], |e| {
            e.lifetimes = Some(audit::SignatureLifetimes {
                default_seconds: 1_209_600,
                denial_seconds: 1_209_600,
                keyset_seconds: 1_209_600,
                jitter_seconds: 3599,
                inception_offset_seconds: 0,
            });
        }),
        Case {
            before_signing: |z| z.push(rr("example", DNSKEY, &Key::new(5, 0x0181).rdata)),
            signed: |z| sign_www_again(z, &Key::new(5, 0x0181), |_| {}),
            expect: |e| e.dnskeys = None,
            ..any("data signed by a revoked key", &[314])
        },
    ]
}

fn place_cases() -> Vec<Case> {
    vec![
        with_signed("signed glue", &[313], |z| sign_also(z, &zsk(), "ns.sub.example", A)),
        with_signed("signed NS of a delegation", &[313], |z| {
            sign_also(z, &zsk(), "sub.example", NS);
        }),
        with_signed("signed data below a DNAME", &[313], |z| {
            sign_also(z, &zsk(), "hidden.tree.example", TXT);
        }),
        with_signed("signature over a signature", &[313], |z| {
            let signed = signature(z, "www.example", A).clone();
            z.push(zsk().rrsig_with(&[signed], |_| {}));
        }),
        with_source("DS at a name without delegation", &[401], |z| {
            z.push(rr("www.example", DS, &[0, 1, 13, 2, 7, 7]));
        }),
    ]
}
