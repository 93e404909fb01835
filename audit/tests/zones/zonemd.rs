//! ZONEMD: the first example of RFC 8976, digests over a signed zone, and what they leave out.

use crate::common::*;
use crate::corpus::codes;
use audit::{Denial, Expectations, Verdict, Zonemd};
use ring::digest::{SHA384, SHA512, digest};

fn number(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// RFC 8976, appendix A.1.
fn rfc8976_a_1() -> Vec<Rr> {
    let digest = "c68090d90a7aed716bc459f9340e3d7c1370d4d24b7e2fc3\
                  a1ddc0b9a87153b9a9713b3c9ae5cc27777f98b8e730044c";
    let digest: Vec<u8> = (0..digest.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digest[at..at + 2], 16).unwrap())
        .collect();
    let numbers = number(&[2_018_031_900, 1800, 900, 604_800, 86_400]);
    let soa = [name("ns1.example"), name("admin.example"), numbers].concat();
    let zonemd = [&2_018_031_900_u32.to_be_bytes()[..], &[1, 1], &digest].concat();
    let address = [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x63];
    let day = |record: Rr| Rr { ttl: 86_400, ..record };
    vec![
        day(rr("example", SOA, &soa)),
        day(rr("example", NS, &name("ns1.example"))),
        day(rr("example", NS, &name("ns2.example"))),
        day(rr("example", ZONEMD, &zonemd)),
        rr("ns1.example", A, &[203, 0, 113, 63]),
        rr("ns2.example", 28, &address),
    ]
}

#[test]
fn example_of_rfc8976_a_1() {
    let mut expected = Expectations::new(name("example"), NOW, Denial::None);
    expected.signing = Some(audit::Signing { signers: Vec::new(), ds_algorithms: Vec::new() });
    expected.zonemd = Zonemd::Required;
    let mut zone = rfc8976_a_1();
    let judge = |zone: &[Rr]| codes(&audit_bytes(&block(zone), &block(zone), &expected));
    assert_eq!(judge(&zone), [].into());
    zone.reverse();
    zone.last_mut().unwrap().owner = name("EXAMPLE");
    assert_eq!(judge(&zone), [].into(), "neither order nor letter case matters");
    zone[0].ttl += 1;
    assert_eq!(judge(&zone), [821].into());
}

/// All records in order, without the digest and its signature.
pub(crate) fn digested(zone: &[Rr]) -> Vec<u8> {
    let is_own = |r: &Rr| {
        r.owner.eq_ignore_ascii_case(&name("example"))
            && (r.rtype == ZONEMD || r.rtype == RRSIG && r.rdata[..2] == ZONEMD.to_be_bytes())
    };
    let mut zone: Vec<Rr> = zone.iter().filter(|r| !is_own(r)).cloned().collect();
    zone.sort_by_key(canonical_key);
    zone.dedup_by_key(|record| canonical_key(record));
    for record in &mut zone {
        record.owner.make_ascii_lowercase();
        record.rdata = canonical(record.rtype, &record.rdata);
    }
    block(&zone)
}

#[test]
fn digests_over_signed_zones_of_each_kind_of_denial() {
    for denial in [Denial::Nsec, nsec3(false), nsec3(true)] {
        let placeholder = |hash: u8, length: usize| {
            let head = [&10_u32.to_be_bytes()[..], &[1, hash]].concat();
            rr("example", ZONEMD, &[head, vec![0; length]].concat())
        };
        let mut source = source();
        source.extend([placeholder(1, 48), placeholder(2, 64)]);
        let mut zone = sign(&source, &denial, &Hooks::default());
        let octets = digested(&zone);
        let mut zonemds: Vec<Rr> = zone.iter().filter(|r| r.rtype == ZONEMD).cloned().collect();
        for zonemd in &mut zonemds {
            let algorithm = if zonemd.rdata[5] == 1 { &SHA384 } else { &SHA512 };
            zonemd.rdata.truncate(6);
            zonemd.rdata.extend(digest(algorithm, &octets).as_ref());
        }
        zone.retain(|r| {
            r.rtype != ZONEMD && (r.rtype != RRSIG || r.rdata[..2] != ZONEMD.to_be_bytes())
        });
        zone.push(zsk().rrsig_with(&zonemds, |_| {}));
        zone.extend(zonemds);
        let mut expected = expectations(&denial);
        expected.zonemd = Zonemd::Required;
        let report = audit_bytes(&block(&zone), &block(&source), &expected);
        assert_eq!(report.findings, []);
        assert_eq!(report.verdict(), Verdict::Approve);
        // Glue is in the digest, and in no signature.
        let glue = zone.iter_mut().find(|r| r.owner == name("ns.sub.example")).unwrap();
        glue.rdata[3] ^= 1;
        let report = audit_bytes(&block(&zone), &block(&source), &expected);
        assert_eq!(codes(&report), [601, 602, 821].into());
    }
}
