//! Defects of data and serials against source and policy.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    vec![
        with_audited("a name of the source is missing", &[601], |z| {
            z.push(rr("aaa.example", A, &[192, 0, 2, 1]));
        }),
        with_audited("glue of the source is missing", &[601], |z| {
            z.push(rr("ns.sub.example", A, &[192, 0, 2, 1]));
        }),
        with_audited("a record that the source has not", &[602], |z| {
            z.retain(|r| r.rtype != TXT || r.owner != name("www.example"));
        }),
        with_audited("letter case of a name server changed", &[603], |z| {
            find(z, "example", NS).rdata[1] = b'n';
        }),
        with_audited("TTL changed", &[604], |z| find(z, "www.example", TXT).ttl = 60),
        with_expectations("TTL above the largest of the policy", &[604], |e| {
            (e.ttl_maximum, e.soa_ttl) = (Some(60), Some(3600));
        }),
        with_expectations("SOA MINIMUM is not the policy's", &[605], |e| e.soa_minimum = Some(1)),
        with_audited("SOA TTL is not the source's", &[605], |z| find(z, "example", SOA).ttl = 60),
        with_audited("SOA REFRESH is not the source's", &[606], |z| {
            let rdata = &mut find(z, "example", SOA).rdata;
            let last = rdata.len() - 1;
            rdata[last - 12] ^= 1;
        }),
        with_expectations("serial as published", &[607], |e| e.published_serial = Some(10)),
        with_expectations("serial smaller than published", &[607], |e| {
            e.published_serial = Some(11);
        }),
        with_expectations("serial half the number space away", &[607], |e| {
            e.published_serial = Some(10_u32.wrapping_sub(0x8000_0000));
        }),
        with_audited("source with a record of another zone", &[608], |z| {
            z.push(rr("other", A, &[192, 0, 2, 1]));
        }),
        with_expectations("a secondary has a greater serial", &[609], |e| {
            (e.published_serial, e.served_serials) = (Some(9), vec![9, 12]);
        }),
    ]
}
