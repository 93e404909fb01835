//! Defects of records and RRsets.

use super::*;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case { bytes: |bytes| bytes.push(3), ..any("octets after the last record", &[101]) },
        Case {
            source_bytes: |bytes| bytes.extend([0, 0]),
            ..any("octets after the last record of the source", &[111])
        },
        with_source("address of three octets", &[102], |z| {
            z.push(rr("www.example", A, &[192, 0, 2]));
        }),
        with_signed("record of another zone", &[103], |z| {
            z.push(rr("other", A, &[192, 0, 2, 1]));
        }),
        with_signed("glue of class CH", &[104], |z| find(z, "ns.sub.example", A).class = 3),
        with_signed("the same record twice", &[105], |z| {
            let copy = find(z, "www.example", TXT).clone();
            z.push(copy);
        }),
        with_source("two TTLs in one RRset", &[106], |z| {
            z.push(Rr { ttl: 60, ..rr("ns.sub.example", A, &[192, 0, 2, 10]) });
        }),
        with_source("no SOA", &[107], |z| z.retain(|record| record.rtype != SOA)),
        with_source("two SOAs", &[107], |z| z.push(rr("example", SOA, &soa(11, 600)))),
        with_source("SOA below the apex", &[108], |z| {
            z.push(rr("www.example", SOA, &soa(1, 1)));
        }),
        with_source("address beside a CNAME", &[109], |z| {
            z.push(rr("alias.example", A, &[192, 0, 2, 1]));
        }),
        with_source("two DNAMEs", &[109], |z| {
            z.push(rr("tree.example", DNAME, &name("mail.example")));
        }),
        with_source("no NS at the apex", &[110], |z| {
            z.retain(|r| r.rtype != NS || r.owner != name("example"));
        }),
    ]
}
