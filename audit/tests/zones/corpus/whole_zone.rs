//! Defects of horizon and ZONEMD.

use super::*;
use audit::{Horizon, Severity, Zonemd};

fn horizon(e: &mut Expectations, reaction_seconds: u32) {
    e.horizon = Some(Horizon { reaction_seconds, severity: Severity::Warn });
}

/// RDATA of a ZONEMD for the serial of these tests.
pub(super) fn zonemd(serial: u32, scheme: u8, hash: u8, digest: &[u8]) -> Vec<u8> {
    [&serial.to_be_bytes()[..], &[scheme, hash], digest].concat()
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case {
            expect: |e| {
                horizon(e, 0);
                e.refresh_seconds = 0;
            },
            ..with_source("TTL longer than the life of its signature", &[801], |z| {
                find(z, "www.example", TXT).ttl = 2_000_000;
            })
        },
        Case {
            expect: |e| horizon(e, 0),
            ..with_source("TTL longer than the refresh interval", &[802], |z| {
                find(z, "www.example", TXT).ttl = 7200;
            })
        },
        Case {
            expect: |e| horizon(e, 0),
            ..with_signed("signature ends before SOA EXPIRE", &[803], |z| {
                sign_www_again(z, &zsk(), |rdata| set_time(rdata, 8, NOW + 604_799));
            })
        },
        with_expectations("no time for operators behind SOA EXPIRE", &[804], |e| {
            horizon(e, 604_800);
        }),
        with_source("ZONEMD with a wrong digest", &[821], |z| {
            z.push(rr("example", ZONEMD, &zonemd(10, 1, 1, &[7; 48])));
        }),
        with_source("ZONEMD of another serial", &[822], |z| {
            z.push(rr("example", ZONEMD, &zonemd(9, 1, 1, &[7; 48])));
        }),
        with_source("two ZONEMD of one kind", &[823], |z| {
            z.push(rr("example", ZONEMD, &zonemd(10, 1, 2, &[7; 64])));
            z.push(rr("example", ZONEMD, &zonemd(10, 1, 2, &[8; 64])));
        }),
        with_source("ZONEMD of an unknown scheme", &[824], |z| {
            z.push(rr("example", ZONEMD, &zonemd(10, 240, 1, &[7; 48])));
        }),
        with_source("ZONEMD with a digest of eleven octets", &[102, 824], |z| {
            z.push(rr("example", ZONEMD, &zonemd(10, 240, 1, &[7; 11])));
        }),
        with_expectations("no ZONEMD where the policy wants one", &[825], |e| {
            e.zonemd = Zonemd::Required;
        }),
        Case {
            expect: |e| e.zonemd = Zonemd::Forbidden,
            ..with_source("ZONEMD where the policy wants none", &[825], |z| {
                z.push(rr("example", ZONEMD, &zonemd(10, 1, 1, &[7; 48])));
            })
        },
    ]
}
